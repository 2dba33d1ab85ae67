//! Shares, as the custodians who are one too few, who mix escrows, or who change a byte.
//!
//! Broke elsewhere: coefficients that were odd only or never zero, so that each share told something about the secret;
//! the same custodian counted twice; a share that was damaged and gave another key without a word.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::tests::fixture::FixedEntropy;

fn terms(threshold: u8) -> Terms {
    Terms { key: KeyId::parse("clinic/records").unwrap(), version: KeyVersion::new(3).unwrap(), threshold }
}

fn packages(threshold: u8, shares: u8, secret: &[u8]) -> Vec<Vec<u8>> {
    let made = split(&terms(threshold), shares, secret, &FixedEntropy::counting()).unwrap();
    made.into_iter().map(|package| package.bytes.to_vec()).collect()
}

/// A field multiplication that has nothing in common with ours: powers of the generator 3, looked up.
fn by_tables(a: u8, b: u8) -> u8 {
    let (mut powers, mut value) = (vec![], 1_u16);
    for _ in 0..255 {
        powers.push(value as u8);
        value = value << 1 ^ value;
        if value > 255 {
            value ^= 0x11B;
        }
    }
    let log = |of: u8| powers.iter().position(|power| *power == of);
    match (log(a), log(b)) {
        (Some(a), Some(b)) => powers[(a + b) % 255],
        _ => 0,
    }
}

#[test]
fn the_field_is_that_of_fips_197() {
    // Section 4.2 and its examples, then every product and every inverse.
    assert_eq!((multiply(0x57, 0x83), multiply(0x57, 0x13)), (0xC1, 0xFE));
    for a in 0..=255_u8 {
        for b in (0..=255_u8).step_by(if a < 8 { 1 } else { 37 }) {
            assert_eq!(multiply(a, b), by_tables(a, b), "{a} * {b}");
        }
        assert_eq!(multiply(a, inverse(a)), u8::from(a != 0), "1 / {a}");
    }
}

/// Shares of Shamir's scheme made by hand: f(x) = 0x42 + 0x13 x + 0xE7 x^2.
#[test]
fn shares_are_points_of_the_polynomial() {
    let coefficients = [[0x13; KEY], [0xE7; KEY]].map(Zeroizing::new);
    for x in 1..=16_u8 {
        let expected = 0x42 ^ by_tables(0x13, x) ^ by_tables(0xE7, by_tables(x, x));
        assert_eq!(*evaluate(&[0x42; KEY], &coefficients, x), [expected; KEY], "share {x}");
    }
    assert_eq!(*evaluate(&[0x42; KEY], &coefficients, 0), [0x42; KEY], "the secret is at zero");
}

#[test]
fn every_set_of_enough_shares_opens_and_no_smaller_one_does() {
    let secret = b"the master key of an authority";
    let made = packages(3, 5, secret);
    for chosen in 0..1_u32 << 5 {
        let some: Vec<&Vec<u8>> =
            made.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, p)| p).collect();
        match combine(&some) {
            Ok(recovered) => {
                assert!(some.len() >= 3, "{chosen:b}");
                assert_eq!(recovered.authority.expose(), secret);
                assert_eq!((recovered.key.as_str(), recovered.version.get()), ("clinic/records", 3));
            }
            Err(error) => {
                let threshold = if some.is_empty() { 2 } else { 3 };
                assert_eq!(error, EscrowError::TooFew { given: some.len(), threshold }, "{chosen:b}");
            }
        }
    }
}

/// Custodians who are one too few, and who interpolate themselves without asking our check.
#[test]
fn one_share_too_few_says_nothing_about_the_key() {
    let made = split(&terms(3), 5, b"x", &FixedEntropy::counting()).unwrap();
    let read: Vec<Read<'_>> = made.iter().map(|package| parse(&package.bytes).unwrap()).collect();
    let all: BTreeMap<u8, &[u8; KEY]> = read.iter().map(|read| (read.number, read.share)).collect();
    let key = interpolate(&all);
    for (one, other) in [(1, 2), (1, 5), (3, 4)] {
        let two: BTreeMap<u8, &[u8; KEY]> = [(one, all[&one]), (other, all[&other])].into();
        let guess = interpolate(&two);
        assert_ne!(*guess, *key);
        // Any key at all is consistent with the two: a third point can be chosen to give it.
        for wanted in [0, 1, 0x5A, 0xFF] {
            let third = 6;
            let points = [(one, all[&one][0]), (other, all[&other][0])];
            let fits = (0..=255_u8).filter(|value| {
                let shares: Vec<(u8, [u8; KEY])> =
                    points.iter().copied().chain([(third, *value)]).map(|(x, y)| (x, [y; KEY])).collect();
                interpolate(&shares.iter().map(|(x, y)| (*x, y)).collect())[0] == wanted
            });
            assert_eq!(fits.count(), 1, "exactly one third share makes the first byte {wanted}");
        }
    }
}

/// Over many escrows of one secret a share's bytes take every value, and about equally often.
#[test]
fn shares_are_uniform_whatever_the_secret() {
    let entropy = FixedEntropy::counting();
    let mut counts = [0_u32; 256];
    for _ in 0..512 {
        let coefficients = coefficients(2, &entropy).unwrap();
        for byte in evaluate(&[7; KEY], &coefficients, 1).iter() {
            counts[usize::from(*byte)] += 1;
        }
    }
    // 16 384 bytes over 256 values: 64 each. Odd or non-zero coefficients would leave some of them out.
    assert!(counts.iter().all(|count| (24..=120).contains(count)), "{counts:?}");
}

