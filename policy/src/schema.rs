//! The schema in force: the template of Wardkeep's own actions, filled in and joined with a bundle's schema.
//!
//! Cedar does not merge two declarations of one action, and a principal type that no action lists is refused
//! per request, *silently at validation*: a bundle could pass every check and yet decide nothing. So the template
//! is filled in its JSON form, from `[identity]` and the manifest, before anything is validated.
//!
//! Names resolve across namespaces only when everything is linked. In the JSON form they are still as written, so that
//! what a bundle says about `Wardkeep::` can be seen and refused by its text: outside that namespace there is no other
//! way to write it, and a bundle can declare nothing inside it.

use std::collections::BTreeSet;

use cedar_policy::{Schema, SchemaFragment};
use serde_json::{Map, Value as Json, json};
use wardkeep_model::{ActionName, PolicySet};

use crate::error::{Finding, FindingKind, Findings, from_diagnostic};
use crate::identity::is_reserved_type;
use crate::manifest::MANIFEST_FILE;
use crate::roles::ROLE_TYPE;
use crate::{IdentityMap, Manifest};

/// The file name that findings in a bundle's schema carry.
pub(crate) const SCHEMA_FILE: &str = "schema.cedarschema";
/// The template, as its file in `policies/` holds it.
pub(crate) const TEMPLATE: &str = include_str!("../../policies/wardkeep.cedarschema");
/// The id of the action that lets an actor act for a subject.
pub(crate) const ACT_FOR: &str = "actFor";
const NAMESPACE: &str = "Wardkeep";

/// A schema, ready to validate against, and its text in Cedar's syntax.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    /// What policies, entities and requests are checked against.
    pub(crate) schema: Schema,
    /// What `wardkeep policy schema` prints.
    pub(crate) text: String,
}

/// The schema of a bundle: its own declarations, Wardkeep's data actions, the `[identity]` types.
pub(crate) fn data_schema(
    identity: &IdentityMap,
    manifest: &Manifest,
    source: &str,
    findings: &mut Findings,
) -> Option<Filled> {
    let mut bundle = parse_bundle_schema(source, findings)?;
    if !check_reserved(&bundle, source, findings) {
        return None;
    }
    for target in identity.types() {
        declare_identity(&mut bundle, target, source, findings);
    }
    check_subjects(&bundle, manifest, findings);
    if !findings.is_empty() {
        return None;
    }
    let subjects: BTreeSet<&str> = identity.types().chain(manifest.subjects.iter().map(String::as_str)).collect();
    let wardkeep = fill(PolicySet::Data, identity, &subjects, source, findings)?;
    bundle.insert(NAMESPACE.to_owned(), wardkeep);
    link(Json::Object(bundle), source, findings)
}

/// The schema of the control set: identities without attributes, roles, control actions. No bundle reaches it.
pub(crate) fn control_schema(identity: &IdentityMap, findings: &mut Findings) -> Option<Filled> {
    let mut whole = Map::new();
    for target in identity.types() {
        declare_identity(&mut whole, target, "", findings);
    }
    let wardkeep = fill(PolicySet::Control, identity, &identity.types().collect(), "", findings)?;
    whole.insert(NAMESPACE.to_owned(), wardkeep);
    link(Json::Object(whole), "", findings)
}

/// A schema in Cedar's syntax as JSON by namespace; the empty namespace is `""`. Names in it are still as written.
fn parse_bundle_schema(source: &str, findings: &mut Findings) -> Option<Map<String, Json>> {
    let fragment = match SchemaFragment::from_cedarschema_str(source) {
        Ok((fragment, _warnings)) => fragment,
        Err(error) => {
            findings.push(from_diagnostic(FindingKind::Schema, SCHEMA_FILE, source, &error));
            return None;
        }
    };
    match fragment.to_json_value() {
        Ok(Json::Object(namespaces)) => Some(namespaces),
        Ok(_) => None,
        Err(error) => {
            findings.push(from_diagnostic(FindingKind::Schema, SCHEMA_FILE, source, &error));
            None
        }
    }
}

