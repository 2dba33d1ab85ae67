//! What the server does by itself: when it is due, once, as the scheduler, and no longer than it runs.
//!
//! Broke elsewhere: state races of jobs and callers (COSMIAN-2026-011), rotation that went on after its key was taken.

use http::Method;
use serde_json::{Value, json};
use wardkeep_policy::BundleSource;

use super::*;
use crate::testing::{HandClock, House, config};

async fn house() -> (House, Arc<HandClock>) {
    let clock = HandClock::new();
    (House::at(config(), BundleSource::dev(), clock.clone()).await, clock)
}

fn done(house: &House, line: &str) -> usize {
    house.log().iter().filter(|entry| *entry == line).count()
}

#[tokio::test]
async fn what_is_due_is_done_once_and_recorded_as_the_schedulers() {
    let (house, clock) = house().await;
    house.post(&house.ana, "/v1/rings", json!({"name": "r"})).await;
    let key = json!({"key": "r/k", "spec": "aes-256-gcm", "usage": "wrap", "rotation_days": 1});
    assert_eq!(house.post(&house.ana, "/v1/keys", key).await.status, 201);
    let mut resting = Resting::default();
    do_due(&house.app, &mut resting).await;
    assert_eq!(done(&house, "RotateKey ok"), 0, "not yet due");
    clock.move_days(2);
    do_due(&house.app, &mut resting).await;
    do_due(&house.app, &mut resting).await;
    assert_eq!(done(&house, "RotateKey ok"), 1);
    let last = house.store.audit(1, 1000).unwrap().pop().unwrap().event().unwrap();
    assert_eq!(last.actor.to_string(), "Wardkeep::System::\"scheduler\"");
    house.post(&house.ana, "/v1/keys/r/k/schedule-deletion", json!({"days": 7})).await;
    clock.move_days(8);
    do_due(&house.app, &mut resting).await;
    assert_eq!(done(&house, "DestroyKey ok"), 1);
    let again = json!({"key": "r/k", "spec": "aes-256-gcm", "usage": "wrap"});
    assert_eq!(house.post(&house.ana, "/v1/keys", again).await.said(), (409, "key-exists"));
}

#[tokio::test]
async fn a_bundle_that_forbids_everything_does_not_stop_the_scheduler() {
    let (house, clock) = house().await;
    house.post(&house.ana, "/v1/rings", json!({"name": "r"})).await;
    let key = json!({"key": "r/k", "spec": "ed25519", "usage": "sign", "rotation_days": 1});
    assert_eq!(house.post(&house.ana, "/v1/keys", key).await.status, 201);
    let source = BundleSource::starter();
    let text = r#"@id("nobody") forbid(principal, action, resource);"#;
    let policies = json!([{"name": "p.cedar", "text": text}]);
    let shut = json!({"manifest": source.manifest, "schema": source.schema, "policies": policies, "activate": true});
    assert_eq!(house.post(&house.ana, "/v1/bundles", shut).await.status, 200);
    clock.move_days(2);
    do_due(&house.app, &mut Resting::default()).await;
    assert_eq!(done(&house, "RotateKey ok"), 1);
}

#[tokio::test]
async fn an_authority_is_rotated_whatever_the_bundle_says_by_then_and_expired_keys_are_swept() {
    let (house, clock) = house().await;
    house.post(&house.ana, "/v1/rings", json!({"name": "dev"})).await;
    let key = json!({"key": "dev/abe", "spec": "fabeo-bls12-381", "usage": "issue", "rotation_days": 3});
    assert_eq!(house.post(&house.ana, "/v1/keys", key).await.status, 201);
    let issued = house.post(&house.ana, "/v1/user-keys", json!({"key": "dev/abe"})).await;
    assert_eq!(issued.status, 200, "{}", issued.body);
    let before = house.get(&house.ana, "/v1/keys/dev/abe/parameters").await.body;
    // The starter declares no authority: that ends no rotation.
    let source = BundleSource::starter();
    let policies: Vec<Value> = source.policies.iter().map(|(name, text)| json!({"name": name, "text": text})).collect();
    let starter = json!({"manifest": source.manifest, "schema": source.schema, "policies": policies, "activate": true});
    assert_eq!(house.post(&house.ana, "/v1/bundles", starter).await.status, 200);
    assert_eq!(house.app.kms.sweep_user_keys().await, Ok(0), "it lives");
    clock.move_days(4);
    do_due(&house.app, &mut Resting::default()).await;
    assert_eq!(done(&house, "RotateKey ok"), 1);
    let after = house.get(&house.ana, "/v1/keys/dev/abe/parameters").await.body;
    assert_eq!(
        (&after["version"], &after["schema"], &after["authority"]),
        (&json!(2), &before["schema"], &before["authority"])
    );
    assert_ne!(after["fingerprint"], before["fingerprint"]);
    assert_eq!(house.app.kms.sweep_user_keys().await, Ok(0), "a week must pass");
    clock.move_days(6);
    assert_eq!(house.app.kms.sweep_user_keys().await, Ok(1));
    assert_eq!(house.get(&house.ana, "/v1/user-keys").await.body["items"], json!([]));
}

