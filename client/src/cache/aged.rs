//! A bounded map that gives nothing that is too old, and lets go of it soon after.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use wardkeep_model::Timestamp;

/// Most entries that one use of the map drops for their age: no caller pays for a whole map at once.
const SWEEP: usize = 8;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) wall: Timestamp,
    pub(crate) steady: Duration,
}

/// The place of an entry in the order of age.
type Rank = (Duration, u64);

/// A bounded map whose oldest entry goes first.
pub(crate) struct Aged<K, V> {
    entries: HashMap<K, (V, Moment, Rank)>,
    order: BTreeMap<Rank, K>,
    next: u64,
}

impl Moment {
    /// Whether what was born then is still young. A wall clock that went backwards makes it old, not young.
    pub(crate) fn is_young(self, born: Self, age: Duration) -> bool {
        self.wall >= born.wall
            && u128::from(self.wall.millis_since(born.wall)) < age.as_millis()
            && self.steady.saturating_sub(born.steady) < age
    }
}

impl<K: Clone + Eq + Hash, V> Aged<K, V> {
    pub(crate) fn new() -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), next: 0 }
    }

    /// The value, unless it is older than `age`. Drops a few that are, whatever was asked for.
    pub(crate) fn get(&mut self, key: &K, now: Moment, age: Duration) -> Option<&mut V> {
        self.sweep(now, age);
        let (_, born, _) = self.entries.get(key)?;
        if !now.is_young(*born, age) {
            self.remove(key);
        }
        self.entries.get_mut(key).map(|(value, ..)| value)
    }

    pub(crate) fn put(&mut self, key: K, value: V, born: Moment, count: usize) {
        self.remove(&key);
        while self.entries.len() >= count {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.entries.remove(&oldest);
        }
        let rank = (born.steady, self.next);
        self.next += 1;
        self.order.insert(rank, key.clone());
        self.entries.insert(key, (value, born, rank));
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some((_, _, rank)) = self.entries.remove(key) {
            self.order.remove(&rank);
        }
    }

    /// Drops the oldest few that are too old.
    pub(crate) fn sweep(&mut self, now: Moment, age: Duration) {
        for _ in 0..SWEEP {
            if !self.drop_oldest(now, age) {
                return;
            }
        }
    }

    /// Drops all that are too old. Looks at each: a wall clock that was set makes old ones stand behind young ones.
    pub(crate) fn purge(&mut self, now: Moment, age: Duration) {
        self.entries.retain(|_, (_, born, rank)| {
            let young = now.is_young(*born, age);
            if !young {
                self.order.remove(rank);
            }
            young
        });
    }

    fn drop_oldest(&mut self, now: Moment, age: Duration) -> bool {
        let Some((rank, key)) = self.order.first_key_value().map(|(rank, key)| (*rank, key.clone())) else {
            return false;
        };
        if self.entries.get(&key).is_some_and(|(_, born, _)| now.is_young(*born, age)) {
            return false;
        }
        self.order.remove(&rank);
        self.entries.remove(&key);
        true
    }

    #[cfg(test)]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.entries.len(), self.order.len())
    }
}
