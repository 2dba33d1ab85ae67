//! Who gets a user key, and for whom: attackers who have half of the rights, or who bring attributes of their own.
//!
//! Elsewhere attributes came from a token the caller had made, and an application that could act for everybody could have
//! everybody's keys.

use std::sync::Arc;

use wardkeep_model::action::{IssueUserKey, IssueUserKeyFor};
use wardkeep_model::{
    BindingDigest, BucketLength, EventDetail, Fingerprint, IssueBinding, KeyId, Permit, RequestId, Value,
};
use wardkeep_policy::{
    BundleSource, DenialReason, Engine, EntityChange, Projected, Question, QuestionError, Refusal, Resource, Role,
};

use crate::harness::*;

pub(crate) const MANIFEST: &str = r#"
    [authorities."r/abe"]
    subjects = ["User"]
    [authorities."r/abe".attributes]
    role = { declare = "text set", ancestors = "Post" }
    dept = { declare = "text", attribute = "dept" }
    level = { declare = "number(8)", attribute = "level" }
    user = { declare = "text", id = true }
"#;
pub(crate) const SCHEMA: &str = r#"
    entity Post;
    entity User in [Post] = { dept?: String, level?: Long, boss?: User };
    entity Service in [Post] = { dept?: String, level?: Long };
"#;
pub(crate) const RULES: &str = r#"
    @id("act") permit(principal, action == Wardkeep::Action::"actFor", resource is User);
    @id("issue") permit(principal is User, action == Wardkeep::Action::"IssueUserKey", resource)
    unless { principal == User::"ben" };
    @id("for") permit(principal == Service::"app", action == Wardkeep::Action::"IssueUserKeyFor", resource);
    @id("ben-for") permit(principal == User::"ben", action == Wardkeep::Action::"IssueUserKeyFor", resource);
"#;

pub(crate) fn person(name: &str, attributes: &[(&str, Value)], parents: &[&str]) -> EntityChange {
    let mut person = record(name, parents);
    person.attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    EntityChange::Put(person)
}

/// `ana` is a doctor in cardiology; `app`, `ben` and `ingest` are admirals of level 200.
pub(crate) fn engine_of(rules: &str) -> Engine {
    let loud = [("dept", Value::from("admiralty")), ("level", Value::from(200))];
    let changes = [
        person("User::\"ana\"", &[("dept", Value::from("cardiology"))], &["Post::\"doctor\""]),
        person("User::\"ben\"", &loud, &["Post::\"admiral\""]),
        person("Service::\"app\"", &loud, &["Post::\"admiral\""]),
        person("Service::\"ingest\"", &loud, &["Post::\"admiral\""]),
    ];
    engine(world(&bundle(MANIFEST, SCHEMA, rules)).with_entities(&changes, 7).unwrap())
}

pub(crate) const ANA: &str = "dept = cardiology, role = [doctor], user = ana";

pub(crate) fn ends(engine: &Engine, actor: &str, subject: &str) -> Result<String, &'static str> {
    let (caller, key) = (acting(actor, subject), issuing("r/abe"));
    issued(engine, &ask(&caller, Resource::Key(&key), None))
}

