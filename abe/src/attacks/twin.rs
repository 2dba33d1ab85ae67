//! The key-policy twin: opens by formula, and nothing of one scheme fits the other.

use super::*;
use crate::key_policy;

type KeyAuthority = key_policy::Authority<Group>;

fn twin() -> KeyAuthority {
    let schema = Schema::parse("year: number(12)\nkinds: text set").unwrap();
    KeyAuthority::generate(AuthorityId([3; 16]), schema, Seed::new([9; 32]))
}

fn formula_key(authority: &KeyAuthority, text: &str, seed: Seed) -> key_policy::UserKey<Group> {
    authority.issue(&Formula::parse(text, authority.parameters().schema()).unwrap(), seed).unwrap()
}

fn record(authority: &KeyAuthority, labels: &str, seed: Seed) -> (Ciphertext, Secret) {
    let labels = Attributes::parse(labels, authority.parameters().schema()).unwrap();
    key_policy::seal(authority.parameters(), &labels, b"context", seed).unwrap()
}

#[test]
fn a_formula_key_opens_what_its_labels_satisfy() {
    let (authority, mut fresh) = (twin(), seeds());
    let public = authority.parameters();
    for (formula, labels, expected) in [
        ("kinds = visit and year >= 2020", "kinds = [visit, lab], year = 2024", true),
        ("kinds = visit and year >= 2020", "kinds = [lab], year = 2024", false),
        ("kinds = visit and year >= 2020", "kinds = [visit], year = 2019", false),
        ("2 of (a = x, b = x, c = x)", "a = x, c = x", true),
        ("2 of (a = x, b = x, c = x)", "a = x, d = x", false),
        ("a = x and (b = x or (a = x and c = x))", "a = x, c = x", true),
        ("a = x and (b = x or (a = x and c = x))", "b = x, c = x", false),
    ] {
        let key = formula_key(&authority, formula, fresh());
        let key = key_policy::UserKey::from_bytes(&key.to_bytes(), public).unwrap();
        let (ciphertext, secret) = record(&authority, labels, fresh());
        match key_policy::open(public, &key, &ciphertext, b"context") {
            Ok(opened) => assert!(expected && opened.is_same(&secret), "{formula} on {labels}"),
            Err(refused) => {
                assert!(
                    matches!(refused, OpenError::NotSatisfied { .. }) && !expected,
                    "{formula} on {labels}: {refused}"
                );
            }
        }
    }
}

#[test]
fn every_flipped_byte_is_refused() {
    let (authority, mut fresh) = (twin(), seeds());
    let public = authority.parameters();
    let key = formula_key(&authority, "a = x or b = x", fresh());
    let (ciphertext, _) = record(&authority, "a = x, c = x", fresh());
    for at in 0..ciphertext.to_bytes().len() {
        let mut bytes = ciphertext.to_bytes().to_vec();
        bytes[at] ^= 1;
        let opened = Ciphertext::from_bytes(&bytes)
            .map_err(OpenError::from)
            .and_then(|read| key_policy::open(public, &key, &read, b"context"));
        assert!(opened.is_err(), "byte {at}");
    }
    assert_eq!(key_policy::open(public, &key, &ciphertext, b"Context").unwrap_err(), OpenError::NotOpened);
    let bytes = key.to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let read = key_policy::UserKey::from_bytes(&changed, public);
        let opened = read.map(|key| key_policy::open(public, &key, &ciphertext, b"context"));
        // A changed name in the formula is another formula, whose points open nothing.
        assert!(!matches!(opened, Ok(Ok(_))) || opens_by_b(at), "byte {at}");
    }
}

/// Whether the place lies in the name or value of `b = x`, which this ciphertext does not use.
fn opens_by_b(at: usize) -> bool {
    let text = 7 + 2 + 32 + 4;
    (text + "a = x or ".len()..text + "a = x or b = x".len()).contains(&at)
}

/// Same id, same seed, same names: nothing of the one scheme is anything in the other.
#[test]
fn the_two_schemes_never_meet() {
    let mut fresh = seeds();
    let (keys, ciphertexts) = (twin(), authority("year: number(12)\nkinds: text set"));
    assert_ne!(keys.parameters().pairing(), ciphertexts.parameters().pairing(), "an alpha of its own");
    assert_ne!(keys.parameters().signing_key(), ciphertexts.parameters().signing_key());
    let holder = key(&ciphertexts, "a = x", fresh());
    let auditor = formula_key(&keys, "a = x", fresh());
    let (of_policy, _) = sealed(&ciphertexts, "a = x", fresh());
    let (of_labels, _) = record(&keys, "a = x", fresh());
    let foreign = OpenError::Decode(DecodeError::OtherParameters { part: "ciphertext" });
    assert_eq!(open(ciphertexts.parameters(), &holder, &of_labels, b"context").unwrap_err(), foreign);
    assert_eq!(key_policy::open(keys.parameters(), &auditor, &of_policy, b"context").unwrap_err(), foreign);
    let other = DecodeError::OtherParameters { part: "key" };
    assert_eq!(UserKey::from_bytes(&auditor.to_bytes(), ciphertexts.parameters()).unwrap_err(), other);
    assert_eq!(key_policy::UserKey::from_bytes(&holder.to_bytes(), keys.parameters()).unwrap_err(), other);
    assert!(Authority::from_bytes(&keys.to_bytes()).is_err());
    assert!(KeyAuthority::from_bytes(&ciphertexts.to_bytes()).is_err());
    let labels = Attributes::parse("a = x", keys.parameters().schema()).unwrap();
    let refused = key_policy::seal(ciphertexts.parameters(), &labels, b"", fresh()).unwrap_err();
    assert_eq!(refused, SealError::OtherParameters);
}

