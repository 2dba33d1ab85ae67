//! Ways round release that must fail, as far as the engine stands in them.

use wardkeep_model::action::{Decrypt, Encrypt, GenerateDataKey, RewrapDataKey, Sign, UnwrapDataKey};
use wardkeep_model::{EncryptionContext, Value};
use wardkeep_policy::{BundleSource, EntityChange, Question, Resource};

use crate::harness::*;

const MANIFEST: &str = r#"
[resources.Note]
source = "bound"

[resources.Chart]
source = "stored"
protect = "file"
release = 'Action::"open"'
"#;

const SCHEMA: &str = r#"
    entity Team;
    entity Ward in [Team];
    entity Note in [Ward] = { author: User, level?: Long };
    entity Chart in [Ward] = { owner: User };
    entity User in [Team];
    action create, read appliesTo { principal: [User, Service], resource: [Note], context: { actor: Wardkeep::Actor } };
    action file, open appliesTo { principal: [User, Service], resource: [Chart], context: { actor: Wardkeep::Actor } };
"#;

const RULES: &str = r#"
    @id("keys") permit(principal, action in [Wardkeep::Action::"GenerateDataKey", Wardkeep::Action::"UnwrapDataKey",
        Wardkeep::Action::"RewrapDataKey", Wardkeep::Action::"Encrypt", Wardkeep::Action::"Decrypt", Wardkeep::Action::"Sign"],
        resource in Wardkeep::Ring::"r");
    @id("write") permit(principal is User, action in [Action::"create", Action::"file"], resource);
    @id("read-own") permit(principal, action == Action::"read", resource) when { resource.author == principal };
    @id("read-ward") permit(principal, action == Action::"read", resource in Team::"nurses") when { principal in Team::"nurses" };
    @id("open-own") permit(principal, action == Action::"open", resource) when { resource.owner == principal };
"#;

fn records() -> BundleSource {
    bundle(MANIFEST, SCHEMA, RULES)
}

fn note(author: &str) -> EncryptionContext {
    naming("Note::\"1\"", Some(&[("author", Value::Entity(uid(author)))]), None)
}

fn opens(engine: &wardkeep_policy::Engine, name: &str, context: &EncryptionContext) -> &'static str {
    let (caller, key) = (caller(name), facts("r/k"));
    outcome::<UnwrapDataKey>(engine, &ask(&caller, Resource::Key(&key), Some(context)))
}

#[test]
fn a_key_rule_alone_opens_no_record() {
    let engine = engine(world(&records()));
    assert_eq!(opens(&engine, "User::\"ana\"", &note("User::\"ana\"")), "allow");
    assert_eq!(opens(&engine, "User::\"ben\"", &note("User::\"ana\"")), "no-permit-on-record");
    let (ana, elsewhere) = (caller("User::\"ana\""), facts("other/k"));
    let own = note("User::\"ana\"");
    let question = ask(&ana, Resource::Key(&elsewhere), Some(&own));
    assert_eq!(outcome::<UnwrapDataKey>(&engine, &question), "no-permit", "nor a record rule without the key's");
}

#[test]
fn the_permit_carries_the_release_and_is_bound_to_the_very_context() {
    let engine = engine(world(&records()));
    let (ana, key, own) = (caller("User::\"ana\""), facts("r/k"), note("User::\"ana\""));
    let permit = engine.decide::<UnwrapDataKey>(&ask(&ana, Resource::Key(&key), Some(&own)));
    let permit = permit.unwrap_or_else(|_| panic!("denied"));
    assert_eq!(permit.release().map(|release| release.record.to_string()), Some("Note::\"1\"".to_owned()));
    let other = wardkeep_model::BindingDigest::new(&note("User::\"ben\""), None);
    assert!(permit.binding().is_some_and(|binding| *binding != other), "changed attributes are another context");
    let event = permit.into_event();
    assert_eq!(event.record.map(|(_, action)| action), Some("Action::\"read\"".to_owned()));
    assert_eq!(event.policies, ["keys", "read-own"]);
    let plainly = plain(&[]);
    let permit = engine.decide::<UnwrapDataKey>(&ask(&ana, Resource::Key(&key), Some(&plainly)));
    assert!(permit.unwrap_or_else(|_| panic!("denied")).release().is_none(), "no record named, no release");
}

