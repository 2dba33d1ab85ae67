//! The verbs that change keys and rings: preconditions, replays, dates, and what a restart finds.

use std::collections::BTreeMap;

use wardkeep_model::{KeySpec, KeyState, KeyUsage, RingName};
use wardkeep_store::{Store, Table};

use super::fixture::{Fixture, context, id, new_key};
use crate::service::{DeletionPlan, Idempotency, KeyUpdate, NewRing, Precondition};
use crate::{Due, KmsError};

const NONE: Precondition = Precondition { revision: None };

fn asked(id: u8, body: u8) -> Option<Idempotency> {
    Some(Idempotency { id: [id; 32], body: [body; 32] })
}

async fn with_key() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture
}

#[tokio::test]
async fn a_request_sent_again_takes_effect_once() {
    let fixture = with_key().await;
    let key = id("ring/key");
    let first = fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, asked(1, 1)).await.unwrap();
    // Others change it in between; the replay still answers as then, also where the verb itself would now be refused.
    fixture.suspend(&key).await;
    let again = fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, asked(1, 1)).await.unwrap();
    assert_eq!(again.facts.revision, first.facts.revision);
    fixture.kms.enable_key(fixture.permit(&key), &key, None, NONE, None).await.unwrap();
    fixture.rotate(&key).await;
    let again = fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, asked(1, 1)).await.unwrap();
    assert_eq!((again.facts.revision, again.versions), (first.facts.revision, first.versions));
    assert_eq!(fixture.kms.facts(&key).unwrap().revision, 5);
    let other = fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, asked(1, 2)).await;
    assert_eq!(other.err(), Some(KmsError::IdempotencyMismatch));
    // The same after a restart: the row carries it.
    let kms = fixture.restarted();
    let again = kms.rotate_key(fixture.permit(&key), &key, NONE, asked(1, 1)).await.unwrap();
    assert_eq!(again.facts.revision, first.facts.revision);
    // After a day the request is a new one.
    fixture.clock.advance_days(1);
    let later = fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, asked(1, 1)).await.unwrap();
    assert_eq!(later.facts.revision, 6);
}

#[tokio::test]
async fn a_key_is_made_once_and_its_name_never_used_again() {
    let fixture = Fixture::new().await;
    let key = id("ring/key");
    let new = || new_key("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap);
    let first = fixture.kms.create_key(fixture.permit(&key), new(), asked(1, 1)).await.unwrap();
    let again = fixture.kms.create_key(fixture.permit(&key), new(), asked(1, 1)).await.unwrap();
    assert_eq!(first.facts.revision, again.facts.revision);
    let other = fixture.kms.create_key(fixture.permit(&key), new(), asked(1, 2)).await;
    assert_eq!(other.err(), Some(KmsError::IdempotencyMismatch));
    let other = fixture.kms.create_key(fixture.permit(&key), new(), asked(2, 1)).await;
    assert_eq!(other.err(), Some(KmsError::KeyExists));
    fixture.clock.advance_days(1);
    let late = fixture.kms.create_key(fixture.permit(&key), new(), asked(1, 1)).await;
    assert_eq!(late.err(), Some(KmsError::KeyExists), "a derived id outlives the day");
    fixture.destroy(&key).await;
    for kms in [fixture.kms.clone(), fixture.restarted()] {
        let reborn = kms.create_key(fixture.permit(&key), new(), None).await;
        assert_eq!(reborn.err(), Some(KmsError::KeyExists));
    }
    assert!(fixture.store.read(Table::Material, "ring/key#1").unwrap().is_none());
    assert!(fixture.store.read(Table::Tombstone, "ring/key").unwrap().is_some());
}

#[tokio::test]
async fn a_change_on_an_old_revision_is_refused() {
    let fixture = with_key().await;
    let key = id("ring/key");
    let at = |revision| Precondition { revision: Some(revision) };
    fixture.kms.suspend_key(fixture.permit(&key), &key, None, at(1), None).await.unwrap();
    let stale = fixture.kms.enable_key(fixture.permit(&key), &key, None, at(1), None).await;
    assert_eq!(stale.err(), Some(KmsError::PreconditionFailed { actual: 2 }));
    assert_eq!(fixture.last_event().outcome, "precondition-failed");
    let ring = RingName::new("ring").unwrap();
    let stale = fixture.kms.delete_ring(fixture.ring_permit(&ring), &ring, at(7)).await;
    assert_eq!(stale.err(), Some(KmsError::PreconditionFailed { actual: 1 }));
}

#[tokio::test]
async fn rotation_deactivates_an_active_former_version_and_no_other() {
    for (former, left) in [(KeyState::Active, KeyState::Deactivated), (KeyState::Compromised, KeyState::Compromised)] {
        let fixture = with_key().await;
        let key = id("ring/key");
        if former == KeyState::Compromised {
            fixture.compromise(&key).await;
        }
        let info = fixture.rotate(&key).await;
        let states: Vec<_> = info.versions.iter().map(|version| version.state).collect();
        assert_eq!(states, [left, KeyState::Active]);
    }
}

#[tokio::test]
async fn rotation_lifts_no_suspension() {
    let fixture = with_key().await;
    let key = id("ring/key");
    fixture.rotate(&key).await;
    fixture.suspend(&key).await;
    let refused = fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, None).await;
    assert!(matches!(refused, Err(KmsError::StateForbids { state: KeyState::Suspended, .. })), "{refused:?}");
    assert_eq!(fixture.last_event().outcome, "key-state-forbids");
    let states = |info: crate::KeyInfo| info.versions.iter().map(|version| version.state).collect::<Vec<_>>();
    let now = fixture.kms.describe_key(fixture.permit(&key), &key).await.unwrap();
    assert_eq!(states(now), [KeyState::Deactivated, KeyState::Suspended]);
    fixture.kms.enable_key(fixture.permit(&key), &key, None, NONE, None).await.unwrap();
    let former = [KeyState::Deactivated, KeyState::Deactivated, KeyState::Active];
    assert_eq!(states(fixture.rotate(&key).await), former, "enabling is a right of its own");
}

