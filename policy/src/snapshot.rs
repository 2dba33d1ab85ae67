//! Everything that decides, as one immutable value.
//!
//! A snapshot is a function of what is stored: the `[identity]` table, the control set, the bundle, the entities
//! written through the API and the roles. Each change gives a new snapshot that shares whatever it did not touch;
//! a request keeps the one it began with.
//!
//! Two layers of entities: those of the bundle stand and fall with it, those written through the API stay and shadow the
//! bundle's of the same name. So the snapshot after a restart, loaded in any order of rows, is the one before it.
//!
//! Roles lie beside both layers. They reach an entity's parents only when it is parsed for the evaluator, directly and
//! never through another entity, so that there is no list of parents anybody writes in which a role could stand.

use std::collections::HashMap;
use std::sync::Arc;

use wardkeep_model::{ActionName, EntityUid, PolicySet};

use crate::bundle::{DataSet, ENTITIES_FILE};
use crate::change::{BoundTypeChange, EntityChange, EntityError, EntityErrors};
use crate::entities::{EntityRecord, EntityStore, Origin, Parser};
use crate::error::{FindingKind, Findings};
use crate::identity::is_reserved_type;
use crate::manifest::MANIFEST_FILE;
use crate::plan::{ActionPlan, Planner};
use crate::roles::RoleBook;
use crate::rules::Rules;
use crate::schema::control_schema;
use crate::value::Types;
use crate::{BundleSource, IdentityMap, Manifest, PolicyErrors, Role, RoleError, Source};

/// The control set a server starts with and `wardkeep recover` puts back.
const BUILTIN_CONTROL_SET: &str = include_str!("../../policies/control.cedar");

/// Everything that decides at one moment; immutable, cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What audit records name.
    pub(crate) version: u64,
    /// Which certificate is which entity.
    pub(crate) identity: Arc<IdentityMap>,
    /// Who administers Wardkeep.
    pub(crate) control: Arc<ControlSet>,
    /// The bundle in force.
    pub(crate) data: Arc<DataSet>,
    /// The bundle's entities and the stored ones.
    pub(crate) entities: EntityStore,
    /// Who holds which role; beside the entities, so that nothing that writes those can reach it.
    pub(crate) roles: RoleBook,
}

/// The control set, checked and ready to decide.
#[derive(Debug)]
pub(crate) struct ControlSet {
    /// As it was written.
    pub(crate) text: String,
    /// The `[identity]` types, parsed.
    pub(crate) types: Types,
    /// The control actions.
    pub(crate) plans: HashMap<ActionName, ActionPlan>,
}

impl ControlSet {
    /// Parses and strictly validates a control set against its own schema.
    fn load(identity: &IdentityMap, text: &str) -> Result<Self, PolicyErrors> {
        let mut findings = Findings::default();
        let filled = control_schema(identity, &mut findings);
        let sources = [("control.cedar".to_owned(), text.to_owned())];
        let rules = filled.as_ref().and_then(|filled| Rules::load(&sources, &filled.schema, &mut findings));
        findings.finish()?;
        let (Some(filled), Some(rules)) = (filled, rules) else {
            let mut findings = Findings::default();
            findings.add(FindingKind::Schema, "control.cedar", "the control set could not be loaded", "");
            return Err(findings.into());
        };
        let plans = Planner::new(&filled.schema, &rules).own(PolicySet::Control);
        Ok(Self { text: text.to_owned(), types: Types::of(&filled.schema), plans })
    }
}

impl Snapshot {
    /// Loads both policy sets, without entities but the bundle's own, and without anybody holding a role.
    ///
    /// `version` is what audit records name; whoever stores policies counts it.
    ///
    /// # Errors
    /// Everything that is wrong with either set.
    pub fn new(
        identity: IdentityMap,
        control: &str,
        bundle: &BundleSource,
        version: u64,
    ) -> Result<Self, PolicyErrors> {
        let control = Arc::new(ControlSet::load(&identity, control)?);
        let data = Arc::new(DataSet::load(&identity, bundle)?);
        let (identity, roles) = (Arc::new(identity), RoleBook::default());
        Self { version, identity, control, data, entities: EntityStore::default(), roles }.rebuilt()
    }

