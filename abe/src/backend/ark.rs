//! The second backend, over arkworks: pure Rust, feature-selected, and the oracle of the tests.
//!
//! It is *not* constant-time: arkworks multiplies in a time that depends on the exponent. The types keep secret and
//! public exponents apart all the same, since that is the trait's promise to its callers. Whoever selects this backend
//! gives up the promise about time, and part of the one about memory: what lives is zeroed on drop as in the other, what
//! arkworks copies while it pairs, normalises and cuts exponents into digits is not.

mod bytes;
mod hash;
mod table;

use std::sync::OnceLock;

use ark_bls12_381::{Bls12_381, Fq12, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::pairing::{Pairing, PairingOutput};
use ark_ec::{AdditiveGroup, CurveGroup, PrimeGroup, VariableBaseMSM};
use ark_ff::{CyclotomicMultSubgroup, Field, PrimeField};
use zeroize::Zeroize;

use super::{Backend, G1_BYTES, G2_BYTES, GT_BYTES, PublicScalar, SecretScalar, Trust, WIDE_BYTES};
use table::{GtTable, Table};

/// Window of the tables of the generators.
const GENERATOR_WINDOW: u32 = 6;

/// The group over arkworks.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "arkworks"), expect(unreachable_pub, reason = "reached from outside by a feature alone"))]
pub struct Ark;

/// A secret exponent, zeroed on drop.
pub(crate) struct Secret(Fr);

/// A public exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Public(Fr);

/// A point of G1, zeroed on drop.
#[derive(Clone)]
pub(crate) struct G1(G1Projective);

/// A point of G2, zeroed on drop.
#[derive(Clone)]
pub(crate) struct G2(G2Projective);

/// An element of GT, zeroed on drop.
#[derive(Clone)]
pub(crate) struct Gt(Fq12);

/// Zeroes a newtype by its one field, on demand and on drop.
macro_rules! zeroed_on_drop {
    ($($name:ident),+) => {$(
        impl Zeroize for $name {
            fn zeroize(&mut self) {
                self.0.zeroize();
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.zeroize();
            }
        }
    )+};
}

zeroed_on_drop!(Secret, G1, G2, Gt);

impl SecretScalar for Secret {
    fn from_wide(bytes: &[u8; WIDE_BYTES]) -> Self {
        Self(Fr::from_be_bytes_mod_order(bytes))
    }

    fn zero() -> Self {
        Self(Fr::ZERO)
    }

    fn duplicate(&self) -> Self {
        Self(self.0)
    }

    fn add(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }

    fn sub(&self, other: &Self) -> Self {
        Self(self.0 - other.0)
    }

    fn mul_small(&self, factor: u32) -> Self {
        Self(self.0 * Fr::from(factor))
    }

    #[cfg(test)]
    fn reveal(&self) -> [u8; 32] {
        use ark_ff::BigInteger;
        self.0.into_bigint().to_bytes_be().try_into().unwrap()
    }
}

impl PublicScalar for Public {
    fn from_u64(number: u64) -> Self {
        Self(Fr::from(number))
    }

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }

    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }

    fn invert(self) -> Option<Self> {
        self.0.inverse().map(Self)
    }
}

impl Backend for Ark {
    type Secret = Secret;
    type Public = Public;
    type G1 = G1;
    type G2 = G2;
    type Gt = Gt;
    type G1Table = Table<G1Projective>;
    type GtTable = GtTable;

    fn hash_g1(dst: &[u8], message: &[u8]) -> G1 {
        G1(hash::to_g1(dst, message))
    }

    fn g1_mul_gen_secret(scalar: &Secret) -> G1 {
        static TABLE: OnceLock<Table<G1Projective>> = OnceLock::new();
        G1(TABLE.get_or_init(|| Table::new(G1Projective::generator(), GENERATOR_WINDOW)).mul(&scalar.0))
    }

    fn g1_mul_secret(point: &G1, scalar: &Secret) -> G1 {
        G1(point.0 * scalar.0)
    }

    fn g1_mul_secret_each(points: &[&G1], scalar: &Secret) -> Vec<G1> {
        points.iter().map(|point| Self::g1_mul_secret(point, scalar)).collect()
    }

    fn g1_table(point: &G1, window: u32) -> Table<G1Projective> {
        Table::new(point.0, window)
    }

    fn g1_table_mul_secret(table: &Table<G1Projective>, scalar: &Secret) -> G1 {
        G1(table.mul(&scalar.0))
    }

