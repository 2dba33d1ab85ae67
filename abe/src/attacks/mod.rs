//! The attackers: each test computes what an adversary would. Where [`open`] refuses by public data, which is our own
//! planner's word, [`forge::opens`] tries the algebra all the same.
//!
//! The letters are those of the breaks that were carried out on public code (docs/abe.md, *Breaks*).

mod algebra;
#[cfg(feature = "blst")]
mod backends;
mod bytes;
mod forge;
mod limits;
mod meaning;
#[cfg(feature = "blst")]
mod memory;
mod twin;

use crate::backend::{Backend, PublicScalar, Trust};
use crate::cca;
use crate::label::{Label, Scope};
use crate::*;

pub(super) type Group = Product;
pub(super) type G1 = <Group as Backend>::G1;
pub(super) type G2 = <Group as Backend>::G2;
type Weight = <Group as Backend>::Public;

/// Fresh randomness, a different one at each call of a test.
pub(super) fn seeds() -> impl FnMut() -> Seed {
    let mut count = 0u64;
    move || {
        count += 1;
        let mut bytes = [0x5a; 32];
        bytes[..8].copy_from_slice(&count.to_be_bytes());
        Seed::new(bytes)
    }
}

pub(super) fn authority(schema: &str) -> Authority {
    let schema = Schema::parse(schema).unwrap();
    Authority::generate(AuthorityId([3; 16]), schema, Terms::default(), Seed::new([9; 32]))
}

pub(super) fn key(authority: &Authority, attributes: &str, seed: Seed) -> UserKey {
    let attributes = Attributes::parse(attributes, authority.parameters().schema()).unwrap();
    authority.issue(&Grant { attributes: &attributes, valid_until: None, serial: None }, seed).unwrap()
}

pub(super) fn sealed(authority: &Authority, policy: &str, seed: Seed) -> (Ciphertext, Secret) {
    let policy = AccessPolicy::parse(policy, authority.parameters()).unwrap();
    seal(authority.parameters(), &policy, b"context", seed).unwrap()
}

/// A key's points as the adversary holds them: nothing of ours decides what is done with them.
pub(super) struct Loot {
    pub(super) sk1: G2,
    pub(super) sk3: G1,
    pub(super) sk2: Vec<(Label, G1)>,
}

impl Loot {
    pub(super) fn of(key: &UserKey) -> Self {
        let points = key.points();
        let sk2 = key.labels().iter().cloned().zip(points.sk2.iter().cloned()).collect();
        Self { sk1: points.sk1.clone(), sk3: points.sk3.clone(), sk2 }
    }

    /// The point of an attribute's equality label.
    pub(super) fn point(&self, text: &str) -> G1 {
        let found = self.sk2.iter().find(|(label, _)| label.describe() == text);
        found.unwrap_or_else(|| panic!("no `{text}` among the loot")).1.clone()
    }
}

/// A small whole number as an exponent.
pub(super) fn weight(number: i64) -> Weight {
    let magnitude = Weight::from_u64(number.unsigned_abs());
    if number < 0 { Weight::from_u64(0).sub(magnitude) } else { magnitude }
}

pub(super) fn times(point: &G1, number: i64) -> G1 {
    Group::g1_msm_public(&[point], &[weight(number)])
}

pub(super) fn plus(left: &G1, right: &G1) -> G1 {
    Group::g1_add(left, right)
}

/// The points of a ciphertext.
pub(super) struct Opened {
    pub(super) ct1: G2,
    pub(super) ct2: Vec<G2>,
    pub(super) ct3: Vec<G1>,
}

pub(super) fn points(ciphertext: &Ciphertext) -> Opened {
    let in_g2 = |bytes| Group::g2_from_bytes(bytes, Trust::Checked).unwrap();
    let in_g1 = |bytes| Group::g1_from_bytes(bytes, Trust::Checked).unwrap();
    let points = ciphertext.points();
    Opened {
        ct1: in_g2(&points.ct1),
        ct2: points.in_g2.iter().map(in_g2).collect(),
        ct3: points.in_g1.iter().map(in_g1).collect(),
    }
}

/// What the adversary's combination gives: `e(sk3, ct1) . prod_j e(held_j, ct2[j]) / e(blinds, sk1)`, unmasked and
/// turned into the data key. Compared with the real one by the test.
pub(super) fn secret_from(ciphertext: &Ciphertext, (sk1, sk3): (&G2, &G1), held: &[G1], blinds: &G1) -> Secret {
    let Opened { ct1, ct2, .. } = points(ciphertext);
    let blinds = Group::g1_neg(blinds);
    let mut pairs = vec![(sk3, &ct1), (&blinds, sk1)];
    pairs.extend(held.iter().zip(&ct2));
    let shared = Group::multi_pairing(&pairs);
    let message = cca::mask::<Group>(&shared, &ciphertext.points().ct1, &ciphertext.points().masked);
    cca::data_key(&message, ciphertext.to_bytes())
}

pub(super) fn scope(authority: &Authority) -> Scope {
    *authority.parameters().scope()
}
