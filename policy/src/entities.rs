//! The entities, kept parsed.
//!
//! Cedar's own store takes itself apart at every change and gigabytes at a million entities. Ours is a fixed
//! number of shards behind `Arc`s: a snapshot shares what did not change, and a change copies one shard.
//!
//! Ancestors are kept complete in every entity. A change of parents parses anew whatever stands below, found through the
//! list of members; a cycle is noticed by the put that would close it. A parent need not exist: Cedar allows that, and
//! imports come in any order.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use cedar_policy::Schema;
use cedar_policy_core::ast::{Context, Entity, EntityUID, PartialValue};
use cedar_policy_core::entities::conformance::EntitySchemaConformanceChecker;
use cedar_policy_core::entities::conformance::err::EntitySchemaConformanceError as Misfit;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::CoreSchema;
use smol_str::SmolStr;
use wardkeep_model::{Attributes, EntityUid, Value};

use crate::value::{BUILTIN, Types, context, entity, string};
use crate::{BindingProblem, Role};

const SHARDS: usize = 256;
/// Most ancestors one entity may have.
pub(crate) const MAX_ANCESTORS: usize = 4096;

/// An entity as rooms outside know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRecord {
    /// Its type and id.
    pub uid: EntityUid,
    /// Its attributes, as the schema of its type asks for them.
    pub attributes: Attributes,
    /// Its parents; never anything of `Wardkeep::`, not even a role.
    pub parents: Vec<EntityUid>,
    /// Its tags.
    pub tags: Attributes,
}

/// Who put an entity there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It stands in the bundle in force, and goes with it.
    Bundle,
    /// It was written through the API, and stays.
    Stored,
}

/// An entity, ready for the evaluator.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// What was written.
    pub(crate) record: EntityRecord,
    /// Who wrote it.
    pub(crate) origin: Origin,
    /// Its name in Cedar's form, shared with every request that has it as principal or record.
    pub(crate) uid: Arc<EntityUID>,
    /// With all ancestors and, for an identity, its roles.
    pub(crate) entity: Arc<Entity>,
    /// The entities its attributes and tags name.
    pub(crate) refs: Box<[EntityUid]>,
    /// The context `{ actor }` with this entity as the actor.
    pub(crate) actor: Context,
}

type Shard<T> = HashMap<EntityUid, T>;

/// All entities of one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct EntityStore {
    shards: Vec<Arc<Shard<Arc<Parsed>>>>,
    /// Members by parent, whether the parent exists or not.
    children: Vec<Arc<Shard<BTreeSet<EntityUid>>>>,
    len: usize,
}

/// What parsing an entity needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Parser<'a> {
    /// The schema in force, which every entity must fit.
    pub(crate) schema: &'a Schema,
    /// Its entity types, parsed.
    pub(crate) types: &'a Types,
}

/// Why an entity could not come to stand in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreError {
    Shape(BindingProblem),
    Cycle,
    TooManyAncestors,
}

/// Where an entity lives.
fn shard_of(uid: &EntityUid) -> usize {
    // One process, one hasher: the shard only has to be the same for one uid as long as the store lives.
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(uid);
    usize::try_from(hash % SHARDS as u64).unwrap_or(0)
}

impl Default for EntityStore {
    fn default() -> Self {
        Self { shards: vec![Arc::default(); SHARDS], children: vec![Arc::default(); SHARDS], len: 0 }
    }
}

impl EntityStore {
    /// One entity.
    pub(crate) fn get(&self, uid: &EntityUid) -> Option<&Arc<Parsed>> {
        self.shards.get(shard_of(uid))?.get(uid)
    }

    /// All entities, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Parsed>> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Some member of an entity, where it has any.
    pub(crate) fn child_of(&self, uid: &EntityUid) -> Option<&EntityUid> {
        self.children.get(shard_of(uid))?.get(uid)?.first()
    }

    /// Parses and puts an entity; its descendants' ancestors are brought up to date by [`Self::refresh`].
    pub(crate) fn put(
        &mut self,
        parser: Parser<'_>,
        record: EntityRecord,
        origin: Origin,
        roles: u8,
    ) -> Result<(), StoreError> {
        let parsed = self.parse(parser, record, origin, roles)?;
        let uid = parsed.record.uid.clone();
        self.unlink(&uid);
        for parent in &parsed.record.parents {
            let Some(shard) = self.children.get_mut(shard_of(parent)) else { continue };
            Arc::make_mut(shard).entry(parent.clone()).or_default().insert(uid.clone());
        }
        if let Some(shard) = self.shards.get_mut(shard_of(&uid))
            && Arc::make_mut(shard).insert(uid, Arc::new(parsed)).is_none()
        {
            self.len += 1;
        }
        Ok(())
    }

