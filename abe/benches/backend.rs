//! The primitives of each backend, one by one. Run by hand, in about a minute and a half a backend:
//! `cargo bench -p wardkeep-abe --bench backend`, with `--features arkworks` for the second one.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may end on a failed expectation")]

// The room keeps its backends to itself; the benchmark compiles them once more, as its own module.
#[path = "../src/backend/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "its tests stay at home, and not every operation is measured"
)]
mod backend;

use std::hint::black_box;
use std::time::Duration;

use backend::{Backend, PublicScalar, SecretScalar, Trust, WIDE_BYTES};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};

const DST: &[u8] = b"WARDKEEP-BENCH-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";

fn secret<B: Backend>(seed: u8) -> B::Secret {
    B::Secret::from_wide(&[seed; WIDE_BYTES])
}

fn points<B: Backend>(count: u32) -> Vec<B::G1> {
    (0..count).map(|number| B::hash_g1(DST, &number.to_be_bytes())).collect()
}

fn in_g1<B: Backend>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let scalar = secret::<B>(0xa7);
    let point = B::hash_g1(DST, b"point");
    group.bench_function("hash to G1", |bench| bench.iter(|| B::hash_g1(DST, black_box(b"one hundred bytes or so"))));
    group.bench_function("G1 secret", |bench| bench.iter(|| B::g1_mul_secret(&point, &scalar)));
    for window in [4, 5, 6] {
        let table = B::g1_table(&point, window);
        let name = format!("G1 table {window}");
        group.bench_function(name, |bench| bench.iter(|| B::g1_table_mul_secret(black_box(&table), &scalar)));
    }
    group.bench_function("G1 table 4, made", |bench| bench.iter(|| B::g1_table(&point, 4)));
    for count in [1, 2, 4, 10, 32, 100] {
        let points = points::<B>(count);
        let references: Vec<&B::G1> = points.iter().collect();
        group.bench_function(format!("G1 secret, each of {count}"), |bench| {
            bench.iter(|| B::g1_mul_secret_each(&references, &scalar));
        });
    }
    for count in [2, 10, 32, 100] {
        let points = points::<B>(count);
        let references: Vec<&B::G1> = points.iter().collect();
        let third = B::Public::from_u64(3).invert().unwrap();
        let powers = vec![third; references.len()];
        group.bench_function(format!("G1 public, sum of {count}"), |bench| {
            bench.iter(|| B::g1_msm_public(&references, &powers));
        });
    }
}

fn in_g2_and_gt<B: Backend>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let scalar = secret::<B>(0xa7);
    let points = points::<B>(3);
    let right = B::g2_mul_gen_secret(&scalar);
    group.bench_function("G2 generator secret", |bench| bench.iter(|| B::g2_mul_gen_secret(&scalar)));
    for count in [1, 3] {
        let pairs: Vec<_> = points.iter().take(count).map(|left| (left, &right)).collect();
        group.bench_function(format!("pairing of {count}"), |bench| bench.iter(|| B::multi_pairing(&pairs)));
    }
    let element = B::multi_pairing(&[(&points[0], &right)]);
    let table = B::gt_table(&element);
    group.bench_function("GT secret", |bench| bench.iter(|| B::gt_pow_secret(&element, &scalar)));
    group.bench_function("GT table", |bench| bench.iter(|| B::gt_table_pow_secret(&table, &scalar)));
}

fn as_bytes<B: Backend>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let scalar = secret::<B>(0xa7);
    let points: Vec<B::G1> = points::<B>(100).iter().map(|point| B::g1_mul_secret(point, &scalar)).collect();
    let references: Vec<&B::G1> = points.iter().collect();
    group.bench_function("G1 to bytes", |bench| bench.iter(|| B::g1_to_bytes(&references[..1])));
    group.bench_function("G1 to bytes, 100", |bench| bench.iter(|| B::g1_to_bytes(&references)));
    let bytes = B::g1_to_bytes(&references)[0];
    let wide = B::g2_to_bytes(&[&B::g2_mul_gen_secret(&scalar)])[0];
    for (name, trust) in [("on the curve", Trust::OnCurveOnly), ("checked", Trust::Checked)] {
        group.bench_function(format!("G1 from bytes, {name}"), |bench| {
            bench.iter(|| B::g1_from_bytes(black_box(&bytes), trust).unwrap());
        });
        group.bench_function(format!("G2 from bytes, {name}"), |bench| {
            bench.iter(|| B::g2_from_bytes(black_box(&wide), trust).unwrap());
        });
    }
}

fn all_of<B: Backend>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group(name);
    in_g1::<B>(&mut group);
    in_g2_and_gt::<B>(&mut group);
    as_bytes::<B>(&mut group);
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    #[cfg(feature = "blst")]
    all_of::<backend::blst::Blst>(&mut criterion, "blst");
    #[cfg(feature = "arkworks")]
    all_of::<backend::ark::Ark>(&mut criterion, "arkworks");
    criterion.final_summary();
}
