//! The pooled connection to one server: TLS 1.3 both ways, HTTP/2 or HTTP/1.1 by ALPN.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client as Pooled};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wardkeep_model::Timestamp;

use crate::credential::{self, CertificateInfo, Credential, CredentialError, Stamps, Trust};
use crate::settings::{Address, Settings};

/// Shorter than the server's 60 s, so that the side that sends is the side that hangs up.
const IDLE: Duration = Duration::from_secs(45);
/// Idle HTTP/1.1 connections kept; HTTP/2 needs one.
const MAX_IDLE: usize = 64;
/// How often a busy HTTP/2 connection is asked whether it lives, and how long the answer may take.
const PING: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(10));

/// Requests over one set of credentials.
pub(crate) type Pool = Pooled<Connector, Full<Bytes>>;

/// Why no connection came about.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing listens there, or the name is not known.
    #[error("cannot reach `{address}`: check the address and that the server runs")]
    Unreachable {
        /// The server.
        address: Address,
        /// Why.
        source: Arc<io::Error>,
    },
    /// TCP or TLS took too long.
    #[error("`{address}` did not complete a connection within {seconds} s")]
    Slow {
        /// The server.
        address: Address,
        /// The limit, in seconds.
        seconds: u64,
    },
    /// The TLS handshake failed: wrong CA, wrong name, expired certificate, or no TLS 1.3.
    #[error("the TLS handshake with `{address}` failed: check the CA file, the server's name and both certificates")]
    Tls {
        /// The server.
        address: Address,
        /// What the TLS library found.
        source: Arc<io::Error>,
    },
}

/// Connects to the one address of the settings, whatever the request's URI says.
#[derive(Clone)]
pub(crate) struct Connector {
    address: Address,
    tls: TlsConnector,
    limit: Duration,
}

/// What is in use now. Replaced as a whole when the files change.
pub(crate) struct Live {
    pub(crate) pool: Pool,
    pub(crate) certificate: CertificateInfo,
    trust: Trust,
    stamps: Stamps,
}

/// The way to the server, with whatever credentials are newest.
pub(crate) struct Link {
    settings: Settings,
    live: ArcSwap<Live>,
}

impl ConnectError {
    /// Whether connecting again would end the same: certificates do not get better by trying.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Tls { source, .. } => source.kind() == io::ErrorKind::InvalidData,
            Self::Unreachable { .. } | Self::Slow { .. } => false,
        }
    }

    /// Finds why there was no usable connection inside an error of the HTTP library.
    ///
    /// In TLS 1.3 a server looks at the client certificate after the client is done with its handshake, so
    /// that its refusal arrives as an alert in the middle of the first call.
    pub(crate) fn find(error: &(dyn std::error::Error + 'static), address: &Address) -> Option<Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found.clone());
            }
            // HTTP/2 keeps of an I/O error its kind and text only. Under TLS this kind means the record layer.
            let io = error.downcast_ref::<io::Error>().filter(|io| io.kind() == io::ErrorKind::InvalidData)?;
            let source = match io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(alert) => Arc::new(io::Error::new(io::ErrorKind::InvalidData, alert.clone())),
                None => Arc::new(io::Error::new(io::ErrorKind::InvalidData, io.to_string())),
            };
            Some(Self::Tls { address: address.clone(), source })
        })
    }
}

impl Link {
    /// Reads the credential files. Nothing is sent yet.
    pub(crate) fn new(settings: Settings) -> Result<Self, CredentialError> {
        let live = ArcSwap::from_pointee(Live::load(&settings)?);
        Ok(Self { settings, live })
    }

    /// What is in use at this moment. A call keeps it to its end, also over a reload.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The settings that it was made with.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes up changed files; `true` if there were any. A broken file keeps what was in use, and so does a
    /// certificate of a foreign CA.
    ///
    /// The pool goes with its credentials: calls under way end on the old connections, idle ones are
    /// closed as soon as the last call lets go of them.
    pub(crate) fn reload_if_changed(&self, now: Timestamp) -> Result<bool, CredentialError> {
        let old = self.live.load();
        if Stamps::of(&self.settings) == old.stamps {
            return Ok(false);
        }
        let new = Live::load(&self.settings)?;
        // Where the CA file vouches for clients too, as the built-in CA's does, it vouches for the next one. Where
        // clients have a CA of their own, and once nothing works any more, there is nothing to compare with.
        if old.trust.vouches_for(now) && !new.trust.vouches_for(now) {
            return Err(CredentialError::Foreign { certificate: self.settings.certificate.clone() });
        }
        self.live.store(Arc::new(new));
        Ok(true)
    }

    /// Takes up the files that were just written with what the server itself issued: whatever CA it did so with, the
    /// server believes it.
    pub(crate) fn take_up_issued(&self) -> Result<(), CredentialError> {
        self.live.store(Arc::new(Live::load(&self.settings)?));
        Ok(())
    }
}

impl Live {
    fn load(settings: &Settings) -> Result<Self, CredentialError> {
        let credential = credential::load(settings)?;
        let connector = Connector::new(&settings.address, credential.tls.clone(), settings.timeouts.connect);
        let Credential { certificate, trust, stamps, tls: _ } = credential;
        Ok(Self { pool: pool(connector), certificate, trust, stamps })
    }
}

impl Connector {
    /// A connector for one address; `limit` bounds TCP connect and TLS handshake together.
    pub(crate) fn new(address: &Address, tls: Arc<rustls::ClientConfig>, limit: Duration) -> Self {
        Self { address: address.clone(), tls: TlsConnector::from(tls), limit }
    }

    async fn connect(self) -> Result<TokioIo<Tunnel>, ConnectError> {
        let Self { address, tls, limit } = self;
        let slow = ConnectError::Slow { address: address.clone(), seconds: limit.as_secs() };
        let tunnel = async {
            let tcp = TcpStream::connect((address.host(), address.port()))
                .await
                .and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp))
                .map_err(|source| ConnectError::Unreachable { address: address.clone(), source: Arc::new(source) })?;
            let stream = tls
                .connect(address.server_name(), tcp)
                .await
                .map_err(|source| ConnectError::Tls { address: address.clone(), source: Arc::new(source) })?;
            Ok(TokioIo::new(Tunnel(stream)))
        };
        tokio::time::timeout(limit, tunnel).await.unwrap_or(Err(slow))
    }
}

/// The pool over a connector.
pub(crate) fn pool(connector: Connector) -> Pool {
    legacy::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .http2_keep_alive_interval(PING.0)
        .http2_keep_alive_timeout(PING.1)
        .http2_adaptive_window(true)
        .build(connector)
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Tunnel>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// A TLS stream that tells the pool which protocol was agreed on.
pub(crate) struct Tunnel(TlsStream<TcpStream>);

impl Connection for Tunnel {
    fn connected(&self) -> Connected {
        match self.0.get_ref().1.alpn_protocol() {
            Some(b"h2") => Connected::new().negotiated_h2(),
            _ => Connected::new(),
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
