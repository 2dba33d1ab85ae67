//! Disk space kept for the audit log of a full disk.
//!
//! A file of real zeros, given back to the disk slice by slice. Changes never get any of it; denials get an
//! eighth and 1 000 records an identity, so that nobody can spend it by being refused.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::commit::Job;

/// Denials that one identity may have recorded while the disk is full.
const DENIALS_AN_IDENTITY: u64 = 1000;
/// Smallest slice, in bytes: a commit needs a few pages at least.
const MIN_SLICE: u64 = 64 << 10;

/// The reserve file, and who used how much of it.
pub(crate) struct Reserve {
    path: PathBuf,
    full: u64,
    left: u64,
    denied_bytes: u64,
    denied_by: HashMap<String, u64>,
}

impl Reserve {
    /// The reserve of `full` bytes at `path`, not yet made.
    pub(crate) fn new(path: PathBuf, full: u64) -> Self {
        Self { path, full, left: 0, denied_bytes: 0, denied_by: HashMap::new() }
    }

    /// Bytes not yet given back.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    fn slice(&self) -> u64 {
        (self.full / 64).max(MIN_SLICE)
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)
    }

    /// Fills the file up to its full size with zeros that are really on the disk. On an error it keeps the
    /// size it had.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        let mut file = self.open()?;
        let had = file.metadata()?.len().min(self.full);
        self.left = had;
        if had < self.full
            && let Err(error) = write_zeros(&mut file, had, self.full)
        {
            // What was taken of a nearly full disk goes back to it.
            file.set_len(had)?;
            return Err(error);
        }
        file.set_len(self.full)?;
        self.left = self.full;
        self.denied_bytes = 0;
        self.denied_by.clear();
        Ok(())
    }

    /// Gives a slice back to the disk; `false` once all of it is given.
    pub(crate) fn give_back(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let left = self.left.saturating_sub(self.slice());
        let cut = self.open().and_then(|file| file.set_len(left).and_then(|()| file.sync_all()));
        if let Err(error) = cut {
            tracing::error!(%error, "the audit reserve could not be given back");
            self.left = 0;
            return false;
        }
        self.left = left;
        true
    }

    /// Whether a work may be recorded while the disk is full; counts it where it is a denial.
    pub(crate) fn admits(&mut self, job: &Job) -> bool {
        let Some(who) = &job.denied else { return true };
        let bytes = self.denied_bytes.saturating_add(job.lines.bytes() as u64);
        let by_them = self.denied_by.get(who).copied().unwrap_or(0).saturating_add(job.lines.len());
        if bytes > self.full / 8 || by_them > DENIALS_AN_IDENTITY {
            return false;
        }
        self.denied_bytes = bytes;
        self.denied_by.insert(who.clone(), by_them);
        true
    }
}

fn write_zeros(file: &mut File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    file.seek(SeekFrom::Start(from))?;
    let mut at = from;
    while at < to {
        let len = usize::try_from(to - at).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all(zeros.get(..len).unwrap_or_default())?;
        at += len as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Work, testing};

    #[test]
    fn it_is_really_allocated_and_given_back_in_slices() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::new(folder.path().join("reserve"), 4 * MIN_SLICE);
        reserve.fill().unwrap();
        let meta = std::fs::metadata(folder.path().join("reserve")).unwrap();
        assert_eq!((meta.len(), reserve.left()), (4 * MIN_SLICE, 4 * MIN_SLICE));
        assert!(meta.blocks() * 512 >= meta.len(), "a sparse file reserves nothing");
        for left in [3, 2, 1, 0] {
            assert!(reserve.give_back());
            assert_eq!(reserve.left(), left * MIN_SLICE);
        }
        assert!(!reserve.give_back());
        reserve.fill().unwrap();
        assert_eq!(reserve.left(), 4 * MIN_SLICE);
    }

    #[test]
    fn denials_get_an_eighth_and_a_thousand_an_identity() {
        let folder = tempfile::tempdir().unwrap();
        let job = |user: &str| crate::commit::Job::new(Work::record(vec![testing::denial(user)])).0;
        let mut reserve = Reserve::new(folder.path().join("reserve"), 64 << 20);
        let by_eve = (0..1500).filter(|_| reserve.admits(&job("eve"))).count();
        assert_eq!(by_eve, 1000);
        assert!(reserve.admits(&job("ben")), "another identity has a share of its own");
        assert!(reserve.admits(&crate::commit::Job::new(Work::record(vec![testing::event("eve")])).0));

        let mut small = Reserve::new(folder.path().join("small"), 80_000);
        let users = (0..500).filter(|n| small.admits(&job(&format!("user{n}")))).count();
        let line = job("user100").lines.bytes();
        assert!(users * line <= 10_000 && (users + 2) * line > 10_000, "{users} denials");
    }
}
