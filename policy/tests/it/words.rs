//! Every error of the room in words: lower case, in backticks what came in, and what to do.
//!
//! Somebody reads them at three in the morning. And somebody else reads them who may not know what is there: a denial tells
//! nothing, whatever its reason.

use std::collections::BTreeSet;

use wardkeep_model::action::{DescribeKey, Encrypt, GenerateDataKey, GrantRole, IssueToken, RotateKey, UnwrapDataKey};
use wardkeep_model::{
    Caller, CertificateSerial, Decision, EncryptionContext, EventDetail, Fingerprint, RequestId, Value,
};
use wardkeep_policy::{
    BindingProblem, BoundTypeDifference, DenialReason, EntityChange, EntityError, Question, QuestionError, Refusal,
    Resource, Role, RoleError, Source, json,
};

use crate::harness::*;

/// The house rules of a message.
fn house(said: &str) {
    assert!(!said.is_empty() && said.len() < 400, "{said}");
    assert!(!said.starts_with(|c: char| c.is_uppercase()), "upper case: {said}");
    assert!(!said.ends_with('.'), "a full stop: {said}");
    assert_eq!(said.matches('`').count() % 2, 0, "a lone backtick: {said}");
    assert!(said.bytes().all(|byte| byte >= 0x20), "a control character: {said}");
}

#[test]
fn every_message_keeps_the_house_rules() {
    let user = || uid("User::\"ana\"");
    let problems = [
        BindingProblem::Unknown { name: "a".into() },
        BindingProblem::Missing { name: "a".into() },
        BindingProblem::Type { name: "a".into() },
        BindingProblem::Extension { name: "a".into(), function: "ip".into() },
        BindingProblem::UnknownEntityType { kind: "X".into() },
        BindingProblem::Parent { parent: user() },
        BindingProblem::EnumeratedId { uid: user() },
    ];
    let entities = [
        EntityError::Reserved,
        EntityError::ReservedParent { parent: user() },
        EntityError::LeadsToRole { parent: user() },
        EntityError::BoundType,
        EntityError::Cycle,
        EntityError::TooManyAncestors,
        EntityError::HoldsRole,
        EntityError::InBundle,
        EntityError::Missing,
    ];
    let roles = [
        RoleError::NotAnIdentity { identity: user() },
        RoleError::NoEntity { identity: user() },
        RoleError::IsAGroup { identity: user(), child: user() },
    ];
    let bound = [
        BoundTypeDifference::Source(Source::Stored),
        BoundTypeDifference::Removed("a".into()),
        BoundTypeDifference::Retyped("a".into()),
        BoundTypeDifference::Required("a".into()),
        BoundTypeDifference::Parent("Team".into()),
    ];
    let scalars = [
        json::JsonError::Scalar,
        json::JsonError::Escape,
        json::JsonError::Uid,
        json::JsonError::Shape,
        json::JsonError::Depth,
    ];
    let all: Vec<String> = problems
        .iter()
        .map(ToString::to_string)
        .chain(problems.iter().map(|problem| EntityError::Shape(problem.clone()).to_string()))
        .chain(entities.iter().map(ToString::to_string))
        .chain(roles.iter().map(ToString::to_string))
        .chain(bound.iter().map(ToString::to_string))
        .chain(scalars.iter().map(ToString::to_string))
        .chain(questions().iter().map(ToString::to_string))
        .collect();
    all.iter().for_each(|said| house(said));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "two errors in the same words");
}

fn questions() -> Vec<QuestionError> {
    vec![
        QuestionError::SubjectOnControlVerb { action: "GrantRole" },
        QuestionError::ReservedSubject { subject: uid("Wardkeep::System::\"x\"") },
        QuestionError::ResourceNotAllowed { action: "Encrypt" },
        QuestionError::UndeclaredType { kind: "Note".into() },
        QuestionError::StoredTypeWithAttributes { kind: "Note".into() },
        QuestionError::BoundAttributesInvalid {
            kind: "Note".into(),
            problem: BindingProblem::Unknown { name: "a".into() },
        },
        QuestionError::WrongTarget { action: "GrantRole", resource: uid("User::\"ana\"") },
    ]
}

#[test]
fn codes_and_reasons_are_words_of_their_own() {
    let codes: BTreeSet<&str> = questions().iter().map(QuestionError::code).collect();
    assert_eq!(codes.len(), questions().len());
    let reasons = [
        DenialReason::UnknownActor,
        DenialReason::UnknownSubject,
        DenialReason::SubjectHoldsRole,
        DenialReason::MayNotActFor,
        DenialReason::NoPermit,
        DenialReason::Forbidden,
        DenialReason::NoPermitOnRecord,
        DenialReason::ForbiddenOnRecord,
        DenialReason::UnknownRecord,
        DenialReason::CompromisedKey,
        DenialReason::StrongerIdentity,
        DenialReason::NotForTheScheduler,
    ];
    let words: BTreeSet<String> = reasons.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), reasons.len());
    for word in words.iter().map(String::as_str).chain(codes) {
        assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{word}");
    }
}

fn named() -> EncryptionContext {
    naming("Note::\"1\"", Some(&[("author", Value::from("x"))]), None)
}

