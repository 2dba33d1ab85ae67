//! GT: pairings, and powers of what they yield.
//!
//! blst has no power in GT. Ours walks signed windows of five bits: in the group that pairings land in, the inverse is
//! the conjugate, so that a negative digit costs a masked negation, and squarings are the cheap ones of the cyclotomic
//! subgroup (Granger and Scott, PKC 2010). A table of a fixed element leaves the squarings out.
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use blst::{blst_fp, blst_fp12};
use zeroize::Zeroize;

use super::point::{G1, G2, g1_to_affine, g2_to_affine};
use super::scalar::{Digit, Recoded, Secret};
use super::select::{Limbs, choose, mask_if_equal};
use crate::backend::GT_BYTES;

/// Bits of a window; a row has 16 entries.
const WINDOW: u32 = 5;
/// Entries of a row.
const ROW: usize = 1 << (WINDOW - 1);
/// Bytes of a coordinate.
const FP_BYTES: usize = 48;

/// An element of GT, zeroed on drop: what a final exponentiation yields, or a checked element of the subgroup.
#[derive(Clone)]
pub(crate) struct Gt(blst_fp12);

impl Zeroize for Gt {
    fn zeroize(&mut self) {
        self.0.wipe();
    }
}

impl Drop for Gt {
    fn drop(&mut self) {
        self.zeroize();
    }
}

/// Powers of an element: 52 rows of 16, 479 kB.
pub(crate) struct GtTable(Vec<blst_fp12>);

impl Gt {
    fn one() -> Self {
        Self(blst_fp12::default())
    }

    fn mul_assign(&mut self, other: &blst_fp12) {
        let product = &raw mut self.0;
        // SAFETY: two live elements; blst allows the output to be an input.
        unsafe { blst::blst_fp12_mul(product, product, other) };
    }

    fn square_assign(&mut self) {
        let square = &raw mut self.0;
        // SAFETY: a live element, which may be input and output. Every `Gt` is in the cyclotomic subgroup.
        unsafe { blst::blst_fp12_cyclotomic_sqr(square, square) };
    }

    /// The product of pairings. A pair with the point at infinity contributes one, and is left out: blst's loop over
    /// many pairs would take its zeros for coordinates.
    pub(super) fn multi_pairing(pairs: &[(&G1, &G2)]) -> Self {
        let (left, right): (Vec<&G1>, Vec<&G2>) =
            pairs.iter().filter(|(left, right)| !left.is_infinity() && !right.is_infinity()).copied().unzip();
        if left.is_empty() {
            return Self::one();
        }
        let mut left = g1_to_affine(&left);
        let mut right = g2_to_affine(&right);
        let lefts: Vec<_> = left.iter().map(std::ptr::from_ref).collect();
        let rights: Vec<_> = right.iter().map(std::ptr::from_ref).collect();
        let mut out = Self::one();
        let result = &raw mut out.0;
        // SAFETY: as many pointers to live affine points on each side as the length says, none at infinity; the result is
        // live and may be input and output of the final exponentiation.
        unsafe {
            blst::blst_miller_loop_n(result, rights.as_ptr(), lefts.as_ptr(), lefts.len());
            blst::blst_final_exp(result, result);
        }
        // Parts of user keys pass through here.
        left.iter_mut().for_each(Limbs::wipe);
        right.iter_mut().for_each(Limbs::wipe);
        out
    }

    /// This element to a secret power, in constant time.
    pub(super) fn pow(&self, scalar: &Secret) -> Self {
        let recoded = scalar.recode();
        let (mut row, _) = row(self);
        let mut power = Self::one();
        for index in (0..Recoded::windows(WINDOW)).rev() {
            for _ in 0..WINDOW {
                power.square_assign();
            }
            let mut factor = signed(&row, &recoded.digit(index, WINDOW));
            power.mul_assign(&factor);
            factor.wipe();
        }
        row.iter_mut().for_each(Limbs::wipe);
        power
    }

    /// The twelve coordinates, from the lowest, 48 bytes big-endian each.
    pub(super) fn to_bytes(&self) -> [u8; GT_BYTES] {
        let mut out = [0; GT_BYTES];
        let (places, _) = out.as_chunks_mut::<FP_BYTES>();
        for (place, coordinate) in places.iter_mut().zip(coordinates(&self.0)) {
            // SAFETY: a live coordinate and 48 writable bytes.
            unsafe { blst::blst_bendian_from_fp(place.as_mut_ptr(), coordinate) };
        }
        out
    }

