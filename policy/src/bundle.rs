//! A bundle: manifest, schema, policies and entities that go into force together.
//!
//! ```text
//! wardkeep.toml          manifest: subjects, resource types with their source and their protect and release actions
//! schema.cedarschema     the bundle's own entity types and actions
//! policies/*.cedar       rules, each with an @id
//! entities.json          optional: entities that stand and fall with the bundle, in Cedar's JSON
//! ```

use std::collections::{BTreeMap, HashMap};

use cedar_policy::{Entities, Schema};
use cedar_policy_core::ast::{Entity, EntityUID};
use cedar_policy_core::validator::ValidatorSchema;
use wardkeep_model::{ActionName, EntityUid, KeyId, PolicySet};

use crate::change::{BoundTypeChange, BoundTypeDifference};
use crate::entities::EntityRecord;
use crate::error::{FindingKind, Findings, from_diagnostic};
use crate::json;
use crate::plan::{ActionPlan, Planner, RecordPlan};
use crate::projection::projections;
use crate::rules::Rules;
use crate::schema::data_schema;
use crate::value::Types;
use crate::{IdentityMap, Manifest, PolicyErrors, Projection, Source};

/// The file name that findings in a bundle's entities carry.
pub(crate) const ENTITIES_FILE: &str = "entities.json";
/// Most bytes a bundle may have, all its files together.
pub const MAX_BUNDLE: usize = 8 * 1024 * 1024;

/// The text of a bundle, as its files hold it. Reading them from a folder is the business of rooms with I/O.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BundleSource {
    /// `wardkeep.toml`
    pub manifest: String,
    /// `schema.cedarschema`, in Cedar's syntax, without anything of Wardkeep's.
    pub schema: String,
    /// The policies: file name and text, in the order of their names.
    pub policies: Vec<(String, String)>,
    /// `entities.json` in Cedar's JSON format: entities that stand and fall with the bundle.
    pub entities: Option<String>,
}

/// A bundle, checked and ready to decide.
#[derive(Debug)]
pub(crate) struct DataSet {
    /// What the manifest says, checked against the schema.
    pub(crate) manifest: Manifest,
    /// The schema in force: the bundle's own, and Wardkeep's template filled in.
    pub(crate) schema: Schema,
    /// The same in Cedar's syntax, for people.
    pub(crate) text: String,
    /// The entity types of the schema, parsed.
    pub(crate) types: Types,
    /// Wardkeep's data actions.
    pub(crate) plans: HashMap<ActionName, ActionPlan>,
    /// Whether an actor may act for a subject; `None` never happens, and would let nobody.
    pub(crate) act_for: Option<ActionPlan>,
    /// The resource types of the manifest.
    pub(crate) records: BTreeMap<String, RecordPlan>,
    /// The authorities of the manifest.
    pub(crate) authorities: BTreeMap<KeyId, Projection>,
    /// How far policies dereference, see [`Rules::level`].
    pub(crate) level: Option<u32>,
    /// Entities that every decision must see, where the policies' level has no bound.
    pub(crate) literals: Vec<EntityUid>,
    /// The bundle's own entities.
    pub(crate) entities: BTreeMap<EntityUid, EntityRecord>,
}

impl BundleSource {
    /// Bytes of all files together, what [`MAX_BUNDLE`] bounds.
    fn len(&self) -> usize {
        let policies = self.policies.iter().map(|(name, text)| name.len() + text.len());
        self.manifest.len()
            + self.schema.len()
            + self.entities.as_ref().map_or(0, String::len)
            + policies.sum::<usize>()
    }
}

