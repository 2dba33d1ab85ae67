//! Records end to end against a fake that speaks the wire types, and against whoever holds the envelopes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use wardkeep_model::{EntityUid, ResourceBinding, Value};

use super::*;
use crate::cache::{CacheLimits, ProtectLimits, ReadLimits};
use crate::error::ProtocolFault;
use crate::settings::Settings;
use crate::testing::{KeyServer, ManualClock};

mod bodies;
mod errors;
mod races;
mod stanzas;

const GENERATE: &str = "/v1/data-keys";
const UNWRAP: &str = "/v1/data-keys/unwrap";

fn key() -> KeyId {
    KeyId::parse("clinic/records").unwrap()
}

fn context(id: &str) -> EncryptionContext {
    let attributes = BTreeMap::from([("kind".to_owned(), Value::from("vital"))]);
    let entity = EntityUid::new("Observation", id).unwrap();
    let resource = ResourceBinding { entity, attributes: Some(attributes), parents: None };
    EncryptionContext::new(BTreeMap::from([("purpose".to_owned(), "care".to_owned())]), Some(resource)).unwrap()
}

fn subject(name: &str) -> EntityUid {
    EntityUid::new("User", name).unwrap()
}

#[tokio::test]
async fn a_record_comes_back_and_says_what_it_is() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    for plaintext in [Vec::new(), b"all is well".to_vec(), vec![7; 200_000]] {
        let envelope = client.protect(&key(), &context("o1"), &plaintext).await.unwrap();
        let record = client.read(&envelope).await.unwrap();
        assert_eq!(record.plaintext(), plaintext);
        assert_eq!(record.context(), &context("o1"));
        assert_eq!(inspect(&envelope).unwrap(), Claims { keys: vec![key()], context: context("o1") });
    }
    assert_eq!(fake.calls(GENERATE), 3, "a data key for every record");
}

#[tokio::test]
async fn an_envelope_holds_neither_plaintext_nor_data_key() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let envelope = client.protect(&key(), &context("o1"), b"canary-plaintext").await.unwrap();
    let holds = |needle: &[u8]| envelope.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(b"canary-plaintext"));
    for plain in fake.vault.plain_keys() {
        assert!(!holds(&plain));
        let shown = format!("{:?} {client:?}", client.read(&envelope).await.unwrap());
        assert!(!shown.contains("canary") && !shown.contains(&format!("{plain:?}")), "{shown}");
    }
}

#[tokio::test]
async fn a_denial_is_the_servers_and_is_not_answered_by_anothers_cache() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let ana = client.on_behalf_of(subject("ana"));
    let envelope = ana.protect(&key(), &context("o1"), b"x").await.unwrap();
    ana.read(&envelope).await.unwrap();
    ana.read(&envelope).await.unwrap();
    assert_eq!(fake.calls(UNWRAP), 1, "ana's second read is from the cache");
    let error = client.on_behalf_of(subject("mallory")).read(&envelope).await.unwrap_err();
    assert!(error.is_denied() && error.call().unwrap().request_id().is_some(), "{error:?}");
    client.read(&envelope).await.unwrap();
    assert_eq!(fake.calls(UNWRAP), 3, "mallory and the client itself were both asked for anew");
}

#[tokio::test]
async fn another_records_envelope_is_refused_where_the_record_is_known() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let envelope = client.protect(&key(), &context("o1"), b"x").await.unwrap();
    assert!(client.read_expecting(&envelope, &context("o1")).await.is_ok());
    let before = fake.calls(UNWRAP);
    let error = client.read_expecting(&envelope, &context("o2")).await.unwrap_err();
    assert!(matches!(error, RecordError::Unexpected));
    assert_eq!(fake.calls(UNWRAP), before, "the server was not even asked");
}

#[tokio::test]
async fn a_changed_context_opens_nothing() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let envelope = client.protect(&key(), &context("o1"), b"x").await.unwrap();
    let place = envelope.windows(4).position(|window| window == b"\"o1\"").unwrap();
    let mut forged = envelope.clone();
    forged[place + 2] = b'2';
    assert_eq!(inspect(&forged).unwrap().context, context("o2"));
    assert!(matches!(client.read(&forged).await, Err(RecordError::Call(CallError::Invalid(_)))));
}

#[tokio::test]
async fn every_flipped_byte_is_an_error_and_never_another_text() {
    let fake = KeyServer::start().await;
    let settings = Settings { cache: CacheLimits::OFF, ..fake.settings() };
    let client = Client::connect(settings).await.unwrap();
    let envelope = client.protect(&key(), &context("o1"), b"all is well").await.unwrap();
    for place in (0..envelope.len()).step_by(7) {
        let mut altered = envelope.clone();
        altered[place] ^= 1;
        assert!(client.read(&altered).await.is_err(), "byte {place}");
    }
    for len in (0..envelope.len()).step_by(11) {
        assert!(client.read(&envelope[..len]).await.is_err(), "cut to {len}");
    }
}

#[tokio::test]
async fn the_read_cache_ages_out_and_can_be_off() {
    let fake = KeyServer::start().await;
    let clock = Arc::new(ManualClock::default());
    let limits = CacheLimits { read: Some(ReadLimits { age: Duration::from_secs(300), count: 8 }), protect: None };
    let settings = Settings { cache: limits, ..fake.settings() };
    let client =
        Client::assemble(settings, clock.clone(), clock.clone(), Arc::new(crate::system::SystemEntropy)).unwrap();
    let envelope = client.protect(&key(), &context("o1"), b"x").await.unwrap();
    client.read(&envelope).await.unwrap();
    clock.advance(Duration::from_secs(299));
    client.read(&envelope).await.unwrap();
    assert_eq!(fake.calls(UNWRAP), 1);
    clock.advance(Duration::from_secs(1));
    client.read(&envelope).await.unwrap();
    assert_eq!(fake.calls(UNWRAP), 2);
    client.forget_data_keys();
    client.read(&envelope).await.unwrap();
    assert_eq!(fake.calls(UNWRAP), 3);

    let off = Client::connect(Settings { cache: CacheLimits::OFF, ..fake.settings() }).await.unwrap();
    off.read(&envelope).await.unwrap();
    off.read(&envelope).await.unwrap();
    assert_eq!(fake.calls(UNWRAP), 5);
}