    /// Reads an element: every coordinate below the field's modulus, of the group's order and not one.
    pub(super) fn from_bytes(bytes: &[u8; GT_BYTES]) -> Option<Self> {
        let mut out = Self::one();
        let (places, _) = bytes.as_chunks::<FP_BYTES>();
        let targets = out.0.fp6.iter_mut().flat_map(|fp6| &mut fp6.fp2).flat_map(|fp2| &mut fp2.fp);
        for (place, target) in places.iter().zip(targets) {
            // SAFETY: 48 readable bytes and a live coordinate.
            unsafe { blst::blst_fp_from_bendian(target, place.as_ptr()) };
        }
        // blst reduces what is too large; then the bytes differ.
        if out.to_bytes() != *bytes {
            return None;
        }
        // SAFETY: a live element with reduced coordinates.
        let sound = unsafe { blst::blst_fp12_in_group(&raw const out.0) && !blst::blst_fp12_is_one(&raw const out.0) };
        sound.then_some(out)
    }
}

impl GtTable {
    pub(super) fn new(element: &Gt) -> Self {
        let mut entries = Vec::with_capacity(Recoded::windows(WINDOW) * ROW);
        let mut base = element.clone();
        for _ in 0..Recoded::windows(WINDOW) {
            let (powers, next) = row(&base);
            entries.extend_from_slice(&powers);
            base = next;
        }
        Self(entries)
    }

    /// The element to a secret power, in constant time.
    pub(super) fn pow(&self, scalar: &Secret) -> Gt {
        let recoded = scalar.recode();
        let mut power = Gt::one();
        for (index, row) in self.0.chunks_exact(ROW).enumerate() {
            let mut factor = signed(row, &recoded.digit(index, WINDOW));
            power.mul_assign(&factor);
            factor.wipe();
        }
        power
    }
}

/// The powers 1 to 16 of an element, and the 32nd.
fn row(base: &Gt) -> ([blst_fp12; ROW], Gt) {
    let mut power = base.clone();
    let powers = std::array::from_fn(|index| {
        if index > 0 {
            power.mul_assign(&base.0);
        }
        power.0
    });
    power.square_assign();
    (powers, power)
}

/// The power of a row that a digit stands for; one for zero.
fn signed(row: &[blst_fp12], digit: &Digit) -> blst_fp12 {
    let mut power = choose(row, digit.magnitude);
    power.gather(&blst_fp12::default(), mask_if_equal(0, digit.magnitude));
    let [_, upper] = &mut power.fp6;
    for coordinate in &mut upper.fp2 {
        let coordinate = &raw mut *coordinate;
        // SAFETY: a live coordinate, which may be input and output. The negation is masked.
        unsafe { blst::blst_fp2_cneg(coordinate, coordinate, digit.is_negative()) };
    }
    power
}

/// The coordinates of an element, from the lowest: c0.c0.c0, c0.c0.c1, c0.c1.c0, .. c1.c2.c1.
fn coordinates(element: &blst_fp12) -> impl Iterator<Item = &blst_fp> {
    element.fp6.iter().flat_map(|fp6| &fp6.fp2).flat_map(|fp2| &fp2.fp)
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;

    use super::*;

    #[test]
    fn dropped_elements_leave_zeros() {
        let mut place = ManuallyDrop::new(Gt::multi_pairing(&[(&G1::generator(), &G2::generator())]));
        let element: *const blst_fp12 = &raw const place.0;
        // SAFETY: the place lives to the end of the test and is not used as an element after its drop; its limbs are plain
        // integers and stay readable.
        let (before, after) = unsafe {
            let before = element.read_volatile();
            ManuallyDrop::drop(&mut place);
            (before, element.read_volatile())
        };
        assert!(coordinates(&before).all(|coordinate| coordinate.l != [0; 6]));
        assert!(coordinates(&after).all(|coordinate| coordinate.l == [0; 6]));
    }

    /// Every power of a row with either sign: the conjugate is the inverse, and the digit zero is one.
    #[test]
    fn signed_powers_cancel() {
        let base = Gt::multi_pairing(&[(&G1::generator(), &G2::generator())]);
        let (powers, next) = row(&base);
        for magnitude in 0..=ROW as u64 {
            let mut product = Gt(signed(&powers, &Digit { magnitude, negative: 0 }));
            product.mul_assign(&signed(&powers, &Digit { magnitude, negative: 1 }));
            assert_eq!(product.to_bytes(), Gt::one().to_bytes(), "power {magnitude}");
        }
        // The 32nd is the square of the 16th.
        let mut square = Gt(powers[ROW - 1]);
        square.mul_assign(&powers[ROW - 1]);
        assert_eq!(next.to_bytes(), square.to_bytes());
    }
}
