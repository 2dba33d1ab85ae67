//! The audit log: everything is in it, and what was put back or cut does not start.
//!
//! Broke elsewhere: audit sinks that failed in silence (Vault #5361, #3725), a database restored from yesterday.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wardkeep_store::OpenError;
use wardkeep_store::error::HeadError;
use wardkeep_tests::{Ask, House, Person};

/// Requests with what the log must say about them: decision and outcome.
fn asks() -> Vec<(&'static str, Ask, &'static str, &'static str)> {
    let post = |path: &str, body: Value| Ask::post(path, body);
    vec![
        ("ann", post("/v1/data-keys", json!({"key": "mine/wrap"})), "allow", "ok"),
        ("ann", post("/v1/data-keys", json!({"key": "theirs/wrap"})), "deny", "denied"),
        ("ann", post("/v1/data-keys", json!({"key": "mine/none"})), "allow", "key-not-found"),
        ("ann", post("/v1/data-keys", json!({"key": "mine/seal"})), "allow", "wrong-usage"),
        ("ann", post("/v1/encrypt", json!({"key": "mine/seal", "plaintext": "AA=="})), "allow", "ok"),
        ("ann", post("/v1/sign", json!({"key": "mine/sign", "message": "AA=="})), "allow", "ok"),
        ("ann", post("/v1/random", json!({"length": 4})), "allow", "ok"),
        ("ann", post("/v1/random", json!({"length": 4000})), "allow", "random-length"),
        ("ann", Ask::get("/v1/keys/mine/wrap"), "allow", "ok"),
        ("ann", Ask::get("/v1/keys"), "allow", "ok"),
        ("ann", Ask::get("/v1/config"), "deny", "denied"),
        ("ann", post("/v1/tokens", json!({"identity": "spiffe://house.test/user/ann"})), "deny", "denied"),
        ("eve", Ask::get("/v1/keys/mine/wrap"), "deny", "denied"),
        ("eve", Ask::get("/v1/keys/none/none"), "deny", "denied"),
        ("eve", Ask::get("/v1/audit/records"), "deny", "denied"),
        ("eve", Ask::get("/v1/keys/mine/wrap").as_user("ann"), "deny", "denied"),
        ("admin", Ask::get("/v1/control-set"), "allow", "ok"),
        ("admin", Ask::get("/v1/entities"), "allow", "ok"),
        ("admin", Ask::get("/v1/config"), "allow", "ok"),
        ("admin", Ask::get("/v1/tokens"), "allow", "ok"),
        ("admin", Ask::get("/v1/certificates"), "allow", "ok"),
        ("admin", Ask::get("/v1/audit/head"), "allow", "ok"),
        ("admin", post("/v1/audit/verify", json!({})), "allow", "ok"),
        ("admin", post("/v1/bundles/9/activate", json!({})), "allow", "bundle-not-found"),
        ("admin", post("/v1/keys/mine/wrap/rotate", json!({})), "allow", "ok"),
        ("admin", post("/v1/keys/mine/wrap/destroy", json!({})), "allow", "no-deletion-scheduled"),
        ("admin", post("/v1/data-keys", json!({"key": "mine/wrap"})), "deny", "denied"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_is_recorded_once_with_who_what_and_how() {
    let house = House::furnished().await;
    let people: BTreeMap<&str, Person> =
        [("ann", house.user("ann", &["writers"]).await), ("eve", house.user("eve", &[]).await)].into();
    let asks = asks();
    for (at, (who, ask, ..)) in asks.iter().enumerate() {
        let who = people.get(who).unwrap_or(&house.admin);
        let answer = house.ask(who, ask.clone().named(&format!("request-{at}"))).await;
        assert!(answer.status < 500, "{ask:?}: {}", answer.text());
        assert_eq!(answer.header("x-request-id"), format!("request-{at}"));
    }
    let log = house.log().await;
    for (at, (who, ask, decision, outcome)) in asks.iter().enumerate() {
        let name = format!("request-{at}");
        let found: Vec<&Value> = log.iter().filter(|event| event["request"] == *name).collect();
        assert_eq!(found.len(), 1, "{ask:?}: {found:?}");
        let event = found[0];
        assert_eq!((&event["decision"], &event["outcome"]), (&json!(decision), &json!(outcome)), "{ask:?}: {event}");
        assert_eq!(event["actor"]["id"], *who, "{event}");
        let serial = people.get(who).map_or(&house.admin.serial, |person| &person.serial);
        assert_eq!(event["serial"], *serial, "{event}");
        assert!(event["policy_version"].is_u64() && event["time"].is_string(), "{event}");
        let reasons = event["policies"].as_array().unwrap();
        assert!(
            *decision == "deny" || !reasons.is_empty() || *ask_path(ask) == *"/v1/keys",
            "no policy named: {event}"
        );
    }
}

fn ask_path(ask: &Ask) -> String {
    format!("{ask:?}").split("path: \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acts_and_for_whom_stand_side_by_side() {
    let house = House::furnished().await;
    let _ann = house.user("ann", &["writers"]).await;
    let app = house.service("app", &["applications"]).await;
    let ask = Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).as_user("ann").named("for-ann");
    let _made = house.ask(&app, ask).await.ok();
    let log = house.log().await;
    let event = log.iter().find(|event| event["request"] == "for-ann").unwrap();
    assert_eq!((&event["actor"]["id"], &event["subject"]["id"]), (&json!("app"), &json!("ann")));
    let policies = event["policies"].to_string();
    assert!(policies.contains("applications-act-for-people") && policies.contains("writers-have-the-ring-mine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_verifies_over_the_api_and_its_chain_by_hand() {
    let house = House::furnished().await;
    let _eve = house.get(&house.user("eve", &[]).await, "/v1/config").await;
    let verdict = house.post(&house.admin, "/v1/audit/verify", json!({})).await.ok();
    assert_eq!(verdict["status"], "verified", "{verdict}");
    assert!(verdict["records"].as_u64().unwrap() > 10);
    let page = house.get(&house.admin, "/v1/audit/records?limit=500").await.ok();
    let mut previous = String::new();
    for record in page["records"].as_array().unwrap() {
        let text = |member: &str| record[member].as_str().unwrap().to_owned();
        if !previous.is_empty() {
            assert_eq!(text("previous"), previous, "{record}");
        }
        let mut hashed = unhex(&text("previous"));
        hashed.extend_from_slice(text("line").as_bytes());
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &hashed);
        assert_eq!(unhex(&text("hash")), digest.as_ref(), "{record}");
        previous = text("hash");
    }
    let head = house.get(&house.admin, "/v1/audit/head").await.ok();
    assert!(head["records"].as_u64().unwrap() >= page["records"].as_array().unwrap().len() as u64);
    assert_eq!(wardkeep_tests::house::bytes(&head["public_key"]).len(), 32);
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(|_| ()).unwrap()
        }
    }
}

/// A house that lived on after its data folder was copied, stopped, with the copy put back.
async fn put_back(house: &mut House) -> PathBuf {
    house.stop().await;
    let yesterday = house.folder.path().join("yesterday");
    copy(&house.data(), &yesterday);
    house.start().await;
    let _done = house.post(&house.admin, "/v1/rings", json!({"name": "today"})).await.ok();
    house.stop().await;
    let today = house.folder.path().join("today");
    std::fs::rename(house.data(), &today).unwrap();
    copy(&yesterday, &house.data());
    today
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterdays_database_does_not_start() {
    let mut house = House::new().await;
    let bob = house.user("bob", &[]).await;
    let today = put_back(&mut house).await;
    let refused = house.open().map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Head(HeadError::RolledBack { .. })), "{refused}");
    // With today's again in its place it goes on as if nothing had been.
    std::fs::remove_dir_all(house.data()).unwrap();
    std::fs::rename(today, house.data()).unwrap();
    house.start().await;
    assert_eq!(house.get(&bob, "/v1/whoami").await.status, 200);
    assert_eq!(house.get(&house.admin, "/v1/rings/today").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_head_or_with_another_it_does_not_start() {
    let mut house = House::new().await;
    house.stop().await;
    let head = house.head_file();
    let kept = std::fs::read(&head).unwrap();
    std::fs::remove_file(&head).unwrap();
    let refused = house.open().map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Head(HeadError::Missing { .. })), "{refused}");
    for at in [0, kept.len() / 2, kept.len() - 1] {
        let mut changed = kept.clone();
        changed[at] ^= 1;
        std::fs::write(&head, &changed).unwrap();
        let refused = house.open().map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::Head(_)), "byte {at}: {refused}");
    }
    std::fs::write(&head, &kept[..kept.len() / 2]).unwrap();
    assert!(matches!(house.open().map(|_| ()).unwrap_err(), OpenError::Head(_)));
    let mut other = House::new().await;
    other.stop().await;
    std::fs::copy(other.head_file(), &head).unwrap();
    let refused = house.open().map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Head(_)), "another store's head: {refused}");
    std::fs::write(&head, &kept).unwrap();
    house.start().await;
    assert_eq!(house.get(&house.admin, "/v1/whoami").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_gone_while_the_server_runs_is_noticed_by_verify() {
    let house = House::new().await;
    let answer = house.post(&house.admin, "/v1/audit/verify", json!({})).await.ok();
    assert_eq!(answer["status"], "verified");
    std::fs::write(house.head_file(), b"nonsense").unwrap();
    let answer = house.post(&house.admin, "/v1/audit/verify", json!({})).await.ok();
    assert!(!answer.to_string().contains(house.folder.path().to_str().unwrap()), "no paths for callers: {answer}");
    // The next commit writes the head anew, so that both answers are honest; a wrong one would be `broken` for ever.
    assert!(matches!(answer["status"].as_str(), Some("broken" | "verified")), "{answer}");
}
