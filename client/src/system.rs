//! The one file of this room that reads the system's clock and random generator.

use wardkeep_model::{Clock, Entropy, EntropyError, Timestamp};

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

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
}
