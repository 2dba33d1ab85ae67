//! Credential files: written whole or not at all, readable by their owner only, and watched for changes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wardkeep_model::Entropy;
use zeroize::Zeroizing;

/// Largest credential file that is read, in bytes.
pub(crate) const MAX_FILE: u64 = 1 << 20;

/// What tells that a file was replaced or rewritten, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

/// The stamp of a file; `None` while it cannot be looked at, so that its return is a change too.
pub(crate) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp { modified: metadata.modified().ok(), len: metadata.len(), inode })
}

/// Reads a credential file into memory that is zeroed when dropped.
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let len = fs::metadata(path)?.len();
    if len > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a credential file holds at most 1 MiB"));
    }
    fs::read(path).map(Zeroizing::new)
}

/// Writes a file that only its owner may read (0600), whole or not at all: into a new file beside it,
/// synced, then renamed over it, then the folder is synced.
pub(crate) fn write_private(path: &Path, bytes: &[u8], entropy: &dyn Entropy) -> io::Result<()> {
    let mut tail = [0_u8; 8];
    entropy.fill(&mut tail).map_err(io::Error::other)?;
    let beside = suffixed(path, &format!(".{:016x}.tmp", u64::from_be_bytes(tail)));
    let written = create_private(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| rename(&beside, path));
    if written.is_err() {
        // Best effort: what is left behind is unreadable to others and has a name of its own.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Renames over and makes the rename durable.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// `key.pem` and `.pending` give `key.pem.pending`, in the same folder.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Takes the advisory lock that keeps two processes from renewing into the same files; `None` if held.
///
/// The lock file stays: removing it would let two holders lock two different files of one name.
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Whether others than the owner may read the file.
#[cfg(unix)]
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Whether others than the owner may read the file: not known on this system.
#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_path: &Path) -> bool {
    false
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // `create_new`: a link planted under this name is never followed.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;

    #[test]
    fn a_written_file_is_whole_private_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_private(&path, b"one", &SystemEntropy).unwrap();
        let before = stamp(&path);
        write_private(&path, b"two", &SystemEntropy).unwrap();
        assert_eq!(read(&path).unwrap().as_slice(), b"two");
        assert_ne!(stamp(&path), before);
        assert!(!is_open_to_others(&path));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(write_private(&path, b"x", &SystemEntropy).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_one_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem.lock");
        let held = try_lock(&path).unwrap().unwrap();
        assert!(try_lock(&path).unwrap().is_none());
        drop(held);
        assert!(try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_huge_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        File::create(&path).unwrap().set_len(MAX_FILE + 1).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
