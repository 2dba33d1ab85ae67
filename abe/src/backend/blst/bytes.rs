//! Points as canonical bytes, and back.
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use blst::{BLST_ERROR, blst_p1_affine, blst_p2_affine};

use super::point::{G1, G2, g1_to_affine, g2_to_affine};
use super::select::Limbs;
use crate::backend::{G1_BYTES, G2_BYTES, Trust};

/// Compressed points of G1, with one inversion for all.
pub(super) fn g1_to_bytes(points: &[&G1]) -> Vec<[u8; G1_BYTES]> {
    let mut affine = g1_to_affine(points);
    affine
        .iter_mut()
        .map(|point| {
            let mut out = [0; G1_BYTES];
            // SAFETY: a live affine point and 48 writable bytes.
            unsafe { blst::blst_p1_affine_compress(out.as_mut_ptr(), point) };
            point.wipe();
            out
        })
        .collect()
}

/// Compressed points of G2, with one inversion for all.
pub(super) fn g2_to_bytes(points: &[&G2]) -> Vec<[u8; G2_BYTES]> {
    let mut affine = g2_to_affine(points);
    affine
        .iter_mut()
        .map(|point| {
            let mut out = [0; G2_BYTES];
            // SAFETY: a live affine point and 96 writable bytes.
            unsafe { blst::blst_p2_affine_compress(out.as_mut_ptr(), point) };
            point.wipe();
            out
        })
        .collect()
}

/// Reads a compressed point of G1. blst refuses wrong flags and a coordinate that is not reduced; it does not look at the
/// subgroup.
pub(super) fn g1_from_bytes(bytes: &[u8; G1_BYTES], trust: Trust) -> Option<G1> {
    let mut affine = blst_p1_affine::zeroed();
    // SAFETY: 48 readable bytes and a live output.
    let answer = unsafe { blst::blst_p1_uncompress(&raw mut affine, bytes.as_ptr()) };
    // SAFETY: a live affine point, zeros if nothing was written.
    let infinity = unsafe { blst::blst_p1_affine_is_inf(&raw const affine) };
    // SAFETY: as above; asked only of a point on the curve.
    let in_group = || unsafe { blst::blst_p1_affine_in_g1(&raw const affine) };
    (accepted(answer, trust) && !infinity && (trust == Trust::OnCurveOnly || in_group()))
        .then(|| G1::from_affine(&affine))
}

/// Reads a compressed point of G2, likewise.
pub(super) fn g2_from_bytes(bytes: &[u8; G2_BYTES], trust: Trust) -> Option<G2> {
    let mut affine = blst_p2_affine::zeroed();
    // SAFETY: 96 readable bytes and a live output.
    let answer = unsafe { blst::blst_p2_uncompress(&raw mut affine, bytes.as_ptr()) };
    // SAFETY: a live affine point, zeros if nothing was written.
    let infinity = unsafe { blst::blst_p2_affine_is_inf(&raw const affine) };
    // SAFETY: as above; asked only of a point on the curve.
    let in_group = || unsafe { blst::blst_p2_affine_in_g2(&raw const affine) };
    (accepted(answer, trust) && !infinity && (trust == Trust::OnCurveOnly || in_group()))
        .then(|| G2::from_affine(&affine))
}

/// blst reports the points with x = 0, which are on the curve and have order 3, as outside the subgroup already while it
/// decodes them, after it wrote them.
fn accepted(answer: BLST_ERROR, trust: Trust) -> bool {
    match answer {
        BLST_ERROR::BLST_SUCCESS => true,
        BLST_ERROR::BLST_POINT_NOT_IN_GROUP => trust == Trust::OnCurveOnly,
        _ => false,
    }
}
