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
/// The pause after the first look for space that found none; each further one doubles it.
const FIRST_PAUSE_MILLIS: u64 = 1000;
/// The longest pause between two looks for space.
const LAST_PAUSE_MILLIS: u64 = 30_000;
/// What has to fit under a quota for it not to be what made a write fail: a batch with a large row.
const PROBE: u64 = 8 << 20;

/// The reserve file, and who used how much of it.
pub(crate) struct Reserve {
    path: PathBuf,
    full: u64,
    left: u64,
    denied_bytes: u64,
    denied_by: HashMap<String, u64>,
    /// No look for space before this, by the clock that nobody sets.
    next_look: u64,
    pause: u64,
}

impl Reserve {
    /// The reserve of `full` bytes at `path`, not yet made.
    pub(crate) fn new(path: PathBuf, full: u64) -> Self {
        Self {
            path,
            full,
            left: 0,
            denied_bytes: 0,
            denied_by: HashMap::new(),
            next_look: 0,
            pause: FIRST_PAUSE_MILLIS,
        }
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

    /// Looks whether the disk has space again and takes the reserve back where it has; `now` counts milliseconds by a
    /// clock that nobody sets. A full disk is asked before it is written to, and after each look that was in vain the
    /// next one is twice as far, up to half a minute: who clears a disk must not find it filled and emptied every second.
    pub(crate) fn refill(&mut self, now: u64) -> bool {
        if now < self.next_look {
            return false;
        }
        if self.has_room() && self.fill().is_ok() {
            (self.next_look, self.pause) = (0, FIRST_PAUSE_MILLIS);
            return true;
        }
        self.next_look = now.saturating_add(self.pause);
        self.pause = self.pause.saturating_mul(2).min(LAST_PAUSE_MILLIS);
        false
    }

    /// Whether the disk says that it has room for the rest of the reserve, and for a commit besides. One that cannot say
    /// so is written to, which tells as well; a quota is told by that alone.
    fn has_room(&self) -> bool {
        let had = std::fs::metadata(&self.path).map_or(0, |meta| meta.len()).min(self.full);
        let wanted = (self.full - had).saturating_add(MIN_SLICE);
        let folder = self.path.parent().unwrap_or(&self.path);
        fs4::available_space(folder).map_or(true, |room| room >= wanted)
    }

    /// Whether it was a quota that made a write fail. The engine tells a full disk (ENOSPC) from a failing one, and takes a
    /// spent quota (EDQUOT) for the latter; a write beside its files shows which of the two it was.
    pub(crate) fn quota_is_spent(&self, error: &rusqlite::Error) -> bool {
        let code = error.sqlite_error().map(|failure| failure.extended_code);
        code == Some(rusqlite::ffi::SQLITE_IOERR_WRITE)
            && self.probe().is_err_and(|error| error.kind() == io::ErrorKind::QuotaExceeded)
    }

    fn probe(&self) -> io::Result<()> {
        let path = self.path.with_extension("probe");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let result = options.open(&path).and_then(|mut file| write_zeros(&mut file, 0, PROBE));
        // What stays of it is written over by the next one.
        let _ = std::fs::remove_file(&path);
        result
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
