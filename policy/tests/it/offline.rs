//! Answers without a server: what `wardkeep policy decide` takes, and what it says of what it does not take.

use serde_json::{Value, json};
use wardkeep_policy::offline::{OfflineEngine, OfflineError, OfflineUid};
use wardkeep_policy::{FindingKind, OnError};

const SCHEMA: &str = r#"
    entity Team; entity User in [Team] = { age?: Long }; entity Note = { author: User };
    action read, write appliesTo { principal: [User], resource: [Note], context: { mfa: Bool, level?: Long } };
"#;

fn uid<'a>(kind: &'a str, id: &'a str) -> OfflineUid<'a> {
    OfflineUid { kind, id }
}

fn engine(schema: Option<&str>, rules: &str, entities: Option<&str>) -> OfflineEngine {
    OfflineEngine::new(schema, rules, entities, OnError::Deny).unwrap_or_else(|errors| panic!("{errors}"))
}

fn refused(
    engine: &OfflineEngine,
    who: OfflineUid<'_>,
    what: OfflineUid<'_>,
    on: OfflineUid<'_>,
    context: Value,
) -> OfflineError {
    engine.decide(who, what, on, &context, true).expect_err("decided")
}

#[test]
fn a_request_that_does_not_fit_is_refused_with_its_reason() {
    let engine = engine(Some(SCHEMA), "permit(principal, action, resource);", None);
    let (ana, read, note) = (uid("User", "ana"), uid("Action", "read"), uid("Note", "1"));
    assert!(engine.decide(ana, read, note, &json!({"mfa": true}), true).unwrap().allow);
    assert!(engine.decide(ana, read, note, &json!({"mfa": true, "level": 3}), true).unwrap().allow);
    for context in [
        json!({}),
        json!({"mfa": 1}),
        json!({"mfa": true, "more": 1}),
        json!({"mfa": null}),
        json!([]),
        json!("x"),
        json!({"mfa": true, "level": 1.5}),
    ] {
        let error = refused(&engine, ana, read, note, context.clone());
        assert!(matches!(error, OfflineError::Context { .. } | OfflineError::Request { .. }), "{context}: {error}");
        assert!(
            error.to_string().starts_with("the context does not parse") || error.to_string().contains("does not fit"),
            "{error}"
        );
    }
    let good = || json!({"mfa": true});
    for (who, what, on) in [
        (uid("Team", "t"), read, note),
        (ana, uid("Action", "burn"), note),
        (ana, read, uid("User", "ana")),
        (uid("Ghost", "g"), read, note),
    ] {
        let error = refused(&engine, who, what, on, good());
        assert!(
            matches!(error, OfflineError::Request { .. } | OfflineError::Context { .. }),
            "{who:?} {what:?} {on:?}: {error}"
        );
    }
    for kind in ["", "1User", "User::", "Us er", "User\"", "__cedar::User"] {
        let error = refused(&engine, uid(kind, "x"), read, note, good());
        assert!(matches!(&error, OfflineError::Type { kind: told, .. } if told == kind), "{kind:?}: {error}");
        assert!(error.to_string().contains("is not an entity type"), "{error}");
    }
}

#[test]
fn unvalidated_a_request_may_be_about_anything() {
    let engine = engine(Some(SCHEMA), "permit(principal is Ghost, action, resource) when { context has odd };", None);
    let answer =
        engine.decide(uid("Ghost", ""), uid("Action", "burn"), uid("X", "\n"), &json!({"odd": [1, "a"]}), false);
    assert!(answer.unwrap().allow);
    assert!(engine.decide(uid("Ghost", "g"), uid("Action", "burn"), uid("X", "x"), &json!({"n": 1.5}), false).is_err());
}

