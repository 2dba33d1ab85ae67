//! Exponents: integers modulo the group order, kept in Montgomery form, and their windows.
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use blst::{blst_fr, blst_scalar};
use zeroize::Zeroize;

use crate::backend::{PublicScalar, SecretScalar, WIDE_BYTES};

/// A secret exponent. blst's arithmetic modulo the order is constant-time; the limbs are zeroed on drop.
pub(crate) struct Secret(blst_fr);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.l.zeroize();
    }
}

impl Secret {
    /// The exponent as a plain integer, cut for signed windows.
    pub(super) fn recode(&self) -> Recoded {
        let plain = Plain::of(&self.0);
        Recoded::new(&plain.0.b)
    }

    /// The exponent as a plain integer.
    pub(super) fn plain(&self) -> Plain {
        Plain::of(&self.0)
    }
}

impl SecretScalar for Secret {
    fn from_wide(bytes: &[u8; WIDE_BYTES]) -> Self {
        let mut plain = Plain::default();
        let mut out = Self::zero();
        // SAFETY: both outputs are live and writable, the input has `WIDE_BYTES` bytes. The answer only says whether
        // the result is zero, which is a legal exponent here.
        unsafe {
            blst::blst_scalar_from_be_bytes(&raw mut plain.0, bytes.as_ptr(), bytes.len());
            blst::blst_fr_from_scalar(&raw mut out.0, &raw const plain.0);
        }
        out
    }

    fn zero() -> Self {
        Self(blst_fr::default())
    }

    fn duplicate(&self) -> Self {
        Self(self.0)
    }

    fn add(&self, other: &Self) -> Self {
        let mut out = Self::zero();
        // SAFETY: three live scalars, the first writable; inputs are reduced, as every value of this type is.
        unsafe { blst::blst_fr_add(&raw mut out.0, &raw const self.0, &raw const other.0) };
        out
    }

    fn sub(&self, other: &Self) -> Self {
        let mut out = Self::zero();
        // SAFETY: as for `add`.
        unsafe { blst::blst_fr_sub(&raw mut out.0, &raw const self.0, &raw const other.0) };
        out
    }

    fn mul_small(&self, factor: u32) -> Self {
        let factor = Public::from_u64(u64::from(factor));
        let mut out = Self::zero();
        // SAFETY: as for `add`.
        unsafe { blst::blst_fr_mul(&raw mut out.0, &raw const self.0, &raw const factor.0) };
        out
    }

    #[cfg(test)]
    fn reveal(&self) -> [u8; 32] {
        let plain = self.plain();
        std::array::from_fn(|i| plain.0.b[31 - i])
    }
}

/// A public exponent, such as a Lagrange coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Public(blst_fr);

impl Public {
    /// 32 bytes, little-endian, as blst's variable-time multiplications read them.
    pub(super) fn to_little_endian(self) -> [u8; 32] {
        Plain::of(&self.0).0.b
    }

    /// Whether it is one: the coefficient of every AND and OR.
    pub(super) fn is_one(self) -> bool {
        self == Self::from_u64(1)
    }
}

impl PublicScalar for Public {
    fn from_u64(number: u64) -> Self {
        let limbs = [number, 0, 0, 0];
        let mut out = blst_fr::default();
        // SAFETY: four live limbs below the order, and a live output.
        unsafe { blst::blst_fr_from_uint64(&raw mut out, limbs.as_ptr()) };
        Self(out)
    }

