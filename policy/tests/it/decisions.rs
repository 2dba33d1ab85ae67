//! Who is allowed what, and what the answer tells.

use wardkeep_model::action::{
    ChangeControlSet, CreateKey, DescribeKey, DescribeRing, DestroyKey, GenerateDataKey, GenerateRandom, IssueToken,
    RewrapDataKey, RotateKey, Sign, UnwrapDataKey,
};
use wardkeep_model::{Decision, EventDetail, Fingerprint, KeyId, RingName};
use wardkeep_policy::{BundleSource, DenialReason, Question, QuestionError, Refusal, Resource, Role};

use crate::harness::*;

const EVERYTHING: &str = r#"
    @id("all") permit(principal, action, resource);
"#;

fn everything() -> BundleSource {
    bundle("", "", EVERYTHING)
}

#[test]
fn an_identity_without_an_entity_gets_nothing_anywhere() {
    let engine = engine(world(&everything()));
    let (key, stranger) = (facts("r/k"), caller("User::\"stranger\""));
    assert_eq!(outcome::<DescribeKey>(&engine, &ask(&stranger, Resource::Key(&key), None)), "unknown-actor");
    let system = Resource::System("wardkeep");
    assert_eq!(outcome::<ChangeControlSet>(&engine, &ask(&stranger, system, None)), "unknown-actor");
    assert_eq!(outcome::<GenerateRandom>(&engine, &ask(&stranger, system, None)), "unknown-actor");
    // An entity that is none of `[identity]` is no caller either, whatever the certificate code let through.
    for name in ["Group::\"g\"", "Wardkeep::Role::\"admin\"", "Wardkeep::System::\"wardkeep\""] {
        let caller = caller(name);
        assert_eq!(
            outcome::<DescribeKey>(&engine, &ask(&caller, Resource::Key(&key), None)),
            "unknown-actor",
            "{name}"
        );
    }
}

#[test]
fn a_missing_key_and_a_forbidden_key_are_one_answer() {
    let rules = r#"@id("r") permit(principal, action, resource in Wardkeep::Ring::"open");"#;
    let engine = engine(world(&bundle("", "", rules)));
    let ana = caller("User::\"ana\"");
    let (closed, missing) = (facts("closed/k"), KeyId::parse("closed/none").unwrap());
    let forbidden = denied::<DescribeKey>(&engine, &ask(&ana, Resource::Key(&closed), None));
    let absent = denied::<DescribeKey>(&engine, &ask(&ana, Resource::MissingKey(&missing), None));
    assert_eq!(forbidden.reason, absent.reason);
    assert_eq!(
        (forbidden.event.outcome, &forbidden.event.detail, &forbidden.event.policies),
        (absent.event.outcome, &absent.event.detail, &absent.event.policies)
    );
    // Who may see the ring is told the truth by the verb: the decision on a missing key in it allows.
    let open = KeyId::parse("open/none").unwrap();
    assert_eq!(outcome::<DescribeKey>(&engine, &ask(&ana, Resource::MissingKey(&open), None)), "allow");
    let name = RingName::new("closed").unwrap();
    let labels = [("team".to_owned(), "x".to_owned())].into();
    let ring = denied::<DescribeRing>(&engine, &ask(&ana, Resource::Ring { name: &name, labels: Some(&labels) }, None));
    let none = denied::<DescribeRing>(&engine, &ask(&ana, Resource::Ring { name: &name, labels: None }, None));
    assert_eq!(ring.reason, none.reason);
}

#[test]
fn a_key_is_known_by_usage_labels_and_ring() {
    let rules = r#"
        @id("wrap") permit(principal, action == Wardkeep::Action::"GenerateDataKey", resource)
        when { resource.usage == "wrap" && resource.hasTag("team") && resource.getTag("team") == "cards" };
        @id("ring") permit(principal, action == Wardkeep::Action::"DescribeRing", resource)
        when { resource.hasTag("team") };
    "#;
    let engine = engine(world(&bundle("", "", rules)));
    let ana = caller("User::\"ana\"");
    let ours = facts("r/k");
    let mut theirs = facts("r/other");
    theirs.labels = std::sync::Arc::default();
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ana, Resource::Key(&ours), None)), "allow");
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ana, Resource::Key(&theirs), None)), "no-permit");
    // The same key after its label went: the cache must not answer for the old revision.
    let mut changed = facts("r/k");
    (changed.labels, changed.revision) = (std::sync::Arc::default(), 2);
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ana, Resource::Key(&changed), None)), "no-permit");
    let missing = KeyId::parse("r/none").unwrap();
    let answer = denied::<GenerateDataKey>(&engine, &ask(&ana, Resource::MissingKey(&missing), None));
    assert_eq!(answer.event.errors, ["wrap"], "a permit that looks at a missing attribute errs, and grants nothing");
}

