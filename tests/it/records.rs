//! What the log says about each verb: on what it was, what it was about, and how it went; and what it never says.
//!
//! Broke elsewhere: control verbs whose target stood nowhere, lists without their filter, secrets in the log
//! (CVE-2025-62513, CVE-2025-62705).

use http::Method;
use serde_json::{Value, json};
use wardkeep_tests::house::{csr, csr_params, identity, member};
use wardkeep_tests::{Ask, House, bundle};

/// The one event of a request.
async fn event(house: &House, name: &str) -> Value {
    let mut found: Vec<Value> = house.log().await.into_iter().filter(|event| event["request"] == name).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found.pop().unwrap()
}

fn detail<'a>(event: &'a Value, member: &str) -> &'a str {
    event["detail"][member].as_str().unwrap_or_else(|| panic!("no `{member}` in {event}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_verb_of_a_keys_life_names_key_version_and_state() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    for (verb, body, action) in [
        ("rotate", json!({}), "RotateKey"),
        ("suspend", json!({"version": 2}), "SuspendKey"),
        ("enable", json!({"version": 2}), "EnableKey"),
        ("deactivate", json!({"version": 2}), "DeactivateKey"),
        ("compromise", json!({"version": 1}), "CompromiseKey"),
        ("schedule-deletion", json!({"days": 7}), "ScheduleKeyDeletion"),
        ("cancel-deletion", json!({}), "CancelKeyDeletion"),
    ] {
        let ask = Ask::post(format!("/v1/keys/mine/wrap/{verb}"), body).named(verb);
        let _done = house.ask(&ann, ask).await.ok();
        let event = event(&house, verb).await;
        assert_eq!((&event["action"], &event["outcome"]), (&json!(action), &json!("ok")), "{event}");
        assert_eq!(event["resource"], json!({"type": "Wardkeep::Key", "id": "mine/wrap"}), "{event}");
        assert_eq!((&event["actor"], &event["subject"]), (&json!({"type": "User", "id": "ann"}), &event["actor"]));
        assert_eq!(event["serial"], ann.serial);
        assert_eq!(event["policies"], json!(["writers-have-the-ring-mine"]), "{event}");
        assert_eq!(event["errors"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_name_their_version_and_their_context_only_by_its_digest() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let context = json!({"patient": "very-private-name"});
    let made = json!({"key": "mine/wrap", "context": context});
    let made = house.ask(&ann, Ask::post("/v1/data-keys", made).named("made")).await.ok();
    let _rotated = house.post(&ann, "/v1/keys/mine/wrap/rotate", json!({})).await.ok();
    let opened = json!({"wrapped": made["wrapped"], "context": context});
    let _opened = house.ask(&ann, Ask::post("/v1/data-keys/unwrap", opened.clone()).named("opened")).await.ok();
    let _moved = house.ask(&ann, Ask::post("/v1/data-keys/rewrap", opened).named("moved")).await.ok();
    let wrong = json!({"wrapped": made["wrapped"], "context": {"patient": "other"}});
    let wrong = house.ask(&ann, Ask::post("/v1/data-keys/unwrap", wrong).named("wrong")).await;
    assert_eq!(wrong.said(), (400, "cannot-open"));
    let (first, second) = (event(&house, "made").await, event(&house, "opened").await);
    let digest = detail(&first, "context_digest");
    assert_eq!((digest.len(), digest), (64, detail(&second, "context_digest")));
    assert_ne!(
        digest,
        detail(&event(&house, "wrong").await, "context_digest"),
        "what was presented, not what is inside"
    );
    assert_eq!(detail(&second, "key_version"), "1", "the version that the input names");
    assert_eq!(event(&house, "wrong").await["outcome"], "cannot-open");
    let log = serde_json::to_string(&house.log().await).unwrap();
    for secret in ["very-private-name", made["plaintext"].as_str().unwrap(), made["wrapped"].as_str().unwrap()] {
        assert!(!log.contains(secret), "{secret:.20} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_verbs_name_what_they_were_about() {
    let house = House::new().await;
    let eve = house.user("eve", &[]).await;
    let admin = &house.admin;
    let ask = async |name: &str, ask: Ask| house.ask(admin, ask.named(name)).await;
    let token = ask("token", Ask::post("/v1/tokens", json!({"identity": identity("user", "eve")}))).await.ok();
    let said = event(&house, "token").await;
    assert_eq!((detail(&said, "about"), &said["action"]), (identity("user", "eve").as_str(), &json!("IssueToken")));
    assert_eq!(said["resource"], json!({"type": "User", "id": "eve"}));
    assert!(!said.to_string().contains(token["token"].as_str().unwrap().split('.').nth(1).unwrap()));

    let gone = ask("untoken", Ask::new(Method::DELETE, format!("/v1/tokens/{}", token["id"].as_str().unwrap()))).await;
    assert_eq!(gone.status, 204);
    assert_eq!(detail(&event(&house, "untoken").await, "about"), token["id"].as_str().unwrap());

    let _granted = ask("grant", Ask::new(Method::PUT, member("auditor", "eve"))).await.ok();
    let said = event(&house, "grant").await;
    assert_eq!(
        (detail(&said, "about"), detail(&said, "count")),
        ("User::\"eve\"", "1"),
        "one certificate went: {said}"
    );
    assert_eq!(said["resource"], json!({"type": "Wardkeep::Role", "id": "auditor"}));
    assert!(house.try_ask(&eve, &Ask::get("/v1/whoami")).await.map_or(true, |answer| answer.status == 403));

    let entity = json!({"entities": [{"uid": {"type": "Group", "id": "g1"}}, {"uid": {"type": "Group", "id": "g2"}}]});
    let _put = ask("entities", Ask::post("/v1/entities", entity)).await.ok();
    let events: Vec<Value> = house.log().await.into_iter().filter(|event| event["request"] == "entities").collect();
    let about: Vec<&str> = events.iter().map(|event| detail(event, "about")).collect();
    assert_eq!(about, ["Group::\"g1\"", "Group::\"g2\""], "one event each");

    let revoked =
        ask("revoke", Ask::post("/v1/certificates/revoke", json!({"identity": identity("user", "eve")}))).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    assert_eq!(detail(&event(&house, "revoke").await, "about"), identity("user", "eve"));

    let _listed = ask("list", Ask::get("/v1/entities?type=Group")).await.ok();
    let said = event(&house, "list").await;
    assert_eq!((detail(&said, "filter"), said["action"].as_str()), ("Group", Some("DescribeEntity")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_after_a_permit_are_recorded_with_their_reason() {
    let house = House::new().await;
    for (name, ask, outcome) in [
        ("r1", Ask::new(Method::DELETE, member("security-admin", "admin")), "would-lock-out"),
        ("r2", Ask::post("/v1/certificates/revoke", json!({"serial": house.admin.serial})), "would-lock-out"),
        ("r3", Ask::post("/v1/certificates/revoke", json!({"serial": "ab"})), "certificate-unknown"),
        ("r4", Ask::post("/v1/bundles/77/activate", Value::Null), "bundle-not-found"),
        ("r5", Ask::new(Method::DELETE, "/v1/entities/User/nobody"), "entity-not-found"),
        ("r6", Ask::new(Method::PUT, member("auditor", "nobody")), "role-refused"),
        (
            "r7",
            Ask::post("/v1/tokens", json!({"identity": identity("user", "admin"), "minutes": 100_000})),
            "token-life",
        ),
        ("r8", Ask::new(Method::DELETE, "/v1/tokens/none"), "token-unknown"),
        (
            "r9",
            Ask::new(Method::PUT, "/v1/control-set").json(&json!({"text": "forbid(principal, action, resource);"})),
            "would-lock-out",
        ),
    ] {
        let answer = house.ask(&house.admin, ask.clone().named(name)).await;
        assert_eq!(answer.code(), outcome, "{ask:?}: {}", answer.text());
        let said = event(&house, name).await;
        assert_eq!((&said["decision"], &said["outcome"]), (&json!("allow"), &json!(outcome)), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_traced_from_token_to_renewal() {
    let house = House::new().await;
    let _entity = house.entity("User", "eve", &[]).await.ok();
    let token = house.token(&house.admin, "user", "eve").await.ok();
    let eve = house.enrol(token["token"].as_str().unwrap()).await;
    let renewed = house.renew(&eve).await;
    let log = house.log().await;
    let of = |action: &str| log.iter().rev().find(|event| event["action"] == action).unwrap();
    let enrolled = of("Enrol");
    assert_eq!((detail(enrolled, "about"), detail(enrolled, "peer")), (eve.identity.as_str(), eve.serial.as_str()));
    let renewal = of("RenewCertificate");
    assert_eq!(
        (renewal["serial"].as_str(), detail(renewal, "peer")),
        (Some(eve.serial.as_str()), renewed.serial.as_str())
    );
    let (_, again) = house.try_enrol(token["token"].as_str().unwrap(), &csr_params(None)).await;
    assert_eq!(again.said(), (403, "token-refused"));
    let log = house.log().await;
    let refused = log.iter().rev().find(|event| event["action"] == "Enrol").unwrap();
    assert_eq!((&refused["decision"], &refused["outcome"]), (&json!("deny"), &json!("token-refused")));
    assert_eq!(detail(refused, "reason"), "used", "the log says which, the caller is not told");
}

/// Whatever stands in names and headers, a record is one line of printable ASCII.
#[tokio::test(flavor = "multi_thread")]
async fn no_name_breaks_a_line_of_the_log() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    for id in ["żółć", "a\u{202e}b", "tab\tname", "\u{1f600}", "quote\"and\\slash"] {
        let entity = json!({"entities": [{"uid": {"type": "Group", "id": id}}]});
        let _either = house.post(&house.admin, "/v1/entities", entity).await;
        let subject = format!("User::\"{}\"", id.replace('\\', "\\\\").replace('"', "\\\""));
        let ask = Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).header("wardkeep-subject", subject);
        let _either = house.ask(&ann, ask).await;
    }
    let records = house.app().store.audit(1, 100_000).unwrap();
    for record in &records {
        assert!(record.line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", record.line);
        let _read: Value = serde_json::from_str(&record.line).unwrap();
    }
    assert!(house.log().await.iter().any(|event| event.to_string().contains("żółć")), "escaped, and readable again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_no_question_leaves_no_record() {
    let house = House::furnished().await;
    let before = house.log().await.len();
    let (csr_pem, _) = csr(&csr_params(None));
    for ask in [
        Ask::get("/v1/nothing"),
        Ask::post("/v1/rings", json!({"name": "../x"})),
        Ask::post("/v1/data-keys", json!({"key": 5})),
        Ask::get("/v1/keys?limit=0"),
        Ask::post("/v1/certificates/renew", json!({"csr_pem": csr_pem})).as_user("ann"),
        Ask::post("/v1/bundles", bundle::activation(&bundle::tested())).once("x"),
    ] {
        let answer = house.ask(&house.admin, ask.clone()).await;
        assert!((400..500).contains(&answer.status), "{ask:?}");
    }
    assert_eq!(house.log().await.len(), before);
}
