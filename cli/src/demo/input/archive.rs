//! Bundles out of tar and zip archives, one at a time and never onto disk: a path inside an archive is
//! only a name here, so `../` leads nowhere.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::{InputError, Visit, is_bundle_name, read_bundle};

/// Most memory that an xz stream may ask for, in KiB; the largest preset takes 65 MiB.
const XZ_MEMORY_KIB: u32 = 256 * 1024;

/// The bundles of a `.tar.xz`.
pub(crate) fn tar_xz(path: &Path, visit: Visit<'_>) -> Result<(), InputError> {
    let unpacked = XzReader::new_mem_limit(open(path)?, true, XZ_MEMORY_KIB);
    tar(path, unpacked, visit)
}

/// The bundles of a `.tar.gz`.
pub(crate) fn tar_gz(path: &Path, visit: Visit<'_>) -> Result<(), InputError> {
    let unpacked = MultiGzDecoder::new(open(path)?);
    tar(path, unpacked, visit)
}

/// The bundles of a `.zip`, in the order of its directory.
pub(crate) fn zip(path: &Path, visit: Visit<'_>) -> Result<(), InputError> {
    let fault = |error| InputError::Zip { path: path.to_owned(), error };
    let mut archive = zip::ZipArchive::new(open(path)?).map_err(fault)?;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(fault)?;
        let name = file.name().map_err(fault)?.into_owned();
        if !file.is_file() || !is_bundle_name(Path::new(&name)) {
            continue;
        }
        let said = file.size();
        if visit(read_bundle(name, file, said)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn tar(path: &Path, unpacked: impl Read, visit: Visit<'_>) -> Result<(), InputError> {
    let fault = |error| InputError::Archive { path: path.to_owned(), error };
    let mut archive = tar::Archive::new(unpacked);
    for entry in archive.entries().map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.path().map_err(fault)?.into_owned();
        if !entry.header().entry_type().is_file() || !is_bundle_name(&name) {
            continue;
        }
        let said = entry.size();
        if visit(read_bundle(name.display().to_string(), entry, said)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<BufReader<File>, InputError> {
    let file = File::open(path).map_err(|error| InputError::Open { path: path.to_owned(), error })?;
    Ok(BufReader::with_capacity(256 * 1024, file))
}
