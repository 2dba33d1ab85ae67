//! Everything that decides, as one immutable value.

use wardkeep_model::{Attributes, EntityUid};
use crate::*;

/// Everything that decides at one moment; immutable, cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {}

/// An entity as rooms outside know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRecord {
    /// Its type and id.
    pub uid: EntityUid,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its parents.
    pub parents: Vec<EntityUid>,
    /// Its tags.
    pub tags: Attributes,
}

/// One change of the entities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityChange {
    /// Write an entity, replacing what stood there.
    Put(EntityRecord),
    /// Delete an entity.
    Delete(EntityUid),
}
#[allow(unused_variables, clippy::all)]
impl Snapshot {
    pub fn new(identity: IdentityMap, control: &str, bundle: &BundleSource, version: u64) -> Result<Self, PolicyErrors> { unimplemented!() }
    pub fn builtin_control_set() -> &'static str { unimplemented!() }
    pub fn with_bundle(&self, bundle: &BundleSource, version: u64) -> Result<Self, PolicyErrors> { unimplemented!() }
    pub fn with_control_set(&self, control: &str, version: u64) -> Result<Self, PolicyErrors> { unimplemented!() }
    pub fn with_entities(&self, changes: &[EntityChange], version: u64) -> Result<Self, EntityErrors> { unimplemented!() }
    pub fn with_role(&self, role: Role, identity: &EntityUid, held: bool, version: u64) -> Result<Self, RoleError> { unimplemented!() }
    pub fn roles_of(&self, identity: &EntityUid) -> Vec<Role> { unimplemented!() }
    pub fn entity(&self, uid: &EntityUid) -> Option<EntityRecord> { unimplemented!() }
    pub fn entities(&self) -> std::vec::IntoIter<EntityRecord> { unimplemented!() }
    pub fn schema_text(&self) -> String { unimplemented!() }
    pub fn version(&self) -> u64 { unimplemented!() }
    pub fn manifest(&self) -> &Manifest { unimplemented!() }
    pub fn identity(&self) -> &IdentityMap { unimplemented!() }
    pub fn may_change_control_set(&self, identity: &EntityUid) -> bool { unimplemented!() }
}

/// Why entities were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entities refused")]
pub struct EntityErrors;
