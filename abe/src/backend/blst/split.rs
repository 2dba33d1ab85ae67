//! A secret exponent in two halves, each in signed odd digits.
//!
//! The curve has an endomorphism that takes (x, y) to (beta x, -y) and is multiplication by z^2 in the subgroup, z the
//! parameter of BLS12-381 (Gallant, Lambert and Vanstone, CRYPTO 2001). An exponent k = k0 + k1 z^2 therefore costs the
//! doublings of 128 bits.
//!
//! Both halves are made odd by adding vectors of the lattice of pairs (a, b) with a + b z^2 = 0 modulo the order:
//! (-z^2, 1) where exactly one half is even, minus (1, z^2 - 1) where k0 is. An odd number has a form in digits
//! +-1, +-3, .. +-31 (Joye and Tunstall, AFRICACRYPT 2009): there is no digit zero, so that no addition meets the
//! point at infinity. Everything here is masks and arithmetic, without a branch on the exponent.

use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroize;

use super::scalar::Secret;

/// z^2.
const Z_SQUARED: u128 = 0xac45_a401_0001_a402_0000_0001_0000_0000;
/// Bits of a window.
const WINDOW: u32 = 5;
/// Windows of a half.
pub(super) const WINDOWS: usize = 26;
/// Entries of a table of odd multiples: 1, 3, .. 31.
pub(super) const ENTRIES: usize = 1 << (WINDOW - 1);

/// An odd digit: which entry of the table of odd multiples, and whether it is negative. Both secret.
#[derive(Clone, Copy)]
pub(super) struct OddDigit {
    /// From 1: `2 * entry - 1` is the digit without its sign.
    pub(super) entry: u64,
    /// Whether the digit is below zero.
    pub(super) negative: Choice,
}

/// One half, zeroed on drop: the number `2 half + 1`.
pub(super) struct Half {
    half: i128,
}

impl Drop for Half {
    fn drop(&mut self) {
        self.half.zeroize();
    }
}

impl Half {
    /// Digit `index` from the lowest, of [`WINDOWS`]. The digits' windows are those of `2^129 + half`, which is 130 bits
    /// and never negative; a window of value b stands for `2 b - 31`.
    pub(super) fn digit(&self, index: usize) -> OddDigit {
        let low = self.half.cast_unsigned();
        let high = 2 - (low >> 127);
        let start = index as u32 * WINDOW;
        // Of the last window, three bits stand in the low word and two above it.
        let above = if start + WINDOW > 128 { high << (128 - start) } else { 0 };
        let window = (((low >> start) | above) & 31) as u64;
        let positive = window >> 4;
        let mask = positive.wrapping_sub(1);
        OddDigit { entry: ((window ^ mask) & 15) + 1, negative: Choice::from(1 - positive as u8) }
    }
}

/// The halves of an exponent: `k = (2 first + 1) + (2 second + 1) z^2` modulo the order.
pub(super) fn split(scalar: &Secret) -> (Half, Half) {
    let plain = scalar.plain();
    let (mut second, mut first) = divide(&plain.0.b);
    let first_even = (1 - (first & 1)).cast_signed();
    let second_even = (1 - (second & 1)).cast_signed();
    let one_even = first_even ^ second_even;
    let half_z_squared = (Z_SQUARED >> 1).cast_signed();
    // Halved before anything is added, the sums stay below 2^127 on either side.
    let halves = (
        Half { half: (first >> 1).cast_signed() - first_even - (half_z_squared & -one_even) },
        Half { half: (second >> 1).cast_signed() - (half_z_squared & -first_even) + (first_even & (1 - second_even)) },
    );
    first.zeroize();
    second.zeroize();
    halves
}

