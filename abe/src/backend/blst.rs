//! The product's backend, over the raw interface of `blst` (audited, assembly, constant-time where we use it so).
//!
//! What is secret and what runs in variable time meet nowhere: [`msm`] holds the variable-time routines of blst (its
//! buckets and its bulk additions) and takes [`scalar::Public`] exponents alone; [`point`], [`table`], [`gt`] and
//! [`each`] take [`scalar::Secret`] ones and call nothing but blst's constant-time arithmetic.
//!
//! For points outside the subgroup, which ciphertexts may hold, multiplications yield *some* point of the curve: blst
//! uses an endomorphism that is right in the subgroup only. The transform refuses such ciphertexts afterwards.

mod bytes;
mod each;
mod field;
mod gt;
mod msm;
mod point;
mod scalar;
mod select;
mod split;
mod table;

use std::sync::OnceLock;

use super::{Backend, G1_BYTES, G2_BYTES, GT_BYTES, Trust};
use gt::{Gt, GtTable};
use point::{G1, G2};
use scalar::{Public, Secret};
use table::{G1Table, G2Table};

/// Window of the tables of the generators; with more bits, reading every entry costs more than additions save.
const GENERATOR_WINDOW: u32 = 6;

/// The group over `blst`.
#[derive(Debug, Clone, Copy)]
pub struct Blst;

impl Backend for Blst {
    type Secret = Secret;
    type Public = Public;
    type G1 = G1;
    type G2 = G2;
    type Gt = Gt;
    type G1Table = G1Table;
    type GtTable = GtTable;

    fn hash_g1(dst: &[u8], message: &[u8]) -> G1 {
        G1::hash(dst, message)
    }

    fn g1_mul_gen_secret(scalar: &Secret) -> G1 {
        static TABLE: OnceLock<G1Table> = OnceLock::new();
        TABLE.get_or_init(|| G1Table::new(&G1::generator(), GENERATOR_WINDOW)).mul(scalar)
    }

    fn g1_mul_secret(point: &G1, scalar: &Secret) -> G1 {
        point.mul_secret(scalar)
    }

    fn g1_mul_secret_each(points: &[&G1], scalar: &Secret) -> Vec<G1> {
        each::mul_each(points, scalar)
    }

    fn g1_table(point: &G1, window: u32) -> G1Table {
        G1Table::new(point, window)
    }

    fn g1_table_mul_secret(table: &G1Table, scalar: &Secret) -> G1 {
        table.mul(scalar)
    }

    fn g1_msm_public(points: &[&G1], scalars: &[Public]) -> G1 {
        msm::msm(points, scalars)
    }

    fn g1_add(left: &G1, right: &G1) -> G1 {
        let mut sum = left.clone();
        sum.add_assign(right);
        sum
    }

    fn g1_neg(point: &G1) -> G1 {
        point.negated()
    }

    fn g1_sum(points: &[&G1]) -> G1 {
        // Not blst's bulk addition: it saves little for so few points, and its time depends on how they meet.
        points.iter().fold(G1::infinity(), |mut sum, point| {
            sum.add_assign(point);
            sum
        })
    }

    fn g2_mul_gen_secret(scalar: &Secret) -> G2 {
        static TABLE: OnceLock<G2Table> = OnceLock::new();
        TABLE.get_or_init(|| G2Table::new(&G2::generator(), GENERATOR_WINDOW)).mul(scalar)
    }

    fn g2_add(left: &G2, right: &G2) -> G2 {
        let mut sum = left.clone();
        sum.add_assign(right);
        sum
    }

    fn g1_generator() -> G1 {
        G1::generator()
    }

    fn g2_generator() -> G2 {
        G2::generator()
    }

    fn multi_pairing(pairs: &[(&G1, &G2)]) -> Gt {
        Gt::multi_pairing(pairs)
    }

    fn gt_table(element: &Gt) -> GtTable {
        GtTable::new(element)
    }

    fn gt_table_pow_secret(table: &GtTable, scalar: &Secret) -> Gt {
        table.pow(scalar)
    }

    fn gt_pow_secret(element: &Gt, scalar: &Secret) -> Gt {
        element.pow(scalar)
    }

    fn g1_to_bytes(points: &[&G1]) -> Vec<[u8; G1_BYTES]> {
        bytes::g1_to_bytes(points)
    }

    fn g2_to_bytes(points: &[&G2]) -> Vec<[u8; G2_BYTES]> {
        bytes::g2_to_bytes(points)
    }

    fn gt_to_bytes(element: &Gt) -> [u8; GT_BYTES] {
        element.to_bytes()
    }

    fn g1_from_bytes(bytes: &[u8; G1_BYTES], trust: Trust) -> Option<G1> {
        bytes::g1_from_bytes(bytes, trust)
    }

    fn g2_from_bytes(bytes: &[u8; G2_BYTES], trust: Trust) -> Option<G2> {
        bytes::g2_from_bytes(bytes, trust)
    }

    fn gt_from_bytes(bytes: &[u8; GT_BYTES]) -> Option<Gt> {
        Gt::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    /// Every file of this backend that may call blst.
    const FILES: [(&str, &str); 9] = [
        ("bytes", include_str!("blst/bytes.rs")),
        ("each", include_str!("blst/each.rs")),
        ("field", include_str!("blst/field.rs")),
        ("gt", include_str!("blst/gt.rs")),
        ("msm", include_str!("blst/msm.rs")),
        ("point", include_str!("blst/point.rs")),
        ("scalar", include_str!("blst/scalar.rs")),
        ("split", include_str!("blst/split.rs")),
        ("table", include_str!("blst/table.rs")),
    ];

    /// What keeps secrets from blst's variable-time routines is that `msm` takes public exponents by type. That holds as
    /// long as these routines are called there and nowhere else, and `msm` knows no secret.
    #[test]
    fn variable_time_routines_stay_where_no_secret_is() {
        let variable_time = ["pippenger", "mult_wbits", "blst_p1s_add", "blst_p2s_add", "unchecked_mult"];
        for (name, text) in FILES {
            for routine in variable_time {
                assert!(name == "msm" || !text.contains(routine), "`{name}` calls `{routine}`");
            }
        }
        let (_, msm) = FILES[4];
        assert!(variable_time[..2].iter().all(|routine| msm.contains(routine)), "the list is of this library");
        assert!(!msm.contains("Secret"), "no secret gets there");
    }

    /// Every unsafe block with its reason, and no file with a licence that it does not need.
    #[test]
    fn unsafe_code_is_reasoned_for_file_by_file() {
        for (name, text) in FILES {
            let calls = text.contains("unsafe {");
            assert_eq!(calls, text.contains("#![expect(unsafe_code"), "`{name}`");
            assert!(text.matches("unsafe {").count() <= text.matches("SAFETY:").count(), "`{name}` says why");
        }
    }
}