#[test]
fn shares_of_two_escrows_are_not_mixed() {
    let entropy = FixedEntropy::counting();
    let make = |threshold, secret: &[u8]| -> Vec<Vec<u8>> {
        split(&terms(threshold), 3, secret, &entropy).unwrap().into_iter().map(|made| made.bytes.to_vec()).collect()
    };
    let (one, two) = (make(2, b"same"), make(2, b"same"));
    assert_eq!(combine(&[&one[0], &two[1]]).unwrap_err(), EscrowError::OtherSet { at: 2 });
    assert_eq!(combine(&[&one[0], &one[1], &two[2]]).unwrap_err(), EscrowError::OtherSet { at: 3 });
    assert_eq!(combine(&[&one[0], &one[0]]).unwrap_err(), EscrowError::Twice { number: 1 });
    assert_eq!(combine(&[&one[2], &one[1], &one[2]]).unwrap_err(), EscrowError::Twice { number: 3 });
    assert_eq!(combine::<Vec<u8>>(&[]).unwrap_err(), EscrowError::TooFew { given: 0, threshold: 2 });
}

#[test]
fn every_flipped_byte_is_refused() {
    let made = packages(2, 2, b"secret");
    for at in 0..made[0].len() {
        let mut flipped = made[0].clone();
        flipped[at] ^= 1;
        assert!(combine(&[&flipped, &made[1]]).is_err(), "byte {at}");
        assert!(combine(&[&made[1], &flipped]).is_err(), "byte {at}");
        // The same change in both: one set by all appearances, and still not what was sealed.
        let mut other = made[1].clone();
        other[at] ^= 1;
        assert!(combine(&[&flipped, &other]).is_err(), "byte {at} of both");
    }
    for cut in 0..made[0].len() {
        assert_eq!(combine(&[&made[0][..cut], &made[1]]).unwrap_err(), EscrowError::Malformed { at: 1 }, "{cut} bytes");
    }
    let longer = [made[0].as_slice(), &[0]].concat();
    assert_eq!(combine(&[&made[1], &longer]).unwrap_err(), EscrowError::Malformed { at: 2 });
}

/// Whoever has a threshold of shares lowers it for the others: the seal says what it was.
#[test]
fn a_threshold_cannot_be_talked_down() {
    let made = packages(3, 3, b"secret");
    let place = MAGIC.len() + 1 + SET;
    let lower = |package: &Vec<u8>| {
        let mut lower = package.clone();
        assert_eq!(std::mem::replace(&mut lower[place], 2), 3);
        lower
    };
    let two = [lower(&made[0]), lower(&made[1])];
    assert_eq!(combine(&two).unwrap_err(), EscrowError::Refused);
    let three = [lower(&made[0]), lower(&made[1]), lower(&made[2])];
    assert_eq!(combine(&three).unwrap_err(), EscrowError::Refused);
}

#[test]
fn a_dead_generator_splits_nothing() {
    for drawn in [0, 32, 48, 72, 103] {
        let made = split(&terms(2), 2, b"x", &FixedEntropy::of(&vec![1; drawn]));
        assert_eq!(made.map(|_| ()).err(), Some(KmsError::NoEntropy), "{drawn} bytes");
    }
    assert!(split(&terms(2), 2, b"x", &FixedEntropy::of(&[1; 104])).is_ok());
}

#[test]
fn words_say_what_to_do() {
    let said = [
        (
            EscrowError::Malformed { at: 2 },
            "package 2 is not one of an escrow, or not a whole one: pass it as its custodian got it",
        ),
        (
            EscrowError::OtherSet { at: 3 },
            "package 3 belongs to another escrow than the first: collect packages of one escrow",
        ),
        (EscrowError::Twice { number: 4 }, "share 4 stands twice: every custodian has a share of their own"),
        (EscrowError::TooFew { given: 1, threshold: 3 }, "1 shares are not enough: this escrow opens with 3"),
        (EscrowError::Refused, "the shares do not open the authority: one of them is damaged or made up"),
    ];
    for (error, words) in said {
        assert_eq!(error.to_string(), words);
    }
}

/// Golden bytes of format 1: what custodians keep for years must be read by every later version.
#[test]
fn the_package_of_format_1() {
    let made = packages(2, 3, b"golden authority");
    let hex: String = made[0].iter().map(|byte| format!("{byte:02x}")).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/escrow-1.hex");
    if std::env::var_os("WARDKEEP_WRITE_GOLDEN").is_some() {
        std::fs::write(path, format!("{hex}\n")).unwrap();
    }
    assert_eq!(hex, std::fs::read_to_string(path).unwrap().trim());
    let head = b"WKESCROW\x01";
    assert_eq!(&made[0][..head.len()], head);
    let different: BTreeSet<&[u8]> = made.iter().map(Vec::as_slice).collect();
    assert_eq!(different.len(), 3);
}

proptest! {
    #[test]
    fn any_secret_comes_back(secret in proptest::collection::vec(any::<u8>(), 0..300), threshold in 2_u8..=16, more in 0_u8..=14) {
        let shares = (threshold + more).min(MAX_SHARES);
        let made = packages(threshold, shares, &secret);
        let some = &made[made.len() - usize::from(threshold)..];
        let recovered = combine(some).unwrap();
        prop_assert_eq!(recovered.authority.expose(), secret.as_slice());
        prop_assert!(combine(&some[1..]).is_err());
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), whole in any::<bool>()) {
        let bytes = if whole { [MAGIC.as_slice(), &[FORMAT], &bytes].concat() } else { bytes };
        prop_assert!(combine(&[&bytes, &bytes]).is_err());
    }
}
