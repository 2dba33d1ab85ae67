//! The fixed bases of encapsulation, with tables of their multiples once those pay.
//!
//! A table costs as much as some dozen plain powers. A process that opens one file should not pay for it; a server
//! that seals all day should: so the first powers are worked out plainly, and then the table is made, once. A formula of
//! many rows uses the one many times and the other once, hence each counts for itself.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::backend::Backend;

/// Powers after which a table has paid for itself.
const USES_FOR_TABLE: u32 = 8;
/// Bits of the table of B; with more, reading every entry costs more than additions save.
const WINDOW: u32 = 6;

/// What encapsulation needs of the public parameters.
pub(crate) struct Base<B: Backend> {
    blind: B::G1,
    blind_table: Earned<B::G1Table>,
    pairing: B::Gt,
    pairing_table: Earned<B::GtTable>,
}

/// A table that is made once its uses pay for it.
struct Earned<T> {
    uses: AtomicU32,
    table: OnceLock<T>,
}

impl<B: Backend> Base<B> {
    /// B, hashed under a tag of its own (in the attributes' it would give `g1^alpha = sk3 / sk2[B]` away), and
    /// `e(g1,g2)^alpha`.
    pub(crate) fn new(blind: B::G1, pairing: B::Gt) -> Self {
        Self { blind, blind_table: Earned::new(), pairing, pairing_table: Earned::new() }
    }

    /// `B^exponent`, for each exponent.
    pub(crate) fn blind(&self, exponents: &[B::Secret]) -> Vec<B::G1> {
        match self.blind_table.after(exponents.len(), || B::g1_table(&self.blind, WINDOW)) {
            Some(table) => exponents.iter().map(|by| B::g1_table_mul_secret(table, by)).collect(),
            None => exponents.iter().map(|by| B::g1_mul_secret(&self.blind, by)).collect(),
        }
    }

    /// `(e(g1,g2)^alpha)^exponent`.
    pub(crate) fn pairing(&self, exponent: &B::Secret) -> B::Gt {
        match self.pairing_table.after(1, || B::gt_table(&self.pairing)) {
            Some(table) => B::gt_table_pow_secret(table, exponent),
            None => B::gt_pow_secret(&self.pairing, exponent),
        }
    }
}

impl<T> Earned<T> {
    const fn new() -> Self {
        Self { uses: AtomicU32::new(0), table: OnceLock::new() }
    }

    /// The table, if so many more uses make it pay.
    fn after(&self, uses: usize, make: impl FnOnce() -> T) -> Option<&T> {
        let uses = u32::try_from(uses).unwrap_or(USES_FOR_TABLE);
        let before = self.uses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| Some(sum.saturating_add(uses)));
        let sum = before.unwrap_or_else(|sum| sum).saturating_add(uses);
        // One maker at a time; the others wait for it, which is no longer than to do without.
        (sum > USES_FOR_TABLE).then(|| self.table.get_or_init(make))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Product;
    use crate::seed::{Draw, Draws};

    #[test]
    fn with_and_without_tables_are_equal() {
        let base = Base::<Product>::new(
            Product::hash_g1(b"tag", b"B"),
            Product::multi_pairing(&[(&Product::g1_generator(), &Product::g2_generator())]),
        );
        let draws = Draws::new(b"test", b"base");
        let exponents = || vec![draws.scalar(Draw::Secret, 0), draws.scalar(Draw::Secret, 1)];
        let all = |base: &Base<Product>| {
            let blinds = base.blind(&exponents());
            let pairing = base.pairing(&exponents()[0]);
            (Product::g1_to_bytes(&blinds.iter().collect::<Vec<_>>()), Product::gt_to_bytes(&pairing))
        };
        let first = all(&base);
        let made =
            |base: &Base<Product>| (base.blind_table.table.get().is_some(), base.pairing_table.table.get().is_some());
        assert_eq!(made(&base), (false, false), "three uses pay for no table");
        for _ in 0..4 {
            assert_eq!(all(&base), first);
        }
        assert_eq!(made(&base), (true, false), "ten powers of the one, five of the other");
        for _ in 0..4 {
            assert_eq!(all(&base), first);
        }
        assert_eq!(made(&base), (true, true));
    }
}
