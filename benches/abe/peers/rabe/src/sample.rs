//! How often an operation runs, and what is printed of it.

use std::hint::black_box;
use std::time::Instant;

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
    pub(crate) fn from_arguments(arguments: &[String]) -> Result<(Self, &[String]), String> {
        let usage = || "usage: RUNS BUDGET_MS STOP_MS POLICY..".to_owned();
        let ([runs, budget, stop], names) = arguments.split_first_chunk::<3>().ok_or_else(usage)?;
        let runs = runs.parse().ok().filter(|runs| *runs > 0).ok_or_else(usage)?;
        let (budget_ms, stop_ms) = (budget.parse().map_err(|_| usage())?, stop.parse().map_err(|_| usage())?);
        Ok((Self { runs, budget_ms, stop_ms }, names))
    }

    /// Runs and times it; returns what it made last, and the microseconds of every run.
    pub(crate) fn sample<T>(&self, mut work: impl FnMut() -> Result<T, String>) -> Result<(T, Vec<f64>), String> {
        let begin = Instant::now();
        let mut times = Vec::with_capacity(self.runs);
        loop {
            let start = Instant::now();
            let made = black_box(work()?);
            times.push(start.elapsed().as_secs_f64() * 1e6);
            if times.len() >= self.runs || begin.elapsed().as_secs_f64() * 1e3 >= self.budget_ms {
                return Ok((made, times));
            }
        }
    }

    /// Prints the line of the best run and returns it in milliseconds.
    pub(crate) fn print(&self, peer: &str, metric: &str, policy: &str, times: &[f64]) -> f64 {
        let best = times.iter().copied().min_by(f64::total_cmp).unwrap_or(f64::NAN);
        println!("{peer} {metric} {policy} {best:.1} us");
        best / 1e3
    }
}
