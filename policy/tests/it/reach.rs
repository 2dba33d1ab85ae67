//! Rules that look into keys and rings from afar, and so say nothing: refused when they are loaded.
//!
//! Cedar answers `has`, `hasTag` and `in` on an entity that is not there with *false*, not with an error. A forbid that
//! rests on the labels of a ring it names would therefore forbid nothing, with no sign of it anywhere.

use wardkeep_model::action::{DescribeKey, GenerateDataKey};
use wardkeep_policy::{BundleSource, EntityChange, FindingKind, Resource, Snapshot};

use crate::harness::*;

const SCHEMA: &str = r#"
    type Home = { ring: Wardkeep::Ring, note?: String };
    entity Team;
    entity User in [Team] = { home?: Wardkeep::Ring, desk?: Home, boss?: User, rings?: Set<Wardkeep::Ring> }
        tags Wardkeep::Ring;
    action create, read appliesTo { principal: [User], resource: [Note], context: { actor: Wardkeep::Actor } };
    entity Note = { author: User };
"#;

const MANIFEST: &str = "[resources.Note]\nsource = \"bound\"";

fn rule(condition: &str) -> BundleSource {
    let text = format!(
        "@id(\"ok\") permit(principal, action, resource);\n@id(\"blind\")\nforbid(principal is User, action in \
         [Wardkeep::Action::\"GenerateDataKey\", Wardkeep::Action::\"DescribeKey\"], resource)\nwhen {{ {condition} }};"
    );
    bundle(MANIFEST, SCHEMA, &text)
}

fn refused(condition: &str) {
    match load(&rule(condition)) {
        Ok(_) => panic!("taken: {condition}"),
        Err(errors) => {
            let finding = &errors.findings()[0];
            assert_eq!(finding.kind, FindingKind::Validation, "{condition}: {errors}");
            assert!(finding.message.contains("`blind`") && finding.message.contains("no decision sees"), "{errors}");
            assert_eq!(finding.place.as_ref().map(|place| place.line), Some(4), "{condition}: {errors}");
            assert!(finding.hint.as_ref().is_some_and(|hint| hint.contains("resource in")), "{errors}");
        }
    }
}

#[test]
fn a_literal_of_wardkeeps_is_a_name_and_nothing_else() {
    for condition in [
        r#"Wardkeep::Ring::"r".hasTag("frozen")"#,
        r#"Wardkeep::Ring::"r".hasTag("frozen") && Wardkeep::Ring::"r".getTag("frozen") == "yes""#,
        r#"Wardkeep::Key::"r/k".usage == "wrap""#,
        r#"Wardkeep::Key::"r/k" has usage"#,
        r#"Wardkeep::Key::"r/k" in Wardkeep::Ring::"r""#,
        r#"Wardkeep::Key::"r/k" in [Wardkeep::Ring::"r", Wardkeep::Ring::"s"]"#,
        r#"!(Wardkeep::Key::"r/k".exportable)"#,
        r#"(if resource == Wardkeep::Key::"r/k" then Wardkeep::Ring::"r" else Wardkeep::Ring::"s").hasTag("frozen")"#,
        r#"{ ring: Wardkeep::Ring::"r" }.ring.hasTag("frozen")"#,
        r#"resource == Wardkeep::Key::"r/k" && (true || Wardkeep::Ring::"r".hasTag("frozen")) && Wardkeep::Ring::"s".hasTag("x")"#,
    ] {
        refused(condition);
    }
}

#[test]
fn what_an_attribute_or_a_tag_names_is_a_name_as_well() {
    for condition in [
        r#"principal has home && principal.home.hasTag("frozen")"#,
        r#"principal has home && principal.home in Wardkeep::Ring::"r""#,
        r#"principal has desk && principal.desk.ring.hasTag("frozen")"#,
        r#"principal has boss && principal.boss has home && principal.boss.home.hasTag("frozen")"#,
        r#"principal.hasTag("main") && principal.getTag("main").hasTag("frozen")"#,
        r#"(if principal has home then principal.home else Wardkeep::Ring::"r").hasTag("frozen")"#,
    ] {
        refused(condition);
    }
}

