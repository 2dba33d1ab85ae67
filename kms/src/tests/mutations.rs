//! Wrapped keys, ciphertexts and signatures with anything changed, cut, added or taken from each other: nothing opens, and
//! nothing tells more than that.

use std::collections::BTreeSet;

use wardkeep_model::{EncryptionContext, KeyId, KeySpec, KeyUsage, KeyVersion, action};
use zeroize::Zeroizing;

use super::fixture::{Fixture, context, id};
use crate::KmsError;
use crate::service::{Decrypt, Encrypt, RewrapDataKey, Sign, SignatureInput, UnwrapDataKey, Verify};

/// Length of what stands before the body: magic, format, kind, version, length of the id, the id.
fn header(key: &KeyId) -> usize {
    9 + key.as_str().len()
}

/// A permit is decided for the key that the caller names; a forger names the one that the form should be of.
async fn unwrap(fixture: &Fixture, key: &KeyId, wrapped: &[u8], bound: &EncryptionContext) -> Result<(), KmsError> {
    let permit = fixture.decide::<action::UnwrapDataKey>("ana", key, Some(bound), None, true).unwrap();
    let request = UnwrapDataKey { wrapped: wrapped.to_vec(), context: bound.clone(), recipient: None };
    fixture.kms.unwrap_data_key(permit, request).await.map(drop)
}

async fn rewrap(fixture: &Fixture, key: &KeyId, wrapped: &[u8], bound: &EncryptionContext) -> Result<(), KmsError> {
    let permit = fixture.decide::<action::RewrapDataKey>("ana", key, Some(bound), None, true).unwrap();
    fixture
        .kms
        .rewrap_data_key(permit, RewrapDataKey { wrapped: wrapped.to_vec(), context: bound.clone() })
        .await
        .map(drop)
}

async fn decrypt(fixture: &Fixture, key: &KeyId, ciphertext: &[u8], bound: &EncryptionContext) -> Result<(), KmsError> {
    let permit = fixture.decide::<action::Decrypt>("ana", key, Some(bound), None, true).unwrap();
    fixture.kms.decrypt(permit, Decrypt { ciphertext: ciphertext.to_vec(), context: bound.clone() }).await.map(drop)
}

async fn encrypted(fixture: &Fixture, key: &KeyId, bound: &EncryptionContext, data: &[u8]) -> Vec<u8> {
    let request = Encrypt { key: key.clone(), context: bound.clone(), plaintext: Zeroizing::new(data.to_vec()) };
    fixture.kms.encrypt(fixture.permit_with(key, bound), request).await.unwrap().ciphertext
}

#[tokio::test]
async fn every_byte_of_a_wrapped_key_counts() {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let (key, bound) = (id("ring/key"), context("a"));
    let wrapped = fixture.generate(&key, &bound).await.unwrap().wrapped;
    let mut codes = BTreeSet::new();
    for at in 0..wrapped.len() {
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut forged = wrapped.clone();
            forged[at] ^= mask;
            let error = unwrap(&fixture, &key, &forged, &bound).await.expect_err("opened");
            assert_eq!(rewrap(&fixture, &key, &forged, &bound).await.expect_err("rewrapped"), error, "byte {at}");
            // Behind the header every change is one and the same error.
            assert!(at < header(&key) || error == KmsError::CannotOpen, "byte {at}: {error}");
            codes.insert(error.code());
        }
    }
    assert!(
        codes.iter().all(|code| matches!(*code, "malformed-input" | "cannot-open" | "permit-mismatch")),
        "{codes:?}"
    );
    assert!(unwrap(&fixture, &key, &wrapped, &bound).await.is_ok(), "and unchanged it opens");
}

