//! A policy bundle as a folder of files: `wardkeep.toml`, one `.cedarschema`, `.cedar` policies, perhaps
//! `entities.json`. The policy room reads no files, so this one does.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use wardkeep_policy::BundleSource;

use crate::error::FileError;

/// Longest file of a bundle; the server takes 8 MiB for all of it.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// Why a folder is no bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleFolderError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that has to be there is not, or there are two of it.
    #[error("`{}` holds {found} files ending in `{ending}`: a bundle has {wanted}", folder.display())]
    Count { folder: PathBuf, ending: &'static str, found: usize, wanted: &'static str },
}

/// Reads a bundle. Policies stand in the folder or one folder below it (`policies/`), in the order of their names.
pub(crate) fn read(folder: &Path) -> Result<BundleSource, BundleFolderError> {
    let mut files = files_of(folder)?;
    let below = folder.join("policies");
    if below.is_dir() {
        files.extend(files_of(&below)?);
    }
    let ending = |wanted: &'static str| {
        let has = move |file: &&PathBuf| file.extension() == Some(OsStr::new(wanted));
        files.iter().filter(has).cloned().collect::<Vec<_>>()
    };
    let schemas = ending("cedarschema");
    let [schema] = schemas.as_slice() else {
        return Err(count(folder, ".cedarschema", schemas.len(), "one"));
    };
    let policies = ending("cedar");
    if policies.is_empty() {
        return Err(count(folder, ".cedar", 0, "one or more"));
    }
    let named = |file: &PathBuf| {
        let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
        Ok((name, text(file)?))
    };
    let entities = folder.join("entities.json");
    Ok(BundleSource {
        manifest: text(&folder.join("wardkeep.toml"))?,
        schema: text(schema)?,
        policies: policies.iter().map(named).collect::<Result<_, FileError>>()?,
        entities: if entities.exists() { Some(text(&entities)?) } else { None },
    })
}

fn count(folder: &Path, ending: &'static str, found: usize, wanted: &'static str) -> BundleFolderError {
    BundleFolderError::Count { folder: folder.to_owned(), ending, found, wanted }
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(FileError::at("read", folder))? {
        files.push(entry.map_err(FileError::at("read", folder))?.path());
    }
    files.sort();
    Ok(files)
}

/// A text file of bounded length.
pub(crate) fn text(path: &Path) -> Result<String, FileError> {
    let length = std::fs::metadata(path).map_err(FileError::at("read", path))?.len();
    if length > MAX_FILE {
        let error = io::Error::new(io::ErrorKind::InvalidData, "it is longer than 8 MiB");
        return Err(FileError::at("read", path)(error));
    }
    std::fs::read_to_string(path).map_err(FileError::at("read", path))
}

#[cfg(test)]
mod tests;