pub(crate) fn issue(engine: &Engine, question: &Question<'_>) -> (Permit<IssueUserKey>, Projected) {
    engine.decide_issue(question).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

#[test]
fn half_of_the_rights_is_none() {
    let engine = engine_of(RULES);
    assert_eq!(ends(&engine, "User::\"ana\"", "User::\"ana\"").as_deref(), Ok(ANA));
    assert_eq!(ends(&engine, "Service::\"app\"", "User::\"ana\"").as_deref(), Ok(ANA));
    // The actor may act for her and she may have a key; the actor may have none issued for others.
    assert_eq!(ends(&engine, "Service::\"ingest\"", "User::\"ana\""), Err("may-not-issue-for"));
    // The actor may have keys issued, and the subject gets none; not for itself, and not through another.
    assert_eq!(ends(&engine, "User::\"ben\"", "User::\"ben\""), Err("no-permit"));
    assert_eq!(ends(&engine, "Service::\"app\"", "User::\"ben\""), Err("no-permit"));
    // Issuing for others does not make it one's own right, nor a type that gets keys.
    assert_eq!(ends(&engine, "Service::\"app\"", "Service::\"app\""), Err("no-permit"));
    assert_eq!(ends(&engine, "User::\"ana\"", "User::\"ben\""), Err("no-permit"));
}

#[test]
fn issuing_for_somebody_takes_the_right_to_act_for_them_first() {
    let without =
        RULES.replace(r#"@id("act") permit(principal,"#, r#"@id("act") permit(principal == Service::"ingest","#);
    let engine = engine_of(&without);
    assert_eq!(ends(&engine, "Service::\"app\"", "User::\"ana\""), Err("may-not-act-for"));
    assert_eq!(ends(&engine, "Service::\"ingest\"", "User::\"ana\""), Err("may-not-issue-for"));
    let engine = engine_of(RULES);
    assert_eq!(ends(&engine, "Service::\"app\"", "User::\"nobody\""), Err("unknown-subject"));
    assert_eq!(ends(&engine, "Service::\"gone\"", "User::\"ana\""), Err("unknown-actor"));
    assert_eq!(ends(&engine, "Service::\"app\"", "User::\"root\""), Err("subject-holds-role"));
    assert_eq!(ends(&engine, "Service::\"app\"", "Wardkeep::Role::\"admin\""), Err("reserved-subject"));
    assert_eq!(ends(&engine, "Service::\"app\"", "Post::\"doctor\""), Err("unknown-subject"));
}

/// A condition that validates strictly and overflows for whoever has a level above zero.
const OVERFLOW: &str = "principal has level && principal.level * 9223372036854775807 > 0";

#[test]
fn a_forbid_that_errs_denies_wherever_it_stands() {
    let ana = [("dept", Value::from("cardiology")), ("level", Value::from(3))];
    for (action, who, wanted) in [
        ("actFor", "principal is Service", "may-not-act-for"),
        ("IssueUserKey", "principal is User", "forbidden"),
        ("IssueUserKeyFor", "principal is Service", "may-not-issue-for"),
    ] {
        let rule = |id: &str, effect: &str| {
            format!(
                "@id(\"{id}\") {effect}({who}, action == Wardkeep::Action::\"{action}\", resource) when {{ {OVERFLOW} }};"
            )
        };
        let with = |rules: &str| {
            let snapshot = engine_of(rules).snapshot().with_entities(&[person("User::\"ana\"", &ana, &[])], 8).unwrap();
            ends(&engine(snapshot), "Service::\"app\"", "User::\"ana\"")
        };
        assert!(with(RULES).is_ok());
        assert_eq!(with(&format!("{RULES} {}", rule("err", "forbid"))), Err(wanted), "{action}");
        // And a permit that errs grants nothing where it is the only one.
        let id = match action {
            "actFor" => "act",
            "IssueUserKey" => "issue",
            _ => "for",
        };
        let only = RULES.replace(&format!("@id(\"{id}\") permit"), &format!("@id(\"{id}\") forbid"));
        let only = only.replace("resource is User);", "resource is User) when { false };");
        let only = only.replace("    unless { principal == User::\"ben\" };", "when { false };");
        let only = only.replace("\"IssueUserKeyFor\", resource);", "\"IssueUserKeyFor\", resource) when { false };");
        assert!(with(&format!("{only} {}", rule("err", "permit"))).is_err(), "{action}");
    }
}

#[test]
fn the_further_right_is_the_actors_and_sees_the_actor() {
    let rules = RULES.replace(
        r#"@id("for") permit(principal == Service::"app", action == Wardkeep::Action::"IssueUserKeyFor", resource);"#,
        r#"@id("for") permit(principal is Service, action == Wardkeep::Action::"IssueUserKeyFor", resource)
           when { principal has level && principal.level == 200 && context.actor.id == "app" && resource.usage == "issue" };"#,
    );
    assert_ne!(rules, RULES);
    let engine = engine_of(&rules);
    assert_eq!(ends(&engine, "Service::\"app\"", "User::\"ana\"").as_deref(), Ok(ANA));
    assert_eq!(ends(&engine, "Service::\"ingest\"", "User::\"ana\""), Err("may-not-issue-for"));
    // A rule about the subject does not help whoever asks.
    let subjects = rules.replace(
        "permit(principal is Service, action == Wardkeep::Action::\"IssueUserKeyFor\"",
        "permit(principal is User, action == Wardkeep::Action::\"IssueUserKeyFor\"",
    );
    assert_ne!(subjects, rules);
    assert_eq!(ends(&engine_of(&subjects), "Service::\"app\"", "User::\"ana\""), Err("may-not-issue-for"));
}

#[test]
fn nothing_a_caller_brings_reaches_the_attributes() {
    let engine = engine_of(RULES);
    // The context, the one thing a caller words freely, is refused whatever it says.
    let (ana, key) = (caller("User::\"ana\""), issuing("r/abe"));
    for context in [plain(&[("role", "admiral"), ("level", "200")]), plain(&[])] {
        assert_eq!(issued(&engine, &ask(&ana, Resource::Key(&key), Some(&context))), Err("context-not-allowed"));
    }
    let record = naming("User::\"ana\"", Some(&[("level", Value::from(200))]), None);
    assert_eq!(issued(&engine, &ask(&ana, Resource::Key(&key), Some(&record))), Err("context-not-allowed"));
    // The actor's own attributes stay the actor's.
    assert_eq!(ends(&engine, "Service::\"app\"", "User::\"ana\"").as_deref(), Ok(ANA));
    let both = RULES.replace("unless { principal == User::\"ben\" }", "");
    assert_eq!(ends(&engine_of(&both), "User::\"ben\"", "User::\"ana\"").as_deref(), Ok(ANA));
    // So do the labels of the key.
    let mut labelled = issuing("r/abe");
    labelled.labels = Arc::new([("role".to_owned(), "admiral".to_owned())].into());
    assert_eq!(issued(&engine, &ask(&ana, Resource::Key(&labelled), None)).as_deref(), Ok(ANA));
}

#[test]
fn a_control_role_is_no_attribute() {
    // Whoever holds all of them has none of the bundle's posts, and a post of the same name is another thing.
    let engine = engine_of(RULES);
    assert_eq!(ends(&engine, "User::\"root\"", "User::\"root\"").as_deref(), Ok("role = [], user = root"));
    engine.install(engine.snapshot().with_entities(&[put("User::\"root\"", &["Post::\"auditor\""])], 8).unwrap());
    assert_eq!(ends(&engine, "User::\"root\"", "User::\"root\"").as_deref(), Ok("role = [auditor], user = root"));
    for (manifest, schema, said) in [
        (MANIFEST.replace("ancestors = \"Post\"", "ancestors = \"Wardkeep::Role\""), SCHEMA.to_owned(), "reserved"),
        (
            MANIFEST.to_owned(),
            SCHEMA.replace("dept?: String, level?: Long, boss", "dept?: Wardkeep::Role, level?: Long, boss"),
            "namespace `Wardkeep`",
        ),
        (
            MANIFEST.replace(
                "{ declare = \"text\", attribute = \"dept\" }",
                "{ declare = \"text set\", attribute = \"dept\" }",
            ),
            SCHEMA.replace("dept?: String, level?: Long, boss", "dept?: Set<Wardkeep::Key>, level?: Long, boss"),
            "Wardkeep",
        ),
    ] {
        let errors = load(&bundle(&manifest, &schema, "")).expect_err(said);
        assert!(errors.to_string().contains(said), "{errors}");
    }
}

#[test]
fn a_denial_comes_before_everything_that_could_be_learnt() {
    let engine = engine_of(RULES);
    let declared = issuing("r/abe");
    let undeclared = issuing("r/other");
    let missing = KeyId::parse("r/none").unwrap();
    for who in ["User::\"ben\"", "User::\"nobody\""] {
        let caller = caller(who);
        let wanted = if who.contains("ben") { "no-permit" } else { "unknown-actor" };
        for resource in [Resource::Key(&declared), Resource::Key(&undeclared), Resource::MissingKey(&missing)] {
            assert_eq!(issued(&engine, &ask(&caller, resource, None)), Err(wanted), "{who}");
        }
    }
    let ana = caller("User::\"ana\"");
    assert_eq!(issued(&engine, &ask(&ana, Resource::Key(&undeclared), None)), Err("authority-undeclared"));
    assert_eq!(issued(&engine, &ask(&ana, Resource::MissingKey(&missing), None)), Err("authority-undeclared"));
    // What the bundle declares may be asked about before the key is made: the key service says that there is none.
    let unmade = KeyId::parse("r/abe").unwrap();
    assert_eq!(issued(&engine, &ask(&ana, Resource::MissingKey(&unmade), None)).as_deref(), Ok(ANA));
}

#[test]
fn only_the_issue_decides_an_issue() {
    let engine = engine_of(RULES);
    let key = issuing("r/abe");
    for caller in [caller("User::\"ana\""), acting("Service::\"app\"", "User::\"ana\"")] {
        let question = ask(&caller, Resource::Key(&key), None);
        assert_eq!(outcome::<IssueUserKey>(&engine, &question), "decided-at-issue");
        assert_eq!(outcome::<IssueUserKeyFor>(&engine, &question), "decided-at-issue");
        assert!(engine.glance::<IssueUserKey>(&question).is_none());
    }
    let stranger = caller("User::\"nobody\"");
    assert_eq!(outcome::<IssueUserKey>(&engine, &ask(&stranger, Resource::Key(&key), None)), "unknown-actor");
    let ana = caller("User::\"ana\"");
    assert_eq!(issued(&engine, &ask(&ana, Resource::System("wardkeep"), None)), Err("wrong-target"));
    assert_eq!(issued(&engine, &ask(&ana, Resource::Role(Role::Admin), None)), Err("wrong-target"));
    let scheduler =
        wardkeep_model::Caller::itself(uid("Wardkeep::System::\"scheduler\""), None, RequestId::new("r").unwrap());
    assert_eq!(issued(&engine, &ask(&scheduler, Resource::Key(&key), None)), Err("not-for-the-scheduler"));
    let error = QuestionError::DecidedAtIssue { action: "IssueUserKey" };
    assert!(error.to_string().contains("`IssueUserKey`") && error.to_string().contains("attributes"), "{error}");
    let error = QuestionError::ContextNotAllowed { action: "IssueUserKey" };
    assert!(error.to_string().contains("leave it out"), "{error}");
}

#[test]
fn the_permit_is_bound_to_what_the_key_will_say() {
    let engine = engine_of(RULES);
    let (ana, key) = (caller("User::\"ana\""), issuing("r/abe"));
    let (one, other) = (Fingerprint::of_spki(b"one"), Fingerprint::of_spki(b"other"));
    let question = Question { recipient: Some(&one), ..ask(&ana, Resource::Key(&key), None) };
    let (permit, projected) = issue(&engine, &question);
    let (schema, attributes) = (projected.schema.to_text(), projected.attributes.to_string());
    let (bucket, serial_bits) = (projected.terms.bucket, projected.terms.serial_bits);
    let binding = IssueBinding { schema: &schema, bucket, serial_bits, attributes: &attributes, recipient: Some(&one) };
    let fits = |binding: IssueBinding<'_>| permit.binding() == Some(&BindingDigest::of_issue(&binding));
    assert!(fits(binding), "as the key service will compute it");
    // What a handler could be made to mix up, one thing at a time.
    let wider = attributes.replace("doctor", "doctor, surgeon");
    let loose = schema.replace("number(8)", "number(16)");
    assert!(!fits(IssueBinding { attributes: &wider, ..binding }));
    assert!(!fits(IssueBinding { schema: &loose, ..binding }));
    assert!(!fits(IssueBinding { bucket: BucketLength::Hour, ..binding }));
    assert!(!fits(IssueBinding { serial_bits: 21, ..binding }));
    assert!(!fits(IssueBinding { recipient: Some(&other), ..binding }));
    assert!(!fits(IssueBinding { recipient: None, ..binding }));
    assert_eq!((permit.resource().id(), permit.release(), permit.covers_compromised()), ("r/abe", None, false));
}

#[test]
fn one_event_tells_all_of_it() {
    let engine = engine_of(RULES);
    let key = issuing("r/abe");
    let acting = acting("Service::\"app\"", "User::\"ana\"");
    let (permit, _) = issue(&engine, &ask(&acting, Resource::Key(&key), None));
    let event = permit.into_event();
    assert_eq!((event.action.as_str(), event.outcome), ("IssueUserKey", "ok"));
    assert_eq!((event.actor.id(), event.subject.id()), ("app", "ana"));
    assert_eq!(event.policies, ["act", "issue", "for"], "three decisions, one event");
    assert_eq!(event.detail, [(EventDetail::Attributes, ANA.to_owned())]);
    // A denial says why, and nothing of the attributes.
    let caller = crate::harness::acting("Service::\"ingest\"", "User::\"ana\"");
    let refused = engine.decide_issue(&ask(&caller, Resource::Key(&key), None));
    let Err(Refusal::Denied(denied)) = refused else { panic!("not denied") };
    assert_eq!((denied.reason, denied.event.policies.len()), (DenialReason::MayNotIssueFor, 0));
    assert_eq!(denied.event.detail, [(EventDetail::Reason, "may-not-issue-for".to_owned())]);
    // What the policies allow and the entity does not make is a decision all the same.
    let odd = person("User::\"ana\"", &[("level", Value::from(256))], &[]);
    engine.install(engine.snapshot().with_entities(&[odd], 8).unwrap());
    let Err(Refusal::NotIssuable(refused)) = engine.decide_issue(&ask(&acting, Resource::Key(&key), None)) else {
        panic!("issued")
    };
    assert_eq!((refused.event.outcome, refused.error.code()), ("attribute-misfit", "attribute-misfit"));
    assert_eq!(refused.event.policies, ["act", "issue", "for"]);
    assert!(refused.event.detail.is_empty(), "{:?}", refused.event.detail);
    assert!(refused.error.to_string().starts_with("the subject's attribute `level` "), "{}", refused.error);
}

#[test]
fn who_administers_keys_issues_none() {
    for bundle in [BundleSource::starter(), BundleSource::dev()] {
        let engine = engine(world(&bundle));
        let (root, ana, key) = (caller("User::\"root\""), caller("User::\"ana\""), issuing("dev/abe"));
        assert_eq!(issued(&engine, &ask(&ana, Resource::Key(&key), None)), Err("no-permit"));
        let wanted = match bundle == BundleSource::dev() {
            true => Ok(r#"user = "User::\"root\"""#.to_owned()),
            false => Err("no-permit"),
        };
        assert_eq!(issued(&engine, &ask(&root, Resource::Key(&key), None)), wanted);
    }
}

#[test]
fn rules_may_pin_the_public_key_that_a_user_key_is_sealed_for() {
    let (ours, theirs) = (Fingerprint::of_spki(b"ours"), Fingerprint::of_spki(b"theirs"));
    let rules = format!(
        "{RULES} @id(\"pinned\") forbid(principal, action == Wardkeep::Action::\"IssueUserKey\", resource)
         unless {{ context has recipient && context.recipient == \"{ours}\" }};
         @id(\"no-app\") forbid(principal, action == Wardkeep::Action::\"IssueUserKeyFor\", resource)
         when {{ context has recipient && context.recipient == \"{theirs}\" }};"
    );
    let (engine, ana, key) = (engine_of(&rules), caller("User::\"ana\""), issuing("r/abe"));
    for (recipient, wanted) in [(None, Err("forbidden")), (Some(&theirs), Err("forbidden")), (Some(&ours), Ok(ANA))] {
        let question = Question { recipient, ..ask(&ana, Resource::Key(&key), None) };
        assert_eq!(issued(&engine, &question).as_deref().map_err(|end| *end), wanted);
    }
}
