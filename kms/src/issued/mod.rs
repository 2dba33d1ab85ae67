//! Which user keys the authorities issued, by serial: in memory what every list and revocation asks, in the store the rest.
//!
//! A serial is given once. Its row stands before the key leaves, and the ledger of its authority version remembers the
//! highest one when rows of expired keys are swept. The store is the truth; entries change after it, never before.

pub(crate) mod row;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use wardkeep_abe::{Bucket, Dates, Serial};
use wardkeep_model::{EntityUid, KeyId, KeyVersion, Timestamp};
use wardkeep_store::{Store, Table};

use crate::error::LoadError;

/// The first serial. Serials are counted from 1, as versions are.
const FIRST: u32 = 1;

/// One issued user key, as its row tells it. Never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    /// For whom.
    pub(crate) subject: EntityUid,
    /// Who asked.
    pub(crate) actor: EntityUid,
    /// The attributes as canonical text.
    pub(crate) attributes: String,
    /// The last time bucket it opens anything of.
    pub(crate) bucket: u32,
    /// The end of that bucket, in seconds since 1970.
    pub(crate) until: u64,
    /// When it was issued.
    pub(crate) at: Timestamp,
    /// When it was revoked.
    pub(crate) revoked: Option<Timestamp>,
}

/// A signed revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List {
    /// Number and moments.
    pub(crate) dates: Dates,
    /// Its bytes.
    pub(crate) signed: Arc<[u8]>,
    /// How many rows of a formula its cover takes.
    pub(crate) cover_rows: usize,
}

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
    pub(crate) turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Sequence of the ledger's row, once it has one.
    sequence: Option<u64>,
    list: Option<Arc<List>>,
    entries: BTreeMap<u32, Entry>,
}

/// The ledgers of all authority versions, by key and version.
#[derive(Debug, Default)]
pub(crate) struct Book(RwLock<BTreeMap<(KeyId, KeyVersion), Arc<Ledger>>>);

impl Default for Ledger {
    fn default() -> Self {
        Self { next: AtomicU32::new(FIRST), state: RwLock::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl Book {
    /// Reads all rows.
    pub(crate) fn load(store: &dyn Store) -> Result<Self, LoadError> {
        let book = Self::default();
        let mut bad = None;
        let mut subjects: BTreeMap<EntityUid, Arc<EntityUid>> = BTreeMap::new();
        store.scan(Table::UserKey, &mut |found| {
            let read = row::read_name(&found.id).and_then(|name| {
                let ledger = book.ledger(&name.key, name.version);
                match name.serial {
                    None => ledger.install_row(found.sequence, row::read_ledger(&found.value)?),
                    Some(serial) => {
                        let issued = row::read_issued(&found.value)?;
                        // One copy of each name: a program may have thousands of keys issued.
                        let shared = subjects.entry(issued.subject.clone());
                        let subject = Arc::clone(shared.or_insert_with_key(|name| Arc::new(name.clone())));
                        ledger.install(serial, Entry { subject, ..Entry::of(&issued, found.sequence) });
                    }
                }
                Some(())
            });
            if read.is_none() {
                bad = Some(LoadError::Row { table: "user-key", id: found.id });
            }
        })?;
        bad.map_or(Ok(book), Err)
    }

    /// The ledger of an authority version, made where there is none.
    pub(crate) fn ledger(&self, key: &KeyId, version: KeyVersion) -> Arc<Ledger> {
        let name = (key.clone(), version);
        if let Some(found) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Arc::clone(found);
        }
        Arc::clone(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default())
    }

    /// The ledger of an authority version, if it has issued or published anything.
    pub(crate) fn find(&self, key: &KeyId, version: KeyVersion) -> Option<Arc<Ledger>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&(key.clone(), version)).cloned()
    }

    /// All ledgers from a name on, in the order of keys and versions.
    pub(crate) fn from(&self, start: Option<&(KeyId, KeyVersion)>) -> Vec<((KeyId, KeyVersion), Arc<Ledger>)> {
        let ledgers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let start = start.map_or(Bound::Unbounded, Bound::Included);
        ledgers.range((start, Bound::Unbounded)).map(|(name, ledger)| (name.clone(), Arc::clone(ledger))).collect()
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
    pub(crate) fn install_row(&self, sequence: u64, body: row::LedgerBody) {
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

    /// What a list signed at `now`, in seconds, holds: what is revoked and has not expired.
    pub(crate) fn revoked(&self, now: u64) -> BTreeMap<Serial, Bucket> {
        let on_it = self.entries(None, usize::MAX, |entry| entry.revoked && entry.until > now);
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

/// How many nodes of a tree of `bits` levels cover every leaf but these: the rows that a list adds to a formula (complete
/// subtree method: Naor, Naor and Lotspiech, Crypto 2001, section 3.1).
///
/// A node on the way to a revoked leaf whose other child leads to none adds that child. On each level there are so many
/// children of such nodes as twice their number, and those on the way themselves are not covered.
pub(crate) fn cover_rows(revoked: impl Iterator<Item = u32> + Clone, bits: u8) -> usize {
    if revoked.clone().next().is_none() {
        return 1;
    }
    let on_the_way = |depth: u8| {
        let mut nodes: Vec<u64> = revoked.clone().map(|leaf| u64::from(leaf) >> (bits - depth)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.len()
    };
    (0..bits).map(|depth| (2 * on_the_way(depth)).saturating_sub(on_the_way(depth + 1))).sum()
}

#[cfg(test)]
mod tests;
