//! Recipients: keys of a caller's choosing, in every encoding but the one, and at every bound of size.
//!
//! Whoever ends the connection could put a key of its own in; and a key that is taken in two spellings has two fingerprints,
//! of which a policy pins one.

use proptest::prelude::*;

use crate::error::RecipientError;
use crate::recipient::{MAX_BITS, MAX_EXPONENT, MIN_BITS, MIN_EXPONENT, RecipientKey};

/// An odd number of so many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut number = vec![0xa5; bits.div_ceil(8)];
    let top = (bits - 1) % 8;
    number[0] = 1 << top | (number[0] & ((1 << top) - 1));
    *number.last_mut().unwrap() |= 1;
    number
}

fn exponent(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn read(bits: usize, e: u64) -> Result<usize, RecipientError> {
    RecipientKey::from_jwk(&modulus(bits), &exponent(e)).map(|key| key.bits())
}

#[test]
fn a_modulus_has_its_bounds() {
    for (bits, good) in [
        (1024, false),
        (2048, false),
        (MIN_BITS - 1, false),
        (MIN_BITS, true),
        (MIN_BITS + 8, true),
        (4096, true),
        (MAX_BITS, true),
        (MAX_BITS + 1, false),
        (MAX_BITS + 64, false),
    ] {
        match read(bits, MIN_EXPONENT) {
            Ok(told) => assert!(good && told == bits, "{bits}"),
            Err(error) => assert!(!good && error == RecipientError::ModulusSize { bits }, "{bits}: {error}"),
        }
    }
    assert!(matches!(RecipientKey::from_jwk(&modulus(MAX_BITS + 80), &[1, 0, 1]), Err(RecipientError::Encoding)));
    let mut even = modulus(MIN_BITS);
    *even.last_mut().unwrap() &= 0xfe;
    assert!(matches!(RecipientKey::from_jwk(&even, &[1, 0, 1]), Err(RecipientError::ModulusEven)));
    assert!(RecipientKey::from_jwk(&[], &[1, 0, 1]).is_err() && RecipientKey::from_jwk(&[0; 400], &[1, 0, 1]).is_err());
}

#[test]
fn an_exponent_has_its_bounds() {
    for (e, good) in [
        (0, false),
        (1, false),
        (3, false),
        (17, false),
        (65_535, false),
        (MIN_EXPONENT - 1, false),
        (MIN_EXPONENT, true),
        (MIN_EXPONENT + 1, false),
        (MIN_EXPONENT + 2, true),
        (MAX_EXPONENT - 1, false),
        (MAX_EXPONENT, true),
        (MAX_EXPONENT + 2, false),
        (u64::MAX, false),
    ] {
        let said = read(MIN_BITS, e);
        assert_eq!(said.is_ok(), good, "{e}: {said:?}");
        assert!(good || said == Err(RecipientError::Exponent), "{e}: {said:?}");
    }
    let long = [vec![1], vec![0; 8]].concat();
    assert!(matches!(RecipientKey::from_jwk(&modulus(MIN_BITS), &long), Err(RecipientError::Exponent)));
    assert!(matches!(RecipientKey::from_jwk(&modulus(MIN_BITS), &[1; 17]), Err(RecipientError::Encoding)));
    assert!(RecipientKey::from_jwk(&modulus(MIN_BITS), &[]).is_err());
}

#[test]
fn zeros_in_front_make_no_other_key() {
    let key = RecipientKey::from_jwk(&modulus(MIN_BITS), &[1, 0, 1]).unwrap();
    let padded = RecipientKey::from_jwk(&[vec![0; 3], modulus(MIN_BITS)].concat(), &[0, 0, 1, 0, 1]).unwrap();
    assert_eq!((key.fingerprint(), key.spki_der()), (padded.fingerprint(), padded.spki_der()));
    assert_eq!(RecipientKey::from_spki_der(key.spki_der()).unwrap().fingerprint(), key.fingerprint());
}

#[test]
fn no_changed_byte_of_the_encoding_gives_the_same_key() {
    let key = RecipientKey::from_jwk(&modulus(MIN_BITS), &[1, 0, 1]).unwrap();
    let der = key.spki_der().to_vec();
    for at in 0..der.len() {
        let mut forged = der.clone();
        forged[at] ^= 0x10;
        if let Ok(other) = RecipientKey::from_spki_der(&forged) {
            assert!(other.fingerprint() != key.fingerprint() && other.spki_der() == forged, "byte {at}");
        }
        assert!(RecipientKey::from_spki_der(&der[..at]).is_err(), "cut to {at}");
    }
    for more in [&[0][..], &[0x30, 0], &der] {
        assert!(RecipientKey::from_spki_der(&[&der, more].concat()).is_err(), "something behind it");
    }
    // Lengths in long form where the short one would do, and an indefinite one.
    let body = &der[4..];
    assert_eq!((der[0], der[1]), (0x30, 0x82));
    for length in [vec![0x30, 0x83, 0, der[2], der[3]], vec![0x30, 0x80]] {
        assert!(RecipientKey::from_spki_der(&[&length, body].concat()).is_err(), "{length:?}");
    }
}

#[test]
fn an_error_says_what_to_use_and_shows_no_key() {
    for (error, said) in [
        (read(2048, MIN_EXPONENT).unwrap_err(), "2048"),
        (read(MIN_BITS, 3).unwrap_err(), "65537"),
        (RecipientKey::from_spki_der(b"-----BEGIN").map(drop).unwrap_err(), "DER"),
    ] {
        let text = error.to_string();
        assert!(text.contains(said), "{said}: {text}");
        assert!(text.len() < 200 && !text.contains("a5a5"), "{text}");
    }
    let key = RecipientKey::from_jwk(&modulus(MIN_BITS), &[1, 0, 1]).unwrap();
    assert_eq!(format!("{key:?}"), format!("RecipientKey(3072 bits, {})", key.fingerprint()));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(key) = RecipientKey::from_spki_der(&bytes) {
            prop_assert_eq!(key.spki_der(), &bytes[..]);
        }
        let _ = RecipientKey::from_jwk(&bytes, &[1, 0, 1]);
    }
}
