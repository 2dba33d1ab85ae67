//! How often an operation runs, and what is printed of it.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock: that is its work")]

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use wardkeep_abe::Seed;

use crate::Fail;

/// Bounds of one point.
pub(crate) struct Limits {
    /// Runs of an operation at most.
    runs: usize,
    /// No further run begins after this long; one always does.
    budget_ms: f64,
    /// After a point slower than this, the larger ones are left out.
    pub(crate) stop_ms: f64,
}

impl Limits {
    /// Splits `RUNS BUDGET_MS STOP_MS POLICY..`.
    pub(crate) fn from_arguments(arguments: &[String]) -> Result<(Self, &[String]), Fail> {
        let usage = "usage: BACKEND RUNS BUDGET_MS STOP_MS POLICY..";
        let ([runs, budget, stop], names) = arguments.split_first_chunk::<3>().ok_or(usage)?;
        let runs = runs.parse().ok().filter(|runs| *runs > 0).ok_or(usage)?;
        Ok((Self { runs, budget_ms: budget.parse()?, stop_ms: stop.parse()? }, names))
    }

    /// Times `work`, each run on what `prepare` makes, which does not count; prints the best under
    /// `[peer, metric, policy]` and returns it in milliseconds.
    pub(crate) fn time<P, T>(
        &self,
        name: [&str; 3],
        prepare: impl FnMut() -> Result<P, Fail>,
        work: impl FnMut(&P) -> Result<T, Fail>,
    ) -> Result<f64, Fail> {
        self.time_each(1, name, prepare, work)
    }

    /// The same for work that does `many` things: prints the time of one of them.
    pub(crate) fn time_each<P, T>(
        &self,
        many: u32,
        [peer, metric, policy]: [&str; 3],
        mut prepare: impl FnMut() -> Result<P, Fail>,
        mut work: impl FnMut(&P) -> Result<T, Fail>,
    ) -> Result<f64, Fail> {
        let begin = Instant::now();
        let mut times = Vec::with_capacity(self.runs);
        while times.is_empty() || (times.len() < self.runs && begin.elapsed().as_secs_f64() * 1e3 < self.budget_ms) {
            let prepared = prepare()?;
            let start = Instant::now();
            let made = black_box(work(&prepared)?);
            times.push(start.elapsed().as_secs_f64() * 1e6);
            drop(made);
        }
        let best = times.iter().copied().min_by(f64::total_cmp).unwrap_or(f64::NAN);
        println!("{peer} {metric} {policy} {:.2} us", best / f64::from(many));
        Ok(best / 1e3)
    }
}

impl Limits {
    /// The best microseconds of each work, which take turns: whatever slows the machine slows all of them.
    pub(crate) fn in_turns(&self, works: &[impl Fn() -> bool]) -> Vec<f64> {
        let mut best = vec![f64::INFINITY; works.len()];
        for _ in 0..self.runs {
            for (best, work) in best.iter_mut().zip(works) {
                let start = Instant::now();
                black_box(work());
                *best = best.min(start.elapsed().as_secs_f64() * 1e6);
            }
        }
        best
    }
}

/// Another seed at every call; known to everybody, as nothing but time depends on it.
pub(crate) fn seed() -> Seed {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Seed::new(std::array::from_fn(|index| count.get(index).copied().unwrap_or(0x5a)))
}

/// The same as bytes for what asks for a source of randomness.
#[cfg(feature = "blst")]
pub(crate) fn random(out: &mut [u8]) -> Result<(), wardkeep_envelope::RandomFailed> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    out.iter_mut().zip(count.iter().cycle()).for_each(|(byte, part)| *byte = *part);
    Ok(())
}
