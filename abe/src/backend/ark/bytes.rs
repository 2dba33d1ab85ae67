//! Points and elements of GT as the canonical bytes that the trait's file describes.

use ark_bls12_381::{Fq, Fq2, Fq6, Fq12};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{BigInt, Field, PrimeField};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};

use super::table::in_group;
use crate::backend::{GT_BYTES, Trust};

/// Bytes of a coordinate.
const FP_BYTES: usize = 48;

/// A compressed point. For this curve arkworks writes the form of the pairing-friendly-curves draft.
pub(super) fn of_point<P: SWCurveConfig, const N: usize>(point: &Affine<P>) -> [u8; N] {
    let mut out = [0; N];
    // Writing into memory of the right size does not fail; zeros would be refused by whoever reads them.
    let written = point.serialize_compressed(out.as_mut_slice());
    debug_assert!(written.is_ok(), "a point takes {N} bytes");
    out
}

/// Reads a compressed point.
pub(super) fn to_point<P: SWCurveConfig, const N: usize>(bytes: &[u8; N], trust: Trust) -> Option<Affine<P>> {
    let point = Affine::<P>::deserialize_compressed_unchecked(bytes.as_slice()).ok()?;
    // Whatever arkworks may tolerate, there is one spelling: the one that it writes.
    let canonical = of_point::<P, N>(&point) == *bytes;
    let fit = match trust {
        Trust::Checked => point.is_in_correct_subgroup_assuming_on_curve(),
        Trust::OnCurveOnly => true,
    };
    (canonical && fit && !point.is_zero()).then_some(point)
}

/// The twelve coordinates, from the lowest.
pub(super) fn of_gt(element: &Fq12) -> [u8; GT_BYTES] {
    let mut out = [0; GT_BYTES];
    let (places, _) = out.as_chunks_mut::<FP_BYTES>();
    for (place, coordinate) in places.iter_mut().zip(element.to_base_prime_field_elements()) {
        let (words, _) = place.as_chunks_mut::<8>();
        let limbs = coordinate.into_bigint().0;
        words.iter_mut().zip(limbs.iter().rev()).for_each(|(word, limb)| *word = limb.to_be_bytes());
    }
    out
}

/// Reads an element: every coordinate canonical, of the group's order and not one.
pub(super) fn to_gt(bytes: &[u8; GT_BYTES]) -> Option<Fq12> {
    let (places, _) = bytes.as_chunks::<FP_BYTES>();
    let coordinates: Vec<Fq> = places.iter().map(coordinate).collect::<Option<_>>()?;
    let [a, b, c, d, e, f, g, h, i, j, k, l] = coordinates.try_into().ok()?;
    let lower = Fq6::new(Fq2::new(a, b), Fq2::new(c, d), Fq2::new(e, f));
    let upper = Fq6::new(Fq2::new(g, h), Fq2::new(i, j), Fq2::new(k, l));
    let element = Fq12::new(lower, upper);
    (element != Fq12::ONE && in_group(&element)).then_some(element)
}

/// A coordinate; `None` if it is not below the modulus.
fn coordinate(bytes: &[u8; FP_BYTES]) -> Option<Fq> {
    let mut limbs = [0; FP_BYTES / 8];
    let (words, _) = bytes.as_chunks::<8>();
    limbs.iter_mut().rev().zip(words).for_each(|(limb, word)| *limb = u64::from_be_bytes(*word));
    Fq::from_bigint(BigInt::new(limbs))
}
