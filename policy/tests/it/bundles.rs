//! Loading a bundle: what is refused, where, and what survives a change of bundles.

use wardkeep_model::Value;
use wardkeep_policy::{BundleSource, EntityChange, EntityError, FindingKind, IdentityMap, PolicyErrors, Snapshot};

use crate::harness::*;

fn errors(bundle: &BundleSource) -> PolicyErrors {
    load(bundle).expect_err("the bundle was accepted")
}

fn first(bundle: &BundleSource) -> (FindingKind, String) {
    let errors = errors(bundle);
    (errors.findings()[0].kind, errors.to_string())
}

#[test]
fn the_shipped_bundles_load_whatever_the_identities_are_called() {
    for bundle in [BundleSource::starter(), BundleSource::dev(), BundleSource::clinic()] {
        load(&bundle).unwrap_or_else(|errors| panic!("{errors}"));
    }
    let identity = IdentityMap::new([("person".to_owned(), "Corp::Person".to_owned())].into()).unwrap();
    for bundle in [BundleSource::starter(), BundleSource::dev()] {
        let snapshot = Snapshot::new(identity.clone(), Snapshot::builtin_control_set(), &bundle, 1);
        let snapshot = snapshot.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(snapshot.schema_text().contains("Corp"), "{}", snapshot.schema_text());
    }
}

#[test]
fn a_validation_fault_has_place_and_policy() {
    let rules = "@id(\"ok\")\npermit(principal, action, resource);\n@id(\"typo\")\npermit(principal is User, action, resource)\nwhen { principal.nam == \"x\" };";
    let errors = errors(&bundle("", "entity User = { name: String };", rules));
    let finding = &errors.findings()[0];
    assert_eq!(finding.kind, FindingKind::Validation);
    let place = finding.place.as_ref().unwrap();
    assert_eq!((finding.file.as_str(), place.line), ("rules.cedar", 5));
    assert!(finding.message.contains("typo"), "{finding}");
    assert!(finding.to_string().contains("^"), "{finding}");
}

#[test]
fn every_fault_is_reported_at_once() {
    let mut bundle = bundle("", "", "permit(principal == Nobody::\"x\", action, resource);");
    bundle.policies.push(("second.cedar".to_owned(), "permit(principal".to_owned()));
    let errors = errors(&bundle);
    let files: Vec<_> = errors.findings().iter().map(|finding| finding.file.as_str()).collect();
    assert!(files.contains(&"rules.cedar") && files.contains(&"second.cedar"), "{errors}");
}

#[test]
fn policy_ids_are_unique_and_not_wardkeeps() {
    let twice = "@id(\"a\") permit(principal, action, resource);\n@id(\"a\") forbid(principal, action, resource);";
    let (kind, text) = first(&bundle("", "", twice));
    assert_eq!(kind, FindingKind::PolicyId, "{text}");
    let reserved = "@id(\"wardkeep:scheduler\") permit(principal, action, resource);";
    assert_eq!(first(&bundle("", "", reserved)).0, FindingKind::PolicyId);
    let template = "permit(principal == ?principal, action, resource);";
    assert_eq!(first(&bundle("", "", template)).0, FindingKind::Syntax);
}

#[test]
fn a_bundle_brings_nothing_of_wardkeeps() {
    for schema in [
        "namespace Wardkeep { entity Mine; }",
        "entity Team in [Wardkeep::Role];",
        "entity User in [Wardkeep::Role];",
        "namespace Wardkeep { action GenerateDataKey appliesTo { principal: [X], resource: [X] }; entity X; }",
    ] {
        assert_eq!(first(&bundle("", schema, "")).0, FindingKind::Reserved, "{schema}");
    }
    for entities in [
        r#"[{"uid":{"type":"User","id":"eve"},"attrs":{},"parents":[{"type":"Wardkeep::Role","id":"admin"}]}]"#,
        r#"[{"uid":{"type":"Wardkeep::Role","id":"admin"},"attrs":{},"parents":[]}]"#,
        r#"[{"uid":{"type":"Wardkeep::System","id":"scheduler"},"attrs":{},"parents":[]}]"#,
        r#"[{"uid":{"type":"Wardkeep::Key","id":"r/k"},"attrs":{"usage":"wrap","spec":"x","origin":"x","exportable":true},"parents":[]}]"#,
    ] {
        let mut bundle = bundle("", "", "");
        bundle.entities = Some(entities.to_owned());
        assert_eq!(first(&bundle).0, FindingKind::Reserved, "{entities}");
    }
    let control = "permit(principal, action == Wardkeep::Action::\"GrantRole\", resource);";
    assert_eq!(first(&bundle("", "", control)).0, FindingKind::Validation, "no bundle speaks of control verbs");
}