    fn sub(self, other: Self) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: three live scalars, the first writable.
        unsafe { blst::blst_fr_sub(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    fn mul(self, other: Self) -> Self {
        let mut out = blst_fr::default();
        // SAFETY: three live scalars, the first writable.
        unsafe { blst::blst_fr_mul(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    fn invert(self) -> Option<Self> {
        if self.0 == blst_fr::default() {
            return None;
        }
        let mut out = blst_fr::default();
        // SAFETY: a live input that is not zero, and a live output.
        unsafe { blst::blst_fr_eucl_inverse(&raw mut out, &raw const self.0) };
        Some(Self(out))
    }
}

/// A plain integer below the order, 32 bytes little-endian. blst's own type zeroes itself on drop.
#[derive(Default)]
pub(super) struct Plain(pub(super) blst_scalar);

impl Plain {
    fn of(montgomery: &blst_fr) -> Self {
        let mut plain = Self::default();
        // SAFETY: a live input and a live output of the sizes blst expects.
        unsafe { blst::blst_scalar_from_fr(&raw mut plain.0, montgomery) };
        plain
    }
}

/// A plain integer, shifted left by one, out of which signed windows are read. Zeroed on drop.
///
/// Booth's recoding: window `i` of `w` bits looks at the bits from `w * i - 1` to `w * i + w - 1` and stands for a digit
/// between `-2^(w-1)` and `2^(w-1)`, so that a table needs half the entries. Positions are public, values are only masked.
pub(super) struct Recoded([u64; 5]);

impl Drop for Recoded {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A digit of an exponent: its size, and whether it is negative. Both secret.
pub(super) struct Digit {
    /// From 0 to `2^(w-1)`.
    pub(super) magnitude: u64,
    /// 0 or 1.
    pub(super) negative: u64,
}

impl Digit {
    /// The sign, for blst's masked negations.
    pub(super) fn is_negative(&self) -> bool {
        subtle::Choice::from((self.negative & 1) as u8).into()
    }
}

impl Recoded {
    fn new(little_endian: &[u8; 32]) -> Self {
        let mut limbs = [0u64; 5];
        let mut carry = 0;
        let (words, _) = little_endian.as_chunks::<8>();
        for (limb, word) in limbs.iter_mut().zip(words) {
            let mut value = u64::from_le_bytes(*word);
            *limb = (value << 1) | carry;
            carry = value >> 63;
            value.zeroize();
        }
        // Below the order there are 255 bits: nothing is carried out of the fourth limb.
        Self(limbs)
    }

    /// How many windows cover a 255-bit exponent, the bit that tells the top window's sign included.
    pub(super) const fn windows(bits: u32) -> usize {
        256_u32.div_ceil(bits) as usize
    }

    /// Digit `index` in windows of `bits` bits.
    pub(super) fn digit(&self, index: usize, bits: u32) -> Digit {
        let start = index * bits as usize;
        let low = self.0.get(start / 64).copied().unwrap_or(0);
        let high = self.0.get(start / 64 + 1).copied().unwrap_or(0);
        let both = (u128::from(high) << 64) | u128::from(low);
        let window = (both >> (start % 64)) as u64 & ((1 << (bits + 1)) - 1);
        let negative = window >> bits;
        let mask = 0u64.wrapping_sub(negative);
        let rounded = (window + 1) >> 1;
        Digit { magnitude: (rounded ^ mask).wrapping_sub(mask) & ((1 << bits) - 1), negative }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digits of every window add up to the number again, whatever its bits.
    #[test]
    fn windows_add_up_to_the_number() {
        let order_less_one = {
            let mut bytes = [0u8; WIDE_BYTES];
            bytes[WIDE_BYTES - 1] = 1;
            Secret::zero().sub(&Secret::from_wide(&bytes))
        };
        let ones = Secret::from_wide(&[0xff; WIDE_BYTES]);
        let alternating = Secret::from_wide(&[0xaa; WIDE_BYTES]);
        for secret in [Secret::zero(), order_less_one, ones, alternating] {
            for bits in [4, 5, 6] {
                let recoded = secret.recode();
                let base = Public::from_u64(1 << bits);
                let mut sum = Public::from_u64(0);
                for index in (0..Recoded::windows(bits)).rev() {
                    let digit = recoded.digit(index, bits);
                    assert!(digit.magnitude <= 1 << (bits - 1), "window {index} of {bits} bits: {}", digit.magnitude);
                    let negated = Public::from_u64(0).sub(Public::from_u64(digit.magnitude));
                    let signed = if digit.negative == 1 { negated } else { Public::from_u64(digit.magnitude) };
                    sum = sum.mul(base).sub(Public::from_u64(0).sub(signed));
                }
                let mut expected = sum.to_little_endian();
                expected.reverse();
                assert_eq!(secret.reveal(), expected, "{bits} bits");
            }
        }
    }

    #[test]
    fn the_top_window_is_never_negative() {
        let largest = Secret::zero().sub(&Secret::zero().duplicate()).sub(&{
            let mut one = [0u8; WIDE_BYTES];
            one[WIDE_BYTES - 1] = 1;
            Secret::from_wide(&one)
        });
        for bits in [4, 5, 6] {
            assert_eq!(largest.recode().digit(Recoded::windows(bits) - 1, bits).negative, 0, "{bits} bits");
        }
    }

    #[test]
    fn a_dropped_secret_leaves_zeros() {
        let mut place = std::mem::ManuallyDrop::new(Secret::from_wide(&[0x5a; WIDE_BYTES]));
        let limbs: *const [u64; 4] = &raw const place.0.l;
        // SAFETY: the place lives to the end of the test and is not used as a `Secret` after its drop; its limbs are
        // plain integers and stay readable.
        let (before, after) = unsafe {
            let before = limbs.read_volatile();
            std::mem::ManuallyDrop::drop(&mut place);
            (before, limbs.read_volatile())
        };
        assert_ne!(before, [0; 4]);
        assert_eq!(after, [0; 4]);
    }

    #[test]
    fn dropped_windows_leave_zeros() {
        let mut place = std::mem::ManuallyDrop::new(Secret::from_wide(&[0x5a; WIDE_BYTES]).recode());
        let limbs: *const [u64; 5] = &raw const place.0;
        // SAFETY: as above.
        let (before, after) = unsafe {
            let before = limbs.read_volatile();
            std::mem::ManuallyDrop::drop(&mut place);
            (before, limbs.read_volatile())
        };
        assert_ne!(before, [0; 5]);
        assert_eq!(after, [0; 5]);
    }
}