    /// Takes an entity out; whether there was one. Its members keep it as a parent that does not exist.
    pub(crate) fn remove(&mut self, uid: &EntityUid) -> bool {
        self.unlink(uid);
        let removed = self.shards.get_mut(shard_of(uid)).and_then(|shard| Arc::make_mut(shard).remove(uid));
        self.len -= usize::from(removed.is_some());
        removed.is_some()
    }

    /// Takes an entity out of its parents' lists of members.
    fn unlink(&mut self, uid: &EntityUid) {
        let Some(parents) = self.get(uid).map(|old| old.record.parents.clone()) else { return };
        for parent in parents {
            let Some(shard) = self.children.get_mut(shard_of(&parent)) else { continue };
            let shard = Arc::make_mut(shard);
            if let Some(members) = shard.get_mut(&parent) {
                members.remove(uid);
                if members.is_empty() {
                    shard.remove(&parent);
                }
            }
        }
    }

    /// Parses anew every entity below the given ones, after their parents changed.
    pub(crate) fn refresh(
        &mut self,
        parser: Parser<'_>,
        changed: &[EntityUid],
        roles_of: &dyn Fn(&EntityUid) -> u8,
    ) -> Result<(), (EntityUid, StoreError)> {
        let mut seen: HashSet<EntityUid> = HashSet::new();
        let mut open: Vec<EntityUid> = changed.iter().flat_map(|uid| self.members_of(uid)).collect();
        while let Some(uid) = open.pop() {
            if !seen.insert(uid.clone()) {
                continue;
            }
            open.extend(self.members_of(&uid));
            let Some(old) = self.get(&uid).cloned() else { continue };
            let parsed = self.parse(parser, old.record.clone(), old.origin, roles_of(&uid));
            let parsed = parsed.map_err(|error| (uid.clone(), error))?;
            if let Some(shard) = self.shards.get_mut(shard_of(&uid)) {
                Arc::make_mut(shard).insert(uid, Arc::new(parsed));
            }
        }
        Ok(())
    }

    /// Whoever names this entity as a parent.
    fn members_of(&self, uid: &EntityUid) -> Vec<EntityUid> {
        let members = self.children.get(shard_of(uid)).and_then(|shard| shard.get(uid));
        members.map(|members| members.iter().cloned().collect()).unwrap_or_default()
    }

    /// Every entity above `parents`, themselves included, as far as the store knows them. By parents alone: roles are
    /// held directly and passed on to nobody.
    pub(crate) fn above(&self, of: &EntityUid, parents: &[EntityUid]) -> Result<Vec<EntityUid>, StoreError> {
        let mut found: Vec<EntityUid> = Vec::new();
        let mut seen: HashSet<EntityUid> = HashSet::new();
        let mut open: Vec<&EntityUid> = parents.iter().collect();
        while let Some(uid) = open.pop() {
            if uid == of {
                return Err(StoreError::Cycle);
            }
            if !seen.insert(uid.clone()) {
                continue;
            }
            if found.len() >= MAX_ANCESTORS {
                return Err(StoreError::TooManyAncestors);
            }
            found.push(uid.clone());
            if let Some(parsed) = self.get(uid) {
                open.extend(parsed.record.parents.iter());
            }
        }
        Ok(found)
    }

    /// An entity ready for the evaluator, with the ancestors that the store knows of at this moment.
    fn parse(&self, parser: Parser<'_>, record: EntityRecord, origin: Origin, roles: u8) -> Result<Parsed, StoreError> {
        let ancestors = self.above(&record.uid, &record.parents)?;
        let unknown = || BindingProblem::UnknownEntityType { kind: record.uid.kind().to_owned() };
        let uid = parser.types.uid(&record.uid).ok_or_else(unknown).map_err(StoreError::Shape)?;
        let shape = Shape { attributes: &record.attributes, tags: &record.tags, parents: &record.parents, roles };
        let (entity, refs) = parser.entity(&record.uid, uid.clone(), shape, &ancestors).map_err(StoreError::Shape)?;
        let actor = actor_context(&record.uid);
        let (uid, entity, refs) = (Arc::new(uid), Arc::new(entity), refs.into_boxed_slice());
        Ok(Parsed { record, origin, uid, entity, refs, actor })
    }
}

