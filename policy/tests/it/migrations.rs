//! What may become of a bound type when its bundle is replaced, kind of attribute by kind of attribute.
//!
//! A wrapped key carries the attributes it was made with. Whatever a new schema says of them is said of keys that are years
//! old: more may be told of new ones, and nothing else of old ones.

use wardkeep_policy::{BoundTypeDifference, BundleSource, EntityChange, FindingKind, Snapshot, Source};

use crate::harness::*;

const AROUND: &str = r#"
    entity Ward; entity Team; entity User; entity Service;
    action create, read appliesTo { principal: [User], resource: [Note] };
"#;

fn notes(declaration: &str) -> BundleSource {
    from("[resources.Note]\nsource = \"bound\"", declaration)
}

fn from(manifest: &str, declaration: &str) -> BundleSource {
    bundle(manifest, &format!("{AROUND}\n{declaration}"), "")
}

fn differences(old: &str, new: &str) -> Vec<BoundTypeDifference> {
    let (old, new) = (loaded(&notes(old)), loaded(&notes(new)));
    old.bound_type_changes(&new).into_iter().map(|change| change.difference).collect()
}

fn loaded(bundle: &BundleSource) -> Snapshot {
    load(bundle).unwrap_or_else(|errors| panic!("{errors}"))
}

fn retyped(name: &str) -> BoundTypeDifference {
    BoundTypeDifference::Retyped(name.to_owned())
}

#[test]
fn what_stays_the_same_may_be_written_otherwise() {
    for (old, new) in [
        ("entity Note = { a: String };", "entity Note = { a: String, };"),
        ("entity Note = { a: String, b: Long };", "entity Note = { b: Long, a: String };"),
        ("entity Note { a: String };", "entity Note = { a: String };"),
        // A name for a type is not the type.
        ("type Text = String; entity Note = { a: Text };", "entity Note = { a: String };"),
        ("entity Note = { a: { b: Long } };", "type Inner = { b: Long }; entity Note = { a: Inner };"),
        ("entity Note = { a: __cedar::String };", "entity Note = { a: String };"),
        ("entity Note in Ward = { a: String };", "entity Note in [Ward] = { a: String };"),
        ("entity Note in [Ward, Team];", "entity Note in [Team, Ward];"),
        ("entity Note;", "entity Note = {};"),
    ] {
        assert_eq!(differences(old, new), [], "{old} to {new}");
        assert_eq!(differences(new, old), [], "{new} to {old}");
    }
}

#[test]
fn what_is_added_must_be_optional() {
    let old = "entity Note = { a: String };";
    for more in ["b?: String", "b?: Set<User>", "b?: { c: Long }", "b?: ipaddr, d?: decimal"] {
        assert_eq!(differences(old, &format!("entity Note = {{ a: String, {more} }};")), [], "{more}");
    }
    let required = BoundTypeDifference::Required("b".into());
    assert_eq!(differences(old, "entity Note = { a: String, b: String };"), [required]);
    // The way back from an optional attribute loses it.
    let removed = BoundTypeDifference::Removed("b".into());
    assert_eq!(differences("entity Note = { a: String, b?: Long };", old), [removed]);
}

#[test]
fn every_kind_of_attribute_is_compared_to_its_depth() {
    let kinds = [
        "String",
        "Long",
        "Bool",
        "User",
        "Ward",
        "Set<String>",
        "Set<Long>",
        "Set<Set<String>>",
        "Set<User>",
        "{ b: String }",
        "{ b?: String }",
        "{ b: Long }",
        "{ c: String }",
        "{ b: String, c?: String }",
        "{ b: { d: String } }",
        "ipaddr",
        "decimal",
        "datetime",
        "duration",
    ];
    let declared = |kind: &str| format!("entity Note = {{ a: {kind} }};");
    let loaded: Vec<Snapshot> = kinds.iter().map(|kind| loaded(&notes(&declared(kind)))).collect();
    for (at, old) in loaded.iter().enumerate() {
        for (other, new) in loaded.iter().enumerate() {
            let found: Vec<_> = old.bound_type_changes(new).into_iter().map(|change| change.difference).collect();
            let wanted = if at == other { vec![] } else { vec![retyped("a")] };
            assert_eq!(found, wanted, "{} to {}", kinds[at], kinds[other]);
        }
    }
    // Between required and optional is a change in both directions.
    let (required, optional) = ("entity Note = { a: String };", "entity Note = { a?: String };");
    assert_eq!(differences(required, optional), [retyped("a")]);
    assert_eq!(differences(optional, required), [retyped("a")]);
}

#[test]
fn parents_may_be_added_and_not_lost_at_any_distance() {
    let (none, ward, both) = ("entity Note;", "entity Note in [Ward];", "entity Note in [Ward, Team];");
    assert_eq!(differences(none, ward), []);
    assert_eq!(differences(ward, both), []);
    assert_eq!(differences(both, ward), [BoundTypeDifference::Parent("Team".into())]);
    assert_eq!(differences(ward, none), [BoundTypeDifference::Parent("Ward".into())]);
    // Through another type: what stood above the ward no longer stands above the note.
    let around = |ward: &str| {
        let schema = AROUND.replace("entity Ward;", ward);
        bundle("[resources.Note]\nsource = \"bound\"", &format!("{schema} entity Note in [Ward];"), "")
    };
    let (high, low) = (loaded(&around("entity Ward in [Team];")), loaded(&around("entity Ward;")));
    let found: Vec<_> = high.bound_type_changes(&low).into_iter().map(|change| change.difference).collect();
    assert_eq!(found, [BoundTypeDifference::Parent("Team".into())]);
    assert!(low.bound_type_changes(&high).is_empty());
}

