//! `!=` over open text: 32 bits of a hash decide. Whoever finds two texts with one hash must be shut out, not let in.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::dyadic;
use crate::label::{HASH_BITS, Maker};

/// The maker of labels of `region`, as issue and policy use it.
fn with_region<T>(then: impl FnOnce(&Maker<'_>) -> T) -> T {
    let schema = schema();
    let shape = schema.get("region").unwrap().shape();
    then(&Maker { scope: &SCOPE, namespace: Namespace::Attribute, shape: &shape, name: "region" })
}

fn key(region: &str) -> Vec<Label> {
    let schema = schema();
    let mut attributes = Attributes::new();
    attributes.insert(&schema, "region", region).unwrap();
    attributes.labels(&schema, &SCOPE, Namespace::Attribute).unwrap()
}

fn asked(region: &str) -> Gate {
    let schema = schema();
    formula(&format!("region != {}", crate::syntax::Quoted(region)))
        .gate(&schema, &SCOPE, Namespace::Attribute)
        .unwrap()
}

#[test]
fn two_texts_with_one_hash_shut_each_other_out() {
    // A collision of 32 bits takes about 77 000 texts: an attacker has it in a moment, and it helps him nothing.
    let (one, other) = with_region(|maker| {
        let mut seen: HashMap<u64, u32> = HashMap::new();
        (0..2_000_000u32)
            .find_map(|n| seen.insert(maker.hash(&format!("r{n}")), n).map(|earlier| (earlier, n)))
            .expect("some two of two million texts collide in 32 bits")
    });
    let (one, other) = (format!("r{one}"), format!("r{other}"));
    assert_ne!(one, other);
    let labels = key(&one);
    assert!(
        !asked(&other).satisfied(&|label| labels.contains(label)),
        "{one} and {other} collide: the key is shut out"
    );
    assert!(asked("elsewhere").satisfied(&|label| labels.contains(label)));
    // Equality is of the text itself, which no collision fools.
    let schema = schema();
    let equal = formula(&format!("region = {other}")).gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
    assert!(!equal.satisfied(&|label| labels.contains(label)));
}

#[test]
fn the_key_of_every_text_has_33_labels_and_the_question_32() {
    assert_eq!(key("north").len(), 33);
    assert_eq!(asked("north").rows(), 32);
    let lens: Vec<u32> = with_region(|maker| {
        dyadic::prefixes(maker.hash("north"), u32::from(HASH_BITS)).iter().map(|prefix| prefix.len).collect()
    });
    assert_eq!(lens, (0..=32).collect::<Vec<_>>());
    // The empty prefix, which all texts would share, is in no key: what is left of every length is one label.
    let prefixes: Vec<String> = key("north").iter().map(Label::describe).filter(|text| text.contains("hash")).collect();
    let mut lens: Vec<usize> =
        prefixes.iter().map(|text| text.trim_start_matches("region: hash prefix ").find('/').unwrap()).collect();
    lens.sort_unstable();
    assert_eq!(lens, (1..=32).collect::<Vec<_>>());
}

#[test]
fn a_hash_of_another_name_or_version_answers_nothing() {
    let schema = Schema::parse("region: text negatable\nother: text negatable").unwrap();
    let policy = Formula::parse("region != north", &schema).unwrap();
    let gate = policy.gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
    let held = |text: &str, scope: &Scope| {
        Attributes::parse(text, &schema).unwrap().labels(&schema, scope, Namespace::Attribute).unwrap()
    };
    let right = held("region = south", &SCOPE);
    assert!(gate.satisfied(&|label| right.contains(label)));
    for wrong in [held("other = south", &SCOPE), held("region = south", &Scope { version: 2, ..SCOPE })] {
        assert!(!gate.satisfied(&|label| wrong.contains(label)));
    }
}

proptest! {
    #[test]
    fn exactly_one_prefix_answers(one in "[a-zé ]{1,8}", other in "[a-zé ]{1,8}") {
        let labels = key(&one);
        let gate = asked(&other);
        let hits = gate.labels().iter().filter(|label| labels.contains(label)).count();
        let same = with_region(|maker| maker.hash(&crate::syntax::text(&one).unwrap()) == maker.hash(&crate::syntax::text(&other).unwrap()));
        prop_assert_eq!(hits, usize::from(!same));
    }
}
