//! Wycheproof on our material modules, and the `rsa` crate as differential oracle for OAEP and PSS.
//!
//! What is refused by design (RSA-2048, truncated tags) is asserted refused and counted by reason.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use serde_json::Value;
use wardkeep_model::{KeySpec, KeyUsage};

use super::fixture::FixedEntropy;
use crate::material::rsa::{RsaSignKey, RsaWrapKey};
use crate::material::{self, SignInput};

#[derive(Default)]
struct Count {
    valid: usize,
    invalid: usize,
    refused: BTreeMap<&'static str, usize>,
}

impl Count {
    fn print(&self, name: &str) {
        println!("{name}: {} valid, {} invalid, refused by design {:?}", self.valid, self.invalid, self.refused);
    }
}

fn folder() -> PathBuf {
    std::env::var_os("WARDKEEP_TEST_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")), PathBuf::from)
}

/// Runs `case` on every group and test of a file; says so loudly where the file is missing.
fn each(name: &str, mut case: impl FnMut(&Value, &Value, &mut Count)) -> Count {
    let mut count = Count::default();
    let path = folder().join("wycheproof").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: all cases of {name}: the file is not there; set WARDKEEP_TEST_DATA");
        return count;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let groups = file["testGroups"].as_array().unwrap();
    for group in groups {
        for test in group["tests"].as_array().unwrap() {
            case(group, test, &mut count);
        }
    }
    let seen = count.valid + count.invalid + count.refused.values().sum::<usize>();
    assert_eq!(seen as u64, file["numberOfTests"].as_u64().unwrap(), "{name}: every case is counted");
    count.print(name);
    count
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn tally(test: &Value, accepted: bool, count: &mut Count) {
    // "acceptable" is what a strict implementation may refuse; ours decides, and either answer counts.
    match test["result"].as_str().unwrap() {
        "valid" => assert!(accepted, "tcId {} is valid: {}", test["tcId"], test["comment"]),
        "invalid" => assert!(!accepted, "tcId {} is invalid: {}", test["tcId"], test["comment"]),
        _ => {}
    }
    if accepted { count.valid += 1 } else { count.invalid += 1 }
}

/// A material secret as ours, around somebody else's private key.
fn imported(group: &Value) -> Vec<u8> {
    let mut secret = vec![0; 32];
    secret.extend_from_slice(&bytes(&group["privateKeyPkcs8"]));
    secret
}

#[test]
fn oaep() {
    each("rsa_oaep_3072_sha256_mgf1sha256_test.json", |group, test, count| {
        let key = RsaWrapKey::parse(&imported(group)).unwrap();
        let opened = key.open_plain(&bytes(&test["label"]), &bytes(&test["ct"]));
        let accepted = opened.is_ok_and(|message| message.as_slice() == bytes(&test["msg"]));
        tally(test, accepted, count);
    });
    each("rsa_oaep_2048_sha256_mgf1sha256_test.json", |group, _, count| {
        assert!(RsaWrapKey::parse(&imported(group)).is_err());
        *count.refused.entry("RSA-2048").or_default() += 1;
    });
}

#[test]
fn pss() {
    each("rsa_pss_3072_sha256_mgf1_32_test.json", |group, test, count| {
        let spki = bytes(&group["publicKeyDer"]);
        let input = SignInput::Message(bytes(&test["msg"]));
        let accepted = material::verify(KeySpec::Rsa3072, &spki, &input, &bytes(&test["sig"])).unwrap();
        tally(test, accepted, count);
    });
    each("rsa_pss_2048_sha256_mgf1_32_test.json", |group, test, count| {
        let spki = bytes(&group["publicKeyDer"]);
        let input = SignInput::Message(bytes(&test["msg"]));
        assert!(!material::verify(KeySpec::Rsa3072, &spki, &input, &bytes(&test["sig"])).unwrap());
        *count.refused.entry("RSA-2048").or_default() += 1;
    });
}

#[test]
fn ecdsa() {
    each("ecdsa_secp256r1_sha256_test.json", |group, test, count| {
        let spki = bytes(&group["publicKeyDer"]);
        let (message, signature) = (bytes(&test["msg"]), bytes(&test["sig"]));
        let digest = SignInput::digest(&<sha2::Sha256 as sha2::Digest>::digest(&message)).unwrap();
        let accepted = material::verify(KeySpec::EcP256, &spki, &SignInput::Message(message), &signature).unwrap();
        assert_eq!(material::verify(KeySpec::EcP256, &spki, &digest, &signature).unwrap(), accepted);
        tally(test, accepted, count);
    });
}

#[test]
fn ed25519() {
    each("ed25519_test.json", |group, test, count| {
        let spki = bytes(&group["publicKeyDer"]);
        let input = SignInput::Message(bytes(&test["msg"]));
        let accepted = material::verify(KeySpec::Ed25519, &spki, &input, &bytes(&test["sig"])).unwrap();
        tally(test, accepted, count);
    });
}

#[test]
fn hmac() {
    each("hmac_sha256_test.json", |group, test, count| {
        if group["tagSize"] != 256 {
            // Ours is never truncated: a short tag does not equal a whole one.
            assert_ne!(RsaWrapKey::tag_plain(&bytes(&test["key"]), &bytes(&test["msg"])), bytes(&test["tag"]));
            *count.refused.entry("truncated tag").or_default() += 1;
            return;
        }
        let made = RsaWrapKey::tag_plain(&bytes(&test["key"]), &bytes(&test["msg"]));
        tally(test, made == bytes(&test["tag"]), count);
    });
}

/// What one library makes the other opens, in both directions.
#[test]
fn the_other_library_agrees_on_oaep_and_pss() {
    let entropy = FixedEntropy::counting();
    let made = material::make(KeySpec::Rsa3072, KeyUsage::Wrap, &entropy).unwrap();
    let secret = &made.secret[2..];
    let (ours, theirs) =
        (RsaWrapKey::parse(secret).unwrap(), rsa::RsaPrivateKey::from_pkcs8_der(&secret[32..]).unwrap());
    let label = b"label \xFF\x00 bytes".to_vec();
    let oaep = || rsa::Oaep::<sha2::Sha256>::new_with_label(label.clone());
    for n in 0..8u8 {
        let mut out = vec![];
        ours.wrap(&label, b"bound", &[n; 32], &mut out).unwrap();
        let opened = theirs.decrypt(oaep(), ours.authentic(b"bound", &out).unwrap()).unwrap();
        assert_eq!(opened, [n; 32]);
    }

    let made = material::make(KeySpec::Rsa3072, KeyUsage::Sign, &entropy).unwrap();
    let ours = RsaSignKey::parse(&made.secret[2..]).unwrap();
    let public = rsa::RsaPublicKey::from_public_key_der(made.public.as_deref().unwrap()).unwrap();
    for n in 0..8u8 {
        let message = vec![n; usize::from(n) * 100];
        let digest = <sha2::Sha256 as sha2::Digest>::digest(&message);
        let scheme = || rsa::Pss::<sha2::Sha256>::new();
        let from_message = ours.sign(&SignInput::Message(message)).unwrap();
        let from_digest = ours.sign(&SignInput::digest(&digest).unwrap()).unwrap();
        assert!(public.verify(scheme(), &digest, &from_message).is_ok());
        assert!(public.verify(scheme(), &digest, &from_digest).is_ok());
        assert!(public.verify(scheme(), &[0; 32], &from_digest).is_err());
    }
}
