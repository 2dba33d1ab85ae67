//! Which user keys the authorities issued, by serial: in memory what every list and revocation asks, in the store the rest.
//!
//! A serial is given once. Its row stands before the key leaves, and the ledger of its authority version remembers the
//! highest one when rows of expired keys are swept. The store is the truth; entries change after it, never before.

mod gate;
mod ledger;
pub(crate) mod rollback;
pub(crate) mod row;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use wardkeep_abe::Dates;
use wardkeep_model::{EntityUid, KeyId, KeyVersion, Timestamp};
use wardkeep_store::{Store, Table};

pub use self::gate::IssueTurn;
pub(crate) use self::gate::{Alone, Gates};
pub(crate) use self::ledger::{Entry, Ledger, MAX_LIVE, Place};
use crate::error::LoadError;

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

/// Everything that was issued: the ledgers of all authority versions, and the gates that issues pass.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// By key and version.
    ledgers: RwLock<BTreeMap<(KeyId, KeyVersion), Arc<Ledger>>>,
    /// Held shared by every issue.
    gates: Gates,
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

    /// The gates that issues pass.
    pub(crate) fn gates(&self) -> &Gates {
        &self.gates
    }

    /// The ledger of an authority version, made where there is none.
    pub(crate) fn ledger(&self, key: &KeyId, version: KeyVersion) -> Arc<Ledger> {
        let name = (key.clone(), version);
        if let Some(found) = self.ledgers.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Arc::clone(found);
        }
        Arc::clone(self.ledgers.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default())
    }

    /// The ledger of an authority version, if it has issued or published anything.
    pub(crate) fn find(&self, key: &KeyId, version: KeyVersion) -> Option<Arc<Ledger>> {
        self.ledgers.read().unwrap_or_else(PoisonError::into_inner).get(&(key.clone(), version)).cloned()
    }

    /// All ledgers from a name on, in the order of keys and versions.
    pub(crate) fn from(&self, start: Option<&(KeyId, KeyVersion)>) -> Vec<((KeyId, KeyVersion), Arc<Ledger>)> {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        let start = start.map_or(Bound::Unbounded, Bound::Included);
        ledgers.range((start, Bound::Unbounded)).map(|(name, ledger)| (name.clone(), Arc::clone(ledger))).collect()
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
