//! As the attacker: whoever holds the public key, another right, another record, or yesterday's bytes.

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use wardkeep_model::{EncryptionContext, KeySpec, KeyUsage, KeyVersion, action};
use wardkeep_policy::Refusal;
use wardkeep_store::{Store, Table};
use zeroize::Zeroizing;

use super::fixture::{Fixture, context, id, record_of};
use crate::KmsError;
use crate::service::{Decrypt, Encrypt, GenerateDataKey, Precondition, RewrapDataKey, UnwrapDataKey};
use crate::wrapped::{self, WrappedInfo, WrappedKind};

async fn both_kinds() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.create("ring/aes", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture.create("ring/rsa", KeySpec::Rsa3072, KeyUsage::Wrap).await;
    fixture
}

/// OAEP's label binds but does not authenticate: this is the forgery that the service's own tag is for.
#[tokio::test]
async fn what_an_outsider_wraps_with_the_public_key_does_not_open() {
    let fixture = both_kinds().await;
    let key = id("ring/rsa");
    let context = record_of("ana", "1");
    let spki = fixture.kms.describe_key(fixture.permit(&key), &key).await.unwrap().versions[0].public_key.clone();
    let public = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&spki.unwrap()).unwrap()).unwrap();
    let info = WrappedInfo { key: key.clone(), version: KeyVersion::FIRST, kind: WrappedKind::RsaDataKey };
    let mut oaep = vec![0; public.ciphertext_size()];
    let label = wrapped::oaep_label(&info, &context);
    public.encrypt(&OAEP_SHA256_MGF1SHA256, &[0x41; 32], &mut oaep, Some(&label)).unwrap();
    let honest = fixture.generate(&key, &context).await.unwrap().wrapped;
    let tag_at = honest.len() - oaep.len() - wrapped::MAC;
    for tag in [vec![0; 32], honest[tag_at..tag_at + wrapped::MAC].to_vec()] {
        let mut forged = wrapped::header(info.kind, &key, info.version, 0);
        forged.extend_from_slice(&tag);
        forged.extend_from_slice(&oaep);
        assert_eq!(fixture.unwrap(&forged, &context).await.err(), Some(KmsError::CannotOpen));
    }
    assert!(fixture.unwrap(&honest, &context).await.is_ok());
}

#[tokio::test]
async fn every_flipped_byte_is_one_uniform_error() {
    let fixture = both_kinds().await;
    let context = context("a");
    for key in ["ring/aes", "ring/rsa"].map(id) {
        let wrapped = fixture.generate(&key, &context).await.unwrap().wrapped;
        let name = 9..9 + key.as_str().len();
        for at in 0..wrapped.len() {
            let mut flipped = wrapped.clone();
            flipped[at] ^= 0x01;
            let permit = fixture.permit_with(&key, &context);
            let request = UnwrapDataKey { wrapped: flipped, context: context.clone(), recipient: None };
            let error = fixture.kms.unwrap_data_key(permit, request).await.err();
            // Another name that is well-formed is another key, which the permit is not for.
            let other_key = name.contains(&at) && error == Some(KmsError::PermitMismatch);
            assert!(other_key || error == Some(KmsError::CannotOpen), "{key} byte {at}: {error:?}");
        }
        for cut in [0, 1, 8, 9, wrapped.len() - 1] {
            let permit = fixture.permit_with(&key, &context);
            let request = UnwrapDataKey { wrapped: wrapped[..cut].to_vec(), context: context.clone(), recipient: None };
            assert_eq!(fixture.kms.unwrap_data_key(permit, request).await.err(), Some(KmsError::CannotOpen));
        }
    }
}

