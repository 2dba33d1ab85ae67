//! Attribute values, words, actions, callers and events: what other rooms take for granted about them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wardkeep_model::action::{DescribeKey, GrantRole, Target};
use wardkeep_model::{
    Action, ActionName, AuditEvent, Caller, CertificateSerial, Decision, EntityUid, EventDetail, KeySpec, KeyState,
    KeyUsage, PolicySet, RequestId, Timestamp, Value,
};

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::new(kind, id).unwrap()
}

/// Depth by walking, without recursion of ours.
fn depth(value: &Value) -> usize {
    let (mut deepest, mut open) = (0, vec![(value, 1)]);
    while let Some((value, at)) = open.pop() {
        deepest = deepest.max(at);
        match value {
            Value::Set(items) => open.extend(items.iter().map(|item| (item, at + 1))),
            Value::Record(fields) => open.extend(fields.values().map(|field| (field, at + 1))),
            _ => {}
        }
    }
    deepest
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::String)
    ];
    leaf.prop_recursive(6, 32, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Set),
            prop::collection::btree_map("[a-z]{1,2}", inner, 0..3).prop_map(Value::Record),
        ]
    })
}

proptest! {
    #[test]
    fn depth_is_how_far_one_can_walk(value in values()) {
        prop_assert_eq!(value.depth(), depth(&value));
    }

    #[test]
    fn values_are_in_one_order(mut all in prop::collection::vec(values(), 0..12)) {
        all.sort();
        prop_assert!(all.is_sorted());
        let once: BTreeSet<Value> = all.iter().cloned().collect();
        all.dedup();
        prop_assert_eq!(once.into_iter().collect::<Vec<_>>(), all);
    }
}

#[test]
fn values_come_from_what_they_are() {
    assert_eq!(Value::from("a"), Value::String("a".into()));
    assert_eq!(Value::from(i64::MIN), Value::Long(i64::MIN));
    assert_eq!(Value::from(false), Value::Bool(false));
    assert_eq!(Value::from(uid("U", "a")), Value::Entity(uid("U", "a")));
    assert_ne!(Value::from("1"), Value::from(1), "text is no number");
}

#[test]
fn words_are_told_apart_and_read_back() {
    fn check<T: Copy + PartialEq + std::fmt::Debug>(
        all: &[T],
        word: fn(T) -> &'static str,
        read: fn(&str) -> Option<T>,
    ) {
        let words: BTreeSet<&str> = all.iter().map(|value| word(*value)).collect();
        assert_eq!(words.len(), all.len());
        for value in all {
            let text = word(*value);
            assert_eq!(read(text), Some(*value));
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{text}");
            for near in [
                text.to_uppercase(),
                format!(" {text}"),
                format!("{text} "),
                text.replace('-', "_") + "_",
                String::new(),
            ] {
                assert_eq!(read(&near), None, "{near:?}");
            }
        }
    }
    check(KeySpec::ALL, KeySpec::as_str, KeySpec::from_word);
    check(KeyUsage::ALL, KeyUsage::as_str, KeyUsage::from_word);
    check(KeyState::ALL, KeyState::as_str, KeyState::from_word);
    assert_eq!(
        (KeySpec::Rsa3072.to_string(), KeyState::PreActivation.to_string()),
        ("rsa-3072".into(), "pre-activation".into())
    );
}

#[test]
fn a_spec_has_the_usages_of_the_service_description_and_no_others() {
    use KeySpec::{Aes256Gcm, EcP256, Ed25519, FabeoBls12381, Rsa3072, Rsa4096};
    use KeyUsage::{Encrypt, Issue, Sign, Wrap};
    let allowed = [
        (Aes256Gcm, Wrap),
        (Aes256Gcm, Encrypt),
        (Rsa3072, Wrap),
        (Rsa3072, Sign),
        (Rsa4096, Wrap),
        (Rsa4096, Sign),
        (EcP256, Sign),
        (Ed25519, Sign),
        (FabeoBls12381, Issue),
    ];
    for spec in KeySpec::ALL {
        for usage in KeyUsage::ALL {
            assert_eq!(spec.allows(*usage), allowed.contains(&(*spec, *usage)), "{spec} {usage}");
        }
    }
}

