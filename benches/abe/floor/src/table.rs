//! The fastest multiplication of a fixed point that is safe for a secret exponent: signed windows, an affine multiple
//! for each digit of each window, every entry of a row read. Six bits is the widest window that pays.

use std::hint::black_box;

use crate::curve::Group;

/// Multiples of a point: a row for each window, with 1, 2, .. 2^(w-1) times the window's weight.
pub(crate) struct Table<G: Group> {
    rows: Vec<Vec<G::Affine>>,
    window: usize,
}

impl<G: Group> Table<G> {
    pub(crate) fn new(point: &G, window: usize) -> Self {
        let mut weight = *point;
        let rows = (0..255 / window + 1)
            .map(|_| {
                let mut multiple = G::zero();
                let row = (0..1 << (window - 1)).map(|_| {
                    multiple = multiple.add(&weight);
                    multiple.to_affine()
                });
                let row = row.collect();
                (0..window).for_each(|_| weight = weight.double());
                row
            })
            .collect();
        Self { rows, window }
    }

    /// The point times a scalar of 32 bytes, little-endian, below 2^255.
    pub(crate) fn mul(&self, scalar: &[u8; 32]) -> G {
        let mut carry = 0;
        self.rows.iter().enumerate().fold(G::zero(), |sum, (index, row)| {
            let (magnitude, negative);
            (magnitude, negative, carry) = self.digit(scalar, index, carry);
            let mut entry = choose::<G>(row, magnitude);
            G::negate_if(&mut entry, negative);
            sum.add_affine(&entry)
        })
    }

    /// The digit of a window in -2^(w-1)+1 ..= 2^(w-1), as magnitude and sign, and the carry into the next. No branch
    /// on the scalar.
    fn digit(&self, scalar: &[u8; 32], index: usize, carry: u64) -> (u64, bool, u64) {
        let (at, base) = (index * self.window, 1_u64 << self.window);
        let byte = |offset: usize| scalar.get(at / 8 + offset).map_or(0, |byte| u64::from(*byte) << (8 * offset));
        let digit = ((byte(0) | byte(1)) >> (at % 8) & (base - 1)) + carry;
        // All ones where the digit is above half the base: then the base is borrowed from the next window.
        let above = black_box((base / 2).wrapping_sub(digit) >> 63).wrapping_neg();
        ((digit & !above) | (base.wrapping_sub(digit) & above), above != 0, above & 1)
    }
}

/// The entry of a magnitude; all zeros, the point at infinity, for 0. Reads every entry.
fn choose<G: Group>(row: &[G::Affine], magnitude: u64) -> G::Affine {
    let mut chosen = G::Affine::default();
    for (place, entry) in (1..).zip(row) {
        let mask = black_box(u64::from(place == magnitude)).wrapping_neg();
        for (word, of_entry) in G::words_mut(&mut chosen).iter_mut().zip(G::words(entry)) {
            *word |= of_entry & mask;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{G1, G2};

    #[test]
    fn tables_multiply_as_blst_does() {
        let (p, q) = (G1::hash(b"p"), G2::generator());
        let low = std::array::from_fn(|index| u8::from(index == 0));
        let top = std::array::from_fn(|index| if index == 31 { 0x7f } else { 0xff });
        for scalar in [crate::EXPONENT, [0; 32], [0x20; 32], low, top] {
            for window in [4, 5, 6] {
                assert_eq!(Table::new(&p, window).mul(&scalar).to_bytes(), p.mul(&scalar).to_bytes(), "{scalar:?}");
            }
            assert_eq!(Table::new(&q, 6).mul(&scalar).to_bytes(), q.mul(&scalar).to_bytes(), "{scalar:?}");
        }
    }
}
