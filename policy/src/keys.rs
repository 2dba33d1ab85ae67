//! Keys, rings and the other things of Wardkeep as entities for the evaluator.
//!
//! They do not stand in the entity store: `kms` owns them, and hands over their facts with each question. Keys are
//! kept parsed under (id, revision), bounded, because a key is used far more often than it changes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use cedar_policy_core::ast::{Entity, EntityUID, PartialValue, Value as CedarValue};
use smol_str::SmolStr;
use wardkeep_model::{EncryptionContext, EntityUid, KeyFacts, KeyId, RingName};

use crate::Role;
use crate::entities::role_uids;
use crate::value::{BUILTIN, Builtin, Types, entity, string};

/// Parsed keys that are kept, over all shards.
const KEPT: usize = 16 * 1024;
const SHARDS: usize = 16;

/// An entity of one request.
#[derive(Debug, Clone)]
pub(crate) struct Thing {
    /// Its name.
    pub(crate) uid: Arc<EntityUID>,
    /// Itself, with all its ancestors.
    pub(crate) entity: Arc<Entity>,
}

/// Parsed keys by id, each with the revision it was parsed at.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    shards: [Mutex<HashMap<KeyId, (u64, Thing)>>; SHARDS],
}

impl Thing {
    /// A thing with attributes.
    fn new(uid: EntityUID, entity: Entity) -> Self {
        Self { uid: Arc::new(uid), entity: Arc::new(entity) }
    }

    /// A thing without attributes.
    fn bare(uid: EntityUID, parents: HashSet<EntityUID>) -> Self {
        let entity = Entity::new_with_attr_partial_value(uid.clone(), [], HashSet::new(), parents, []);
        Self::new(uid, entity)
    }

    /// A key as its facts say.
    fn key(builtin: &Builtin, facts: &KeyFacts) -> Self {
        let uid = entity(&builtin.key, facts.id.as_str());
        let attributes = [
            ("usage", string(facts.usage.as_str())),
            ("spec", string(facts.spec.as_str())),
            ("origin", string(facts.origin)),
            ("exportable", CedarValue::new(facts.exportable, None)),
        ];
        let attributes = attributes.map(|(name, value)| (SmolStr::new_static(name), PartialValue::Value(value)));
        let ring = HashSet::from([entity(&builtin.ring, facts.id.ring().as_str())]);
        let tags = tags(&facts.labels);
        let entity = Entity::new_with_attr_partial_value(uid.clone(), attributes, HashSet::new(), ring, tags);
        Self::new(uid, entity)
    }

    /// A key that does not exist: no attributes, in the ring its name says.
    pub(crate) fn missing_key(builtin: &Builtin, id: &KeyId) -> Self {
        Self::bare(entity(&builtin.key, id.as_str()), HashSet::from([entity(&builtin.ring, id.ring().as_str())]))
    }

    /// A ring; one that does not exist has no labels.
    pub(crate) fn ring(builtin: &Builtin, name: &RingName, labels: Option<&BTreeMap<String, String>>) -> Self {
        let uid = entity(&builtin.ring, name.as_str());
        let tags = labels.map(tags).unwrap_or_default();
        let entity = Entity::new_with_attr_partial_value(uid.clone(), [], HashSet::new(), HashSet::new(), tags);
        Self::new(uid, entity)
    }

    /// The installation or a part of it.
    pub(crate) fn system(builtin: &Builtin, part: &str) -> Self {
        Self::bare(entity(&builtin.system, part), HashSet::new())
    }

    /// A control role.
    pub(crate) fn role(builtin: &Builtin, role: Role) -> Self {
        Self::bare(entity(&builtin.role, role.as_str()), HashSet::new())
    }

    /// An identity as the control set sees it: no attributes, its roles as parents.
    pub(crate) fn identity(types: &Types, uid: &EntityUid, roles: u8) -> Option<Self> {
        Some(Self::bare(types.uid(uid)?, role_uids(roles).collect()))
    }

