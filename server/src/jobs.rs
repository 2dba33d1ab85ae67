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

use crate::http::authorities::plan;
use crate::http::idempotency;
use crate::state::App;

/// How often due work is looked for.
const LOOK: Duration = Duration::from_secs(10);
/// How often old idempotency rows are swept, in looks: hourly.
const SWEEP_EVERY: u64 = 360;
/// How often user keys that expired are taken from the books, in looks: hourly, between two sweeps of the others.
const SWEEP_USER_KEYS: (u64, u64) = (360, 180);
/// How often certificates that expired long ago are taken from the books, in looks: daily.
const PRUNE_EVERY: u64 = 8_640;
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
        do_due_until(&app, &mut resting, &stop).await;
        app.limits.tidy();
        // A sweep is cut off between two commits at worst: the next one goes on.
        if looks.is_multiple_of(SWEEP_EVERY)
            && let Some(Err(error)) = stop.run_until_cancelled(idempotency::sweep(&app.store, app.clock.now())).await
        {
            tracing::warn!(reason = %error, "old idempotency rows could not be swept");
        }
        if looks % SWEEP_USER_KEYS.0 == SWEEP_USER_KEYS.1 {
            match stop.run_until_cancelled(app.kms.sweep_user_keys()).await {
                Some(Err(error)) => tracing::warn!(reason = %error, "expired user keys could not be swept"),
                Some(Ok(count @ 1..)) => tracing::info!(count, "rows of expired user keys were swept"),
                Some(Ok(0)) | None => {}
            }
        }
        if looks.is_multiple_of(PRUNE_EVERY) {
            match stop.run_until_cancelled(app.authority.prune()).await {
                Some(Err(error)) => tracing::warn!(reason = %error, "expired certificates could not be pruned"),
                Some(Ok(count @ 1..)) => tracing::info!(count, "certificates that expired long ago were pruned"),
                Some(Ok(0)) | None => {}
            }
        }
        looks = looks.wrapping_add(1);
    }
}

/// Does everything that is due at this moment.
pub async fn do_due(app: &App, resting: &mut Resting) {
    do_due_until(app, resting, &CancellationToken::new()).await;
}

/// Does what is due at this moment, one by one, until it is told to stop. What was begun is ended: a rotation is not
/// torn in two.
pub async fn do_due_until(app: &App, resting: &mut Resting, stop: &CancellationToken) {
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
        if stop.is_cancelled() {
            return;
        }
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
    // Without a declaration in the bundle an authority keeps the one it has: a rotation must not wait for a policy.
    let plan = plan(app, key).map_err(|error| error.code())?;
    app.kms.rotate_under(permit, key, plan, seen, None).await.map(|_| ()).map_err(|error| error.code())
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
        Err(Refusal::NotIssuable(refused)) => return Err(refused.error.code()),
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
mod tests;
