//! What an author is told: every fault at its place, in words that say what to do; and which identity is which entity.

use std::collections::BTreeMap;

use wardkeep_model::action::{DescribeKey, GenerateDataKey};
use wardkeep_model::{Identity, RequestId};
use wardkeep_policy::{
    BundleSource, Finding, FindingKind, IdentityMap, IdentityMapError, MAX_FINDINGS, Manifest, Place, Resource, Role,
    Snapshot, Source,
};

use crate::harness::*;

#[test]
fn a_fault_of_the_manifest_stands_where_it_is() {
    for (text, line, column) in [
        ("subjects = [\"A\"", 1, 16),
        ("subjects = []\nsubject = []", 2, 1),
        ("[resources.Note]\nsource = \"elsewhere\"", 2, 10),
        ("[resources.Note]\nsource = \"bound\"\n\nprotects = \"x\"", 4, 1),
        ("# \u{17c}\u{f3}\u{142}w\nsubjects = 3", 2, 12),
        ("[resources.Note]\nsource = 'bound'\nrelease = 7", 3, 11),
        ("[resources]\nNote = 3", 2, 8),
        ("\u{0}", 1, 2),
    ] {
        let errors = Manifest::parse(text).expect_err(text);
        let finding = &errors.findings()[0];
        assert_eq!((finding.kind, finding.file.as_str()), (FindingKind::Manifest, "wardkeep.toml"), "{text}");
        let place = finding.place.as_ref().unwrap_or_else(|| panic!("no place: {text}: {finding}"));
        assert_eq!((place.line, place.column), (line, column), "{text:?}: {finding}");
        assert!(finding.hint.as_ref().is_some_and(|hint| hint.contains("source")), "{finding}");
    }
}

#[test]
fn a_manifest_says_what_it_says() {
    let text = "subjects = [\"Patient\", \"A::B\"]\n[resources.Note]\nsource = \"bound\"\n[resources.\"A::Chart\"]\nsource = \"stored\"\nprotect = \"file\"\nrelease = 'A::Action::\"open\"'";
    let manifest = Manifest::parse(text).unwrap();
    assert_eq!(manifest.subjects, ["Patient", "A::B"]);
    let told: Vec<_> = manifest
        .resources
        .iter()
        .map(|(kind, rule)| (kind.as_str(), rule.source, rule.protect.as_str(), rule.release.as_str()))
        .collect();
    assert_eq!(
        told,
        [("A::Chart", Source::Stored, "file", "A::Action::\"open\""), ("Note", Source::Bound, "create", "read")]
    );
}

#[test]
fn a_schema_that_does_not_hold_together_is_told_by_its_names() {
    for (schema, said) in [
        ("entity A = { b: Nowhere };", "Nowhere"),
        ("entity A in [Nowhere];", "Nowhere"),
        ("entity A; entity A;", "A"),
        ("action a appliesTo { principal: [Nobody], resource: [Nobody] };", "Nobody"),
        ("entity", "unexpected"),
        ("type Loop = { again: Loop }; entity A = { l: Loop };", "Loop"),
        ("action a in [b]; action b in [a];", ""),
    ] {
        let errors = load(&bundle("", schema, "")).err().unwrap_or_else(|| panic!("taken: {schema}"));
        assert_eq!(errors.findings()[0].kind, FindingKind::Schema, "{schema}: {errors}");
        assert_eq!(errors.findings()[0].file, "schema.cedarschema");
        assert!(errors.to_string().contains(said), "{schema}: {errors}");
    }
}

