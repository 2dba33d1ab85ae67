//! The serials of one authority version, in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use wardkeep_abe::{Bucket, Serial};
use wardkeep_model::EntityUid;

use super::row::LedgerBody;
use super::{Issued, List};

/// The first serial. Serials are counted from 1, as versions are.
const FIRST: u32 = 1;

/// What memory keeps of one serial.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) subject: Arc<EntityUid>,
    pub(crate) bucket: u32,
    pub(crate) until: u64,
    pub(crate) revoked: bool,
    /// Sequence of its row.
    pub(crate) sequence: u64,
}

/// The serials of one authority version.
#[derive(Debug)]
pub(crate) struct Ledger {
    next: AtomicU32,
    state: RwLock<State>,
    /// Held by whoever writes the ledger's row or changes rows that exist.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// Sequence of the ledger's row, once it has one.
    sequence: Option<u64>,
    list: Option<Arc<List>>,
    entries: BTreeMap<u32, Entry>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { next: AtomicU32::new(FIRST), state: RwLock::default(), turn: Arc::default() }
    }
}

impl Ledger {
    /// Takes the next serial; `None` once there is none below `end`. It is never given again, whatever becomes of the key
    /// it was taken for.
    pub(crate) fn take(&self, end: u64) -> Option<u32> {
        let next = |serial: u32| (u64::from(serial) < end).then(|| serial.checked_add(1)).flatten();
        self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()
    }

    /// The lowest serial that was never taken.
    pub(crate) fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// Takes a durable row of a serial.
    pub(crate) fn install(&self, serial: u32, entry: Entry) {
        self.next.fetch_max(serial.saturating_add(1), Ordering::Relaxed);
        self.write().entries.insert(serial, entry);
    }

    /// Takes the durable row of the ledger itself.
    pub(crate) fn install_row(&self, sequence: u64, body: LedgerBody) {
        self.next.fetch_max(body.next, Ordering::Relaxed);
        let mut state = self.write();
        state.sequence = Some(sequence);
        state.list = body.list.map(Arc::new);
    }

    /// Forgets swept serials.
    pub(crate) fn forget(&self, serials: &[u32]) {
        let mut state = self.write();
        for serial in serials {
            state.entries.remove(serial);
        }
    }

    /// The newest revocation list.
    pub(crate) fn list(&self) -> Option<Arc<List>> {
        self.read().list.clone()
    }

    /// Sequence of the ledger's row.
    pub(crate) fn sequence(&self) -> Option<u64> {
        self.read().sequence
    }

    /// One serial.
    pub(crate) fn entry(&self, serial: u32) -> Option<Entry> {
        self.read().entries.get(&serial).cloned()
    }

    /// Serials that satisfy `such`, at most so many behind one.
    pub(crate) fn entries(&self, after: Option<u32>, most: usize, such: impl Fn(&Entry) -> bool) -> Vec<(u32, Entry)> {
        let state = self.read();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let found = state.entries.range((start, Bound::Unbounded)).filter(|(_, entry)| such(entry));
        found.take(most).map(|(serial, entry)| (*serial, entry.clone())).collect()
    }

    /// What a list signed at `now`, in seconds, holds: what is revoked, `also` with it, and has not expired.
    pub(crate) fn revoked(&self, now: u64, also: &[u32]) -> BTreeMap<Serial, Bucket> {
        let lives = |entry: &Entry| entry.until > now;
        let mut on_it = self.entries(None, usize::MAX, |entry| entry.revoked && lives(entry));
        let entry = |serial: &u32| Some((*serial, self.entry(*serial).filter(lives)?));
        on_it.extend(also.iter().filter_map(entry));
        on_it.into_iter().map(|(serial, entry)| (Serial::new(serial), Bucket::new(entry.bucket))).collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// What memory keeps of a row.
    pub(crate) fn of(issued: &Issued, sequence: u64) -> Self {
        let revoked = issued.revoked.is_some();
        let subject = Arc::new(issued.subject.clone());
        Self { subject, bucket: issued.bucket, until: issued.until, revoked, sequence }
    }
}
