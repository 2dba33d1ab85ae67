//! A server that speaks TLS 1.3 and HTTP as ours does, and answers as a test tells it to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::credentials::{Authority, Pair};
use crate::credential::{describe, provider};

/// What a request looked like.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The serial of the client's certificate; empty without one.
    pub(crate) serial: String,
    pub(crate) version: http::Version,
}

/// What is answered.
pub(crate) enum Reply {
    Json(u16, String),
    /// With a header.
    With(u16, &'static str, String, String),
    /// With several.
    Headers(u16, Vec<(&'static str, String)>, String),
    /// The connection ends instead.
    HangUp,
    /// Nothing, for ever.
    Silence,
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Reply {
    pub(crate) fn ok(body: &impl serde::Serialize) -> Self {
        Self::Json(200, serde_json::to_string(body).unwrap())
    }

    pub(crate) fn problem(status: u16, code: &str) -> Self {
        Self::Json(status, serde_json::to_string(&wardkeep_api::Problem::new(code, "a title", status)).unwrap())
    }
}

impl Server {
    /// Mutual TLS under one CA.
    pub(crate) async fn start(ca: &Authority, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(mutual(ca, &ca.server()), handler).await
    }

    pub(crate) async fn start_with(
        config: ServerConfig,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, connections) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicUsize>::default());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let handler: Arc<Handler> = Arc::new(handler);
        let (log, count) = (seen.clone(), connections.clone());
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(acceptor.clone(), tcp, handler.clone(), log.clone()));
            }
        });
        Self { port, seen, connections, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// TLS 1.3 with client certificates of that CA, HTTP/2 and HTTP/1.1.
pub(crate) fn mutual(ca: &Authority, pair: &Pair) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let (chain, key) = pair.der();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// TLS 1.3 without client certificates, presenting exactly that chain.
pub(crate) fn open(chain: Vec<CertificateDer<'static>>, pair: &Pair) -> ServerConfig {
    let (_, key) = pair.der();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

async fn serve(acceptor: TlsAcceptor, tcp: tokio::net::TcpStream, handler: Arc<Handler>, log: Arc<Mutex<Vec<Seen>>>) {
    let Ok(stream) = acceptor.accept(tcp).await else { return };
    let peer = stream.get_ref().1.peer_certificates().and_then(|chain| describe(chain.first()?));
    let serial = peer.map(|peer| peer.serial.to_string()).unwrap_or_default();
    let service = service_fn(move |request| answer(request, serial.clone(), handler.clone(), log.clone()));
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    serial: String,
    handler: Arc<Handler>,
    log: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().unwrap().to_string(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
        serial,
        version: parts.version,
    };
    let reply = handler(&seen);
    log.lock().unwrap().push(seen);
    let mut response = Response::builder();
    let (status, text) = match reply {
        Reply::Json(status, text) => (status, text),
        Reply::With(status, name, value, text) => {
            response = response.header(name, value);
            (status, text)
        }
        Reply::Headers(status, headers, text) => {
            for (name, value) in headers {
                response = response.header(name, value);
            }
            (status, text)
        }
        Reply::HangUp => return Err(std::io::Error::other("hang up")),
        Reply::Silence => std::future::pending().await,
    };
    Ok(response.status(StatusCode::from_u16(status).unwrap()).body(Full::new(Bytes::from(text))).unwrap())
}
