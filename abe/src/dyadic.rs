//! Numbers as dyadic intervals: what turns a comparison into a question about single labels.
//!
//! A value of `b` bits has `b + 1` prefixes, from the whole range to itself. A range is covered by at most
//! `2 (b - 1)` prefixes (one for `b = 1`), and a value lies in it exactly if one of its own prefixes is among
//! those, and then exactly one. See Bethencourt, Sahai and Waters (2007), section 4.3, for bits one by one; prefixes
//! need one row where bits need up to `b`.

/// The widest value, in bits.
pub(crate) const MAX_BITS: u32 = 64;

/// The values of a width whose first `len` bits are `value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Prefix {
    /// Bits that are fixed: 0 is the whole range, the width one value.
    pub(crate) len: u32,
    /// Those bits, as a number below `2^len`.
    pub(crate) value: u64,
}

/// The greatest value of a width of 1 to 64 bits.
pub(crate) fn greatest(bits: u32) -> u64 {
    u64::MAX.checked_shr(MAX_BITS.saturating_sub(bits)).unwrap_or(0)
}

/// The `bits + 1` prefixes of a value, the shortest first. None if the value is wider than `bits`, or `bits` is not
/// 1 to 64: a key then lacks labels, which fails closed.
pub(crate) fn prefixes(value: u64, bits: u32) -> Vec<Prefix> {
    if !(1..=MAX_BITS).contains(&bits) || value > greatest(bits) {
        return Vec::new();
    }
    (0..=bits).map(|len| Prefix { len, value: value.checked_shr(bits - len).unwrap_or(0) }).collect()
}

/// The least prefixes that together are exactly `low..=high`, in ascending order. None if `low > high` or the range
/// does not fit into `bits`.
pub(crate) fn range(low: u64, high: u64, bits: u32) -> Vec<Prefix> {
    let mut cover = Vec::new();
    if !(1..=MAX_BITS).contains(&bits) || high > greatest(bits) {
        return cover;
    }
    // One bit more than the widest value, so that the end of the whole range is a number.
    let (mut next, end) = (u128::from(low), u128::from(high) + 1);
    while next < end {
        // The widest interval that begins here: aligned, and not beyond the end.
        let aligned = next.trailing_zeros().min(bits);
        let fits = (end - next).ilog2();
        let free = aligned.min(fits);
        cover.push(Prefix { len: bits - free, value: u64::try_from(next >> free).unwrap_or(u64::MAX) });
        next += 1 << free;
    }
    cover
}

#[cfg(test)]
mod tests;
