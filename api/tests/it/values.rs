//! Attribute values and contexts: lossless, closed, and never two readings of one text.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use wardkeep_api::context::Resource;
use wardkeep_api::{AttributeValue, Context, EntityRef, Problem};

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{0,5}", "__[a-z]{1,6}", ".{0,6}"]
}

fn values() -> impl Strategy<Value = AttributeValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AttributeValue::Bool),
        any::<i64>().prop_map(AttributeValue::Long),
        ".{0,8}".prop_map(AttributeValue::String),
        (".{0,4}", ".{0,4}").prop_map(|(kind, id)| AttributeValue::Entity(EntityRef { kind, id })),
        (".{0,4}", ".{0,4}").prop_map(|(function, argument)| AttributeValue::Extension { function, argument }),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::Set),
            prop::collection::btree_map(names(), inner, 0..4).prop_map(AttributeValue::Record),
        ]
    })
}

/// Whether a value says what its text would be taken for: a record that has an escape's name does not.
fn speakable(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::Set(items) => items.iter().all(speakable),
        AttributeValue::Record(fields) => fields
            .iter()
            .all(|(name, field)| !["__entity", "__extn", "__expr"].contains(&name.as_str()) && speakable(field)),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_read_as_it_was_written_or_not_at_all(value in values()) {
        let text = serde_json::to_string(&value).unwrap();
        match serde_json::from_str::<AttributeValue>(&text) {
            Ok(read) if speakable(&value) => prop_assert_eq!(read, value),
            Ok(read) => {
                let plain: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(serde_json::to_value(&read).unwrap(), plain, "another value of the same text");
            }
            Err(error) => prop_assert!(!speakable(&value), "{}: {}", error, text),
        }
    }

    #[test]
    fn no_json_becomes_another_value(json in "[\\[\\]{}\":,a-z0-9_ .-]{0,30}") {
        let Ok(plain) = serde_json::from_str::<Value>(&json) else { return Ok(()) };
        if let Ok(value) = serde_json::from_str::<AttributeValue>(&json) {
            prop_assert_eq!(serde_json::to_value(&value).unwrap(), plain);
        }
    }

    #[test]
    fn contexts_round_trip(
        members in prop::collection::btree_map("[a-z]{1,6}", ".{0,8}", 0..5),
        resource in prop::option::of(("[A-Z][a-z]{0,4}", ".{1,5}", prop::option::of(prop::collection::btree_map("[a-z]{1,3}", any::<i64>().prop_map(AttributeValue::Long), 0..3)), prop::option::of(0..3_usize))),
    ) {
        let resource = resource.map(|(kind, id, attributes, parents)| Resource {
            parents: parents.map(|count| vec![EntityRef { kind: kind.clone(), id: id.clone() }; count]),
            kind, id, attributes,
        });
        let mut members: BTreeMap<String, String> = members;
        members.remove("resource");
        let context = Context { members, resource };
        let text = serde_json::to_string(&context).unwrap();
        prop_assert_eq!(serde_json::from_str::<Context>(&text).unwrap(), context.clone());
        prop_assert_eq!(context.is_empty(), text == "{}");
    }
}

#[test]
fn an_escape_is_exact_at_any_depth() {
    for bad in [
        json!({"a": {"__entity": {"type": "U", "id": "x", "more": 1}}}),
        json!([{"__extn": {"fn": "ip"}}]),
        json!([[{"__extn": {"fn": "ip", "arg": 1}}]]),
        json!({"a": {"b": {"__expr": "true"}}}),
        json!({"__entity": null}),
        json!({"__entity": {"type": "U", "id": null}}),
        json!({"__extn": []}),
        json!({"a": 1.5}),
        json!({"a": [1, 2.0]}),
        json!({"a": null}),
        json!(18_446_744_073_709_551_615_u64),
    ] {
        assert!(serde_json::from_value::<AttributeValue>(bad.clone()).is_err(), "{bad}");
        assert!(serde_json::from_str::<AttributeValue>(&bad.to_string()).is_err(), "{bad}");
    }
}

#[test]
fn what_is_wrong_with_a_value_is_said_with_advice() {
    for (bad, said) in [
        ("1.5", "decimal"),
        ("9223372036854775808", "64 bits"),
        (r#"{"__expr":"x"}"#, "__entity"),
        (r#"{"__entity":{"type":"U","id":"a"},"x":1}"#, "stands alone"),
        (r#"{"a":1,"a":1}"#, "twice"),
    ] {
        let error = serde_json::from_str::<AttributeValue>(bad).unwrap_err().to_string();
        assert!(error.contains(said), "{bad}: {error}");
    }
    let error = serde_json::from_str::<Context>(r#"{"a":"1","a":"2"}"#).unwrap_err().to_string();
    assert!(error.contains("twice"), "{error}");
}

#[test]
fn deep_text_ends_in_an_error_and_not_in_a_stack() {
    for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000), format!("{}1{}", "[".repeat(200), "]".repeat(200))] {
        assert!(serde_json::from_str::<AttributeValue>(&deep).is_err());
    }
}

#[test]
fn a_problem_of_somebody_else_keeps_its_type() {
    for (kind, code) in [
        ("urn:wardkeep:problem:denied", "denied"),
        ("urn:wardkeep:problem:", ""),
        ("about:blank", "about:blank"),
        ("https://example.test/problem:denied", "https://example.test/problem:denied"),
    ] {
        let problem: Problem = serde_json::from_value(json!({"type": kind, "title": "t", "status": 400})).unwrap();
        assert_eq!(problem.code(), code);
    }
}

#[test]
fn a_record_keeps_the_names_it_has_and_their_order_says_nothing() {
    let one: AttributeValue = serde_json::from_str(r#"{"b":1,"a":{"d":[],"c":"x"},"":true}"#).unwrap();
    let two: AttributeValue = serde_json::from_str(r#"{"":true,"a":{"c":"x","d":[]},"b":1}"#).unwrap();
    assert_eq!(one, two);
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap());
}

#[test]
fn a_set_keeps_order_and_repetition() {
    let text = "[3,1,3,[],{\"a\":1}]";
    let set: AttributeValue = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&set).unwrap(), text, "what is bound into a key is bound byte for byte");
}

#[test]
fn a_context_names_its_record_once_and_by_an_object() {
    for (text, good) in [
        (r#"{"resource":{"type":"A","id":"1"}}"#, true),
        (r#"{"resource":{"id":"1","type":"A"}}"#, true),
        (r#"{"resource":{"type":"A","id":"1","attributes":{},"parents":[]}}"#, true),
        (r#"{"resource":null}"#, false),
        (r#"{"resource":"A"}"#, false),
        (r#"{"resource":{}}"#, false),
        (r#"{"resource":{"type":"A","id":"1","kind":"B"}}"#, false),
        (r#"{"resource":{"type":"A","type":"B","id":"1"}}"#, false),
        (r#"{"resource":{"type":"A","id":"1","parents":[{"type":"A"}]}}"#, false),
        (r#"{"resource":{"type":"A","id":"1","parents":{}}}"#, false),
        (r#"{"resource":{"type":"A","id":"1","attributes":[]}}"#, false),
        (r#"{"resource":{"type":"A","id":"1","attributes":{"a":1,"a":1}}}"#, false),
        (r#"{"Resource":{"type":"A","id":"1"}}"#, false),
        (r#"{"a":{"type":"A","id":"1"}}"#, false),
        (r#"{"a":true}"#, false),
    ] {
        assert_eq!(serde_json::from_str::<Context>(text).is_ok(), good, "{text}");
    }
}