#[test]
fn an_application_acts_only_for_whom_it_may() {
    let rules = r#"
        @id("act") permit(principal == Service::"app", action == Wardkeep::Action::"actFor", resource == User::"ana");
        @id("users") permit(principal is User, action == Wardkeep::Action::"DescribeKey", resource);
    "#;
    let engine = engine(world(&bundle("", "", rules)));
    let key = facts("r/k");
    let answer = |actor: &str, subject: &str| {
        outcome::<DescribeKey>(&engine, &ask(&acting(actor, subject), Resource::Key(&key), None))
    };
    assert_eq!(answer("Service::\"app\"", "User::\"ana\""), "allow");
    assert_eq!(answer("Service::\"app\"", "User::\"ben\""), "may-not-act-for");
    assert_eq!(answer("Service::\"ingest\"", "User::\"ana\""), "may-not-act-for");
    assert_eq!(answer("Service::\"app\"", "User::\"nobody\""), "unknown-subject");
    assert_eq!(answer("Service::\"app\"", "Group::\"g\""), "unknown-subject");
    assert_eq!(answer("Service::\"app\"", "Service::\"app\""), "no-permit", "for itself it is only a service");
    let granted =
        engine.decide::<DescribeKey>(&ask(&acting("Service::\"app\"", "User::\"ana\""), Resource::Key(&key), None));
    let event = granted.unwrap_or_else(|_| panic!("denied")).into_event();
    assert_eq!(
        (event.actor.to_string(), event.subject.to_string()),
        ("Service::\"app\"".into(), "User::\"ana\"".into())
    );
    assert_eq!(event.policies, ["act", "users"], "one event for both decisions");
}

#[test]
fn no_rule_lets_anybody_act_for_an_administrator_or_for_wardkeep() {
    let engine = engine(world(&everything()));
    let key = facts("r/k");
    let answer = |subject: &str| {
        outcome::<DescribeKey>(&engine, &ask(&acting("Service::\"app\"", subject), Resource::Key(&key), None))
    };
    assert_eq!(answer("User::\"ana\""), "allow");
    assert_eq!(answer("User::\"root\""), "subject-holds-role");
    for reserved in ["Wardkeep::System::\"scheduler\"", "Wardkeep::Role::\"admin\"", "Wardkeep::Ring::\"r\""] {
        assert_eq!(answer(reserved), "reserved-subject", "{reserved}");
    }
}

#[test]
fn a_control_verb_takes_no_subject_and_asks_no_bundle() {
    let engine = engine(world(&everything()));
    let system = Resource::System("wardkeep");
    let (ana, root) = (caller("User::\"ana\""), caller("User::\"root\""));
    assert_eq!(outcome::<ChangeControlSet>(&engine, &ask(&ana, system, None)), "no-permit", "the bundle allows all");
    assert_eq!(outcome::<ChangeControlSet>(&engine, &ask(&root, system, None)), "allow");
    let header = acting("User::\"root\"", "User::\"ana\"");
    assert_eq!(outcome::<ChangeControlSet>(&engine, &ask(&header, system, None)), "subject-on-control-verb");
    let other = acting("User::\"ana\"", "User::\"root\"");
    assert_eq!(outcome::<ChangeControlSet>(&engine, &ask(&other, system, None)), "subject-on-control-verb");
}

#[test]
fn a_bundle_that_forbids_everything_locks_nobody_out_of_the_control_set() {
    let rules = r#"@id("never") forbid(principal, action, resource);"#;
    let engine = engine(world(&bundle("", "", rules)));
    let root = caller("User::\"root\"");
    assert_eq!(outcome::<ChangeControlSet>(&engine, &ask(&root, Resource::System("wardkeep"), None)), "allow");
    let key = facts("r/k");
    assert_eq!(outcome::<RotateKey>(&engine, &ask(&root, Resource::Key(&key), None)), "forbidden");
    // The server's jobs stand outside both sets.
    let job = caller("Wardkeep::System::\"scheduler\"");
    assert_eq!(outcome::<RotateKey>(&engine, &ask(&job, Resource::Key(&key), None)), "allow");
    assert_eq!(outcome::<DestroyKey>(&engine, &ask(&job, Resource::Key(&key), None)), "allow");
}