#[test]
fn to_compare_a_name_is_as_good_as_ever() {
    for condition in [
        r#"resource in Wardkeep::Ring::"r""#,
        r#"resource in [Wardkeep::Ring::"r", Wardkeep::Ring::"s"]"#,
        r#"resource == Wardkeep::Key::"r/k""#,
        r#"[Wardkeep::Key::"r/k", Wardkeep::Key::"r/l"].contains(resource)"#,
        r#"principal has home && resource in principal.home"#,
        r#"principal has desk && resource in principal.desk.ring"#,
        r#"principal has rings && principal.rings.contains(Wardkeep::Ring::"r")"#,
        r#"principal.hasTag("main") && resource in principal.getTag("main")"#,
        r#"resource has usage && resource.usage == "wrap""#,
        r#"resource.hasTag("team") && resource.getTag("team") == "cards""#,
        r#"context has encryption && context.encryption.hasTag("purpose")"#,
        r#"principal in Team::"t""#,
        r#"principal in Wardkeep::Role::"operator""#,
        r#"principal has boss && principal.boss in Wardkeep::Role::"operator""#,
    ] {
        let loaded = load(&rule(condition));
        assert!(loaded.is_ok(), "{condition}: {}", loaded.unwrap_err());
    }
}

#[test]
fn the_shipped_rules_look_where_they_see() {
    for bundle in [BundleSource::starter(), BundleSource::dev(), BundleSource::clinic()] {
        load(&bundle).unwrap_or_else(|errors| panic!("{errors}"));
    }
    assert!(world(&BundleSource::starter()).with_control_set(Snapshot::builtin_control_set(), 9).is_ok());
}

#[test]
fn every_blind_rule_of_a_file_is_told_and_the_bundle_in_force_stays() {
    let rules = r#"
@id("one") forbid(principal, action, resource) when { Wardkeep::Ring::"a".hasTag("x") };
@id("good") permit(principal, action, resource);
@id("two") permit(principal, action, resource) when { Wardkeep::Key::"a/b" has usage };"#;
    let errors = load(&bundle("", "", rules)).unwrap_err();
    let mut said: Vec<&str> = errors.findings().iter().map(|finding| finding.message.as_str()).collect();
    said.sort_unstable();
    assert_eq!(said.len(), 2, "{errors}");
    assert!(said[0].contains("`one`") && said[1].contains("`two`"), "{errors}");
    let world = world(&BundleSource::starter());
    assert!(world.with_bundle(&bundle("", "", rules), 9).is_err());
    assert_eq!(world.manifest(), load(&BundleSource::starter()).unwrap().manifest());
}

/// What the rule above is for: names of ordinary entities are looked up, from wherever they are reached.
#[test]
fn ordinary_entities_that_a_rule_names_are_seen() {
    let schema = "entity Flag = { on: Bool }; entity User = { flag?: Flag } tags Flag;";
    let rules = r#"@id("yes") permit(principal, action, resource);
        @id("literal") forbid(principal, action == Wardkeep::Action::"DescribeKey", resource)
        when { Flag::"stop" has on && Flag::"stop".on };
        @id("tag") forbid(principal is User, action == Wardkeep::Action::"GenerateDataKey", resource)
        when { principal.hasTag("f") && principal.getTag("f") has on && principal.getTag("f").on };"#;
    let flag = |on: bool| {
        let mut flag = record("Flag::\"stop\"", &[]);
        flag.attributes.insert("on".to_owned(), on.into());
        let mut ana = record("User::\"ana\"", &[]);
        ana.tags.insert("f".to_owned(), uid("Flag::\"stop\"").into());
        vec![EntityChange::Put(flag), EntityChange::Put(ana)]
    };
    let (ana, key) = (caller("User::\"ana\""), facts("r/k"));
    for (on, wanted) in [(true, "forbidden"), (false, "allow")] {
        let engine = engine(world(&bundle("", schema, rules)).with_entities(&flag(on), 5).unwrap());
        let question = ask(&ana, Resource::Key(&key), None);
        assert_eq!(outcome::<DescribeKey>(&engine, &question), wanted, "a literal, {on}");
        assert_eq!(outcome::<GenerateDataKey>(&engine, &question), wanted, "a tag, {on}");
    }
}
