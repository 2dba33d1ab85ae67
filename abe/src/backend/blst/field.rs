//! The base field, as far as points in affine coordinates need it. blst's arithmetic in it is constant-time.
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use blst::blst_fp;
use zeroize::Zeroize;

use super::select::mask_if_equal;

/// An element of the base field, in Montgomery form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fp(pub(super) blst_fp);

impl Fp {
    pub(super) const ZERO: Self = Self(blst_fp { l: [0; 6] });

    /// From 48 bytes, big-endian, below the modulus.
    pub(super) fn from_bytes(bytes: &[u8; 48]) -> Self {
        let mut out = Self::ZERO;
        // SAFETY: 48 readable bytes and a live output.
        unsafe { blst::blst_fp_from_bendian(&raw mut out.0, bytes.as_ptr()) };
        out
    }

    pub(super) fn one() -> Self {
        let mut bytes = [0; 48];
        if let Some(last) = bytes.last_mut() {
            *last = 1;
        }
        Self::from_bytes(&bytes)
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let mut out = Self::ZERO;
        // SAFETY: three live elements, the first writable.
        unsafe { blst::blst_fp_add(&raw mut out.0, &raw const self.0, &raw const other.0) };
        out
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        let mut out = Self::ZERO;
        // SAFETY: three live elements, the first writable.
        unsafe { blst::blst_fp_sub(&raw mut out.0, &raw const self.0, &raw const other.0) };
        out
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        let mut out = Self::ZERO;
        // SAFETY: three live elements, the first writable.
        unsafe { blst::blst_fp_mul(&raw mut out.0, &raw const self.0, &raw const other.0) };
        out
    }

    pub(super) fn square(&self) -> Self {
        let mut out = Self::ZERO;
        // SAFETY: two live elements, the first writable.
        unsafe { blst::blst_fp_sqr(&raw mut out.0, &raw const self.0) };
        out
    }

    /// The negative where the flag is set; no branch on it.
    pub(super) fn negated_if(&self, flag: bool) -> Self {
        let mut out = Self::ZERO;
        // SAFETY: two live elements, the first writable.
        unsafe { blst::blst_fp_cneg(&raw mut out.0, &raw const self.0, flag) };
        out
    }

    /// The inverse, in constant time; zero of zero.
    pub(super) fn inverse(&self) -> Self {
        let mut out = Self::ZERO;
        // SAFETY: two live elements, the first writable.
        unsafe { blst::blst_fp_inverse(&raw mut out.0, &raw const self.0) };
        out
    }

    /// This element, or `one` in the place of zero; no branch on which.
    pub(super) fn or_one(&self, one: &Self) -> Self {
        let any = self.0.l.iter().fold(0, |any, limb| any | limb);
        let mask = mask_if_equal(any, 0);
        let mut out = *self;
        out.0.l.iter_mut().zip(one.0.l).for_each(|(into, from)| *into |= from & mask);
        out
    }

    pub(super) fn wipe(&mut self) {
        self.0.l.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u8) -> Fp {
        let mut bytes = [0; 48];
        bytes[47] = number;
        Fp::from_bytes(&bytes)
    }

    #[test]
    fn small_numbers() {
        assert_eq!(number(1), Fp::one());
        assert_eq!(number(0), Fp::ZERO);
        assert_eq!(number(3).add(&number(4)), number(7));
        assert_eq!(number(9).sub(&number(4)), number(5));
        assert_eq!(number(6).mul(&number(7)), number(42));
        assert_eq!(number(11).square(), number(121));
        assert_eq!(number(5).negated_if(true).add(&number(5)), Fp::ZERO);
        assert_eq!(number(5).negated_if(false), number(5));
        assert_eq!(Fp::ZERO.negated_if(true), Fp::ZERO, "no second form of zero");
        assert_eq!(number(7).inverse().mul(&number(7)), Fp::one());
        assert_eq!(Fp::ZERO.inverse(), Fp::ZERO);
    }

    #[test]
    fn one_in_the_place_of_zero_alone() {
        assert_eq!(Fp::ZERO.or_one(&Fp::one()), Fp::one());
        assert_eq!(number(9).or_one(&Fp::one()), number(9));
        // A single low or high limb is enough not to be zero.
        for limb in 0..6 {
            let mut element = Fp::ZERO;
            element.0.l[limb] = 1 << 63;
            assert_eq!(element.or_one(&Fp::one()), element, "limb {limb}");
        }
    }
}