/// What an entity is made of, beside its name.
pub(crate) struct Shape<'a> {
    /// Its attributes.
    pub(crate) attributes: &'a Attributes,
    /// Its tags.
    pub(crate) tags: &'a Attributes,
    /// Its direct parents.
    pub(crate) parents: &'a [EntityUid],
    /// Bits of the roles it holds.
    pub(crate) roles: u8,
}

impl Parser<'_> {
    /// An entity in Cedar's form, checked against the schema, and the entities that it names.
    pub(crate) fn entity(
        &self,
        name: &EntityUid,
        uid: EntityUID,
        shape: Shape<'_>,
        ancestors: &[EntityUid],
    ) -> Result<(Entity, Vec<EntityUid>), BindingProblem> {
        let mut refs = Vec::new();
        let attributes = self.members(shape.attributes, &mut refs)?;
        let tags = self.members(shape.tags, &mut refs)?;
        let (mut direct, mut indirect) = (HashSet::new(), HashSet::new());
        for ancestor in ancestors {
            let known = self.types.uid(ancestor);
            let known = known.ok_or_else(|| BindingProblem::UnknownEntityType { kind: ancestor.kind().to_owned() })?;
            if shape.parents.contains(ancestor) {
                direct.insert(known)
            } else {
                indirect.insert(known)
            };
        }
        direct.extend(role_uids(shape.roles));
        let entity = Entity::new_with_attr_partial_value(uid, attributes, indirect, direct, tags);
        let core = CoreSchema::new(self.schema.as_ref());
        EntitySchemaConformanceChecker::new(&core, Extensions::all_available())
            .validate_entity(&entity)
            .map_err(|misfit| problem(name, shape.parents, &misfit))?;
        Ok((entity, refs))
    }

    /// Attributes or tags in Cedar's form.
    fn members(
        &self,
        members: &Attributes,
        refs: &mut Vec<EntityUid>,
    ) -> Result<Vec<(SmolStr, PartialValue)>, BindingProblem> {
        let parse = |(name, value): (&String, &Value)| {
            Ok((SmolStr::from(name.as_str()), PartialValue::Value(self.types.value(name, value, refs)?)))
        };
        members.iter().map(parse).collect()
    }
}

/// The entities of the roles whose bits are set.
pub(crate) fn role_uids(bits: u8) -> impl Iterator<Item = EntityUID> {
    let held = Role::ALL.iter().filter(move |role| bits & role.bit() != 0);
    held.filter_map(|role| BUILTIN.as_ref().map(|builtin| entity(&builtin.role, role.as_str())))
}

/// `{ actor: { kind, id } }`
pub(crate) fn actor_context(actor: &EntityUid) -> Context {
    let fields = [(SmolStr::new_static("id"), string(actor.id())), (SmolStr::new_static("kind"), string(actor.kind()))];
    let record = cedar_policy_core::ast::Value::record_arc(Arc::new(fields.into()), None);
    context([(SmolStr::new_static("actor"), record)].into())
}

/// Cedar keeps the names of what does not fit to itself; they stand in its message, in backticks.
fn problem(uid: &EntityUid, parents: &[EntityUid], misfit: &Misfit) -> BindingProblem {
    let message = misfit.to_string();
    let name = message.split('`').nth(1).unwrap_or_default().to_owned();
    match misfit {
        Misfit::UnexpectedEntityAttr(_) | Misfit::UnexpectedEntityTag(_) => BindingProblem::Unknown { name },
        Misfit::MissingRequiredEntityAttr(_) => {
            BindingProblem::Missing { name: message.rsplit('`').nth(1).unwrap_or_default().to_owned() }
        }
        Misfit::InvalidAncestorType(_) => {
            let parent = parents.first().unwrap_or(uid).clone();
            BindingProblem::Parent { parent }
        }
        Misfit::InvalidEnumEntity(_) => BindingProblem::EnumeratedId { uid: uid.clone() },
        Misfit::UnexpectedEntityType(_) | Misfit::ExternalEntityType(_) => {
            BindingProblem::UnknownEntityType { kind: uid.kind().to_owned() }
        }
        // Mostly a type mismatch; whatever Cedar adds later does not fit either.
        _ => BindingProblem::Type { name },
    }
}
