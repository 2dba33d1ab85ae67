//! Rules that err, ask for what is not there, or leave a slot open: none of them grants, and none that forbids falls silent.

use wardkeep_model::action::{DescribeKey, Encrypt, GenerateDataKey, UnwrapDataKey};
use wardkeep_model::{Attributes, KeyId, Value};
use wardkeep_policy::{BundleSource, Engine, EntityChange, EntityRecord, FindingKind, Resource};

use crate::harness::*;

const SCHEMA: &str = r#"
    entity Team;
    entity Boss = { age: Long };
    entity User in [Team] = { age?: Long, boss?: Boss, peer?: User, name?: String, ip?: ipaddr, worth?: decimal, born?: datetime } tags String;
    entity Service;
"#;

/// Conditions that validate strictly and err for somebody: on an attribute of what does not exist, by overflow.
const ERRING: [(&str, &str); 6] = [
    ("a boss who is not there", "principal has boss && principal.boss.age > 3"),
    ("overflow", "principal has age && principal.age * 9223372036854775807 > 0"),
    ("overflow by a sum", "principal has age && principal.age + 9223372036854775807 > 0"),
    ("overflow by a sign", "principal has age && -(principal.age - 9223372036854775807 - 41) > 0"),
    ("overflow in the branch taken", "if principal has age then principal.age * 9223372036854775807 > 0 else false"),
    ("an error behind a true", "principal has age && (principal.age > 0 && principal.age * 9223372036854775807 > 0)"),
];

/// What is never evaluated does not err.
const QUIET: [(&str, &str, bool); 4] = [
    (
        "short circuit of an or",
        "principal has age && (principal.age > 0 || principal.age * 9223372036854775807 > 0)",
        true,
    ),
    (
        "short circuit of an and",
        "principal has age && principal.age < 0 && principal.age * 9223372036854775807 > 0",
        false,
    ),
    ("the branch not taken", "if principal has name then principal.name == \"x\" else true", true),
    ("an attribute that is not there", "principal has worth && principal.worth == decimal(\"1.0\")", false),
];

fn ana(attributes: &[(&str, Value)]) -> EntityRecord {
    let mut ana = record("User::\"ana\"", &[]);
    ana.attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    ana
}

fn engine_of(rules: &str) -> Engine {
    let snapshot = world(&bundle("", SCHEMA, rules));
    let ana = ana(&[("age", Value::Long(40)), ("boss", uid("Boss::\"gone\"").into())]);
    engine(snapshot.with_entities(&[EntityChange::Put(ana)], 5).unwrap())
}

fn describe(engine: &Engine, name: &str) -> &'static str {
    let (caller, key) = (caller(name), facts("r/k"));
    outcome::<DescribeKey>(engine, &ask(&caller, Resource::Key(&key), None))
}

