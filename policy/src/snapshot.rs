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

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wardkeep_model::{ActionName, EntityUid, KeyId, PolicySet};

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
use crate::{BundleSource, IdentityMap, Manifest, PolicyErrors, Projection, Role, RoleError, Source};

/// What findings about the stored layer name as their file.
const STORED: &str = "stored entities";

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

/// What is stored beside the policies, to make a snapshot from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The entities written through the API, in any order.
    pub entities: Vec<EntityRecord>,
    /// Who holds which roles.
    pub roles: Vec<(EntityUid, Vec<Role>)>,
    /// What becomes of entities that do not fit the bundle.
    pub misfits: Misfits,
}

/// What becomes of stored entities that do not fit the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfits {
    /// There is no snapshot: a group that is missing could make a `forbid` say nothing.
    Refuse,
    /// The snapshot goes without them. Only for a bundle under which nothing is released, as the starter is.
    SetAside,
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

    /// Loads both policy sets and all that is stored beside them, as one: what comes of it does not depend on the order of
    /// rows. Entities that were set aside come back with the reason.
    ///
    /// # Errors
    /// Everything that is wrong with either set, and whatever is stored and does not fit.
    pub fn restored(
        identity: IdentityMap,
        control: &str,
        bundle: &BundleSource,
        stored: Stored,
        version: u64,
    ) -> Result<(Self, Vec<(EntityUid, EntityError)>), PolicyErrors> {
        let control = Arc::new(ControlSet::load(&identity, control)?);
        let data = Arc::new(DataSet::load(&identity, bundle)?);
        let Stored { entities, roles: held, misfits } = stored;
        let (mut roles, mut findings) = (RoleBook::default(), Findings::default());
        for (holder, held) in held {
            if identity.is_identity_type(holder.kind()) {
                roles = held.into_iter().fold(roles, |book, role| book.with(&holder, role, true));
            } else if misfits == Misfits::Refuse && !held.is_empty() {
                findings.add(
                    FindingKind::Entity,
                    STORED,
                    RoleError::NotAnIdentity { identity: holder }.to_string(),
                    "",
                );
            }
        }
        findings.finish()?;
        let entity_store = EntityStore::default();
        Self { version, identity: Arc::new(identity), control, data, entities: entity_store, roles }
            .filled(entities, misfits)
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
        refuse_changes(self.data.bound_type_changes(&data))?;
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
        // What is to be replaced goes first, or the order of the changes would tell whether they make a cycle. One that is
        // deleted as well is left to stand: the deletion looks for it.
        let deleted: Vec<&EntityUid> =
            changes.iter().filter(|change| !change.is_put()).map(EntityChange::uid).collect();
        for change in changes.iter().filter(|change| change.is_put() && !deleted.contains(&change.uid())) {
            next.entities.remove(change.uid());
        }
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
        let changed: Vec<EntityUid> = changes.iter().map(|change| change.uid().clone()).collect();
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

    /// Whether there is such an entity.
    #[must_use]
    pub fn has_entity(&self, uid: &EntityUid) -> bool {
        self.entities.get(uid).is_some()
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

    /// What the bundle in force declares for an authority, if anything: what its next version is made with. For deciding
    /// only: a user key's attributes come with their permit, from [`crate::Engine::decide_issue`].
    #[must_use]
    pub fn authority(&self, key: &KeyId) -> Option<&Projection> {
        self.data.authorities.get(key)
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

    /// The types that the bundle in force declares as bound.
    pub fn bound_types(&self) -> impl Iterator<Item = &str> {
        self.data.records.iter().filter(|(_, plan)| plan.source == Source::Bound).map(|(kind, _)| kind.as_str())
    }

    /// Whether this snapshot's bundle keeps one bound type of another snapshot's as it was, but for optional attributes:
    /// records that were protected under the type are still there, whatever was in force in between.
    ///
    /// # Errors
    /// Every difference.
    pub fn keeps_bound_type(&self, former: &Self, kind: &str) -> Result<(), PolicyErrors> {
        let changes = former.data.bound_type_changes(&self.data);
        refuse_changes(changes.into_iter().filter(|change| change.kind == kind).collect())
    }

    /// Entities, parsed anew for the bundle in force.
    fn rebuilt(mut self) -> Result<Self, PolicyErrors> {
        let former = std::mem::take(&mut self.entities);
        let stored = former.iter().filter(|parsed| parsed.origin == Origin::Stored);
        let stored = stored.map(|parsed| parsed.record.clone()).collect();
        self.filled(stored, Misfits::Refuse).map(|(whole, _)| whole)
    }

    /// Fills in both layers of entities. One of the bundle that a stored one shadows is left out from the beginning: what
    /// it says must not count, not even against those it would stand beside.
    fn filled(
        mut self,
        mut stored: Vec<EntityRecord>,
        misfits: Misfits,
    ) -> Result<(Self, Vec<(EntityUid, EntityError)>), PolicyErrors> {
        stored.sort_unstable_by(|one, other| one.uid.cmp(&other.uid));
        let data = self.data.clone();
        let shadowed: HashSet<EntityUid> = stored.iter().map(|record| record.uid.clone()).collect();
        let shown = data.entities.values().filter(|record| !shadowed.contains(&record.uid)).cloned();
        let layers = shown.map(|record| (record, Origin::Bundle));
        let layers = layers.chain(stored.into_iter().map(|record| (record, Origin::Stored)));
        let (mut changed, mut aside, mut findings) = (Vec::new(), Vec::new(), Findings::default());
        for (record, origin) in layers {
            let uid = record.uid.clone();
            match (self.put(record, origin), origin, misfits) {
                (Ok(()), _, _) => changed.push(uid),
                (Err(error), Origin::Stored, Misfits::SetAside) => aside.push((uid, error)),
                (Err(error), _, _) => refuse_entity(&uid, &error, origin, &mut findings),
            }
        }
        // Ancestors are complete only now, and one among them may be of a type that must not stand there.
        while let Err((uid, error)) = self.refreshed(&changed) {
            let origin = self.entities.get(&uid).map_or(Origin::Bundle, |parsed| parsed.origin);
            if (origin, misfits) == (Origin::Stored, Misfits::SetAside) {
                self.entities.remove(&uid);
                aside.push((uid, error));
            } else {
                refuse_entity(&uid, &error, origin, &mut findings);
                break;
            }
        }
        let homeless = self.roles.holders().filter(|(holder, _)| self.entities.get(holder).is_none());
        for (holder, _) in homeless.filter(|_| misfits == Misfits::Refuse) {
            let message = format!("`{holder}` holds a control role and would have no entity");
            findings.add(FindingKind::Entity, ENTITIES_FILE, message, "keep the entity, or revoke its roles first");
        }
        findings.finish().map(|()| (self, aside))
    }

    /// Brings everything below the changed entities up to date.
    fn refresh(&mut self, changed: &[EntityUid]) -> Result<(), EntityErrors> {
        self.refreshed(changed).map_err(EntityErrors::from)
    }

    fn refreshed(&mut self, changed: &[EntityUid]) -> Result<(), (EntityUid, EntityError)> {
        let (data, roles) = (self.data.clone(), self.roles.clone());
        let parser = Parser { schema: &data.schema, types: &data.types };
        let done = self.entities.refresh(parser, changed, &|uid| roles.bits_of(uid));
        done.map_err(|(uid, error)| (uid, error.into()))
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

/// The finding for an entity that does not fit.
fn refuse_entity(uid: &EntityUid, error: &EntityError, origin: Origin, findings: &mut Findings) {
    let (file, hint) = match origin {
        Origin::Bundle => (ENTITIES_FILE, ""),
        Origin::Stored => (STORED, "change or delete the entity before activating this bundle"),
    };
    findings.add(FindingKind::Entity, file, format!("entity `{uid}`: {error}"), hint);
}

/// Refuses what changes a bound type beyond adding optional attributes.
fn refuse_changes(changes: Vec<BoundTypeChange>) -> Result<(), PolicyErrors> {
    let mut findings = Findings::default();
    for change in changes {
        let message = format!("the bound type `{}` is in use: {}", change.kind, change.difference);
        let hint = "only optional attributes may be added; for anything else declare a new type";
        findings.add(FindingKind::BoundType, MANIFEST_FILE, message, hint);
    }
    findings.finish()
}
