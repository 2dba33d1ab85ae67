//! B1, B3, B5, B7 and collusion: combinations of points, worked out by hand.

use super::*;

/// The tools are right: an honest combination does open. Without this, every failure below would prove nothing.
#[test]
fn the_adversary_can_open_what_he_may() {
    let (authority, mut fresh) = (authority(""), seeds());
    let (ciphertext, secret) = sealed(&authority, "a = x and b = x", fresh());
    let loot = Loot::of(&key(&authority, "a = x, b = x", fresh()));
    let rows = points(&ciphertext).ct3;
    let held = plus(&loot.point("a = x"), &loot.point("b = x"));
    let blinds = plus(&rows[0], &rows[1]);
    assert!(secret_from(&ciphertext, (&loot.sk1, &loot.sk3), &[held], &blinds).is_same(&secret));
}

/// B1: where H(x) = g^{h(x)} with a known h, `sk2[guest]^{h(admin)/h(guest)}` is `sk2[admin]` (rabe 0.4.2).
#[test]
fn no_exponent_leads_from_one_attribute_to_another() {
    use sha2::{Digest, Sha256};
    let (authority, mut fresh) = (authority(""), seeds());
    let (ciphertext, secret) = sealed(&authority, "role = admin and job = doctor", fresh());
    let loot = Loot::of(&key(&authority, "role = guest", fresh()));
    let guest = &loot.sk2[0];
    let scope = scope(&authority);
    let label = |text: &str| {
        let attributes = Attributes::parse(text, authority.parameters().schema()).unwrap();
        attributes
            .labels(authority.parameters().schema(), &scope, crate::label::Namespace::Attribute)
            .unwrap()
            .remove(0)
    };
    // Every way in which bytes could have become that exponent: big-endian words of a digest of label or text.
    let number = |bytes: &[u8]| -> Weight {
        let word = |part: &[u8]| Weight::from_u64(u64::from_be_bytes(part.try_into().unwrap()));
        let shift = Weight::from_u64(1 << 32).mul(Weight::from_u64(1 << 32));
        let zero = Weight::from_u64(0);
        // sum * 2^64 + word, with minus (0 - word) for plus.
        bytes.chunks(8).fold(zero, |sum, part| sum.mul(shift).sub(zero.sub(word(part))))
    };
    let digest = |bytes: &[u8]| number(&Sha256::digest(bytes));
    let ways: [&dyn Fn(&str) -> Weight; 2] = [&|text| digest(label(text).as_bytes()), &|text| digest(text.as_bytes())];
    for exponent in ways {
        let from_guest = |target: &str| {
            let ratio = exponent(target).mul(exponent("role = guest").invert().unwrap());
            Group::g1_msm_public(&[&guest.1], &[ratio])
        };
        let held = plus(&from_guest("role = admin"), &from_guest("job = doctor"));
        let rows = points(&ciphertext).ct3;
        let forged = secret_from(&ciphertext, (&loot.sk1, &loot.sk3), &[held], &plus(&rows[0], &rows[1]));
        assert!(!forged.is_same(&secret));
    }
}

/// B3: with one s' for both rows of A, `ct3[A] - ct3[A'] = B^{lambda_A - lambda_A'}`, and a key {B, C} opens
/// `A and (B or (A and C))` by s = (lambda_A - lambda_A') + 2 lambda_B - lambda_C.
#[test]
fn a_repeated_attribute_does_not_cancel_out() {
    let (authority, mut fresh) = (authority(""), seeds());
    let (ciphertext, secret) = sealed(&authority, "a = x and (b = x or (a = x and c = x))", fresh());
    let rows = points(&ciphertext);
    assert_eq!((rows.ct3.len(), rows.ct2.len()), (4, 2), "the second `a` has randomness of its own");
    let loot = Loot::of(&key(&authority, "b = x, c = x", fresh()));
    let (b, c) = (loot.point("b = x"), loot.point("c = x"));
    // All small combinations of the rows a, b, a', c, and with them the one that opens what has one s' for both.
    for weights in combinations(4, -2..=2) {
        let blinds = rows.ct3.iter().zip(&weights).map(|(row, times_)| times(row, *times_)).collect::<Vec<_>>();
        let blinds = blinds.iter().skip(1).fold(blinds[0].clone(), |sum, row| plus(&sum, row));
        let held = plus(&times(&b, weights[1]), &times(&c, weights[3]));
        assert!(!secret_from(&ciphertext, (&loot.sk1, &loot.sk3), &[held], &blinds).is_same(&secret), "{weights:?}");
    }
}