/// Nothing in the namespace `Wardkeep`, and no type whose members could come to stand in one of Wardkeep's entities.
fn check_reserved(bundle: &Map<String, Json>, source: &str, findings: &mut Findings) -> bool {
    let before = findings.is_empty();
    for (namespace, body) in bundle {
        if is_reserved_type(namespace) {
            let hint = "leave it out: Wardkeep adds its own types and actions at load";
            let message = format!("the namespace `{namespace}` is reserved");
            findings.add_at(FindingKind::Reserved, (SCHEMA_FILE, source, NAMESPACE), message, hint);
        }
        for (name, declared) in body.get("entityTypes").and_then(Json::as_object).into_iter().flatten() {
            let parents = declared.get("memberOfTypes").and_then(Json::as_array).into_iter().flatten();
            for parent in parents.filter_map(Json::as_str).filter(|parent| is_reserved_type(parent)) {
                let hint = "leave the parent out: control roles are given by `wardkeep role`, rings hold keys only";
                let message = format!("`{name}` may not be in `{parent}`: the namespace `Wardkeep` is reserved");
                findings.add_at(FindingKind::Reserved, (SCHEMA_FILE, source, name), message, hint);
            }
        }
    }
    before && findings.is_empty()
}

/// Adds `Wardkeep::Role` to the parents of an `[identity]` type, or declares the type where nobody did.
fn declare_identity(namespaces: &mut Map<String, Json>, target: &str, source: &str, findings: &mut Findings) {
    let (namespace, name) = target.rsplit_once("::").unwrap_or(("", target));
    let body = namespaces.entry(namespace).or_insert_with(|| json!({ "entityTypes": {}, "actions": {} }));
    let Some(types) = body.as_object_mut().map(|body| body.entry("entityTypes").or_insert_with(|| json!({}))) else {
        return;
    };
    let Some(types) = types.as_object_mut() else { return };
    let declared = types.entry(name).or_insert_with(|| json!({}));
    let Some(declared) = declared.as_object_mut() else { return };
    if declared.contains_key("enum") {
        let message = format!("`{target}` is an `[identity]` type and may not be an enumeration");
        findings.add_at(FindingKind::Schema, (SCHEMA_FILE, source, name), message, "declare it as a plain entity type");
        return;
    }
    if let Some(parents) = declared.entry("memberOfTypes").or_insert_with(|| json!([])).as_array_mut() {
        parents.push(json!(ROLE_TYPE));
    }
}

/// Subjects are types that the bundle declares, or the `[identity]` types, which need no mention.
fn check_subjects(bundle: &Map<String, Json>, manifest: &Manifest, findings: &mut Findings) {
    for subject in &manifest.subjects {
        let (namespace, name) = subject.rsplit_once("::").unwrap_or(("", subject));
        let declared = bundle.get(namespace).and_then(|body| body.get("entityTypes")).and_then(|types| types.get(name));
        let problem = match declared {
            _ if is_reserved_type(subject) => "the namespace `Wardkeep` is reserved",
            None => "the schema declares no such entity type",
            Some(body) if body.get("enum").is_some() => "an enumeration has no subjects",
            Some(_) => continue,
        };
        let message = format!("`subjects` names `{subject}`: {problem}");
        let hint = "name entity types that the bundle's schema declares";
        findings.add(FindingKind::Manifest, MANIFEST_FILE, message, hint);
    }
}