#[test]
fn every_difference_is_told_at_once_and_names_its_type() {
    let old = loaded(&notes("entity Note in [Ward] = { a: String, b: Long, c?: Bool };"));
    let errors = old.with_bundle(&notes("entity Note = { a: Long, c: Bool, d: Long };"), 2).expect_err("five changes");
    assert_eq!(errors.findings().len(), 5, "{errors}");
    for finding in errors.findings() {
        assert_eq!((finding.kind, finding.file.as_str()), (FindingKind::BoundType, "wardkeep.toml"));
        assert!(finding.message.contains("`Note`") && finding.hint.is_some(), "{finding}");
    }
}

#[test]
fn a_type_that_is_stored_changes_freely_and_one_that_was_bound_does_not_become_it() {
    let stored = |declaration: &str| from("[resources.Note]\nsource = \"stored\"", declaration);
    let old = loaded(&stored("entity Note = { a: String };"));
    assert!(old.with_bundle(&stored("entity Note = { b: Long };"), 2).is_ok());
    assert!(old.with_bundle(&notes("entity Note = { b: Long };"), 2).is_ok(), "none was ever bound");
    let bound = loaded(&notes("entity Note = { a: String };"));
    let next = loaded(&stored("entity Note = { a: String };"));
    assert_eq!(
        bound.bound_type_changes(&next).into_iter().map(|change| change.difference).collect::<Vec<_>>(),
        [BoundTypeDifference::Source(Source::Stored)]
    );
}

#[test]
fn each_bound_type_is_held_to_itself_alone() {
    let two = |note: &str, chart: &str| {
        let schema = AROUND.replace("resource: [Note]", "resource: [Note, Chart]");
        let manifest = "[resources.Note]\nsource = \"bound\"\n[resources.Chart]\nsource = \"bound\"";
        bundle(manifest, &format!("{schema} entity Note = {{ {note} }}; entity Chart = {{ {chart} }};"), "")
    };
    let old = loaded(&two("a: String", "a: Long"));
    assert_eq!(old.bound_types().collect::<Vec<_>>(), ["Chart", "Note"]);
    let new = loaded(&two("a: Long", "a: Long"));
    assert!(new.keeps_bound_type(&old, "Chart").is_ok() && new.keeps_bound_type(&old, "None").is_ok());
    let errors = new.keeps_bound_type(&old, "Note").expect_err("another type of attribute");
    assert!(errors.to_string().contains("attribute `a` changed its type"), "{errors}");
    assert!(
        loaded(&notes("entity Note = { a: String };")).keeps_bound_type(&old, "Chart").is_ok(),
        "not declared, not changed"
    );
}

#[test]
fn names_are_compared_where_they_resolve_to() {
    let spaced = |inner: &str| {
        bundle(
            "[resources.\"Clinic::Note\"]\nsource = \"bound\"",
            &format!(
                "entity User; entity Service; {inner}
                 namespace Clinic {{ entity Ward; entity Note = {{ at: Ward }};
                 action create, read appliesTo {{ principal: [User], resource: [Note] }}; }}"
            ),
            "",
        )
    };
    let old = loaded(&spaced(""));
    assert_eq!(old.bound_types().collect::<Vec<_>>(), ["Clinic::Note"]);
    assert!(old.bound_type_changes(&loaded(&spaced("entity Extra;"))).is_empty());
    // The same word, of another namespace.
    let mut other = spaced("entity Ward2;");
    other.schema = other.schema.replace("at: Ward ", "at: Ward2 ");
    assert_eq!(old.bound_type_changes(&loaded(&other)).len(), 1);
}

#[test]
fn stored_entities_follow_a_schema_that_they_fit_and_hold_back_one_that_they_do_not() {
    let schema = |user: &str| bundle("", &format!("entity Team; entity User {user};"), "");
    let base = loaded(&schema("in [Team] = { age?: Long }"));
    let mut ana = record("User::\"ana\"", &["Team::\"t\""]);
    ana.attributes.insert("age".to_owned(), 3.into());
    let held = base.with_entities(&[EntityChange::Put(ana.clone())], 2).unwrap();
    for (user, said) in [
        ("in [Team] = { age?: Long, name?: String }", None),
        ("in [Team] = { age: Long }", None),
        ("in [Team] = { age?: String }", Some("attribute `age` has the wrong type")),
        ("in [Team] = { name: String, age?: Long }", Some("attribute `name` is missing")),
        ("in [Team]", Some("unknown attribute `age`")),
        ("= { age?: Long }", Some("parent `Team::\"t\"` is not allowed")),
        ("enum [\"ana\"]", Some("enumeration")),
    ] {
        match (held.with_bundle(&schema(user), 3), said) {
            (Ok(next), None) => assert_eq!(next.entity(&ana.uid), Some(ana.clone()), "{user}"),
            (Err(errors), Some(said)) => assert!(errors.to_string().contains(said), "{user}: {errors}"),
            (other, _) => panic!("{user}: {:?}", other.map(|_| ())),
        }
    }
}