/// The same attack on a ciphertext that was made with the mistake: it works there, so that its failure above means
/// something.
#[test]
fn a_repeated_attribute_with_one_exponent_falls() {
    use crate::scheme::cp::{self, Exponents};
    use crate::seed::{Draw, Draws};
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    let formula = Formula::parse("a = x and (b = x or (a = x and c = x))", public.schema()).unwrap();
    let gate = formula.gate(public.schema(), &scope(&authority), crate::label::Namespace::Attribute).unwrap();
    let span = crate::span::Span::new(&gate);
    let draws = Draws::new(b"test", b"one exponent for all");
    let mut index = 0..;
    let shares = span.share(|| draws.scalar(Draw::Share, index.next().unwrap()));
    let repeats = (0..2).map(|_| draws.scalar(Draw::Repeat, 0)).collect();
    let exponents = Exponents { secret: draws.scalar(Draw::Secret, 0), repeats, shares };
    let (broken, shared) = cp::encapsulate::<Group>(public.base(), span.rows(), public.attribute_hash(), &exponents);
    let loot = Loot::of(&key(&authority, "b = x, c = x", fresh()));
    // s = (lambda_a - lambda_a') + 2 lambda_b - lambda_c.
    let weights = [1, 2, -1, -1];
    let order: Vec<String> = span.rows().iter().map(|row| row.label.describe()).collect();
    assert_eq!(order, ["a = x", "b = x", "a = x", "c = x"]);
    let blinds = broken.ct3.iter().zip(weights).map(|(row, by)| times(row, by)).reduce(|sum, row| plus(&sum, &row));
    let held = plus(&times(&loot.point("b = x"), 2), &times(&loot.point("c = x"), -1));
    let blinds = Group::g1_neg(&blinds.unwrap());
    let pairs = [(&loot.sk3, &broken.ct1), (&held, &broken.ct2[0]), (&blinds, &loot.sk1)];
    assert_eq!(Group::gt_to_bytes(&Group::multi_pairing(&pairs)), Group::gt_to_bytes(&shared));
}

/// B5: if B were the hash of some attribute x, `sk3 - sk2[x] = g1^alpha`, the master key. Tried on every label of a
/// key for attributes called like B, and on B's own input under the attributes' tag.
#[test]
fn no_attribute_is_the_blinding_point() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = *authority.parameters().pairing();
    let loot = Loot::of(&key(&authority, "B = B, blind = B, b = \"\u{42}\"", fresh()));
    for (label, point) in &loot.sk2 {
        let master = plus(&loot.sk3, &Group::g1_neg(point));
        let found = Group::multi_pairing(&[(&master, &Group::g2_generator())]);
        assert_ne!(Group::gt_to_bytes(&found), public, "{}", label.describe());
    }
    for scheme in [Scheme::CiphertextPolicy, Scheme::KeyPolicy] {
        let blind = Group::g1_to_bytes(&[&Group::hash_g1(scheme.blind_tag(), b"B")]);
        assert_ne!(Group::g1_to_bytes(&[&Group::hash_g1(scheme.attribute_tag(), b"B")]), blind);
    }
}

