//! Covers that are one value too wide open to somebody, and one too narrow shut somebody out.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// The numbers of a prefix.
fn numbers(prefix: Prefix, bits: u32) -> (u64, u64) {
    let free = bits - prefix.len;
    let low = u128::from(prefix.value) << free;
    let high = low + (1 << free) - 1;
    (u64::try_from(low).unwrap(), u64::try_from(high).unwrap())
}

#[test]
fn every_range_of_small_widths_is_covered_exactly_and_by_few() {
    for bits in 1..=6u32 {
        let top = greatest(bits);
        let mut most = 0;
        for low in 0..=top {
            for high in low..=top {
                let cover = range(low, high, bits);
                most = most.max(cover.len());
                let of_cover: HashSet<Prefix> = cover.iter().copied().collect();
                for value in 0..=top {
                    let hits = prefixes(value, bits).iter().filter(|prefix| of_cover.contains(prefix)).count();
                    assert_eq!(
                        hits,
                        usize::from((low..=high).contains(&value)),
                        "{value} in {low}..={high}, {bits} bits"
                    );
                }
            }
        }
        // The bound is met: it is not a loose one.
        let bound = if bits == 1 { 1 } else { 2 * (bits as usize - 1) };
        assert_eq!(most, bound, "{bits} bits");
    }
}

#[test]
fn no_smaller_cover_exists() {
    // The least number of aligned intervals that make a range exactly, by trying all ways from its low end.
    fn least(low: u64, end: u64, bits: u32) -> usize {
        if low == end {
            return 0;
        }
        (0..=bits)
            .filter(|free| low.is_multiple_of(1 << free) && low + (1 << free) <= end)
            .map(|free| 1 + least(low + (1 << free), end, bits))
            .min()
            .unwrap()
    }
    for low in 0..16 {
        for high in low..16 {
            assert_eq!(range(low, high, 4).len(), least(low, high + 1, 4), "{low}..={high}");
        }
    }
}

#[test]
fn the_widest_values_neither_overflow_nor_wrap() {
    assert_eq!(greatest(64), u64::MAX);
    assert_eq!(greatest(1), 1);
    assert_eq!(range(0, u64::MAX, 64), [Prefix { len: 0, value: 0 }]);
    assert_eq!(range(u64::MAX, u64::MAX, 64), [Prefix { len: 64, value: u64::MAX }]);
    assert_eq!(range(1, u64::MAX - 1, 64).len(), 126);
    assert_eq!(prefixes(u64::MAX, 64).len(), 65);
    assert_eq!(prefixes(u64::MAX, 64).last(), Some(&Prefix { len: 64, value: u64::MAX }));
    assert_eq!(prefixes(5, 3).first(), Some(&Prefix { len: 0, value: 0 }));
}

#[test]
fn what_does_not_fit_gives_nothing() {
    assert!(prefixes(256, 8).is_empty() && !prefixes(255, 8).is_empty());
    assert!(range(0, 256, 8).is_empty() && !range(0, 255, 8).is_empty());
    assert!(range(4, 3, 8).is_empty());
    for bits in [0, 65, u32::MAX] {
        assert!(prefixes(0, bits).is_empty() && range(0, 0, bits).is_empty(), "{bits}");
    }
}

proptest! {
    #[test]
    fn a_value_is_in_a_range_exactly_if_one_of_its_prefixes_is(
        bits in 1u32..=64, a in any::<u64>(), b in any::<u64>(), near in any::<u64>(), offset in -2i128..=2, pick in 0..4
    ) {
        let fit = |number: u64| number & greatest(bits);
        let (low, high) = (fit(a).min(fit(b)), fit(a).max(fit(b)));
        // Mostly values beside an end, where covers break.
        let value = match pick {
            0 => fit(near),
            1 => fit(low.wrapping_add(offset as u64)),
            2 => fit(high.wrapping_add(offset as u64)),
            _ => low + (high - low) / 2,
        };
        let cover = range(low, high, bits);
        let own = prefixes(value, bits);
        prop_assert_eq!(own.len(), bits as usize + 1);
        let hits = own.iter().filter(|prefix| cover.contains(prefix)).count();
        prop_assert_eq!(hits, usize::from((low..=high).contains(&value)));
    }

    #[test]
    fn a_cover_is_the_range_in_order_without_gaps(bits in 1u32..=64, a in any::<u64>(), b in any::<u64>()) {
        let (a, b) = (a & greatest(bits), b & greatest(bits));
        let (low, high) = (a.min(b), a.max(b));
        let cover = range(low, high, bits);
        prop_assert!(cover.len() <= (2 * (bits as usize - 1)).max(1));
        let mut next = u128::from(low);
        for prefix in cover {
            let (first, last) = numbers(prefix, bits);
            prop_assert_eq!(u128::from(first), next);
            next = u128::from(last) + 1;
        }
        prop_assert_eq!(next, u128::from(high) + 1);
    }
}
