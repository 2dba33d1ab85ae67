//! What is ready before any request comes: per action its policies, its entities and the shape of its context.
//!
//! A request then parses no name, scans no policy of another action, and builds no context member that no policy looks
//! at. Plans are made once a snapshot's policy set is loaded, and shared by all snapshots that only differ in entities.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::{EntityUid as CedarUid, Schema};
use cedar_policy_core::ast::{Entity, EntityUID, EntityUIDEntry};
use cedar_policy_core::validator::ValidatorSchema;
use cedar_policy_core::validator::types::Type;
use wardkeep_model::{ActionName, PolicySet};

use crate::error::{FindingKind, Findings};
use crate::identity::is_reserved_type;
use crate::manifest::MANIFEST_FILE;
use crate::rules::{Rule, Rules};
use crate::schema::ACT_FOR;
use crate::{IdentityMap, Manifest, Source};

/// The context members Wardkeep can fill.
const MEMBERS: [&str; 4] = ["actor", "recipient", "encryption", "record"];

/// One action, ready to be decided.
#[derive(Debug)]
pub(crate) struct ActionPlan {
    /// The action's name, as requests carry it.
    pub(crate) entry: EntityUIDEntry,
    /// The action's own entity; present only where it has groups, for nothing else looks at it.
    pub(crate) entity: Option<Arc<Entity>>,
    /// The policies whose scope can hold for it.
    pub(crate) rules: Vec<Arc<Rule>>,
    /// What must be in the context.
    pub(crate) shape: ContextShape,
}

/// Which members the context of a decision needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ContextShape {
    /// `context.actor`
    pub(crate) actor: bool,
    /// `context.recipient`
    pub(crate) recipient: bool,
    /// `context.encryption`
    pub(crate) encryption: bool,
    /// `context.record`
    pub(crate) record: bool,
}

/// How records of one type are decided on.
#[derive(Debug)]
pub(crate) struct RecordPlan {
    /// Where its attributes come from.
    pub(crate) source: Source,
    /// The action decided when a data key is made.
    pub(crate) protect: RecordAction,
    /// The action decided when one is opened.
    pub(crate) release: RecordAction,
}

/// A protect or release action.
#[derive(Debug)]
pub(crate) struct RecordAction {
    /// Its full spelling, for the audit record.
    pub(crate) name: String,
    /// The types of subjects that the schema lets do it. The evaluator does not look at them, and policies were
    /// validated for no others: whoever decides has to.
    pub(crate) principals: HashSet<String>,
    /// Ready to be decided.
    pub(crate) plan: ActionPlan,
}

/// Makes plans out of a schema and a set of policies.
pub(crate) struct Planner<'a> {
    schema: &'a Schema,
    rules: &'a Rules,
    actions: HashMap<EntityUID, Arc<Entity>>,
}

impl<'a> Planner<'a> {
    /// Takes the action entities out of the schema once: Cedar computes them anew at every call.
    pub(crate) fn new(schema: &'a Schema, rules: &'a Rules) -> Self {
        let entities = schema.action_entities().map(|all| all.into_iter().collect::<Vec<_>>()).unwrap_or_default();
        let core = entities.iter().map(|entity| -> &Entity { entity.as_ref() });
        let actions = core.map(|entity| (entity.uid().clone(), Arc::new(entity.clone()))).collect();
        Self { schema, rules, actions }
    }

    /// The plans of Wardkeep's own actions of one set, by their place in the table.
    pub(crate) fn own(&self, set: PolicySet) -> HashMap<ActionName, ActionPlan> {
        let names = ActionName::ALL.iter().filter(|name| name.set() == set);
        names.filter_map(|name| Some((*name, self.plan(&wardkeep_action(name.as_str())?)?))).collect()
    }

    /// The plan of `actFor`.
    pub(crate) fn act_for(&self) -> Option<ActionPlan> {
        self.plan(&wardkeep_action(ACT_FOR)?)
    }

    /// `None` for an action that the schema does not declare.
    fn plan(&self, action: &CedarUid) -> Option<ActionPlan> {
        let action: &EntityUID = action.as_ref();
        let entity = self.actions.get(action)?;
        let ancestors: HashSet<EntityUID> = entity.ancestors().cloned().collect();
        let validator: &ValidatorSchema = self.schema.as_ref();
        let rules = self.rules.for_action(action, &ancestors);
        Some(ActionPlan {
            entry: EntityUIDEntry::known(action.clone(), None),
            shape: shape(validator, action, &rules),
            rules,
            entity: (!ancestors.is_empty()).then(|| entity.clone()),
        })
    }

    /// The plans of the manifest's resource types, every one checked against the schema.
    pub(crate) fn records(
        &self,
        manifest: &Manifest,
        identity: &IdentityMap,
        findings: &mut Findings,
    ) -> BTreeMap<String, RecordPlan> {
        let mut plans = BTreeMap::new();
        for (kind, rule) in &manifest.resources {
            if let Some(problem) = self.type_problem(kind, identity) {
                let message = format!("`[resources.{kind}]`: {problem}");
                findings.add(
                    FindingKind::Manifest,
                    MANIFEST_FILE,
                    message,
                    "name an entity type of the bundle's schema",
                );
                continue;
            }
            let protect = self.record_action(kind, &rule.protect, "protect", (manifest, identity), findings);
            let release = self.record_action(kind, &rule.release, "release", (manifest, identity), findings);
            if let (Some(protect), Some(release)) = (protect, release) {
                plans.insert(kind.clone(), RecordPlan { source: rule.source, protect, release });
            }
        }
        plans
    }