#[tokio::test]
async fn nobody_is_taken_for_the_scheduler() {
    let (house, _) = house().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let header = [("wardkeep-subject", "Wardkeep::System::\"scheduler\"")];
    let said = house.ask_with(&house.ana, Method::POST, "/v1/keys/r/k/rotate", Value::Null, &header).await;
    assert_eq!(said.said(), (400, "reserved-subject"));
}

#[tokio::test]
async fn kept_results_go_after_a_day() {
    let (house, clock) = house().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let headers = [("idempotency-key", "once")];
    let ask = || house.ask_with(&house.ana, Method::POST, "/v1/data-keys", json!({"key": "r/k"}), &headers);
    let first = ask().await;
    let now = house.app.clock.now();
    assert_eq!(idempotency::sweep(&house.store, now).await.unwrap(), 0);
    clock.move_days(2);
    assert_ne!(ask().await.body["wrapped"], first.body["wrapped"], "after a day the key is free again");
    clock.move_days(2);
    assert_eq!(idempotency::sweep(&house.store, house.app.clock.now()).await.unwrap(), 1);
}

/// A ring with keys of a day's rotation.
async fn with_keys(count: usize) -> (House, Arc<HandClock>) {
    let (house, clock) = house().await;
    house.post(&house.ana, "/v1/rings", json!({"name": "r"})).await;
    for n in 0..count {
        let key = json!({"key": format!("r/k{n}"), "spec": "aes-256-gcm", "usage": "wrap", "rotation_days": 1});
        assert_eq!(house.post(&house.ana, "/v1/keys", key).await.status, 201);
    }
    (house, clock)
}

#[tokio::test]
async fn a_server_that_stops_begins_nothing_more() {
    let (house, clock) = with_keys(5).await;
    clock.move_days(2);
    let stop = CancellationToken::new();
    stop.cancel();
    do_due_until(&house.app, &mut Resting::default(), &stop).await;
    assert_eq!(done(&house, "RotateKey ok"), 0);
    do_due(&house.app, &mut Resting::default()).await;
    assert_eq!(done(&house, "RotateKey ok"), 5, "the next start does what was left");
}

#[tokio::test]
async fn stopped_in_the_middle_it_ends_what_it_began_and_leaves_the_rest_whole() {
    let (house, clock) = with_keys(40).await;
    clock.move_days(2);
    let stop = CancellationToken::new();
    let mut resting = Resting::default();
    let working = do_due_until(&house.app, &mut resting, &stop);
    let stopping = async {
        while done(&house, "RotateKey ok") < 3 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(working, stopping);
    let first = done(&house, "RotateKey ok");
    assert!((3..40).contains(&first), "{first} of 40");
    do_due(&house.app, &mut resting).await;
    assert_eq!(done(&house, "RotateKey ok"), 40, "each once, none twice");
    for n in 0..40 {
        let key = house.get(&house.ana, &format!("/v1/keys/r/k{n}")).await;
        assert_eq!(key.body["versions"].as_array().unwrap().len(), 2, "k{n}");
    }
}

#[tokio::test]
async fn the_loop_ends_promptly_although_nothing_is_due() {
    let (house, _) = house().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(house.app.clone(), stop.clone()));
    tokio::task::yield_now().await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running).await.expect("half a look late at most").unwrap();
}