/// B7: one leaf of an AND, in every small combination of every row, opens nothing.
#[test]
fn part_of_an_and_opens_nothing_however_it_is_combined() {
    let (authority, mut fresh) = (authority(""), seeds());
    let (ciphertext, secret) = sealed(&authority, "a = x and b = x and c = x", fresh());
    let rows = points(&ciphertext).ct3;
    let loot = Loot::of(&key(&authority, "a = x, b = x", fresh()));
    for weights in combinations(3, -1..=2) {
        let blinds = rows.iter().zip(&weights).map(|(row, by)| times(row, *by)).collect::<Vec<_>>();
        let blinds = plus(&plus(&blinds[0], &blinds[1]), &blinds[2]);
        for stands_for_c in [0, weights[0], weights[1], 1, 2] {
            let held = plus(
                &times(&loot.point("a = x"), weights[0] + stands_for_c),
                &times(&loot.point("b = x"), weights[1] + stands_for_c),
            );
            let forged = secret_from(&ciphertext, (&loot.sk1, &loot.sk3), &[held], &blinds);
            assert!(!forged.is_same(&secret), "{weights:?}, c as {stands_for_c}");
        }
    }
}

/// C: two keys that satisfy only together, mixed in every component and in sums of components.
#[test]
fn two_keys_do_not_add_up() {
    let (authority, mut fresh) = (authority(""), seeds());
    let (ciphertext, secret) = sealed(&authority, "a = x and b = x", fresh());
    let (first, second) = (key(&authority, "a = x", fresh()), key(&authority, "b = x", fresh()));
    let (first, second) = (Loot::of(&first), Loot::of(&second));
    let rows = points(&ciphertext).ct3;
    let blinds = plus(&rows[0], &rows[1]);
    let (a, b) = (first.point("a = x"), second.point("b = x"));
    let sk1 = [first.sk1.clone(), second.sk1.clone(), Group::g2_add(&first.sk1, &second.sk1)];
    let difference = plus(&first.sk3, &Group::g1_neg(&second.sk3));
    let sk3 = [
        first.sk3.clone(),
        second.sk3.clone(),
        plus(&first.sk3, &second.sk3),
        plus(&first.sk3, &difference),
        plus(&second.sk3, &Group::g1_neg(&difference)),
    ];
    for (sk1, sk3) in sk1.iter().flat_map(|sk1| sk3.iter().map(move |sk3| (sk1, sk3))) {
        for weights in combinations(2, -2..=2) {
            let held = plus(&times(&a, weights[0]), &times(&b, weights[1]));
            assert!(!secret_from(&ciphertext, (sk1, sk3), &[held], &blinds).is_same(&secret), "{weights:?}");
        }
    }
}

/// A delegated key and its parent share no exponent: their difference is no key, and the child's part is not the
/// parent's point.
#[test]
fn a_delegated_key_shares_nothing_with_its_parent() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    let parent = key(&authority, "a = x, b = x", fresh());
    let narrowing = Narrowing { without: vec!["b".into()], ..Narrowing::default() };
    let child = parent.delegate(public, &narrowing, fresh()).unwrap();
    let (parent, child) = (Loot::of(&parent), Loot::of(&child));
    let bytes = |point: &G1| Group::g1_to_bytes(&[point]);
    assert_ne!(bytes(&parent.point("a = x")), bytes(&child.point("a = x")));
    // The child with the parent's b: exponents differ, so that nothing opens.
    let (ciphertext, secret) = sealed(&authority, "a = x and b = x", fresh());
    let rows = points(&ciphertext).ct3;
    let held = plus(&child.point("a = x"), &parent.point("b = x"));
    let forged = secret_from(&ciphertext, (&child.sk1, &child.sk3), &[held], &plus(&rows[0], &rows[1]));
    assert!(!forged.is_same(&secret));
}

/// Every vector of `len` numbers of the range.
fn combinations(len: usize, range: std::ops::RangeInclusive<i64>) -> Vec<Vec<i64>> {
    (0..len).fold(vec![Vec::new()], |all, _| {
        all.iter().flat_map(|head| range.clone().map(move |next| [head.as_slice(), &[next]].concat())).collect()
    })
}
