//! The clinic's rules, by the cases that stand beside them.

use serde::Deserialize;
use wardkeep_model::action::{DescribeKey, GenerateDataKey, RotateKey, UnwrapDataKey};
use wardkeep_model::{EncryptionContext, EntityUid, Value};
use wardkeep_policy::{BundleSource, Engine, Resource};

use crate::harness::{acting, ask, caller, engine, facts, issued, issuing, load, naming, outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    actor: Option<String>,
    subject: String,
    action: String,
    patient: String,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
}

pub(crate) fn clinic() -> Engine {
    let entities = include_str!("../../../policies/clinic/entities.json").to_owned();
    let bundle = BundleSource { entities: Some(entities), ..BundleSource::clinic() };
    engine(load(&bundle).unwrap_or_else(|errors| panic!("{errors}")))
}

pub(crate) fn fhir(kind: &str, patient: &str) -> EncryptionContext {
    let mut attributes = vec![("kind", Value::from(kind))];
    if !patient.is_empty() {
        attributes.push(("patient", Value::from(patient)));
    }
    naming(&format!("Resource::\"{kind}/1\""), Some(&attributes), None)
}

fn answer(engine: &Engine, case: &Case, kind: &str) -> &'static str {
    let caller = match &case.actor {
        Some(actor) => acting(actor, &case.subject),
        None => caller(&case.subject),
    };
    let (facts, context) = (facts("clinic/records"), fhir(kind, &case.patient));
    let question = ask(&caller, Resource::Key(&facts), Some(&context));
    match case.action.as_str() {
        "create" => outcome::<GenerateDataKey>(engine, &question),
        "read" => outcome::<UnwrapDataKey>(engine, &question),
        other => panic!("unknown action `{other}`"),
    }
}

#[test]
fn the_cases_beside_the_rules_hold() {
    let file: File = toml::from_str(include_str!("../../../policies/clinic/tests/records.toml")).unwrap();
    let engine = clinic();
    let mut seen = 0;
    for case in &file.case {
        EntityUid::parse(&case.subject).unwrap();
        assert!(!case.allow.is_empty() || !case.deny.is_empty(), "{} asks nothing", case.name);
        for kind in &case.allow {
            assert_eq!(answer(&engine, case, kind), "allow", "{}: {kind}", case.name);
            seen += 1;
        }
        for kind in &case.deny {
            assert_ne!(answer(&engine, case, kind), "allow", "{}: {kind}", case.name);
            seen += 1;
        }
    }
    assert!(seen > 70, "{seen}");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueFile {
    case: Vec<IssueCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueCase {
    name: String,
    actor: Option<String>,
    subject: String,
    #[serde(default = "authority")]
    key: String,
    attributes: Option<String>,
    ends: Option<String>,
}

fn authority() -> String {
    "clinic/records-abe".to_owned()
}

#[test]
fn user_keys_are_for_whom_the_cases_say_and_say_what_they_say() {
    let file: IssueFile = toml::from_str(include_str!("../../../policies/clinic/tests/user-keys.toml")).unwrap();
    let engine = clinic();
    for case in &file.case {
        let caller = match &case.actor {
            Some(actor) => acting(actor, &case.subject),
            None => caller(&case.subject),
        };
        let facts = issuing(&case.key);
        let answer = issued(&engine, &ask(&caller, Resource::Key(&facts), None));
        match (&case.attributes, &case.ends) {
            (Some(wanted), None) => assert_eq!(answer.as_deref(), Ok(wanted.as_str()), "{}", case.name),
            (None, Some(wanted)) => assert_eq!(answer.as_deref(), Err(&wanted.as_str()), "{}", case.name),
            _ => panic!("{}: either `attributes` or `ends`", case.name),
        }
    }
    assert!(file.case.len() >= 9);
}

#[test]
fn parameters_are_for_those_who_seal_and_open() {
    let engine = clinic();
    for (who, wanted) in [
        ("User::\"dr-adams\"", "allow"),
        ("User::\"nobody\"", "allow"),
        ("Service::\"ingest\"", "allow"),
        ("Service::\"portal\"", "no-permit"),
    ] {
        let (caller, facts) = (caller(who), issuing("clinic/records-abe"));
        assert_eq!(outcome::<DescribeKey>(&engine, &ask(&caller, Resource::Key(&facts), None)), wanted, "{who}");
        for (other, right) in [("clinic/records", "no-permit"), ("clinic2/records-abe", "no-permit")] {
            let facts = issuing(other);
            assert_eq!(outcome::<DescribeKey>(&engine, &ask(&caller, Resource::Key(&facts), None)), right, "{other}");
        }
    }
}

#[test]
fn every_role_is_allowed_something_and_denied_something() {
    let kinds = ["Patient", "Observation", "Claim", "MedicationRequest", "Organization", "Practitioner"];
    let engine = clinic();
    for subject in ["dr-adams", "pat-baker", "corner-pharmacy", "admin-cole"] {
        let caller = caller(&format!("User::\"{subject}\""));
        let facts = facts("clinic/records");
        let answers: Vec<_> = kinds
            .iter()
            .map(|kind| {
                let about = if matches!(*kind, "Organization" | "Practitioner") { "" } else { "baker-1" };
                let context = fhir(kind, about);
                outcome::<UnwrapDataKey>(&engine, &ask(&caller, Resource::Key(&facts), Some(&context)))
            })
            .collect();
        assert!(answers.contains(&"allow"), "{subject}: {answers:?}");
        assert!(answers.iter().any(|answer| *answer != "allow"), "{subject}: {answers:?}");
    }
}

#[test]
fn a_context_without_its_resource_opens_nothing() {
    let engine = clinic();
    let (doctor, facts, context) =
        (caller("User::\"dr-adams\""), facts("clinic/records"), EncryptionContext::default());
    let question = ask(&doctor, Resource::Key(&facts), Some(&context));
    assert_eq!(outcome::<UnwrapDataKey>(&engine, &question), "forbidden");
    let ingest = caller("Service::\"ingest\"");
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ingest, Resource::Key(&facts), None)), "forbidden");
}

#[test]
fn keys_of_another_ring_are_out_of_reach() {
    let engine = clinic();
    let (doctor, admin) = (caller("User::\"dr-adams\""), caller("User::\"admin-cole\""));
    let (ours, theirs, context) = (facts("clinic/records"), facts("clinic2/records"), fhir("Observation", "p"));
    assert_eq!(outcome::<UnwrapDataKey>(&engine, &ask(&doctor, Resource::Key(&ours), Some(&context))), "allow");
    assert_eq!(outcome::<UnwrapDataKey>(&engine, &ask(&doctor, Resource::Key(&theirs), Some(&context))), "no-permit");
    assert_eq!(outcome::<RotateKey>(&engine, &ask(&admin, Resource::Key(&ours), None)), "allow");
    assert_eq!(outcome::<RotateKey>(&engine, &ask(&admin, Resource::Key(&theirs), None)), "no-permit");
    assert_eq!(outcome::<RotateKey>(&engine, &ask(&doctor, Resource::Key(&ours), None)), "no-permit");
}
