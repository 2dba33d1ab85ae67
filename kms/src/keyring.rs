//! Rings and keys in memory, as the store's rows tell them.
//!
//! The store is the truth, this is its newest state: entries are immutable and are replaced as a whole,
//! after the change is durable and never by an older one. Secret material is not here: it is read and parsed
//! at first use.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use wardkeep_model::{KeyFacts, KeyId, KeySpec, KeyState, KeyUsage, KeyVersion, RingName, Timestamp};
use wardkeep_store::{Store, Table};

use crate::error::{KmsError, LoadError};
use crate::material::abe::Published;
use crate::row;
use crate::uses::Uses;

/// Where keys made by this service come from.
const ORIGIN: &str = "wardkeep";

/// A key as its row tells it.
#[derive(Debug, Clone)]
pub(crate) struct KeyBody {
    /// What it is made of.
    pub(crate) spec: KeySpec,
    /// The one thing it is for.
    pub(crate) usage: KeyUsage,
    /// Tags of its entity.
    pub(crate) labels: Arc<BTreeMap<String, String>>,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// Rotation period in days.
    pub(crate) rotation_days: Option<u32>,
    /// When it is to be destroyed.
    pub(crate) deletion: Option<Timestamp>,
    /// When an authority first left as shares. It never comes back: what left may be anywhere.
    pub(crate) escrowed: Option<Timestamp>,
    /// By number, never empty.
    pub(crate) versions: Vec<VersionBody>,
    /// Requests of the last day that made or changed it.
    pub(crate) replays: Vec<Replay>,
}

/// A version as its key's row tells it.
#[derive(Debug, Clone)]
pub(crate) struct VersionBody {
    /// Counted from 1.
    pub(crate) number: KeyVersion,
    /// Its state; a scheduled deletion is not one.
    pub(crate) state: KeyState,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// When it last became active.
    pub(crate) activated: Option<Timestamp>,
    /// When it became deactivated.
    pub(crate) deactivated: Option<Timestamp>,
    /// When it was marked as compromised.
    pub(crate) compromised: Option<Timestamp>,
    /// When it was destroyed.
    pub(crate) destroyed: Option<Timestamp>,
    /// SPKI DER; of an authority its signed public parameters.
    pub(crate) public: Option<Arc<[u8]>>,
}

/// A ring as its row tells it.
#[derive(Debug, Clone)]
pub(crate) struct RingBody {
    /// Tags of its entity.
    pub(crate) labels: Arc<BTreeMap<String, String>>,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// When it was deleted; its row stays.
    pub(crate) deleted: Option<Timestamp>,
    /// Requests of the last day that made or changed it.
    pub(crate) replays: Vec<Replay>,
}

/// A change that was asked for under an idempotency key: its answer is the row of that sequence.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    /// Digest of actor, subject, route and the caller's idempotency key.
    pub(crate) id: [u8; 32],
    /// Digest of the request's body.
    pub(crate) body: [u8; 32],
    /// When it was asked for.
    pub(crate) at: Timestamp,
    /// The row that answers.
    pub(crate) sequence: u64,
}

/// A key at one revision.
#[derive(Debug)]
pub(crate) struct Key {
    /// What policies may know of it; ready, so that a decision copies no text.
    pub(crate) facts: KeyFacts,
    /// What its row says.
    pub(crate) body: KeyBody,
    /// What outlives revisions, one a version, in the order of `body.versions`.
    slots: Vec<Arc<Slot>>,
}

/// What belongs to a version whatever its key's revision.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Names the parsed material in the cache; unique in this process.
    pub(crate) number: u64,
    /// How often the version was used.
    pub(crate) uses: Uses,
    /// What an authority version publishes, once somebody asked.
    pub(crate) published: OnceLock<Arc<Published>>,
}

/// A ring at one revision.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Sequence of the row it was read from.
    pub(crate) revision: u64,
    /// What its row says.
    pub(crate) body: RingBody,
    /// Held shared while a key is made in the ring, alone while the ring is deleted: otherwise a key could
    /// come to stand in a ring that is gone. Enough while one process owns the store.
    pub(crate) gate: Arc<tokio::sync::RwLock<()>>,
}