#[test]
fn the_scheduler_does_its_two_verbs_and_nothing_else() {
    let engine = engine(world(&everything()));
    let (key, job) = (facts("r/k"), caller("Wardkeep::System::\"scheduler\""));
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&job, Resource::Key(&key), None)), "not-for-the-scheduler");
    assert_eq!(outcome::<CreateKey>(&engine, &ask(&job, Resource::Key(&key), None)), "not-for-the-scheduler");
    let system = Resource::System("wardkeep");
    assert_eq!(outcome::<ChangeControlSet>(&engine, &ask(&job, system, None)), "not-for-the-scheduler");
    let behalf = acting("Wardkeep::System::\"scheduler\"", "User::\"ana\"");
    assert_eq!(outcome::<RotateKey>(&engine, &ask(&behalf, Resource::Key(&key), None)), "not-for-the-scheduler");
    let permit = engine.decide::<RotateKey>(&ask(&job, Resource::Key(&key), None)).unwrap_or_else(|_| panic!("denied"));
    assert_eq!(permit.into_event().policies, ["wardkeep:scheduler"]);
}

#[test]
fn nobody_issues_a_token_for_somebody_stronger() {
    let snapshot = world(&everything());
    let ben = uid("User::\"ben\"");
    let snapshot = snapshot.with_role(Role::Admin, &ben, true, 4).unwrap();
    let engine = engine(snapshot);
    let (ben_calls, root_calls) = (caller("User::\"ben\""), caller("User::\"root\""));
    let (root, ana) = (uid("User::\"root\""), uid("User::\"ana\""));
    assert_eq!(outcome::<IssueToken>(&engine, &ask(&ben_calls, Resource::Identity(&ana), None)), "allow");
    assert_eq!(outcome::<IssueToken>(&engine, &ask(&ben_calls, Resource::Identity(&root), None)), "stronger-identity");
    assert_eq!(outcome::<IssueToken>(&engine, &ask(&root_calls, Resource::Identity(&ben), None)), "allow");
    let group = uid("Wardkeep::Role::\"admin\"");
    assert_eq!(outcome::<IssueToken>(&engine, &ask(&root_calls, Resource::Identity(&group), None)), "wrong-target");
}

#[test]
fn a_compromised_key_needs_its_further_right() {
    let rules = r#"
        @id("unwrap") permit(principal, action in [Wardkeep::Action::"UnwrapDataKey", Wardkeep::Action::"RewrapDataKey"], resource);
        @id("bad") permit(principal == User::"ben", action == Wardkeep::Action::"UseCompromisedKey", resource);
    "#;
    let engine = engine(world(&bundle("", "", rules)));
    let (key, context) = (facts("r/k"), plain(&[]));
    for (name, compromised, expected) in [
        ("User::\"ana\"", false, "allow"),
        ("User::\"ana\"", true, "compromised-key"),
        ("User::\"ben\"", true, "allow"),
    ] {
        let caller = caller(name);
        let question = Question { compromised, ..ask(&caller, Resource::Key(&key), Some(&context)) };
        assert_eq!(outcome::<UnwrapDataKey>(&engine, &question), expected, "{name}");
        assert_eq!(outcome::<RewrapDataKey>(&engine, &question), expected, "{name}");
    }
    let ben = caller("User::\"ben\"");
    let plainly = engine.decide::<UnwrapDataKey>(&ask(&ben, Resource::Key(&key), Some(&context)));
    assert!(!plainly.unwrap_or_else(|_| panic!("denied")).covers_compromised(), "not asked, not carried");
}

