//! What was acknowledged is there after a restart: all of it, and nothing else.
//!
//! Broke elsewhere: acknowledged updates that were lost (FerretDB 1.x), destroyed things that came back.

use http::Method;
use serde_json::{Value, json};
use wardkeep_tests::{Ask, House, bundle};

/// Everything that can be read, as its readers see it.
async fn seen(house: &House) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for path in [
        "/v1/rings",
        "/v1/keys",
        "/v1/keys/mine/wrap",
        "/v1/keys/mine/gone",
        "/v1/entities",
        "/v1/roles",
        "/v1/tokens",
        "/v1/certificates",
        "/v1/control-set",
        "/v1/bundles",
        "/v1/bundles/active",
        "/v1/policy/schema",
    ] {
        all.push((path, house.get(&house.admin, path).await.ok()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_as_it_was() {
    let mut house = House::furnished().await;
    let admin = &house.admin;
    let ann = house.user("ann", &["writers"]).await;
    let context = json!({"purpose": "kept"});
    let made = house.post(&ann, "/v1/data-keys", json!({"key": "mine/wrap", "context": context})).await.ok();
    let sealed = house.post(&ann, "/v1/encrypt", json!({"key": "mine/seal", "plaintext": "aGk="})).await.ok();
    let signed = house.post(&ann, "/v1/sign", json!({"key": "mine/sign", "message": "aGk="})).await.ok();
    let labels = Ask::new(Method::PATCH, "/v1/keys/mine/wrap").json(&json!({"labels": {"a": "b"}, "rotation_days": 9}));
    let _labelled = house.ask(&ann, labels.if_match("\"1\"")).await.ok();
    let _rotated = house.post(&ann, "/v1/keys/mine/wrap/rotate", json!({})).await.ok();
    house.key("mine/gone", "ec-p256", "sign").await;
    let _held = house.post(admin, "/v1/keys/mine/gone/suspend", json!({})).await.ok();
    let _dated = house.post(admin, "/v1/keys/mine/gone/schedule-deletion", json!({"days": 7})).await.ok();
    let _ring = house.post(admin, "/v1/rings", json!({"name": "short-lived"})).await.ok();
    assert_eq!(house.ask(admin, Ask::new(Method::DELETE, "/v1/rings/short-lived")).await.status, 204);
    let _token = house.token(admin, "user", "ann").await.ok();
    let more =
        bundle::with_policy(bundle::tested(), r#"@id("more") permit (principal, action, resource) when { false };"#);
    let loaded = house.post(admin, "/v1/bundles", bundle::activation(&more)).await;
    assert!(matches!(loaded.status, 200 | 422), "{}", loaded.text());

    let before = seen(&house).await;
    house.stop().await;
    house.start().await;
    let after = seen(&house).await;
    for ((path, before), (_, after)) in before.iter().zip(&after) {
        assert_eq!(before, after, "{path}");
    }
    let opened = json!({"wrapped": made["wrapped"], "context": context});
    let opened = house.post(&ann, "/v1/data-keys/unwrap", opened).await.ok();
    assert_eq!(opened["plaintext"], made["plaintext"]);
    let opened = house.post(&ann, "/v1/decrypt", json!({"ciphertext": sealed["ciphertext"]})).await.ok();
    assert_eq!(opened["plaintext"], "aGk=");
    let check = json!({"key": "mine/sign", "version": 1, "message": "aGk=", "signature": signed["signature"]});
    assert_eq!(house.post(&ann, "/v1/verify", check).await.ok()["valid"], true);
    let verdict = house.post(&house.admin, "/v1/audit/verify", json!({})).await.ok();
    assert_eq!(verdict["status"], "verified");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_server_and_one_root_key() {
    let mut house = House::new().await;
    let refused = house.open().map(|_| ()).unwrap_err();
    assert!(matches!(refused, wardkeep_store::OpenError::Locked { .. }), "{refused}");
    assert_eq!(house.get(&house.admin, "/v1/whoami").await.status, 200, "the first one goes on");
    house.stop().await;
    assert!(house.open().is_ok());
}
