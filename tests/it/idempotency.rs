//! `Idempotency-Key` as users of payment and cloud APIs expect it: once, however often it is sent.
//!
//! Broke elsewhere: replays answered without a decision, results kept for another body, plaintext kept.

use std::time::Duration;

use http::Method;
use serde_json::json;
use wardkeep_tests::{Ask, House, bundle};

fn create(key: &str, spec: &str) -> Ask {
    let usage = if spec == "aes-256-gcm" { "wrap" } else { "sign" };
    Ask::post("/v1/keys", json!({"key": key, "spec": spec, "usage": usage}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_sent_twice_is_made_once() {
    let house = House::furnished().await;
    let admin = &house.admin;
    let first = house.ask(admin, create("mine/new", "ed25519").once("k-1")).await;
    let second = house.ask(admin, create("mine/new", "ed25519").once("k-1")).await;
    assert_eq!((first.status, second.status, &second.body), (201, 201, &first.body));
    assert_eq!(second.header("etag"), first.header("etag"));
    let without = house.ask(admin, create("mine/new", "ed25519")).await;
    assert_eq!(without.said(), (409, "key-exists"));
    let other_key = house.ask(admin, create("mine/new", "ed25519").once("k-2")).await;
    assert_eq!(other_key.said(), (409, "key-exists"));

    let rotate = || Ask::post("/v1/keys/mine/new/rotate", json!({})).once("r-1");
    let rotated = house.ask(admin, rotate()).await.ok();
    let again = house.ask(admin, rotate()).await.ok();
    assert_eq!((rotated["versions"].as_array().unwrap().len(), &again["revision"]), (2, &rotated["revision"]));
    let shown = house.get(admin, "/v1/keys/mine/new").await.ok();
    assert_eq!(shown["versions"].as_array().unwrap().len(), 2, "rotated once");
    let ring = || Ask::post("/v1/rings", json!({"name": "made-once"})).once("ring-1");
    assert_eq!((house.ask(admin, ring()).await.status, house.ask(admin, ring()).await.status), (201, 201));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_body_under_the_same_key_is_refused() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let _first = house.ask(&house.admin, create("mine/new", "ed25519").once("k")).await.ok();
    let other = house.ask(&house.admin, create("mine/new", "ec-p256").once("k")).await;
    assert_eq!(other.said(), (422, "idempotency-mismatch"));
    // Another name is another body too: nothing of that name is made.
    for (path, body) in [
        ("/v1/keys", json!({"key": "mine/other", "spec": "ed25519", "usage": "sign"})),
        ("/v1/keys", json!({"key": "mine/new", "spec": "ed25519", "usage": "sign", "labels": {"a": "b"}})),
    ] {
        assert_eq!(
            house.ask(&house.admin, Ask::post(path, body).once("k")).await.said(),
            (422, "idempotency-mismatch")
        );
    }
    assert_eq!(house.get(&house.admin, "/v1/keys/mine/other").await.status, 404);
    let ring = |name: &str| Ask::post("/v1/rings", json!({"name": name})).once("k");
    assert_eq!(house.ask(&house.admin, ring("one-ring")).await.status, 201, "another verb is another request");
    assert_eq!(house.ask(&house.admin, ring("two-rings")).await.said(), (422, "idempotency-mismatch"));
    assert_eq!(house.ask(&house.admin, ring("one-ring")).await.status, 201);
    let generate = |purpose: &str| {
        Ask::post("/v1/data-keys", json!({"key": "mine/wrap", "context": {"purpose": purpose}})).once("k")
    };
    let _first = house.ask(&ann, generate("one")).await.ok();
    house.key("mine/wrap-two", "aes-256-gcm", "wrap").await;
    let elsewhere =
        Ask::post("/v1/data-keys", json!({"key": "mine/wrap-two", "context": {"purpose": "one"}})).once("k");
    assert_eq!(house.ask(&ann, elsewhere).await.said(), (422, "idempotency-mismatch"));
    assert_eq!(house.ask(&ann, generate("other")).await.said(), (422, "idempotency-mismatch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_get_one_data_key() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let ask = Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("race");
    let mut answers = Vec::new();
    for wave in 0..2 {
        let sent: Vec<_> = (0..6).map(|_| house.try_ask(&ann, &ask)).collect();
        for sent in futures(sent).await {
            answers.push(sent.unwrap_or_else(|error| panic!("wave {wave}: {error:?}")).ok());
        }
    }
    for answer in &answers {
        assert_eq!((&answer["wrapped"], &answer["plaintext"]), (&answers[0]["wrapped"], &answers[0]["plaintext"]));
    }
}

/// Drives them all at once on this task.
async fn futures<T>(sent: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut left: Vec<_> = sent.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        let mut open = false;
        for (future, done) in &mut left {
            if done.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => open = true,
                }
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    left.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_make_but_not_open_sees_a_data_key_once() {
    let house = House::furnished().await;
    let maker = house.service("maker", &[]).await;
    let ask = |plaintext: bool, key: &str| {
        Ask::post("/v1/data-keys", json!({"key": "mine/wrap", "plaintext": plaintext})).once(key)
    };
    let first = house.ask(&maker, ask(true, "seen")).await.ok();
    assert!(first["plaintext"].is_string());
    assert_eq!(house.ask(&maker, ask(true, "seen")).await.said(), (403, "replay-denied"));
    let blind = house.ask(&maker, ask(false, "unseen")).await.ok();
    let again = house.ask(&maker, ask(false, "unseen")).await.ok();
    assert_eq!(again["wrapped"], blind["wrapped"], "a wrapped key may be told again");
    assert_eq!(again.get("plaintext"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_a_destroyed_past_brings_nothing_back() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let ask = || Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("then");
    let _made = house.ask(&ann, ask()).await.ok();
    let _held = house.post(&ann, "/v1/keys/mine/wrap/suspend", json!({})).await.ok();
    let replayed = house.ask(&ann, ask()).await;
    assert_eq!(replayed.status, 409, "the state counts for a replay too: {}", replayed.text());
    let _back = house.post(&ann, "/v1/keys/mine/wrap/enable", json!({})).await.ok();
    assert_eq!(house.ask(&ann, ask()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_with_nothing_to_keep_refuse_the_header() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let made = house.post(&ann, "/v1/data-keys", json!({"key": "mine/wrap"})).await.ok();
    for ask in [
        Ask::post("/v1/data-keys/unwrap", json!({"wrapped": made["wrapped"]})),
        Ask::post("/v1/data-keys/rewrap", json!({"wrapped": made["wrapped"]})),
        Ask::post("/v1/data-keys/batch", json!({"items": [{"key": "mine/wrap"}]})),
        Ask::post("/v1/encrypt", json!({"key": "mine/seal", "plaintext": "AA=="})),
        Ask::post("/v1/sign", json!({"key": "mine/sign", "message": "AA=="})),
        Ask::post("/v1/random", json!({"length": 1})),
        Ask::get("/v1/keys"),
        Ask::new(Method::DELETE, "/v1/rings/mine"),
    ] {
        let answer = house.ask(&ann, ask.clone().once("k")).await;
        assert_eq!(answer.said(), (400, "idempotency-not-supported"), "{ask:?}");
    }
    for bad in ["", "a b", "ä", &"k".repeat(65), "\"k\""] {
        let answer = house.ask(&ann, Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once(bad)).await;
        assert_eq!(answer.said(), (400, "malformed-idempotency-key"), "{bad:?}");
    }
    let twice = Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("a").once("b");
    assert_eq!(house.ask(&ann, twice).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_outlives_a_restart() {
    let mut house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let ask = || Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("kept");
    let made = house.ask(&ann, ask()).await.ok();
    let key = house.ask(&house.admin, create("mine/new", "ed25519").once("kept")).await.ok();
    house.stop().await;
    house.start().await;
    assert_eq!(house.ask(&ann, ask()).await.ok()["plaintext"], made["plaintext"]);
    assert_eq!(house.ask(&house.admin, create("mine/new", "ed25519").once("kept")).await.ok(), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_day_the_same_words_are_a_new_request() {
    let house = House::with(bundle::tested(), |config| config.ca.crl_life_hours = 720).await;
    house.ring("mine").await;
    house.key("mine/wrap", "aes-256-gcm", "wrap").await;
    let ann = house.user("ann", &["writers"]).await;
    let ask = || Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("daily");
    let first = house.ask(&ann, ask()).await.ok();
    let _made = house.ask(&house.admin, create("mine/new", "ed25519").once("daily")).await.ok();
    house.forward(Duration::from_secs(23 * 3600)).await;
    assert_eq!(house.ask(&ann, ask()).await.ok()["wrapped"], first["wrapped"]);
    house.forward(Duration::from_secs(2 * 3600)).await;
    let next = house.ask(&ann, ask()).await.ok();
    assert_ne!(next["wrapped"], first["wrapped"]);
    assert_eq!(house.ask(&ann, ask()).await.ok()["wrapped"], next["wrapped"], "and is kept for a day again");
    let again = house.ask(&house.admin, create("mine/new", "ed25519").once("daily")).await;
    assert_eq!(again.said(), (409, "key-exists"), "a name outlives the day");
}