#[test]
fn a_control_set_knows_no_keys_and_no_attributes() {
    let snapshot = world(&bundle("", "entity User = { age?: Long };", ""));
    for control in [
        "permit(principal, action == Wardkeep::Action::\"GenerateDataKey\", resource);",
        "permit(principal is User, action, resource) when { principal has age && principal.age > 3 };",
        "permit(principal",
    ] {
        let result = snapshot.with_control_set(control, 9);
        // `has` on a type without attributes is simply false, and validates.
        if control.contains("has age") {
            continue;
        }
        assert!(result.is_err(), "{control}");
    }
}

#[test]
fn manifests_say_nothing_unknown_or_impossible() {
    let schema = "entity Doc; entity User; action create, read appliesTo { principal: [User], resource: [Doc] };
        action strange appliesTo { principal: [User], resource: [Doc], context: { secret: String } };
        action elsewhere appliesTo { principal: [User], resource: [User] };
        action forged appliesTo { principal: [User], resource: [Doc], context: { actor?: String } };";
    for (manifest, said) in [
        ("subject = []", "unknown field"),
        ("[resources.Doc]\nsource = \"bound\"\nprotects = \"x\"", "unknown field"),
        ("[resources.Doc]\nsource = \"both\"", "unknown variant"),
        ("[resources.Doc]", "missing field"),
        ("[resources.Ghost]\nsource = \"bound\"", "declares no such entity type"),
        ("[resources.User]\nsource = \"bound\"", "cannot be a record"),
        ("[resources.\"Wardkeep::Key\"]\nsource = \"bound\"", "reserved"),
        ("[resources.Doc]\nsource = \"bound\"\nprotect = \"none\"", "does not declare"),
        ("[resources.Doc]\nsource = \"bound\"\nrelease = \"strange\"", "cannot fill"),
        ("[resources.Doc]\nsource = \"bound\"\nrelease = \"forged\"", "cannot fill"),
        ("[resources.Doc]\nsource = \"bound\"\nrelease = \"elsewhere\"", "not done to"),
        ("[resources.Doc]\nsource = \"bound\"\nrelease = 'Wardkeep::Action::\"actFor\"'", "Wardkeep's own"),
        ("subjects = [\"Ghost\"]", "declares no such entity type"),
        ("subjects = [\"Wardkeep::Role\"]", "reserved"),
    ] {
        let (kind, text) = first(&bundle(manifest, schema, ""));
        assert_eq!(kind, FindingKind::Manifest, "{manifest}");
        assert!(text.contains(said) && text.contains("hint"), "{manifest}: {text}");
    }
    let unknown = errors(&bundle("subjects = []\nsubject = []", "", ""));
    assert_eq!(unknown.findings()[0].place.as_ref().map(|place| place.line), Some(2));
}

fn notes(fields: &str, source: &str) -> BundleSource {
    let schema = format!(
        "entity Ward; entity Note in [Ward] = {{ {fields} }};
         action create, read appliesTo {{ principal: [User], resource: [Note] }}; entity User;"
    );
    bundle(&format!("[resources.Note]\nsource = \"{source}\""), &schema, "")
}

#[test]
fn a_bound_type_in_use_only_gains_optional_attributes() {
    let old = world(&notes("author: String, page?: Long", "bound"));
    for good in ["author: String, page?: Long", "author: String, page?: Long, extra?: String"] {
        let next = old.with_bundle(&notes(good, "bound"), 9).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(old.bound_type_changes(&next).is_empty());
    }
    for bad in [
        "author: String",
        "author?: String, page?: Long",
        "author: Long, page?: Long",
        "author: String, page: Long",
        "author: String, page?: Long, extra: String",
    ] {
        let errors = old.with_bundle(&notes(bad, "bound"), 9).expect_err(bad);
        assert_eq!(errors.findings()[0].kind, FindingKind::BoundType, "{bad}: {errors}");
    }
    assert!(old.with_bundle(&notes("author: String, page?: Long", "stored"), 9).is_err());
    let mut orphan = notes("author: String, page?: Long", "bound");
    orphan.schema = orphan.schema.replace(" in [Ward]", "");
    assert!(old.with_bundle(&orphan, 9).is_err(), "a parent type that old records may carry is gone");
    assert!(old.with_bundle(&BundleSource::starter(), 9).is_ok(), "dropping the type releases nothing");
}

