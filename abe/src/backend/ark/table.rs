//! Multiples of a fixed point and powers of a fixed element. One entry of each row is looked up, and that in a time that
//! depends on the exponent, as everything does in this backend.

use ark_bls12_381::{Fq12, Fr};
use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, BigInteger, CyclotomicMultSubgroup, Field, PrimeField};

/// Bits of an exponent.
const EXPONENT_BITS: u32 = 256;
/// Window of the powers in GT, in bits.
const GT_WINDOW: u32 = 4;

/// Multiples of a point: row `i` of windows of `w` bits holds 1, 2, .. 2^w - 1 times `2^(w * i)` the point.
pub(crate) struct Table<C: CurveGroup> {
    entries: Vec<C::Affine>,
    window: u32,
}

/// Powers of an element of GT, likewise, in windows of four bits.
pub(crate) struct GtTable(Vec<Fq12>);

impl<C: CurveGroup<ScalarField = Fr>> Table<C> {
    /// A table with windows of `window` bits, brought into the range from 4 to 6.
    pub(super) fn new(point: C, window: u32) -> Self {
        let window = window.clamp(4, 6);
        let mut entries = Vec::new();
        let mut base = point;
        for _ in 0..EXPONENT_BITS.div_ceil(window) {
            let mut entry = base;
            for _ in 1..1 << window {
                entries.push(entry);
                entry += base;
            }
            // One beyond the row: the base of the next.
            base = entry;
        }
        Self { entries: C::normalize_batch(&entries), window }
    }

    /// The point to a power.
    pub(super) fn mul(&self, scalar: &Fr) -> C {
        let mut sum = C::ZERO;
        for (row, digit) in self.entries.chunks((1 << self.window) - 1).zip(digits(scalar, self.window)) {
            if let Some(entry) = digit.checked_sub(1).and_then(|index| row.get(index)) {
                sum += *entry;
            }
        }
        sum
    }
}

impl GtTable {
    pub(super) fn new(element: &Fq12) -> Self {
        let mut entries = Vec::new();
        let mut base = *element;
        for _ in 0..EXPONENT_BITS.div_ceil(GT_WINDOW) {
            let mut entry = base;
            for _ in 1..1 << GT_WINDOW {
                entries.push(entry);
                entry *= base;
            }
            base = entry;
        }
        Self(entries)
    }

    /// The element to a power.
    pub(super) fn pow(&self, scalar: &Fr) -> Fq12 {
        let mut product = Fq12::ONE;
        for (row, digit) in self.0.chunks((1 << GT_WINDOW) - 1).zip(digits(scalar, GT_WINDOW)) {
            if let Some(entry) = digit.checked_sub(1).and_then(|index| row.get(index)) {
                product *= entry;
            }
        }
        product
    }
}

/// The exponent in windows of so many bits, from the lowest.
fn digits(scalar: &Fr, window: u32) -> impl Iterator<Item = usize> {
    let bits = scalar.into_bigint().to_bits_le();
    let digit = |bits: &[bool]| bits.iter().rev().fold(0, |digit, bit| (digit << 1) | usize::from(*bit));
    let all: Vec<usize> = bits.chunks(window as usize).map(digit).collect();
    all.into_iter()
}

/// Whether an element is in the cyclotomic subgroup, of order p^4 - p^2 + 1, in which squarings and inverses are cheap.
pub(super) fn is_cyclotomic(element: &Fq12) -> bool {
    let square = element.frobenius_map(2);
    square.frobenius_map(2) * element == square
}

/// Whether an element has the group's order, or is one.
pub(super) fn in_group(element: &Fq12) -> bool {
    *element != Fq12::ZERO && is_cyclotomic(element) && element.cyclotomic_exp(Fr::MODULUS) == Fq12::ONE
}

#[cfg(test)]
mod tests {
    use ark_bls12_381::{G1Projective, G2Projective};
    use ark_ec::PrimeGroup;

    use super::*;

    fn scalars() -> Vec<Fr> {
        let small = (0..70u64).map(Fr::from);
        let large = (0..70u64).map(|number| -Fr::from(number));
        small.chain(large).chain([2, 3, 7].map(|number| Fr::from(number as u64).inverse().unwrap())).collect()
    }

    fn agrees<C: CurveGroup<ScalarField = Fr>>() {
        for window in [4, 5, 6] {
            let table = Table::<C>::new(C::generator(), window);
            for scalar in scalars() {
                assert_eq!(table.mul(&scalar), C::generator() * scalar, "{window} bits");
            }
        }
        assert_eq!(Table::<C>::new(C::ZERO, 4).mul(&Fr::from(9u64)), C::ZERO);
    }

    #[test]
    fn tables_agree_with_plain_multiplication() {
        agrees::<G1Projective>();
        agrees::<G2Projective>();
    }

    #[test]
    fn windows_cover_the_exponent() {
        for window in [4, 5, 6] {
            for scalar in scalars() {
                let base = Fr::from(1u64 << window);
                let all: Vec<usize> = digits(&scalar, window).collect();
                assert_eq!(all.len(), EXPONENT_BITS.div_ceil(window) as usize);
                let sum = all.iter().rev().fold(Fr::ZERO, |sum, digit| sum * base + Fr::from(*digit as u64));
                assert_eq!(sum, scalar, "{window} bits");
            }
        }
    }

    #[test]
    fn powers_agree_with_plain_ones() {
        use ark_ec::pairing::Pairing;
        let element = ark_bls12_381::Bls12_381::pairing(G1Projective::generator(), G2Projective::generator()).0;
        let table = GtTable::new(&element);
        for scalar in scalars().into_iter().step_by(9) {
            assert_eq!(table.pow(&scalar), element.pow(scalar.into_bigint()));
        }
        assert!(in_group(&element));
        assert!(in_group(&Fq12::ONE));
        assert!(!in_group(&Fq12::ZERO));
        assert!(!in_group(&(element + Fq12::ONE)));
        assert!(!in_group(&-element), "minus one is cyclotomic, and of order two");
    }
}
