//! Somebody with a certificate, or without one, and the connection they use.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::ask::{Answer, Ask};

/// A certificate chain and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The chain, leaf first.
    pub chain_pem: String,
    /// The private key.
    pub key_pem: String,
}

/// Somebody who calls.
pub struct Person {
    /// `spiffe://..`; empty for nobody.
    pub identity: String,
    /// The entity's id.
    pub name: String,
    /// The certificate's serial; empty where nobody here issued it.
    pub serial: String,
    /// What they show.
    pub credential: Option<Credential>,
    roots: RootCertStore,
    line: tokio::sync::Mutex<Option<(SocketAddr, http1::SendRequest<Full<Bytes>>)>>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("identity", &self.identity).field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// Why no answer came.
#[derive(Debug)]
pub struct NoAnswer(pub String);

impl<E: std::error::Error> From<E> for NoAnswer {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// An HTTP/2 connection that is held open.
#[derive(Debug)]
pub struct Stream2 {
    sender: http2::SendRequest<Full<Bytes>>,
    /// Ends when the connection does.
    pub driver: JoinHandle<()>,
}

impl Person {
    /// Somebody who shows `credential` and trusts `roots`.
    #[must_use]
    pub fn new(identity: &str, serial: &str, credential: Option<Credential>, roots: RootCertStore) -> Self {
        let name = identity.rsplit('/').next().unwrap_or_default().to_owned();
        let (identity, serial) = (identity.to_owned(), serial.to_owned());
        Self { identity, name, serial, credential, roots, line: tokio::sync::Mutex::new(None) }
    }

    fn config(&self, alpn: &[u8]) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.credential {
            None => builder.with_no_client_auth(),
            Some(Credential { chain_pem, key_pem }) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
                let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain.unwrap(), key).unwrap()
            }
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        config
    }

    /// A TLS connection of their own, with nothing said on it yet. In TLS 1.3 a server that refuses the certificate
    /// says so only at the first read.
    ///
    /// # Errors
    /// The handshake's.
    pub async fn dial(&self, address: SocketAddr, alpn: &[u8]) -> Result<TlsStream<TcpStream>, NoAnswer> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(self.config(alpn)));
        Ok(connector.connect(ServerName::try_from("localhost").unwrap(), socket).await?)
    }

    /// Sends a request over a connection that is kept, or over a new one where the old one has gone.
    ///
    /// # Errors
    /// No answer: a refused handshake, a connection that was cut.
    pub async fn send(&self, address: SocketAddr, ask: &Ask) -> Result<Answer, NoAnswer> {
        let kept = self.line.lock().await.take().filter(|(to, _)| *to == address);
        if let Some((_, mut sender)) = kept
            && sender.ready().await.is_ok()
        {
            return self.exchange(address, sender, ask).await;
        }
        self.send_anew(address, ask).await
    }

    /// Sends a request over a new connection.
    ///
    /// # Errors
    /// As [`Person::send`].
    pub async fn send_anew(&self, address: SocketAddr, ask: &Ask) -> Result<Answer, NoAnswer> {
        let stream = self.dial(address, b"http/1.1").await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender.ready().await?;
        self.exchange(address, sender, ask).await
    }

    async fn exchange(
        &self,
        address: SocketAddr,
        mut sender: http1::SendRequest<Full<Bytes>>,
        ask: &Ask,
    ) -> Result<Answer, NoAnswer> {
        let response = sender.send_request(request(ask)).await?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        *self.line.lock().await = Some((address, sender));
        Ok(Answer::new(&parts, bytes))
    }

    /// Opens an HTTP/2 connection.
    ///
    /// # Errors
    /// The handshake's.
    pub async fn http2(&self, address: SocketAddr) -> Result<Stream2, NoAnswer> {
        let stream = self.dial(address, b"h2").await?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Stream2 { sender, driver })
    }
}

impl Stream2 {
    /// One request of this connection.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn send(&mut self, ask: &Ask) -> Result<Answer, NoAnswer> {
        let mut request = request(ask);
        *request.uri_mut() = format!("https://localhost{}", ask.path).parse()?;
        request.headers_mut().remove(http::header::HOST);
        self.sender.ready().await?;
        let (parts, body) = self.sender.send_request(request).await?.into_parts();
        let bytes = body.collect().await?.to_bytes();
        Ok(Answer::new(&parts, bytes))
    }
}

fn request(ask: &Ask) -> http::Request<Full<Bytes>> {
    let mut request = http::Request::new(Full::new(ask.body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() = ask.path.parse().unwrap();
    *request.headers_mut() = ask.headers();
    request.headers_mut().entry(http::header::HOST).or_insert(http::HeaderValue::from_static("localhost"));
    request
}