impl DataSet {
    /// Loads a bundle; every fault that can be seen is in the errors.
    pub(crate) fn load(identity: &IdentityMap, source: &BundleSource) -> Result<Self, PolicyErrors> {
        let mut findings = Findings::default();
        if source.len() > MAX_BUNDLE {
            let message = format!("the bundle has {} bytes: use at most {MAX_BUNDLE}", source.len());
            findings.add(FindingKind::TooLarge, "bundle", message, "");
            return Err(findings.into());
        }
        let manifest = Manifest::parse(&source.manifest)?;
        let loaded = Self::load_with(identity, manifest, source, &mut findings);
        findings.finish()?;
        // Whoever returns `None` leaves a finding; if one ever did not, the bundle is refused all the same.
        loaded.ok_or_else(|| {
            let mut findings = Findings::default();
            findings.add(FindingKind::Schema, "bundle", "the bundle could not be loaded", "");
            findings.into()
        })
    }

    /// The load behind [`Self::load`]. It goes on after a fault wherever what follows can still be checked, so that an
    /// author sees all faults at once; `None` where something was found.
    fn load_with(
        identity: &IdentityMap,
        manifest: Manifest,
        source: &BundleSource,
        findings: &mut Findings,
    ) -> Option<Self> {
        let filled = data_schema(identity, &manifest, &source.schema, findings)?;
        let types = Types::of(&filled.schema);
        let rules = Rules::load(&source.policies, &filled.schema, findings);
        let nothing = Rules::empty();
        let planner = Planner::new(&filled.schema, rules.as_ref().unwrap_or(&nothing));
        let records = planner.records(&manifest, identity, findings);
        let written = (&manifest, source.manifest.as_str());
        let authorities = projections(written, filled.schema.as_ref(), identity, findings);
        let text = source.entities.as_deref().unwrap_or("[]");
        let entities = parse_entities(text, &filled.schema, &records, findings);
        let (plans, act_for) = (planner.own(PolicySet::Data), planner.act_for());
        let rules = rules?;
        let literals = rules.literals.iter().filter_map(model_uid).collect();
        let (schema, text) = (filled.schema, filled.text);
        let level = rules.level;
        Some(Self { manifest, schema, text, types, plans, act_for, records, authorities, level, literals, entities })
    }

    /// How another bundle changes the bound types of this one, beyond adding optional attributes. A type that the other
    /// does not declare at all is no change: nothing of it is released any more.
    pub(crate) fn bound_type_changes(&self, new: &Self) -> Vec<BoundTypeChange> {
        let mut changes = Vec::new();
        let bound = self.records.iter().filter(|(_, plan)| plan.source == Source::Bound);
        for (kind, _) in bound {
            let Some(plan) = new.records.get(kind) else { continue };
            let mut differences = Vec::new();
            if plan.source != Source::Bound {
                differences.push(BoundTypeDifference::Source(plan.source));
            }
            attribute_changes(kind, self.schema.as_ref(), new.schema.as_ref(), &mut differences);
            let parents = |schema: &ValidatorSchema| allowed_parents(schema, kind);
            let lost = parents(self.schema.as_ref()).into_iter().filter(|p| !parents(new.schema.as_ref()).contains(p));
            differences.extend(lost.map(BoundTypeDifference::Parent));
            changes
                .extend(differences.into_iter().map(|difference| BoundTypeChange { kind: kind.clone(), difference }));
        }
        changes
    }
}

/// Differences of one type's attributes. Types are compared as Cedar prints them: names are resolved by then, so that
/// two spellings of one type are equal and two types of one spelling are not.
fn attribute_changes(
    kind: &str,
    old: &ValidatorSchema,
    new: &ValidatorSchema,
    differences: &mut Vec<BoundTypeDifference>,
) {
    let declared = |schema: &ValidatorSchema| -> BTreeMap<String, (String, bool)> {
        let found = schema.entity_types().find(|declared| declared.name().to_string() == kind);
        let attributes = found.map(|found| found.attributes().clone());
        let shown = |(name, field): (&smol_str::SmolStr, &cedar_policy_core::validator::types::AttributeType)| {
            (name.to_string(), (field.attr_type.to_string(), field.is_required()))
        };
        attributes.iter().flat_map(|all| all.iter()).map(shown).collect()
    };
    let (old, new) = (declared(old), declared(new));
    for (name, field) in &old {
        match new.get(name) {
            None => differences.push(BoundTypeDifference::Removed(name.clone())),
            Some(other) if other != field => differences.push(BoundTypeDifference::Retyped(name.clone())),
            Some(_) => {}
        }
    }
    let required = new.iter().filter(|(name, (_, required))| *required && !old.contains_key(*name));
    differences.extend(required.map(|(name, _)| BoundTypeDifference::Required(name.clone())));
}

