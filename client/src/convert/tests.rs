//! Contexts on their way through JSON: byte for byte the same on the other side, or refused.
//!
//! The canonical form is what a data key is bound to: a context that came back as another would open nothing, and one
//! that came back as somebody else's would open theirs.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn rich() -> EncryptionContext {
    let uid = |text| EntityUid::parse(text).unwrap();
    let record = BTreeMap::from([("deep".to_owned(), Value::Set(vec![Value::Long(i64::MIN), Value::Bool(true)]))]);
    let attributes = BTreeMap::from([
        ("patient".to_owned(), Value::Entity(uid("Patient::\"p1\""))),
        ("kind".to_owned(), Value::from("vital")),
        ("more".to_owned(), Value::Record(record)),
        ("score".to_owned(), Value::Extension { function: "decimal".into(), argument: "1.5".into() }),
    ]);
    let resource = ResourceBinding {
        entity: uid("Observation::\"o1\""),
        attributes: Some(attributes),
        parents: Some(vec![uid("Chart::\"c\"")]),
    };
    EncryptionContext::new(BTreeMap::from([("purpose".to_owned(), "ż\n".to_owned())]), Some(resource)).unwrap()
}

#[test]
fn a_context_comes_back_byte_for_byte() {
    for context in [EncryptionContext::default(), rich()] {
        let json = serde_json::to_vec(&context_to_wire(&context)).unwrap();
        let back = context_from_wire(serde_json::from_slice(&json).unwrap()).unwrap();
        assert_eq!(back.canonical(), context.canonical());
    }
}

#[test]
fn absent_and_empty_bindings_stay_apart() {
    let entity = EntityUid::parse("Note::\"n\"").unwrap();
    let bound = |attributes, parents| {
        let resource = ResourceBinding { entity: entity.clone(), attributes, parents };
        let context = EncryptionContext::new(BTreeMap::new(), Some(resource)).unwrap();
        context_from_wire(context_to_wire(&context)).unwrap().canonical().to_vec()
    };
    assert_ne!(bound(None, None), bound(Some(BTreeMap::new()), None));
    assert_ne!(bound(None, None), bound(None, Some(Vec::new())));
}

#[test]
fn names_that_cannot_be_are_refused() {
    let mut wire = context_to_wire(&rich());
    wire.resource.as_mut().unwrap().kind = "not a type".to_owned();
    assert!(matches!(context_from_wire(wire), Err(WireContextError::Id(_))));
    let mut wire = context_to_wire(&rich());
    wire.members.insert("resource".to_owned(), "x".to_owned());
    assert!(matches!(context_from_wire(wire), Err(WireContextError::Context(_))));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Long),
        "\\PC{0,12}".prop_map(Value::String),
        "[A-Z][a-z]{0,6}".prop_map(|kind| Value::Entity(EntityUid::new(&kind, "x\"y").unwrap())),
        Just(Value::Extension { function: "decimal".into(), argument: "1.5".into() }),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Set),
            proptest::collection::btree_map("[a-z]{1,6}", inner, 0..4).prop_map(Value::Record),
        ]
    })
}

fn any_context() -> impl Strategy<Value = EncryptionContext> {
    let members = proptest::collection::btree_map("[a-z]{1,8}x", "\\PC{0,20}", 0..4);
    let attributes = proptest::option::of(proptest::collection::btree_map("[a-z]{1,8}", value(), 0..4));
    let parents = proptest::option::of(proptest::collection::vec("[a-z]{1,5}", 0..3));
    let id = "[a-z]{1,10}";
    let resource = proptest::option::of((id, attributes, parents));
    (members, resource).prop_filter_map("a context within its bounds", |(members, resource)| {
        let resource = resource.map(|(id, attributes, parents)| ResourceBinding {
            entity: EntityUid::new("Note", &id).unwrap(),
            attributes,
            parents: parents.map(|ids| ids.iter().map(|id| EntityUid::new("Chart", id).unwrap()).collect()),
        });
        EncryptionContext::new(members, resource).ok()
    })
}

proptest! {
    #[test]
    fn every_context_comes_back_byte_for_byte(context in any_context()) {
        let json = serde_json::to_vec(&context_to_wire(&context)).unwrap();
        let back = context_from_wire(serde_json::from_slice(&json).unwrap()).unwrap();
        prop_assert_eq!(back.canonical(), context.canonical());
        prop_assert_eq!(&back, &context);
        // And once more: what came back is written as what was sent.
        prop_assert_eq!(serde_json::to_vec(&context_to_wire(&back)).unwrap(), json);
    }

    #[test]
    fn contexts_that_differ_stay_apart(one in any_context(), other in any_context()) {
        let wire = |context| serde_json::to_vec(&context_to_wire(context)).unwrap();
        prop_assert_eq!(one.canonical() == other.canonical(), wire(&one) == wire(&other));
    }
}

#[test]
fn refusals_say_what_is_wrong() {
    let mut wire = context_to_wire(&rich());
    wire.resource.as_mut().unwrap().parents.as_mut().unwrap()[0].kind = "1".to_owned();
    let said = context_from_wire(wire).unwrap_err().to_string();
    assert!(said.contains("the context names an entity that cannot be"), "{said}");
    assert!(WireContextError::Json.to_string().contains("not the JSON"));
}
