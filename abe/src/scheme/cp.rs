//! FABEO CP-ABE, multi-use form, as a key encapsulation (Riepel and Wee, CCS 2022, figure 3 and section 5).
//!
//! The policy is a monotone span program with rows i, shares lambda_i and rho(i) = 1 + number of earlier rows
//! with the same attribute; tau is the largest rho. H hashes attributes to G1, B is one more point of G1.
//!
//! | step | what |
//! |---|---|
//! | [`setup`] | alpha random; public `e(g1,g2)^alpha`; master `A1 = g1^alpha`, alpha itself is dropped |
//! | [`key`] | r random; `sk1 = g2^r`, `sk2[x] = H(x)^r`, `sk3 = A1 . B^r` |
//! | [`encapsulate`] | s, s'_1..s'_tau random; `ct1 = g2^s`, `ct2[j] = g2^{s'_j}`, `ct3[i] = B^{lambda_i} . H(pi(i))^{s'_{rho(i)}}`, `K = (e(g1,g2)^alpha)^s` |
//! | [`decapsulate`] | `K = e(sk3, ct1) . prod_j e(prod_{rho(i)=j} sk2[pi(i)]^{gamma_i}, ct2[j]) / e(prod_i ct3[i]^{gamma_i}, sk1)` |
//!
//! Exponents are written multiplicatively here as in the paper, points additively in the code.

use super::base::Base;
use crate::backend::{Backend, SecretScalar};
use crate::label::Label;
use crate::parameters::AttributeHash;
use crate::span::{Row, Share, Step};

/// The secret parts of a user's key; `sk2` in the order of the labels.
pub(crate) struct KeyPoints<B: Backend> {
    pub(crate) sk1: B::G2,
    pub(crate) sk2: Vec<B::G1>,
    pub(crate) sk3: B::G1,
}

/// The randomness of one encapsulation.
pub(crate) struct Exponents<S> {
    /// s.
    pub(crate) secret: S,
    /// s'_1 .. s'_tau.
    pub(crate) repeats: Vec<S>,
    /// lambda, a row each.
    pub(crate) shares: Vec<Share<S>>,
}

/// The points of one encapsulation.
pub(crate) struct Encapsulation<B: Backend> {
    pub(crate) ct1: B::G2,
    pub(crate) ct2: Vec<B::G2>,
    pub(crate) ct3: Vec<B::G1>,
}

/// `(e(g1,g2)^alpha, A1)`.
pub(crate) fn setup<B: Backend>(alpha: &B::Secret) -> (B::Gt, B::G1) {
    let master = B::g1_mul_gen_secret(alpha);
    (B::multi_pairing(&[(&master, &B::g2_generator())]), master)
}

