//! The table of states, driven through the service cell by cell: every verb on a key in every state.
//!
//! The table itself is reviewed in lifecycle.rs; here the service is held to it.

use wardkeep_model::{EncryptionContext, KeySpec, KeyState, KeyUsage, KeyVersion};
use zeroize::Zeroizing;

use super::fixture::{Fixture, id};
use crate::lifecycle::{Answer, Verb, answer};
use crate::service::{
    Decrypt, DeletionPlan, Encrypt, GenerateDataKey, KeyUpdate, Precondition, RewrapDataKey, Sign, SignatureInput,
    UnwrapDataKey, Verify,
};
use crate::{Kms, KmsError};

/// What a key protected while it was active.
struct Made {
    wrapped: Vec<u8>,
    ciphertext: Vec<u8>,
    signature: Vec<u8>,
}

const NONE: Precondition = Precondition { revision: None };

fn key_for(verb: Verb) -> &'static str {
    match verb.usage() {
        Some(KeyUsage::Encrypt) => "ring/encrypt",
        Some(KeyUsage::Sign) => "ring/sign",
        Some(KeyUsage::Issue) => "ring/abe",
        _ => "ring/wrap",
    }
}

async fn prepared(verb: Verb) -> (Fixture, Made) {
    let fixture = Fixture::new().await;
    fixture.create("ring/wrap", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture.create("ring/encrypt", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    fixture.create("ring/sign", KeySpec::EcP256, KeyUsage::Sign).await;
    // Only where it is asked: to make one takes longer than all the others.
    if verb.usage() == Some(KeyUsage::Issue) {
        fixture.authority("ring/abe").await;
        fixture.issue("ana", "ring/abe").await.unwrap();
    }
    let context = EncryptionContext::default();
    let wrapped = fixture.generate(&id("ring/wrap"), &context).await.unwrap().wrapped;
    let ciphertext = encrypt(&fixture).await.unwrap();
    let signature = sign(&fixture).await.unwrap();
    (fixture, Made { wrapped, ciphertext, signature })
}

async fn encrypt(fixture: &Fixture) -> Result<Vec<u8>, KmsError> {
    let (key, context) = (id("ring/encrypt"), EncryptionContext::default());
    let permit = fixture.permit_with(&key, &context);
    let request = Encrypt { key, context, plaintext: Zeroizing::new(b"data".to_vec()) };
    fixture.kms.encrypt(permit, request).await.map(|made| made.ciphertext)
}

async fn sign(fixture: &Fixture) -> Result<Vec<u8>, KmsError> {
    let key = id("ring/sign");
    let request = Sign { key: key.clone(), input: SignatureInput::Message(b"message".to_vec()) };
    fixture.kms.sign(fixture.permit(&key), request).await.map(|made| made.signature)
}

/// Brings the only version of every key into a state, by the verbs that lead there.
async fn bring(fixture: &Fixture, state: KeyState) {
    for key in ["ring/wrap", "ring/encrypt", "ring/sign", "ring/abe"].map(id) {
        if fixture.kms.facts(&key).is_none() {
            continue;
        }
        match state {
            KeyState::Active => {}
            KeyState::PreActivation => pre_activate(fixture, &key).await,
            KeyState::Suspended => fixture.suspend(&key).await,
            KeyState::Deactivated => {
                fixture.kms.deactivate_key(fixture.permit(&key), &key, None, NONE, None).await.unwrap();
            }
            KeyState::Compromised => fixture.compromise(&key).await,
            KeyState::Destroyed => fixture.destroy(&key).await,
            other => panic!("a state without a way to it: {other}"),
        }
        let now = fixture.kms.describe_key(fixture.permit(&key), &key).await.unwrap();
        assert_eq!(now.versions[0].state, state);
    }
}

/// No verb leads back to pre-activation; the row is written as if the key had been made so.
async fn pre_activate(fixture: &Fixture, key: &wardkeep_model::KeyId) {
    let inner = &fixture.kms.inner;
    let now = inner.keyring.key(key).unwrap();
    let mut body = now.body.clone();
    body.versions[0].state = KeyState::PreActivation;
    inner.keyring.install_key(key.clone(), now.facts.revision, body.clone());
    use wardkeep_store::{Change, Store, Table, Work};
    let value = crate::row::write_key(&body).unwrap();
    let expected = Some(now.facts.revision);
    let change = Change::Put { table: Table::Key, id: key.to_string(), expected, value };
    fixture.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
    inner.keyring.install_key(key.clone(), now.facts.revision + 1, body);
}

async fn run(fixture: &Fixture, kms: &Kms, verb: Verb, made: &Made, with_right: bool) -> Result<(), KmsError> {
    let key = id(key_for(verb));
    let context = EncryptionContext::default();
    macro_rules! permit {
        () => {
            fixture.decide("ana", &key, Some(&context), None, with_right).unwrap()
        };
    }
    macro_rules! plain {
        () => {
            fixture.permit(&key)
        };
    }
    match verb {
        Verb::Describe => kms.describe_key(plain!(), &key).await.map(drop),
        Verb::Update => kms.update_key(plain!(), &key, KeyUpdate::default(), NONE, None).await.map(drop),
        Verb::Rotate => kms.rotate_key(plain!(), &key, NONE, None).await.map(drop),
        Verb::Enable => kms.enable_key(plain!(), &key, None, NONE, None).await.map(drop),
        Verb::Suspend => kms.suspend_key(plain!(), &key, None, NONE, None).await.map(drop),
        Verb::Deactivate => kms.deactivate_key(plain!(), &key, None, NONE, None).await.map(drop),
        Verb::Compromise => kms.compromise_key(plain!(), &key, None, NONE, None).await.map(drop),
        Verb::ScheduleDeletion => {
            kms.schedule_deletion(plain!(), &key, DeletionPlan { days: 7 }, NONE, None).await.map(drop)
        }
        Verb::CancelDeletion => kms.cancel_deletion(plain!(), &key, NONE, None).await.map(drop),
        Verb::Destroy => kms.destroy_key(plain!(), &key, NONE, None).await.map(drop),
        Verb::Generate => {
            let request =
                GenerateDataKey { key: key.clone(), context: context.clone(), recipient: None, plaintext: true };
            kms.generate_data_key(permit!(), request).await.map(drop)
        }
        Verb::Unwrap => {
            let request = UnwrapDataKey { wrapped: made.wrapped.clone(), context: context.clone(), recipient: None };
            kms.unwrap_data_key(permit!(), request).await.map(drop)
        }
        // The table has two rows for rewrapping; one version can stand for both only while it is active.
        Verb::RewrapFrom | Verb::RewrapTo => {
            let request = RewrapDataKey { wrapped: made.wrapped.clone(), context: context.clone() };
            kms.rewrap_data_key(permit!(), request).await.map(drop)
        }
        Verb::Encrypt => encrypt(fixture).await.map(drop),
        Verb::Decrypt => {
            let request = Decrypt { ciphertext: made.ciphertext.clone(), context: context.clone() };
            kms.decrypt(permit!(), request).await.map(drop)
        }
        Verb::Sign => sign(fixture).await.map(drop),
        Verb::Verify => {
            let request = Verify {
                key: key.clone(),
                version: KeyVersion::FIRST,
                input: SignatureInput::Message(b"message".to_vec()),
                signature: made.signature.clone(),
            };
            kms.verify(permit!(), request).await.map(|verified| assert!(verified.valid))
        }
        Verb::Issue => fixture.issue("ana", "ring/abe").await.map(drop),
        Verb::Publish => {
            kms.revocations(plain!(), &key, None).await?;
            kms.parameters(plain!(), &key, None).await.map(drop)
        }
        Verb::Revoke => {
            let serials = crate::Revoke::Serials { version: None, serials: vec![1] };
            kms.revoke_user_keys(plain!(), &key, serials).await.map(drop)
        }
        Verb::Escrow => fixture.escrow("ring/abe", 2, 3, vec![]).await.map(drop),
    }
}

/// Whether the table lets the verb answer on a key whose one version is in that state.
fn expected(verb: Verb, state: KeyState, with_right: bool) -> bool {
    match answer(verb, state) {
        Answer::Yes | Answer::To(_) => true,
        Answer::WithRight => with_right,
        Answer::No => false,
    }
}

#[tokio::test]
async fn every_verb_in_every_state() {
    let mut cells = 0;
    for state in KeyState::ALL {
        for verb in Verb::ALL {
            for with_right in [false, true] {
                let (fixture, made) = prepared(*verb).await;
                bring(&fixture, *state).await;
                if *verb == Verb::RewrapFrom && answer(Verb::Rotate, *state) != Answer::No {
                    // Only a newer version can take what the one in question gives.
                    fixture.rotate(&id("ring/wrap")).await;
                }
                let done = run(&fixture, &fixture.kms, *verb, &made, with_right).await;
                let mut wanted = expected(*verb, *state, with_right);
                // Not scheduled here: cancel and destroy have a test of their own below.
                wanted &= verb.answers_while_not_pending();
                assert_eq!(done.is_ok(), wanted, "{verb} on {state}, with right: {with_right}: {done:?}");
                let outcome = done.as_ref().err().map_or("ok", KmsError::code);
                assert_eq!(fixture.last_event().outcome, outcome, "every end is recorded");
                cells += 1;
            }
        }
    }
    assert_eq!(cells, KeyState::ALL.len() * Verb::ALL.len() * 2);
}

#[tokio::test]
async fn while_a_deletion_is_scheduled_only_what_shows_verifies_revokes_or_cancels_answers() {
    for state in KeyState::ALL.iter().filter(|state| **state != KeyState::Destroyed) {
        for verb in Verb::ALL {
            let (fixture, made) = prepared(*verb).await;
            bring(&fixture, *state).await;
            fixture.schedule(&id(key_for(*verb))).await;
            let done = run(&fixture, &fixture.kms, *verb, &made, true).await;
            let wanted = match verb {
                Verb::Describe | Verb::CancelDeletion => true,
                Verb::Verify | Verb::Publish | Verb::Revoke => expected(*verb, *state, true),
                _ => false,
            };
            assert_eq!(done.is_ok(), wanted, "{verb} on {state}: {done:?}");
            if *verb == Verb::Destroy {
                assert!(matches!(done, Err(KmsError::DeletionNotDue { .. })), "before the date");
            }
        }
    }
}

#[tokio::test]
async fn cancelling_gives_back_the_former_state() {
    for state in [KeyState::Active, KeyState::Suspended, KeyState::Deactivated, KeyState::Compromised] {
        let (fixture, _) = prepared(Verb::CancelDeletion).await;
        bring(&fixture, state).await;
        let key = id("ring/wrap");
        fixture.schedule(&key).await;
        let info = fixture.kms.cancel_deletion(fixture.permit(&key), &key, NONE, None).await.unwrap();
        assert_eq!((info.versions[0].state, info.deletion), (state, None));
    }
}
