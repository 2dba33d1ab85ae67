//! A user key is decided on and worded at one moment: attributes, rules and declarations that change between two issues,
//! across a restart, and under an issue's feet.
//!
//! Elsewhere the decision was taken on one read of the directory and the attributes on the next.

use std::sync::atomic::{AtomicUsize, Ordering};

use wardkeep_model::{KeyId, Value};
use wardkeep_policy::{Misfits, ProjectionError, Refusal, Resource, Snapshot, Stored};

use crate::harness::*;
use crate::issue::{ANA, MANIFEST, RULES, SCHEMA, ends, engine_of, issue, person};

#[test]
fn attributes_that_change_change_the_permit_and_the_key() {
    let engine = engine_of(RULES);
    let (ana, key) = (caller("User::\"ana\""), issuing("r/abe"));
    let question = ask(&ana, Resource::Key(&key), None);
    let (before, said) = issue(&engine, &question);
    let moved = person("User::\"ana\"", &[("dept", Value::from("surgery"))], &["Post::\"doctor\""]);
    engine.install(engine.snapshot().with_entities(&[moved], 8).unwrap());
    let (after, now) = issue(&engine, &question);
    assert_eq!((said.policy_version, now.policy_version), (7, 8));
    assert_eq!(now.attributes.to_string(), "dept = surgery, role = [doctor], user = ana");
    assert_ne!(before.binding(), after.binding(), "the old permit issues nothing of the new attributes");
    // The same attributes under other declarations are another key too.
    let wider = MANIFEST.replace("number(8)", "number(9)");
    let next = engine.snapshot().with_bundle(&bundle(&wider, SCHEMA, RULES), 9).unwrap();
    engine.install(next);
    let (redeclared, again) = issue(&engine, &question);
    assert_eq!(again.attributes, now.attributes);
    assert!(again.schema != now.schema && redeclared.binding() != after.binding());
    // And a bundle that declares no authority ends it, in words for the author.
    engine.install(engine.snapshot().with_bundle(&bundle("", SCHEMA, RULES), 10).unwrap());
    let Err(Refusal::NotIssuable(refused)) = engine.decide_issue(&question) else { panic!("issued") };
    assert_eq!(refused.error, ProjectionError::Undeclared { key: KeyId::parse("r/abe").unwrap() });
    assert!(refused.error.to_string().contains("[authorities.\"r/abe\"]"), "{}", refused.error);
}

#[test]
fn a_restart_says_what_was_said_before() {
    let engine = engine_of(RULES);
    let before = engine.snapshot();
    for reversed in [false, true] {
        let mut entities: Vec<_> = before.entities().cloned().collect();
        entities.sort_by(|one, other| one.uid.cmp(&other.uid));
        if reversed {
            entities.reverse();
        }
        let stored = Stored { entities, roles: Vec::new(), misfits: Misfits::Refuse };
        let (control, bundle) = (Snapshot::builtin_control_set(), bundle(MANIFEST, SCHEMA, RULES));
        let (after, aside) = Snapshot::restored(identity(), control, &bundle, stored, 7).unwrap();
        assert!(aside.is_empty());
        assert_eq!(ends(&crate::harness::engine(after), "User::\"ana\"", "User::\"ana\"").as_deref(), Ok(ANA));
    }
}

/// Rules and attributes change together, over and over. Whatever an issue meets, it meets both of one moment: in the one
/// world Ana is a doctor and gets keys, in the other she is none and gets none.
#[test]
fn no_issue_decides_on_one_moment_and_speaks_of_another() {
    let with = engine_of(RULES).snapshot();
    let left = person("User::\"ana\"", &[("dept", Value::from("gone"))], &[]);
    let without = with.with_entities(&[left], 8).unwrap();
    let without =
        without.with_bundle(&bundle(MANIFEST, SCHEMA, &RULES.replace("\"ben\" };", "\"ana\" };")), 8).unwrap();
    let engine = engine(Snapshot::clone(&with));
    let (ana, key) = (caller("User::\"ana\""), issuing("r/abe"));
    let asking = AtomicUsize::new(3);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while asking.load(Ordering::Relaxed) > 0 {
                engine.install(without.clone());
                engine.install(Snapshot::clone(&with));
            }
        });
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..200 {
                    match engine.decide_issue(&ask(&ana, Resource::Key(&key), None)) {
                        Ok((permit, projected)) => {
                            assert_eq!(projected.attributes.to_string(), ANA);
                            assert_eq!((permit.event().policy_version, projected.policy_version), (7, 7));
                        }
                        Err(Refusal::Denied(denied)) => assert_eq!(denied.event.policy_version, 8),
                        Err(other) => panic!("{other:?}"),
                    }
                }
                asking.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
}
