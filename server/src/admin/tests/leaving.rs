//! What goes with entities and roles that go: user keys, registered public keys, and what was asked for under a right that
//! ended meanwhile.
//!
//! Broke elsewhere: an account that was deleted and whose keys went on, a name given anew that inherited them, a change
//! that was carried out after its right had ended.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use wardkeep_policy::{BundleSource, EntityChange, Role};

use crate::peer::Peer;
use crate::testing::{House, config, user};

/// A public key of 3072 bits, as a request names it.
fn public() -> Value {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
    let private = PrivateDecryptingKey::generate(KeySize::Rsa3072).unwrap();
    let der: PublicKeyX509Der<'static> = private.public_key().as_der().unwrap();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.as_ref());
    json!({"recipient": {"spki": text}})
}

/// The bundle of `dev`, in which everybody may have user keys.
fn rules() -> BundleSource {
    let mut rules = BundleSource::dev();
    let all = r#"@id("all") permit (principal is User, action == Wardkeep::Action::"IssueUserKey", resource);"#;
    rules.policies.push(("more.cedar".to_owned(), all.to_owned()));
    rules
}

/// A house with an authority, and `bob`, who has a user key and a registered public key.
async fn house() -> (House, Arc<Peer>) {
    let house = House::with(config(), rules()).await;
    house.key("dev/abe", "fabeo-bls12-381", "issue").await;
    let bob = house.newcomer("bob").await;
    let issued = house.post(&bob, "/v1/user-keys", json!({"key": "dev/abe"})).await;
    assert_eq!(issued.status, 200, "{}", issued.body);
    assert_eq!(house.ask(&house.ana, Method::PUT, "/v1/recipients/User/bob", public()).await.status, 200);
    (house, bob)
}

async fn user_keys(house: &House) -> Vec<(String, bool)> {
    let listed = house.get(&house.ana, "/v1/user-keys").await.body;
    let item = |item: &Value| (item["subject"]["id"].as_str().unwrap().to_owned(), item["revoked"].is_string());
    listed["items"].as_array().unwrap().iter().map(item).collect()
}

/// The newest records of an action, oldest first.
fn records(house: &House, action: &str) -> Vec<wardkeep_store::RecordedEvent> {
    let all = house.store.audit(1, 10_000).unwrap().into_iter().map(|record| record.event().unwrap());
    all.filter(|event| event.action == action).collect()
}

#[tokio::test]
async fn with_an_entity_go_its_user_keys_and_its_registered_key_and_the_log_says_so() {
    let (house, _) = house().await;
    assert_eq!(house.post(&house.ana, "/v1/user-keys", json!({"key": "dev/abe"})).await.status, 200);
    let print = house.get(&house.ana, "/v1/recipients/User/bob").await.body["fingerprint"].clone();
    let gone = house.ask(&house.ana, Method::DELETE, "/v1/entities/User/bob", Value::Null).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_eq!(user_keys(&house).await, [("bob".to_owned(), true), ("ana".to_owned(), false)]);
    let list = house.get(&house.ana, "/v1/keys/dev/abe/revocations").await.body;
    assert_eq!(list["cover_rows"], json!(20), "the signed list has it: {list}");
    let found = house.get(&house.ana, "/v1/recipients/User/bob").await;
    assert_eq!(found.said(), (404, "recipient-not-found"));
    let told: Vec<_> = records(&house, "ChangeEntity").into_iter().rev().take(2).collect();
    assert_eq!(told[1].detail.get("recipient").map(String::as_str), print.as_str());
    let of = |field: &str| told[0].detail.get(field).map(String::as_str);
    assert_eq!((of("key_version"), of("user_key"), of("about")), (Some("dev/abe#1"), Some("1"), Some("User::\"bob\"")));
}

