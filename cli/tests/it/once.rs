//! Idempotency keys through the client library, against the real server: losers of a race get the winner's result, and
//! a replay shows nothing that its caller may not open.

use wardkeep_client::data_keys::new_data_key;
use wardkeep_client::wire::key::{CreateKey, KeySpec, KeyUsage};
use wardkeep_client::{CallError, EncryptionContext, KeyId};

use crate::dev::{Dev, text};

/// May make data keys and open none.
const MAKER: &str =
    r#"permit (principal == Service::"maker", action == Wardkeep::Action::"GenerateDataKey", resource);"#;

fn key() -> KeyId {
    KeyId::parse("notes/first").unwrap()
}

fn dev_with_key() -> Dev {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    dev
}

fn new(name: &str) -> CreateKey {
    let (spec, usage, labels) = (KeySpec::Ed25519, KeyUsage::Sign, Default::default());
    CreateKey { key: name.to_owned(), spec, usage, labels, rotation_days: None, activate: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn losers_of_a_race_get_what_the_winner_got() {
    let dev = dev_with_key();
    let admin = dev.admin();
    let question = new_data_key(&key(), &EncryptionContext::default());
    let mut racers = Vec::new();
    for _ in 0..8 {
        // A client each: they race over connections of their own.
        let client = dev.client(&admin, None).await.with_idempotency_key("race-1");
        let question = question.clone();
        racers.push(tokio::spawn(async move { client.data_keys().generate(&question).await }));
    }
    let mut wrapped = Vec::new();
    for racer in racers {
        let made = racer.await.unwrap().unwrap();
        wrapped.push((made.wrapped.as_bytes().to_vec(), made.plaintext.unwrap().expose().to_vec()));
    }
    assert!(wrapped.iter().all(|one| *one == wrapped[0]), "one data key for all");
    let fresh = dev.client(&admin, None).await.data_keys().generate(&question).await.unwrap();
    assert_ne!(fresh.wrapped.as_bytes(), wrapped[0].0, "without the key it is another");

    let mut racers = Vec::new();
    for _ in 0..8 {
        let client = dev.client(&admin, None).await.with_idempotency_key("race-2");
        racers.push(tokio::spawn(async move { client.keys().create(&new("notes/raced")).await }));
    }
    for racer in racers {
        assert_eq!(racer.await.unwrap().unwrap().versions.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_question_under_the_same_key_is_refused_and_typed() {
    let dev = dev_with_key();
    let client = dev.client(&dev.admin(), None).await.with_idempotency_key("mine-1");
    client.keys().create(&new("notes/one")).await.unwrap();
    let other = CreateKey { spec: KeySpec::EcP256, ..new("notes/one") };
    let error = client.keys().create(&other).await.unwrap_err();
    let CallError::Invalid(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((refusal.status, refusal.code.as_str()), (422, "idempotency-mismatch"));
    let plain = dev.client(&dev.admin(), None).await;
    let error = plain.keys().create(&new("notes/one")).await.unwrap_err();
    assert!(matches!(&error, CallError::Conflict(refusal) if refusal.code == "key-exists"), "{error:?}");

    let question = |purpose: &str| {
        let members = [("purpose".to_owned(), purpose.to_owned())].into();
        new_data_key(&key(), &EncryptionContext::new(members, None).unwrap())
    };
    client.data_keys().generate(&question("one")).await.unwrap();
    let error = client.data_keys().generate(&question("other")).await.err().unwrap();
    assert_eq!(error.refusal().unwrap().code, "idempotency-mismatch", "{error:?}");
}

/// Whoever asks for a key where there is nothing to keep is told so, and not left to believe in it.
#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_keep_nothing_refuse_the_key() {
    let dev = dev_with_key();
    let client = dev.client(&dev.admin(), None).await.with_idempotency_key("mine-1");
    let errors = [
        client.crypto().random(8).await.err().unwrap(),
        client.rings().delete(&wardkeep_client::RingName::new("notes").unwrap(), None).await.err().unwrap(),
    ];
    for error in errors {
        assert_eq!(error.refusal().unwrap().code, "idempotency-not-supported", "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_its_data_key_only_to_who_may_open_it() {
    let dev = dev_with_key();
    let entities = dev.file("maker.json", r#"[{"uid":{"type":"Service","id":"maker"},"attrs":{},"parents":[]}]"#);
    dev.json(&["policy", "load", text(&dev.bundle("bundle", "", "", MAKER)), "--activate"]);
    dev.json(&["entity", "put", text(&entities)]);
    let maker = dev.admit("service", "maker");
    let client = dev.client(&maker, None).await.with_idempotency_key("seen-once");
    let question = new_data_key(&key(), &EncryptionContext::default());
    let made = client.data_keys().generate(&question).await.unwrap();
    assert!(made.plaintext.is_some());
    let error = client.data_keys().generate(&question).await.err().unwrap();
    assert!(error.is_denied(), "{error:?}");
    assert_eq!(error.refusal().unwrap().code, "replay-denied");
    assert!(error.to_string().contains("new `Idempotency-Key`"), "it says what to do: {error}");

    // Blind ones may be repeated, and the administrator, who may open, sees its own again.
    let mut blind = question.clone();
    blind.plaintext = false;
    let other = dev.client(&maker, None).await.with_idempotency_key("unseen");
    let first = other.data_keys().generate(&blind).await.unwrap();
    let again = other.data_keys().generate(&blind).await.unwrap();
    assert_eq!(first.wrapped.as_bytes(), again.wrapped.as_bytes());
    let admin = dev.client(&dev.admin(), None).await.with_idempotency_key("seen-once");
    let own = admin.data_keys().generate(&question).await.unwrap();
    assert_ne!(own.wrapped.as_bytes(), made.wrapped.as_bytes(), "a key belongs to its caller");
    let replayed = admin.data_keys().generate(&question).await.unwrap();
    assert_eq!(own.plaintext.unwrap().expose(), replayed.plaintext.unwrap().expose());
}
