//! An erring forbid counts as satisfied, an erring permit never grants; both are reported.

use wardkeep_model::KeyId;
use wardkeep_model::action::{DescribeKey, GenerateDataKey, UnwrapDataKey};
use wardkeep_policy::offline::{OfflineEngine, OfflineUid};
use wardkeep_policy::{OnError, Resource};

use crate::harness::*;

/// A policy that validates strictly and errs at run time: the missing key has no `usage`.
const ERRS: &str = r#"when { resource.usage == "wrap" }"#;

fn missing() -> KeyId {
    KeyId::parse("r/none").unwrap()
}

#[test]
fn an_erring_forbid_beside_a_permit_denies() {
    let rules = format!(
        r#"@id("yes") permit(principal, action, resource);
           @id("err") forbid(principal, action == Wardkeep::Action::"DescribeKey", resource) {ERRS};"#
    );
    let engine = engine(world(&bundle("", "", &rules)));
    let (ana, missing) = (caller("User::\"ana\""), missing());
    let denial = denied::<DescribeKey>(&engine, &ask(&ana, Resource::MissingKey(&missing), None));
    assert_eq!(denial.reason.as_str(), "forbidden");
    assert_eq!((denial.event.policies, denial.event.errors), (vec!["err".to_owned()], vec!["err".to_owned()]));
    // Another action is not touched by it.
    assert_eq!(outcome::<UnwrapDataKey>(&engine, &ask(&ana, Resource::MissingKey(&missing), None)), "allow");
}

#[test]
fn an_erring_permit_grants_nothing_and_takes_nothing() {
    let alone = format!(r#"@id("err") permit(principal, action == Wardkeep::Action::"DescribeKey", resource) {ERRS};"#);
    let ana = caller("User::\"ana\"");
    let missing = missing();
    let question = ask(&ana, Resource::MissingKey(&missing), None);
    let only = engine(world(&bundle("", "", &alone)));
    assert_eq!(denied::<DescribeKey>(&only, &question).event.errors, ["err"]);
    let beside = format!(r#"{alone} @id("yes") permit(principal, action, resource);"#);
    let both = engine(world(&bundle("", "", &beside)));
    let event = both.decide::<DescribeKey>(&question).unwrap_or_else(|_| panic!("denied")).into_event();
    assert_eq!((event.policies, event.errors), (vec!["yes".to_owned()], vec!["err".to_owned()]));
}

#[test]
fn an_overflow_in_a_forbid_denies() {
    let schema = "entity User = { age?: Long };";
    let rules = r#"@id("yes") permit(principal, action, resource);
                   @id("over") forbid(principal is User, action == Wardkeep::Action::"GenerateDataKey", resource)
                   when { principal has age && principal.age + 1 > 200 };"#;
    let snapshot = world(&bundle("", schema, rules));
    let mut old = record("User::\"ana\"", &[]);
    old.attributes.insert("age".to_owned(), wardkeep_model::Value::Long(i64::MAX));
    let snapshot = snapshot.with_entities(&[wardkeep_policy::EntityChange::Put(old)], 5).unwrap();
    let engine = engine(snapshot);
    let (ana, ben, key) = (caller("User::\"ana\""), caller("User::\"ben\""), facts("r/k"));
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ana, Resource::Key(&key), None)), "forbidden");
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ben, Resource::Key(&key), None)), "allow");
}

#[test]
fn off_line_both_meanings_can_be_had() {
    let policies = r#"permit(principal, action, resource);
        @id("err") forbid(principal, action, resource) when { principal.x == 1 };"#;
    let ask = |on_error| {
        let engine = OfflineEngine::new(None, policies, None, on_error).unwrap();
        let uid = |kind, id| OfflineUid { kind, id };
        let context = serde_json::json!({});
        engine.decide(uid("U", ""), uid("Action", "a\nb"), uid("R", "r"), &context, true).unwrap()
    };
    let deny = ask(OnError::Deny);
    assert_eq!((deny.allow, deny.reasons), (false, vec!["err".to_owned()]));
    assert_eq!(deny.errors[0].0, "err");
    assert!(deny.errors[0].1.contains("does not exist"), "{}", deny.errors[0].1);
    let skip = ask(OnError::Skip);
    assert_eq!((skip.allow, skip.reasons), (true, vec!["policy0".to_owned()]));
}

#[test]
fn off_line_findings_are_told_apart_from_what_does_not_parse() {
    let schema = "entity U, R; action a appliesTo { principal: [U], resource: [R] };";
    let engine = OfflineEngine::new(
        Some(schema),
        "permit(principal, action, resource)\nwhen { principal.x };",
        None,
        OnError::Deny,
    );
    let engine = engine.unwrap();
    assert_eq!(engine.findings().len(), 1);
    assert_eq!(engine.findings()[0].place.as_ref().map(|place| place.line), Some(2));
    let context = serde_json::json!({ "extra": 1 });
    let uid = |kind, id| OfflineUid { kind, id };
    assert!(engine.decide(uid("U", "u"), uid("Action", "a"), uid("R", "r"), &context, true).is_err());
    assert!(engine.decide(uid("U", "u"), uid("Action", "a"), uid("R", "r"), &context, false).is_ok());
    assert!(engine.decide(uid("U", "u"), uid("Action", "b"), uid("R", "r"), &serde_json::json!({}), true).is_err());
    assert!(engine.decide(uid("1U", "u"), uid("Action", "a"), uid("R", "r"), &serde_json::json!({}), false).is_err());
    assert!(OfflineEngine::new(None, "permit(principal", None, OnError::Deny).is_err());
    assert!(OfflineEngine::new(None, "", Some("{"), OnError::Deny).is_err());
    assert!(OfflineEngine::new(Some("entity"), "", None, OnError::Deny).is_err());
}
