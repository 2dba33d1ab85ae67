//! The accept loop: from a listening socket to requests with a [`Peer`] in their extensions.
//!
//! `axum::serve` sets no header timer, and hyper-util's auto builder waits for ever for a first byte; so the loop is
//! our own, and the HTTP version comes from ALPN alone. What may wait, and for how long:
//!
//! | wait | bound | held by |
//! |---|---|---|
//! | strangers, connections of one address | `handshakes`, `connections_per_address` | [`door`]: closed unheard |
//! | TLS handshake | `handshake_millis` | a timeout around it |
//! | first byte | `first_byte_millis` | a timeout before HTTP starts |
//! | headers, HTTP/2 frames | `headers_millis` | [`watch`], [`frames`] and the sweep |
//! | body | `body_millis` | [`body`] |
//! | whole request | `request_millis` | a timeout around the handler, the sweep for its answer |
//! | idle, age | `idle_millis`, `connection_age_millis` | the sweep: ended in good order |
//! | revocation | under a second | the sweep, woken at once; and a check at every request |

mod body;
mod connection;
mod door;
mod frames;
mod live;
mod request;
#[cfg(test)]
mod tests;
mod trace;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wardkeep_model::Clock;

pub use body::{BodyError, TimedBody};

use crate::config::Limits;
use crate::peer::PeerRules;
use crate::revocation::Revoked;
use crate::telemetry::{ListenerMetrics, Metrics};
use crate::tls::TlsSlot;
use door::{Door, Entered, Turned};
use live::{Cut, Registry};

/// First and longest pause after a failed accept: without it, running out of file handles spins a core.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How a listener's connections are secured.
#[derive(Debug, Clone)]
pub enum Transport {
    /// TLS with a client certificate: requests carry `Arc<Peer>`.
    Mutual(TlsSlot),
    /// TLS with the server's certificate only.
    ServerOnly(TlsSlot),
    /// Plain HTTP/1.1, for probes and metrics.
    Plain,
}

/// One listening socket.
#[derive(Debug)]
pub struct Listener {
    /// `api`, `enrol` or `ops`, for logs and metrics.
    pub name: &'static str,
    /// Bound and listening.
    pub socket: TcpListener,
    /// How it is secured.
    pub transport: Transport,
}

/// What the listeners share. Limits and rules are read anew for each connection, so that a reload needs no restart.
pub struct Guard {
    /// Timers and sizes.
    pub limits: ArcSwap<Limits>,
    /// What a client's leaf is held to.
    pub rules: ArcSwap<PeerRules>,
    /// Who is shut out.
    pub revoked: Arc<Revoked>,
    /// The time that certificates are judged by.
    pub clock: Arc<dyn Clock>,
    /// Where counts go.
    pub metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What every connection of one listener has.
struct Shared {
    name: &'static str,
    transport: Transport,
    guard: Arc<Guard>,
    routes: Router,
    registry: Arc<Registry>,
    door: Arc<Door>,
    metrics: ListenerMetrics,
    /// Drops whatever still lives after the drain.
    kill: CancellationToken,
}

/// Binds a socket.
///
/// # Errors
/// The system's, such as an address in use.
pub async fn bind(name: &'static str, address: SocketAddr, transport: Transport) -> io::Result<Listener> {
    let socket = TcpListener::bind(address).await?;
    Ok(Listener { name, socket, transport })
}

/// Serves until `stop`, then lets open requests finish for `drain_millis` and drops the rest.
///
/// The router is called with [`crate::peer::RemoteAddress`] and, on a mutual listener, `Arc<Peer>` in the request's
/// extensions.
pub async fn serve(listener: Listener, routes: Router, guard: Arc<Guard>, stop: CancellationToken) {
    let Listener { name, socket, transport } = listener;
    let limits = guard.limits.load_full();
    let places = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(usize::MAX)));
    let metrics = guard.metrics.listener(name);
    let (registry, door) = (Arc::new(Registry::default()), Arc::new(Door::default()));
    let kill = CancellationToken::new();
    let shared = Arc::new(Shared { name, transport, guard, routes, registry, door, metrics, kill });
    let tasks = TaskTracker::new();
    let sweeper = tokio::spawn(live::sweep(shared.clone(), shared.kill.clone()));
    let mut pause = BACKOFF.0;
    loop {
        // The place comes first: a full house leaves callers in the kernel's queue instead of in our memory.
        let Some(Ok(place)) = stop.run_until_cancelled(places.clone().acquire_owned()).await else { break };
        let Some(accepted) = stop.run_until_cancelled(socket.accept()).await else { break };
        match accepted {
            Ok((stream, remote)) => {
                pause = BACKOFF.0;
                match shared.door.enter(remote, &shared.guard.limits.load()) {
                    Ok((entered, gone)) => {
                        gone.into_iter().for_each(|remote| turned_away(&shared, remote, Turned::Handshakes));
                        tasks.spawn(one(shared.clone(), stream, entered, (remote, place)));
                    }
                    Err(turned) => turned_away(&shared, remote, turned),
                }
            }
            Err(error) if belongs_to_one_connection(&error) => {}
            Err(error) => {
                shared.metrics.accept_errors.increment(1);
                tracing::warn!(listener = name, reason = %error, "accept failed");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        }
    }
    drop(socket);
    drain(&shared, &tasks).await;
    sweeper.abort();
}

async fn one(
    shared: Arc<Shared>,
    stream: TcpStream,
    entered: Entered,
    (remote, place): (SocketAddr, tokio::sync::OwnedSemaphorePermit),
) {
    shared.metrics.accepted.increment(1);
    shared.metrics.open.increment(1.0);
    let (kill, cut) = (shared.kill.clone(), entered.cut.clone());
    let run = connection::run(&shared, stream, remote, entered);
    kill.run_until_cancelled(cut.run_until_cancelled(run)).await;
    shared.metrics.open.decrement(1.0);
    drop(place);
}

/// A socket is closed by being dropped; that is counted always, and told at most once a second.
fn turned_away(shared: &Shared, remote: SocketAddr, turned: Turned) {
    shared.guard.metrics.connection_ended(&shared.metrics, turned.word());
    if let Some(closed) = shared.door.tell(Instant::now()) {
        let (listener, code) = (shared.name, turned.word());
        tracing::warn!(listener, peer = %remote, code, closed, "connections closed unheard");
    }
}

async fn drain(shared: &Shared, tasks: &TaskTracker) {
    tasks.close();
    let most = Duration::from_millis(shared.guard.limits.load().drain_millis);
    shared.registry.finish_all();
    if tokio::time::timeout(most, tasks.wait()).await.is_err() {
        tracing::warn!(listener = shared.name, left = tasks.len(), "connections dropped at the end of the drain");
        shared.registry.cut_all(Cut::Shutdown);
        shared.kill.cancel();
        tasks.wait().await;
    }
    shared.kill.cancel();
}

/// The peer went away between the handshake of TCP and our accept: nothing is wrong with the listener.
fn belongs_to_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