/// A record relabelled after it was sealed: labels added, dropped and renamed, with the points it has.
#[test]
fn a_record_cannot_be_relabelled() {
    let (authority, mut fresh) = (twin(), seeds());
    let public = authority.parameters();
    let (ciphertext, _) = record(&authority, "a = x, b = x", fresh());
    let key = formula_key(&authority, "a = x or a = y or c = x or b = x", fresh());
    assert!(key_policy::open(public, &key, &ciphertext, b"context").is_ok());
    let points = ciphertext.points().clone();
    for (labels, rows) in [
        ("a = y, b = x", vec![0, 1]),
        ("a = x, c = x", vec![0, 1]),
        ("a = x", vec![0]),
        ("b = x", vec![1]),
        ("a = x, b = x, c = x", vec![0, 1, 1]),
    ] {
        let mut points = points.clone();
        points.in_g1 = rows.iter().map(|row| ciphertext.points().in_g1[*row]).collect();
        let relabelled = Ciphertext::new(Scheme::KeyPolicy, *ciphertext.scope(), labels.into(), points);
        assert_eq!(
            key_policy::open(public, &key, &relabelled, b"context").unwrap_err(),
            OpenError::NotOpened,
            "{labels}"
        );
    }
}

/// A record of more labels than a ciphertext may hold is refused by its count, before it is sealed again.
#[test]
fn a_record_of_too_many_labels_is_refused_by_its_structure() {
    let (authority, mut fresh) = (twin(), seeds());
    let (honest, _) = record(&authority, "a = x", fresh());
    let key = formula_key(&authority, "a = x", fresh());
    let labels = (0..200).map(|at| format!("n{at} = {at}")).collect::<Vec<_>>().join(", ");
    let canonical =
        Attributes::parse(&format!("a = x, {labels}"), authority.parameters().schema()).unwrap().to_string();
    let mut points = honest.points().clone();
    points.in_g1 = vec![points.in_g1[0]; MAX_LABELS];
    let made = Ciphertext::new(Scheme::KeyPolicy, *honest.scope(), canonical.into_bytes(), points.clone());
    let refused = key_policy::open(authority.parameters(), &key, &made, b"context").unwrap_err();
    assert!(matches!(refused, OpenError::Decode(DecodeError::TooLong { part: "labels", .. })), "{refused}");
    points.in_g1.push(points.in_g1[0]);
    let longer = Ciphertext::new(Scheme::KeyPolicy, *honest.scope(), b"a = x".to_vec(), points);
    let refused = Ciphertext::from_bytes(longer.to_bytes()).unwrap_err();
    assert_eq!(refused, DecodeError::TooLong { part: "points", len: MAX_LABELS + 1, max: MAX_LABELS });
}

/// Two formula keys that satisfy only together: rows of the one with the randomness of the other.
#[test]
fn two_formula_keys_do_not_add_up() {
    let (authority, mut fresh) = (twin(), seeds());
    let (ciphertext, secret) = record(&authority, "a = x, b = x", fresh());
    let (first, second) =
        (formula_key(&authority, "a = x and q = x", fresh()), formula_key(&authority, "b = x and r = x", fresh()));
    let found = points(&ciphertext);
    let (first, second) = (first.points(), second.points());
    for rows in [[&first.sk2[0], &second.sk2[0]], [&first.sk2[0], &second.sk2[1]], [&first.sk2[1], &second.sk2[0]]] {
        let sum = plus(rows[0], rows[1]);
        let (a, b) = (Group::g1_neg(&found.ct3[0]), Group::g1_neg(&found.ct3[1]));
        let shared = Group::multi_pairing(&[(&sum, &found.ct1), (&a, &first.sk1[0]), (&b, &second.sk1[0])]);
        let message = cca::mask::<Group>(&shared, &ciphertext.points().ct1, &ciphertext.points().masked);
        assert!(!cca::data_key(&message, ciphertext.to_bytes()).is_same(&secret));
    }
}
