//! The door: what strangers may hold before anybody knows who they are, and how much one address may hold at all.
//!
//! Without it whoever opens sockets and says nothing holds all places of a listener, five seconds each, at no cost to
//! himself. When strangers have filled theirs, the next one still comes in, and the oldest of the address that holds
//! most of them is closed: who shuts the door in everybody's face with a few hundred silent sockets a second would be
//! the attacker again. So a flood from one address pushes out itself, and an honest handshake is over before its turn.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;

/// At most one line about closed connections in this time: a flood must not become a flood of lines.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Why a connection was closed before it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// Too many have not said who they are.
    Handshakes,
    /// Its address holds too many already.
    Address,
}

impl Turned {
    /// A stable word for logs and metrics.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Handshakes => "too-many-handshakes",
            Self::Address => "too-many-of-address",
        }
    }
}

/// Counts of one listener.
#[derive(Debug, Default)]
pub(super) struct Door(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Who has not said who they are, in the order in which they came.
    strangers: BTreeMap<u64, Stranger>,
    next: u64,
    /// An entry goes with its last connection, so that there are never more of them than connections.
    addresses: HashMap<IpAddr, u32>,
    told: Option<Instant>,
    untold: u64,
}

#[derive(Debug)]
struct Stranger {
    remote: SocketAddr,
    cut: CancellationToken,
}

/// A connection that came in. Its place is free again when this is dropped, however its task ends.
#[derive(Debug)]
pub(super) struct Entered {
    door: Arc<Door>,
    address: IpAddr,
    number: u64,
    /// Cancelled when it has to make room, which ends with its being known.
    pub(super) cut: CancellationToken,
}

impl Door {
    /// Lets a connection in, and says which had to make room for it. Bounds are those of this moment, so that a reload
    /// counts.
    ///
    /// # Errors
    /// [`Turned::Address`]
    pub(super) fn enter(
        self: &Arc<Self>,
        remote: SocketAddr,
        limits: &Limits,
    ) -> Result<(Entered, Vec<SocketAddr>), Turned> {
        let address = block(remote.ip());
        let mut state = self.lock();
        let held = state.addresses.get(&address).copied().unwrap_or(0);
        if held >= limits.connections_per_address {
            return Err(Turned::Address);
        }
        let most = usize::try_from(limits.handshakes).unwrap_or(usize::MAX);
        let mut gone = Vec::new();
        while state.strangers.len() >= most
            && let Some(stranger) = state.make_room()
        {
            stranger.cut.cancel();
            gone.push(stranger.remote);
        }
        let (number, cut) = (state.next, CancellationToken::new());
        state.next = number.wrapping_add(1);
        state.addresses.insert(address, held + 1);
        state.strangers.insert(number, Stranger { remote, cut: cut.clone() });
        drop(state);
        Ok((Entered { door: self.clone(), address, number, cut }, gone))
    }

    /// Whether it is time for a line, and how many were closed since the last one, this one with them.
    pub(super) fn tell(&self, now: Instant) -> Option<u64> {
        let mut state = self.lock();
        state.untold = state.untold.saturating_add(1);
        if state.told.is_some_and(|last| now.duration_since(last) < TOLD_EVERY) {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.untold))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the oldest stranger of the address that has most of them; of two such addresses, the older stranger.
    fn make_room(&mut self) -> Option<Stranger> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for stranger in self.strangers.values() {
            *counts.entry(block(stranger.remote.ip())).or_default() += 1;
        }
        let most = counts.values().copied().max()?;
        let crowded = |stranger: &Stranger| counts.get(&block(stranger.remote.ip())) == Some(&most);
        let oldest = self.strangers.iter().find(|(_, stranger)| crowded(stranger)).map(|(number, _)| *number)?;
        self.strangers.remove(&oldest)
    }
}

impl Entered {
    /// The connection has said who it is, or begun to ask: it no longer takes a stranger's place.
    pub(super) fn known(&self) {
        self.door.lock().strangers.remove(&self.number);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut state = self.door.lock();
        state.strangers.remove(&self.number);
        let left = state.addresses.get(&self.address).map_or(0, |held| held.saturating_sub(1));
        if left == 0 {
            state.addresses.remove(&self.address);
        } else {
            state.addresses.insert(self.address, left);
        }
    }
}

/// What one party is likely to hold: an IPv4 address, or a whole /64 of IPv6.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests;