/// Quotient and remainder by z^2 of 32 bytes, little-endian, below the order: one bit at a time, since a division of the
/// processor may take a time that depends on its operands. Once an exponent, however many points there are.
fn divide(little_endian: &[u8; 32]) -> (u128, u128) {
    let (mut quotient, mut remainder) = (0u128, 0u128);
    for byte in little_endian.iter().rev() {
        for bit in (0..8).rev() {
            let carry = (remainder >> 127) as u8;
            remainder = (remainder << 1) | u128::from((byte >> bit) & 1);
            let (less, borrow) = remainder.overflowing_sub(Z_SQUARED);
            let fits = carry | (1 - u8::from(borrow));
            remainder = u128::conditional_select(&remainder, &less, Choice::from(fits));
            quotient = (quotient << 1) | u128::from(fits);
        }
    }
    (quotient, remainder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::tests::{exponents, secret};
    use crate::backend::{SecretScalar, blst::Blst};

    /// `digits[0] + 32 digits[1] + ..`, as an exponent.
    fn value(half: &Half) -> Secret {
        let mut sum = Secret::zero();
        let one = secret::<Blst>(&crate::backend::tests::small(1));
        for index in (0..WINDOWS).rev() {
            let digit = half.digit(index);
            assert!((1..=ENTRIES as u64).contains(&digit.entry));
            let odd = one.mul_small(2 * digit.entry as u32 - 1);
            sum = sum.mul_small(32);
            sum = if bool::from(digit.negative) { sum.sub(&odd) } else { sum.add(&odd) };
        }
        sum
    }

    #[test]
    fn halves_and_their_digits_add_up() {
        for bytes in exponents() {
            let scalar = secret::<Blst>(&bytes);
            let (first, second) = split(&scalar);
            // Times z^2: four times 32 bits of it.
            let mut shifted = value(&second);
            let mut product = Secret::zero();
            for part in 0..4 {
                product = product.add(&shifted.mul_small((Z_SQUARED >> (32 * part)) as u32));
                shifted = shifted.mul_small(1 << 16).mul_small(1 << 16);
            }
            assert_eq!(value(&first).add(&product).reveal(), scalar.reveal(), "{bytes:02x?}");
            for half in [first.half, second.half] {
                assert!(half.unsigned_abs() < 1 << 127);
            }
        }
    }

    /// The argument by which no addition of the walk is exceptional needs digits that are small beside z^2, and numbers
    /// before the last window below 2^125.
    #[test]
    fn the_halves_are_as_short_as_the_argument_needs() {
        for bytes in exponents() {
            let (first, second) = split(&secret::<Blst>(&bytes));
            for half in [first, second] {
                let number = half.half.unsigned_abs() * 2 + 1;
                assert!(number <= Z_SQUARED + 3, "{number:x}");
                assert!(number >> WINDOW < 1 << 125);
            }
        }
    }

    #[test]
    fn division_at_its_boundaries() {
        let of = |number: u128, high: u128| {
            let mut bytes = [0; 32];
            bytes[..16].copy_from_slice(&number.to_le_bytes());
            bytes[16..].copy_from_slice(&high.to_le_bytes());
            divide(&bytes)
        };
        assert_eq!(of(0, 0), (0, 0));
        assert_eq!(of(Z_SQUARED - 1, 0), (0, Z_SQUARED - 1));
        assert_eq!(of(Z_SQUARED, 0), (1, 0));
        assert_eq!(of(Z_SQUARED + 1, 0), (1, 1));
        assert_eq!(of(u128::MAX, 0), (1, u128::MAX - Z_SQUARED));
        // 2^128 = z^2 + (2^128 - z^2).
        assert_eq!(of(0, 1), (1, 0u128.wrapping_sub(Z_SQUARED)));
        // The order less one: z^4 - z^2 = (z^2 - 1) z^2.
        let mut order = crate::backend::tests::ORDER;
        order.reverse();
        order[0] = 0;
        assert_eq!(divide(&order), (Z_SQUARED - 1, 0));
        order[0] = 1;
        assert_eq!(divide(&order), (Z_SQUARED - 1, 1));
    }
}
