//! The one place of this room that reads a clock of the machine: how long work took.
//!
//! Rates are printed, never decided on, so a monotonic stopwatch is enough here; everything that
//! decides takes a [`wardkeep_model::Clock`].

use std::time::{Duration, Instant};

/// A stopwatch, started when it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the room's system file")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Things a second since the start, for a count of things done; 0 before any time has passed.
    pub(crate) fn rate(self, count: u64) -> f64 {
        let seconds = self.elapsed().as_secs_f64();
        if seconds > 0.0 { as_f64(count) / seconds } else { 0.0 }
    }
}

/// A count as a floating-point number for a rate; exact below 2^53.
fn as_f64(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people; exact below 2^53")]
    let number = count as f64;
    number
}
