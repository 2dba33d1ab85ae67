//! One connection: handshake, peer, first byte, HTTP, end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::door::Entered;
use super::live::{Live, Order, Registered};
use super::request::Requests;
use super::watch::Watched;
use super::{Shared, Transport};
use crate::config::Limits;
use crate::peer::{Peer, PeerError};
use crate::tls::{self, TlsSlot};

/// Pause between HTTP/2 keep-alive pings, and how long their answer may take.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));
/// Smallest read buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8192;
/// What a client may send unread on one HTTP/2 stream and on a connection, and what waits for a client that does not
/// read, in bytes. The library's own are a megabyte each: with many streams that is memory for whoever asks.
const WINDOWS: (u32, u32) = (64 * 1024, 256 * 1024);
const SEND_BUFFER: usize = 64 * 1024;

/// Why a connection was refused before HTTP.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the handshake took too long")]
    HandshakeTimeout,
    #[error("{reason}")]
    Handshake { reason: String, code: &'static str },
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("{0}")]
    Revoked(#[from] crate::revocation::Revocation),
    #[error("no first byte came in time")]
    FirstByteTimeout,
    #[error("the connection ended before its first byte")]
    Ended,
}

impl Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::HandshakeTimeout => "handshake-timeout",
            Self::Handshake { code, .. } => code,
            Self::Peer(error) => error.code(),
            Self::Revoked(why) => why.word(),
            Self::FirstByteTimeout => "first-byte-timeout",
            Self::Ended => "ended",
        }
    }

    /// Port scans and health checks end connections all day; only what may matter to somebody is a warning.
    fn log(&self, listener: &'static str, remote: SocketAddr) {
        match self {
            Self::Ended => tracing::debug!(listener, peer = %remote, reason = %self, "connection ended"),
            _ => tracing::warn!(listener, peer = %remote, code = self.code(), reason = %self, "connection refused"),
        }
    }
}

/// Serves one accepted socket to its end.
pub(super) async fn run(shared: &Arc<Shared>, socket: TcpStream, remote: SocketAddr, entered: Entered) {
    // Answers are small and wait for nothing: Nagle would hold them back.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(peer = %remote, reason = %error, "TCP_NODELAY could not be set");
    }
    let limits = shared.guard.limits.load_full();
    let outcome = match &shared.transport {
        Transport::Plain => plain(shared, &limits, (socket, remote), entered).await,
        Transport::ServerOnly(slot) => encrypted(shared, &limits, (slot, false), (socket, remote), entered).await,
        Transport::Mutual(slot) => encrypted(shared, &limits, (slot, true), (socket, remote), entered).await,
    };
    if let Err(refused) = outcome {
        refused.log(shared.name, remote);
        shared.guard.metrics.connection_ended(&shared.metrics, refused.code());
    }
}

async fn plain(
    shared: &Arc<Shared>,
    limits: &Arc<Limits>,
    (socket, remote): (TcpStream, SocketAddr),
    entered: Entered,
) -> Result<(), Refused> {
    let first_byte = Duration::from_millis(limits.first_byte_millis);
    match timeout(first_byte, socket.peek(&mut [0])).await {
        Err(_) => return Err(Refused::FirstByteTimeout),
        Ok(Err(_) | Ok(0)) => return Err(Refused::Ended),
        Ok(Ok(_)) => entered.known(),
    }
    let live = Arc::new(Live::new(remote, None, false));
    let registered = shared.registry.add(live.clone());
    http(shared, limits, socket, (live, registered), false).await;
    Ok(())
}

async fn encrypted(
    shared: &Arc<Shared>,
    limits: &Arc<Limits>,
    (slot, mutual): (&TlsSlot, bool),
    (socket, remote): (TcpStream, SocketAddr),
    entered: Entered,
) -> Result<(), Refused> {
    let acceptor = TlsAcceptor::from(slot.load_full());
    let handshake = timeout(Duration::from_millis(limits.handshake_millis), acceptor.accept(socket));
    let mut stream = handshake.await.map_err(|_| Refused::HandshakeTimeout)?.map_err(|error| {
        let (reason, code) = tls::refusal_of(&error);
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            Refused::Ended
        } else {
            Refused::Handshake { reason, code }
        }
    })?;
    let peer = if mutual { Some(Arc::new(peer_of(shared, &stream)?)) } else { None };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let live = Arc::new(Live::new(remote, peer.clone(), http2));
    // First registered, then asked: a revocation in between finds the connection in the registry.
    let registered = shared.registry.add(live.clone());
    if let Some(why) = peer.and_then(|peer| shared.guard.revoked.refuses(&peer, shared.guard.clock.now())) {
        return Err(Refused::Revoked(why));
    }
    if mutual {
        entered.known();
    }
    first_byte(limits, &mut stream, &live).await?;
    entered.known();
    http(shared, limits, stream, (live, registered), http2).await;
    Ok(())
}