    /// Why a type cannot be a record, if it cannot.
    fn type_problem(&self, kind: &str, identity: &IdentityMap) -> Option<&'static str> {
        if is_reserved_type(kind) {
            return Some("the namespace `Wardkeep` is reserved");
        }
        if identity.is_identity_type(kind) {
            return Some("a type of `[identity]` cannot be a record");
        }
        let declared = self.schema.entity_types().any(|name| name.to_string() == kind);
        (!declared).then_some("the schema declares no such entity type")
    }

    /// The protect or release action of a type: it exists, takes that type and every subject, and asks for nothing
    /// in its context that Wardkeep cannot fill.
    fn record_action(
        &self,
        kind: &str,
        action: &str,
        field: &str,
        known: (&Manifest, &IdentityMap),
        findings: &mut Findings,
    ) -> Option<RecordAction> {
        let (manifest, identity) = known;
        let text = spelled(kind, action);
        let mut refuse = |problem: String, hint: &str| {
            let message = format!("`[resources.{kind}]` names the {field} action `{text}`, {problem}");
            findings.add(FindingKind::Manifest, MANIFEST_FILE, message, hint);
        };
        let uid = text.parse::<CedarUid>().ok().filter(|uid| self.actions.contains_key(uid.as_ref()));
        let Some(uid) = uid else {
            refuse("which the schema does not declare".to_owned(), "declare it, or name another action");
            return None;
        };
        if is_reserved_type(&uid.type_name().to_string()) {
            refuse("which is Wardkeep's own".to_owned(), "name an action of the bundle");
            return None;
        }
        let has = |types: Option<Vec<String>>, wanted: &str| types.is_some_and(|all| all.iter().any(|t| t == wanted));
        let names =
            |types: &mut dyn Iterator<Item = &cedar_policy::EntityTypeName>| types.map(ToString::to_string).collect();
        let resources = self.schema.resources_for_action(&uid).map(|mut types| names(&mut types));
        if !has(resources, kind) {
            refuse(format!("which is not done to `{kind}`"), "add the type to the action's `resource`");
            return None;
        }
        let principals = self.schema.principals_for_action(&uid).map(|mut types| names(&mut types)).unwrap_or_default();
        let principals: HashSet<String> = principals.into_iter().collect();
        let mut subjects = manifest.subjects.iter().map(String::as_str).chain(identity.types());
        if !subjects.any(|subject| principals.contains(subject)) {
            refuse("which no subject can do".to_owned(), "add an `[identity]` type or a subject to its `principal`");
            return None;
        }
        if let Some(member) = unfillable(self.schema.as_ref(), uid.as_ref()) {
            let hint = "give it `actor: Wardkeep::Actor`, and optionally `recipient?: String`, `encryption?: \
                        Wardkeep::EncryptionContext`, `record?: String`, or make the member optional";
            refuse(format!("whose context asks for `{member}`, which Wardkeep cannot fill"), hint);
            return None;
        }
        let plan = self.plan(&uid)?;
        Some(RecordAction { name: text, principals, plan })
    }
}

/// One of Wardkeep's own actions.
fn wardkeep_action(id: &str) -> Option<CedarUid> {
    format!("Wardkeep::Action::\"{id}\"").parse().ok()
}

/// `create` becomes an action of the namespace that its resource type stands in.
fn spelled(kind: &str, action: &str) -> String {
    if action.contains("::\"") {
        return action.to_owned();
    }
    let id = action.escape_debug();
    match kind.rsplit_once("::") {
        Some((namespace, _)) => format!("{namespace}::Action::\"{id}\""),
        None => format!("Action::\"{id}\""),
    }
}

/// The members of an action's context: name, whether required, whether Wardkeep can fill it (by name *and* type).
fn members<'s>(schema: &'s ValidatorSchema, action: &EntityUID) -> Vec<(&'s str, bool, bool)> {
    let Some(Type::Record { attrs, .. }) = schema.context_type(action) else { return Vec::new() };
    let known = |name: &str, found: &Type| match name {
        "actor" => is_actor(found),
        "recipient" | "record" => *found == Type::String,
        "encryption" => found.to_string() == "Wardkeep::EncryptionContext",
        _ => false,
    };
    attrs.iter().map(|(name, found)| (name.as_str(), found.is_required(), known(name, &found.attr_type))).collect()
}

/// `Wardkeep::Actor`, by its shape: common types are gone once a schema is resolved.
fn is_actor(found: &Type) -> bool {
    let Type::Record { attrs, .. } = found else { return false };
    let fields: Vec<_> = attrs.iter().map(|(name, field)| (name.as_str(), field.attr_type.as_ref())).collect();
    fields == [("id", &Type::String), ("kind", &Type::String)]
}

/// The members that the schema declares and some policy looks at; the others need not be made for a request.
fn shape(schema: &ValidatorSchema, action: &EntityUID, rules: &[Arc<Rule>]) -> ContextShape {
    let members = members(schema, action);
    let declared = |wanted: &str| members.iter().any(|(name, _, known)| *name == wanted && *known);
    let has = |wanted: &str| declared(wanted) && rules.iter().any(|rule| rule.looks_at(wanted));
    ContextShape {
        actor: has("actor"),
        recipient: has("recipient"),
        encryption: has("encryption"),
        record: has("record"),
    }
}

/// A required member that Wardkeep cannot always fill, or one of its own names with another type.
fn unfillable(schema: &ValidatorSchema, action: &EntityUID) -> Option<String> {
    let bad = |(name, required, known): &(&str, bool, bool)| {
        let always = *name == "actor" && *known;
        let mistyped = MEMBERS.contains(name) && !known;
        (*required && !always) || mistyped
    };
    members(schema, action).into_iter().find(bad).map(|(name, _, _)| name.to_owned())
}
