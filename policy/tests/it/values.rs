//! Values out of Cedar's JSON: every bit kept, every escape exact, and nothing read as what it is not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use wardkeep_model::attribute::MAX_DEPTH;
use wardkeep_model::{EntityUid, Value};
use wardkeep_policy::json::{JsonError, attributes, value};

/// Cedar's JSON of a value, written once more.
fn written(value: &Value) -> Json {
    match value {
        Value::Bool(truth) => json!(truth),
        Value::Long(number) => json!(number),
        Value::String(text) => json!(text),
        Value::Entity(uid) => json!({"__entity": {"type": uid.kind(), "id": uid.id()}}),
        Value::Set(items) => Json::Array(items.iter().map(written).collect()),
        Value::Record(fields) => {
            Json::Object(fields.iter().map(|(name, field)| (name.clone(), written(field))).collect())
        }
        Value::Extension { function, argument } => json!({"__extn": {"fn": function, "arg": argument}}),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Long),
        ".{0,8}".prop_map(Value::String),
        ("[A-Z][a-z]{0,4}", "[^\\p{Cc}]{1,6}")
            .prop_map(|(kind, id)| Value::Entity(EntityUid::new(&kind, &id).unwrap())),
        ("[a-z]{0,5}", ".{0,5}").prop_map(|(function, argument)| Value::Extension { function, argument }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Set),
            prop::collection::btree_map("[a-z]{0,4}", inner, 0..4).prop_map(Value::Record),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_read_as_it_was_written(one in values()) {
        let text = written(&one).to_string();
        prop_assert_eq!(value(&serde_json::from_str(&text).unwrap()), Ok(one));
    }

    #[test]
    fn no_json_makes_the_reader_fail(text in "[\\[\\]{}\":,a-z0-9_ .-]{0,40}") {
        if let Ok(json) = serde_json::from_str::<Json>(&text) && let Ok(read) = value(&json) {
            prop_assert_eq!(written(&read), json);
        }
    }
}

#[test]
fn numbers_are_whole_or_refused() {
    for (text, read) in [
        ("0", Some(0)),
        ("-0", None),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("1.0", None),
        ("1e2", None),
        ("1E0", None),
    ] {
        let json: Json = serde_json::from_str(text).unwrap();
        assert_eq!(value(&json), read.map(Value::Long).ok_or(JsonError::Scalar), "{text}");
    }
}

#[test]
fn depth_is_counted_through_sets_and_records_alike() {
    let nest = |depth: usize, record: bool| {
        (1..depth).fold(json!(1), |inner, _| if record { json!({ "a": inner }) } else { json!([inner]) })
    };
    for record in [false, true] {
        for (depth, good) in [(1, true), (MAX_DEPTH - 1, true), (MAX_DEPTH, true), (MAX_DEPTH + 1, false), (500, false)]
        {
            let read = value(&nest(depth, record));
            assert_eq!(read.is_ok(), good, "{depth}");
            assert!(good || read == Err(JsonError::Depth));
            assert_eq!(attributes(Some(&json!({"x": nest(depth, record)}))).is_ok(), good);
        }
    }
}

#[test]
fn attributes_are_an_object_or_nothing() {
    assert_eq!(attributes(None), Ok(BTreeMap::new()));
    assert_eq!(attributes(Some(&json!({}))), Ok(BTreeMap::new()));
    for other in [json!(null), json!([]), json!("a"), json!(1)] {
        assert_eq!(attributes(Some(&other)), Err(JsonError::Shape), "{other}");
    }
    // At the top an escape's name is a name like any other, and its value is read as a value.
    let odd = attributes(Some(&json!({"__entity": {"type": "U", "id": "a"}}))).unwrap();
    assert!(matches!(&odd["__entity"], Value::Record(fields) if fields.len() == 2));
}