/// Waits for plaintext without taking it, or for a cut.
async fn first_byte(limits: &Limits, stream: &mut TlsStream<TcpStream>, live: &Live) -> Result<(), Refused> {
    let mut orders = live.orders();
    let stopped = orders.wait_for(|order| *order != Order::Run);
    let arrived = timeout(Duration::from_millis(limits.first_byte_millis), stream.fill_buf());
    tokio::select! {
        biased;
        _ = stopped => Err(Refused::Ended),
        arrived = arrived => match arrived {
            Err(_) => Err(Refused::FirstByteTimeout),
            Ok(Err(error)) => Err(late_refusal(&error)),
            Ok(Ok([])) => Err(Refused::Ended),
            Ok(Ok(_)) => Ok(()),
        },
    }
}

fn late_refusal(error: &std::io::Error) -> Refused {
    let (reason, code) = tls::refusal_of(error);
    if code == "handshake" { Refused::Ended } else { Refused::Handshake { reason, code } }
}

fn peer_of(shared: &Shared, stream: &TlsStream<TcpStream>) -> Result<Peer, PeerError> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let leaf = chain.first().ok_or(PeerError::NoCertificate)?;
    Peer::from_leaf(leaf, &shared.guard.rules.load())
}

/// Speaks the version that ALPN chose, until the client, an order or an error ends it.
async fn http<S>(
    shared: &Arc<Shared>,
    limits: &Arc<Limits>,
    stream: S,
    (live, _registered): (Arc<Live>, Registered),
    http2: bool,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Watched::new(stream, live.clone()));
    let requests = Arc::new(Requests {
        live: live.clone(),
        guard: shared.guard.clone(),
        limits: limits.clone(),
        routes: shared.routes.clone(),
    });
    let service = service_fn(move |request| {
        let requests = requests.clone();
        async move { requests.answer(request).await }
    });
    let mut orders = live.orders();
    // The two connection types share no trait, so the loop that drives them stands twice.
    macro_rules! drive {
        ($connection:expr) => {{
            let mut connection = std::pin::pin!($connection);
            loop {
                tokio::select! {
                    biased;
                    changed = orders.changed() => match (changed, *orders.borrow_and_update()) {
                        (Err(_), _) | (Ok(()), Order::Run) => {}
                        (Ok(()), Order::Finish) => connection.as_mut().graceful_shutdown(),
                        (Ok(()), Order::Cut(why)) => return ended(shared, &live, why.word()),
                    },
                    result = connection.as_mut() => return finished(shared, &live, result),
                }
            }
        }};
    }
    if http2 {
        drive!(http2_builder(limits).serve_connection(io, service))
    }
    drive!(http1_builder(limits).serve_connection(io, service))
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    let buffer = usize::try_from(limits.header_bytes).unwrap_or(SMALLEST_BUFFER).max(SMALLEST_BUFFER);
    // hyper's header timer also runs between two requests, so it gets the idle time; heads are timed by the sweep.
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_millis(limits.idle_millis));
    builder.max_buf_size(buffer).keep_alive(true).half_close(false);
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(PING.0).keep_alive_timeout(PING.1);
    builder.max_concurrent_streams(limits.streams).max_header_list_size(limits.header_bytes);
    builder.max_pending_accept_reset_streams(32).max_local_error_reset_streams(128);
    builder.initial_stream_window_size(WINDOWS.0).initial_connection_window_size(WINDOWS.1);
    builder.max_send_buf_size(SEND_BUFFER).max_frame_size(16_384);
    builder
}

fn ended(shared: &Shared, live: &Live, reason: &'static str) {
    let identity = live.peer.as_ref().map(|peer| peer.identity.to_string()).unwrap_or_default();
    tracing::warn!(listener = shared.name, peer = %live.remote, identity, reason, "connection cut");
    shared.guard.metrics.connection_ended(&shared.metrics, reason);
}

fn finished(shared: &Shared, live: &Live, result: Result<(), hyper::Error>) {
    if let Err(error) = result {
        tracing::debug!(listener = shared.name, peer = %live.remote, reason = %error, "connection failed");
    }
}
