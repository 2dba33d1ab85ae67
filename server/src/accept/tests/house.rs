//! A listening server with short timers, its clients, and what it logged.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::Bytes;
use axum::routing::{get, post};
use axum::{Extension, Router};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::accept::{Guard, Transport, bind, serve};
use crate::config::{Limits, RevocationMode};
use crate::peer::{Peer, PeerRules};
use crate::revocation::Revoked;
use crate::telemetry::Metrics;
use crate::tls::forge::{DOMAIN, Forge, Holder, TestClock, client};
use crate::tls::{Trust, mutual, server_only};

/// Log lines of this thread's server.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Captures what this thread logs; tests run on one thread each.
    pub(super) fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (lines, guard)
    }

    pub(super) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    /// Waits until a line has the text.
    pub(super) async fn wait_for(&self, text: &str) -> String {
        for _ in 0..400 {
            let now = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            if let Some(line) = now.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no line with `{text}` in:\n{}", self.take());
    }
}

/// What a house is built with.
pub(super) struct Plan {
    pub(super) limits: Limits,
    pub(super) trust: Trust,
    pub(super) longest_life_millis: Option<u64>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Mutual,
    ServerOnly,
    Plain,
}

/// A running listener.
pub(super) struct House {
    pub(super) address: SocketAddr,
    pub(super) guard: Arc<Guard>,
    pub(super) clock: Arc<TestClock>,
    pub(super) stop: CancellationToken,
    pub(super) done: tokio::task::JoinHandle<()>,
    root: rustls::pki_types::CertificateDer<'static>,
}

/// Timers far enough apart to tell which one cut.
pub(super) fn quick() -> Limits {
    Limits {
        handshake_millis: 300,
        first_byte_millis: 300,
        headers_millis: 300,
        body_millis: 300,
        request_millis: 2_000,
        idle_millis: 5_000,
        connection_age_millis: 60_000,
        drain_millis: 500,
        ..Limits::default()
    }
}

pub(super) fn plan(ca: &Forge) -> Plan {
    let trust = Trust { roots: vec![ca.der.clone()], crls: vec![ca.fresh_crl()], revocation: RevocationMode::Crl };
    Plan { limits: quick(), trust, longest_life_millis: None, kind: Kind::Mutual }
}

fn routes() -> Router {
    Router::new()
        .route("/who", get(|Extension(peer): Extension<Arc<Peer>>| async move { peer.identity.to_string() }))
        .route(
            "/echo",
            post(|body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
                match body {
                    Ok(body) => (http::StatusCode::OK, format!("{}", body.len())),
                    Err(error) => (http::StatusCode::REQUEST_TIMEOUT, chain(&error)),
                }
            }),
        )
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_secs(3600)).await }))
        // Holds on to the body and reads none of it.
        .route(
            "/hold",
            post(|request: axum::extract::Request| async move {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                drop(request);
            }),
        )
        .route("/large", get(|| async { vec![b'x'; 8 << 20] }))
        .route("/", get(|| async { "hello" }))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}

impl House {
    pub(super) async fn open(ca: &Forge, plan: Plan) -> Self {
        let clock = TestClock::new();
        let key = ca.listener();
        let slot = |config| Arc::new(ArcSwap::from_pointee(config));
        let transport = match plan.kind {
            Kind::Mutual => Transport::Mutual(slot(mutual(&key, &plan.trust, clock.clone()).unwrap())),
            Kind::ServerOnly => Transport::ServerOnly(slot(server_only(&key, clock.clone()).unwrap())),
            Kind::Plain => Transport::Plain,
        };
        let listener = bind("api", "127.0.0.1:0".parse().unwrap(), transport).await.unwrap();
        let address = listener.socket.local_addr().unwrap();
        let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: plan.longest_life_millis };
        let guard = Arc::new(Guard {
            limits: ArcSwap::from_pointee(plan.limits),
            rules: ArcSwap::from_pointee(rules),
            revoked: Arc::new(Revoked::new()),
            clock: clock.clone(),
            metrics: Arc::new(Metrics::new().unwrap()),
        });
        let stop = CancellationToken::new();
        let done = tokio::spawn(serve(listener, routes(), guard.clone(), stop.clone()));
        Self { address, guard, clock, stop, done, root: ca.der.clone() }
    }

    pub(super) async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(super) async fn tls(&self, holder: Option<&Holder>, alpn: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::new(client(&self.root, holder, alpn)));
        connector.connect(ServerName::try_from("localhost").unwrap(), self.tcp().await).await
    }

    /// One HTTP/1.1 request; `None` if the server closed without an answer.
    pub(super) async fn ask(&self, holder: Option<&Holder>, request: &str) -> Option<String> {
        let mut stream = self.tls(holder, &[b"http/1.1"]).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        read_answer(&mut stream).await
    }

    pub(super) async fn who(&self, holder: Option<&Holder>) -> Option<String> {
        self.ask(holder, "GET /who HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await
    }

    /// An HTTP/2 client on a connection of its own.
    pub(super) async fn http2(&self, holder: Option<&Holder>) -> Sender {
        let stream = self.tls(holder, &[b"h2"]).await.unwrap();
        let io = hyper_util::rt::TokioIo::new(stream);
        let executor = hyper_util::rt::TokioExecutor::new();
        let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        let driver = tokio::spawn(async move { connection.await.map_err(|error| error.to_string()) });
        Sender { sender, driver }
    }
}

pub(super) struct Sender {
    pub(super) sender: hyper::client::conn::http2::SendRequest<axum::body::Body>,
    pub(super) driver: tokio::task::JoinHandle<Result<(), String>>,
}

impl Sender {
    pub(super) async fn get(&mut self, path: &str) -> Result<http::Response<hyper::body::Incoming>, hyper::Error> {
        let request = http::Request::get(format!("https://localhost{path}")).body(axum::body::Body::empty()).unwrap();
        self.sender.send_request(request).await
    }
}

/// Everything until the server closes; `None` if that is nothing.
pub(super) async fn read_answer(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server never closed");
    (!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
}