    fn g1_msm_public(points: &[&G1], scalars: &[Public]) -> G1 {
        let pairs = || points.iter().zip(scalars).map(|(point, scalar)| (point.0, scalar.0));
        // AND and OR have exponents of one throughout.
        let ones = pairs().filter(|(_, scalar)| *scalar == Fr::ONE).map(|(point, _)| point).sum::<G1Projective>();
        let (rest, exponents): (Vec<G1Projective>, Vec<Fr>) = pairs().filter(|(_, scalar)| *scalar != Fr::ONE).unzip();
        let raised = match (rest.as_slice(), exponents.as_slice()) {
            ([], _) => return G1(ones),
            ([point], [exponent]) => *point * exponent,
            _ => G1Projective::msm_unchecked(&G1Projective::normalize_batch(&rest), &exponents),
        };
        G1(ones + raised)
    }

    fn g1_add(left: &G1, right: &G1) -> G1 {
        G1(left.0 + right.0)
    }

    fn g1_neg(point: &G1) -> G1 {
        G1(-point.0)
    }

    fn g1_sum(points: &[&G1]) -> G1 {
        G1(points.iter().map(|point| point.0).sum())
    }

    fn g2_mul_gen_secret(scalar: &Secret) -> G2 {
        static TABLE: OnceLock<Table<G2Projective>> = OnceLock::new();
        G2(TABLE.get_or_init(|| Table::new(G2Projective::generator(), GENERATOR_WINDOW)).mul(&scalar.0))
    }

    fn g2_add(left: &G2, right: &G2) -> G2 {
        G2(left.0 + right.0)
    }

    fn g1_generator() -> G1 {
        G1(G1Projective::generator())
    }

    fn g2_generator() -> G2 {
        G2(G2Projective::generator())
    }

    fn multi_pairing(pairs: &[(&G1, &G2)]) -> Gt {
        let lefts: Vec<G1Projective> = pairs.iter().map(|(left, _)| left.0).collect();
        let rights: Vec<G2Projective> = pairs.iter().map(|(_, right)| right.0).collect();
        // arkworks leaves pairs with a point at infinity out by itself.
        let lefts: Vec<G1Affine> = G1Projective::normalize_batch(&lefts);
        let rights: Vec<G2Affine> = G2Projective::normalize_batch(&rights);
        let product = Bls12_381::final_exponentiation(Bls12_381::multi_miller_loop(lefts, rights));
        // Points outside the subgroup can make the loop end in zero, which has no inverse; blst calls that zero too.
        Gt(product.map_or(Fq12::ZERO, |PairingOutput(value)| value))
    }

    fn gt_table(element: &Gt) -> GtTable {
        GtTable::new(&element.0)
    }

    fn gt_table_pow_secret(table: &GtTable, scalar: &Secret) -> Gt {
        Gt(table.pow(&scalar.0))
    }

    fn gt_pow_secret(element: &Gt, scalar: &Secret) -> Gt {
        Gt(element.0.cyclotomic_exp(scalar.0.into_bigint()))
    }

    fn g1_to_bytes(points: &[&G1]) -> Vec<[u8; G1_BYTES]> {
        let points: Vec<G1Projective> = points.iter().map(|point| point.0).collect();
        G1Projective::normalize_batch(&points).iter().map(bytes::of_point).collect()
    }

    fn g2_to_bytes(points: &[&G2]) -> Vec<[u8; G2_BYTES]> {
        let points: Vec<G2Projective> = points.iter().map(|point| point.0).collect();
        G2Projective::normalize_batch(&points).iter().map(bytes::of_point).collect()
    }

    fn gt_to_bytes(element: &Gt) -> [u8; GT_BYTES] {
        bytes::of_gt(&element.0)
    }

    fn g1_from_bytes(bytes: &[u8; G1_BYTES], trust: Trust) -> Option<G1> {
        bytes::to_point::<_, G1_BYTES>(bytes, trust).map(|point| G1(point.into()))
    }

    fn g2_from_bytes(bytes: &[u8; G2_BYTES], trust: Trust) -> Option<G2> {
        bytes::to_point::<_, G2_BYTES>(bytes, trust).map(|point| G2(point.into()))
    }

    fn gt_from_bytes(bytes: &[u8; GT_BYTES]) -> Option<Gt> {
        bytes::to_gt(bytes).map(Gt)
    }
}

/// The bytes of any element of the field, for tests that make bad ones.
#[cfg(test)]
pub(super) fn gt_bytes(element: &Fq12) -> [u8; GT_BYTES] {
    bytes::of_gt(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What drop does, seen before the memory is gone.
    #[test]
    fn zeroized_values_are_zero() {
        let mut secret = Secret::from_wide(&[0x5a; WIDE_BYTES]);
        secret.zeroize();
        assert_eq!(secret.0, Fr::ZERO);
        let mut element = Ark::multi_pairing(&[(&Ark::g1_generator(), &Ark::g2_generator())]);
        element.zeroize();
        assert_eq!(element.0, Fq12::ZERO);
        let mut point = Ark::g2_generator();
        point.zeroize();
        assert_eq!(point.0.z, Default::default());
    }
}
