//! Multiples of a fixed point, for secret exponents.
//!
//! A table has a row for each window of the exponent; row `i` of windows of `w` bits holds 1, 2, .. 2^(w-1) times
//! `2^(w * i)` the point, in affine form. A multiplication adds one entry of every row and doubles nothing. Which entry
//! stays secret: each is read and masked, the sign is a masked negation, the digit zero is the point at infinity.
//!
//! | window | entries | G1 | G2 |
//! |---|---|---|---|
//! | 4 | 64 x 8 | 49 kB | 98 kB |
//! | 5 | 52 x 16 | 80 kB | 160 kB |
//! | 6 | 43 x 32 | 132 kB | 264 kB |
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use blst::{blst_p1_affine, blst_p2_affine};

use super::point::{G1, G2, g1_to_affine, g2_to_affine};
use super::scalar::{Digit, Recoded, Secret};
use super::select::{Limbs, choose};

/// Multiples of a point of G1.
pub(crate) struct G1Table {
    entries: Vec<blst_p1_affine>,
    window: u32,
}

/// Multiples of a point of G2.
pub(crate) struct G2Table {
    entries: Vec<blst_p2_affine>,
    window: u32,
}

impl G1Table {
    /// A table with windows of `window` bits, brought into the range from 4 to 6.
    pub(super) fn new(point: &G1, window: u32) -> Self {
        let window = window.clamp(4, 6);
        let mut points: Vec<G1> = Vec::with_capacity(Recoded::windows(window) << (window - 1));
        let mut base = point.clone();
        for _ in 0..Recoded::windows(window) {
            let mut entry = base.clone();
            for _ in 1..1 << (window - 1) {
                points.push(entry.clone());
                entry.add_assign(&base);
            }
            points.push(entry.clone());
            // The row ends at 2^(w-1) times its base: half of the next one.
            entry.double_assign();
            base = entry;
        }
        let references: Vec<&G1> = points.iter().collect();
        Self { entries: g1_to_affine(&references), window }
    }

    /// The point to a secret power, in constant time.
    pub(super) fn mul(&self, scalar: &Secret) -> G1 {
        let recoded = scalar.recode();
        let mut sum = G1::infinity();
        for (index, row) in self.entries.chunks_exact(1 << (self.window - 1)).enumerate() {
            let digit = recoded.digit(index, self.window);
            let mut entry = signed_g1(row, &digit);
            sum.add_affine_assign(&entry);
            entry.wipe();
        }
        sum
    }
}

impl G2Table {
    /// A table with windows of `window` bits, brought into the range from 4 to 6.
    pub(super) fn new(point: &G2, window: u32) -> Self {
        let window = window.clamp(4, 6);
        let mut points: Vec<G2> = Vec::with_capacity(Recoded::windows(window) << (window - 1));
        let mut base = point.clone();
        for _ in 0..Recoded::windows(window) {
            let mut entry = base.clone();
            for _ in 1..1 << (window - 1) {
                points.push(entry.clone());
                entry.add_assign(&base);
            }
            points.push(entry.clone());
            entry.double_assign();
            base = entry;
        }
        let references: Vec<&G2> = points.iter().collect();
        Self { entries: g2_to_affine(&references), window }
    }

    /// The point to a secret power, in constant time.
    pub(super) fn mul(&self, scalar: &Secret) -> G2 {
        let recoded = scalar.recode();
        let mut sum = G2::infinity();
        for (index, row) in self.entries.chunks_exact(1 << (self.window - 1)).enumerate() {
            let digit = recoded.digit(index, self.window);
            let mut entry = signed_g2(row, &digit);
            sum.add_affine_assign(&entry);
            entry.wipe();
        }
        sum
    }
}

/// The entry of a row that a digit stands for.
pub(super) fn signed_g1(row: &[blst_p1_affine], digit: &Digit) -> blst_p1_affine {
    let mut entry = choose(row, digit.magnitude);
    let y = &raw mut entry.y;
    // SAFETY: a live coordinate, which may be input and output. The negation is masked, and keeps zero.
    unsafe { blst::blst_fp_cneg(y, y, digit.is_negative()) };
    entry
}

/// The entry of a row that a digit stands for.
fn signed_g2(row: &[blst_p2_affine], digit: &Digit) -> blst_p2_affine {
    let mut entry = choose(row, digit.magnitude);
    let y = &raw mut entry.y;
    // SAFETY: as for `signed_g1`.
    unsafe { blst::blst_fp2_cneg(y, y, digit.is_negative()) };
    entry
}
