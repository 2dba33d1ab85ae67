//! Live connections: what each is doing since when, and the sweep that ends those that overstay.
//!
//! One task a listener looks at all of them a few times a second. That is cheaper than a timer for each wait of each
//! connection, and it is the same walk that cuts a revoked caller.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::frames::FrameWatch;
use crate::config::Limits;
use crate::peer::Peer;

/// Why a connection was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Headers or an HTTP/2 frame did not end in time.
    Headers,
    /// A request or its answer did not end in time.
    Request,
    /// It was told to finish and did not.
    Drain,
    /// Its certificate was revoked or has expired.
    Revoked(&'static str),
    /// The server stops.
    Shutdown,
}

/// What a connection's task is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    Run,
    /// Take no new requests and end.
    Finish,
    /// End at once.
    Cut(Cut),
}

impl Cut {
    /// A stable word for logs and metrics.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Request => "request",
            Self::Drain => "drain",
            Self::Revoked(why) => why,
            Self::Shutdown => "shutdown",
        }
    }
}

/// One connection after its handshake.
pub(super) struct Live {
    pub(super) remote: SocketAddr,
    pub(super) peer: Option<Arc<Peer>>,
    born: Instant,
    orders: watch::Sender<Order>,
    progress: Mutex<Progress>,
}

/// What a connection is doing.
struct Progress {
    /// Requests whose answer has not ended, with their start.
    open: Vec<(u64, Instant)>,
    next: u64,
    /// Since when there is none.
    idle_since: Instant,
    /// Since when a head (HTTP/1.1) or a frame (HTTP/2) is begun and not ended.
    pending_since: Option<Instant>,
    frames: Option<FrameWatch>,
    finishing_since: Option<Instant>,
}

impl Live {
    pub(super) fn new(remote: SocketAddr, peer: Option<Arc<Peer>>, http2: bool) -> Self {
        let now = Instant::now();
        let progress = Progress {
            open: Vec::new(),
            next: 0,
            idle_since: now,
            pending_since: None,
            frames: http2.then(FrameWatch::new),
            finishing_since: None,
        };
        Self { remote, peer, born: now, orders: watch::Sender::new(Order::Run), progress: Mutex::new(progress) }
    }

    pub(super) fn orders(&self) -> watch::Receiver<Order> {
        self.orders.subscribe()
    }

    /// Plaintext arrived.
    pub(super) fn on_read(&self, bytes: &[u8]) {
        let mut progress = self.lock();
        let pending = match &mut progress.frames {
            Some(frames) => frames.take(bytes),
            // What arrives while a request is open is its body; what arrives otherwise is a head.
            None => progress.open.is_empty(),
        };
        if !pending {
            progress.pending_since = None;
        } else if progress.pending_since.is_none() {
            progress.pending_since = Some(Instant::now());
        }
    }

    /// A request's head is complete.
    pub(super) fn begin(&self) -> u64 {
        let mut progress = self.lock();
        let id = progress.next;
        progress.next = id.wrapping_add(1);
        progress.open.push((id, Instant::now()));
        if progress.frames.is_none() {
            progress.pending_since = None;
        }
        id
    }

    /// A request's answer has been handed over.
    pub(super) fn end(&self, id: u64) {
        let mut progress = self.lock();
        progress.open.retain(|(open, _)| *open != id);
        if progress.open.is_empty() {
            progress.idle_since = Instant::now();
        }
    }

    pub(super) fn finish(&self) {
        let mut progress = self.lock();
        if progress.finishing_since.is_none() {
            progress.finishing_since = Some(Instant::now());
            drop(progress);
            self.orders.send_if_modified(|order| {
                let running = *order == Order::Run;
                if running {
                    *order = Order::Finish;
                }
                running
            });
        }
    }

    /// A cut stands: the first reason is the one that is logged.
    pub(super) fn cut(&self, why: Cut) {
        self.orders.send_if_modified(|order| {
            let standing = matches!(order, Order::Cut(_));
            if !standing {
                *order = Order::Cut(why);
            }
            !standing
        });
    }

