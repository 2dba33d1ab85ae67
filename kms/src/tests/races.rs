//! Races: destroy, use, rotate and the steps between states, all at once, against what must hold whatever
//! the order (COSMIAN-2026-011, COSMIAN-2026-008 of the incidents).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wardkeep_model::{KeySpec, KeyState, KeyUsage};
use wardkeep_store::{Store, Table};

use super::fixture::{Fixture, context, id};
use crate::KmsError;
use crate::service::Precondition;

const NONE: Precondition = Precondition { revision: None };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn once_destroyed_nothing_answers_any_more() {
    for _ in 0..20 {
        let fixture = Arc::new(Fixture::new().await);
        fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
        let (key, context) = (id("ring/key"), context("a"));
        let wrapped = fixture.generate(&key, &context).await.unwrap().wrapped;
        fixture.schedule(&key).await;
        fixture.clock.advance_days(7);
        let gone = Arc::new(AtomicBool::new(false));
        let users: Vec<_> = (0..4)
            .map(|_| {
                let (fixture, wrapped, context, gone) =
                    (fixture.clone(), wrapped.clone(), context.clone(), gone.clone());
                let key = key.clone();
                tokio::spawn(async move {
                    for _ in 0..50 {
                        let gone_before = gone.load(Ordering::SeqCst);
                        let opened = fixture.unwrap(&wrapped, &context).await;
                        assert!(!gone_before || opened.is_err(), "used after its destruction was answered");
                        // Somebody tries to save it, or to revive it, at the same moment.
                        let _ = fixture.kms.enable_key(fixture.permit(&key), &key, None, NONE, None).await;
                        let rotated = fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, None).await;
                        assert!(!gone_before || rotated.is_err(), "rotated after its destruction was answered");
                    }
                })
            })
            .collect();
        fixture.kms.destroy_key(fixture.permit(&key), &key, NONE, None).await.unwrap();
        gone.store(true, Ordering::SeqCst);
        for user in users {
            user.await.unwrap();
        }
        let mut left = 0;
        fixture.store.scan(Table::Material, &mut |_| left += 1).unwrap();
        assert_eq!(left, 0, "material outlived its key");
        let restarted = fixture.restarted();
        let key_now = restarted.describe_key(fixture.permit(&key), &key).await.unwrap();
        assert!(key_now.versions.iter().all(|version| version.state == KeyState::Destroyed));
        assert!(fixture.unwrap(&wrapped, &context).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_one_key_never_lose_each_other() {
    let fixture = Arc::new(Fixture::new().await);
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let key = id("ring/key");
    let changers: Vec<_> = (0..8)
        .map(|n| {
            let (fixture, key) = (fixture.clone(), key.clone());
            tokio::spawn(async move {
                let mut done = 0u64;
                for _ in 0..10 {
                    let changed = match n % 3 {
                        0 => fixture.kms.rotate_key(fixture.permit(&key), &key, NONE, None).await,
                        1 => fixture.kms.suspend_key(fixture.permit(&key), &key, None, NONE, None).await,
                        _ => fixture.kms.enable_key(fixture.permit(&key), &key, None, NONE, None).await,
                    };
                    match changed {
                        Ok(_) => done += 1,
                        Err(KmsError::NoTransition { .. } | KmsError::StateForbids { .. } | KmsError::Contended) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for changer in changers {
        done += changer.await.unwrap();
    }
    let now = fixture.kms.facts(&key).unwrap().revision;
    assert_eq!(now, 1 + done, "every change that was answered is a row, and no other is");
    let rows = fixture.store.history(Table::Key, "ring/key").unwrap();
    assert_eq!(rows.len() as u64, now);
    // Memory is what a restart reads.
    let (here, there) = (fixture.kms.inner.keyring.key(&key), fixture.restarted().inner.keyring.key(&key));
    let row = |key: Option<Arc<crate::keyring::Key>>| crate::row::write_key(&key.unwrap().body).unwrap();
    assert_eq!(*row(here), *row(there));
    let mut material = 0;
    fixture.store.scan(Table::Material, &mut |_| material += 1).unwrap();
    let versions = fixture.kms.describe_key(fixture.permit(&key), &key).await.unwrap().versions.len();
    assert_eq!(material, versions, "no material without a version, no version without material");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_make_one_key_one_does() {
    let fixture = Arc::new(Fixture::new().await);
    let makers: Vec<_> = (0..8)
        .map(|_| {
            let fixture = fixture.clone();
            tokio::spawn(async move {
                let new = super::fixture::new_key("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap);
                fixture.kms.create_key(fixture.permit(&id("ring/key")), new, None).await.map(drop)
            })
        })
        .collect();
    let mut made = 0;
    for maker in makers {
        match maker.await.unwrap() {
            Ok(()) => made += 1,
            Err(error) => assert_eq!(error, KmsError::KeyExists),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_key_comes_to_stand_in_a_deleted_ring() {
    for _ in 0..50 {
        let fixture = Arc::new(Fixture::new().await);
        let ring = wardkeep_model::RingName::new("ring").unwrap();
        let maker = tokio::spawn({
            let fixture = fixture.clone();
            async move {
                let new = super::fixture::new_key("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap);
                fixture.kms.create_key(fixture.permit(&id("ring/key")), new, None).await.is_ok()
            }
        });
        let deleted = fixture.kms.delete_ring(fixture.ring_permit(&ring), &ring, NONE).await.is_ok();
        let made = maker.await.unwrap();
        assert!(made != deleted, "made: {made}, deleted: {deleted}");
    }
}

/// A caller that goes away must not leave a change durable in the store and unknown in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_caller_went_away_is_finished() {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let key = id("ring/key");
    {
        let change = fixture.kms.suspend_key(fixture.permit(&key), &key, None, NONE, None);
        let mut change = std::pin::pin!(change);
        // Polled once, then dropped.
        let mut polled = std::future::poll_fn(|cx| std::task::Poll::Ready(change.as_mut().poll(cx)));
        let _ = (&mut polled).await;
    }
    for _ in 0..1000 {
        if fixture.kms.facts(&key).unwrap().revision == 2 {
            break;
        }
        tokio::task::yield_now().await;
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(fixture.generate(&key, &context("a")).await.is_err(), "suspended, whoever waited for it");
}
