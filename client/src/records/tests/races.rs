//! Readings at once, and clearings in the middle of one.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// The right is taken away and the cache cleared while an answer of before is still under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clearing_in_the_middle_of_a_reading_keeps_its_answer_out_of_the_cache() {
    let (holding, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(2)));
    let (held, wait) = (holding.clone(), gate.clone());
    let fake = KeyServer::start_with(move |seen| {
        if seen.path == UNWRAP && held.swap(false, Ordering::SeqCst) {
            // Once to say that the answer stands, once to be let go.
            tokio::task::block_in_place(|| {
                wait.wait();
                wait.wait();
            });
        }
    })
    .await;
    let client = fake.client().await;
    let envelope = client.protect(&key(), &context("o1"), b"x").await.unwrap();
    holding.store(true, Ordering::SeqCst);
    let reading = {
        let (client, envelope) = (client.clone(), envelope.clone());
        tokio::spawn(async move { client.read(&envelope).await.map(drop) })
    };
    let through = |gate: &Arc<Barrier>| {
        let gate = gate.clone();
        tokio::task::spawn_blocking(move || {
            gate.wait();
        })
    };
    through(&gate).await.unwrap();
    client.forget_data_keys();
    through(&gate).await.unwrap();
    reading.await.unwrap().unwrap();
    assert_eq!(fake.calls(UNWRAP), 1);
    client.read(&envelope).await.unwrap();
    assert_eq!(fake.calls(UNWRAP), 2, "the answer of before the clearing was not kept");
    client.read(&envelope).await.unwrap();
    assert_eq!(fake.calls(UNWRAP), 2, "the one of after it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_readers_at_once_all_read_and_each_their_own() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let mut envelopes = Vec::new();
    for number in 0..10_u8 {
        let name = format!("o{number}");
        envelopes.push((name.clone(), client.protect(&key(), &context(&name), &[number; 100]).await.unwrap()));
    }
    let mut readers = Vec::new();
    for turn in 0..60_usize {
        let (client, (name, envelope)) = (client.clone(), envelopes[turn % 10].clone());
        readers.push(tokio::spawn(async move {
            if turn % 7 == 0 {
                client.forget_data_keys();
            }
            let record = client.read_expecting(&envelope, &context(&name)).await.unwrap();
            assert_eq!(record.plaintext(), vec![u8::try_from(turn % 10).unwrap(); 100]);
        }));
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

/// Two people at one client at once: nobody is answered from the other's key, in whatever order they come.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_at_once_are_each_decided_on() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let ana = client.on_behalf_of(subject("ana"));
    let envelope = ana.protect(&key(), &context("o1"), b"x").await.unwrap();
    let mut readers = Vec::new();
    for turn in 0..40 {
        let (name, is_denied) = if turn % 2 == 0 { ("ana", false) } else { ("mallory", true) };
        let (view, envelope) = (client.on_behalf_of(subject(name)), envelope.clone());
        readers.push(tokio::spawn(async move {
            let read = view.read(&envelope).await;
            assert_eq!(read.as_ref().is_err_and(RecordError::is_denied), is_denied, "{name}: {read:?}");
        }));
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

/// A protecting key that several tasks share at once is used no more often than its limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shared_protecting_key_keeps_its_bound_under_a_crowd() {
    let fake = KeyServer::start().await;
    let limits = CacheLimits { protect: Some(ProtectLimits { uses: 5, ..ProtectLimits::default() }), read: None };
    let client = Client::connect(Settings { cache: limits, ..fake.settings() }).await.unwrap();
    let mut writers = Vec::new();
    for number in 0..40_u8 {
        let client = client.clone();
        writers.push(tokio::spawn(async move { client.protect(&key(), &context("o1"), &[number]).await.unwrap() }));
    }
    let mut uses = std::collections::HashMap::<Vec<u8>, usize>::new();
    for writer in writers {
        let envelope = writer.await.unwrap();
        let opener = Opener::from_bytes(&envelope).unwrap();
        *uses.entry(opener.wrapped_keys().next().unwrap().wrapped().to_vec()).or_default() += 1;
    }
    assert_eq!(uses.values().sum::<usize>(), 40);
    assert!(uses.values().all(|count| *count <= 5), "{:?}", uses.values().collect::<Vec<_>>());
}
