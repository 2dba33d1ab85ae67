//! The one place where the server reads the system's clock and its random generator, and what it asks of its process.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wardkeep_model::{Clock, Entropy, EntropyError, Timestamp};

/// What spans are counted from: the first time that somebody asked.
static STARTED: OnceLock<Instant> = OnceLock::new();

/// The system's clocks: the wall's, and the one that nobody sets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The random generator of aws-lc-rs, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the clock that everybody else takes as a parameter")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn elapsed_millis(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "the clock that everybody else takes as a parameter")]
        let since = STARTED.get_or_init(Instant::now).elapsed();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        aws_lc_rs::rand::fill(out).map_err(|_| EntropyError)
    }
}

/// Forbids this process to leave its memory behind when it crashes: keys stand in it. On Linux nobody of the same user
/// may attach to it or read its memory any more either; the machine's administrator may.
///
/// # Errors
/// The system refuses; a server goes on without.
pub fn forbid_core_dumps() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A core pattern that is a pipe does not ask the limit (core(5)); this it asks.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_2025_and_chance_differs() {
        assert!(SystemClock.now().seconds() > 1_735_689_600);
        let before = SystemClock.elapsed_millis();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let after = SystemClock.elapsed_millis();
        assert!(after > before && after < SystemClock.now().millis(), "counted from the start, not from 1970");
        let (mut first, mut second) = ([0_u8; 32], [0_u8; 32]);
        SystemEntropy.fill(&mut first).unwrap();
        SystemEntropy.fill(&mut second).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_crash_leaves_no_memory_behind() {
        forbid_core_dumps().unwrap();
        forbid_core_dumps().expect("a second server in this process");
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"], "{line}");
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