#[tokio::test]
async fn one_data_key_for_several_records_only_within_its_limits() {
    let fake = KeyServer::start().await;
    let limits = CacheLimits { protect: Some(ProtectLimits { uses: 3, ..ProtectLimits::default() }), read: None };
    let client = Client::connect(Settings { cache: limits, ..fake.settings() }).await.unwrap();
    let mut envelopes = Vec::new();
    for number in 0..6_u8 {
        envelopes.push(client.protect(&key(), &context("o1"), &[number]).await.unwrap());
    }
    assert_eq!(fake.calls(GENERATE), 2);
    client.protect(&key(), &context("o2"), b"x").await.unwrap();
    client.on_behalf_of(subject("ana")).protect(&key(), &context("o1"), b"x").await.unwrap();
    assert_eq!(fake.calls(GENERATE), 4, "another record and another subject get keys of their own");
    for (number, envelope) in envelopes.iter().enumerate() {
        assert_eq!(client.read(envelope).await.unwrap().plaintext(), [u8::try_from(number).unwrap()]);
    }
}

#[tokio::test]
async fn rewrapping_changes_the_wrapped_key_and_nothing_else() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let envelope = client.protect(&key(), &context("o1"), b"all is well").await.unwrap();
    let renewed = client.rewrap(&envelope).await.unwrap();
    assert_ne!(renewed, envelope);
    assert_eq!(client.read(&renewed).await.unwrap().plaintext(), b"all is well");
    assert!(client.read(&envelope).await.is_err(), "the fake forgot the former one");
    assert_eq!(
        client.rewrap_stream(std::io::Cursor::new(renewed), Vec::new()).await.unwrap().len(),
        envelope.len() + 8
    );
}

#[tokio::test]
async fn what_is_not_an_envelope_is_said_to_be_none() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    for rubbish in [&b""[..], b"x", b"-----BEGIN", &[0; 4096]] {
        assert!(matches!(client.read(rubbish).await, Err(RecordError::Open(_))));
        assert!(inspect(rubbish).is_err());
    }
    assert_eq!(fake.calls(UNWRAP), 0);
}

#[tokio::test]
async fn streams_of_every_length_come_back() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    for len in [0, 1, 65_535, 65_536, 65_537, 1 << 20] {
        let plaintext = vec![9_u8; len];
        let input = std::io::Cursor::new(plaintext.clone());
        let sealed = client.protect_stream(&key(), &context("o1"), input, Vec::new()).await.unwrap();
        assert_eq!((sealed.bytes, sealed.context), (len as u64, context("o1")));
        assert_eq!(client.read(&sealed.output).await.unwrap().plaintext(), plaintext);
        let input = std::io::Cursor::new(sealed.output);
        let opened = client.read_stream(input, Vec::new(), Some(&context("o1"))).await.unwrap();
        assert_eq!((opened.bytes, opened.output == plaintext), (len as u64, true));
    }
}

#[tokio::test]
async fn a_stream_that_was_cut_or_belongs_to_another_record_is_an_error() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let input = std::io::Cursor::new(vec![9; 200_000]);
    let sealed = client.protect_stream(&key(), &context("o1"), input, Vec::new()).await.unwrap().output;
    for len in [sealed.len() - 1, sealed.len() - 20_000, 65_536 * 2] {
        let cut = std::io::Cursor::new(sealed[..len].to_vec());
        assert!(client.read_stream(cut, Vec::new(), None).await.is_err(), "cut to {len}");
    }
    let whole = std::io::Cursor::new(sealed);
    let other = client.read_stream(whole, Vec::new(), Some(&context("o2"))).await;
    assert!(matches!(other, Err(RecordError::Unexpected)));
}

#[tokio::test]
async fn a_full_disk_is_an_error_of_this_side() {
    #[derive(Debug)]
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    assert!(Full.flush().is_ok());
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let error = client.protect_stream(&key(), &context("o1"), std::io::empty(), Full).await.unwrap_err();
    assert!(matches!(error, RecordError::Io(_)), "{error:?}");
    assert_eq!(error.side(), Side::Local);
}

#[tokio::test]
async fn batches_answer_item_by_item_and_in_full() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let made = client.data_keys().generate(&new_data_key(&key(), &context("o1"))).await.unwrap();
    let items = vec![
        opened_data_key(made.wrapped.as_bytes(), &context("o1"), None),
        opened_data_key(made.wrapped.as_bytes(), &context("o2"), None),
    ];
    let answers = client.data_keys().unwrap_batch(items).await.unwrap();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].as_ref().ok().unwrap().plaintext.as_ref().unwrap().expose().len(), 32);
    let refusal = answers[1].as_ref().err().unwrap();
    assert_eq!(refusal.code, "cannot-open");
    assert!(refusal.request.is_some());

    let short = client.data_keys().generate_batch(vec![new_data_key(&key(), &context("o1"))]).await.err().unwrap();
    let lost = ProtocolFault::BatchLength { asked: 1, answered: 0 };
    assert!(matches!(short, CallError::Protocol { fault, .. } if fault == lost));
}
