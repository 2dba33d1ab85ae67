//! The group, behind one small trait: BLS12-381, type 3, `e: G1 x G2 -> GT`.
//!
//! [`blst`] is the product's, [`ark`] the second one and the oracle of the tests. Secret scalars are a type
//! of their own ([`Backend::Secret`]) that only constant-time operations take; whatever runs in variable
//! time takes a [`Backend::Public`]. There is no way from the one to the other.
//!
//! | group | canonical bytes |
//! |---|---|
//! | G1 | 48, compressed as in the pairing-friendly-curves draft, appendix C (three flag bits in front) |
//! | G2 | 96, the same |
//! | GT | 576: the twelve coordinates in Fp, 48 bytes big-endian each, from the lowest: c0.c0.c0, c0.c0.c1, c0.c1.c0, .. c1.c2.c1 |
//! | scalar | 32, big-endian, below the group order |

#[cfg(any(test, feature = "arkworks"))]
pub(crate) mod ark;
#[cfg(feature = "blst")]
pub(crate) mod blst;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt::Debug;

use zeroize::Zeroize;

/// Bytes of a compressed point of G1.
pub(crate) const G1_BYTES: usize = 48;
/// Bytes of a compressed point of G2.
pub(crate) const G2_BYTES: usize = 96;
/// Bytes of an element of GT.
pub(crate) const GT_BYTES: usize = 576;
/// Bytes from which a scalar is reduced: the order's 32 and 16 more, so that the bias is below 2^-128.
pub(crate) const WIDE_BYTES: usize = 48;

/// How much of a point was checked when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Canonical bytes, on the curve, in the subgroup, not the point at infinity: keys and parameters.
    Checked,
    /// Canonical bytes, on the curve, not the point at infinity: ciphertexts, whose every byte the transform compares
    /// afterwards. Multiplied, a point outside the subgroup gives some point, not the same one on every backend.
    OnCurveOnly,
}

/// The group's operations. Points are opaque; `G1` is whatever form the backend adds fastest.
pub(crate) trait Backend: Debug + Clone + Copy + Send + Sync + Sized + 'static {
    /// A secret exponent: constant-time operations only, zeroed on drop.
    type Secret: SecretScalar;
    /// A public exponent, such as a Lagrange coefficient.
    type Public: PublicScalar;
    /// A point of G1.
    type G1: Clone + Zeroize + Send + Sync;
    /// A point of G2.
    type G2: Clone + Zeroize + Send + Sync;
    /// An element of GT.
    type Gt: Clone + Zeroize + Send + Sync;
    /// Multiples of a fixed point of G1, for secret exponents.
    type G1Table: Send + Sync;
    /// Powers of a fixed element of GT, for secret exponents.
    type GtTable: Send + Sync;

    /// RFC 9380, `BLS12381G1_XMD:SHA-256_SSWU_RO_`.
    fn hash_g1(dst: &[u8], message: &[u8]) -> Self::G1;

    /// The generator g1 to a secret power.
    fn g1_mul_gen_secret(scalar: &Self::Secret) -> Self::G1;
    /// A point to a secret power.
    fn g1_mul_secret(point: &Self::G1, scalar: &Self::Secret) -> Self::G1;
    /// Many points of the subgroup to one secret power, which lets work be shared between them.
    fn g1_mul_secret_each(points: &[&Self::G1], scalar: &Self::Secret) -> Vec<Self::G1>;
    /// A table of a point that is raised to many secret powers. `window` is 4, 5 or 6 bits.
    fn g1_table(point: &Self::G1, window: u32) -> Self::G1Table;
    /// The table's point to a secret power.
    fn g1_table_mul_secret(table: &Self::G1Table, scalar: &Self::Secret) -> Self::G1;
    /// The sum of points, each to a public power; variable time in the powers.
    fn g1_msm_public(points: &[&Self::G1], scalars: &[Self::Public]) -> Self::G1;
    /// A sum of two points.
    fn g1_add(left: &Self::G1, right: &Self::G1) -> Self::G1;
    /// The inverse.
    fn g1_neg(point: &Self::G1) -> Self::G1;
    /// The sum of points; the point at infinity for none.
    fn g1_sum(points: &[&Self::G1]) -> Self::G1;

    /// The generator g2 to a secret power, from a table that is made once.
    fn g2_mul_gen_secret(scalar: &Self::Secret) -> Self::G2;
    /// A sum of two points.
    fn g2_add(left: &Self::G2, right: &Self::G2) -> Self::G2;

    /// The generator g1.
    fn g1_generator() -> Self::G1;
    /// The generator g2.
    fn g2_generator() -> Self::G2;

    /// The product of pairings, with one final exponentiation.
    fn multi_pairing(pairs: &[(&Self::G1, &Self::G2)]) -> Self::Gt;
    /// A table of an element that is raised to many secret powers.
    fn gt_table(element: &Self::Gt) -> Self::GtTable;
    /// The table's element to a secret power.
    fn gt_table_pow_secret(table: &Self::GtTable, scalar: &Self::Secret) -> Self::Gt;
    /// An element to a secret power.
    fn gt_pow_secret(element: &Self::Gt, scalar: &Self::Secret) -> Self::Gt;

    /// Canonical bytes of many points, with one inversion for all.
    fn g1_to_bytes(points: &[&Self::G1]) -> Vec<[u8; G1_BYTES]>;
    /// Canonical bytes of many points, with one inversion for all.
    fn g2_to_bytes(points: &[&Self::G2]) -> Vec<[u8; G2_BYTES]>;
    /// Canonical bytes.
    fn gt_to_bytes(element: &Self::Gt) -> [u8; GT_BYTES];
    /// Reads a point; `None` for whatever `trust` excludes.
    fn g1_from_bytes(bytes: &[u8; G1_BYTES], trust: Trust) -> Option<Self::G1>;
    /// Reads a point; `None` for whatever `trust` excludes.
    fn g2_from_bytes(bytes: &[u8; G2_BYTES], trust: Trust) -> Option<Self::G2>;
    /// Reads an element: `None` unless every coordinate is canonical, the element is in the subgroup of the group's
    /// order and not one.
    fn gt_from_bytes(bytes: &[u8; GT_BYTES]) -> Option<Self::Gt>;
}

/// A secret exponent. Neither `Clone` nor `Debug`; zeroed on drop.
pub(crate) trait SecretScalar: Sized + Send + Sync {
    /// Reduces big-endian bytes modulo the group order.
    fn from_wide(bytes: &[u8; WIDE_BYTES]) -> Self;
    /// Zero.
    fn zero() -> Self;
    /// Another of the same value.
    fn duplicate(&self) -> Self;
    /// A sum.
    fn add(&self, other: &Self) -> Self;
    /// A difference.
    fn sub(&self, other: &Self) -> Self;
    /// A product with a small public number.
    fn mul_small(&self, factor: u32) -> Self;
    /// 32 bytes, big-endian; for tests that compare backends.
    #[cfg(test)]
    fn reveal(&self) -> [u8; 32];
}

/// A public exponent.
pub(crate) trait PublicScalar: Copy + Debug + PartialEq + Send + Sync {
    /// A small number.
    fn from_u64(number: u64) -> Self;
    /// A difference.
    fn sub(self, other: Self) -> Self;
    /// A product.
    fn mul(self, other: Self) -> Self;
    /// The inverse; `None` of zero.
    fn invert(self) -> Option<Self>;
}
