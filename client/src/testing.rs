//! Time, chance and servers for this room's tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wardkeep_model::{Clock, Entropy, EntropyError, Timestamp};

use crate::system::Steady;

mod credentials;
mod keyserver;
mod publisher;
mod routes;
mod server;

pub(crate) use credentials::{Authority, Folder, now_millis};
pub(crate) use keyserver::{KeyServer, Vault};
pub(crate) use publisher::{Issue, NOW, Publisher, seed};
pub(crate) use server::{Reply, Seen, Server, mutual, open};

/// Both clocks; they stand until they are moved.
#[derive(Default)]
pub(crate) struct ManualClock {
    wall: AtomicU64,
    steady: AtomicU64,
}

/// Chance that fails.
pub(crate) struct BrokenEntropy;

/// Chance that always gives the same byte.
pub(crate) struct FixedEntropy(pub(crate) u8);

impl ManualClock {
    /// Both go on.
    pub(crate) fn advance(&self, by: Duration) {
        self.wall.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
        self.advance_steady(by);
    }

    /// The monotonic one alone goes on, as while somebody holds the wall clock.
    pub(crate) fn advance_steady(&self, by: Duration) {
        self.steady.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// The wall clock alone is set.
    pub(crate) fn set(&self, to: Timestamp) {
        self.wall.store(to.millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }
}

impl Steady for ManualClock {
    fn steady(&self) -> Duration {
        Duration::from_millis(self.steady.load(Ordering::SeqCst))
    }
}

impl Entropy for BrokenEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError)
    }
}

impl Entropy for FixedEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(self.0);
        Ok(())
    }
}
