//! Acting for somebody: only where the rules let the actor, never for who rules, and never further than one step.
//!
//! Broke elsewhere: a confused deputy that used its own rights for its caller; a header that anybody could set.

use serde_json::{Value, json};
use wardkeep_tests::{Answer, Ask, House, Person, bundle};

struct Scene {
    house: House,
    ann: Person,
    bob: Person,
    /// May act for users, and has no right of its own.
    app: Person,
}

impl Scene {
    async fn set() -> Self {
        let house = House::furnished().await;
        let ann = house.user("ann", &["writers"]).await;
        let bob = house.user("bob", &[]).await;
        let app = house.service("app", &["applications"]).await;
        Self { house, ann, bob, app }
    }

    async fn generate(&self, who: &Person, subject: Option<&str>) -> Answer {
        let ask = Ask::post("/v1/data-keys", json!({"key": "mine/wrap"}));
        let ask = subject.map_or_else(|| ask.clone(), |subject| ask.clone().header("wardkeep-subject", subject));
        self.house.ask(who, ask).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subjects_rights_count_and_not_the_actors() {
    let scene = Scene::set().await;
    assert_eq!(scene.generate(&scene.app, Some("User::\"ann\"")).await.status, 200);
    assert_eq!(scene.generate(&scene.app, Some("User::\"bob\"")).await.said(), (403, "denied"), "Bob has no rights");
    assert_eq!(scene.generate(&scene.app, None).await.said(), (403, "denied"), "nor has the program");
    // Ann's own rights do not let her act for somebody else, and Bob borrows none of hers.
    assert_eq!(scene.generate(&scene.ann, Some("User::\"bob\"")).await.said(), (403, "denied"));
    assert_eq!(scene.generate(&scene.bob, Some("User::\"ann\"")).await.said(), (403, "denied"));
    assert_eq!(scene.generate(&scene.ann, Some("User::\"ann\"")).await.status, 200, "herself, spelt out");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_for_who_rules() {
    let scene = Scene::set().await;
    for (role, name) in [("auditor", "carl"), ("operator", "dora"), ("security-admin", "egon"), ("admin", "fred")] {
        let _entity = scene.house.entity("User", name, &[("Group", "writers")]).await.ok();
        let subject = format!("User::\"{name}\"");
        assert_eq!(scene.generate(&scene.app, Some(&subject)).await.status, 200, "{name} holds nothing yet");
        let _granted = scene.house.grant(role, name).await.ok();
        assert_eq!(scene.generate(&scene.app, Some(&subject)).await.said(), (403, "denied"), "{role}");
    }
    assert_eq!(scene.generate(&scene.app, Some("User::\"admin\"")).await.said(), (403, "denied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_somebody_and_of_a_type_that_may_be_one() {
    let scene = Scene::set().await;
    for (subject, expected) in [
        ("User::\"nobody\"", (403, "denied")),
        ("User::\"Ann\"", (403, "denied")),
        ("User::\"ann \"", (403, "denied")),
        ("Group::\"writers\"", (403, "denied")),
        ("Service::\"app\"", (403, "denied")),
        ("Patient::\"p1\"", (403, "denied")),
        ("Wardkeep::System::\"scheduler\"", (400, "reserved-subject")),
        ("Wardkeep::Role::\"admin\"", (400, "reserved-subject")),
        ("Wardkeep::Key::\"mine/wrap\"", (400, "reserved-subject")),
        ("ann", (400, "malformed-subject")),
        ("User::ann", (400, "malformed-subject")),
        ("User::\"\"", (400, "malformed-subject")),
        ("User::\"ann\" ", (400, "malformed-subject")),
        ("User::\"ann\", User::\"bob\"", (400, "malformed-subject")),
        ("", (400, "malformed-subject")),
    ] {
        let answer = scene.generate(&scene.app, Some(subject)).await;
        let said = (answer.status, answer.code().to_owned());
        // Trailing white space of a header is no part of its value (RFC 9110 section 5.5).
        if subject.ends_with(' ') && answer.status == 200 {
            continue;
        }
        assert_eq!((said.0, said.1.as_str()), expected, "{subject:?}: {}", answer.text());
    }
    // An escape is another way to write the same name, and the log knows one.
    let spelt =
        Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).header("wardkeep-subject", "User::\"a\\u{6e}n\"");
    assert_eq!(scene.house.ask(&scene.app, spelt.named("spelt")).await.status, 200);
    let log = scene.house.log().await;
    assert_eq!(log.iter().find(|event| event["request"] == "spelt").unwrap()["subject"]["id"], "ann");
    let twice = Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).as_user("ann").as_user("ann");
    assert_eq!(scene.house.ask(&scene.app, twice).await.said(), (400, "malformed-subject"));
}

#[tokio::test(flavor = "multi_thread")]
async fn control_verbs_take_no_subject_whoever_asks() {
    let scene = Scene::set().await;
    for path in [
        "/v1/control-set",
        "/v1/bundles",
        "/v1/entities",
        "/v1/tokens",
        "/v1/certificates",
        "/v1/audit/head",
        "/v1/roles",
    ] {
        for (who, subject) in [(&scene.house.admin, "ann"), (&scene.house.admin, "admin")] {
            let answer = scene.house.ask(who, Ask::get(path).as_user(subject)).await;
            assert_eq!(answer.said(), (400, "subject-on-control-verb"), "{path} {subject}: {}", answer.text());
        }
        let answer = scene.house.ask(&scene.app, Ask::get(path).as_user("ann")).await;
        assert!(matches!(answer.said(), (400, "subject-on-control-verb") | (403, "denied")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_act_ends_with_the_next_request() {
    let scene = Scene::set().await;
    assert_eq!(scene.generate(&scene.app, Some("User::\"ann\"")).await.status, 200);
    let text =
        r#"@id("not-for-ann") forbid (principal, action == Wardkeep::Action::"actFor", resource == User::"ann");"#;
    let source = bundle::with_policy(bundle::tested(), text);
    let _active = scene.house.post(&scene.house.admin, "/v1/bundles", bundle::activation(&source)).await.ok();
    assert_eq!(scene.generate(&scene.app, Some("User::\"ann\"")).await.said(), (403, "denied"));
    assert_eq!(scene.generate(&scene.ann, None).await.status, 200, "Ann herself is not touched");
    let log = scene.house.log().await;
    let denied = log.iter().rev().find(|event| event["decision"] == "deny").unwrap();
    assert_eq!((&denied["actor"]["id"], &denied["subject"]["id"]), (&json!("app"), &json!("ann")));
    assert!(denied["policies"].to_string().contains("not-for-ann"), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_for_two_subjects_is_two_requests() {
    let scene = Scene::set().await;
    let _carl = scene.house.user("carl", &["writers"]).await;
    let ask = |name: &str| Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("same").as_user(name);
    let for_ann = scene.house.ask(&scene.app, ask("ann")).await.ok();
    let for_carl = scene.house.ask(&scene.app, ask("carl")).await.ok();
    assert_ne!(for_ann["wrapped"], for_carl["wrapped"]);
    assert_eq!(scene.house.ask(&scene.app, ask("ann")).await.ok()["wrapped"], for_ann["wrapped"]);
    // What a program made for Ann is not what Ann made.
    let own = Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("same");
    assert_ne!(scene.house.ask(&scene.ann, own).await.ok()["wrapped"], for_ann["wrapped"]);
    assert_eq!(scene.house.ask(&scene.app, ask("bob")).await.said(), (403, "denied"), "a replay is decided anew");
}

/// A record's owner, asked for by a program: released for who owns it, and for nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_reads_what_its_subject_may_read() {
    let scene = Scene::set().await;
    let _carl = scene.house.user("carl", &["writers"]).await;
    let scan = |owner: &str| -> Value {
        let owner = json!({"__entity": {"type": "User", "id": owner}});
        json!({"resource": {"type": "Scan", "id": "s1", "attributes": {"owner": owner}}})
    };
    let make = Ask::post("/v1/data-keys", json!({"key": "mine/wrap", "context": scan("ann")})).as_user("ann");
    let made = scene.house.ask(&scene.app, make).await.ok();
    let open = |name: &str, context: Value| {
        let body = json!({"wrapped": made["wrapped"], "context": context});
        Ask::post("/v1/data-keys/unwrap", body).as_user(name).named(&format!("opens-for-{name}"))
    };
    let opened = scene.house.ask(&scene.app, open("ann", scan("ann"))).await.ok();
    assert_eq!(opened["plaintext"], made["plaintext"]);
    assert_eq!(scene.house.ask(&scene.app, open("carl", scan("ann"))).await.said(), (403, "denied"));
    assert_eq!(scene.house.ask(&scene.app, open("carl", scan("carl"))).await.said(), (400, "cannot-open"));
    let for_other = Ask::post("/v1/data-keys", json!({"key": "mine/wrap", "context": scan("ann")})).as_user("carl");
    assert_eq!(scene.house.ask(&scene.app, for_other).await.said(), (403, "denied"), "Carl makes no scan of Ann's");
    let log = scene.house.log().await;
    let event = log.iter().find(|event| event["request"] == "opens-for-ann").unwrap();
    assert_eq!((&event["actor"]["id"], &event["subject"]["id"]), (&json!("app"), &json!("ann")));
    let record = (&event["record"]["type"], &event["record"]["id"], &event["record_action"]);
    assert!(record.0 == "Scan" && record.1 == "s1" && record.2.to_string().contains("read"), "{event}");
    let policies = event["policies"].to_string();
    for id in ["applications-act-for-people", "writers-have-the-ring-mine", "owners-have-their-scans"] {
        assert!(policies.contains(id), "{id} in {policies}");
    }
}
