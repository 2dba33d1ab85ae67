//! The canonical form of an encryption context, as somebody who looks for two contexts that share their bytes.
//!
//! The bytes stand in every AAD, label and tag. If two contexts shared them, a key made for one would open under the other.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use wardkeep_model::attribute::MAX_DEPTH;
use wardkeep_model::context::{ContextError, MAX_CANONICAL, MAX_MEMBERS, RESOURCE_MEMBER};
use wardkeep_model::{Attributes, BindingDigest, EncryptionContext, EntityUid, Fingerprint, ResourceBinding, Value};

/// Reads the canonical bytes back, by docs/formats.md and nothing of ours.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        *first
    }

    fn count(&mut self) -> usize {
        let bytes: [u8; 4] = self.0[..4].try_into().unwrap();
        self.0 = &self.0[4..];
        u32::from_be_bytes(bytes) as usize
    }

    fn text(&mut self) -> String {
        let len = self.count();
        let text = String::from_utf8(self.0[..len].to_vec()).unwrap();
        self.0 = &self.0[len..];
        text
    }

    fn entity(&mut self) -> EntityUid {
        let (kind, id) = (self.text(), self.text());
        EntityUid::new(&kind, &id).unwrap()
    }

    fn fields(&mut self) -> Attributes {
        (0..self.count()).map(|_| (self.text(), self.value())).collect()
    }

    fn value(&mut self) -> Value {
        match self.byte() {
            1 => Value::Bool(self.byte() == 1),
            2 => {
                let bytes: [u8; 8] = self.0[..8].try_into().unwrap();
                self.0 = &self.0[8..];
                Value::Long(i64::from_be_bytes(bytes))
            }
            3 => Value::String(self.text()),
            4 => Value::Entity(self.entity()),
            5 => Value::Set((0..self.count()).map(|_| self.value()).collect()),
            6 => Value::Record(self.fields()),
            7 => Value::Extension { function: self.text(), argument: self.text() },
            other => panic!("tag {other}"),
        }
    }

    fn context(mut self) -> (BTreeMap<String, String>, Option<ResourceBinding>) {
        assert_eq!(self.byte(), 1, "the version of the form");
        let members = (0..self.count()).map(|_| (self.text(), self.text())).collect();
        let resource = (self.byte() == 1).then(|| {
            let entity = self.entity();
            let attributes = (self.byte() == 1).then(|| self.fields());
            let parents = (self.byte() == 1).then(|| (0..self.count()).map(|_| self.entity()).collect());
            ResourceBinding { entity, attributes, parents }
        });
        assert!(self.0.is_empty(), "nothing is left over");
        (members, resource)
    }
}

fn uids() -> impl Strategy<Value = EntityUid> {
    ("[A-Z][a-z]{0,4}", "[a-z\"\\\\]{1,6}").prop_map(|(kind, id)| EntityUid::new(&kind, &id).unwrap())
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Long),
        ".{0,8}".prop_map(Value::String),
        uids().prop_map(Value::Entity),
        ("[a-z]{1,5}", ".{0,5}").prop_map(|(function, argument)| Value::Extension { function, argument }),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Set),
            prop::collection::btree_map("[a-z]{0,4}", inner, 0..4).prop_map(Value::Record),
        ]
    })
}

fn resources() -> impl Strategy<Value = ResourceBinding> {
    let attributes = prop::option::of(prop::collection::btree_map("[a-z]{0,4}", values(), 0..4));
    (uids(), attributes, prop::option::of(prop::collection::vec(uids(), 0..4)))
        .prop_map(|(entity, attributes, parents)| ResourceBinding { entity, attributes, parents })
}

type Parts = (BTreeMap<String, String>, Option<ResourceBinding>);

