//! `ETag` and `If-Match`: nobody's change is lost to another's.
//!
//! Broke elsewhere: state races on keys (COSMIAN-2026-011), updates that overwrote each other in silence.

use http::Method;
use serde_json::json;
use wardkeep_tests::{Ask, House};

fn label(value: &str) -> Ask {
    Ask::new(Method::PATCH, "/v1/keys/mine/wrap").json(&json!({"labels": {"team": value}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_from_the_revision_that_was_seen() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let shown = house.get(&ann, "/v1/keys/mine/wrap").await;
    assert_eq!((shown.header("etag"), &shown.body["revision"]), ("\"1\"", &json!(1)));
    assert_eq!(house.ask(&ann, label("a")).await.said(), (428, "precondition-required"));
    let changed = house.ask(&ann, label("a").if_match("\"1\"")).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
    assert_eq!(house.ask(&ann, label("b").if_match("\"1\"")).await.said(), (412, "precondition-failed"));
    assert_eq!(house.ask(&ann, label("b").if_match("\"3\"")).await.said(), (412, "precondition-failed"));
    for bad in ["*", "2", "W/\"2\"", "\"2\", \"3\"", "\"\"", "\"02\"", "\"-2\"", "\"18446744073709551616\""] {
        assert_eq!(house.ask(&ann, label("b").if_match(bad)).await.said(), (400, "malformed-if-match"), "{bad}");
    }
    let twice = label("b").if_match("\"2\"").if_match("\"2\"");
    assert_eq!(house.ask(&ann, twice).await.said(), (400, "malformed-if-match"));
    let shown = house.get(&ann, "/v1/keys/mine/wrap").await.ok();
    assert_eq!(shown["labels"], json!({"team": "a"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one_wins() {
    let house = House::furnished().await;
    let (ann, bob) = (house.user("ann", &["writers"]).await, house.user("bob", &["writers"]).await);
    for round in 1..=5 {
        let tag = format!("\"{round}\"");
        let (one, other) =
            tokio::join!(house.ask(&ann, label("ann").if_match(&tag)), house.ask(&bob, label("bob").if_match(&tag)),);
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{} / {}", one.text(), other.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_of_a_keys_life_heed_it_too() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    for (verb, body) in [
        ("rotate", json!({})),
        ("suspend", json!({})),
        ("enable", json!({})),
        ("deactivate", json!({})),
        ("compromise", json!({})),
        ("schedule-deletion", json!({"days": 7})),
        ("cancel-deletion", json!({})),
    ] {
        let ask = Ask::post(format!("/v1/keys/mine/wrap/{verb}"), body);
        assert_eq!(
            house.ask(&ann, ask.clone().if_match("\"99\"")).await.said(),
            (412, "precondition-failed"),
            "{verb}"
        );
        let tag = house.get(&ann, "/v1/keys/mine/wrap").await.header("etag").to_owned();
        let done = house.ask(&ann, ask.if_match(&tag)).await;
        assert_eq!(done.status, 200, "{verb}: {}", done.text());
        assert_ne!(done.header("etag"), tag, "{verb}");
    }
    let ring = house.get(&house.admin, "/v1/rings/theirs").await;
    assert_eq!(ring.header("etag"), "\"1\"");
    house.ring("empty").await;
    let delete = || Ask::new(Method::DELETE, "/v1/rings/empty");
    assert_eq!(house.ask(&house.admin, delete().if_match("\"2\"")).await.said(), (412, "precondition-failed"));
    assert_eq!(house.ask(&house.admin, delete().if_match("\"1\"")).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_set_is_changed_from_the_revision_that_was_seen() {
    let house = House::new().await;
    let shown = house.get(&house.admin, "/v1/control-set").await;
    let text = shown.body["text"].as_str().unwrap().to_owned();
    let put = || Ask::new(Method::PUT, "/v1/control-set").json(&json!({"text": text}));
    assert_eq!(house.ask(&house.admin, put().if_match("\"2\"")).await.said(), (412, "precondition-failed"));
    let changed = house.ask(&house.admin, put().if_match(shown.header("etag"))).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{}", changed.text());
    assert_eq!(house.ask(&house.admin, put().if_match("\"1\"")).await.said(), (412, "precondition-failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_told_to_nobody_who_may_not_change() {
    let house = House::furnished().await;
    let eve = house.user("eve", &[]).await;
    for tag in ["\"1\"", "\"2\"", "\"999\""] {
        let answer = house.ask(&eve, label("eve").if_match(tag)).await;
        assert_eq!(answer.said(), (403, "denied"), "{tag}");
        assert_eq!(answer.header("etag"), "");
    }
}
