//! Hashes of labels to the group, kept: the point H(x) of each label, and a table for those in frequent use.
//!
//! Hashing takes about as long as half a multiplication, and a table turns a multiplication of a variable point into one
//! of a fixed point; both pay only for labels that come again. Two bounds hold, each with the least recently used out
//! first: one on points (some 300 bytes each), one on tables (49 kB each). The lock is never held while a point is
//! hashed or a table made: two threads that miss the same label may both hash it, and one of the two results stays.
//!
//! Labels are public, and so is what this cache holds; exponents only pass through.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::backend::Backend;
use crate::label::Label;

/// Window of a label's table, in bits.
const TABLE_WINDOW: u32 = 4;
/// Uses that pay for a table: it takes as long to make as fourteen multiplications save.
const USES_FOR_TABLE: u32 = 14;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Points; 0 = nothing is kept, every call hashes (what the benchmarks call cold).
    pub(crate) points: usize,
    /// Tables, 49 kB each; 0 = none are made.
    pub(crate) tables: usize,
}

/// A label hashed to the group.
pub(crate) struct Hashed<B: Backend> {
    point: B::G1,
    table: RwLock<Option<Arc<B::G1Table>>>,
}

/// The cache. Shared between threads by reference.
pub(crate) struct Hashes<B: Backend> {
    capacity: Capacity,
    kept: Mutex<Kept<B>>,
}

impl<B: Backend> Hashed<B> {
    fn new(seen: &Seen<'_>) -> Arc<Self> {
        Arc::new(Self { point: B::hash_g1(seen.dst, seen.message), table: RwLock::new(None) })
    }

    /// The point.
    pub(crate) fn point(&self) -> &B::G1 {
        &self.point
    }

    /// The point to a secret power: by its table if it has one.
    #[cfg(test)]
    pub(crate) fn mul_secret(&self, scalar: &B::Secret) -> B::G1 {
        match self.table() {
            Some(table) => B::g1_table_mul_secret(&table, scalar),
            None => B::g1_mul_secret(&self.point, scalar),
        }
    }

    fn table(&self) -> Option<Arc<B::G1Table>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_table(&self, table: Option<Arc<B::G1Table>>) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
    }
}

impl<B: Backend> Hashes<B> {
    /// An empty cache.
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self { capacity, kept: Mutex::new(Kept::default()) }
    }

    /// Each label's hash to the same secret power, in the order of the labels.
    pub(crate) fn each_mul_secret(&self, dst: &[u8], labels: &[&Label], scalar: &B::Secret) -> Vec<B::G1> {
        self.raise(labels.iter().map(|label| Seen { dst, message: label.as_bytes() }), scalar)
    }

    /// Hashes labels ahead of their first use, as when a key is loaded. Does not count as a use.
    pub(crate) fn warm(&self, dst: &[u8], labels: &[&Label]) {
        labels.iter().for_each(|label| self.prepare(&Seen { dst, message: label.as_bytes() }));
    }

    fn find(&self, seen: &Seen<'_>) -> Arc<Hashed<B>> {
        let found = self.lock().touch(seen, self.capacity, true);
        let Some((hashed, due)) = found else { return self.insert(seen, 1) };
        if due {
            let table = Arc::new(B::g1_table(hashed.point(), TABLE_WINDOW));
            self.lock().give_table(seen, &hashed, table, self.capacity.tables);
        }
        hashed
    }

    fn raise<'a>(&self, seen: impl Iterator<Item = Seen<'a>>, scalar: &B::Secret) -> Vec<B::G1> {
        let hashes: Vec<_> = seen.map(|seen| self.find(&seen)).collect();
        let tables: Vec<_> = hashes.iter().map(|hashed| hashed.table()).collect();
        let plain: Vec<&B::G1> =
            hashes.iter().zip(&tables).filter(|(_, table)| table.is_none()).map(|(hashed, _)| hashed.point()).collect();
        let mut plain = B::g1_mul_secret_each(&plain, scalar).into_iter();
        // The points may become a user's key. A vector that moves while it grows leaves what it held behind.
        let mut raised = Vec::with_capacity(tables.len());
        raised.extend(tables.iter().filter_map(|table| match table {
            Some(table) => Some(B::g1_table_mul_secret(table, scalar)),
            None => plain.next(),
        }));
        raised
    }

    fn prepare(&self, seen: &Seen<'_>) {
        if self.capacity.points > 0 && self.lock().touch(seen, self.capacity, false).is_none() {
            self.insert(seen, 0);
        }
    }

    /// Hashes a label, without the lock, and keeps the result unless another thread was first.
    fn insert(&self, seen: &Seen<'_>, uses: u32) -> Arc<Hashed<B>> {
        let hashed = Hashed::new(seen);
        if self.capacity.points == 0 {
            return hashed;
        }
        self.lock().insert(
            Shared(Arc::new(Owned { dst: seen.dst.into(), message: seen.message.into() })),
            hashed,
            uses,
            self.capacity.points,
        )
    }

    /// The state is whole between any two statements that can panic, so that a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Kept<B>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the cache holds: entries by label, and their order of use.
