//! FABEO KP-ABE, multi-use form (Riepel and Wee, CCS 2022, figure 4 and section 5): the mirror of [`super::cp`].
//!
//! | step | what |
//! |---|---|
//! | setup | as there, with an alpha and tags of its own |
//! | [`key`] | r_1..r_tau random, shares lambda of alpha; `sk1[j] = g2^{r_j}`, `sk2[i] = g1^{lambda_i} . H(pi(i))^{r_{rho(i)}}` |
//! | [`encapsulate`] | s random; `ct1 = g2^s`, `ct2[x] = H(x)^s`, `K = (e(g1,g2)^alpha)^s` |
//! | [`decapsulate`] | `K = e(prod_i sk2[i]^{gamma_i}, ct1) / prod_j e(prod_{rho(i)=j} ct2[pi(i)]^{gamma_i}, sk1[j])` |
//!
//! alpha is known as `A1 = g1^alpha` alone: a share is `[whole] * alpha + masked`, so that A1 is added where the
//! whole is asked for.

use super::base::Base;
use super::cp::weighted;
use crate::backend::Backend;
use crate::label::Label;
use crate::parameters::AttributeHash;
use crate::span::{Row, Share, Step};

/// The secret points of a key that carries a formula.
pub(crate) struct KeyPoints<B: Backend> {
    /// One for each copy of a label.
    pub(crate) sk1: Vec<B::G2>,
    /// One for each row.
    pub(crate) sk2: Vec<B::G1>,
}

/// The randomness of one key.
pub(crate) struct Exponents<S> {
    /// r_1 .. r_tau.
    pub(crate) repeats: Vec<S>,
    /// lambda, a row each.
    pub(crate) shares: Vec<Share<S>>,
}

/// The key for this formula.
pub(crate) fn key<B: Backend>(
    master: &B::G1,
    rows: &[Row<'_>],
    h: AttributeHash<'_, B>,
    exponents: &Exponents<B::Secret>,
) -> KeyPoints<B> {
    let Exponents { repeats, shares } = exponents;
    let row = |(row, share): (&Row<'_>, &Share<B::Secret>)| {
        let masked = B::g1_mul_gen_secret(&share.masked);
        let lambda = if share.whole { B::g1_add(master, &masked) } else { masked };
        let raised = h.raise(&[row.label], repeats.get(row.copy)?).pop()?;
        Some(B::g1_add(&lambda, &raised))
    };
    // Never moved while it grows: a vector that moves leaves what it held behind.
    let mut sk2 = Vec::with_capacity(rows.len());
    sk2.extend(rows.iter().zip(shares).filter_map(row));
    KeyPoints { sk1: repeats.iter().map(B::g2_mul_gen_secret).collect(), sk2 }
}

/// The encapsulation (ct1, ct2) and its key K.
pub(crate) fn encapsulate<B: Backend>(
    base: &Base<B>,
    (h, labels): (AttributeHash<'_, B>, &[&Label]),
    s: &B::Secret,
) -> (B::G2, Vec<B::G1>, B::Gt) {
    (B::g2_mul_gen_secret(s), h.raise(labels, s), base.pairing(s))
}

/// One row of the key as it meets the ciphertext.
pub(crate) struct Opened<'a, B: Backend> {
    pub(crate) step: &'a Step<B::Public>,
    pub(crate) copy: usize,
    pub(crate) sk2: &'a B::G1,
    pub(crate) ct2: B::G1,
}

/// K, from the rows of a plan.
pub(crate) fn decapsulate<B: Backend>(sk1: &[B::G2], ct1: &B::G2, rows: &[Opened<'_, B>]) -> B::Gt {
    let sum = weighted::<B>(rows.iter().map(|row| (row.step, row.sk2)));
    let parts = sk1.iter().enumerate().filter_map(|(copy, point)| {
        let mut members = rows.iter().filter(|row| row.copy == copy).peekable();
        members.peek()?;
        Some((B::g1_neg(&weighted::<B>(members.map(|row| (row.step, &row.ct2)))), point))
    });
    let parts: Vec<(B::G1, &B::G2)> = parts.collect();
    let mut pairs = vec![(&sum, ct1)];
    pairs.extend(parts.iter().map(|(sum, point)| (sum, *point)));
    B::multi_pairing(&pairs)
}

impl<B: Backend> Drop for KeyPoints<B> {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.sk1.iter_mut().for_each(Zeroize::zeroize);
        self.sk2.iter_mut().for_each(Zeroize::zeroize);
    }
}