/// All rings and keys.
#[derive(Default)]
pub(crate) struct Keyring {
    rings: RwLock<BTreeMap<RingName, Arc<Ring>>>,
    keys: RwLock<BTreeMap<KeyId, Arc<Key>>>,
    next_slot: AtomicU64,
}

impl Key {
    /// The newest version.
    pub(crate) fn newest(&self) -> Option<&VersionBody> {
        self.body.versions.last()
    }

    /// A version by number.
    pub(crate) fn version(&self, number: KeyVersion) -> Option<&VersionBody> {
        let at = self.body.versions.binary_search_by_key(&number, |version| version.number).ok()?;
        self.body.versions.get(at)
    }

    /// A version's slot.
    pub(crate) fn slot(&self, number: KeyVersion) -> Option<&Arc<Slot>> {
        let at = self.body.versions.binary_search_by_key(&number, |version| version.number).ok()?;
        self.slots.get(at)
    }

    /// All slots.
    pub(crate) fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// Whether nothing of it is left: destroyed is a state of the whole key.
    pub(crate) fn is_destroyed(&self) -> bool {
        self.body.versions.iter().all(|version| version.state == KeyState::Destroyed)
    }
}

/// The id of a version's row of material or uses.
pub(crate) fn version_row(key: &KeyId, version: KeyVersion) -> String {
    format!("{key}#{version}")
}

impl Keyring {
    /// Reads rings and keys, not their material.
    pub(crate) fn load(store: &dyn Store) -> Result<Self, LoadError> {
        let keyring = Self::default();
        let mut buried = std::collections::BTreeSet::new();
        store.scan(Table::Tombstone, &mut |row| {
            buried.insert(row.id);
        })?;
        let mut bad = None;
        store.scan(Table::Ring, &mut |found| match (RingName::new(&found.id), row::read_ring(&found.value)) {
            (Ok(name), Some(body)) => drop(keyring.install_ring(name, found.sequence, body)),
            _ => bad = Some(LoadError::Row { table: "ring", id: found.id }),
        })?;
        store.scan(Table::Key, &mut |found| match (KeyId::parse(&found.id), row::read_key(&found.value)) {
            (Ok(id), Some(mut body)) => {
                if buried.contains(&found.id) {
                    bury(&mut body);
                }
                keyring.install_key(id, found.sequence, body);
            }
            _ => bad = Some(LoadError::Row { table: "key", id: found.id }),
        })?;
        bad.map_or(Ok(keyring), Err)
    }

    /// A key, destroyed ones included.
    pub(crate) fn key(&self, id: &KeyId) -> Option<Arc<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// A ring that is not deleted.
    pub(crate) fn ring(&self, name: &RingName) -> Option<Arc<Ring>> {
        self.ring_or_deleted(name).filter(|ring| ring.body.deleted.is_none())
    }

    /// A ring, deleted ones included.
    pub(crate) fn ring_or_deleted(&self, name: &RingName) -> Option<Arc<Ring>> {
        self.rings.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// At most `count` keys behind `after`, in the order of their names.
    pub(crate) fn keys_after(&self, after: Option<&KeyId>, count: usize) -> Vec<Arc<Key>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        keys.range((start, Bound::Unbounded)).take(count).map(|(_, key)| Arc::clone(key)).collect()
    }

    /// At most `count` rings behind `after` that are not deleted, in the order of their names.
    pub(crate) fn rings_after(&self, after: Option<&RingName>, count: usize) -> Vec<(RingName, Arc<Ring>)> {
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let live = rings.range((start, Bound::Unbounded)).filter(|(_, ring)| ring.body.deleted.is_none());
        live.take(count).map(|(name, ring)| (name.clone(), Arc::clone(ring))).collect()
    }

    /// How many keys of a ring are not destroyed.
    pub(crate) fn live_keys_in(&self, ring: &RingName) -> usize {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().filter(|(id, key)| id.ring() == ring && !key.is_destroyed()).count()
    }

