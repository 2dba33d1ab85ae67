//! Races of two: what one is told must hold for the other, whichever came first.

use std::sync::Arc;

use wardkeep_model::{KeySpec, KeyState, KeyUsage, RingName};
use wardkeep_store::{Store, Table};

use super::fixture::{Fixture, context, id, new_key};
use crate::KmsError;
use crate::service::Precondition;

const NONE: Precondition = Precondition { revision: None };

async fn with_key() -> Arc<Fixture> {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    Arc::new(fixture)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotate_against_generate() {
    let fixture = with_key().await;
    let rotator = {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            for _ in 0..30 {
                fixture.rotate(&id("ring/key")).await;
            }
        })
    };
    let makers: Vec<_> = (0..4)
        .map(|_| {
            let fixture = fixture.clone();
            tokio::spawn(async move {
                let (key, bound, mut made, mut last) = (id("ring/key"), context("a"), Vec::new(), 0);
                for _ in 0..50 {
                    let data_key = fixture.generate(&key, &bound).await.unwrap();
                    // Once a newer version was seen, no older one protects for the same caller.
                    assert!(data_key.version.get() >= last, "a step back to version {}", data_key.version);
                    last = data_key.version.get();
                    made.push(data_key);
                }
                made
            })
        })
        .collect();
    rotator.await.unwrap();
    for maker in makers {
        for made in maker.await.unwrap() {
            let opened = fixture.unwrap(&made.wrapped, &context("a")).await.unwrap();
            assert_eq!(opened.version, made.version);
            assert_eq!(opened.plaintext.unwrap().expose(), made.plaintext.unwrap().expose());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn compromise_against_unwrap() {
    for _ in 0..10 {
        let fixture = with_key().await;
        let (key, bound) = (id("ring/key"), context("a"));
        let wrapped = fixture.generate(&key, &bound).await.unwrap().wrapped;
        let reader = {
            let (fixture, wrapped, bound) = (fixture.clone(), wrapped.clone(), bound.clone());
            tokio::spawn(async move {
                let mut refused = false;
                for _ in 0..100 {
                    match fixture.unwrap_as("bob", &wrapped, &bound, false).await {
                        Ok(_) => assert!(!refused, "opened after it was refused"),
                        Err(error) => {
                            assert!(matches!(error, KmsError::CompromisedRight { .. }), "{error}");
                            refused = true;
                        }
                    }
                }
            })
        };
        fixture.compromise(&key).await;
        let after = fixture.unwrap_as("bob", &wrapped, &bound, false).await;
        assert!(matches!(after, Err(KmsError::CompromisedRight { .. })), "answered, and so in force");
        reader.await.unwrap();
        assert!(fixture.unwrap_as("ana", &wrapped, &bound, true).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn delete_ring_against_create_key() {
    for round in 0..20 {
        let fixture = Arc::new(Fixture::new().await);
        let name = RingName::new("ring").unwrap();
        let maker = {
            let fixture = fixture.clone();
            tokio::spawn(async move {
                let new = new_key("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap);
                fixture.kms.create_key(fixture.permit(&id("ring/key")), new, None).await.map(drop)
            })
        };
        let deleted = fixture.kms.delete_ring(fixture.ring_permit(&name), &name, NONE).await;
        let made = maker.await.unwrap();
        match (&made, &deleted) {
            (Ok(()), Err(KmsError::RingNotEmpty { keys: 1 })) | (Err(KmsError::RingNotFound), Ok(_)) => {}
            other => panic!("round {round}: {other:?}"),
        }
        let restarted = fixture.restarted();
        assert_eq!(restarted.facts(&id("ring/key")).is_some(), made.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cancel_against_destroy() {
    for _ in 0..20 {
        let fixture = with_key().await;
        let (key, bound) = (id("ring/key"), context("a"));
        let wrapped = fixture.generate(&key, &bound).await.unwrap().wrapped;
        fixture.schedule(&key).await;
        fixture.clock.advance_days(7);
        let saver = {
            let (fixture, key) = (fixture.clone(), key.clone());
            tokio::spawn(
                async move { fixture.kms.cancel_deletion(fixture.permit(&key), &key, NONE, None).await.map(drop) },
            )
        };
        let destroyed = fixture.kms.destroy_key(fixture.permit(&key), &key, NONE, None).await.map(drop);
        let saved = saver.await.unwrap();
        assert!(destroyed.is_ok() != saved.is_ok(), "one of the two: {destroyed:?} {saved:?}");
        assert_eq!(fixture.unwrap(&wrapped, &bound).await.is_ok(), saved.is_ok());
        assert_eq!(fixture.store.read(Table::Material, "ring/key#1").unwrap().is_some(), saved.is_ok());
        assert_eq!(fixture.store.read(Table::Tombstone, "ring/key").unwrap().is_some(), destroyed.is_ok());
        let state = fixture.restarted().describe_key(fixture.permit(&key), &key).await.unwrap().versions[0].state;
        assert_eq!(state, if saved.is_ok() { KeyState::Active } else { KeyState::Destroyed });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_changes_on_one_revision_one_is_made() {
    let fixture = with_key().await;
    for revision in 1..10 {
        let changers: Vec<_> = (0..6)
            .map(|_| {
                let fixture = fixture.clone();
                tokio::spawn(async move {
                    let (key, at) = (id("ring/key"), Precondition { revision: Some(revision) });
                    fixture.kms.rotate_key(fixture.permit(&key), &key, at, None).await.map(drop)
                })
            })
            .collect();
        let mut made = 0;
        for changer in changers {
            match changer.await.unwrap() {
                Ok(()) => made += 1,
                Err(error) => {
                    assert!(matches!(error, KmsError::PreconditionFailed { .. } | KmsError::Contended), "{error}")
                }
            }
        }
        assert_eq!(made, 1, "at revision {revision}");
    }
}
