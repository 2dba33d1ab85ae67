//! The one file of this room that reads the system's clocks and random generator.

use std::time::{Duration, Instant};

use wardkeep_model::{Clock, Entropy, EntropyError, Timestamp};

/// Time that only goes on, whatever is done to the wall clock; counted from a moment of its own.
pub(crate) trait Steady: Send + Sync {
    /// The time since that moment.
    fn steady(&self) -> Duration;
}

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The monotonic clock. It may stand while the machine sleeps, which the wall clock does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemSteady(Instant);

/// The random generator of the cryptography library, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock comes from")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

impl SystemSteady {
    /// Counts from now.
    #[expect(clippy::disallowed_methods, reason = "this is where the clock comes from")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Steady for SystemSteady {
    fn steady(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        aws_lc_rs::rand::fill(out).map_err(|_| EntropyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_past_2020_and_chance_does_not_repeat() {
        assert!(SystemClock.now().millis() > 1_577_836_800_000);
        let (mut one, mut two) = ([0; 16], [0; 16]);
        SystemEntropy.fill(&mut one).unwrap();
        SystemEntropy.fill(&mut two).unwrap();
        assert_ne!(one, two);
    }

    #[test]
    fn the_steady_clock_never_goes_back() {
        let clock = SystemSteady::start();
        let looks: Vec<_> = std::iter::repeat_with(|| clock.steady()).take(1000).collect();
        assert!(looks.is_sorted(), "{looks:?}");
    }
}
