//! A server to talk to: where it is, with which certificates, and single calls to set things up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Fail, http};

/// What a ready file says: Wardkeep's, and in the same form the peer's.
#[derive(Debug, Deserialize)]
pub struct Ready {
    /// `https://127.0.0.1:port`
    pub address: String,
    /// Path of the CA certificate.
    pub ca: String,
    /// Path of the client certificate chain.
    pub cert: String,
    /// Path of its key.
    pub key: String,
    /// The peer's token; Wardkeep has none.
    #[serde(default)]
    pub token: Option<String>,
}

/// Which key exchange a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Classic.
    X25519,
    /// Hybrid, post-quantum.
    X25519Mlkem768,
}

/// A server and the way to it.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    tls: TlsConnector,
    /// Sent with every request.
    pub token: Option<String>,
}

/// A connection.
pub type Stream = TlsStream<TcpStream>;

impl Target {
    /// Reads a ready file. Only loopback addresses are taken.
    pub fn read(ready: &str, group: Group) -> Result<Self, Fail> {
        let ready: Ready = serde_json::from_str(&std::fs::read_to_string(ready)?)?;
        let address: SocketAddr = ready.address.trim_start_matches("https://").trim_end_matches('/').parse()?;
        if !address.ip().is_loopback() {
            return Err(format!("{address} is not a loopback address: nothing else is measured").into());
        }
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config(&ready, group)?)), token: ready.token })
    }

    /// A new connection with a full handshake.
    pub async fn connect(&self) -> Result<Stream, Fail> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        Ok(self.tls.connect(ServerName::from(self.address.ip()), tcp).await?)
    }

    /// A request's bytes for this server.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let mut headers: Vec<_> = self.token.iter().map(|token| ("x-vault-token", token.as_str())).collect();
        if body.is_empty() {
            // What is fetched is a document, and clients of documents take them compressed.
            headers.push(("accept-encoding", "gzip"));
        }
        http::request(method, path, &headers, body)
    }

    /// One call on a connection of its own; the answer's JSON, or why not.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Fail> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = self.request(method, path, &text);
        let all = async { http::exchange(&mut self.connect().await?, &request).await };
        let answer = tokio::time::timeout(Duration::from_secs(30), all).await??;
        if !(200..300).contains(&answer.status) {
            let said = String::from_utf8_lossy(&answer.body).chars().take(400).collect::<String>();
            return Err(format!("{method} {path}: status {}: {said}", answer.status).into());
        }
        if answer.body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&answer.body)?) }
    }
}

/// TLS 1.3 only, no resumption: every handshake is a full one.
fn config(ready: &Ready, group: Group) -> Result<rustls::ClientConfig, Fail> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&ready.ca)? {
        roots.add(certificate?)?;
    }
    let chain = CertificateDer::pem_file_iter(&ready.cert)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&ready.key)?;
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = match group {
        Group::X25519 => vec![kx_group::X25519],
        Group::X25519Mlkem768 => vec![kx_group::X25519MLKEM768],
    };
    // One suite for both sides: left to choose, Go takes this one and rustls the first that a client names.
    provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