#[test]
fn a_schema_is_read_in_both_syntaxes_and_says_the_same() {
    let as_json = json!({"": {
        "entityTypes": {"User": {"shape": {"type": "Record", "attributes": {"age": {"type": "Long", "required": false}}}}, "Note": {}},
        "actions": {"read": {"appliesTo": {"principalTypes": ["User"], "resourceTypes": ["Note"]}}}
    }})
    .to_string();
    let as_cedar =
        "entity User = { age?: Long }; entity Note; action read appliesTo { principal: [User], resource: [Note] };";
    let rules = "permit(principal, action, resource) when { principal has age && principal.age > 3 };\npermit(principal, action, resource) when { principal.agee };";
    let entities = r#"[{"uid":{"type":"User","id":"ana"},"attrs":{"age":4},"parents":[]}]"#;
    for schema in [as_json.as_str(), as_cedar, &format!("\n  {as_json}")] {
        let engine = engine(Some(schema), rules, Some(entities));
        assert_eq!(engine.findings().len(), 1, "{schema}");
        assert_eq!(engine.findings()[0].place.as_ref().map(|place| place.line), Some(2));
        assert_eq!(engine.entity_count(), 1);
        let answer =
            engine.decide(uid("User", "ana"), uid("Action", "read"), uid("Note", "1"), &json!({}), true).unwrap();
        assert_eq!((answer.allow, answer.reasons), (true, vec!["policy0".to_owned()]));
        assert_eq!(answer.errors.len(), 1, "the rule that does not validate errs, and is told");
    }
}

#[test]
fn rules_are_named_by_their_id_or_their_place() {
    let rules = r#"permit(principal, action, resource); @id("mine") permit(principal, action, resource);
        permit(principal, action, resource); @id("no") forbid(principal == U::"eve", action, resource);"#;
    let engine = engine(None, rules, None);
    let ask = |who| engine.decide(uid("U", who), uid("Action", "a"), uid("R", "r"), &json!({}), true).unwrap();
    assert_eq!(ask("ana").reasons, ["policy0", "mine", "policy2"]);
    assert_eq!((ask("eve").allow, ask("eve").reasons), (false, vec!["no".to_owned()]));
}

#[test]
fn no_rule_and_no_permit_are_a_denial_without_a_reason() {
    for rules in
        ["", "forbid(principal, action, resource) when { false };", "permit(principal == U::\"x\", action, resource);"]
    {
        let answer = engine(None, rules, None)
            .decide(uid("U", "u"), uid("Action", "a"), uid("R", "r"), &json!({}), true)
            .unwrap();
        assert_eq!((answer.allow, answer.reasons.len(), answer.errors.len()), (false, 0, 0), "{rules}");
    }
}

#[test]
fn everything_that_does_not_parse_is_told_at_once() {
    let errors = OfflineEngine::new(Some("entity"), "permit(", Some("["), OnError::Deny).expect_err("all three");
    let kinds: Vec<FindingKind> = errors.findings().iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Schema, FindingKind::Syntax, FindingKind::Entity]);
    let files: Vec<&str> = errors.findings().iter().map(|finding| finding.file.as_str()).collect();
    assert_eq!(files, ["schema", "policies", "entities"]);
    for entities in
        [r#"[{"uid":{"type":"User","id":"a"},"attrs":{"age":"x"},"parents":[]}]"#, r#"[{"uid":"User"}]"#, "null"]
    {
        let errors = OfflineEngine::new(Some(SCHEMA), "", Some(entities), OnError::Deny).expect_err(entities);
        assert_eq!(errors.findings()[0].kind, FindingKind::Entity, "{errors}");
    }
}

#[test]
fn integers_keep_every_bit_on_their_way_in() {
    let rules = "permit(principal, action, resource) when { context.n == 9007199254740993 && resource.n == 9223372036854775807 };";
    let entities = r#"[{"uid":{"type":"R","id":"r"},"attrs":{"n":9223372036854775807},"parents":[]}]"#;
    let engine = engine(None, rules, Some(entities));
    let context: Value = serde_json::from_str(r#"{"n":9007199254740993}"#).unwrap();
    let near: Value = serde_json::from_str(r#"{"n":9007199254740992}"#).unwrap();
    let ask =
        |context: &Value| engine.decide(uid("U", "u"), uid("Action", "a"), uid("R", "r"), context, true).unwrap().allow;
    assert!(ask(&context) && !ask(&near));
}