#[tokio::test]
async fn a_step_of_one_version_leaves_the_others() {
    let fixture = with_key().await;
    let key = id("ring/key");
    fixture.rotate(&key).await;
    let first = wardkeep_model::KeyVersion::FIRST;
    let info = fixture.kms.compromise_key(fixture.permit(&key), &key, Some(first), NONE, None).await.unwrap();
    let states: Vec<_> = info.versions.iter().map(|version| version.state).collect();
    assert_eq!(states, [KeyState::Compromised, KeyState::Active]);
    assert!(fixture.kms.any_compromised(&key));
    let missing = wardkeep_model::KeyVersion::new(9).unwrap();
    let none = fixture.kms.suspend_key(fixture.permit(&key), &key, Some(missing), NONE, None).await;
    assert_eq!(none.err(), Some(KmsError::VersionNotFound { version: missing }));
    let none = fixture.kms.enable_key(fixture.permit(&key), &key, Some(first), NONE, None).await;
    assert!(matches!(none.err(), Some(KmsError::NoTransition { .. })), "compromised is left only by destruction");
}

#[tokio::test]
async fn deletion_has_its_dates() {
    let fixture = with_key().await;
    let key = id("ring/key");
    for days in [0, 6, 31, u32::MAX] {
        let plan = DeletionPlan { days };
        let refused = fixture.kms.schedule_deletion(fixture.permit(&key), &key, plan, NONE, None).await;
        assert_eq!(refused.err(), Some(KmsError::DeletionPeriod { min: 7, max: 30 }));
    }
    let early = fixture.kms.destroy_key(fixture.permit(&key), &key, NONE, None).await;
    assert_eq!(early.err(), Some(KmsError::NoDeletionScheduled));
    fixture.schedule(&key).await;
    fixture.clock.advance_days(6);
    assert_eq!(fixture.kms.due(fixture.clock_now()), []);
    let early = fixture.kms.destroy_key(fixture.permit(&key), &key, NONE, None).await;
    assert_eq!(early.err().map(|error| error.code()), Some("deletion-not-due"));
    fixture.clock.advance_days(1);
    assert_eq!(fixture.kms.due(fixture.clock_now()), [Due::Destroy(key.clone())]);
    let gone = fixture.kms.destroy_key(fixture.permit(&key), &key, NONE, None).await.unwrap();
    assert_eq!(gone.versions[0].state, KeyState::Destroyed);
    assert_eq!(fixture.kms.due(fixture.clock_now()), []);
    let again = fixture.kms.destroy_key(fixture.permit(&key), &key, NONE, None).await;
    assert_eq!(again.err(), Some(KmsError::KeyDestroyed));
}

#[tokio::test]
async fn rotation_by_period_is_listed_when_due() {
    let fixture = with_key().await;
    let key = id("ring/key");
    for days in [0, 3651] {
        let update = KeyUpdate { labels: None, rotation_days: Some(Some(days)) };
        let refused = fixture.kms.update_key(fixture.permit(&key), &key, update, NONE, None).await;
        assert_eq!(refused.err().map(|error| error.code()), Some("rotation-period"));
    }
    let update = KeyUpdate { labels: None, rotation_days: Some(Some(30)) };
    fixture.kms.update_key(fixture.permit(&key), &key, update, NONE, None).await.unwrap();
    fixture.clock.advance_days(29);
    assert_eq!(fixture.kms.due(fixture.clock_now()), []);
    fixture.clock.advance_days(1);
    assert_eq!(fixture.kms.due(fixture.clock_now()), [Due::Rotate(key.clone())]);
    fixture.rotate(&key).await;
    assert_eq!(fixture.kms.due(fixture.clock_now()), []);
    fixture.clock.advance_days(30);
    fixture.suspend(&key).await;
    assert_eq!(fixture.kms.due(fixture.clock_now()), [], "not over the head of who suspended it");
}

