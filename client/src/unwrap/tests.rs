//! Private keys of one's own.

use aws_lc_rs::encoding::Pkcs8V1Der;
use aws_lc_rs::rsa::KeySize;
use base64::Engine as _;
use wardkeep_envelope::RsaRecipient;
use wardkeep_model::{EncryptionContext, KeyId};

use super::*;
use crate::data_keys::{new_data_key, opened_data_key};
use crate::testing::KeyServer;

fn pem_of(size: KeySize) -> String {
    let key = PrivateDecryptingKey::generate(size).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

fn holder() -> RsaHolder {
    RsaHolder::from_pem(pem_of(KeySize::Rsa3072).as_bytes()).unwrap()
}

fn context() -> EncryptionContext {
    EncryptionContext::default()
}

fn key() -> KeyId {
    KeyId::parse("clinic/records").unwrap()
}

#[tokio::test]
async fn an_envelope_for_a_private_key_opens_without_the_server() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let (ours, other) = (holder(), holder());
    let recipient = RsaRecipient::from_spki_der(ours.public_key()).unwrap();
    let envelope = client.protect_for(&key(), &context(), b"all is well", &[&recipient]).await.unwrap();
    let asked = fake.server.seen().len();
    assert_eq!(ours.read(&envelope).unwrap().as_slice(), b"all is well");
    assert!(matches!(other.read(&envelope), Err(RecordError::Open(_))));
    assert_eq!(fake.server.seen().len(), asked);
    assert_eq!(client.read(&envelope).await.unwrap().plaintext(), b"all is well", "and with it");
    for place in (0..envelope.len()).step_by(13) {
        let mut altered = envelope.clone();
        altered[place] ^= 1;
        // The wrapped bytes of the key service are the one part that a holder of a private key does not look at.
        let opened = ours.read(&altered);
        assert!(opened.is_err() || opened.unwrap().as_slice() == b"all is well", "byte {place}");
    }
}

#[tokio::test]
async fn a_data_key_for_a_private_key_never_comes_in_the_clear() {
    let fake = KeyServer::start().await;
    let client = fake.client().await;
    let (ours, other) = (holder(), holder());
    let mut question = new_data_key(&key(), &context());
    question.recipient = Some(ours.recipient());
    let made = client.data_keys().generate(&question).await.unwrap();
    assert!(made.plaintext.is_none());
    let sealed = made.for_recipient.unwrap();
    let opened = client
        .data_keys()
        .unwrap(&opened_data_key(made.wrapped.as_bytes(), &context(), Some(ours.recipient())))
        .await
        .unwrap();
    assert!(opened.plaintext.is_none());
    let one = ours.open_data_key(sealed.as_bytes()).unwrap();
    let two = ours.open_data_key(opened.for_recipient.unwrap().as_bytes()).unwrap();
    assert_eq!(one.expose(), two.expose());
    assert!(other.open_data_key(sealed.as_bytes()).is_none());
    assert!(ours.open_data_key(&sealed.as_bytes()[1..]).is_none());
    assert!(ours.open_data_key(&[]).is_none());
}

#[test]
fn weak_and_foreign_keys_are_refused() {
    assert!(matches!(RsaHolder::from_pem(pem_of(KeySize::Rsa2048).as_bytes()), Err(HolderError::Size { bits: 2048 })));
    let ec = rcgen::KeyPair::generate().unwrap().serialize_pem();
    assert!(matches!(RsaHolder::from_pem(ec.as_bytes()), Err(HolderError::NotRsa)));
    assert!(matches!(RsaHolder::from_pem(b"rubbish"), Err(HolderError::NotRsa)));
    assert!(matches!(RsaHolder::from_file(Path::new("missing.pem")), Err(HolderError::Read { .. })));
}

#[test]
fn a_holder_shows_nothing_of_its_key() {
    let shown = format!("{:?}", holder());
    assert!(shown.starts_with("RsaHolder { public_key_len: "), "{shown}");
}