#[test]
fn the_store_holds_no_bound_records() {
    let snapshot = world(&notes("author: String", "bound"));
    let mut note = record("Note::\"1\"", &[]);
    note.attributes.insert("author".to_owned(), Value::from("x"));
    let errors = snapshot.with_entities(&[EntityChange::Put(note)], 9).unwrap_err();
    assert_eq!(errors.errors()[0].1, EntityError::BoundType);
}

#[test]
fn stored_entities_survive_a_bundle_that_they_fit_and_stop_one_that_they_do_not() {
    let snapshot = world(&bundle("", "entity User = { age?: Long };", ""));
    let mut ana = record("User::\"ana\"", &[]);
    ana.attributes.insert("age".to_owned(), Value::Long(40));
    let snapshot = snapshot.with_entities(&[EntityChange::Put(ana.clone())], 5).unwrap();
    let kept = snapshot.with_bundle(&bundle("", "entity User = { age?: Long, name?: String };", ""), 6).unwrap();
    assert_eq!(kept.entity(&uid("User::\"ana\"")), Some(ana));
    assert_eq!(kept.roles_of(&uid("User::\"root\"")).len(), 4);
    let errors = snapshot.with_bundle(&bundle("", "entity User;", ""), 6).unwrap_err();
    assert!(errors.to_string().contains("User::\"ana\""), "{errors}");
}

#[test]
fn a_bundles_entities_come_and_go_with_it() {
    let mut with = bundle("", "entity Team; entity User in [Team];", "");
    with.entities = Some(
        r#"[{"uid":{"type":"User","id":"demo"},"attrs":{},"parents":[{"type":"Team","id":"t"}]},
            {"uid":{"type":"Team","id":"t"},"attrs":{},"parents":[]}]"#
            .to_owned(),
    );
    let snapshot = world(&with);
    let demo = uid("User::\"demo\"");
    assert!(snapshot.is_from_bundle(&demo));
    let delete = [EntityChange::Delete(demo.clone())];
    assert_eq!(snapshot.with_entities(&delete, 9).unwrap_err().errors()[0].1, EntityError::InBundle);
    let shadowed = snapshot.with_entities(&[put("User::\"demo\"", &[])], 9).unwrap();
    assert!(shadowed.entity(&demo).unwrap().parents.is_empty());
    let back = shadowed.with_entities(&delete, 10).unwrap();
    assert_eq!(back.entity(&demo).unwrap().parents.len(), 1, "what the bundle says shows again");
    assert!(snapshot.with_bundle(&BundleSource::starter(), 11).unwrap().entity(&demo).is_none());
}

#[test]
fn entity_changes_are_all_or_nothing_and_cycles_are_refused() {
    let snapshot = world(&bundle("", "entity Team in [Team]; entity User in [Team];", ""));
    let changes = [put("Team::\"a\"", &["Team::\"b\""]), put("Team::\"b\"", &["Team::\"a\""])];
    let errors = snapshot.with_entities(&changes, 9).unwrap_err();
    assert_eq!(errors.errors()[0].1, EntityError::Cycle);
    assert!(snapshot.entity(&uid("Team::\"a\"")).is_none());
    let own = snapshot.with_entities(&[put("Team::\"a\"", &["Team::\"a\""])], 9).unwrap_err();
    assert_eq!(own.errors()[0].1, EntityError::Cycle);
    let missing = [EntityChange::Delete(uid("User::\"none\""))];
    assert_eq!(snapshot.with_entities(&missing, 9).unwrap_err().errors()[0].1, EntityError::Missing);
}

#[test]
fn the_schema_in_force_is_printed_whole() {
    let text = load(&BundleSource::clinic()).unwrap().schema_text();
    for part in ["Wardkeep", "GenerateDataKey", "actFor", "entity Resource", "entity Service", "EncryptionContext"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("GrantRole") && !text.contains("Subject"), "{text}");
}
