//! From an entity to what a user key says: exactly its facts, each in the one form that both sides compare alike, or a
//! refusal that names the attribute.
//!
//! Elsewhere a level of 300 became 44 in eight bits, a missing department satisfied `!= surgery`, and two names that
//! look alike were one attribute.

use std::sync::LazyLock;

use proptest::prelude::*;
use wardkeep_model::{Attributes, EntityUid, KeyId, Value};
use wardkeep_policy::{Engine, EntityChange, EntityRecord, ProjectionError, Refusal, Resource, Snapshot};

use crate::harness::*;

const SCHEMA: &str = r#"
    entity Team in [Team];
    entity Ward in [Team];
    entity User in [Team, Ward] = {
        dept?: String, level?: Long, active?: Bool, born?: datetime, hired?: String, boss?: User,
        tags?: Set<String>, ranks?: Set<Long>, sites?: Set<Ward>, days?: Set<datetime>, balance?: Long,
    };
    entity Service;
"#;
const RULES: &str = r#"@id("all") permit(principal, action, resource);"#;

/// One attribute at a time, and what it is.
fn declaring(attributes: &str) -> Snapshot {
    let manifest =
        format!("[authorities.\"r/abe\"]\nsubjects = [\"User\"]\n[authorities.\"r/abe\".attributes]\n{attributes}");
    load(&bundle(&manifest, SCHEMA, RULES)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn ana(attributes: &[(&str, Value)], parents: &[&str]) -> EntityRecord {
    let mut ana = record("User::\"ana\"", parents);
    ana.attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    ana
}

fn with(snapshot: &Snapshot, ana: EntityRecord) -> Engine {
    engine(snapshot.with_entities(&[EntityChange::Put(ana)], 5).unwrap())
}

fn says(engine: &Engine) -> Result<String, ProjectionError> {
    let (caller, key) = (caller("User::\"ana\""), issuing("r/abe"));
    match engine.decide_issue(&ask(&caller, Resource::Key(&key), None)) {
        Ok((_permit, projected)) => Ok(projected.attributes.to_string()),
        Err(Refusal::NotIssuable(refused)) => Err(refused.error),
        Err(other) => panic!("{other:?}"),
    }
}

fn extension(function: &str, argument: &str) -> Value {
    Value::Extension { function: function.to_owned(), argument: argument.to_owned() }
}

fn texts(items: &[&str]) -> Value {
    Value::Set(items.iter().map(|item| Value::from(*item)).collect())
}

/// Declaration, attribute, value, and the list it comes to; each beside `user`, so that no key is empty.
#[test]
fn values_become_what_they_are() {
    let long = |numbers: &[i64]| Value::Set(numbers.iter().copied().map(Value::Long).collect());
    let day = |text: &str| extension("datetime", text);
    for (declare, attribute, value, wanted) in [
        ("text", "dept", Value::from("Ear, nose"), "x = \"Ear, nose\""),
        ("text", "dept", Value::from("3"), "x = \"3\""),
        ("text", "dept", Value::from("2026-11-21"), "x = \"2026-11-21\""),
        ("text", "dept", Value::from("a = b, role = admin"), "x = \"a = b, role = admin\""),
        ("enum(a, b)", "dept", Value::from("a"), "x = a"),
        ("enum(a, b) negatable", "dept", Value::from("b"), "x = b"),
        ("number(8)", "level", Value::from(0), "x = 0"),
        ("number(8)", "level", Value::from(255), "x = 255"),
        ("number(64, signed)", "balance", Value::from(i64::MIN), "x = -9223372036854775808"),
        ("number(63)", "balance", Value::from(i64::MAX), "x = 9223372036854775807"),
        ("text", "active", Value::from(true), "x = true"),
        ("enum(true, false)", "active", Value::from(false), "x = false"),
        ("date", "born", day("2026-02-28"), "x = 2026-02-28"),
        ("date", "born", day("2024-02-29T00:00:00Z"), "x = 2024-02-29"),
        ("date", "born", day("2024-02-29T00:00:00.000Z"), "x = 2024-02-29"),
        ("date", "hired", Value::from("1999-12-31"), "x = 1999-12-31"),
        ("text", "boss", uid("User::\"ben\"").into(), "x = ben"),
        ("text set", "tags", texts(&["b", "a", "b"]), "x = [a, b]"),
        ("text set", "tags", texts(&[]), "x = []"),
        ("enum(a, b, c) set negatable", "tags", texts(&["c"]), "x = [c]"),
        ("number(4) set", "ranks", long(&[15, 0, 15]), "x = [0, 15]"),
        ("text set", "sites", Value::Set(vec![uid("Ward::\"w\"").into()]), "x = [w]"),
        ("date set", "days", Value::Set(vec![day("2026-01-01"), day("2026-01-01T00:00:00Z")]), "x = [2026-01-01]"),
    ] {
        let attributes = format!(
            "x = {{ declare = '{declare}', attribute = \"{attribute}\" }}\nuser = {{ declare = \"text\", id = true }}"
        );
        let snapshot = declaring(&attributes);
        let engine = with(&snapshot, ana(&[(attribute, value)], &[]));
        let wanted = format!("user = ana, {wanted}");
        assert_eq!(says(&engine), Ok(wanted), "{declare}");
        // An entity without it has no such label, not an empty one.
        assert_eq!(says(&with(&snapshot, ana(&[], &[]))).as_deref(), Ok("user = ana"), "{declare}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_named_and_never_cut() {
    let long = |numbers: &[i64]| Value::Set(numbers.iter().copied().map(Value::Long).collect());
    let day = |text: &str| extension("datetime", text);
    for (declare, attribute, value, said) in [
        ("enum(a, b)", "dept", Value::from("c"), "c"),
        ("enum(a, b)", "dept", Value::from("A"), "A"),
        ("number(8)", "level", Value::from(256), "256"),
        ("number(8)", "level", Value::from(-1), "-1"),
        ("number(8, signed)", "level", Value::from(128), "128"),
        ("number(8, signed)", "level", Value::from(-129), "-129"),
        ("enum(true)", "active", Value::from(false), "false"),
        ("date", "born", day("2026-02-28T00:00:01Z"), "midnight"),
        ("date", "born", day("2026-02-28T00:00:00.001Z"), "midnight"),
        ("date", "born", day("2026-02-28T00:00:00+0100"), "midnight"),
        ("date", "hired", Value::from("2026-02-29"), "2026-11-21"),
        ("date", "hired", Value::from("yesterday"), "2026-11-21"),
        ("date", "hired", Value::from(" 2026-11-21"), "2026-11-21"),
        ("text", "dept", Value::from(""), "empty"),
        ("text set", "tags", texts(&["a", ""]), "empty"),
        ("enum(a, b) set", "tags", texts(&["a", "z"]), "z"),
        ("number(4) set", "ranks", long(&[1, 16]), "16"),
    ] {
        let snapshot = declaring(&format!("x = {{ declare = '{declare}', attribute = \"{attribute}\" }}"));
        let error = says(&with(&snapshot, ana(&[(attribute, value.clone())], &[]))).expect_err(declare);
        let ProjectionError::Misfit { name, problem } = &error else { panic!("{error}") };
        assert_eq!(name, "x");
        assert!(problem.contains(said), "{declare} {value:?}: {error}");
        assert!(error.to_string().starts_with("the subject's attribute `x` "), "{error}");
        assert_eq!(error.code(), "attribute-misfit");
    }
}

/// `é` as one character, and as a letter with an accent: Cedar holds them apart, a key's labels would not.
#[test]
fn two_spellings_of_one_name_do_not_become_one() {
    let (composed, apart) = ("Ren\u{e9}", "Rene\u{301}");
    let snapshot = declaring(
        "role = { declare = \"text set\", ancestors = \"Team\" }\ndept = { declare = \"text\", attribute = \"dept\" }\n\
         tags = { declare = \"text set\", attribute = \"tags\" }",
    );
    let composed_team = format!("Team::\"{composed}\"");
    let fine = with(&snapshot, ana(&[("dept", composed.into()), ("tags", texts(&[composed]))], &[&composed_team]));
    assert_eq!(
        says(&fine).unwrap(),
        format!("dept = \"{composed}\", role = [\"{composed}\"], tags = [\"{composed}\"]")
    );
    let apart_team = format!("Team::\"{apart}\"");
    for (attributes, parents, name) in [
        (vec![("dept", Value::from(apart))], vec![], "dept"),
        (vec![("tags", texts(&[composed, apart]))], vec![], "tags"),
        (vec![], vec![apart_team.as_str()], "role"),
        (vec![], vec![composed_team.as_str(), apart_team.as_str()], "role"),
    ] {
        let error = says(&with(&snapshot, ana(&attributes, &parents))).expect_err(name);
        let ProjectionError::Misfit { name: found, problem } = &error else { panic!("{error}") };
        assert!(found == name && problem.contains("normal form C"), "{error}");
    }
    // The same for the id: whoever may name entities must not get a key of somebody who looks alike.
    let by_id = declaring("user = { declare = \"text\", id = true }");
    let twin = EntityRecord { uid: EntityUid::new("User", apart).unwrap(), ..record("User::\"ana\"", &[]) };
    let engine = engine(by_id.with_entities(&[EntityChange::Put(twin.clone())], 5).unwrap());
    let (caller, key) = (caller(&twin.uid.to_string()), issuing("r/abe"));
    assert_eq!(issued(&engine, &ask(&caller, Resource::Key(&key), None)), Err("attribute-misfit"));
}

#[test]
fn ancestors_are_those_of_the_type_at_any_distance() {
    let snapshot = declaring(
        "team = { declare = \"text set\", ancestors = \"Team\" }\nward = { declare = \"text set\", ancestors = \"Ward\" }",
    );
    let three = [
        put("Team::\"staff\"", &["Team::\"everybody\""]),
        put("Team::\"nurses\"", &["Team::\"staff\""]),
        put("Ward::\"north\"", &["Team::\"wards\""]),
    ];
    let snapshot = snapshot.with_entities(&three, 4).unwrap();
    let engine_of = |parents: &[&str]| with(&snapshot, ana(&[], parents));
    let nurse = engine_of(&["Team::\"nurses\"", "Ward::\"north\""]);
    assert_eq!(says(&nurse).as_deref(), Ok("team = [everybody, nurses, staff, wards], ward = [north]"));
    // None is known to be none, so that `!=` means something; a group need not be an entity of its own.
    assert_eq!(says(&engine_of(&[])).as_deref(), Ok("team = [], ward = []"));
    assert_eq!(says(&engine_of(&["Team::\"unheard-of\""])).as_deref(), Ok("team = [unheard-of], ward = []"));
    // Whoever leaves a group that lies far above leaves it in the next key.
    let cut = nurse.snapshot().with_entities(&[put("Team::\"staff\"", &[])], 6).unwrap();
    nurse.install(cut);
    assert_eq!(says(&nurse).as_deref(), Ok("team = [nurses, staff, wards], ward = [north]"));
}

#[test]
fn a_key_without_anything_to_say_is_none() {
    let snapshot = declaring("dept = { declare = \"text\", attribute = \"dept\" }");
    let error = says(&with(&snapshot, ana(&[], &[]))).unwrap_err();
    assert_eq!(
        (error.code(), &error),
        ("no-attributes", &ProjectionError::Nothing { key: KeyId::parse("r/abe").unwrap() })
    );
    assert!(error.to_string().contains("`r/abe`"), "{error}");
    assert!(says(&with(&snapshot, ana(&[("dept", "a".into())], &[]))).is_ok());
}

#[test]
fn types_that_get_no_keys_get_none() {
    let snapshot = declaring("user = { declare = \"text\", id = true }");
    let engine = engine(snapshot.with_entities(&[put("Service::\"ana\"", &[]), put("User::\"ana\"", &[])], 5).unwrap());
    let (service, key) = (caller("Service::\"ana\""), issuing("r/abe"));
    let Err(Refusal::NotIssuable(refused)) = engine.decide_issue(&ask(&service, Resource::Key(&key), None)) else {
        panic!("a service has a user's key")
    };
    assert_eq!(refused.error.code(), "subject-not-projected");
    assert!(refused.error.to_string().contains("`Service`"), "{}", refused.error);
    assert_eq!(says(&engine).as_deref(), Ok("user = ana"));
}

/// Type and id as one value: the same id of two types is two values, whatever the ids hold.
#[test]
fn the_whole_name_tells_types_apart() {
    let manifest = "[authorities.\"r/abe\".attributes]\nwho = { declare = \"text\", uid = true }";
    let snapshot = load(&bundle(manifest, "entity User; entity Service;", RULES)).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for kind in ["User", "Service"] {
        for id in ["ana", "User::\"ana\"", "a\"b", "a\\\"b", "Service::\"ana\""] {
            let uid = EntityUid::new(kind, id).unwrap();
            let entity = EntityRecord { uid: uid.clone(), ..record("User::\"ana\"", &[]) };
            let engine = engine(snapshot.with_entities(&[EntityChange::Put(entity)], 5).unwrap());
            let (caller, key) = (caller(&uid.to_string()), issuing("r/abe"));
            assert!(seen.insert(issued(&engine, &ask(&caller, Resource::Key(&key), None)).unwrap()), "{uid}");
        }
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn too_many_groups_are_too_many_for_a_key() {
    let snapshot = declaring("team = { declare = \"text set\", ancestors = \"Team\" }");
    let teams: Vec<String> = (0..1200).map(|n| format!("Team::\"t{n}\"")).collect();
    let parents: Vec<&str> = teams.iter().map(String::as_str).collect();
    let error = says(&with(&snapshot, ana(&[], &parents))).unwrap_err();
    assert!(matches!(&error, ProjectionError::Misfit { name, .. } if name == "team"), "{error}");
    assert!(error.to_string().contains("more than"), "{error}");
    assert!(says(&with(&snapshot, ana(&[], &parents[..500]))).is_ok());
}

#[test]
fn a_bundle_says_what_its_authorities_are_made_with() {
    let manifest = "[authorities.\"r/abe\"]\nbucket = \"hour\"\nserial_bits = 9\n[authorities.\"r/abe\".attributes]\n\
                    level = { declare = \"number(8)\", attribute = \"level\" }\n\
                    [authorities.\"r/plain\".attributes]\nwho = { declare = \"text\", uid = true }";
    let snapshot = load(&bundle(manifest, SCHEMA, RULES)).unwrap();
    let key = |name: &str| KeyId::parse(name).unwrap();
    let authority = snapshot.authority(&key("r/abe")).unwrap();
    assert_eq!((authority.terms().bucket.as_str(), authority.terms().serial_bits), ("hour", 9));
    assert_eq!(authority.schema().to_text(), "level: number(8)\n");
    assert_eq!(authority.subjects().collect::<Vec<_>>(), ["User"], "the one type that has a level");
    let plain = snapshot.authority(&key("r/plain")).unwrap();
    assert_eq!((plain.terms().bucket.as_str(), plain.terms().serial_bits), ("day", 20));
    assert_eq!(plain.subjects().collect::<Vec<_>>(), ["Service", "User"]);
    assert!(snapshot.authority(&key("r/other")).is_none());
}

/// Loaded once: what changes from case to case is the entity.
static DECLARED: LazyLock<Snapshot> = LazyLock::new(|| {
    declaring(
        "dept = { declare = \"text\", attribute = \"dept\" }\nlevel = { declare = \"number(8)\", attribute = \"level\" }\n\
             tags = { declare = \"enum(a, b, c) set negatable\", attribute = \"tags\" }\n\
             team = { declare = \"text set\", ancestors = \"Team\" }",
    )
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// For any entity: the key says exactly what the entity is, or nothing at all.
    #[test]
    fn a_key_says_the_entity_and_nothing_else(
        dept in prop::option::of("[a-z \",=\\\\\u{e9}]{0,6}"),
        level in prop::option::of(-3_i64..300),
        tags in prop::option::of(prop::collection::vec("[a-d]", 0..5)),
        teams in prop::collection::btree_set("[a-z]{1,3}", 0..5),
    ) {
        let mut record = record("User::\"ana\"", &[]);
        record.parents = teams.iter().map(|team| EntityUid::new("Team", team).unwrap()).collect();
        record.attributes = Attributes::new();
        if let Some(dept) = &dept {
            record.attributes.insert("dept".to_owned(), dept.as_str().into());
        }
        if let Some(level) = level {
            record.attributes.insert("level".to_owned(), level.into());
        }
        if let Some(tags) = &tags {
            record.attributes.insert("tags".to_owned(), Value::Set(tags.iter().map(|tag| tag.as_str().into()).collect()));
        }
        let engine = with(&DECLARED, record);
        let fits = dept.as_ref().is_none_or(|dept| !dept.is_empty())
            && level.is_none_or(|level| (0..256).contains(&level))
            && tags.as_ref().is_none_or(|tags| tags.iter().all(|tag| tag != "d"));
        let (caller, key) = (caller("User::\"ana\""), issuing("r/abe"));
        match engine.decide_issue(&ask(&caller, Resource::Key(&key), None)) {
            Err(Refusal::NotIssuable(refused)) => {
                prop_assert!(!fits && refused.error.code() == "attribute-misfit", "{}", refused.error);
            }
            Err(other) => prop_assert!(false, "{other:?}"),
            Ok((_permit, projected)) => {
                prop_assert!(fits);
                let text = |name: &str| -> Option<Vec<String>> {
                    let held = projected.attributes.get(name)?;
                    Some(held.iter().map(|value| match value {
                        wardkeep_abe::Value::Text(text) => text.to_string(),
                        other => other.to_string(),
                    }).collect())
                };
                prop_assert_eq!(text("dept"), dept.map(|dept| vec![dept]));
                prop_assert_eq!(text("level"), level.map(|level| vec![level.to_string()]));
                let mut tags = tags;
                if let Some(tags) = &mut tags {
                    tags.sort();
                    tags.dedup();
                }
                prop_assert_eq!(text("tags"), tags);
                prop_assert_eq!(text("team"), Some(teams.into_iter().collect::<Vec<_>>()));
                // What the permit is bound to is text: it reads back as the same attributes.
                let again = wardkeep_abe::Attributes::parse(&projected.attributes.to_string(), &projected.schema);
                prop_assert_eq!(again.ok(), Some(projected.attributes));
            }
        }
    }
}
