//! `Idempotency-Key` at every verb that takes it: sent at once from many connections it takes effect once, another body
//! is refused, and a replay is decided anew.
//!
//! Broke elsewhere: a race that made two keys of one request, a replay that answered after the right was gone.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wardkeep_tests::house::member;
use wardkeep_tests::{Answer, Ask, House, Person, bundle};

/// Sends the same request from as many connections at once.
async fn race(house: &House, who: &Arc<Person>, ask: &Ask, times: usize) -> Vec<Answer> {
    let (mut racers, api) = (JoinSet::new(), house.api());
    for _ in 0..times {
        let (who, ask) = (who.clone(), ask.clone());
        racers.spawn(async move { who.send_anew(api, &ask).await.unwrap() });
    }
    racers.join_all().await
}

/// How often an action was done under a request's id.
async fn done(house: &House, name: &str) -> usize {
    let of = |event: &&Value| event["request"] == name && event["outcome"] == "ok" && event["decision"] == "allow";
    house.log().await.iter().filter(of).count()
}

/// Each verb of a key's life that takes the header, in an order in which each may follow the one before; beside it a
/// body that is another request.
fn verbs() -> Vec<(&'static str, Value, Value)> {
    vec![
        ("rotate", json!({}), Value::Null),
        ("suspend", json!({"version": 2}), json!({})),
        ("enable", json!({"version": 2}), json!({})),
        ("deactivate", json!({"version": 2}), json!({"version": 1})),
        ("compromise", json!({"version": 1}), json!({"version": 2})),
        ("schedule-deletion", json!({"days": 7}), json!({"days": 8})),
        ("cancel-deletion", json!({}), Value::Null),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_of_a_keys_life_takes_effect_once_however_many_send_it() {
    let house = House::furnished().await;
    let ann = Arc::new(house.user("ann", &["writers"]).await);
    for (verb, body, other) in verbs() {
        let path = format!("/v1/keys/mine/wrap/{verb}");
        let before = house.get(&ann, "/v1/keys/mine/wrap").await.ok();
        let ask = Ask::post(&path, body.clone()).once(&format!("{verb}-1"));
        let answers = race(&house, &ann, &ask, 6).await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "{verb}: {}", answer.text());
            assert_eq!(answer.body, answers[0].body, "{verb}");
            assert_eq!(answer.header("etag"), answers[0].header("etag"), "{verb}");
        }
        let after = house.get(&ann, "/v1/keys/mine/wrap").await.ok();
        let revisions = (before["revision"].as_u64().unwrap(), after["revision"].as_u64().unwrap());
        assert_eq!(revisions.1, revisions.0 + 1, "{verb}: changed once");
        if !other.is_null() {
            let other = house.ask(&ann, Ask::post(&path, other).once(&format!("{verb}-1"))).await;
            assert_eq!(other.said(), (422, "idempotency-mismatch"), "{verb}: {}", other.text());
        }
        assert_eq!(house.get(&ann, "/v1/keys/mine/wrap").await.ok(), after, "{verb}: and that changed nothing");
    }
    let patch = |team: &str| Ask::new(Method::PATCH, "/v1/keys/mine/wrap").json(&json!({"labels": {"team": team}}));
    let tag = house.get(&ann, "/v1/keys/mine/wrap").await.header("etag").to_owned();
    let answers = race(&house, &ann, &patch("a").if_match(&tag).once("patch"), 6).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body), "{answers:?}");
    let other = house.ask(&ann, patch("b").if_match(&tag).once("patch")).await;
    assert_eq!(other.said(), (422, "idempotency-mismatch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn making_a_ring_and_a_key_takes_effect_once() {
    let house = House::new().await;
    let who = house.enrol(house.token(&house.admin, "user", "admin").await.ok()["token"].as_str().unwrap()).await;
    let who = Arc::new(who);
    for (path, body) in [
        ("/v1/rings", json!({"name": "new"})),
        ("/v1/keys", json!({"key": "new/wrap", "spec": "aes-256-gcm", "usage": "wrap"})),
        ("/v1/keys", json!({"key": "new/rsa", "spec": "rsa-3072", "usage": "sign"})),
    ] {
        let name = body["key"].as_str().or(body["name"].as_str()).unwrap().replace('/', "-");
        let ask = Ask::post(path, body).once(&name).named(&name);
        let answers = race(&house, &who, &ask, 5).await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (201, &answers[0].body), "{name}: {}", answer.text());
        }
    }
    let keys = house.get(&who, "/v1/keys").await.ok();
    assert_eq!(keys["items"].as_array().unwrap().len(), 2);
    assert!(done(&house, "new-rsa").await >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_with_different_bodies_one_wins() {
    let house = House::furnished().await;
    let ann = Arc::new(house.user("ann", &["writers"]).await);
    let (mut racers, api) = (JoinSet::new(), house.api());
    for n in 0..8 {
        let who = ann.clone();
        let body = json!({"key": "mine/wrap", "context": {"n": n.to_string()}});
        racers.spawn(async move { who.send_anew(api, &Ask::post("/v1/data-keys", body).once("one")).await.unwrap() });
    }
    let answers = racers.join_all().await;
    let winners = answers.iter().filter(|answer| answer.status == 200).count();
    let losers = answers.iter().filter(|answer| answer.said() == (422, "idempotency-mismatch")).count();
    assert_eq!((winners, losers), (1, 7), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_ends_with_the_right_at_every_verb() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let mut sent = Vec::new();
    for (verb, body, _) in verbs() {
        let ask = Ask::post(format!("/v1/keys/mine/wrap/{verb}"), body).once(verb);
        let first = house.ask(&ann, ask.clone()).await.ok();
        assert_eq!(house.ask(&ann, ask.clone()).await.ok(), first, "{verb}");
        sent.push(ask);
    }
    let make = Ask::post("/v1/keys", json!({"key": "mine/new", "spec": "ed25519", "usage": "sign"})).once("make");
    let _made = house.ask(&ann, make.clone()).await.ok();
    sent.push(make);
    // The group goes: nothing that was answered is answered again, and nobody learns that there was an answer.
    let _left = house.entity("User", "ann", &[]).await.ok();
    for ask in sent {
        assert_eq!(house.ask(&ann, ask.clone()).await.said(), (403, "denied"), "{ask:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_right_to_open_sees_a_data_key_no_more() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let ask = |plaintext: bool| {
        let body = json!({"key": "mine/wrap", "plaintext": plaintext});
        Ask::post("/v1/data-keys", body).once(if plaintext { "open" } else { "shut" })
    };
    let (open, shut) = (house.ask(&ann, ask(true)).await.ok(), house.ask(&ann, ask(false)).await.ok());
    assert_eq!(house.ask(&ann, ask(true)).await.ok()["plaintext"], open["plaintext"]);
    let text = r#"@id("no-opening") forbid (principal, action == Wardkeep::Action::"UnwrapDataKey", resource);"#;
    let source = bundle::with_policy(bundle::tested(), text);
    let _active = house.post(&house.admin, "/v1/bundles", bundle::activation(&source)).await.ok();
    let refused = house.ask(&ann, ask(true)).await;
    assert_eq!(refused.said(), (403, "replay-denied"));
    assert!(refused.text().contains("generate under a new `Idempotency-Key`"), "{}", refused.text());
    assert!(!refused.text().contains(open["wrapped"].as_str().unwrap()));
    assert_eq!(house.ask(&ann, ask(false)).await.ok()["wrapped"], shut["wrapped"], "what shows nothing is told again");
    let fresh = Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("fresh");
    assert_eq!(house.ask(&ann, fresh).await.status, 200, "as the advice says");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_at_two_verbs_and_two_targets_is_several_requests() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    house.key("mine/other", "aes-256-gcm", "wrap").await;
    let post = async |path: &str| house.ask(&ann, Ask::post(path, json!({})).once("same")).await.ok();
    assert_eq!(post("/v1/keys/mine/wrap/rotate").await["versions"].as_array().unwrap().len(), 2);
    assert_eq!(post("/v1/keys/mine/other/rotate").await["versions"].as_array().unwrap().len(), 2);
    assert_eq!(post("/v1/keys/mine/wrap/suspend").await["versions"][1]["state"], "suspended");
    // Another caller's request of the same name is another request.
    let bob = house.user("bob", &["writers"]).await;
    let bobs = house.ask(&bob, Ask::post("/v1/keys/mine/other/rotate", json!({})).once("same")).await.ok();
    assert_eq!(bobs["versions"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn control_verbs_refuse_the_header_and_do_nothing() {
    let house = House::new().await;
    let before = house.log().await.len();
    for ask in [
        Ask::new(Method::PUT, "/v1/control-set").json(&json!({"text": "permit(principal, action, resource);"})),
        Ask::post("/v1/entities", json!({"entities": [{"uid": {"type": "User", "id": "eve"}}]})),
        Ask::new(Method::PUT, member("auditor", "admin")),
        Ask::new(Method::DELETE, member("auditor", "admin")),
        Ask::post("/v1/tokens", json!({"identity": house.admin.identity})),
        Ask::new(Method::DELETE, "/v1/tokens/abc"),
        Ask::post("/v1/certificates/revoke", json!({"serial": house.admin.serial})),
        Ask::post("/v1/bundles", bundle::activation(&bundle::tested())),
        Ask::post("/v1/bundles/1/activate", Value::Null),
        Ask::post("/v1/audit/verify", json!({})),
    ] {
        let answer = house.ask(&house.admin, ask.clone().once("k")).await;
        assert_eq!(answer.said(), (400, "idempotency-not-supported"), "{ask:?}");
    }
    assert_eq!(house.log().await.len(), before, "nothing was even decided");
}
