//! The fixed bases of encapsulation, with tables of their multiples once those pay.
//!
//! A table costs as much as some dozen plain powers. A process that opens one file should not pay for it; a server
//! that seals all day should: so the first powers are worked out plainly, and then the table is made, once.

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
    pairing: B::Gt,
    tables: OnceLock<Tables<B>>,
    uses: AtomicU32,
}

struct Tables<B: Backend> {
    blind: B::G1Table,
    pairing: B::GtTable,
}

impl<B: Backend> Base<B> {
    /// B, hashed under a tag of its own (in the attributes' it would give `g1^alpha = sk3 / sk2[B]` away), and
    /// `e(g1,g2)^alpha`.
    pub(crate) fn new(blind: B::G1, pairing: B::Gt) -> Self {
        Self { blind, pairing, tables: OnceLock::new(), uses: AtomicU32::new(0) }
    }

    /// `B^exponent`, for each exponent.
    pub(crate) fn blind(&self, exponents: &[B::Secret]) -> Vec<B::G1> {
        match self.tables(exponents.len()) {
            Some(tables) => exponents.iter().map(|by| B::g1_table_mul_secret(&tables.blind, by)).collect(),
            None => exponents.iter().map(|by| B::g1_mul_secret(&self.blind, by)).collect(),
        }
    }

    /// `(e(g1,g2)^alpha)^exponent`.
    pub(crate) fn pairing(&self, exponent: &B::Secret) -> B::Gt {
        match self.tables(1) {
            Some(tables) => B::gt_table_pow_secret(&tables.pairing, exponent),
            None => B::gt_pow_secret(&self.pairing, exponent),
        }
    }

    /// The tables, if so many more uses make them pay.
    fn tables(&self, uses: usize) -> Option<&Tables<B>> {
        let uses = u32::try_from(uses).unwrap_or(USES_FOR_TABLE);
        let before = self.uses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| Some(sum.saturating_add(uses)));
        let sum = before.unwrap_or_else(|sum| sum).saturating_add(uses);
        // One maker at a time; the others wait for it, which is no longer than to do without.
        (sum > USES_FOR_TABLE).then(|| {
            self.tables
                .get_or_init(|| Tables { blind: B::g1_table(&self.blind, WINDOW), pairing: B::gt_table(&self.pairing) })
        })
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
        assert!(base.tables.get().is_none(), "three uses pay for no table");
        for _ in 0..8 {
            assert_eq!(all(&base), first);
        }
        assert!(base.tables.get().is_some());
    }
}
