//! How often a key was used: never counted too low, whatever happens to the process in between.
//!
//! A usage counter elsewhere wrote unwrapped keys to its database (COSMIAN-2026-015), and nonces wore out unnoticed in
//! another (CVE-2023-4680): here the store is always ahead of the count, and holds nothing but the count.

use std::sync::Arc;

use wardkeep_model::{KeySpec, KeyUsage};
use wardkeep_store::{Change, Store, Table, Work};
use zeroize::Zeroizing;

use super::fixture::{Fixture, context, id};
use crate::uses::{BLOCK, BOUND, HALF};
use crate::{Due, KmsError};

async fn with_key() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture
}

/// The reserved end that the store holds for a version.
fn reserved(fixture: &Fixture, version: u32) -> u64 {
    let row = fixture.store.read(Table::Uses, &format!("ring/key#{version}")).unwrap();
    row.map_or(0, |row| u64::from_be_bytes(row.value[1..9].try_into().unwrap()))
}

/// As if a version had been used so often before.
async fn worn(fixture: &Fixture, version: u32, uses: u64) {
    let mut row = vec![1];
    row.extend_from_slice(&uses.to_be_bytes());
    let id = format!("ring/key#{version}");
    let change = Change::Put { table: Table::Uses, id, expected: None, value: Zeroizing::new(row) };
    fixture.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
}

async fn generate(fixture: &Fixture) -> Result<(), KmsError> {
    fixture.generate(&id("ring/key"), &context("a")).await.map(drop)
}

#[tokio::test]
async fn every_restart_rounds_up_and_none_rounds_down() {
    let mut fixture = with_key().await;
    let mut before = 0;
    for restart in 1..=6 {
        for _ in 0..3 {
            generate(&fixture).await.unwrap();
        }
        let now = reserved(&fixture, 1);
        assert_eq!(now, restart * BLOCK, "one block for each life");
        assert!(now >= before + 3);
        before = now;
        fixture = Fixture { kms: fixture.restarted(), ..fixture };
    }
    assert_eq!(reserved(&fixture, 1), before, "a start reserves nothing");
}

#[tokio::test]
async fn reading_wears_nothing() {
    let fixture = with_key().await;
    let (key, bound) = (id("ring/key"), context("a"));
    let wrapped = fixture.generate(&key, &bound).await.unwrap().wrapped;
    let fixture = Fixture { kms: fixture.restarted(), ..fixture };
    for _ in 0..5 {
        fixture.unwrap(&wrapped, &bound).await.unwrap();
    }
    assert_eq!(reserved(&fixture, 1), BLOCK, "no block for what only reads");
}

#[tokio::test]
async fn each_version_has_a_count_of_its_own() {
    let fixture = with_key().await;
    generate(&fixture).await.unwrap();
    fixture.rotate(&id("ring/key")).await;
    assert_eq!((reserved(&fixture, 1), reserved(&fixture, 2)), (BLOCK, 0));
    generate(&fixture).await.unwrap();
    assert_eq!((reserved(&fixture, 1), reserved(&fixture, 2)), (BLOCK, BLOCK));
}

#[tokio::test]
async fn half_of_the_bound_is_due_and_one_less_is_not() {
    for (before, due) in [(HALF - 2, false), (HALF - 1, true), (HALF, true)] {
        let fixture = with_key().await;
        worn(&fixture, 1, before).await;
        assert_eq!(fixture.kms.due(fixture.clock_now()), [], "nothing is known before the first use");
        generate(&fixture).await.unwrap();
        let wanted = if due { vec![Due::Rotate(id("ring/key"))] } else { vec![] };
        assert_eq!(fixture.kms.due(fixture.clock_now()), wanted, "{before} uses and one");
    }
}

#[tokio::test]
async fn the_last_use_is_given_and_the_next_refused_for_ever() {
    for left in [1_u64, 2, 3] {
        let fixture = with_key().await;
        worn(&fixture, 1, BOUND - left).await;
        for _ in 0..left {
            generate(&fixture).await.unwrap();
        }
        for _ in 0..3 {
            assert_eq!(generate(&fixture).await.map_err(|error| error.code()), Err("key-exhausted"));
        }
        assert_eq!(reserved(&fixture, 1), BOUND);
        let fixture = Fixture { kms: fixture.restarted(), ..fixture };
        assert_eq!(generate(&fixture).await.map_err(|error| error.code()), Err("key-exhausted"), "nor after a restart");
        fixture.rotate(&id("ring/key")).await;
        generate(&fixture).await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_is_not_understood_protects_nothing() {
    for row in [vec![], vec![1], vec![2, 0, 0, 0, 0, 0, 0, 0, 1], vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let fixture = with_key().await;
        let value = Zeroizing::new(row.clone());
        let change = Change::Put { table: Table::Uses, id: "ring/key#1".into(), expected: None, value };
        fixture.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
        assert_eq!(generate(&fixture).await, Err(KmsError::RowUnreadable), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_over_one_store_never_count_one_use_for_two() {
    let fixture = Arc::new(with_key().await);
    let other = Arc::new(Fixture {
        kms: fixture.restarted(),
        store: fixture.store.clone(),
        clock: fixture.clock.clone(),
        engine: fixture.engine.clone(),
        entropy: fixture.entropy.clone(),
    });
    let tasks: Vec<_> = [fixture.clone(), other.clone()]
        .into_iter()
        .flat_map(|fixture| {
            (0..4).map(move |_| {
                let fixture = fixture.clone();
                tokio::spawn(async move {
                    for _ in 0..50 {
                        generate(&fixture).await.unwrap();
                    }
                })
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(reserved(&fixture, 1), 2 * BLOCK, "a block each, and none shared");
}