    /// Whether some key, or some ring that is not deleted, remembers such a request.
    pub(crate) fn any_replay(&self, such: impl Fn(&Replay) -> bool) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        if keys.values().any(|key| key.body.replays.iter().any(&such)) {
            return true;
        }
        drop(keys);
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        let mut live = rings.values().filter(|ring| ring.body.deleted.is_none());
        live.any(|ring| ring.body.replays.iter().any(&such))
    }

    /// Takes a durable row of a key, unless a newer one is here; gives what is here afterwards.
    pub(crate) fn install_key(&self, id: KeyId, revision: u64, body: KeyBody) -> Arc<Key> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let former = keys.get(&id);
        if let Some(newer) = former.filter(|former| former.facts.revision >= revision) {
            return Arc::clone(newer);
        }
        let slots = self.slots_for(former.map(Arc::as_ref), &body);
        let key = Arc::new(Key { facts: facts(&id, revision, &body), body, slots });
        keys.insert(id, Arc::clone(&key));
        key
    }

    /// Takes a durable row of a ring, unless a newer one is here; gives what is here afterwards.
    pub(crate) fn install_ring(&self, name: RingName, revision: u64, body: RingBody) -> Arc<Ring> {
        let mut rings = self.rings.write().unwrap_or_else(PoisonError::into_inner);
        let former = rings.get(&name);
        if let Some(newer) = former.filter(|former| former.revision >= revision) {
            return Arc::clone(newer);
        }
        let gate = former.map_or_else(Arc::default, |former| Arc::clone(&former.gate));
        let ring = Arc::new(Ring { revision, body, gate });
        rings.insert(name, Arc::clone(&ring));
        ring
    }

    /// A key at a revision of the past, for the answer of a replay; it is not kept.
    pub(crate) fn past_key(&self, id: &KeyId, revision: u64, body: KeyBody) -> Key {
        let now = self.key(id);
        let slots = self.slots_for(now.as_deref(), &body);
        Key { facts: facts(id, revision, &body), body, slots }
    }

    /// Reads a key's newest row again, after somebody else changed it.
    pub(crate) fn refresh_key(&self, store: &dyn Store, id: &KeyId) -> Result<Option<Arc<Key>>, KmsError> {
        let Some(found) = store.read(Table::Key, id.as_str()).map_err(|_| KmsError::StoreUnreadable)? else {
            return Ok(self.key(id));
        };
        let body = row::read_key(&found.value).ok_or(KmsError::RowUnreadable)?;
        Ok(Some(self.install_key(id.clone(), found.sequence, body)))
    }

    /// Reads a ring's newest row again, after somebody else changed it.
    pub(crate) fn refresh_ring(&self, store: &dyn Store, name: &RingName) -> Result<(), KmsError> {
        let found = store.read(Table::Ring, name.as_str()).map_err(|_| KmsError::StoreUnreadable)?;
        if let Some(found) = found {
            let body = row::read_ring(&found.value).ok_or(KmsError::RowUnreadable)?;
            self.install_ring(name.clone(), found.sequence, body);
        }
        Ok(())
    }

    /// The slots of a key's versions: those it had, and new ones for versions it had not.
    fn slots_for(&self, former: Option<&Key>, body: &KeyBody) -> Vec<Arc<Slot>> {
        let slot = |version: &VersionBody| {
            former.and_then(|former| former.slot(version.number)).cloned().unwrap_or_else(|| {
                let number = self.next_slot.fetch_add(1, Ordering::Relaxed);
                Arc::new(Slot { number, uses: Uses::default(), published: OnceLock::new() })
            })
        };
        body.versions.iter().map(slot).collect()
    }
}

/// What policies may know about a key at a revision.
fn facts(id: &KeyId, revision: u64, body: &KeyBody) -> KeyFacts {
    KeyFacts {
        id: id.clone(),
        usage: body.usage,
        spec: body.spec,
        labels: Arc::clone(&body.labels),
        exportable: body.escrowed.is_some(),
        origin: ORIGIN,
        revision,
    }
}

/// A tombstone outweighs its key's row: after a restore of an older database the row may still say `active`.
fn bury(body: &mut KeyBody) {
    body.deletion = None;
    for version in &mut body.versions {
        version.state = KeyState::Destroyed;
        version.public = None;
    }
}
