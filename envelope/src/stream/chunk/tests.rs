//! The chunk primitive against Wycheproof.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::*;
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
            assert_eq!(opened, if fits { bytes(&case.msg) } else { bytes(&case.ct) }, "case {}", case.tc_id);
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
