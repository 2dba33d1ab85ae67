//! The bare operations of blst, from which the report adds up the floors of sealing, opening and key issue.
//!
//! `wardkeep-abe-floor RUNS POLICY..` prints `primitive operation policy value us`, a set of lines for each policy:
//! the name of the point beside which `benches/abe/run` calls it, so that a floor is of the same seconds as what is
//! held against it. No scheme, no cache, no allocation counts here: nothing that is built of these can be faster.

mod curve;
mod table;
mod target;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use curve::{G1, G2, Group};
use table::Table;
use target::Gt;

/// A sample lasts this long at least, so that the clock does not matter.
const SAMPLE_SECONDS: f64 = 3e-4;
/// An exponent without a pattern that an implementation could profit from; below the group's order.
const EXPONENT: [u8; 32] = [
    0xd3, 0x41, 0x9b, 0x7e, 0x26, 0xc5, 0x18, 0xf2, 0x6a, 0x93, 0x0d, 0xe7, 0x54, 0xbb, 0x21, 0x8c, 0x37, 0xfa, 0x62,
    0x0f, 0xa9, 0xd4, 0x75, 0x1e, 0xc8, 0x5b, 0x90, 0x3d, 0xe6, 0x47, 0xb1, 0x2c,
];
/// Points in a batch of which one inversion makes affine ones.
const BATCH: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((runs, policies)) = arguments.split_first().and_then(|(runs, rest)| Some((runs.parse().ok()?, rest)))
    else {
        eprintln!("usage: wardkeep-abe-floor RUNS POLICY..");
        return ExitCode::FAILURE;
    };
    let bench = Bench { runs };
    for policy in policies {
        bench.groups(policy);
        bench.pairings(policy);
        bench.bytes(policy);
    }
    ExitCode::SUCCESS
}

struct Bench {
    runs: usize,
}

impl Bench {
    /// Multiplications, tables and the hash.
    fn groups(&self, policy: &str) {
        let (p, q) = (G1::hash(b"p"), G2::generator().mul(&EXPONENT));
        let affine = p.to_affine();
        self.time("g1-mul", policy, || p.mul(&EXPONENT));
        self.time("g1-hash", policy, || G1::hash(b"authority|attribute|value"));
        self.time("g1-add", policy, || p.add_affine(&affine));
        let (six, four, six2) = (Table::new(&p, 6), Table::new(&p, 4), Table::new(&q, 6));
        self.time("g1-table6", policy, || six.mul(&EXPONENT));
        self.time("g1-table4", policy, || four.mul(&EXPONENT));
        self.time("g2-table6", policy, || six2.mul(&EXPONENT));
        let many = vec![p; BATCH];
        self.each("g1-affine-batched", policy, BATCH as f64, || curve::batch_to_affine(&many));
    }

    fn pairings(&self, policy: &str) {
        let (p, q) = (G1::hash(b"p").to_affine(), G2::generator().mul(&EXPONENT).to_affine());
        self.time("pairings-3", policy, || Gt::product(&[p; 3], &[q; 3]));
        let table = Gt::product(&[p], &[q]).table();
        self.time("gt-table4", policy, || table.pow(&EXPONENT));
    }

    /// Reading and writing of points, without the subgroup check: opening needs none.
    fn bytes(&self, policy: &str) {
        let (p, q) = (G1::hash(b"p"), G2::generator().mul(&EXPONENT));
        let (p_bytes, q_bytes) = (p.to_bytes(), q.to_bytes());
        self.time("g2-compress", policy, || q.to_bytes());
        self.time("g1-decompress", policy, || curve::g1_from_bytes(&p_bytes));
        self.time("g2-decompress", policy, || curve::g2_from_bytes(&q_bytes));
    }

    fn time<T>(&self, operation: &str, policy: &str, work: impl FnMut() -> T) {
        self.each(operation, policy, 1.0, work);
    }

    /// Prints the best of the samples; an operation that does `many` things at once is printed for one.
    fn each<T>(&self, operation: &str, policy: &str, many: f64, mut work: impl FnMut() -> T) {
        let start = Instant::now();
        black_box(work());
        let inner = (SAMPLE_SECONDS / start.elapsed().as_secs_f64().max(1e-8)).ceil().clamp(1.0, 20_000.0);
        let samples = (0..self.runs.max(1)).map(|_| {
            let start = Instant::now();
            (0..inner as usize).for_each(|_| drop(black_box(work())));
            start.elapsed().as_secs_f64() * 1e6 / inner / many
        });
        let best = samples.min_by(f64::total_cmp).unwrap_or(f64::NAN);
        println!("primitive {operation} {policy} {best:.3} us");
    }
}
