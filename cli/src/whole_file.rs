//! Files that appear whole or not at all: written beside their place under a passing name, renamed at the end.
//!
//! A decrypted file that was cut off half way would look like a record; and nobody should read a key file
//! before its mode is set.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::FileError;
use crate::stop::Passing;

/// Who may read the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner alone (mode 0600).
    Owner,
    /// Whoever the process's umask lets.
    Anyone,
}

/// A file that is being written; dropped before [`WholeFile::finish`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct WholeFile {
    temporary: NamedTempFile,
    /// Dropped after the file has its name, or is gone: a signal meanwhile still removes it.
    passing: Passing,
    place: PathBuf,
    replace: bool,
}

impl WholeFile {
    /// Starts a file. One that stands there already is refused at once unless `replace`.
    pub(crate) fn create(place: &Path, readers: Readers, replace: bool) -> Result<Self, FileError> {
        check_free(place, replace)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".wardkeep-").suffix(".part");
        permit(&mut builder, readers);
        let temporary = builder.tempfile_in(folder_of(place)).map_err(FileError::at("create", place))?;
        let passing = Passing::of(temporary.path());
        Ok(Self { temporary, passing, place: place.to_owned(), replace })
    }

    /// Makes the file durable and gives it its name.
    pub(crate) fn finish(self) -> Result<(), FileError> {
        let Self { temporary, passing, place, replace } = self;
        temporary.as_file().sync_all().map_err(FileError::at("write", &place))?;
        let moved = if replace { temporary.persist(&place) } else { temporary.persist_noclobber(&place) };
        moved.map_err(|error| FileError::at("create", &place)(error.error))?;
        drop(passing);
        // The name too: a store that outlives its root key's folder entry is unreadable for ever.
        File::open(folder_of(&place)).and_then(|folder| folder.sync_all()).map_err(FileError::at("write", &place))
    }
}

/// That the name is free, or may be replaced: for whoever would do much work, or ask a server, before a file is begun.
pub(crate) fn check_free(place: &Path, replace: bool) -> Result<(), FileError> {
    if replace || place.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(FileError::at("create", place)(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "it exists already; choose another name, remove it, or add `--force` where the command takes it",
    )))
}

fn folder_of(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.as_file_mut().flush()
    }
}

/// Writes `bytes` as one whole file.
pub(crate) fn write(place: &Path, bytes: &[u8], readers: Readers, replace: bool) -> Result<(), FileError> {
    let mut file = WholeFile::create(place, readers, replace)?;
    file.write_all(bytes).map_err(FileError::at("write", place))?;
    file.finish()
}

#[cfg(unix)]
fn permit(builder: &mut tempfile::Builder<'_, '_>, readers: Readers) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Anyone => 0o666,
    };
    builder.permissions(std::fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
fn permit(_: &mut tempfile::Builder<'_, '_>, _: Readers) {}

#[cfg(test)]
mod tests;
