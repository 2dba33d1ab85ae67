//! Rates per identity, places for requests that run at once, and bounded dear work.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use wardkeep_model::Identity;

use super::problem::Fault;
use crate::config;

type Keyed<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// Requests that may run at once on the enrolment listener and dear verbs that may wait, where nobody says otherwise.
const DEAR: usize = 8;
/// Requests on the enrolment listener that may run at once.
const ENROLLING: usize = 32;
/// Identities or addresses whose rate is remembered before idle ones are forgotten.
const REMEMBERED: usize = 16_384;

/// What is left of an identity's rate, for the `RateLimit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Requests at once before the rate counts.
    pub limit: u32,
    /// How many of them are left.
    pub remaining: u32,
    /// Seconds until all of them are back.
    pub reset_seconds: u64,
}

/// Everything that bounds how much is done.
#[derive(Debug)]
pub struct Limits {
    identities: Option<(Keyed<Identity>, Quota)>,
    addresses: Keyed<IpAddr>,
    places: Arc<Semaphore>,
    enrolling: Semaphore,
    dear: Arc<Semaphore>,
}

impl Limits {
    /// Limits as configured.
    #[must_use]
    pub fn new(rate: &config::RateLimit, pools: &config::Pools) -> Self {
        let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
        let per_second = rate.requests_per_second.and_then(NonZeroU32::new);
        let identities = per_second.map(|rate| {
            let quota = Quota::per_second(rate).allow_burst(burst);
            (keyed(quota), quota)
        });
        let enrolments = NonZeroU32::new(rate.enrolments_per_minute).unwrap_or(NonZeroU32::MIN);
        Self {
            identities,
            addresses: keyed(Quota::per_minute(enrolments)),
            places: Arc::new(Semaphore::new(pools.cheap as usize)),
            enrolling: Semaphore::new(ENROLLING),
            dear: Arc::new(Semaphore::new(DEAR)),
        }
    }

    /// Counts a request of an identity; `None` where no rate is configured.
    ///
    /// # Errors
    /// [`Fault::RateLimited`]
    pub fn request(&self, identity: &Identity) -> Result<Option<Spent>, Fault> {
        let Some((limiter, quota)) = &self.identities else { return Ok(None) };
        let snapshot = limiter.check_key(identity).map_err(|not_until| Fault::RateLimited {
            wait: not_until.wait_time_from(DefaultClock::default().now()),
        })?;
        let remaining = snapshot.remaining_burst_capacity();
        let limit = quota.burst_size().get();
        let back = quota.replenish_interval().saturating_mul(limit.saturating_sub(remaining));
        Ok(Some(Spent { limit, remaining, reset_seconds: back.as_secs_f64().ceil() as u64 }))
    }

    /// Counts an enrolment from an address.
    ///
    /// # Errors
    /// How long to wait.
    pub fn enrolment(&self, address: IpAddr) -> Result<(), Duration> {
        let counted = self.addresses.check_key(&block(address));
        counted.map(|_| ()).map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }

    /// A place among the requests that run at once.
    ///
    /// # Errors
    /// [`Fault::Overloaded`], at once: a queue here would only make everybody late.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.places.clone().try_acquire_owned().map_err(|_| Fault::Overloaded)
    }

    /// A place among enrolments, which are nobody yet: they must not take the places of those who are somebody.
    ///
    /// # Errors
    /// [`Fault::Overloaded`]
    pub fn enrolling(&self) -> Result<SemaphorePermit<'_>, Fault> {
        self.enrolling.try_acquire().map_err(|_| Fault::Overloaded)
    }

    /// A place among dear work outside of the key service: checking bundles, walking the log, signing certificates.
    ///
    /// # Errors
    /// [`Fault::Overloaded`]
    pub fn dear(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.dear.clone().try_acquire_owned().map_err(|_| Fault::Overloaded)
    }

    /// Forgets the rates of who has been idle; for the scheduler.
    pub fn tidy(&self) {
        if let Some((limiter, _)) = &self.identities
            && limiter.len() > REMEMBERED
        {
            limiter.retain_recent();
        }
        if self.addresses.len() > REMEMBERED {
            self.addresses.retain_recent();
        }
    }
}

/// What one party is likely to hold: an IPv4 address, or a whole /64 of IPv6.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => std::net::Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
    }
}

fn keyed<K: std::hash::Hash + Eq + Clone>(quota: Quota) -> Keyed<K> {
    RateLimiter::dashmap(quota).with_middleware()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rate: Option<u32>, cheap: u32) -> Limits {
        let rate = config::RateLimit { requests_per_second: rate, burst: 2, enrolments_per_minute: 1 };
        Limits::new(&rate, &config::Pools { cheap, ..config::Pools::default() })
    }

    #[test]
    fn one_identity_cannot_spend_anothers_rate() {
        let limits = limits(Some(1), 1);
        let [ana, bob] = ["ana", "bob"].map(|name| Identity::new("a.test", "user", name).unwrap());
        let first = limits.request(&ana).unwrap().unwrap();
        assert_eq!((first.limit, first.remaining), (2, 1));
        assert!(limits.request(&ana).is_ok());
        assert!(matches!(limits.request(&ana), Err(Fault::RateLimited { wait }) if wait > Duration::ZERO));
        assert!(limits.request(&bob).is_ok());
    }

    #[test]
    fn no_rate_unless_configured_but_always_for_enrolment() {
        let limits = limits(None, 1);
        let ana = Identity::new("a.test", "user", "ana").unwrap();
        assert!((0..1000).all(|_| matches!(limits.request(&ana), Ok(None))));
        let address = IpAddr::from([192, 0, 2, 1]);
        assert!(limits.enrolment(address).is_ok());
        assert!(limits.enrolment(address).is_err());
        assert!(limits.enrolment(IpAddr::from([192, 0, 2, 2])).is_ok());
    }

    #[test]
    fn a_place_comes_back() {
        let limits = limits(None, 1);
        let place = limits.place().unwrap();
        assert!(limits.place().is_err());
        drop(place);
        assert!(limits.place().is_ok());
    }
}