#[test]
fn other_verbs_take_no_record() {
    let engine = engine(world(&records()));
    let (ana, key, own) = (caller("User::\"ana\""), facts("r/k"), note("User::\"ana\""));
    let question = ask(&ana, Resource::Key(&key), Some(&own));
    assert_eq!(outcome::<Decrypt>(&engine, &question), "resource-not-allowed");
    assert_eq!(outcome::<Encrypt>(&engine, &question), "resource-not-allowed");
    assert_eq!(outcome::<Sign>(&engine, &question), "resource-not-allowed");
    let permit = engine.decide::<RewrapDataKey>(&question).unwrap_or_else(|_| panic!("denied"));
    assert!(permit.release().is_none(), "rewrapping shows nothing and releases nothing");
    let compromised = Question { compromised: true, ..question };
    assert_eq!(outcome::<RewrapDataKey>(&engine, &compromised), "compromised-key");
}

#[test]
fn types_that_are_no_records_are_refused() {
    let engine = engine(world(&records()));
    for name in
        ["Unknown::\"1\"", "User::\"ana\"", "Wardkeep::Role::\"admin\"", "Wardkeep::Key::\"r/k\"", "Ward::\"w\""]
    {
        assert_eq!(opens(&engine, "User::\"ana\"", &naming(name, None, None)), "undeclared-resource-type", "{name}");
    }
}

#[test]
fn stored_records_are_judged_by_what_the_store_holds() {
    let mut chart = record("Chart::\"c\"", &[]);
    chart.attributes.insert("owner".to_owned(), Value::Entity(uid("User::\"ben\"")));
    let engine = engine(world(&records()).with_entities(&[EntityChange::Put(chart)], 5).unwrap());
    assert_eq!(opens(&engine, "User::\"ben\"", &naming("Chart::\"c\"", None, None)), "allow");
    assert_eq!(opens(&engine, "User::\"ana\"", &naming("Chart::\"c\"", None, None)), "no-permit-on-record");
    assert_eq!(opens(&engine, "User::\"ana\"", &naming("Chart::\"none\"", None, None)), "unknown-record");
    // The caller's own word for it is refused, empty or not.
    let claim = [("owner", Value::Entity(uid("User::\"ana\"")))];
    for context in [
        naming("Chart::\"c\"", Some(&claim), None),
        naming("Chart::\"c\"", Some(&[]), None),
        naming("Chart::\"c\"", None, Some(&[])),
        naming("Chart::\"c\"", None, Some(&["Ward::\"w\""])),
    ] {
        assert_eq!(opens(&engine, "User::\"ana\"", &context), "stored-type-with-attributes");
    }
}

#[test]
fn bound_attributes_must_fit_the_schema() {
    let engine = engine(world(&records()));
    let ana = Value::Entity(uid("User::\"ana\""));
    for attributes in [
        vec![],
        vec![("author", Value::from("ana"))],
        vec![("author", Value::Entity(uid("Ward::\"w\"")))],
        vec![("author", Value::Entity(uid("Stranger::\"w\"")))],
        vec![("author", ana.clone()), ("admin", Value::from(true))],
        vec![("author", ana.clone()), ("level", Value::from("3"))],
        vec![("author", ana.clone()), ("level", Value::Extension { function: "decimal".into(), argument: "x".into() })],
    ] {
        let context = naming("Note::\"1\"", Some(&attributes), None);
        assert_eq!(opens(&engine, "User::\"ana\"", &context), "bound-attributes-invalid", "{attributes:?}");
    }
    assert_eq!(opens(&engine, "User::\"ana\"", &naming("Note::\"1\"", None, None)), "bound-attributes-invalid");
}

#[test]
fn bound_parents_count_through_the_store_but_never_into_wardkeep() {
    let changes = [put("Ward::\"w\"", &["Team::\"nurses\""]), put("User::\"ana\"", &["Team::\"nurses\""])];
    let engine = engine(world(&records()).with_entities(&changes, 5).unwrap());
    let author = [("author", Value::Entity(uid("User::\"ben\"")))];
    let in_ward = naming("Note::\"1\"", Some(&author), Some(&["Ward::\"w\""]));
    assert_eq!(opens(&engine, "User::\"ana\"", &in_ward), "allow");
    let nowhere = naming("Note::\"1\"", Some(&author), None);
    assert_eq!(opens(&engine, "User::\"ana\"", &nowhere), "no-permit-on-record");
    for parent in ["Wardkeep::Role::\"admin\"", "Wardkeep::Ring::\"r\"", "User::\"root\"", "Note::\"1\"", "X::\"1\""] {
        let context = naming("Note::\"1\"", Some(&author), Some(&[parent]));
        assert_eq!(opens(&engine, "User::\"ana\"", &context), "bound-attributes-invalid", "{parent}");
    }
}