    /// The control set a server starts with and `wardkeep recover` puts back, as Cedar text.
    #[must_use]
    pub fn builtin_control_set() -> &'static str {
        BUILTIN_CONTROL_SET
    }

    /// The same with another bundle in force. Entities written through the API stay and must fit its schema; those of
    /// the former bundle go with it.
    ///
    /// # Errors
    /// Everything that is wrong with the bundle, and every stored entity that does not fit it.
    pub fn with_bundle(&self, bundle: &BundleSource, version: u64) -> Result<Self, PolicyErrors> {
        let data = DataSet::load(&self.identity, bundle)?;
        let mut findings = Findings::default();
        for change in self.data.bound_type_changes(&data) {
            let message = format!("the bound type `{}` is in use: {}", change.kind, change.difference);
            let hint = "only optional attributes may be added; for anything else declare a new type";
            findings.add(FindingKind::BoundType, MANIFEST_FILE, message, hint);
        }
        findings.finish()?;
        Self { version, data: Arc::new(data), ..self.clone() }.rebuilt()
    }

    /// The same with another control set in force.
    ///
    /// # Errors
    /// Everything that is wrong with it. Whether anybody could still change it is asked by
    /// [`Self::may_change_control_set`].
    pub fn with_control_set(&self, control: &str, version: u64) -> Result<Self, PolicyErrors> {
        let control = Arc::new(ControlSet::load(&self.identity, control)?);
        Ok(Self { version, control, ..self.clone() })
    }

    /// The same after changes of entities: all of them or none.
    ///
    /// # Errors
    /// Every entity that was refused, with the reason.
    pub fn with_entities(&self, changes: &[EntityChange], version: u64) -> Result<Self, EntityErrors> {
        let mut next = Self { version, ..self.clone() };
        let mut errors = Vec::new();
        for change in changes {
            let (uid, outcome) = match change {
                EntityChange::Put(record) => (&record.uid, next.put(record.clone(), Origin::Stored)),
                EntityChange::Delete(uid) => (uid, next.delete(uid)),
            };
            if let Err(error) = outcome {
                errors.push((uid.clone(), error));
            }
        }
        EntityErrors::check(errors)?;
        let changed: Vec<EntityUid> = changes
            .iter()
            .map(|change| match change {
                EntityChange::Put(record) => record.uid.clone(),
                EntityChange::Delete(uid) => uid.clone(),
            })
            .collect();
        next.refresh(&changed)?;
        Ok(next)
    }

    /// The same with a role given or taken. Giving what is held and taking what is not are no errors.
    ///
    /// # Errors
    /// Where the identity cannot hold a role.
    pub fn with_role(&self, role: Role, identity: &EntityUid, held: bool, version: u64) -> Result<Self, RoleError> {
        let mut next = Self { version, ..self.clone() };
        if held {
            if !self.identity.is_identity_type(identity.kind()) {
                return Err(RoleError::NotAnIdentity { identity: identity.clone() });
            }
            if self.entities.get(identity).is_none() {
                return Err(RoleError::NoEntity { identity: identity.clone() });
            }
            if let Some(child) = self.entities.child_of(identity) {
                return Err(RoleError::IsAGroup { identity: identity.clone(), child: child.clone() });
            }
        }
        next.roles = self.roles.with(identity, role, held);
        if let Some(parsed) = self.entities.get(identity).cloned() {
            let (bits, data) = (next.roles.bits_of(identity), next.data.clone());
            let parser = Parser { schema: &data.schema, types: &data.types };
            // What stood in the store fits the schema with any roles: `Wardkeep::Role` is among its type's parents.
            let _fits = next.entities.put(parser, parsed.record.clone(), parsed.origin, bits);
        }
        Ok(next)
    }

    /// The control roles an identity holds, in their fixed order.
    #[must_use]
    pub fn roles_of(&self, identity: &EntityUid) -> Vec<Role> {
        self.roles.roles_of(identity)
    }

    /// Everybody who holds a role, with the roles held.
    pub fn role_holders(&self) -> impl Iterator<Item = (&EntityUid, Vec<Role>)> {
        self.roles.holders().map(|(uid, _)| (uid, self.roles.roles_of(uid)))
    }

    /// One entity, as it was written; its roles are told by [`Self::roles_of`].
    #[must_use]
    pub fn entity(&self, uid: &EntityUid) -> Option<EntityRecord> {
        self.entities.get(uid).map(|parsed| parsed.record.clone())
    }

    /// All entities, in no order.
    pub fn entities(&self) -> impl Iterator<Item = &EntityRecord> {
        self.entities.iter().map(|parsed| &parsed.record)
    }

    /// How many entities there are.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        self.entities.len()
    }

    /// Whether an entity stands in the bundle in force, and not in the store.
    #[must_use]
    pub fn is_from_bundle(&self, uid: &EntityUid) -> bool {
        self.entities.get(uid).is_some_and(|parsed| parsed.origin == Origin::Bundle)
    }

    /// The schema in force for bundles, in Cedar's syntax: the bundle's and Wardkeep's own, filled in.
    #[must_use]
    pub fn schema_text(&self) -> String {
        self.data.text.clone()
    }

    /// The control set in force, as it was written.
    #[must_use]
    pub fn control_text(&self) -> &str {
        &self.control.text
    }

    /// The version that audit records name.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The manifest of the bundle in force.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.data.manifest
    }

    /// Which certificate kind is which entity type.
    #[must_use]
    pub fn identity(&self) -> &IdentityMap {
        &self.identity
    }

    /// How `new` changes the bound types of this snapshot's bundle beyond adding optional attributes; empty where it
    /// may follow. [`Self::with_bundle`] refuses where it is not.
    #[must_use]
    pub fn bound_type_changes(&self, new: &Self) -> Vec<BoundTypeChange> {
        self.data.bound_type_changes(&new.data)
    }

    /// Entities, parsed anew for the bundle in force.
    fn rebuilt(mut self) -> Result<Self, PolicyErrors> {
        let former = std::mem::take(&mut self.entities);
        let stored = former.iter().filter(|parsed| parsed.origin == Origin::Stored);
        let stored: Vec<EntityRecord> = stored.map(|parsed| parsed.record.clone()).collect();
        let bundle: Vec<EntityRecord> = self.data.entities.values().cloned().collect();
        let mut changed = Vec::new();
        let mut findings = Findings::default();
        // A stored entity comes second and shadows the bundle's of the same name.
        let bundle = bundle.into_iter().map(|record| (record, Origin::Bundle));
        for (record, origin) in bundle.chain(stored.into_iter().map(|record| (record, Origin::Stored))) {
            let uid = record.uid.clone();
            if let Err(error) = self.put(record, origin) {
                let (file, hint) = match origin {
                    Origin::Bundle => (ENTITIES_FILE, ""),
                    Origin::Stored => ("stored entities", "change or delete the entity before activating this bundle"),
                };
                findings.add(FindingKind::Entity, file, format!("entity `{uid}`: {error}"), hint);
            }
            changed.push(uid);
        }
        if let Err(errors) = self.refresh(&changed) {
            findings.add(FindingKind::Entity, ENTITIES_FILE, errors.to_string(), "");
        }
        for (holder, _) in self.roles.holders().filter(|(holder, _)| self.entities.get(holder).is_none()) {
            let message = format!("`{holder}` holds a control role and would have no entity");
            findings.add(FindingKind::Entity, ENTITIES_FILE, message, "keep the entity, or revoke its roles first");
        }
        findings.finish().map(|()| self)
    }

    /// Brings everything below the changed entities up to date.
    fn refresh(&mut self, changed: &[EntityUid]) -> Result<(), EntityErrors> {
        let (data, roles) = (self.data.clone(), self.roles.clone());
        let parser = Parser { schema: &data.schema, types: &data.types };
        self.entities
            .refresh(parser, changed, &|uid| roles.bits_of(uid))
            .map_err(|(uid, error)| EntityErrors::from((uid, error.into())))
    }

    /// Puts one entity, after the checks that no schema makes.
    fn put(&mut self, record: EntityRecord, origin: Origin) -> Result<(), EntityError> {
        if is_reserved_type(record.uid.kind()) {
            return Err(EntityError::Reserved);
        }
        if self.data.records.get(record.uid.kind()).is_some_and(|plan| plan.source == Source::Bound) {
            return Err(EntityError::BoundType);
        }
        for parent in &record.parents {
            if is_reserved_type(parent.kind()) {
                return Err(EntityError::ReservedParent { parent: parent.clone() });
            }
            if self.roles.bits_of(parent) != 0 {
                return Err(EntityError::LeadsToRole { parent: parent.clone() });
            }
        }
        let (bits, data) = (self.roles.bits_of(&record.uid), self.data.clone());
        let parser = Parser { schema: &data.schema, types: &data.types };
        Ok(self.entities.put(parser, record, origin, bits)?)
    }

    /// Deletes a stored entity; where it shadowed one of the bundle, that one shows again.
    fn delete(&mut self, uid: &EntityUid) -> Result<(), EntityError> {
        let origin = self.entities.get(uid).map(|parsed| parsed.origin).ok_or(EntityError::Missing)?;
        if origin == Origin::Bundle {
            return Err(EntityError::InBundle);
        }
        let beneath = self.data.entities.get(uid).cloned();
        if beneath.is_none() && self.roles.bits_of(uid) != 0 {
            return Err(EntityError::HoldsRole);
        }
        self.entities.remove(uid);
        match beneath {
            Some(record) => self.put(record, Origin::Bundle),
            None => Ok(()),
        }
    }
}