#[tokio::test]
async fn labels_are_bounded_and_kept() {
    let fixture = with_key().await;
    let key = id("ring/key");
    let labels = |count: usize, name: usize, value: usize| -> BTreeMap<String, String> {
        (0..count).map(|n| (format!("{n:0name$}"), "v".repeat(value))).collect()
    };
    for bad in [labels(65, 3, 1), labels(1, 64, 1), labels(1, 1, 257), [(String::new(), String::new())].into()] {
        let update = KeyUpdate { labels: Some(bad), rotation_days: None };
        let refused = fixture.kms.update_key(fixture.permit(&key), &key, update, NONE, None).await;
        assert_eq!(refused.err().map(|error| error.code()), Some("label-bounds"));
    }
    let update = KeyUpdate { labels: Some(labels(64, 63, 256)), rotation_days: None };
    fixture.kms.update_key(fixture.permit(&key), &key, update, NONE, None).await.unwrap();
    assert_eq!(fixture.restarted().facts(&key).unwrap().labels.len(), 64);
}

#[tokio::test]
async fn a_ring_goes_when_it_is_empty_and_its_revisions_go_on() {
    let fixture = with_key().await;
    let ring = RingName::new("ring").unwrap();
    let full = fixture.kms.delete_ring(fixture.ring_permit(&ring), &ring, NONE).await;
    assert_eq!(full.err(), Some(KmsError::RingNotEmpty { keys: 1 }));
    fixture.destroy(&id("ring/key")).await;
    fixture.kms.delete_ring(fixture.ring_permit(&ring), &ring, NONE).await.unwrap();
    let gone = fixture.kms.describe_ring(fixture.ring_permit(&ring), &ring).await;
    assert_eq!(gone.err(), Some(KmsError::RingNotFound));
    assert!(fixture.kms.ring(&ring).is_none());
    let new = new_key("ring/other", KeySpec::Aes256Gcm, KeyUsage::Wrap);
    let homeless = fixture.kms.create_key(fixture.permit(&id("ring/other")), new, None).await;
    assert_eq!(homeless.err(), Some(KmsError::RingNotFound));

    let new = || NewRing { name: ring.clone(), labels: BTreeMap::new() };
    let info = fixture.kms.create_ring(fixture.ring_permit(&ring), new(), asked(1, 1)).await.unwrap();
    assert_eq!(info.revision, 3);
    let again = fixture.kms.create_ring(fixture.ring_permit(&ring), new(), asked(1, 1)).await.unwrap();
    assert_eq!(again, info);
    for (asked, error) in [(asked(1, 2), KmsError::IdempotencyMismatch), (None, KmsError::RingExists)] {
        let refused = fixture.kms.create_ring(fixture.ring_permit(&ring), new(), asked).await;
        assert_eq!(refused.err(), Some(error));
    }
    let new = new_key("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap);
    let reborn = fixture.kms.create_key(fixture.permit(&id("ring/key")), new, None).await;
    assert_eq!(reborn.err(), Some(KmsError::KeyExists), "also in a ring that was made again");
}

#[tokio::test]
async fn a_restart_finds_everything_and_a_tombstone_outweighs_a_row() {
    let fixture = with_key().await;
    let (key, context) = (id("ring/key"), context("a"));
    let wrapped = fixture.generate(&key, &context).await.unwrap().wrapped;
    let restarted = fixture.restarted();
    let permit = fixture.permit_with(&key, &context);
    let request = crate::UnwrapDataKey { wrapped: wrapped.clone(), context: context.clone(), recipient: None };
    assert!(restarted.unwrap_data_key(permit, request).await.is_ok());
    // As after a restore of an older database beside newer tombstones.
    use wardkeep_store::{Change, Work};
    let value = crate::row::write_tombstone(9, fixture.clock_now()).unwrap();
    let change = Change::Put { table: Table::Tombstone, id: key.to_string(), expected: None, value };
    fixture.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
    let restarted = fixture.restarted();
    let request = crate::UnwrapDataKey { wrapped, context: context.clone(), recipient: None };
    let refused = restarted.unwrap_data_key(fixture.permit_with(&key, &context), request).await;
    assert_eq!(refused.err(), Some(KmsError::KeyDestroyed));
}
