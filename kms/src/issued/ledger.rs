//! The serials of one authority version, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use wardkeep_abe::{Bucket, Serial};
use wardkeep_model::EntityUid;

use super::row::LedgerBody;
use super::{Issued, List};

/// The first serial. Serials are counted from 1, as versions are.
const FIRST: u32 = 1;
/// Most user keys of one subject in one authority version that live and are not revoked. Revoked, so many take a cover of
/// several hundred rows at worst; without a bound one subject could make a list that nobody can seal with, or take all
/// serials.
pub(crate) const MAX_LIVE: usize = 32;
/// How far the clocks of those who seal may be behind, in seconds: as far as the library and the clients let them.
pub(crate) const SKEW: u64 = 300;

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
    /// Who has anything that is not revoked, or is about to. The names are those that entries share.
    subjects: BTreeMap<Arc<EntityUid>, Theirs>,
}

/// What one subject has.
#[derive(Debug, Default)]
struct Theirs {
    /// Not revoked; expired ones too, until they are swept.
    serials: BTreeSet<u32>,
    /// Issues under way.
    coming: usize,
}

/// A place among the user keys of a subject, for an issue under way; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    ledger: Arc<Ledger>,
    subject: Arc<EntityUid>,
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

    /// Gives no serial any more.
    pub(crate) fn spend(&self) {
        self.next.fetch_max(u32::MAX, Ordering::Relaxed);
    }

    /// Takes a place among the user keys of a subject at a moment, in seconds; `None` where it has as many as it may have.
    pub(crate) fn place(self: &Arc<Self>, subject: &EntityUid, now: u64) -> Option<Place> {
        let mut state = self.write();
        let State { entries, subjects, .. } = &mut *state;
        let name = subjects.get_key_value(subject).map_or_else(|| Arc::new(subject.clone()), |(name, _)| name.clone());
        let theirs = subjects.entry(Arc::clone(&name)).or_default();
        let lives = |serial: &&u32| entries.get(serial).is_some_and(|entry| entry.until > now);
        if theirs.serials.iter().filter(lives).count() + theirs.coming >= MAX_LIVE {
            return None;
        }
        theirs.coming += 1;
        drop(state);
        Some(Place { ledger: Arc::clone(self), subject: name })
    }

    /// What a subject has that is not revoked, ascending; what expired and was not swept is among it.
    pub(crate) fn of_subject(&self, subject: &EntityUid) -> Vec<u32> {
        let state = self.read();
        state.subjects.get(subject).map_or_else(Vec::new, |theirs| theirs.serials.iter().copied().collect())
    }

    /// All who have anything that is not revoked.
    pub(crate) fn subjects(&self) -> Vec<Arc<EntityUid>> {
        self.read().subjects.keys().cloned().collect()
    }

    /// The lowest serial that was never taken.
    pub(crate) fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// Takes a durable row of a serial.
    pub(crate) fn install(&self, serial: u32, entry: Entry) {
        self.next.fetch_max(serial.saturating_add(1), Ordering::Relaxed);
        self.write().insert(serial, entry);
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
            if let Some(entry) = state.entries.remove(serial) {
                state.unlist(&entry.subject, |theirs| {
                    theirs.serials.remove(serial);
                });
            }
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

    /// What a list signed at `now`, in seconds, holds: what is revoked, `also` with it, and has not expired for whoever
    /// seals by a slow clock: such a one still seals for the bucket that has just ended here.
    pub(crate) fn revoked(&self, now: u64, also: &[u32]) -> BTreeMap<Serial, Bucket> {
        let lives = |entry: &Entry| entry.until.saturating_add(SKEW) > now;
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

impl State {
    fn insert(&mut self, serial: u32, mut entry: Entry) {
        if entry.revoked {
            self.unlist(&entry.subject, |theirs| {
                theirs.serials.remove(&serial);
            });
        } else {
            // One copy of each name: a program may have thousands of keys issued.
            if let Some((name, _)) = self.subjects.get_key_value(&entry.subject) {
                entry.subject = Arc::clone(name);
            }
            self.subjects.entry(Arc::clone(&entry.subject)).or_default().serials.insert(serial);
        }
        self.entries.insert(serial, entry);
    }

    /// Changes what a subject has, and forgets who has nothing.
    fn unlist(&mut self, subject: &EntityUid, change: impl FnOnce(&mut Theirs)) {
        let Some(theirs) = self.subjects.get_mut(subject) else { return };
        change(theirs);
        if theirs.serials.is_empty() && theirs.coming == 0 {
            self.subjects.remove(subject);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.ledger.write().unlist(&self.subject, |theirs| theirs.coming = theirs.coming.saturating_sub(1));
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