#[tokio::test]
async fn no_cut_and_no_addition_opens() {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture.create("ring/enc", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    let (key, enc, bound) = (id("ring/key"), id("ring/enc"), context("a"));
    let wrapped = fixture.generate(&key, &bound).await.unwrap().wrapped;
    let ciphertext = encrypted(&fixture, &enc, &bound, b"twenty bytes of data").await;
    for cut in 0..wrapped.len() {
        assert!(unwrap(&fixture, &key, &wrapped[..cut], &bound).await.is_err(), "cut to {cut}");
        assert!(unwrap(&fixture, &key, &wrapped[cut + 1..], &bound).await.is_err(), "from {cut} on");
    }
    for cut in 0..ciphertext.len() {
        assert!(decrypt(&fixture, &enc, &ciphertext[..cut], &bound).await.is_err(), "cut to {cut}");
    }
    for more in [1, 16, 24, 32, wrapped.len()] {
        let longer = [wrapped.as_slice(), &vec![0; more]].concat();
        assert_eq!(unwrap(&fixture, &key, &longer, &bound).await, Err(KmsError::CannotOpen), "{more} more");
        let longer = [ciphertext.as_slice(), &vec![0; more]].concat();
        assert_eq!(decrypt(&fixture, &enc, &longer, &bound).await, Err(KmsError::CannotOpen), "{more} more");
    }
    assert!(unwrap(&fixture, &key, &[], &bound).await.is_err());
}

#[tokio::test]
async fn parts_of_two_good_forms_make_no_third() {
    let fixture = Fixture::new().await;
    for name in ["ring/key", "ring/yek"] {
        fixture.create(name, KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    }
    let (key, other, bound) = (id("ring/key"), id("ring/yek"), context("a"));
    let one = fixture.generate(&key, &bound).await.unwrap().wrapped;
    let two = fixture.generate(&key, &bound).await.unwrap().wrapped;
    let foreign = fixture.generate(&other, &bound).await.unwrap().wrapped;
    fixture.rotate(&key).await;
    let newer = fixture.generate(&key, &bound).await.unwrap().wrapped;
    let start = header(&key);
    let (nonce, tag) = (start + 24, one.len() - 16);
    for (what, stranger) in [("another of the key", &two), ("another key's", &foreign), ("another version's", &newer)] {
        for (part, range) in [
            ("header", 0..start),
            ("nonce", start..nonce),
            ("key", nonce..tag),
            ("tag", tag..one.len()),
            ("version", 4..8),
        ] {
            let mut forged = one.clone();
            forged[range.clone()].copy_from_slice(&stranger[range]);
            if forged == one || forged == *stranger {
                continue;
            }
            for named in [&key, &other] {
                assert!(unwrap(&fixture, named, &forged, &bound).await.is_err(), "{part} of {what}, as {named}");
            }
        }
    }
}

#[tokio::test]
async fn a_form_of_one_verb_is_none_of_another_whatever_its_header_says() {
    let fixture = Fixture::new().await;
    fixture.create("ring/wra", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture.create("ring/enc", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    let (wrap, enc, bound) = (id("ring/wra"), id("ring/enc"), context("a"));
    let wrapped = fixture.generate(&wrap, &bound).await.unwrap().wrapped;
    let ciphertext = encrypted(&fixture, &enc, &bound, &[7; 32]).await;
    assert_eq!(wrapped.len(), ciphertext.len(), "alike but for what they are");
    for (kind, from) in
        [(1, &ciphertext), (2, &ciphertext), (3, &wrapped), (0, &wrapped), (4, &wrapped), (255, &wrapped)]
    {
        for key in [&wrap, &enc] {
            let mut forged = from.clone();
            forged[3] = kind;
            forged[9..9 + 8].copy_from_slice(key.as_str().as_bytes());
            assert!(unwrap(&fixture, key, &forged, &bound).await.is_err(), "kind {kind} under {key}");
            assert!(decrypt(&fixture, key, &forged, &bound).await.is_err(), "kind {kind} under {key}");
        }
    }
    assert!(decrypt(&fixture, &enc, &wrapped, &bound).await.is_err());
    assert!(unwrap(&fixture, &wrap, &ciphertext, &bound).await.is_err());
}

#[tokio::test]
async fn the_header_names_a_version_that_exists_or_nothing() {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let (key, bound) = (id("ring/key"), context("a"));
    let wrapped = fixture.generate(&key, &bound).await.unwrap().wrapped;
    for version in [0_u32, 2, 256, u32::MAX] {
        let mut forged = wrapped.clone();
        forged[4..8].copy_from_slice(&version.to_be_bytes());
        let said = unwrap(&fixture, &key, &forged, &bound).await;
        assert_eq!(said, Err(KmsError::CannotOpen), "version {version}: as any forgery");
    }
}

#[tokio::test]
async fn a_context_is_the_very_one_or_none() {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    fixture.create("ring/enc", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    let (key, enc) = (id("ring/key"), id("ring/enc"));
    let plain = |members: &[(&str, &str)]| {
        let members = members.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        EncryptionContext::new(members, None).unwrap()
    };
    let good = plain(&[("a", "b"), ("c", "d")]);
    let (wrapped, ciphertext) =
        (fixture.generate(&key, &good).await.unwrap().wrapped, encrypted(&fixture, &enc, &good, b"data").await);
    for bad in [
        plain(&[]),
        plain(&[("a", "b")]),
        plain(&[("a", "b"), ("c", "D")]),
        plain(&[("a", "b"), ("C", "d")]),
        plain(&[("a", "bc"), ("", "")].map(|(name, text)| if name.is_empty() { ("e", text) } else { (name, text) })),
        plain(&[("a", "d"), ("c", "b")]),
        plain(&[("a", "b"), ("c", "d"), ("e", "")]),
        plain(&[("a", "b "), ("c", "d")]),
    ] {
        assert_eq!(unwrap(&fixture, &key, &wrapped, &bad).await, Err(KmsError::CannotOpen), "{bad:?}");
        assert_eq!(decrypt(&fixture, &enc, &ciphertext, &bad).await, Err(KmsError::CannotOpen), "{bad:?}");
    }
    assert!(unwrap(&fixture, &key, &wrapped, &plain(&[("c", "d"), ("a", "b")])).await.is_ok(), "order says nothing");
}

#[tokio::test]
async fn every_byte_of_a_signature_counts() {
    let fixture = Fixture::new().await;
    for (name, spec) in [("ring/ec", KeySpec::EcP256), ("ring/ed", KeySpec::Ed25519)] {
        fixture.create(name, spec, KeyUsage::Sign).await;
        let key = id(name);
        let input = SignatureInput::Message(b"message".to_vec());
        let sign = Sign { key: key.clone(), input: input.clone() };
        let good = fixture.kms.sign(fixture.permit(&key), sign).await.unwrap().signature;
        let verify = async |signature: &[u8], input: &SignatureInput, version: u32| {
            let request = Verify {
                key: key.clone(),
                version: KeyVersion::new(version).unwrap(),
                input: input.clone(),
                signature: signature.to_vec(),
            };
            fixture.kms.verify(fixture.permit(&key), request).await.map(|verified| verified.valid)
        };
        assert_eq!(verify(&good, &input, 1).await, Ok(true));
        for at in 0..good.len() {
            for mask in [1, 0x80] {
                let mut forged = good.clone();
                forged[at] ^= mask;
                assert_ne!(verify(&forged, &input, 1).await, Ok(true), "{spec}, byte {at}");
            }
            assert_ne!(verify(&good[..at], &input, 1).await, Ok(true), "{spec}, cut to {at}");
        }
        assert_ne!(verify(&[good.as_slice(), &[0]].concat(), &input, 1).await, Ok(true), "{spec}, one byte more");
        assert_ne!(verify(&[], &input, 1).await, Ok(true));
        assert_eq!(
            verify(&good, &input, 2).await,
            Err(KmsError::VersionNotFound { version: KeyVersion::new(2).unwrap() })
        );
        fixture.rotate(&key).await;
        assert_eq!(verify(&good, &input, 2).await, Ok(false), "{spec}: the other version did not sign it");
        assert_eq!(verify(&good, &SignatureInput::Message(b"massage".to_vec()), 1).await, Ok(false));
    }
}

#[tokio::test]
async fn two_data_keys_share_neither_key_nor_bytes() {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let (key, bound) = (id("ring/key"), context("a"));
    let (mut keys, mut bodies) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..200 {
        let made = fixture.generate(&key, &bound).await.unwrap();
        assert!(keys.insert(made.plaintext.unwrap().expose().to_vec()), "a key twice");
        assert!(bodies.insert(made.wrapped[header(&key)..header(&key) + 24].to_vec()), "a nonce twice");
    }
}