/// The template's namespace for one policy set, its placeholders replaced.
fn fill(
    set: PolicySet,
    identity: &IdentityMap,
    subjects: &BTreeSet<&str>,
    source: &str,
    findings: &mut Findings,
) -> Option<Json> {
    let mut template = parse_bundle_schema(TEMPLATE, findings)?;
    let mut body = template.remove(NAMESPACE)?;
    let identities: BTreeSet<&str> = identity.types().collect();
    if let Some(types) = body.get_mut("entityTypes").and_then(Json::as_object_mut) {
        types.remove("Identity");
        types.remove("Subject");
        for name in identities.union(subjects).filter(|name| types.contains_key(**name)) {
            let message = format!("the entity type `{name}` has the name of one of Wardkeep's own types");
            findings.add_at(FindingKind::Reserved, (SCHEMA_FILE, source, name), message, "put it into a namespace");
        }
    }
    let actions = body.get_mut("actions").and_then(Json::as_object_mut)?;
    actions.retain(|name, _| belongs(name, set));
    for action in actions.values_mut() {
        let Some(applies) = action.get_mut("appliesTo").and_then(Json::as_object_mut) else { continue };
        for field in ["principalTypes", "resourceTypes"] {
            if let Some(Json::Array(names)) = applies.get_mut(field) {
                let expanded = names.iter().filter_map(Json::as_str).flat_map(|name| match name {
                    "Identity" => identities.iter().copied().collect(),
                    "Subject" => subjects.iter().copied().collect(),
                    other => vec![other],
                });
                *names = expanded.map(|name| json!(name)).collect();
            }
        }
    }
    findings.is_empty().then_some(body)
}

/// Whether an action of the template stands in the schema of a set.
fn belongs(action: &str, set: PolicySet) -> bool {
    if action == ACT_FOR {
        return set == PolicySet::Data;
    }
    ActionName::ALL.iter().any(|name| name.as_str() == action && name.set() == set)
}

