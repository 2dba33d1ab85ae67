//! What the server does by itself: rotation and destruction that are due, sweeping, the slow check of the disk.
//!
//! Jobs decide too. The key service only lists what is due; here each is decided as `Wardkeep::System::"scheduler"`,
//! by rules that neither the control set nor a bundle can change or forbid, and then the ordinary verb is called.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wardkeep_kms::{Due, Precondition};
use wardkeep_model::action::{DestroyKey, RotateKey};
use wardkeep_model::{Action, Caller, EntityUid, KeyId, Permit, RequestId, Timestamp};
use wardkeep_policy::{Question, Refusal, Resource};
use wardkeep_store::Work;

use crate::http::idempotency;
use crate::state::App;

/// How often due work is looked for.
const LOOK: Duration = Duration::from_secs(10);
/// How often old idempotency rows are swept, in looks: hourly.
const SWEEP_EVERY: u64 = 360;
/// How long a key rests after its job failed, in milliseconds: a record of each try is kept for ever.
const REST_MILLIS: u64 = 600_000;

/// Keys whose job failed, and until when they rest.
#[derive(Debug, Default)]
pub struct Resting(HashMap<KeyId, Timestamp>);

/// Looks for due work until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut resting = Resting::default();
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looks = 0_u64;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        do_due(&app, &mut resting).await;
        app.limits.tidy();
        if looks.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = idempotency::sweep(&*app.store, app.clock.now()).await
        {
            tracing::warn!(reason = %error, "old idempotency rows could not be swept");
        }
        looks = looks.wrapping_add(1);
    }
}

/// Does everything that is due at this moment.
pub async fn do_due(app: &App, resting: &mut Resting) {
    let now = app.clock.now();
    resting.0.retain(|_, until| *until > now);
    // With the revision of this look: what somebody else rotates while we get to it is not rotated again.
    let looked = |due: Due| {
        let (Due::Rotate(key) | Due::Destroy(key)) = &due;
        let revision = app.kms.facts(key).map(|facts| facts.revision);
        (due, Precondition { revision })
    };
    let all: Vec<(Due, Precondition)> = app.kms.due(now).into_iter().map(looked).collect();
    for (due, seen) in all {
        let (Due::Rotate(key) | Due::Destroy(key)) = &due;
        if resting.0.contains_key(key) {
            continue;
        }
        let done = match &due {
            Due::Rotate(key) => rotate(app, key, seen).await,
            Due::Destroy(key) => destroy(app, key, seen).await,
        };
        match done {
            Ok(()) => tracing::info!(%key, job = word(&due), "done"),
            Err("precondition-failed") => tracing::info!(%key, job = word(&due), "changed meanwhile"),
            Err(reason) => {
                tracing::warn!(%key, job = word(&due), reason, "could not be done, it rests for ten minutes");
                resting.0.insert(key.clone(), now.plus_millis(REST_MILLIS));
            }
        }
    }
}

async fn rotate(app: &App, key: &KeyId, seen: Precondition) -> Result<(), &'static str> {
    let permit = permit::<RotateKey>(app, key).await?;
    app.kms.rotate_key(permit, key, seen, None).await.map(|_| ()).map_err(|error| error.code())
}

async fn destroy(app: &App, key: &KeyId, seen: Precondition) -> Result<(), &'static str> {
    let permit = permit::<DestroyKey>(app, key).await?;
    app.kms.destroy_key(permit, key, seen, None).await.map(|_| ()).map_err(|error| error.code())
}

/// Asks as the scheduler. A denial is recorded like anybody's.
async fn permit<A: Action>(app: &App, key: &KeyId) -> Result<Permit<A>, &'static str> {
    let caller = scheduler(app)?;
    let facts = app.kms.facts(key).ok_or("key-not-found")?;
    let resource = Resource::Key(&facts);
    let question = Question { caller: &caller, resource, context: None, recipient: None, compromised: false };
    let denied = match app.engine.decide::<A>(&question) {
        Ok(permit) => return Ok(permit),
        Err(Refusal::Question(error)) => return Err(error.code()),
        Err(Refusal::Denied(denied)) => denied,
    };
    match app.store.commit(Work::record(vec![denied.event])).await {
        Ok(_) => Err("denied"),
        Err(error) => Err(crate::admin::commit_code(&error)),
    }
}

fn scheduler(app: &App) -> Result<Caller, &'static str> {
    let mut bits = [0; 16];
    app.entropy.fill(&mut bits).map_err(|_| "no-entropy")?;
    let actor = EntityUid::new("Wardkeep::System", "scheduler").map_err(|_| "internal")?;
    Ok(Caller::itself(actor, None, RequestId::from_random(u128::from_be_bytes(bits))))
}

const fn word(due: &Due) -> &'static str {
    match due {
        Due::Rotate(_) => "rotate",
        Due::Destroy(_) => "destroy",
    }
}

#[cfg(test)]
mod tests {
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
        let shut =
            json!({"manifest": source.manifest, "schema": source.schema, "policies": policies, "activate": true});
        assert_eq!(house.post(&house.ana, "/v1/bundles", shut).await.status, 200);
        clock.move_days(2);
        do_due(&house.app, &mut Resting::default()).await;
        assert_eq!(done(&house, "RotateKey ok"), 1);
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
        assert_eq!(idempotency::sweep(&*house.store, now).await.unwrap(), 0);
        clock.move_days(2);
        assert_ne!(ask().await.body["wrapped"], first.body["wrapped"], "after a day the key is free again");
        clock.move_days(2);
        assert_eq!(idempotency::sweep(&*house.store, house.app.clock.now()).await.unwrap(), 1);
    }
}