    /// What is due at `now`, if anything.
    fn due(&self, now: Instant, limits: &Limits) -> Option<Order> {
        let past = |since: Instant, millis: u64| now.duration_since(since) >= Duration::from_millis(millis);
        let progress = self.lock();
        if progress.pending_since.is_some_and(|since| past(since, limits.headers_millis)) {
            return Some(Order::Cut(Cut::Headers));
        }
        // The handler's own timeout answers first; this is for answers that nobody reads.
        let longest = limits.request_millis.saturating_add(limits.request_millis / 8);
        if progress.open.iter().any(|(_, since)| past(*since, longest)) {
            return Some(Order::Cut(Cut::Request));
        }
        if progress.finishing_since.is_some_and(|since| past(since, limits.request_millis)) {
            return Some(Order::Cut(Cut::Drain));
        }
        let idle = progress.open.is_empty() && past(progress.idle_since, limits.idle_millis);
        (idle || past(self.born, limits.connection_age_millis)).then_some(Order::Finish)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The live connections of one listener.
#[derive(Default)]
pub(super) struct Registry {
    all: Mutex<HashMap<u64, Arc<Live>>>,
    next: std::sync::atomic::AtomicU64,
}

/// Takes a connection off the registry when its task ends, however it ends.
pub(super) struct Registered {
    registry: Arc<Registry>,
    id: u64,
}

impl Registry {
    pub(super) fn add(self: &Arc<Self>, live: Arc<Live>) -> Registered {
        let id = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.lock().insert(id, live);
        Registered { registry: self.clone(), id }
    }

    pub(super) fn finish_all(&self) {
        self.lock().values().for_each(|live| live.finish());
    }

    pub(super) fn cut_all(&self, why: Cut) {
        self.lock().values().for_each(|live| live.cut(why));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Live>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
    }
}

/// Ends what overstays, at intervals, and what is revoked, at once.
pub(super) async fn sweep(shared: Arc<Shared>, stop: CancellationToken) {
    let mut changes = shared.guard.revoked.changes();
    loop {
        let limits = shared.guard.limits.load_full();
        let shortest = limits.headers_millis.min(limits.idle_millis).min(limits.request_millis);
        let shortest = shortest.min(limits.connection_age_millis);
        let wait = Duration::from_millis((shortest / 4).clamp(5, 250));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
        sweep_once(&shared, &limits);
    }
}

fn sweep_once(shared: &Shared, limits: &Limits) {
    let (instant, now) = (Instant::now(), shared.guard.clock.now());
    for live in shared.registry.lock().values() {
        let refused = live.peer.as_ref().and_then(|peer| shared.guard.revoked.refuses(peer, now));
        if let Some(why) = refused {
            live.cut(Cut::Revoked(why.word()));
            continue;
        }
        match live.due(instant, limits) {
            Some(Order::Cut(why)) => live.cut(why),
            Some(Order::Finish) => live.finish(),
            Some(Order::Run) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(http2: bool) -> Live {
        Live::new("127.0.0.1:1".parse().unwrap(), None, http2)
    }

    fn after(live: &Live, millis: u64) -> Option<Order> {
        live.due(Instant::now() + Duration::from_millis(millis), &Limits::default())
    }

    #[tokio::test]
    async fn dripping_a_head_does_not_extend_its_time() {
        let live = live(false);
        live.on_read(b"G");
        let begun = live.lock().pending_since;
        live.on_read(b"E");
        assert_eq!(live.lock().pending_since, begun);
        assert_eq!(after(&live, 4_900), None);
        assert_eq!(after(&live, 5_100), Some(Order::Cut(Cut::Headers)));
    }

    #[tokio::test]
    async fn a_body_is_not_a_head_and_the_answer_must_end_too() {
        let live = live(false);
        live.on_read(b"POST");
        let id = live.begin();
        live.on_read(b"body");
        assert_eq!(after(&live, 6_000), None);
        assert_eq!(after(&live, 34_000), Some(Order::Cut(Cut::Request)), "nobody reads the answer");
        live.end(id);
        assert_eq!(after(&live, 34_000), None);
        assert_eq!(after(&live, 61_000), Some(Order::Finish), "idle");
    }

    #[tokio::test]
    async fn age_ends_a_busy_connection_and_stubborn_ones_are_cut() {
        let live = live(true);
        let limits = Limits { request_millis: 10_000_000, ..Limits::default() };
        live.begin();
        let late = Instant::now() + Duration::from_millis(600_001);
        assert_eq!(live.due(late, &limits), Some(Order::Finish));
        live.finish();
        assert_eq!(*live.orders().borrow(), Order::Finish);
        let limits = Limits { request_millis: 1_000, ..Limits::default() };
        live.lock().open.clear();
        assert_eq!(live.due(late, &limits), Some(Order::Cut(Cut::Drain)));
    }

    #[tokio::test]
    async fn the_first_reason_for_a_cut_stays() {
        let live = live(false);
        live.cut(Cut::Revoked("revoked"));
        live.cut(Cut::Shutdown);
        live.finish();
        assert_eq!(*live.orders().borrow(), Order::Cut(Cut::Revoked("revoked")));
    }
}