    /// The plain members of an encryption context as tags.
    pub(crate) fn encryption(builtin: &Builtin, context: &EncryptionContext) -> Self {
        let uid = entity(&builtin.encryption, "request");
        let tags = tags(context.members());
        let entity = Entity::new_with_attr_partial_value(uid.clone(), [], HashSet::new(), HashSet::new(), tags);
        Self::new(uid, entity)
    }
}

/// Labels as tags.
fn tags(labels: &BTreeMap<String, String>) -> Vec<(SmolStr, PartialValue)> {
    labels.iter().map(|(name, text)| (SmolStr::from(name.as_str()), PartialValue::Value(string(text)))).collect()
}

impl KeyCache {
    /// A key's entity. Revision 0 is a key that is still to be made: it has no history to be cached under.
    pub(crate) fn key(&self, facts: &KeyFacts) -> Option<Thing> {
        let builtin = BUILTIN.as_ref()?;
        if facts.revision == 0 {
            return Some(Thing::key(builtin, facts));
        }
        let shard = self.shards.get(shard_of(&facts.id))?;
        // A panic while the lock is held leaves a map that is at worst incomplete: it is a cache.
        if let Some((revision, thing)) = shard.lock().unwrap_or_else(PoisonError::into_inner).get(&facts.id)
            && *revision == facts.revision
        {
            return Some(thing.clone());
        }
        let thing = Thing::key(builtin, facts);
        let mut kept = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT / SHARDS {
            kept.clear();
        }
        kept.insert(facts.id.clone(), (facts.revision, thing.clone()));
        Some(thing)
    }
}

/// Any spread will do: names are bounded in length and made by those who may create keys.
fn shard_of(id: &KeyId) -> usize {
    id.as_str().bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte))) % SHARDS
}

#[cfg(test)]
mod tests {
    use wardkeep_model::{KeySpec, KeyUsage};

    use super::*;

    fn facts(id: &str, revision: u64, usage: KeyUsage) -> KeyFacts {
        KeyFacts {
            id: KeyId::parse(id).unwrap(),
            usage,
            spec: KeySpec::Aes256Gcm,
            labels: Arc::new([("team".to_owned(), "cards".to_owned())].into()),
            exportable: false,
            origin: "wardkeep",
            revision,
        }
    }

    fn usage(thing: &Thing) -> String {
        format!("{:?}", thing.entity.get("usage").map(ToString::to_string))
    }

    #[test]
    fn a_key_is_parsed_anew_with_every_revision_and_never_at_revision_0() {
        let cache = KeyCache::default();
        let first = cache.key(&facts("r/k", 1, KeyUsage::Wrap)).unwrap();
        let again = cache.key(&facts("r/k", 1, KeyUsage::Wrap)).unwrap();
        assert!(Arc::ptr_eq(&first.entity, &again.entity));
        let changed = cache.key(&facts("r/k", 2, KeyUsage::Encrypt)).unwrap();
        assert_ne!(usage(&first), usage(&changed));
        let planned = cache.key(&facts("r/new", 0, KeyUsage::Wrap)).unwrap();
        let other = cache.key(&facts("r/new", 0, KeyUsage::Sign)).unwrap();
        assert_ne!(usage(&planned), usage(&other));
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = KeyCache::default();
        for n in 0..(KEPT + 5000) {
            cache.key(&facts(&format!("r/k{n}"), 1, KeyUsage::Wrap)).unwrap();
        }
        let kept: usize = cache.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept <= KEPT, "{kept}");
    }

    #[test]
    fn a_missing_key_stands_in_its_ring_and_has_nothing() {
        let builtin = BUILTIN.as_ref().unwrap();
        let thing = Thing::missing_key(builtin, &KeyId::parse("r/k").unwrap());
        assert_eq!((thing.entity.attrs_len(), thing.entity.tags_len()), (0, 0));
        let ring = entity(&builtin.ring, "r");
        assert!(thing.entity.is_child_of(&ring));
    }
}
