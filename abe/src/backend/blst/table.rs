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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::tests::{exponents, g1, g2, point, secret, small};
    use crate::backend::{SecretScalar, blst::Blst};

    /// Every entry of every row is the multiple that its place says.
    #[test]
    fn entries_stand_where_the_digits_look() {
        let base = point::<Blst>("table");
        for window in [4, 5, 6] {
            let table = G1Table::new(&base, window);
            let width = 1 << (window - 1);
            assert_eq!(table.entries.len(), Recoded::windows(window) * width);
            let mut power = secret::<Blst>(&small(1));
            for (index, row) in table.entries.chunks_exact(width).enumerate() {
                // The ends of each row; the middle follows from sums of them, which every multiplication tests.
                for multiple in [1, width] {
                    let expected = base.mul_secret(&power.mul_small(multiple as u32));
                    let entry = G1::from_affine(&row[multiple - 1]);
                    assert_eq!(g1::<Blst>(&entry), g1::<Blst>(&expected), "{multiple} in row {index} of {window} bits");
                }
                power = power.mul_small(1 << window);
            }
        }
    }

    /// The sizes that the head of this file and the bounds of the cache of hashes speak of.
    #[test]
    fn sizes_are_as_documented() {
        for (window, kilobytes) in [(4, 49), (5, 80), (6, 132)] {
            let table = G1Table::new(&G1::generator(), window);
            assert_eq!((size_of_val(table.entries.as_slice()) + 500) / 1000, kilobytes);
        }
    }

    #[test]
    fn windows_outside_the_range_are_brought_into_it() {
        for (asked, used) in [(0, 4), (3, 4), (4, 4), (6, 6), (7, 6), (u32::MAX, 6)] {
            assert_eq!(G1Table::new(&G1::generator(), asked).window, used);
            assert_eq!(G2Table::new(&G2::generator(), asked).window, used);
        }
    }

    /// In G2 every window, against repeated addition and against one another at every boundary.
    #[test]
    fn tables_of_g2() {
        let tables = [4, 5, 6].map(|window| G2Table::new(&G2::generator(), window));
        let mut sum = G2::infinity();
        for number in 0..40 {
            let scalar = secret::<Blst>(&small(number));
            for table in &tables {
                assert_eq!(g2::<Blst>(&table.mul(&scalar)), g2::<Blst>(&sum), "{number}");
            }
            sum.add_assign(&G2::generator());
        }
        for bytes in exponents() {
            let scalar = secret::<Blst>(&bytes);
            let [first, second, third] = tables.each_ref().map(|table| g2::<Blst>(&table.mul(&scalar)));
            assert!(first == second && second == third, "{bytes:02x?}");
        }
    }

    /// Both signs of every digit, the point at infinity for zero.
    #[test]
    fn signs_are_taken_into_the_entry() {
        let table = G1Table::new(&G1::generator(), 4);
        let row = &table.entries[..8];
        for magnitude in 0..=8 {
            let plus = G1::from_affine(&signed_g1(row, &Digit { magnitude, negative: 0 }));
            let minus = G1::from_affine(&signed_g1(row, &Digit { magnitude, negative: 1 }));
            let expected = G1::generator().mul_secret(&secret::<Blst>(&small(magnitude)));
            assert_eq!(g1::<Blst>(&plus), g1::<Blst>(&expected));
            assert_eq!(g1::<Blst>(&minus), g1::<Blst>(&expected.negated()));
        }
    }
}
