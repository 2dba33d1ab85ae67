//! Dates: deletion windows and rotation periods to the millisecond, and the scheduler that keeps them.

use wardkeep_model::action::{DestroyKey, GenerateDataKey, RotateKey, UnwrapDataKey};
use wardkeep_model::{Action, Caller, EntityUid, KeyId, KeySpec, KeyState, KeyUsage, Permit, RequestId};
use wardkeep_policy::{Question, Refusal, Resource};

use super::fixture::{Fixture, context, id, new_key};
use crate::service::{DeletionPlan, KeyUpdate, Precondition};
use crate::{Due, KmsError};

const NONE: Precondition = Precondition { revision: None };
const DAY: u64 = 86_400_000;

async fn with_keys(names: &[&str]) -> Fixture {
    let fixture = Fixture::new().await;
    for name in names {
        fixture.create(name, KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    }
    fixture
}

async fn schedule(fixture: &Fixture, key: &KeyId, days: u32) -> Result<u64, KmsError> {
    let plan = DeletionPlan { days };
    let info = fixture.kms.schedule_deletion(fixture.permit(key), key, plan, NONE, None).await?;
    Ok(info.deletion.unwrap().millis())
}

async fn period(fixture: &Fixture, key: &KeyId, days: Option<u32>) -> Result<(), KmsError> {
    let update = KeyUpdate { labels: None, rotation_days: Some(days) };
    fixture.kms.update_key(fixture.permit(key), key, update, NONE, None).await.map(drop)
}

async fn destroy(fixture: &Fixture, key: &KeyId) -> Result<(), KmsError> {
    fixture.kms.destroy_key(fixture.permit(key), key, NONE, None).await.map(drop)
}

/// What the server's own jobs may do, decided as everywhere.
fn as_scheduler<A: Action>(fixture: &Fixture, key: &KeyId) -> Result<Permit<A>, Refusal> {
    let system = EntityUid::new("Wardkeep::System", "scheduler").unwrap();
    let caller = Caller::itself(system, None, RequestId::new("job").unwrap());
    let facts = fixture.kms.facts(key);
    let resource = facts.as_ref().map_or(Resource::MissingKey(key), Resource::Key);
    fixture.engine.decide(&Question { caller: &caller, resource, context: None, recipient: None, compromised: false })
}

#[tokio::test]
async fn a_deletion_is_seven_to_thirty_days_ahead() {
    for (days, good) in
        [(0, false), (6, false), (7, true), (8, true), (29, true), (30, true), (31, false), (u32::MAX, false)]
    {
        let fixture = with_keys(&["ring/key"]).await;
        let now = fixture.clock_now().millis();
        match schedule(&fixture, &id("ring/key"), days).await {
            Ok(date) => assert!(good && date == now + u64::from(days) * DAY, "{days} days"),
            Err(error) => {
                assert!(!good && error == KmsError::DeletionPeriod { min: 7, max: 30 }, "{days} days: {error}");
                assert!(error.to_string().contains("7 to 30 days"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn the_day_has_come_at_its_very_millisecond() {
    for days in [7, 30] {
        let fixture = with_keys(&["ring/key"]).await;
        let key = id("ring/key");
        let due = schedule(&fixture, &key, days).await.unwrap();
        fixture.clock.advance_millis(u64::from(days) * DAY - 1);
        let early = destroy(&fixture, &key).await.unwrap_err();
        assert!(matches!(early, KmsError::DeletionNotDue { due: told } if told.millis() == due), "{early}");
        assert_eq!(fixture.kms.due(fixture.clock_now()), []);
        fixture.clock.advance_millis(1);
        assert_eq!(fixture.kms.due(fixture.clock_now()), [Due::Destroy(key.clone())]);
        destroy(&fixture, &key).await.unwrap();
    }
}

#[tokio::test]
async fn a_date_taken_back_and_set_again_counts_from_the_new_day() {
    let fixture = with_keys(&["ring/key"]).await;
    let key = id("ring/key");
    let first = schedule(&fixture, &key, 7).await.unwrap();
    assert_eq!(schedule(&fixture, &key, 30).await, Err(KmsError::PendingDeletion), "no date over a date");
    fixture.clock.advance_days(6);
    fixture.kms.cancel_deletion(fixture.permit(&key), &key, NONE, None).await.unwrap();
    let again = fixture.kms.cancel_deletion(fixture.permit(&key), &key, NONE, None).await.map(drop);
    assert_eq!(again, Err(KmsError::NoDeletionScheduled));
    let second = schedule(&fixture, &key, 7).await.unwrap();
    assert_eq!(second, first + 6 * DAY);
    fixture.clock.advance_days(1);
    assert!(matches!(destroy(&fixture, &key).await, Err(KmsError::DeletionNotDue { .. })), "the old date is none");
}

#[tokio::test]
async fn a_clock_that_is_set_back_brings_no_day_nearer_and_destroys_nothing_twice() {
    let fixture = with_keys(&["ring/key"]).await;
    let key = id("ring/key");
    schedule(&fixture, &key, 7).await.unwrap();
    fixture.clock.advance_days(7);
    let due = fixture.clock_now();
    // As far as the date tells: a restart in between changes nothing.
    assert_eq!(fixture.restarted().due(due), [Due::Destroy(key.clone())]);
    destroy(&fixture, &key).await.unwrap();
    assert_eq!(fixture.restarted().due(due), []);
    assert_eq!(destroy(&fixture, &key).await, Err(KmsError::KeyDestroyed));
}

#[tokio::test]
async fn a_rotation_period_has_its_bounds() {
    let fixture = with_keys(&["ring/key"]).await;
    let key = id("ring/key");
    for (days, good) in [(0, false), (1, true), (2, true), (3649, true), (3650, true), (3651, false), (u32::MAX, false)]
    {
        let said = period(&fixture, &key, Some(days)).await;
        assert_eq!(said, if good { Ok(()) } else { Err(KmsError::RotationPeriod { max: 3650 }) }, "{days} days");
        let mut new = new_key(&format!("ring/made-{days}"), KeySpec::Aes256Gcm, KeyUsage::Wrap);
        new.rotation_days = Some(days);
        let made = fixture.kms.create_key(fixture.permit(&new.id.clone()), new, None).await;
        assert_eq!(made.is_ok(), good, "made with {days} days");
    }
}

#[tokio::test]
async fn a_rotation_is_due_at_its_very_millisecond_and_counts_from_the_newest_version() {
    let fixture = with_keys(&["ring/key"]).await;
    let key = id("ring/key");
    period(&fixture, &key, Some(10)).await.unwrap();
    for round in 0..3 {
        fixture.clock.advance_millis(10 * DAY - 1);
        assert_eq!(fixture.kms.due(fixture.clock_now()), [], "round {round}");
        fixture.clock.advance_millis(1);
        assert_eq!(fixture.kms.due(fixture.clock_now()), [Due::Rotate(key.clone())], "round {round}");
        let info = fixture.rotate(&key).await;
        assert_eq!(info.next_rotation.unwrap().millis(), fixture.clock_now().millis() + 10 * DAY);
        assert_eq!(fixture.kms.due(fixture.clock_now()), []);
    }
    period(&fixture, &key, None).await.unwrap();
    fixture.clock.advance_days(4000);
    assert_eq!(fixture.kms.due(fixture.clock_now()), [], "rotation that was ended");
    period(&fixture, &key, Some(4)).await.unwrap();
    assert_eq!(fixture.kms.due(fixture.clock_now()), [Due::Rotate(key)], "and begun again over an old version");
}

#[tokio::test]
async fn nobody_is_rotated_who_is_not_active() {
    for state in [KeyState::Suspended, KeyState::Deactivated, KeyState::Compromised] {
        let fixture = with_keys(&["ring/key"]).await;
        let key = id("ring/key");
        period(&fixture, &key, Some(1)).await.unwrap();
        match state {
            KeyState::Suspended => fixture.suspend(&key).await,
            KeyState::Compromised => fixture.compromise(&key).await,
            _ => drop(fixture.kms.deactivate_key(fixture.permit(&key), &key, None, NONE, None).await.unwrap()),
        }
        fixture.clock.advance_days(30);
        assert_eq!(fixture.kms.due(fixture.clock_now()), [], "{state}");
        let info = fixture.kms.describe_key(fixture.permit(&key), &key).await.unwrap();
        assert_eq!(info.next_rotation, None, "{state}");
    }
}

#[tokio::test]
async fn what_is_due_comes_in_the_order_of_names_and_a_destruction_before_a_rotation() {
    let fixture = with_keys(&["ring/c", "ring/a", "ring/d", "ring/b"]).await;
    for name in ["ring/a", "ring/b", "ring/c"] {
        period(&fixture, &id(name), Some(7)).await.unwrap();
    }
    schedule(&fixture, &id("ring/b"), 7).await.unwrap();
    schedule(&fixture, &id("ring/d"), 8).await.unwrap();
    fixture.clock.advance_days(7);
    let due = [Due::Rotate(id("ring/a")), Due::Destroy(id("ring/b")), Due::Rotate(id("ring/c"))];
    assert_eq!(fixture.kms.due(fixture.clock_now()), due);
    assert_eq!(fixture.restarted().due(fixture.clock_now()), due, "and after a restart");
}

#[tokio::test]
async fn the_scheduler_does_what_is_due_and_may_do_nothing_else() {
    let fixture = with_keys(&["ring/a", "ring/b"]).await;
    period(&fixture, &id("ring/a"), Some(7)).await.unwrap();
    schedule(&fixture, &id("ring/b"), 7).await.unwrap();
    fixture.clock.advance_days(7);
    for due in fixture.kms.due(fixture.clock_now()) {
        match due {
            Due::Rotate(key) => {
                let permit = as_scheduler::<RotateKey>(&fixture, &key).unwrap();
                fixture.kms.rotate_key(permit, &key, NONE, None).await.unwrap();
            }
            Due::Destroy(key) => {
                let permit = as_scheduler::<DestroyKey>(&fixture, &key).unwrap();
                fixture.kms.destroy_key(permit, &key, NONE, None).await.unwrap();
            }
        }
        assert_eq!(fixture.last_event().actor.to_string(), "Wardkeep::System::\"scheduler\"");
        assert_eq!(fixture.last_event().policies, ["wardkeep:scheduler"]);
    }
    assert_eq!(fixture.kms.due(fixture.clock_now()), []);
    assert!(as_scheduler::<GenerateDataKey>(&fixture, &id("ring/a")).is_err());
    assert!(as_scheduler::<UnwrapDataKey>(&fixture, &id("ring/a")).is_err());
    // Its right is to the verb; the date is the key's own guard.
    let permit = as_scheduler::<DestroyKey>(&fixture, &id("ring/a")).unwrap();
    let early = fixture.kms.destroy_key(permit, &id("ring/a"), NONE, None).await.map(drop);
    assert_eq!(early, Err(KmsError::NoDeletionScheduled));
}

#[tokio::test]
async fn what_was_made_under_a_key_is_readable_until_its_day_is_set_and_again_once_it_is_taken_back() {
    let fixture = with_keys(&["ring/key"]).await;
    let (key, context) = (id("ring/key"), context("a"));
    let wrapped = fixture.generate(&key, &context).await.unwrap().wrapped;
    schedule(&fixture, &key, 7).await.unwrap();
    assert_eq!(fixture.unwrap(&wrapped, &context).await.err(), Some(KmsError::PendingDeletion));
    assert_eq!(fixture.generate(&key, &context).await.err(), Some(KmsError::PendingDeletion));
    // Past its day and not yet destroyed, it can still be saved.
    fixture.clock.advance_days(8);
    fixture.kms.cancel_deletion(fixture.permit(&key), &key, NONE, None).await.unwrap();
    assert!(fixture.unwrap(&wrapped, &context).await.is_ok());
    assert_eq!(fixture.kms.due(fixture.clock_now()), []);
}