/// Resolves names across namespaces, and prints the whole.
fn link(whole: Json, source: &str, findings: &mut Findings) -> Option<Filled> {
    let linked = match SchemaFragment::from_json_value(whole.clone()) {
        Ok(fragment) => Schema::from_json_value(whole).map(|schema| (fragment, schema)),
        Err(error) => Err(error),
    };
    match linked {
        Ok((fragment, schema)) => {
            // Every fragment made from JSON without name collisions has a form in Cedar's syntax.
            let text = fragment.to_cedarschema().unwrap_or_default();
            Some(Filled { schema, text })
        }
        Err(error) => {
            let mut finding: Finding = from_diagnostic(FindingKind::Schema, SCHEMA_FILE, source, &error);
            // What was linked came out of JSON: spans are lost (or point to byte 0), names are not.
            let said = [finding.message.as_str(), finding.hint.as_deref().unwrap_or_default()].join(" ");
            let words = said.split('`').skip(1).step_by(2).filter_map(|word| word.rsplit("::").next());
            finding.place = words.into_iter().find_map(|word| crate::error::Place::of_word(source, word));
            findings.push(finding);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wardkeep_model::action::{Principal, Target};

    use super::*;

    fn identity(pairs: &[(&str, &str)]) -> IdentityMap {
        IdentityMap::new(pairs.iter().map(|(k, t)| ((*k).to_owned(), (*t).to_owned())).collect()).unwrap()
    }

    fn fill_in(source: &str, manifest: &str) -> Result<Filled, Vec<Finding>> {
        let identity = identity(&[("user", "User"), ("service", "App::Service")]);
        let mut findings = Findings::default();
        let manifest = Manifest::parse(manifest).unwrap();
        data_schema(&identity, &manifest, source, &mut findings).ok_or_else(|| findings.into_vec())
    }

    #[test]
    fn the_template_has_the_actions_of_the_model_and_no_others() {
        let mut findings = Findings::default();
        let template = parse_bundle_schema(TEMPLATE, &mut findings).unwrap();
        let actions = template[NAMESPACE]["actions"].as_object().unwrap();
        let expected: BTreeSet<&str> = ActionName::ALL.iter().map(|a| a.as_str()).chain([ACT_FOR]).collect();
        assert_eq!(actions.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
        for name in ActionName::ALL {
            let applies = &actions[name.as_str()]["appliesTo"];
            let resource = match name.target() {
                Target::Ring => "Ring",
                Target::Key => "Key",
                Target::System => "System",
                Target::Role => "Role",
                Target::Identity => "Identity",
            };
            assert_eq!(applies["resourceTypes"], json!([resource]), "{name:?}");
            let principal = match name.principal() {
                Principal::Actor => "Identity",
                Principal::Subject => "Subject",
            };
            assert_eq!(applies["principalTypes"], json!([principal]), "{name:?}");
        }
    }

    #[test]
    fn each_set_sees_only_its_own_actions() {
        let mut findings = Findings::default();
        let control = control_schema(&identity(&[("user", "User")]), &mut findings).unwrap();
        let data = fill_in("", "").unwrap();
        let ids = |filled: &Filled| -> BTreeMap<String, ()> {
            filled.schema.actions().map(|uid| (uid.id().unescaped().to_owned(), ())).collect()
        };
        assert!(ids(&control).contains_key("GrantRole") && !ids(&control).contains_key("GenerateDataKey"));
        assert!(!ids(&data).contains_key("GrantRole") && ids(&data).contains_key("GenerateDataKey"));
        assert!(!ids(&control).contains_key(ACT_FOR));
    }

    #[test]
    fn identity_types_get_the_role_as_parent_and_are_declared_where_missing() {
        let filled = fill_in("entity Team; entity User in [Team] = { name: String };", "").unwrap();
        assert!(filled.text.contains("Wardkeep::Role"), "{}", filled.text);
        let types: Vec<String> = filled.schema.entity_types().map(ToString::to_string).collect();
        assert!(types.contains(&"App::Service".to_owned()) && types.contains(&"User".to_owned()), "{types:?}");
        assert!(!types.contains(&"Wardkeep::Identity".to_owned()) && !types.contains(&"Wardkeep::Subject".to_owned()));
        assert!(Schema::from_cedarschema_str(&filled.text).is_ok(), "the text in force is a schema itself");
    }

    #[test]
    fn what_would_reach_into_wardkeep_is_refused_with_its_place() {
        for (source, line) in [
            ("entity A;\nnamespace Wardkeep { entity Role; }", 2),
            ("namespace Wardkeep::Deep { entity X; }", 1),
            ("entity Team in [Wardkeep::Role];", 1),
            ("entity A;\nentity User in [Wardkeep::Role];", 2),
            ("entity Folder in [Wardkeep::Ring];", 1),
            ("action create in [Wardkeep::Action::\"Missing\"];", 1),
        ] {
            let found = fill_in(source, "").unwrap_err();
            assert!(!found.is_empty(), "{source}");
            assert_eq!(found[0].place.as_ref().map(|p| p.line).unwrap_or(line), line, "{source}: {}", found[0]);
        }
    }

    #[test]
    fn names_that_would_shadow_wardkeeps_types_are_refused() {
        for source in ["entity Key;", "entity Role;", "entity Ring;", "type Actor = String; entity A = { a: Actor };"] {
            assert!(fill_in(source, "").is_err(), "{source}");
        }
        let mut findings = Findings::default();
        assert!(control_schema(&identity(&[("user", "Role")]), &mut findings).is_none());
        assert!(!findings.is_empty());
    }

    #[test]
    fn schema_faults_carry_line_and_column() {
        let found = fill_in("entity A;\nentity B = { a: Strin };", "").unwrap_err();
        let place = found[0].place.as_ref().unwrap();
        assert_eq!((place.line, place.column), (2, 17), "{}", found[0]);
        let found = fill_in("entity A\nentity B;", "").unwrap_err();
        assert!(found[0].place.is_some(), "{}", found[0]);
    }

    #[test]
    fn subjects_must_be_types_of_the_bundle() {
        assert!(fill_in("entity Patient;", "subjects = [\"Patient\"]").is_ok());
        for (source, subject) in [
            ("entity Patient;", "Doctor"),
            ("entity Patient;", "Wardkeep::System"),
            ("entity Color enum [\"red\"];", "Color"),
        ] {
            let found = fill_in(source, &format!("subjects = [\"{subject}\"]")).unwrap_err();
            assert_eq!(found[0].kind, FindingKind::Manifest, "{subject}");
        }
    }
}