#[tokio::test]
async fn key_and_version_cannot_be_swapped() {
    let fixture = Fixture::new().await;
    for name in ["ring/one", "ring/two"] {
        fixture.create(name, KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    }
    let (one, two, context) = (id("ring/one"), id("ring/two"), context("a"));
    let wrapped = fixture.generate(&one, &context).await.unwrap().wrapped;
    let mut renamed = wrapped.clone();
    renamed[9..17].copy_from_slice(two.as_str().as_bytes());
    assert_eq!(fixture.unwrap(&renamed, &context).await.err(), Some(KmsError::CannotOpen));
    fixture.rotate(&one).await;
    for version in [2u32, 3, u32::MAX] {
        let mut moved = wrapped.clone();
        moved[4..8].copy_from_slice(&version.to_be_bytes());
        assert_eq!(fixture.unwrap(&moved, &context).await.err(), Some(KmsError::CannotOpen), "version {version}");
    }
    assert!(fixture.unwrap(&wrapped, &context).await.is_ok());
}

#[tokio::test]
async fn a_false_context_opens_nothing() {
    let fixture = both_kinds().await;
    for key in ["ring/aes", "ring/rsa"].map(id) {
        let wrapped = fixture.generate(&key, &record_of("ana", "1")).await.unwrap().wrapped;
        for false_context in [
            EncryptionContext::default(), // the record left out, so that no release is decided
            record_of("ana", "2"),        // a record that the attacker may read
            context("a"),
        ] {
            assert_eq!(fixture.unwrap(&wrapped, &false_context).await.err(), Some(KmsError::CannotOpen));
        }
        // Bob made himself the owner: the policies, which see only what he says, let him; the bytes do not.
        let wrapped = fixture.generate(&key, &record_of("ana", "1")).await.unwrap().wrapped;
        let stolen = fixture.unwrap_as("bob", &wrapped, &record_of("bob", "1"), false).await;
        assert_eq!(stolen.err(), Some(KmsError::CannotOpen));
        // With the true context the policies refuse him.
        let context = record_of("ana", "1");
        let refused = fixture.decide::<action::UnwrapDataKey>("bob", &key, Some(&context), None, false);
        assert!(matches!(refused, Err(Refusal::Denied(_))));
    }
}

#[tokio::test]
async fn a_record_without_its_own_decision_is_refused() {
    let fixture = both_kinds().await;
    let (key, context) = (id("ring/aes"), record_of("ana", "1"));
    // A permit decided without the record, used with it.
    let request = GenerateDataKey { key: key.clone(), context: context.clone(), recipient: None, plaintext: true };
    let made = fixture.kms.generate_data_key(fixture.permit_with(&key, &EncryptionContext::default()), request).await;
    assert_eq!(made.err(), Some(KmsError::PermitMismatch));
    // A rewrap is decided on the key alone; its permit opens nothing, whatever the context: another type.
    let wrapped = fixture.generate(&key, &context).await.unwrap().wrapped;
    let request = RewrapDataKey { wrapped, context: context.clone() };
    let rewrapped = fixture.kms.rewrap_data_key(fixture.permit_with(&key, &context), request).await.unwrap();
    assert!(fixture.unwrap(&rewrapped.wrapped, &context).await.is_ok());
}

#[tokio::test]
async fn a_permit_fits_only_what_was_decided() {
    let fixture = both_kinds().await;
    let (aes, rsa, a, b) = (id("ring/aes"), id("ring/rsa"), context("a"), context("b"));
    let wrapped = fixture.generate(&aes, &a).await.unwrap().wrapped;
    let request = |context: &EncryptionContext| UnwrapDataKey {
        wrapped: wrapped.clone(),
        context: context.clone(),
        recipient: None,
    };
    let mismatch = Some(KmsError::PermitMismatch);
    assert_eq!(fixture.kms.unwrap_data_key(fixture.permit_with(&rsa, &a), request(&a)).await.err(), mismatch);
    assert_eq!(fixture.kms.unwrap_data_key(fixture.permit_with(&aes, &b), request(&a)).await.err(), mismatch);
    assert_eq!(fixture.kms.unwrap_data_key(fixture.permit(&aes), request(&a)).await.err(), mismatch, "no binding");
    assert_eq!(fixture.last_event().outcome, "permit-mismatch");
    let other = fixture.kms.describe_key(fixture.permit(&aes), &rsa).await;
    assert_eq!(other.err(), mismatch);
    let other = fixture.kms.rotate_key(fixture.permit(&aes), &rsa, Precondition::default(), None).await;
    assert_eq!(other.err(), mismatch);
}

#[tokio::test]
async fn no_verb_opens_what_another_made() {
    let fixture = both_kinds().await;
    fixture.create("ring/enc", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    let (wrap, enc, context) = (id("ring/aes"), id("ring/enc"), context("a"));
    let request = Encrypt { key: enc.clone(), context: context.clone(), plaintext: Zeroizing::new(vec![7; 32]) };
    let ciphertext = fixture.kms.encrypt(fixture.permit_with(&enc, &context), request).await.unwrap().ciphertext;
    let wrapped = fixture.generate(&wrap, &context).await.unwrap().wrapped;
    // As they are: the usage of the key says no.
    let wrong = fixture.unwrap(&ciphertext, &context).await.err().unwrap();
    assert_eq!(wrong.code(), "wrong-usage");
    let request = Decrypt { ciphertext: wrapped.clone(), context: context.clone() };
    let wrong = fixture.kms.decrypt(fixture.permit_with(&wrap, &context), request).await.err().unwrap();
    assert_eq!(wrong.code(), "wrong-usage");
    // Relabelled in the header: the binding says no.
    for (bytes, kind) in [(&ciphertext, 1), (&ciphertext, 2), (&wrapped, 2), (&wrapped, 3)] {
        let mut relabelled = bytes.clone();
        relabelled[3] = kind;
        let key = if bytes == &wrapped { &wrap } else { &enc };
        let request = UnwrapDataKey { wrapped: relabelled.clone(), context: context.clone(), recipient: None };
        let error = fixture.kms.unwrap_data_key(fixture.permit_with(key, &context), request).await.err().unwrap();
        assert!(matches!(error, KmsError::CannotOpen | KmsError::WrongUsage { .. }));
        let request = Decrypt { ciphertext: relabelled, context: context.clone() };
        let error = fixture.kms.decrypt(fixture.permit_with(key, &context), request).await.err().unwrap();
        assert!(matches!(error, KmsError::CannotOpen | KmsError::WrongUsage { .. }));
    }
}

#[tokio::test]
async fn a_compromised_version_needs_its_own_right_also_for_rewrapping() {
    let fixture = both_kinds().await;
    for key in ["ring/aes", "ring/rsa"].map(id) {
        let context = context("a");
        let wrapped = fixture.generate(&key, &context).await.unwrap().wrapped;
        fixture.compromise(&key).await;
        fixture.rotate(&key).await;
        assert!(fixture.kms.is_compromised(&key, KeyVersion::FIRST));
        let refused = Some(KmsError::CompromisedRight { version: KeyVersion::FIRST });
        assert_eq!(fixture.unwrap(&wrapped, &context).await.err(), refused);
        let request = RewrapDataKey { wrapped: wrapped.clone(), context: context.clone() };
        let rewrapped = fixture.kms.rewrap_data_key(fixture.permit_with(&key, &context), request).await;
        assert_eq!(rewrapped.err(), refused);
        let denied = fixture.decide::<action::UnwrapDataKey>("bob", &key, Some(&context), None, true);
        assert!(matches!(denied, Err(Refusal::Denied(_))), "bob has not the further right");
        assert!(fixture.unwrap_as("ana", &wrapped, &context, true).await.is_ok());
    }
}

#[tokio::test]
async fn other_verbs_refuse_a_context_with_a_record() {
    let fixture = Fixture::new().await;
    fixture.create("ring/enc", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    let (key, context) = (id("ring/enc"), record_of("ana", "1"));
    // The engine refuses the question already; the service does not rely on that.
    let asked = fixture.decide::<action::Encrypt>("ana", &key, Some(&context), None, false);
    assert!(matches!(asked, Err(Refusal::Question(_))));
}

/// Canaries: the material is known from the store's own table, and must be nowhere else.
#[tokio::test]
async fn material_is_in_no_other_row_and_in_no_record() {
    let fixture = Fixture::new().await;
    let mut secrets = Vec::new();
    for (name, spec, usage) in [
        ("ring/a", KeySpec::Aes256Gcm, KeyUsage::Wrap),
        ("ring/b", KeySpec::Aes256Gcm, KeyUsage::Encrypt),
        ("ring/c", KeySpec::EcP256, KeyUsage::Sign),
        ("ring/d", KeySpec::Ed25519, KeyUsage::Sign),
    ] {
        fixture.create(name, spec, usage).await;
        if usage == KeyUsage::Wrap {
            let made = fixture.generate(&id(name), &context("a")).await.unwrap();
            secrets.push(made.plaintext.unwrap().expose().to_vec());
        }
    }
    fixture.store.scan(Table::Material, &mut |row| secrets.push(row.value[2..34].to_vec())).unwrap();
    assert_eq!(secrets.len(), 5);
    let mut everything = Vec::new();
    for table in Table::ALL.iter().filter(|table| **table != Table::Material) {
        fixture.store.scan(*table, &mut |row| everything.extend_from_slice(&row.value)).unwrap();
    }
    for record in fixture.records() {
        everything.extend_from_slice(record.line.as_bytes());
    }
    everything.extend_from_slice(format!("{:?}", fixture.kms).as_bytes());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes();
    let base64 = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(&bytes[..30]).into_bytes()
    };
    for secret in secrets {
        for form in [secret.clone(), hex(&secret), base64(&secret)] {
            assert!(!everything.windows(form.len()).any(|part| part == form), "a secret stands in the open");
        }
    }
}