fn parts() -> impl Strategy<Value = Parts> {
    let members = prop::collection::btree_map("[a-z]{1,6}", ".{0,12}", 0..6)
        .prop_filter("reserved", |members| !members.contains_key(RESOURCE_MEMBER));
    (members, prop::option::of(resources()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// A form that can be read back is one that no other context has.
    #[test]
    fn the_form_holds_the_whole_context(parts in parts()) {
        let context = EncryptionContext::new(parts.0.clone(), parts.1.clone()).unwrap();
        prop_assert_eq!(Reader(context.canonical()).context(), parts.clone());
        prop_assert_eq!((context.members().clone(), context.resource().cloned()), parts);
    }

    #[test]
    fn the_digest_is_the_documented_one(parts in parts(), key in prop::option::of(prop::collection::vec(any::<u8>(), 0..40))) {
        let context = EncryptionContext::new(parts.0, parts.1).unwrap();
        let recipient = key.map(|der| Fingerprint::of_spki(&der));
        let mut input = b"wardkeep binding v1".to_vec();
        match &recipient {
            None => input.push(0),
            Some(recipient) => {
                input.push(1);
                input.extend_from_slice(recipient.as_bytes());
            }
        }
        input.extend_from_slice(context.canonical());
        let digest = BindingDigest::new(&context, recipient.as_ref());
        prop_assert_eq!(digest.as_bytes(), &<[u8; 32]>::from(Sha256::digest(&input)));
    }

    #[test]
    fn another_context_is_another_digest(one in parts(), other in parts()) {
        let (a, b) = (EncryptionContext::new(one.0.clone(), one.1.clone()).unwrap(), EncryptionContext::new(other.0.clone(), other.1.clone()).unwrap());
        prop_assert_eq!(BindingDigest::new(&a, None) == BindingDigest::new(&b, None), one == other);
    }
}

#[test]
fn members_are_counted_and_bounded() {
    let members =
        |count: usize| -> BTreeMap<String, String> { (0..count).map(|n| (format!("m{n}"), String::new())).collect() };
    for (count, good) in [(0, true), (1, true), (MAX_MEMBERS - 1, true), (MAX_MEMBERS, true), (MAX_MEMBERS + 1, false)]
    {
        let made = EncryptionContext::new(members(count), None);
        assert_eq!(made.err(), (!good).then_some(ContextError::TooManyMembers { count }), "{count}");
    }
}

#[test]
fn the_form_ends_at_its_bound() {
    // Version, count, two lengths, a name of one byte and the tag of no record.
    let fixed = 1 + 4 + 4 + 1 + 4 + 1;
    for (len, good) in [(MAX_CANONICAL - 1, true), (MAX_CANONICAL, true), (MAX_CANONICAL + 1, false)] {
        let members = BTreeMap::from([("m".to_owned(), "x".repeat(len - fixed))]);
        match EncryptionContext::new(members, None) {
            Ok(context) => assert!(good && context.canonical().len() == len),
            Err(error) => assert!(!good && error == ContextError::TooLong { len }, "{error}"),
        }
    }
    let wide = ResourceBinding {
        entity: EntityUid::new("Note", "1").unwrap(),
        attributes: None,
        parents: Some(vec![EntityUid::new("Team", &"t".repeat(256)).unwrap(); 40]),
    };
    assert!(matches!(EncryptionContext::new(BTreeMap::new(), Some(wide)), Err(ContextError::TooLong { .. })));
}

#[test]
fn nesting_ends_at_its_bound() {
    let nested = |depth: usize| (1..depth).fold(Value::Long(1), |inner, _| Value::Set(vec![inner]));
    for (depth, good) in [(1, true), (MAX_DEPTH - 1, true), (MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
        let attributes =
            Attributes::from([("plain".to_owned(), Value::Bool(true)), ("deep".to_owned(), nested(depth))]);
        let entity = EntityUid::new("Note", "1").unwrap();
        let resource = ResourceBinding { entity, attributes: Some(attributes), parents: None };
        let made = EncryptionContext::new(BTreeMap::new(), Some(resource));
        assert_eq!(made.err(), (!good).then_some(ContextError::TooDeep), "{depth}");
    }
}

#[test]
fn reserved_and_nameless_members_are_refused() {
    for (name, error) in [(RESOURCE_MEMBER, ContextError::ReservedMember), ("", ContextError::EmptyName)] {
        let members = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        let said = EncryptionContext::new(members, None).unwrap_err();
        assert_eq!(said, error);
        assert!(said.to_string().contains("member"), "{said}");
    }
    for near in ["Resource", "resource ", "resources", "res\u{00f6}urce"] {
        assert!(EncryptionContext::new(BTreeMap::from([(near.to_owned(), "x".to_owned())]), None).is_ok(), "{near}");
    }
}

#[test]
fn the_empty_context_is_the_default_one() {
    let (made, default) = (EncryptionContext::new(BTreeMap::new(), None).unwrap(), EncryptionContext::default());
    assert_eq!(made, default);
    assert_eq!(default.canonical(), [1, 0, 0, 0, 0, 0]);
}

/// Ways in which careless forms have run together, each a context of its own here.
#[test]
fn neighbours_never_share_their_bytes() {
    let entity = |kind: &str, id: &str| EntityUid::new(kind, id).unwrap();
    let plain =
        |members: &[(&str, &str)]| (members.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), None);
    let record = |attributes: Option<Attributes>, parents: Option<Vec<EntityUid>>| {
        (BTreeMap::new(), Some(ResourceBinding { entity: entity("R", "1"), attributes, parents }))
    };
    let with = |value: Value| record(Some(Attributes::from([("a".to_owned(), value)])), None);
    let all: Vec<Parts> = vec![
        plain(&[]),
        plain(&[("a", "bc")]),
        plain(&[("ab", "c")]),
        plain(&[("abc", "")]),
        plain(&[("a", ""), ("b", "c")]),
        plain(&[("a", "b\0c")]),
        record(None, None),
        record(Some(Attributes::new()), None),
        record(None, Some(vec![])),
        record(Some(Attributes::new()), Some(vec![])),
        record(None, Some(vec![entity("A", "bc"), entity("D", "e")])),
        record(None, Some(vec![entity("D", "e"), entity("A", "bc")])),
        record(None, Some(vec![entity("Ab", "c"), entity("D", "e")])),
        with(Value::Set(vec![])),
        with(Value::Record(BTreeMap::new())),
        with(Value::Set(vec![Value::Set(vec![]), Value::Set(vec![])])),
        with(Value::Set(vec![Value::Set(vec![Value::Set(vec![])])])),
        with(Value::Set(vec![Value::Long(1), Value::Long(2)])),
        with(Value::Set(vec![Value::Long(2), Value::Long(1)])),
        with(Value::Set(vec![Value::Long(1), Value::Long(1)])),
        with(Value::Set(vec![Value::Long(1)])),
        with(Value::String(String::new())),
        with(Value::Bool(false)),
        with(Value::Long(0)),
        with(Value::Long(-1)),
        with(Value::Extension { function: "ip".into(), argument: "1".into() }),
        with(Value::Extension { function: "i".into(), argument: "p1".into() }),
        with(Value::Entity(entity("A", "b"))),
    ];
    let forms: BTreeSet<Vec<u8>> = all
        .iter()
        .map(|(members, resource)| {
            EncryptionContext::new(members.clone(), resource.clone()).unwrap().canonical().to_vec()
        })
        .collect();
    assert_eq!(forms.len(), all.len());
}

#[test]
fn a_fingerprint_is_the_hash_of_the_key_and_prints_as_hexadecimal() {
    let print = Fingerprint::of_spki(b"key");
    assert_eq!(print.as_bytes(), &<[u8; 32]>::from(Sha256::digest(b"key")));
    let text = print.to_string();
    assert!(text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()), "{text}");
    assert_eq!(format!("{print:?}"), text);
    let digest = BindingDigest::new(&EncryptionContext::default(), None);
    assert_eq!(format!("{digest:?}").len(), 64);
}