#[tokio::test]
async fn what_somebody_rotates_meanwhile_is_not_rotated_again() {
    let (house, clock) = with_keys(1).await;
    clock.move_days(2);
    assert_eq!(house.post(&house.ana, "/v1/keys/r/k0/rotate", json!({})).await.status, 200);
    do_due(&house.app, &mut Resting::default()).await;
    let key = house.get(&house.ana, "/v1/keys/r/k0").await;
    assert_eq!(key.body["versions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn days_missed_while_nobody_ran_are_one_rotation() {
    let (house, clock) = with_keys(1).await;
    clock.move_days(30);
    for _ in 0..3 {
        do_due(&house.app, &mut Resting::default()).await;
    }
    assert_eq!(done(&house, "RotateKey ok"), 1, "not thirty");
    clock.move_days(1);
    do_due(&house.app, &mut Resting::default()).await;
    assert_eq!(done(&house, "RotateKey ok"), 2);
}

#[tokio::test]
async fn a_cancelled_deletion_is_not_done_and_a_due_one_only_once() {
    let (house, clock) = with_keys(2).await;
    for key in ["k0", "k1"] {
        let asked = json!({"days": 7});
        assert_eq!(house.post(&house.ana, &format!("/v1/keys/r/{key}/schedule-deletion"), asked).await.status, 200);
    }
    assert_eq!(house.post(&house.ana, "/v1/keys/r/k0/cancel-deletion", json!({})).await.status, 200);
    let mut resting = Resting::default();
    clock.move_days(6);
    do_due(&house.app, &mut resting).await;
    assert_eq!(done(&house, "DestroyKey ok"), 0, "a day early");
    clock.move_days(2);
    do_due(&house.app, &mut resting).await;
    do_due(&house.app, &mut resting).await;
    assert_eq!(done(&house, "DestroyKey ok"), 1);
    assert_eq!(house.get(&house.ana, "/v1/keys/r/k0").await.status, 200);
    let gone = house.get(&house.ana, "/v1/keys/r/k1").await;
    assert_eq!(gone.body["versions"][0]["state"], "destroyed", "{}", gone.body);
}

#[tokio::test]
async fn a_suspended_key_that_is_due_rests_and_is_not_tried_at_every_look() {
    let (house, clock) = with_keys(1).await;
    assert_eq!(house.post(&house.ana, "/v1/keys/r/k0/suspend", json!({})).await.status, 200);
    clock.move_days(2);
    let before = house.log().len();
    let mut resting = Resting::default();
    for _ in 0..5 {
        do_due(&house.app, &mut resting).await;
    }
    let tries = house.log().len() - before;
    assert!(tries <= 1, "{tries} records of one failure: {:?}", house.log());
    assert_eq!(house.get(&house.ana, "/v1/keys/r/k0").await.body["versions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn sweeping_takes_what_is_old_and_leaves_what_is_not() {
    let (house, clock) = with_keys(1).await;
    let keep = async |name: &str| {
        let headers = [("idempotency-key", name)];
        house.ask_with(&house.ana, Method::POST, "/v1/data-keys", json!({"key": "r/k0"}), &headers).await
    };
    for n in 0..5 {
        assert_eq!(keep(&format!("old-{n}")).await.status, 200);
    }
    clock.move_days(1);
    assert_eq!(
        idempotency::sweep(&house.store, house.app.clock.now()).await.unwrap(),
        0,
        "24 hours to the millisecond"
    );
    let fresh = keep("fresh").await;
    clock.move_days(1);
    // What was made a day ago is just within its day; the rest is beyond.
    assert_eq!(idempotency::sweep(&house.store, house.app.clock.now()).await.unwrap(), 5);
    assert_eq!(keep("fresh").await.body["wrapped"], fresh.body["wrapped"]);
    assert_eq!(idempotency::sweep(&house.store, house.app.clock.now()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_sweep_of_a_closed_store_says_so() {
    let (house, _) = house().await;
    let app = house.app.clone();
    let store = house.stop().await;
    assert!(app.authority.prune().await.is_ok(), "nothing to prune");
    assert!(idempotency::sweep(&store, app.clock.now()).await.is_ok(), "nothing to sweep");
    do_due(&app, &mut Resting::default()).await;
}
