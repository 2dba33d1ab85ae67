//! Points of G1 and G2 in projective coordinates, their additions and multiplications.
//!
//! Additions are blst's complete ones (`add_or_double`): right for equal points, opposite ones and the point at infinity,
//! in the same time for all of them. One is not, and says so in its name.
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use blst::{blst_p1, blst_p1_affine, blst_p2, blst_p2_affine};
use zeroize::Zeroize;

use super::scalar::Secret;
use super::select::Limbs;

/// Bits of the group order: blst's multiplication always walks all of them.
const ORDER_BITS: usize = 255;

/// A point of G1, zeroed on drop. Its limbs are always those of a point on the curve, reduced.
#[derive(Clone)]
pub(crate) struct G1(pub(super) blst_p1);

/// A point of G2, zeroed on drop. Its limbs are always those of a point on the curve, reduced.
#[derive(Clone)]
pub(crate) struct G2(pub(super) blst_p2);

impl Zeroize for G1 {
    fn zeroize(&mut self) {
        self.0.x.wipe();
        self.0.y.wipe();
        self.0.z.wipe();
    }
}

impl Zeroize for G2 {
    fn zeroize(&mut self) {
        self.0.x.wipe();
        self.0.y.wipe();
        self.0.z.wipe();
    }
}

impl Drop for G1 {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl Drop for G2 {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl G1 {
    /// The point at infinity: blst's form of it has every limb zero.
    pub(super) fn infinity() -> Self {
        Self(blst_p1::default())
    }

    pub(super) fn generator() -> Self {
        // SAFETY: the pointer is to a constant of blst's.
        Self(unsafe { *blst::blst_p1_generator() })
    }

    pub(super) fn is_infinity(&self) -> bool {
        // SAFETY: a live point.
        unsafe { blst::blst_p1_is_inf(&raw const self.0) }
    }

    pub(super) fn from_affine(affine: &blst_p1_affine) -> Self {
        let mut out = Self::infinity();
        // SAFETY: a live input and a live output.
        unsafe { blst::blst_p1_from_affine(&raw mut out.0, affine) };
        out
    }

    /// RFC 9380, section 8.8.1: the random-oracle suite of G1.
    pub(super) fn hash(dst: &[u8], message: &[u8]) -> Self {
        let mut out = Self::infinity();
        // SAFETY: pointer and length of each input belong together; the augmentation is absent, with length zero.
        unsafe {
            blst::blst_hash_to_g1(
                &raw mut out.0,
                message.as_ptr(),
                message.len(),
                dst.as_ptr(),
                dst.len(),
                std::ptr::null(),
                0,
            );
        }
        out
    }

    /// Complete and constant-time.
    pub(super) fn add_assign(&mut self, other: &Self) {
        let sum = &raw mut self.0;
        // SAFETY: two live points; blst reads its inputs before it writes, and allows the output to be one of them.
        unsafe { blst::blst_p1_add_or_double(sum, sum, &raw const other.0) };
    }

    /// Complete and constant-time; `other` may be the point at infinity (all zeros).
    pub(super) fn add_affine_assign(&mut self, other: &blst_p1_affine) {
        let sum = &raw mut self.0;
        // SAFETY: as for `add_assign`.
        unsafe { blst::blst_p1_add_or_double_affine(sum, sum, other) };
    }

    /// Faster, and wrong for equal points; constant-time, and right for every other pair.
    pub(super) fn add_different_affine_assign(&mut self, other: &blst_p1_affine) {
        let sum = &raw mut self.0;
        // SAFETY: as for `add_assign`.
        unsafe { blst::blst_p1_add_affine(sum, sum, other) };
    }

    pub(super) fn double_assign(&mut self) {
        let point = &raw mut self.0;
        // SAFETY: a live point, which may be input and output.
        unsafe { blst::blst_p1_double(point, point) };
    }

    pub(super) fn negated(&self) -> Self {
        let mut out = self.clone();
        // SAFETY: a live point.
        unsafe { blst::blst_p1_cneg(&raw mut out.0, true) };
        out
    }

    /// blst's constant-time multiplication. It branches once, on an exponent of zero, which no drawn one is.
    pub(super) fn mul_secret(&self, scalar: &Secret) -> Self {
        let plain = scalar.plain();
        self.mul_bytes(&plain.0.b)
    }

    /// The point to the power of 32 little-endian bytes below the order.
    pub(super) fn mul_bytes(&self, little_endian: &[u8; 32]) -> Self {
        let mut out = Self::infinity();
        // SAFETY: live points; blst reads 255 bits, which are 32 bytes.
        unsafe { blst::blst_p1_mult(&raw mut out.0, &raw const self.0, little_endian.as_ptr(), ORDER_BITS) };
        out
    }
}

impl G2 {
    /// The point at infinity: blst's form of it has every limb zero.
    pub(super) fn infinity() -> Self {
        Self(blst_p2::default())
    }

    pub(super) fn generator() -> Self {
        // SAFETY: the pointer is to a constant of blst's.
        Self(unsafe { *blst::blst_p2_generator() })
    }

