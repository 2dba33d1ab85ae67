//! One entry of a table, chosen by a secret: every entry is read and masked, none is indexed.

use blst::{blst_fp, blst_fp2, blst_fp12, blst_p1_affine, blst_p2_affine};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

/// A plain record of limbs that can be gathered under masks and wiped.
pub(super) trait Limbs: Copy {
    /// Every limb zero. For an affine point that is blst's form of the point at infinity.
    fn zeroed() -> Self;
    /// Adds `entry` under `mask`, which is all ones or all zeros, to what was zero so far.
    fn gather(&mut self, entry: &Self, mask: u64);
    /// Zeroes every limb, also where the compiler sees no further use.
    fn wipe(&mut self);
}

impl Limbs for blst_fp {
    fn zeroed() -> Self {
        Self { l: [0; 6] }
    }

    #[inline]
    fn gather(&mut self, entry: &Self, mask: u64) {
        self.l.iter_mut().zip(&entry.l).for_each(|(into, from)| *into |= from & mask);
    }

    fn wipe(&mut self) {
        self.l.zeroize();
    }
}

impl Limbs for blst_fp2 {
    fn zeroed() -> Self {
        Self { fp: [blst_fp::zeroed(); 2] }
    }

    #[inline]
    fn gather(&mut self, entry: &Self, mask: u64) {
        self.fp.iter_mut().zip(&entry.fp).for_each(|(into, from)| into.gather(from, mask));
    }

    fn wipe(&mut self) {
        self.fp.iter_mut().for_each(Limbs::wipe);
    }
}

impl Limbs for blst_p1_affine {
    fn zeroed() -> Self {
        Self { x: blst_fp::zeroed(), y: blst_fp::zeroed() }
    }

    #[inline]
    fn gather(&mut self, entry: &Self, mask: u64) {
        self.x.gather(&entry.x, mask);
        self.y.gather(&entry.y, mask);
    }

    fn wipe(&mut self) {
        self.x.wipe();
        self.y.wipe();
    }
}

impl Limbs for blst_p2_affine {
    fn zeroed() -> Self {
        Self { x: blst_fp2::zeroed(), y: blst_fp2::zeroed() }
    }

    #[inline]
    fn gather(&mut self, entry: &Self, mask: u64) {
        self.x.gather(&entry.x, mask);
        self.y.gather(&entry.y, mask);
    }

    fn wipe(&mut self) {
        self.x.wipe();
        self.y.wipe();
    }
}

impl Limbs for blst_fp12 {
    fn zeroed() -> Self {
        // blst's own default of this type is one.
        let mut zero = Self::default();
        zero.fp6.iter_mut().flat_map(|fp6| &mut fp6.fp2).for_each(|fp2| *fp2 = blst_fp2::zeroed());
        zero
    }

    #[inline]
    fn gather(&mut self, entry: &Self, mask: u64) {
        for (into, from) in self.fp6.iter_mut().zip(&entry.fp6) {
            into.fp2.iter_mut().zip(&from.fp2).for_each(|(into, from)| into.gather(from, mask));
        }
    }

    fn wipe(&mut self) {
        self.fp6.iter_mut().flat_map(|fp6| &mut fp6.fp2).for_each(Limbs::wipe);
    }
}

/// All ones where the two are equal, else all zeros. `subtle` hides from the compiler that there are only two values,
/// without which it may turn masks back into branches.
#[inline]
pub(super) fn mask_if_equal(left: u64, right: u64) -> u64 {
    u64::conditional_select(&0, &u64::MAX, left.ct_eq(&right))
}

/// Entry `magnitude`, counted from one; all zeros for zero.
#[inline]
pub(super) fn choose<T: Limbs>(entries: &[T], magnitude: u64) -> T {
    let mut chosen = T::zeroed();
    for (number, entry) in (1u64..).zip(entries) {
        chosen.gather(entry, mask_if_equal(number, magnitude));
    }
    chosen
}

/// The masks of a choice that is made in many tables, zeroed on drop.
pub(super) struct Choices<const N: usize>([u64; N]);

impl<const N: usize> Choices<N> {
    /// The choice of entry `magnitude`, counted from one.
    pub(super) fn of(magnitude: u64) -> Self {
        let mut number = 0;
        Self([(); N].map(|()| {
            number += 1;
            mask_if_equal(number, magnitude)
        }))
    }

    /// The chosen entry.
    #[inline]
    pub(super) fn from<T: Limbs>(&self, entries: &[T; N]) -> T {
        let mut chosen = T::zeroed();
        self.0.iter().zip(entries).for_each(|(mask, entry)| chosen.gather(entry, *mask));
        chosen
    }
}

impl<const N: usize> Drop for Choices<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: u64) -> blst_p2_affine {
        let coordinate = |part: u64| blst_fp { l: std::array::from_fn(|i| number * 1000 + part * 10 + i as u64) };
        blst_p2_affine {
            x: blst_fp2 { fp: [coordinate(1), coordinate(2)] },
            y: blst_fp2 { fp: [coordinate(3), coordinate(4)] },
        }
    }

    /// Every limb of the chosen entry and none of its neighbours'.
    #[test]
    fn the_chosen_entry_comes_whole() {
        let entries: Vec<_> = (1..=32).map(numbered).collect();
        for number in 1..=32u64 {
            let chosen = choose(&entries, number);
            assert_eq!((chosen.x.fp, chosen.y.fp), (numbered(number).x.fp, numbered(number).y.fp), "entry {number}");
        }
    }

    /// Masks made once choose like those made on the way.
    #[test]
    fn one_choice_in_many_tables() {
        let entries: [_; 16] = std::array::from_fn(|index| numbered(index as u64 + 1));
        for number in 0..=17u64 {
            let (once, apart) = (Choices::of(number).from(&entries), choose(&entries, number));
            assert_eq!((once.x.fp, once.y.fp), (apart.x.fp, apart.y.fp), "entry {number}");
        }
    }

    /// The digit zero, and one beyond the table, choose nothing: the point at infinity.
    #[test]
    fn outside_the_table_is_all_zeros() {
        let entries: Vec<_> = (1..=8).map(numbered).collect();
        for number in [0, 9, u64::MAX] {
            let chosen = choose(&entries, number);
            assert_eq!((chosen.x.fp, chosen.y.fp), ([blst_fp::zeroed(); 2], [blst_fp::zeroed(); 2]));
        }
    }

    #[test]
    fn wiped_records_are_zero() {
        let mut point = numbered(7);
        point.wipe();
        assert_eq!((point.x.fp, point.y.fp), ([blst_fp::zeroed(); 2], [blst_fp::zeroed(); 2]));
        let mut element = blst_fp12::default();
        element.wipe();
        assert!(element.fp6.iter().flat_map(|fp6| fp6.fp2).all(|fp2| fp2.fp == [blst_fp::zeroed(); 2]));
    }

    #[test]
    fn masks_are_all_or_nothing() {
        assert_eq!(mask_if_equal(5, 5), u64::MAX);
        assert_eq!(mask_if_equal(5, 4), 0);
        assert_eq!(mask_if_equal(0, u64::MAX), 0);
    }
}