struct Kept<B: Backend> {
    entries: HashMap<Shared, Entry<B>>,
    /// Every entry by the tick of its last use.
    by_age: BTreeMap<u64, Shared>,
    /// The entries with a table, or with one being made, likewise.
    tables_by_age: BTreeMap<u64, Shared>,
    tick: u64,
}

struct Entry<B: Backend> {
    hashed: Arc<Hashed<B>>,
    used: u64,
    uses: u32,
    has_table: bool,
}

impl<B: Backend> Default for Kept<B> {
    fn default() -> Self {
        Self { entries: HashMap::new(), by_age: BTreeMap::new(), tables_by_age: BTreeMap::new(), tick: 0 }
    }
}

impl<B: Backend> Kept<B> {
    /// Finds an entry, which becomes the youngest; and whether the caller is to make its table now.
    fn touch(&mut self, seen: &Seen<'_>, capacity: Capacity, counts: bool) -> Option<(Arc<Hashed<B>>, bool)> {
        let entry = self.entries.get_mut(seen as &dyn Key)?;
        self.tick += 1;
        if let Some(key) = self.by_age.remove(&entry.used) {
            self.by_age.insert(self.tick, key);
        }
        if let Some(key) = self.tables_by_age.remove(&entry.used) {
            self.tables_by_age.insert(self.tick, key);
        }
        entry.used = self.tick;
        entry.uses = entry.uses.saturating_add(u32::from(counts));
        let due = counts && capacity.tables > 0 && !entry.has_table && entry.uses >= USES_FOR_TABLE;
        // Marked at once: no second thread makes the same table.
        entry.has_table |= due;
        Some((Arc::clone(&entry.hashed), due))
    }

    fn insert(&mut self, key: Shared, hashed: Arc<Hashed<B>>, uses: u32, capacity: usize) -> Arc<Hashed<B>> {
        if let Some(first) = self.entries.get_mut(&key) {
            first.uses = first.uses.saturating_add(uses);
            return Arc::clone(&first.hashed);
        }
        while self.entries.len() >= capacity {
            let Some((age, oldest)) = self.by_age.pop_first() else { break };
            self.tables_by_age.remove(&age);
            self.entries.remove(&oldest);
        }
        self.tick += 1;
        self.by_age.insert(self.tick, key.clone());
        let entry = Entry { hashed: Arc::clone(&hashed), used: self.tick, uses, has_table: false };
        self.entries.insert(key, entry);
        hashed
    }

    /// Gives an entry the table made for it, and takes the oldest one's beyond the bound.
    fn give_table(&mut self, seen: &Seen<'_>, hashed: &Arc<Hashed<B>>, table: Arc<B::G1Table>, capacity: usize) {
        // The entry may have gone, and even come again, while its table was made.
        let Some((key, entry)) = self.entries.get_key_value(seen as &dyn Key) else { return };
        if !Arc::ptr_eq(&entry.hashed, hashed) {
            return;
        }
        hashed.set_table(Some(table));
        self.tables_by_age.insert(entry.used, key.clone());
        while self.tables_by_age.len() > capacity {
            let Some((_, oldest)) = self.tables_by_age.pop_first() else { break };
            if let Some(entry) = self.entries.get_mut(&oldest) {
                // It has to earn the next one again, or two labels too many would make tables for ever.
                entry.has_table = false;
                entry.uses = 0;
                entry.hashed.set_table(None);
            }
        }
    }
}

/// A key as it is looked up, without a copy: domain separation tag, and the bytes of a label.
struct Seen<'a> {
    dst: &'a [u8],
    message: &'a [u8],
}

/// A key as it is kept, by the entries and by their order of use.
#[derive(Clone)]
struct Shared(Arc<Owned>);

struct Owned {
    dst: Box<[u8]>,
    message: Box<[u8]>,
}

/// What both forms of a key have in common, so that one finds the other.
trait Key {
    fn parts(&self) -> (&[u8], &[u8]);
}

impl Key for Seen<'_> {
    fn parts(&self) -> (&[u8], &[u8]) {
        (self.dst, self.message)
    }
}

impl Key for Shared {
    fn parts(&self) -> (&[u8], &[u8]) {
        (&self.0.dst, &self.0.message)
    }
}

impl Hash for dyn Key + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn Key + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Key + '_ {}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self as &dyn Key).hash(state);
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Shared {}

impl<'a> Borrow<dyn Key + 'a> for Shared {
    fn borrow(&self) -> &(dyn Key + 'a) {
        self
    }
}

#[cfg(test)]
mod tests;