#[test]
fn an_error_turns_a_permit_off_and_a_forbid_on() {
    for (what, condition) in ERRING {
        let permit = format!("@id(\"err\") permit(principal is User, action, resource) when {{ {condition} }};");
        assert_eq!(describe(&engine_of(&permit), "User::\"ana\""), "no-permit", "{what}");
        let forbid = format!(
            "@id(\"yes\") permit(principal, action, resource);
             @id(\"err\") forbid(principal is User, action, resource) when {{ {condition} }};"
        );
        assert_eq!(describe(&engine_of(&forbid), "User::\"ana\""), "forbidden", "{what}");
        assert_eq!(describe(&engine_of(&forbid), "User::\"ben\""), "allow", "{what}: nobody else's rule");
        // `unless` turns the condition round, and no error into a truth.
        let unless = format!("@id(\"err\") permit(principal is User, action, resource) unless {{ {condition} }};");
        assert_eq!(describe(&engine_of(&unless), "User::\"ana\""), "no-permit", "{what}, unless");
        let forbid_unless = format!(
            "@id(\"yes\") permit(principal, action, resource);
             @id(\"err\") forbid(principal is User, action, resource) unless {{ !({condition}) }};"
        );
        assert_eq!(describe(&engine_of(&forbid_unless), "User::\"ana\""), "forbidden", "{what}, forbid unless not");
    }
}

#[test]
fn what_is_not_evaluated_does_not_err() {
    for (what, condition, holds) in QUIET {
        let permit = format!("@id(\"p\") permit(principal is User, action, resource) when {{ {condition} }};");
        let wanted = if holds { "allow" } else { "no-permit" };
        assert_eq!(describe(&engine_of(&permit), "User::\"ana\""), wanted, "{what}");
        let forbid = format!(
            "@id(\"yes\") permit(principal, action, resource);
             @id(\"f\") forbid(principal is User, action, resource) when {{ {condition} }};"
        );
        let wanted = if holds { "forbidden" } else { "allow" };
        assert_eq!(describe(&engine_of(&forbid), "User::\"ana\""), wanted, "{what}");
    }
}

#[test]
fn the_error_is_in_the_record_and_names_the_rule() {
    let rules = format!(
        "@id(\"yes\") permit(principal, action, resource); @id(\"bad\") permit(principal is User, action, resource) when {{ {} }};",
        ERRING[0].1
    );
    let engine = engine_of(&rules);
    let (ana, key) = (caller("User::\"ana\""), facts("r/k"));
    let event = engine.decide::<DescribeKey>(&ask(&ana, Resource::Key(&key), None)).unwrap().into_event();
    assert_eq!((event.policies, event.errors), (vec!["yes".to_owned()], vec!["bad".to_owned()]));
}

#[test]
fn one_erring_permit_locks_nobody_out() {
    let mut rules = "@id(\"yes\") permit(principal, action, resource);".to_owned();
    for (at, (_, condition)) in ERRING.iter().enumerate() {
        rules.push_str(&format!("@id(\"e{at}\") permit(principal is User, action, resource) when {{ {condition} }};"));
    }
    assert_eq!(describe(&engine_of(&rules), "User::\"ana\""), "allow");
}

#[test]
fn a_key_that_is_not_there_has_no_labels_and_no_attributes() {
    let rules = r#"
        @id("team") permit(principal, action == Wardkeep::Action::"DescribeKey", resource)
        when { resource.hasTag("team") && resource.getTag("team") == "cards" };
        @id("usage") permit(principal, action == Wardkeep::Action::"Encrypt", resource) when { resource.usage == "wrap" };
        @id("not") permit(principal, action == Wardkeep::Action::"UnwrapDataKey", resource)
        unless { resource.hasTag("team") && resource.getTag("team") == "other" };"#;
    let engine = engine_of(rules);
    let (ana, missing, key) = (caller("User::\"ana\""), KeyId::parse("r/none").unwrap(), facts("r/k"));
    let (gone, there) = (ask(&ana, Resource::MissingKey(&missing), None), ask(&ana, Resource::Key(&key), None));
    assert_eq!(outcome::<DescribeKey>(&engine, &there), "allow");
    assert_eq!(outcome::<DescribeKey>(&engine, &gone), "no-permit");
    assert_eq!(outcome::<Encrypt>(&engine, &there), "allow");
    assert_eq!(outcome::<Encrypt>(&engine, &gone), "no-permit", "an error, and no grant");
    assert_eq!(outcome::<UnwrapDataKey>(&engine, &gone), "allow", "what the rule says of a key without labels");
}

#[test]
fn tags_are_asked_for_before_they_are_read() {
    for rules in [
        "permit(principal is User, action, resource) when { principal.getTag(\"a\") == \"x\" };",
        "permit(principal is User, action, resource) when { principal.hasTag(\"b\") && principal.getTag(\"a\") == \"x\" };",
        "permit(principal is User, action, resource) when { principal.getTag(\"a\") == \"x\" && principal.hasTag(\"a\") };",
        "permit(principal is User, action, resource) when { principal.hasTag(\"a\") || principal.getTag(\"a\") == \"x\" };",
        "permit(principal is User, action, resource) when { principal.age > 3 };",
        "permit(principal is User, action, resource) when { principal has age || principal.age > 3 };",
        "permit(principal, action, resource) when { principal has age && principal.age > \"3\" };",
        "permit(principal is User, action, resource) when { principal has peer && principal.peer.peer.name == \"x\" };",
    ] {
        let errors = load(&bundle("", SCHEMA, rules)).expect_err(rules);
        assert_eq!(errors.findings()[0].kind, FindingKind::Validation, "{rules}: {errors}");
    }
    let rules = r#"@id("t") permit(principal is User, action, resource)
        when { principal.hasTag("desk") && principal.getTag("desk") == "north" };"#;
    let snapshot = world(&bundle("", SCHEMA, rules));
    for (tags, wanted) in
        [(vec![], "no-permit"), (vec![("desk", "south")], "no-permit"), (vec![("desk", "north")], "allow")]
    {
        let tags: Attributes = tags.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect();
        let ana = EntityRecord { tags, ..ana(&[]) };
        let engine = engine(snapshot.with_entities(&[EntityChange::Put(ana)], 5).unwrap());
        assert_eq!(describe(&engine, "User::\"ana\""), wanted);
    }
}

#[test]
fn no_slot_is_left_open() {
    for rules in [
        "permit(principal == ?principal, action, resource);",
        "permit(principal, action, resource in ?resource);",
        "permit(principal in ?principal, action, resource == ?resource);",
        "forbid(principal == ?principal, action, resource);",
        "permit(principal is User in ?principal, action, resource);",
    ] {
        let errors = load(&bundle("", SCHEMA, rules)).expect_err(rules);
        assert_eq!(errors.findings()[0].kind, FindingKind::Syntax, "{errors}");
        assert!(errors.to_string().contains("template") && errors.to_string().contains("hint"), "{errors}");
    }
}

#[test]
fn extension_values_compare_and_do_not_grant_by_their_spelling() {
    let rules = r#"
        @id("ip") permit(principal is User, action == Wardkeep::Action::"DescribeKey", resource)
        when { principal has ip && principal.ip.isInRange(ip("10.0.0.0/8")) };
        @id("worth") permit(principal is User, action == Wardkeep::Action::"Encrypt", resource)
        when { principal has worth && principal.worth.greaterThan(decimal("1.50")) };
        @id("born") permit(principal is User, action == Wardkeep::Action::"GenerateDataKey", resource)
        when { principal has born && principal.born < datetime("2000-01-01") };"#;
    let snapshot = world(&bundle("", SCHEMA, rules));
    let value =
        |function: &str, argument: &str| Value::Extension { function: function.into(), argument: argument.into() };
    let (caller, key) = (caller("User::\"ana\""), facts("r/k"));
    for (attributes, wanted) in [
        (vec![("ip", value("ip", "10.2.3.4"))], ["allow", "no-permit", "no-permit"]),
        (vec![("ip", value("ip", "11.2.3.4"))], ["no-permit"; 3]),
        (vec![("ip", value("ip", "::ffff:a02:304"))], ["no-permit"; 3]),
        (vec![("worth", value("decimal", "1.5000"))], ["no-permit"; 3]),
        (vec![("worth", value("decimal", "1.5001"))], ["no-permit", "allow", "no-permit"]),
        (vec![("born", value("datetime", "1999-12-31T23:59:59.999Z"))], ["no-permit", "no-permit", "allow"]),
        (vec![("born", value("datetime", "2000-01-01T00:00:00Z"))], ["no-permit"; 3]),
    ] {
        let engine = engine(snapshot.with_entities(&[EntityChange::Put(ana(&attributes))], 5).unwrap());
        let question = ask(&caller, Resource::Key(&key), None);
        let said = [
            outcome::<DescribeKey>(&engine, &question),
            outcome::<Encrypt>(&engine, &question),
            outcome::<GenerateDataKey>(&engine, &question),
        ];
        assert_eq!(said, wanted, "{attributes:?}");
    }
}

#[test]
fn an_entity_that_is_deleted_grants_nothing_through_those_who_name_it() {
    let rules = r#"@id("old-boss") permit(principal is User, action, resource)
        when { principal has peer && principal.peer has age && principal.peer.age > 60 };"#;
    let mut boss = record("User::\"ben\"", &[]);
    boss.attributes.insert("age".to_owned(), Value::Long(61));
    let snapshot = world(&bundle("", SCHEMA, rules));
    let ana = ana(&[("peer", uid("User::\"ben\"").into())]);
    let with = snapshot.with_entities(&[EntityChange::Put(boss), EntityChange::Put(ana)], 5).unwrap();
    assert_eq!(describe(&engine(with.clone()), "User::\"ana\""), "allow");
    let without = with.with_entities(&[EntityChange::Delete(uid("User::\"ben\""))], 6).unwrap();
    assert_eq!(describe(&engine(without), "User::\"ana\""), "no-permit");
}

#[test]
fn a_bundle_is_as_long_as_it_may_be_and_no_longer() {
    let rules = "@id(\"yes\") permit(principal, action, resource);";
    let fits = |more: usize| {
        let mut bundle = bundle("", SCHEMA, rules);
        let rest = wardkeep_policy::MAX_BUNDLE - SCHEMA.len() - rules.len() - "rules.cedar".len() + more;
        bundle.policies.push((String::new(), " ".repeat(rest)));
        bundle
    };
    assert!(load(&fits(0)).is_ok());
    let errors = load(&fits(1)).expect_err("a byte too many");
    assert_eq!(errors.findings()[0].kind, FindingKind::TooLarge);
    assert!(errors.to_string().contains("8388609"), "{errors}");
    assert!(load(&BundleSource::default()).is_ok(), "and an empty one says nothing");
}