#[test]
fn entities_of_a_bundle_are_checked_against_its_schema() {
    let schema = "entity Team; entity User in [Team] = { age?: Long }; entity Kind enum [\"a\", \"b\"]; entity Note = { kind: Kind };";
    for (entities, said) in [
        ("[", "EOF"),
        ("{}", "sequence"),
        (r#"[{"uid":{"type":"User","id":"x"},"attrs":{"agee":3},"parents":[]}]"#, "agee"),
        (r#"[{"uid":{"type":"User","id":"x"},"attrs":{"age":"3"},"parents":[]}]"#, "age"),
        (r#"[{"uid":{"type":"Ghost","id":"x"},"attrs":{},"parents":[]}]"#, "Ghost"),
        (r#"[{"uid":{"type":"User","id":"x"},"attrs":{},"parents":[{"type":"User","id":"y"}]}]"#, "User"),
        (
            r#"[{"uid":{"type":"User","id":"x"},"attrs":{},"parents":[]},{"uid":{"type":"User","id":"x"},"attrs":{},"parents":[{"type":"Team","id":"t"}]}]"#,
            "x",
        ),
        (r#"[{"uid":{"type":"Note","id":"n"},"attrs":{"kind":{"type":"Kind","id":"c"}},"parents":[]}]"#, "c"),
        (r#"[{"uid":{"type":"User","id":""},"attrs":{},"parents":[]}]"#, "malformed"),
    ] {
        let mut bundle = bundle("", schema, "");
        bundle.entities = Some(entities.to_owned());
        let errors = load(&bundle).expect_err(entities);
        assert_eq!(errors.findings()[0].kind, FindingKind::Entity, "{entities}: {errors}");
        assert!(errors.to_string().contains(said), "{entities}: {errors}");
    }
}

#[test]
fn ids_of_rules_are_told_from_each_other_over_all_files() {
    let rule = |id: &str| format!("@id(\"{id}\") permit(principal, action, resource);");
    let many = |files: &[(&str, String)]| BundleSource {
        policies: files.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect(),
        ..bundle("", "", "")
    };
    for files in [
        [("a.cedar", rule("x")), ("b.cedar", rule("x"))],
        // The name a rule without an id gets is taken as well.
        [("a.cedar", "permit(principal, action, resource);".to_owned()), ("b.cedar", rule("a.policy0"))],
        [
            ("a.cedar", "permit(principal, action, resource);".to_owned()),
            ("a.cedar", "forbid(principal, action, resource);".to_owned()),
        ],
        [("a.cedar", rule("")), ("b.cedar", rule("y"))],
        [("a.cedar", rule("line\nbreak")), ("b.cedar", rule("y"))],
        [("a.cedar", rule(&"x".repeat(129))), ("b.cedar", rule("y"))],
        [("a.cedar", rule("wardkeep:mine")), ("b.cedar", rule("y"))],
    ] {
        let errors = load(&many(&files)).err().unwrap_or_else(|| panic!("taken: {files:?}"));
        assert_eq!(errors.findings()[0].kind, FindingKind::PolicyId, "{files:?}: {errors}");
        assert!(errors.to_string().contains("hint"), "{errors}");
    }
    assert!(load(&many(&[("a.cedar", rule(&"x".repeat(128))), ("b.cedar", rule("x"))])).is_ok());
}

#[test]
fn a_hundred_faults_are_told_and_the_rest_counted() {
    let rules =
        (0..MAX_FINDINGS + 20).map(|n| format!("@id(\"r{n}\") permit(principal == Ghost::\"x\", action, resource);\n"));
    let errors = load(&bundle("", "", &rules.collect::<String>())).expect_err("ghosts");
    assert_eq!(errors.findings().len(), MAX_FINDINGS);
    assert!(errors.to_string().contains("more findings"), "{}", errors.findings().last().unwrap());
}

#[test]
fn a_finding_without_a_place_says_the_file() {
    let finding = Finding {
        kind: FindingKind::TooLarge,
        file: "bundle".into(),
        place: None,
        message: "too long".into(),
        hint: None,
    };
    assert_eq!(finding.to_string(), "bundle: too long");
    let placed = Finding { place: Some(Place::of("a\nbc", 3, 1)), hint: Some("shorter".into()), ..finding };
    assert_eq!(placed.to_string(), "bundle:2:2: too long\n 2 | bc\n   |  ^\n  hint: shorter");
    let words: Vec<&str> = [
        FindingKind::Manifest,
        FindingKind::Schema,
        FindingKind::Syntax,
        FindingKind::Validation,
        FindingKind::PolicyId,
        FindingKind::Reserved,
        FindingKind::Entity,
        FindingKind::BoundType,
        FindingKind::TooLarge,
    ]
    .map(FindingKind::as_str)
    .to_vec();
    let distinct: std::collections::BTreeSet<&&str> = words.iter().collect();
    assert_eq!(distinct.len(), words.len());
    assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
}

fn map(pairs: &[(&str, &str)]) -> Result<IdentityMap, IdentityMapError> {
    IdentityMap::new(pairs.iter().map(|(kind, target)| ((*kind).to_owned(), (*target).to_owned())).collect())
}

#[test]
fn an_identity_is_one_entity_and_no_entity_is_two_identities() {
    let map = map(&[("user", "User"), ("service", "App::Service"), ("users", "Users")]).unwrap();
    let mut seen = BTreeMap::new();
    for kind in ["user", "service", "users", "node", "User"] {
        for name in ["ana", "ANA", "ana.", "a-n_a", ".ana"] {
            let Ok(identity) = Identity::new("clinic.example", kind, name) else { continue };
            let Some(entity) = map.entity_of(&identity) else {
                assert!(matches!(kind, "node" | "User"), "{identity}");
                continue;
            };
            if let Some(other) = seen.insert(entity.to_string(), identity.to_string()) {
                panic!("{identity} and {other} are one entity");
            }
        }
    }
    assert_eq!(seen.len(), 15);
}

#[test]
fn an_identity_map_says_what_is_wrong_with_it() {
    let long = "k".repeat(64);
    for (pairs, said) in [
        (&[][..], "names no kind"),
        (&[("User", "User")], "`User`"),
        (&[("us er", "User")], "1 to 63"),
        (&[(long.as_str(), "User")], "1 to 63"),
        (&[("user", "Us er")], "malformed type"),
        (&[("user", "Wardkeep::Role")], "reserved"),
        (&[("user", "User"), ("service", "User")], "`service` and `user`"),
    ] {
        let error = map(pairs).expect_err("a map");
        assert!(error.to_string().contains(said) || said == "names no kind", "{error}");
        assert!(error.to_string().starts_with("`[identity]`"), "{error}");
    }
    assert!(map(&[(&"k".repeat(63), "User")]).is_ok());
}

#[test]
fn who_acts_for_whom_is_a_decision_of_its_own() {
    let manifest = "subjects = [\"Patient\"]";
    let schema = "entity Patient = { guardian?: User }; entity User; entity Other;";
    let rules = r#"
        @id("keys") permit(principal is Patient, action == Wardkeep::Action::"DescribeKey", resource);
        @id("act") permit(principal is User, action == Wardkeep::Action::"actFor", resource is Patient)
        when { resource has guardian && resource.guardian == principal };
        @id("app") permit(principal == Service::"app", action == Wardkeep::Action::"actFor", resource);"#;
    let mut child = record("Patient::\"p\"", &[]);
    child.attributes.insert("guardian".to_owned(), uid("User::\"ana\"").into());
    let changes = [wardkeep_policy::EntityChange::Put(child), put("Other::\"o\"", &[])];
    let engine = engine(world(&bundle(manifest, schema, rules)).with_entities(&changes, 5).unwrap());
    let key = facts("r/k");
    for (actor, subject, wanted) in [
        ("User::\"ana\"", "Patient::\"p\"", "allow"),
        ("User::\"ben\"", "Patient::\"p\"", "may-not-act-for"),
        ("Service::\"app\"", "Patient::\"p\"", "allow"),
        ("Service::\"ingest\"", "Patient::\"p\"", "may-not-act-for"),
        ("Service::\"app\"", "User::\"ana\"", "no-permit"),
        ("Service::\"app\"", "User::\"root\"", "subject-holds-role"),
        ("Service::\"app\"", "Patient::\"none\"", "unknown-subject"),
        ("Service::\"app\"", "Other::\"o\"", "unknown-subject"),
        ("Service::\"app\"", "Wardkeep::System::\"scheduler\"", "reserved-subject"),
        ("Patient::\"p\"", "Patient::\"p\"", "unknown-actor"),
        ("User::\"nobody\"", "Patient::\"p\"", "unknown-actor"),
        ("Wardkeep::System::\"scheduler\"", "Patient::\"p\"", "not-for-the-scheduler"),
    ] {
        let caller = if actor == subject { caller(actor) } else { acting(actor, subject) };
        let said = outcome::<DescribeKey>(&engine, &ask(&caller, Resource::Key(&key), None));
        assert_eq!(said, wanted, "{actor} for {subject}");
    }
    let (caller, key) = (acting("User::\"ana\"", "Patient::\"p\""), facts("r/k"));
    let denial = denied::<GenerateDataKey>(&engine, &ask(&caller, Resource::Key(&key), None));
    assert_eq!(
        (denial.event.actor.to_string(), denial.event.subject.to_string()),
        ("User::\"ana\"".into(), "Patient::\"p\"".into())
    );
    assert_eq!(denial.event.request, RequestId::new("r-1").unwrap());
}

#[test]
fn roles_are_words_with_one_spelling_and_a_fixed_order() {
    let snapshot = world(&bundle("", "", ""));
    let root = uid("User::\"root\"");
    assert_eq!(snapshot.roles_of(&root), Role::ALL);
    let mut less: Snapshot = snapshot.clone();
    for (at, role) in Role::ALL.iter().enumerate() {
        less = less.with_role(*role, &root, false, 9).unwrap();
        assert_eq!(less.roles_of(&root), &Role::ALL[at + 1..]);
        assert_eq!(
            less.with_role(*role, &root, false, 9).unwrap().roles_of(&root),
            &Role::ALL[at + 1..],
            "taken twice"
        );
    }
    assert_eq!(snapshot.role_holders().count(), 1);
    assert_eq!(less.role_holders().count(), 0);
}