/// The types that may stand above a type, at any distance.
fn allowed_parents(schema: &ValidatorSchema, kind: &str) -> Vec<String> {
    let above = schema
        .entity_types()
        .filter(|declared| declared.descendants.iter().any(|descendant| descendant.to_string() == kind));
    above.map(|declared| declared.name().to_string()).collect()
}

/// The bundle's entities as records. What they may be is checked again where they enter the store.
fn parse_entities(
    text: &str,
    schema: &Schema,
    records: &BTreeMap<String, RecordPlan>,
    findings: &mut Findings,
) -> BTreeMap<EntityUid, EntityRecord> {
    let mut found = BTreeMap::new();
    let entities = match Entities::from_json_str(text, Some(schema)) {
        Ok(entities) => entities,
        Err(error) => {
            let chain = std::iter::successors(std::error::Error::source(&error), |e| e.source());
            let message = chain.fold(error.to_string(), |said, cause| format!("{said}: {cause}"));
            let mut finding = from_diagnostic(FindingKind::Entity, ENTITIES_FILE, text, &error);
            finding.message = message;
            findings.push(finding);
            return found;
        }
    };
    for entity in entities.iter() {
        let core: &Entity = entity.as_ref();
        if core.uid().is_action() {
            continue;
        }
        match record(core) {
            Ok(record) if record.uid.is_reserved() || record.parents.iter().any(EntityUid::is_reserved) => {
                let message = format!("`{}` reaches into the reserved namespace `Wardkeep`", record.uid);
                let hint = "roles are granted by `wardkeep role`, never imported";
                findings.add_at(FindingKind::Reserved, (ENTITIES_FILE, text, "Wardkeep"), message, hint);
            }
            Ok(record) if records.get(record.uid.kind()).is_some_and(|plan| plan.source == Source::Bound) => {
                let message = format!("`{}` is of a bound type: the store holds none", record.uid);
                findings.add_at(FindingKind::Entity, (ENTITIES_FILE, text, record.uid.kind()), message, "leave it out");
            }
            Ok(record) => {
                found.insert(record.uid.clone(), record);
            }
            Err(problem) => {
                let message = format!("`{}`: {problem}", core.uid());
                findings.add(FindingKind::Entity, ENTITIES_FILE, message, "");
            }
        }
    }
    found
}

/// A parsed entity as the domain knows it. Through Cedar's JSON, which writes every escape out: what the author
/// abbreviated with the schema's help arrives here explicit.
fn record(entity: &Entity) -> Result<EntityRecord, json::JsonError> {
    let uid = model_uid(entity.uid()).ok_or(json::JsonError::Uid)?;
    let parents =
        entity.parents().map(|parent| model_uid(parent).ok_or(json::JsonError::Uid)).collect::<Result<_, _>>()?;
    let whole = entity.to_json_value().map_err(|_| json::JsonError::Shape)?;
    let (attributes, tags) = (json::attributes(whole.get("attrs"))?, json::attributes(whole.get("tags"))?);
    Ok(EntityRecord { uid, attributes, parents, tags })
}

/// A name in the domain's form; `None` for ids that are empty, too long or hold control characters.
fn model_uid(uid: &EntityUID) -> Option<EntityUid> {
    EntityUid::new(&uid.entity_type().to_string(), uid.eid().as_ref()).ok()
}