#[test]
fn a_policy_sees_recipient_context_and_actor() {
    let pinned = Fingerprint::of_spki(b"the right key");
    let rules = format!(
        r#"
        @id("pin") permit(principal, action == Wardkeep::Action::"UnwrapDataKey", resource)
        when {{ context has recipient && context.recipient == "{pinned}" }};
        @id("purpose") permit(principal, action == Wardkeep::Action::"GenerateDataKey", resource)
        when {{ context has encryption && context.encryption.hasTag("purpose") && context.encryption.getTag("purpose") == "backup" }};
        @id("actor") permit(principal, action == Wardkeep::Action::"Sign", resource)
        when {{ context.actor.kind == "Service" && context.actor.id == "app" }};
        @id("act") permit(principal is Service, action == Wardkeep::Action::"actFor", resource);
        "#
    );
    let engine = engine(world(&bundle("", "", &rules)));
    let (key, ana) = (facts("r/k"), caller("User::\"ana\""));
    let context = plain(&[("purpose", "backup")]);
    let question = ask(&ana, Resource::Key(&key), Some(&context));
    let other = Fingerprint::of_spki(b"swapped on the way");
    assert_eq!(outcome::<UnwrapDataKey>(&engine, &question), "no-permit");
    let right = Question { recipient: Some(&pinned), ..question };
    let wrong = Question { recipient: Some(&other), ..question };
    assert_eq!(outcome::<UnwrapDataKey>(&engine, &right), "allow");
    let denial = denied::<UnwrapDataKey>(&engine, &wrong);
    assert!(denial.event.detail.contains(&(EventDetail::Recipient, other.to_string())));
    assert_eq!((denial.event.decision, denial.event.outcome), (Decision::Deny, "denied"));
    assert_eq!(outcome::<GenerateDataKey>(&engine, &question), "allow");
    let restore = plain(&[("purpose", "restore")]);
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ana, Resource::Key(&key), Some(&restore))), "no-permit");
    assert_eq!(outcome::<GenerateDataKey>(&engine, &ask(&ana, Resource::Key(&key), None)), "no-permit");
    assert_eq!(outcome::<Sign>(&engine, &ask(&ana, Resource::Key(&key), None)), "no-permit");
    let through = acting("Service::\"app\"", "User::\"ana\"");
    assert_eq!(outcome::<Sign>(&engine, &ask(&through, Resource::Key(&key), None)), "allow");
    let through = acting("Service::\"ingest\"", "User::\"ana\"");
    assert_eq!(outcome::<Sign>(&engine, &ask(&through, Resource::Key(&key), None)), "no-permit");
}

#[test]
fn an_action_on_the_wrong_kind_of_thing_is_no_question() {
    let engine = engine(world(&everything()));
    let (ana, name, key) = (caller("User::\"ana\""), RingName::new("r").unwrap(), facts("r/k"));
    let ring = Resource::Ring { name: &name, labels: None };
    assert_eq!(outcome::<DescribeKey>(&engine, &ask(&ana, ring, None)), "wrong-target");
    assert_eq!(outcome::<DescribeRing>(&engine, &ask(&ana, Resource::Key(&key), None)), "wrong-target");
    assert_eq!(outcome::<GenerateRandom>(&engine, &ask(&ana, Resource::Role(Role::Admin), None)), "wrong-target");
}

#[test]
fn a_new_snapshot_decides_at_once_and_lists_show_what_it_allows() {
    let engine = engine(world(&everything()));
    let (ana, key) = (caller("User::\"ana\""), facts("r/k"));
    let question = ask(&ana, Resource::Key(&key), None);
    assert!(engine.glance::<DescribeKey>(&question).is_some());
    let stricter = engine.snapshot().with_bundle(&BundleSource::starter(), 9).unwrap();
    engine.install(stricter);
    assert!(engine.glance::<DescribeKey>(&question).is_none());
    let event = engine.list_event(&ana, wardkeep_model::ActionName::DescribeKey, Resource::System("wardkeep")).unwrap();
    assert_eq!((event.policy_version, event.outcome), (9, "ok"));
}

#[test]
fn nobody_lists_for_a_subject_they_may_not_act_for() {
    use wardkeep_model::ActionName;
    let engine = engine(world(&everything()));
    let stranger = caller("User::\"nobody-at-all\"");
    let listed = engine.list_event(&stranger, ActionName::DescribeKey, Resource::System("keys"));
    assert!(matches!(listed, Err(Refusal::Denied(denied)) if denied.reason == DenialReason::UnknownActor));
    engine.install(engine.snapshot().with_bundle(&BundleSource::starter(), 9).unwrap());
    let pretender = caller("User::\"ana\"").on_behalf_of(uid("User::\"bob\""));
    let listed = engine.list_event(&pretender, ActionName::DescribeKey, Resource::System("keys"));
    assert!(matches!(listed, Err(Refusal::Denied(_))), "the log would name a subject that was made up");
    let listed = engine.list_event(&pretender, ActionName::DescribeRole, Resource::System("roles"));
    assert!(matches!(listed, Err(Refusal::Question(QuestionError::SubjectOnControlVerb { .. }))));
}
