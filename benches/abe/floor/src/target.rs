//! GT: products of pairings, and powers of a fixed element by a table.
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use std::hint::black_box;

use blst::*;

/// Entries of a row: windows of four bits, unsigned.
const ROW: usize = 16;
const WORDS: usize = size_of::<blst_fp12>() / size_of::<u64>();

/// An element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Gt(blst_fp12);

/// Its powers: 64 rows.
pub(crate) struct GtTable(Vec<[blst_fp12; ROW]>);

impl Gt {
    /// A product of as many pairings as there are points on the shorter side, with one final exponentiation.
    pub(crate) fn product(left: &[blst_p1_affine], right: &[blst_p2_affine]) -> Self {
        let lefts: Vec<*const blst_p1_affine> = left.iter().map(std::ptr::from_ref).collect();
        let rights: Vec<*const blst_p2_affine> = right.iter().map(std::ptr::from_ref).collect();
        let (mut product, mut out) = (blst_fp12::default(), blst_fp12::default());
        // SAFETY: as many pointers to live points on each side as the length says.
        unsafe {
            blst_miller_loop_n(&mut product, rights.as_ptr(), lefts.as_ptr(), lefts.len().min(rights.len()));
            blst_final_exp(&mut out, &product);
        }
        Self(out)
    }

    pub(crate) fn table(&self) -> GtTable {
        let mut weight = self.0;
        let rows = (0..64).map(|_| {
            let mut power = blst_fp12::default();
            let row = std::array::from_fn(|_| {
                let next = times(&power, &weight);
                std::mem::replace(&mut power, next)
            });
            weight = power;
            row
        });
        GtTable(rows.collect())
    }
}

impl GtTable {
    /// The element to the power of 32 bytes, little-endian; every entry of a row is read.
    pub(crate) fn pow(&self, scalar: &[u8; 32]) -> Gt {
        let digits = scalar.iter().flat_map(|byte| [byte & 15, byte >> 4]);
        Gt(self
            .0
            .iter()
            .zip(digits)
            .fold(blst_fp12::default(), |power, (row, digit)| times(&power, &choose(row, digit))))
    }
}

fn times(left: &blst_fp12, right: &blst_fp12) -> blst_fp12 {
    let mut out = blst_fp12::default();
    // SAFETY: live elements.
    unsafe { blst_fp12_mul(&mut out, left, right) };
    out
}

fn choose(row: &[blst_fp12; ROW], digit: u8) -> blst_fp12 {
    let mut chosen = [0_u64; WORDS];
    for (place, entry) in (0_u8..).zip(row) {
        let mask = black_box(u64::from(place == digit)).wrapping_neg();
        // SAFETY: the type is an array of 64-bit limbs in a C layout, without padding.
        let words = unsafe { &*std::ptr::from_ref(entry).cast::<[u64; WORDS]>() };
        chosen.iter_mut().zip(words).for_each(|(word, of_entry)| *word |= of_entry & mask);
    }
    // SAFETY: as above; every value of the words is a value of the type.
    unsafe { std::mem::transmute::<[u64; WORDS], blst_fp12>(chosen) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{G1, G2, Group};

    #[test]
    fn a_power_of_a_pairing_is_the_pairing_of_a_multiple() {
        let (p, q) = (G1::hash(b"p"), G2::generator().to_affine());
        let power = Gt::product(&[p.to_affine()], &[q]).table().pow(&crate::EXPONENT);
        assert_eq!(power, Gt::product(&[p.mul(&crate::EXPONENT).to_affine()], &[q]));
    }
}