#[test]
fn a_question_that_makes_no_sense_is_answered_alike_for_everybody_who_exists() {
    let engine = engine(world(&bundle("", "", "permit(principal, action, resource);")));
    let (key, note) = (facts("r/k"), named());
    for name in ["User::\"ana\"", "User::\"root\"", "Service::\"app\""] {
        let who = caller(name);
        let ask = |resource, context| ask(&who, resource, context);
        assert_eq!(outcome::<Encrypt>(&engine, &ask(Resource::Key(&key), Some(&note))), "resource-not-allowed");
        assert_eq!(
            outcome::<UnwrapDataKey>(&engine, &ask(Resource::Key(&key), Some(&note))),
            "undeclared-resource-type"
        );
        assert_eq!(outcome::<DescribeKey>(&engine, &ask(Resource::System("x"), None)), "wrong-target");
        assert_eq!(outcome::<GrantRole>(&engine, &ask(Resource::Key(&key), None)), "wrong-target");
        let stranger = uid("Note::\"1\"");
        assert_eq!(outcome::<IssueToken>(&engine, &ask(Resource::Identity(&stranger), None)), "wrong-target");
    }
    // And not at all for who does not: nothing is told to somebody without an entity.
    let nobody = caller("User::\"nobody\"");
    assert_eq!(outcome::<Encrypt>(&engine, &ask(&nobody, Resource::Key(&key), Some(&note))), "unknown-actor");
    assert_eq!(outcome::<DescribeKey>(&engine, &ask(&nobody, Resource::System("x"), None)), "unknown-actor");
}

#[test]
fn an_event_says_who_what_and_by_which_rules() {
    let rules = r#"@id("a") permit(principal, action, resource); @id("b") permit(principal is User, action, resource);
        @id("c") forbid(principal == User::"ben", action, resource); @id("d") permit(principal is Service, action, resource);"#;
    let engine = engine(world(&bundle("", "", rules)));
    let serial = CertificateSerial::parse("ab12").unwrap();
    let ana = Caller::itself(uid("User::\"ana\""), Some(serial.clone()), RequestId::new("r-9").unwrap());
    let (key, context, recipient) = (facts("r/k"), plain(&[("a", "b")]), Fingerprint::of_spki(b"key"));
    let question = Question {
        caller: &ana,
        resource: Resource::Key(&key),
        context: Some(&context),
        recipient: Some(&recipient),
        compromised: false,
    };
    let event = engine.decide::<GenerateDataKey>(&question).unwrap_or_else(|_| panic!("denied")).into_event();
    assert_eq!((event.actor.to_string(), event.subject.to_string()), ("User::\"ana\"".into(), "User::\"ana\"".into()));
    assert_eq!(
        (event.action.as_str(), event.resource.to_string()),
        ("GenerateDataKey", "Wardkeep::Key::\"r/k\"".into())
    );
    assert_eq!((event.decision, event.outcome, event.policy_version), (Decision::Allow, "ok", 3));
    assert_eq!(event.policies, ["a", "b"], "those that permitted, and no others");
    assert_eq!((event.serial, event.request.as_str()), (Some(serial), "r-9"));
    let detail = |field| event.detail.iter().find(|(found, _)| *found == field).map(|(_, text)| text.clone());
    assert_eq!(detail(EventDetail::Recipient), Some(recipient.to_string()));
    assert_eq!(detail(EventDetail::ContextDigest).map(|text| text.len()), Some(64));
    let ben = caller("User::\"ben\"");
    let denial = denied::<GenerateDataKey>(&engine, &ask(&ben, Resource::Key(&key), Some(&context)));
    assert_eq!((denial.event.policies, denial.event.decision), (vec!["c".to_owned()], Decision::Deny));
    assert_eq!((denial.event.outcome, denial.reason), ("denied", DenialReason::Forbidden));
    assert!(denial.event.detail.contains(&(EventDetail::Reason, "forbidden".into())));
}

#[test]
fn a_permit_is_of_the_snapshot_it_came_from() {
    let rules = "permit(principal, action, resource);";
    let before = world(&bundle("", "", rules));
    let engine = engine(before.clone());
    let (ana, key) = (caller("User::\"ana\""), facts("r/k"));
    let question = ask(&ana, Resource::Key(&key), None);
    assert_eq!(engine.decide::<RotateKey>(&question).unwrap().into_event().policy_version, 3);
    let gone = before.with_entities(&[EntityChange::Delete(uid("User::\"ana\""))], 44).unwrap();
    engine.install(gone);
    match engine.decide::<RotateKey>(&question) {
        Err(Refusal::Denied(denied)) => {
            assert_eq!((denied.event.policy_version, denied.reason), (44, DenialReason::UnknownActor))
        }
        other => panic!("{other:?}"),
    }
    engine.install(before);
    assert!(engine.decide::<RotateKey>(&question).is_ok(), "whoever installs decides which is in force");
}

#[test]
fn roles_and_bound_types_say_what_to_do() {
    let snapshot = world(&bundle("", "entity Team; entity User in [User];", ""));
    let chained = snapshot.with_entities(&[put("User::\"eve\"", &["User::\"ana\""])], 4).unwrap();
    let said = chained.with_role(Role::Admin, &uid("User::\"ana\""), true, 5).unwrap_err().to_string();
    assert!(
        said.contains("User::\"ana\"") && said.contains("User::\"eve\"") && said.contains("directly only"),
        "{said}"
    );
    let errors = chained.with_entities(&[put("User::\"eve\"", &["User::\"root\""])], 5).unwrap_err();
    assert!(errors.to_string().starts_with("entity `User::\"eve\"` is refused: "), "{errors}");
    // Many are told, the rest counted.
    let many: Vec<EntityChange> = (0..25).map(|n| put(&format!("Ghost::\"g{n}\""), &[])).collect();
    let errors = chained.with_entities(&many, 5).unwrap_err();
    assert_eq!(errors.errors().len(), 25);
    assert!(errors.to_string().ends_with("; and 5 more"), "{errors}");
}