#[test]
fn making_a_data_key_asks_the_protect_action() {
    let engine = engine(world(&records()));
    let (key, own) = (facts("r/k"), note("User::\"ana\""));
    let (ana, app) = (caller("User::\"ana\""), caller("Service::\"app\""));
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ana, Resource::Key(&key), Some(&own))), "allow");
    let denial = denied::<GenerateDataKey>(&engine, &ask(&app, Resource::Key(&key), Some(&own)));
    assert_eq!(denial.reason.as_str(), "no-permit-on-record");
    assert_eq!(denial.event.record.map(|(_, action)| action), Some("Action::\"create\"".to_owned()));
    assert!(denial.event.policies.is_empty(), "the key's permit did not determine a denial");
    let chart = naming("Chart::\"none\"", None, None);
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ana, Resource::Key(&key), Some(&chart))), "unknown-record");
}

#[test]
fn policies_that_look_through_references_see_what_they_reach() {
    let schema = "entity Org = { head: User }; entity Doc = { org: Org };
        entity User = { boss?: User };
        action create, read appliesTo { principal: [User], resource: [Doc] };";
    let rules = r#"
        @id("keys") permit(principal, action == Wardkeep::Action::"UnwrapDataKey", resource);
        @id("head") permit(principal, action == Action::"read", resource)
        when { resource.org.head has boss && resource.org.head.boss == principal };"#;
    let bundle = bundle("[resources.Doc]\nsource = \"bound\"", schema, rules);
    let mut org = record("Org::\"o\"", &[]);
    org.attributes.insert("head".to_owned(), Value::Entity(uid("User::\"ben\"")));
    let mut ben = record("User::\"ben\"", &[]);
    ben.attributes.insert("boss".to_owned(), Value::Entity(uid("User::\"ana\"")));
    let snapshot = world(&bundle).with_entities(&[EntityChange::Put(org), EntityChange::Put(ben)], 5).unwrap();
    let engine = engine(snapshot);
    let context = naming("Doc::\"1\"", Some(&[("org", Value::Entity(uid("Org::\"o\"")))]), None);
    assert_eq!(opens(&engine, "User::\"ana\"", &context), "allow");
    assert_eq!(opens(&engine, "User::\"ben\"", &context), "no-permit-on-record");
}

/// Policies were validated for the principals that the schema names, and Cedar's evaluator looks at none of them.
#[test]
fn who_the_schema_keeps_from_an_action_gets_no_record_by_a_rule_for_everybody() {
    let schema = SCHEMA.replace(
        "action create, read appliesTo { principal: [User, Service]",
        "action create appliesTo { principal: [User], resource: [Note], context: { actor: Wardkeep::Actor } };
         action read appliesTo { principal: [User]",
    );
    let rules = r#"@id("all") permit(principal, action, resource);"#;
    let engine = engine(world(&bundle(MANIFEST, &schema, rules)));
    assert_eq!(opens(&engine, "User::\"ben\"", &note("User::\"ana\"")), "allow");
    assert_eq!(opens(&engine, "Service::\"app\"", &note("User::\"ana\"")), "no-permit-on-record");
    let (key, app, own) = (facts("r/k"), caller("Service::\"app\""), note("User::\"ana\""));
    let denial = denied::<GenerateDataKey>(&engine, &ask(&app, Resource::Key(&key), Some(&own)));
    assert_eq!(denial.reason.as_str(), "no-permit-on-record");
    assert!(denial.event.policies.is_empty(), "the key's permit did not determine a denial");
    assert_eq!(denial.event.record.map(|(_, action)| action), Some("Action::\"create\"".to_owned()));
    // It is the subject that counts: a service that acts for a user reads as that user, and never a user as a service.
    let acts =
        [("Service::\"app\"", "User::\"ben\"", "allow"), ("User::\"ben\"", "Service::\"app\"", "no-permit-on-record")];
    for (actor, subject, wanted) in acts {
        let caller = acting(actor, subject);
        assert_eq!(
            outcome::<UnwrapDataKey>(&engine, &ask(&caller, Resource::Key(&key), Some(&own))),
            wanted,
            "{actor}"
        );
    }
}
