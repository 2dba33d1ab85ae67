//! The chunk primitive against Wycheproof, and its two makings against each other.

use proptest::prelude::*;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::*;
use crate::cipher::Portable;
use crate::vectors::{Expected, Tally, bytes, load};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    key_size: usize,
    iv_size: usize,
    tag_size: usize,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    tc_id: u32,
    key: String,
    iv: String,
    aad: String,
    msg: String,
    ct: String,
    tag: String,
    result: Expected,
}

/// Why a chunk can have no such form, if it cannot.
fn by_design(group: &Group, case: &Case) -> Option<&'static str> {
    match group {
        Group { key_size, .. } if *key_size != 256 => Some("key is not 256 bits"),
        Group { iv_size, .. } if *iv_size != 96 => Some("nonce is not 96 bits"),
        Group { tag_size, .. } if *tag_size != 128 => Some("tag is not 128 bits"),
        _ if !case.aad.is_empty() => Some("has associated data"),
        _ => None,
    }
}

#[test]
fn aes_gcm_meets_its_vectors() {
    let Some(file) = load::<Group>("aes_gcm_test.json") else { return };
    let mut tally = Tally::default();
    for group in &file.test_groups {
        for case in &group.tests {
            if let Some(why) = by_design(group, case) {
                tally.refuse(why);
                continue;
            }
            let key = BodyKey(Zeroizing::new(bytes(&case.key).try_into().unwrap()));
            let (cipher, place) = (ChunkCipher::new(&key), Place(bytes(&case.iv).try_into().unwrap()));
            let tag: [u8; TAG] = bytes(&case.tag).try_into().unwrap();
            let mut opened = bytes(&case.ct);
            let fits = cipher.open(place, &mut opened, &tag);
            assert_eq!(fits, case.result == Expected::Valid, "case {}", case.tc_id);
            let wiped = vec![0; opened.len()];
            assert_eq!(opened, if fits { bytes(&case.msg) } else { wiped }, "case {}", case.tc_id);
            let mut sealed = bytes(&case.msg);
            let made = cipher.seal(place, &mut sealed).unwrap();
            assert_eq!(sealed == bytes(&case.ct) && made == tag, fits, "case {}", case.tc_id);
            tally.pass();
        }
    }
    assert!(tally.report("aes_gcm, as a chunk", file.number_of_tests) >= 40);
}

#[test]
fn places_are_distinct_and_bounded() {
    let counters = [0, 1, 255, 256, MAX_CHUNKS - 1];
    let places = counters.into_iter().flat_map(|counter| [(counter, false), (counter, true)]);
    let nonces: std::collections::BTreeSet<_> =
        places.map(|(counter, last)| Place::new(counter, last).unwrap().0).collect();
    assert_eq!(nonces.len(), 2 * counters.len());
    assert!(Place::new(MAX_CHUNKS, false).is_none(), "the counter never goes round");
    assert!(Place::new(u64::MAX, true).is_none());
}

fn damage(bytes: &mut [u8], at: usize) {
    let len = bytes.len();
    if let Some(byte) = bytes.get_mut(at % len.max(1)) {
        *byte ^= 1 << (at % 8);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What ships (with `aws-lc` or without) and the portable making agree on every byte, in both directions and in
    /// both ways of holding the text; and on what they refuse, of which nothing is left in the caller's memory.
    #[test]
    fn both_makings_are_one_cipher(
        key in any::<[u8; 32]>(),
        counter in 0..MAX_CHUNKS,
        last in any::<bool>(),
        text in prop::collection::vec(any::<u8>(), 0..3000),
        at in any::<usize>(),
    ) {
        let place = Place::new(counter, last).unwrap();
        let (shipped, portable) = (ChunkCipher::new(&BodyKey(Zeroizing::new(key))), Portable::new(&key));
        let (mut one, mut other, mut third) = (text.clone(), text.clone(), vec![0; text.len()]);
        let tag = shipped.seal(place, &mut one).unwrap();
        prop_assert_eq!(Some(tag), portable.seal(place.0, &[], &mut other));
        prop_assert_eq!(Some(tag), shipped.seal_to(place, &text, &mut third));
        prop_assert!(one == other && one == third);
        prop_assert_eq!(Some(tag), portable.seal_to(place.0, &text, &mut third));
        prop_assert!(one == third);

        prop_assert!(portable.open(place.0, &[], &mut third, &tag) && third == text);
        prop_assert!(shipped.open(place, &mut other, &tag) && other == text);

        let (mut forged, mut false_tag) = (one.clone(), tag);
        if at % 2 == 0 && !forged.is_empty() { damage(&mut forged, at) } else { damage(&mut false_tag, at) }
        prop_assert!(!portable.open(place.0, &[], &mut forged.clone(), &false_tag));
        prop_assert!(!shipped.open(place, &mut forged, &false_tag));
        prop_assert!(forged.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn another_length_than_the_texts_is_refused() {
    let cipher = ChunkCipher::new(&BodyKey(Zeroizing::new([7; 32])));
    let place = Place::new(0, true).unwrap();
    for room in [0, 3, 5] {
        assert!(cipher.seal_to(place, b"text", &mut vec![1; room]).is_none());
    }
}
