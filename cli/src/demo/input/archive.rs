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

/// Longest name, or set of extended attributes, that an entry of a tar archive may have, in bytes.
const MAX_EXTENSION: u64 = 64 * 1024;

/// Most bytes that are read behind the end of a tar archive; archivers fill up to 10 KiB.
const MAX_TAIL: u64 = 1 << 20;

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

/// Reads the archive's entries as they are. The library would put long names together by itself, and read them whole
/// however long they claim to be: a few kilobytes of gzip can claim, and hold, more than a machine has memory.
fn tar(path: &Path, unpacked: impl Read, visit: Visit<'_>) -> Result<(), InputError> {
    let fault = |error| InputError::Archive { path: path.to_owned(), error };
    let mut archive = tar::Archive::new(unpacked);
    let mut long_name = None;
    for entry in archive.entries().map_err(fault)?.raw(true) {
        let mut entry = entry.map_err(fault)?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() {
            let bytes = extension(&mut entry).map_err(fault)?;
            long_name = Some(name_of(bytes.strip_suffix(b"\0").unwrap_or(&bytes)));
            continue;
        }
        if kind.is_pax_local_extensions() {
            let bytes = extension(&mut entry).map_err(fault)?;
            let named = tar::PaxExtensions::new(&bytes).flatten().find(|one| one.key_bytes() == b"path");
            long_name = named.map(|one| name_of(one.value_bytes())).or(long_name);
            continue;
        }
        let name = match long_name.take() {
            Some(name) => name,
            None => name_of(&entry.path_bytes()),
        };
        if !kind.is_file() || !is_bundle_name(Path::new(&name)) {
            continue;
        }
        let said = entry.size();
        if visit(read_bundle(name, entry, said)?).is_break() {
            return Ok(());
        }
    }
    // The packing's own checksum stands behind the archive's end: unread, a flipped bit in a record would pass.
    let mut rest = archive.into_inner().take(MAX_TAIL);
    std::io::copy(&mut rest, &mut std::io::sink()).map_err(fault)?;
    Ok(())
}

/// The bytes of an entry that says something about the next.
fn extension(entry: &mut tar::Entry<'_, impl Read>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(MAX_EXTENSION + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_EXTENSION {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "a name in it is longer than 64 KiB"));
    }
    Ok(bytes)
}

fn name_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn open(path: &Path) -> Result<BufReader<File>, InputError> {
    let file = File::open(path).map_err(|error| InputError::Open { path: path.to_owned(), error })?;
    Ok(BufReader::with_capacity(256 * 1024, file))
}
