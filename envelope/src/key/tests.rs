//! The primitives under the file key against Wycheproof, and what is derived from it.

use serde::Deserialize;

use super::*;
use crate::vectors::{Expected, Tally, bytes, load};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HkdfGroup {
    tests: Vec<HkdfCase>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HkdfCase {
    tc_id: u32,
    ikm: String,
    salt: String,
    info: String,
    size: usize,
    okm: String,
    result: Expected,
}

#[test]
fn hkdf_meets_its_vectors() {
    let Some(file) = load::<HkdfGroup>("hkdf_sha256_test.json") else { return };
    let mut tally = Tally::default();
    for case in file.test_groups.iter().flat_map(|group| &group.tests) {
        let hkdf = Hkdf::<Sha256>::new(Some(&bytes(&case.salt)), &bytes(&case.ikm));
        let mut okm = vec![0; case.size];
        let expanded = hkdf.expand(&bytes(&case.info), &mut okm);
        if case.result == Expected::Invalid {
            assert!(expanded.is_err(), "case {}", case.tc_id);
        } else {
            assert!(expanded.is_ok() && okm == bytes(&case.okm), "case {}", case.tc_id);
        }
        tally.pass();
    }
    assert!(tally.report("hkdf_sha256", file.number_of_tests) > 80);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HmacGroup {
    tag_size: usize,
    tests: Vec<HmacCase>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HmacCase {
    tc_id: u32,
    key: String,
    msg: String,
    tag: String,
    result: Expected,
}

#[test]
fn hmac_meets_its_vectors() {
    let Some(file) = load::<HmacGroup>("hmac_sha256_test.json") else { return };
    let mut tally = Tally::default();
    for group in &file.test_groups {
        for case in &group.tests {
            let tag = bytes(&case.tag);
            let Ok(check): Result<[u8; CHECK], _> = tag.as_slice().try_into() else {
                assert_ne!(group.tag_size, 256);
                tally.refuse("truncated tag");
                continue;
            };
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&bytes(&case.key)).unwrap();
            mac.update(&bytes(&case.msg));
            let found: [u8; CHECK] = mac.finalize().into_bytes().into();
            assert_eq!(bool::from(found.ct_eq(&check)), case.result == Expected::Valid, "case {}", case.tc_id);
            tally.pass();
        }
    }
    assert!(tally.report("hmac_sha256", file.number_of_tests) > 80);
}

const ENVELOPE: Form = Form::Envelope;

fn key(byte: u8) -> FileKey {
    FileKey::from_bytes([byte; 32])
}

#[test]
fn the_check_hands_over_the_key_and_only_then() {
    let (check, body) = key(1).derive(ENVELOPE, &[2; SALT]).commit(b"header").unwrap();
    let again = key(1).derive(ENVELOPE, &[2; SALT]).check(b"header", &check).unwrap();
    assert_eq!(*again.0, *body.0);
    assert!(key(3).derive(ENVELOPE, &[2; SALT]).check(b"header", &check).is_none(), "another file key");
    assert!(key(1).derive(ENVELOPE, &[3; SALT]).check(b"header", &check).is_none(), "another salt");
    assert!(key(1).derive(ENVELOPE, &[2; SALT]).check(b"Header", &check).is_none(), "another header");
    for bit in 0..CHECK * 8 {
        let mut wrong = check;
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(key(1).derive(ENVELOPE, &[2; SALT]).check(b"header", &wrong).is_none(), "bit {bit}");
    }
}

#[test]
fn derived_keys_differ_by_purpose_key_and_salt() {
    let mut seen = std::collections::BTreeSet::new();
    for (form, file_key, salt) in
        [(ENVELOPE, 1, 1), (ENVELOPE, 1, 2), (ENVELOPE, 2, 1), (Form::Batch, 1, 1), (Form::Batch, 1, 2)]
    {
        let derived = key(file_key).derive(form, &[salt; SALT]);
        assert!(seen.insert(derived.expand(form.header_info()).unwrap().to_vec()));
        assert!(seen.insert(derived.expand(form.body_info()).unwrap().to_vec()));
        assert!(
            seen.insert(vec![file_key; 32]) || salt == 2 || form == Form::Batch,
            "the file key itself encrypts nothing"
        );
    }
}

#[test]
fn a_key_is_never_shown() {
    assert_eq!(format!("{:?}", key(0xab)), "FileKey(..)");
    assert!(FileKey::from_slice(&[0; 31]).is_none());
    assert!(FileKey::from_slice(&[0; 33]).is_none());
    let mut failing = |_: &mut [u8]| Err(RandomFailed);
    assert!(FileKey::random(&mut failing).is_err());
}