/// A bundle brings entities of its own; with another one in force they are gone as if somebody had deleted them.
#[tokio::test]
async fn with_a_bundle_go_the_entities_that_it_brought_and_what_they_had() {
    let dev = rules();
    let entities = r#"[{"uid": {"type": "User", "id": "cleo"}, "attrs": {}, "parents": []}]"#;
    let house = House::with(config(), BundleSource { entities: Some(entities.to_owned()), ..dev.clone() }).await;
    house.key("dev/abe", "fabeo-bls12-381", "issue").await;
    assert_eq!(house.ask(&house.ana, Method::PUT, "/v1/recipients/User/cleo", public()).await.status, 200);
    let cleo = house.certified("cleo").await;
    let issued = house.post(&cleo, "/v1/user-keys", json!({"key": "dev/abe"})).await;
    assert_eq!(issued.status, 200, "{}", issued.body);
    let policies: Vec<Value> = dev.policies.iter().map(|(name, text)| json!({"name": name, "text": text})).collect();
    let kept = json!({"manifest": dev.manifest, "schema": dev.schema, "policies": policies});
    assert_eq!(house.post(&house.ana, "/v1/bundles", kept).await.status, 200);
    assert_eq!(user_keys(&house).await, [("cleo".to_owned(), false)], "one that is only kept takes nobody away");
    let activated = house.post(&house.ana, "/v1/bundles/2/activate", Value::Null).await;
    assert_eq!(activated.status, 200, "{}", activated.body);
    assert_eq!(user_keys(&house).await, [("cleo".to_owned(), true)]);
    assert_eq!(house.get(&house.ana, "/v1/recipients/User/cleo").await.said(), (404, "recipient-not-found"));
    let told = records(&house, "ActivateBundle");
    assert!(told.iter().any(|event| event.detail.contains_key("recipient")), "{told:?}");
    assert_eq!(told.last().unwrap().detail.get("user_key").map(String::as_str), Some("1"));
}

/// Asks while the turn of administration is held; what `meanwhile` puts in force is there before the turn is given back.
async fn asked_meanwhile(
    house: &House,
    (method, path, body): (Method, &str, Value),
    meanwhile: impl FnOnce(),
) -> crate::testing::Answer {
    let turn = house.app.admin.turn.lock().await;
    let release = async {
        // Decided by now, and waiting for the turn.
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        meanwhile();
        drop(turn);
    };
    tokio::join!(house.ask(&house.ana, method, path, body), release).0
}

fn without_role(house: &House) {
    let now = house.app.engine.snapshot();
    let next = now.with_role(Role::SecurityAdmin, &user("ana"), false, now.version() + 1).unwrap();
    house.app.engine.install(next);
}

#[tokio::test]
async fn whoever_loses_the_role_while_an_escrow_waits_gets_no_shares() {
    let (house, _) = house().await;
    let body = json!({"threshold": 2, "shares": 3, "plain": true});
    let asked = (Method::POST, "/v1/keys/dev/abe/escrow", body);
    let refused = asked_meanwhile(&house, asked, || without_role(&house)).await;
    assert_eq!(refused.said(), (403, "permit-stale"), "{}", refused.body);
    assert_eq!(records(&house, "ExportAuthority").pop().unwrap().outcome, "permit-stale");
    let key = wardkeep_model::KeyId::parse("dev/abe").unwrap();
    assert!(!house.app.kms.facts(&key).unwrap().exportable);
}

#[tokio::test]
async fn whoever_loses_the_role_while_a_registration_waits_changes_none() {
    let (house, _) = house().await;
    let before = house.get(&house.ana, "/v1/recipients/User/bob").await.body;
    for (method, body) in [(Method::PUT, public()), (Method::DELETE, Value::Null)] {
        let role = house.app.engine.snapshot();
        let asked = (method, "/v1/recipients/User/bob", body);
        let refused = asked_meanwhile(&house, asked, || without_role(&house)).await;
        assert_eq!(refused.said(), (403, "permit-stale"), "{}", refused.body);
        house.app.engine.install(role.with_entities(&[], role.version() + 2).unwrap());
    }
    assert_eq!(house.get(&house.ana, "/v1/recipients/User/bob").await.body, before);
}

/// Registered for somebody who is deleted at the same moment: whoever gets the name later would inherit it.
#[tokio::test]
async fn a_registration_does_not_outlive_an_entity_that_goes_while_it_waits() {
    let (house, _) = house().await;
    house.newcomer("dora").await;
    let asked = (Method::PUT, "/v1/recipients/User/dora", public());
    let refused = asked_meanwhile(&house, asked, || {
        let now = house.app.engine.snapshot();
        house.app.engine.install(now.with_entities(&[EntityChange::Delete(user("dora"))], now.version() + 1).unwrap());
    })
    .await;
    assert_eq!(refused.said(), (404, "subject-not-found"), "{}", refused.body);
    assert!(house.app.kms.registered_recipient(&user("dora")).unwrap().is_none());
}

/// A deletion that is refused takes nothing away.
#[tokio::test]
async fn an_entity_that_may_not_go_keeps_what_it_has() {
    let (house, _) = house().await;
    let on = "/v1/roles/auditor/members/User/bob";
    assert_eq!(house.ask(&house.ana, Method::PUT, on, Value::Null).await.status, 200);
    let refused = house.ask(&house.ana, Method::DELETE, "/v1/entities/User/bob", Value::Null).await;
    assert_eq!(refused.said(), (422, "entities-refused"));
    assert_eq!(user_keys(&house).await, [("bob".to_owned(), false)]);
    assert_eq!(house.get(&house.ana, "/v1/recipients/User/bob").await.status, 200);
}