/// The key for these attributes.
pub(crate) fn key<B: Backend>(
    master: &B::G1,
    base: &Base<B>,
    (h, labels): (AttributeHash<'_, B>, &[&Label]),
    r: &B::Secret,
) -> KeyPoints<B> {
    KeyPoints { sk1: B::g2_mul_gen_secret(r), sk2: h.raise(labels, r), sk3: add(master, base, r) }
}

/// `point . B^exponent`.
fn add<B: Backend>(point: &B::G1, base: &Base<B>, exponent: &B::Secret) -> B::G1 {
    let blind = base.blind(std::slice::from_ref(exponent));
    blind.first().map_or_else(|| point.clone(), |blind| B::g1_add(point, blind))
}

/// Another key for the same attributes, as if r + t had been drawn: who sees both learns nothing that binds them.
pub(crate) fn rerandomise<B: Backend>(
    points: &KeyPoints<B>,
    base: &Base<B>,
    (h, labels): (AttributeHash<'_, B>, &[&Label]),
    t: &B::Secret,
) -> KeyPoints<B> {
    let more = h.raise(labels, t);
    KeyPoints {
        sk1: B::g2_add(&points.sk1, &B::g2_mul_gen_secret(t)),
        sk2: points.sk2.iter().zip(&more).map(|(point, more)| B::g1_add(point, more)).collect(),
        sk3: add(&points.sk3, base, t),
    }
}

/// The encapsulation and its key K.
pub(crate) fn encapsulate<B: Backend>(
    base: &Base<B>,
    rows: &[Row<'_>],
    h: AttributeHash<'_, B>,
    exponents: &Exponents<B::Secret>,
) -> (Encapsulation<B>, B::Gt) {
    let Exponents { secret, repeats, shares } = exponents;
    let lambda = |share: &Share<B::Secret>| {
        if share.whole { share.masked.add(secret) } else { share.masked.duplicate() }
    };
    let blinds = base.blind(&shares.iter().map(lambda).collect::<Vec<_>>());
    // Rows of one copy share their exponent, so that they are raised together.
    let mut raised: Vec<Option<B::G1>> = vec![None; rows.len()];
    for (copy, repeat) in repeats.iter().enumerate() {
        let members = rows.iter().zip(&mut raised).filter(|(row, _)| row.copy == copy);
        let (labels, places): (Vec<&Label>, Vec<&mut Option<B::G1>>) =
            members.map(|(row, place)| (row.label, place)).unzip();
        for (place, point) in places.into_iter().zip(h.raise(&labels, repeat)) {
            *place = Some(point);
        }
    }
    let encapsulation = Encapsulation {
        ct1: B::g2_mul_gen_secret(secret),
        ct2: repeats.iter().map(B::g2_mul_gen_secret).collect(),
        ct3: blinds.iter().zip(raised.iter().flatten()).map(|(blind, raised)| B::g1_add(blind, raised)).collect(),
    };
    (encapsulation, base.pairing(secret))
}

/// One row as the holder of a key uses it: its number and coefficient with the ciphertext's and the key's point.
pub(crate) struct Opened<'a, B: Backend> {
    pub(crate) step: &'a Step<B::Public>,
    pub(crate) copy: usize,
    pub(crate) ct3: B::G1,
    pub(crate) sk2: &'a B::G1,
}

/// K, from the rows of a plan.
pub(crate) fn decapsulate<B: Backend>(
    (sk1, sk3): (&B::G2, &B::G1),
    ct1: &B::G2,
    ct2: &[(usize, B::G2)],
    rows: &[Opened<'_, B>],
) -> B::Gt {
    let blinds = B::g1_neg(&weighted::<B>(rows.iter().map(|row| (row.step, &row.ct3))));
    let of_copy = |copy: usize| rows.iter().filter(move |row| row.copy == copy).map(|row| (row.step, row.sk2));
    let held: Vec<(B::G1, &B::G2)> = ct2.iter().map(|(copy, point)| (weighted::<B>(of_copy(*copy)), point)).collect();
    let mut pairs: Vec<(&B::G1, &B::G2)> = vec![(sk3, ct1), (&blinds, sk1)];
    pairs.extend(held.iter().map(|(sum, point)| (sum, *point)));
    B::multi_pairing(&pairs)
}

/// The sum of points, each to the coefficient of its step. Coefficients of one are additions alone.
///
/// The coefficients are public, points of keys among the terms are not. A sum under public exponents takes a time that
/// depends on the exponents, and on points only where two of them coincide: for points that one random exponent raised,
/// or shares that were drawn, that is as likely as a guess of the exponent.
pub(crate) fn weighted<'a, B: Backend>(terms: impl Iterator<Item = (&'a Step<B::Public>, &'a B::G1)>) -> B::G1 {
    let (mut plain, mut points, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for (step, point) in terms {
        match step.weight {
            None => plain.push(point),
            Some(weight) => {
                points.push(point);
                weights.push(weight);
            }
        }
    }
    let sum = B::g1_sum(&plain);
    if points.is_empty() { sum } else { B::g1_add(&sum, &B::g1_msm_public(&points, &weights)) }
}

impl<B: Backend> Drop for KeyPoints<B> {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.sk1.zeroize();
        self.sk2.iter_mut().for_each(Zeroize::zeroize);
        self.sk3.zeroize();
    }
}