#[test]
fn an_action_is_the_same_as_a_type_and_as_a_name() {
    assert_eq!(<DescribeKey as Action>::NAME, ActionName::DescribeKey);
    assert_eq!(<GrantRole as Action>::NAME.as_str(), "GrantRole");
    let names: BTreeSet<&str> = ActionName::ALL.iter().map(|name| name.as_str()).collect();
    assert_eq!(names.len(), ActionName::ALL.len());
    for name in ActionName::ALL {
        let words = name.as_str();
        assert!(
            words.starts_with(|c: char| c.is_ascii_uppercase()) && words.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{words}"
        );
    }
}

#[test]
fn every_verb_on_keys_is_the_bundles_and_every_verb_on_people_is_the_control_sets() {
    for name in ActionName::ALL {
        let wanted = match name.target() {
            Target::Key | Target::Ring => Some(PolicySet::Data),
            Target::Role | Target::Identity => Some(PolicySet::Control),
            Target::System => None,
        };
        assert!(wanted.is_none_or(|set| set == name.set()), "{name:?}");
    }
    let data_on_system: Vec<_> = ActionName::ALL
        .iter()
        .filter(|name| name.target() == Target::System && name.set() == PolicySet::Data)
        .collect();
    assert_eq!(data_on_system, [&ActionName::GenerateRandom]);
}

#[test]
fn a_caller_acts_for_another_only_where_it_is_another() {
    let serial = CertificateSerial::parse("ab").unwrap();
    let request = RequestId::new("r").unwrap();
    let caller = Caller::itself(uid("Service", "app"), Some(serial.clone()), request.clone());
    assert!(!caller.acts_for_another() && caller.actor() == caller.subject());
    let acting = caller.clone().on_behalf_of(uid("User", "ana"));
    assert!(acting.acts_for_another());
    assert_eq!((acting.actor(), acting.subject()), (&uid("Service", "app"), &uid("User", "ana")));
    assert_eq!((acting.serial(), acting.request()), (Some(&serial), &request), "the credentials stay the actor's");
    assert!(!caller.on_behalf_of(uid("Service", "app")).acts_for_another(), "oneself by name");
    let same_id = Caller::itself(uid("User", "ana"), None, request).on_behalf_of(uid("Patient", "ana"));
    assert!(same_id.acts_for_another(), "one id, two entities");
}

#[test]
fn an_event_keeps_what_it_was_and_gains_what_it_is_told() {
    let event = AuditEvent {
        time: Timestamp::from_millis(1),
        actor: uid("User", "ana"),
        subject: uid("User", "ana"),
        action: "DescribeKey".into(),
        resource: uid("Wardkeep::Key", "r/k"),
        record: None,
        decision: Decision::Allow,
        policies: vec!["p".into()],
        errors: Vec::new(),
        policy_version: 3,
        outcome: "ok",
        request: RequestId::new("r").unwrap(),
        serial: None,
        detail: Vec::new(),
    };
    let told = event.clone().with(EventDetail::Reason, "why").with(EventDetail::Count, "2").with_outcome("denied");
    assert_eq!((told.outcome, told.detail.len()), ("denied", 2));
    assert_eq!(told.detail[0], (EventDetail::Reason, "why".to_owned()));
    assert_eq!((told.policies, told.policy_version, event.outcome), (vec!["p".to_owned()], 3, "ok"));
    assert_eq!((Decision::Allow.as_str(), Decision::Deny.as_str()), ("allow", "deny"));
}

#[test]
fn the_fields_of_an_event_have_names_of_their_own() {
    let names: BTreeMap<&str, EventDetail> = EventDetail::ALL.iter().map(|field| (field.as_str(), *field)).collect();
    assert_eq!(names.len(), EventDetail::ALL.len());
    assert!(names.keys().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
}