    pub(super) fn is_infinity(&self) -> bool {
        // SAFETY: a live point.
        unsafe { blst::blst_p2_is_inf(&raw const self.0) }
    }

    pub(super) fn from_affine(affine: &blst_p2_affine) -> Self {
        let mut out = Self::infinity();
        // SAFETY: a live input and a live output.
        unsafe { blst::blst_p2_from_affine(&raw mut out.0, affine) };
        out
    }

    /// Complete and constant-time.
    pub(super) fn add_assign(&mut self, other: &Self) {
        let sum = &raw mut self.0;
        // SAFETY: two live points; blst reads its inputs before it writes, and allows the output to be one of them.
        unsafe { blst::blst_p2_add_or_double(sum, sum, &raw const other.0) };
    }

    /// Complete and constant-time; `other` may be the point at infinity (all zeros).
    pub(super) fn add_affine_assign(&mut self, other: &blst_p2_affine) {
        let sum = &raw mut self.0;
        // SAFETY: as for `add_assign`.
        unsafe { blst::blst_p2_add_or_double_affine(sum, sum, other) };
    }

    pub(super) fn double_assign(&mut self) {
        let point = &raw mut self.0;
        // SAFETY: a live point, which may be input and output.
        unsafe { blst::blst_p2_double(point, point) };
    }
}

/// Affine forms of many points with one inversion for all. The point at infinity comes out as all zeros.
pub(super) fn g1_to_affine(points: &[&G1]) -> Vec<blst_p1_affine> {
    let pointers: Vec<*const blst_p1> = points.iter().map(|point| &raw const point.0).collect();
    let mut out = vec![blst_p1_affine::zeroed(); points.len()];
    // SAFETY: as many pointers to live points as the output has room for; blst reads no further pointer.
    unsafe { blst::blst_p1s_to_affine(out.as_mut_ptr(), pointers.as_ptr(), pointers.len()) };
    out
}

/// Affine forms of many points with one inversion for all. The point at infinity comes out as all zeros.
pub(super) fn g2_to_affine(points: &[&G2]) -> Vec<blst_p2_affine> {
    let pointers: Vec<*const blst_p2> = points.iter().map(|point| &raw const point.0).collect();
    let mut out = vec![blst_p2_affine::zeroed(); points.len()];
    // SAFETY: as many pointers to live points as the output has room for; blst reads no further pointer.
    unsafe { blst::blst_p2s_to_affine(out.as_mut_ptr(), pointers.as_ptr(), pointers.len()) };
    out
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;

    use super::*;

    #[test]
    fn dropped_points_leave_zeros() {
        let mut left = ManuallyDrop::new(G1::generator());
        let mut right = ManuallyDrop::new(G2::generator());
        let (low, high): (*const blst_p1, *const blst_p2) = (&raw const left.0, &raw const right.0);
        // SAFETY: both places live to the end of the test and are not used as points after their drop; their limbs are
        // plain integers and stay readable.
        let (low, high) = unsafe {
            assert_ne!(low.read_volatile().z.l, [0; 6]);
            ManuallyDrop::drop(&mut left);
            ManuallyDrop::drop(&mut right);
            (low.read_volatile(), high.read_volatile())
        };
        for coordinate in [low.x, low.y, low.z] {
            assert_eq!(coordinate.l, [0; 6]);
        }
        for coordinate in [high.x, high.y, high.z].iter().flat_map(|pair| pair.fp) {
            assert_eq!(coordinate.l, [0; 6]);
        }
    }

    /// blst's own forms of the point at infinity: no limbs projective, no limbs affine, and back.
    #[test]
    fn infinity_has_one_form_in_each_coordinates() {
        let generator = G1::generator();
        let affine = g1_to_affine(&[&G1::infinity(), &generator, &G1::infinity()]);
        assert!(affine[0].x.l == [0; 6] && affine[0].y.l == [0; 6] && affine[2].x.l == [0; 6]);
        assert!(G1::from_affine(&affine[0]).is_infinity());
        assert!(!G1::from_affine(&affine[1]).is_infinity());
        let mut sum = generator.clone();
        sum.add_affine_assign(&affine[0]);
        sum.add_assign(&generator.negated());
        assert!(sum.is_infinity());
        sum.double_assign();
        assert!(sum.is_infinity());
        let affine = g2_to_affine(&[&G2::infinity(), &G2::generator()]);
        assert!(G2::from_affine(&affine[0]).is_infinity());
        assert!(!G2::from_affine(&affine[1]).is_infinity());
    }

    /// The faster addition is wrong for equal points, as its name warns, and right where the walk uses it.
    #[test]
    fn the_incomplete_addition_is_incomplete() {
        let generator = G1::generator();
        let affine = g1_to_affine(&[&generator]);
        let mut doubled = generator.clone();
        doubled.double_assign();
        let mut wrong = generator.clone();
        wrong.add_different_affine_assign(&affine[0]);
        assert!(wrong.0 != doubled.0);
        let (mut thrice, mut expected) = (doubled.clone(), doubled);
        thrice.add_different_affine_assign(&affine[0]);
        expected.add_affine_assign(&affine[0]);
        assert!(thrice.0 == expected.0);
    }
}
