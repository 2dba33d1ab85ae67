//! Time, chance and servers for this room's tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wardkeep_model::{Clock, Entropy, EntropyError, Timestamp};

mod credentials;
mod keyserver;
mod routes;
mod server;

pub(crate) use credentials::{Authority, Folder, now_millis};
pub(crate) use keyserver::KeyServer;
pub(crate) use server::{Reply, Seen, Server, mutual, open};

/// A clock that stands until it is moved.
#[derive(Default)]
pub(crate) struct ManualClock(AtomicU64);

/// Chance that always gives the same byte.
pub(crate) struct FixedEntropy(pub(crate) u8);

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn set(&self, to: Timestamp) {
        self.0.store(to.millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Entropy for FixedEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(self.0);
        Ok(())
    }
}
