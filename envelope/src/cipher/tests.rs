//! The cipher with associated data against Wycheproof, its two makings against each other, and keys that are used
//! once.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::vectors::{Expected, Tally, bytes, load};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    key_size: usize,
    iv_size: usize,
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

#[test]
fn aes_gcm_meets_its_vectors_with_associated_data() {
    let Some(file) = load::<Group>("aes_gcm_test.json") else { return };
    let mut tally = Tally::default();
    for group in &file.test_groups {
        for case in &group.tests {
            if (group.key_size, group.iv_size) != (256, 96) {
                tally.refuse("key is not 256 bits or nonce is not 96");
                continue;
            }
            let key: [u8; 32] = bytes(&case.key).try_into().unwrap();
            let nonce: [u8; 12] = bytes(&case.iv).try_into().unwrap();
            let (aad, tag): (_, [u8; TAG]) = (bytes(&case.aad), bytes(&case.tag).try_into().unwrap());
            let mut opened = bytes(&case.ct);
            let fits = Cipher::new(&key).open(nonce, &aad, &mut opened, &tag);
            assert_eq!(fits, case.result == Expected::Valid, "case {}", case.tc_id);
            assert!(!fits || opened == bytes(&case.msg), "case {}", case.tc_id);
            tally.pass();
        }
    }
    assert!(tally.report("aes_gcm, with associated data", file.number_of_tests) >= 40);
}

#[test]
fn a_wrapped_file_key_opens_under_its_key_alone_and_unchanged() {
    let key = |byte| OnceKey(Zeroizing::new([byte; 32]));
    let wrapped = key(1).wrap(&FileKey::from_bytes([9; 32])).unwrap();
    assert_eq!(key(1).unwrap(&wrapped).unwrap().expose(), &[9; 32]);
    assert!(key(2).unwrap(&wrapped).is_none());
    for bit in 0..WRAPPED * 8 {
        let mut wrong = wrapped;
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(key(1).unwrap(&wrong).is_none(), "bit {bit}");
    }
}

#[test]
fn nothing_is_left_of_a_text_that_does_not_open() {
    let key = |byte| OnceKey(Zeroizing::new([byte; 32]));
    let mut text = *b"potassium 4.1 mmol/l";
    let tag = key(1).seal(b"visit 7", &mut text).unwrap();
    let sealed = text;
    for (opener, aad) in [(key(2), b"visit 7".as_slice()), (key(1), b"visit 8"), (key(1), b"")] {
        let mut text = sealed;
        assert!(!opener.open(aad, &mut text, &tag));
        assert_eq!(text, [0; 20]);
    }
    let mut text = sealed;
    assert!(key(1).open(b"visit 7", &mut text, &tag));
    assert_eq!(&text, b"potassium 4.1 mmol/l");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_makings_agree_on_associated_data(
        key in any::<[u8; 32]>(),
        nonce in any::<[u8; 12]>(),
        aad in prop::collection::vec(any::<u8>(), 0..200),
        text in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (shipped, portable) = (Cipher::new(&key), Portable::new(&key));
        let (mut one, mut other) = (text.clone(), text.clone());
        let tag = shipped.seal(nonce, &aad, &mut one).unwrap();
        prop_assert_eq!(Some(tag), portable.seal(nonce, &aad, &mut other));
        prop_assert_eq!(&one, &other);
        prop_assert!(shipped.open(nonce, &aad, &mut other, &tag) && other == text);
        prop_assert!(portable.open(nonce, &aad, &mut one, &tag) && one == text);
        let longer = [aad.as_slice(), &[0]].concat();
        prop_assert!(!shipped.open(nonce, &longer, &mut one.clone(), &tag));
    }
}
