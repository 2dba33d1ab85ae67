//! TLS 1.3 with aws-lc-rs: the two server configurations, and nothing that would let a client skip its certificate.
//!
//! | setting | value | because |
//! |---|---|---|
//! | versions | TLS 1.3 only (RFC 8446) | one handshake to reason about |
//! | key exchange | X25519MLKEM768, then X25519, P-256 | traffic recorded today stays closed to a quantum computer |
//! | resumption | no session store, no tickets | a resumed session skips client certificate and CRL |
//! | early data | none | it can be replayed |
//! | ALPN | `h2`, `http/1.1` | the accept loop chooses its builder by it |

pub mod files;
#[cfg(test)]
pub(crate) mod forge;
pub mod keeper;
#[cfg(test)]
pub(crate) mod own;
mod remembered;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use wardkeep_model::Clock;

use crate::config::RevocationMode;

/// The configuration in force of a listener; replaced whole, read once a handshake.
pub type TlsSlot = Arc<ArcSwap<ServerConfig>>;

/// Why a TLS configuration could not be built. Whoever reloads keeps the old one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Certificate and key do not go together, or the provider refuses them.
    #[error("the listener's certificate and key are not usable: {0}")]
    Listener(#[source] rustls::Error),
    /// A root that is no certificate.
    #[error("a CA certificate is not usable as a trust anchor: {0}")]
    Root(#[source] rustls::Error),
    /// The verifier refuses roots or CRLs.
    #[error("client verification cannot be set up: {0}")]
    Verifier(#[from] VerifierBuilderError),
    /// CRL mode without any CRL would refuse everybody.
    #[error("no CRL is loaded: name one for each CA, or use short-lived certificates")]
    NoCrl,
}

/// The listener's own certificate chain and key.
pub struct ListenerKey {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS#8, SEC1 or PKCS#1.
    pub key: PrivateKeyDer<'static>,
}

/// Whom a mutual-TLS listener trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Root certificates in DER.
    pub roots: Vec<CertificateDer<'static>>,
    /// The CRL of every CA in a chain; ignored where short lives stand in for them.
    pub crls: Vec<CertificateRevocationListDer<'static>>,
    /// How revocation is learnt.
    pub revocation: RevocationMode,
}

impl fmt::Debug for ListenerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, key: _ } = self;
        f.debug_struct("ListenerKey").field("chain", &chain.len()).finish_non_exhaustive()
    }
}

/// The cryptography in use: aws-lc-rs with the hybrid group first.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    let kx_groups =
        vec![aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
    let usual = aws_lc_rs::default_provider();
    let signature_verification_algorithms = remembered::remembering(&usual.signature_verification_algorithms);
    Arc::new(CryptoProvider { kx_groups, signature_verification_algorithms, ..usual })
}

/// The `api` listener: a client certificate, always.
///
/// # Errors
/// [`TlsError`]: unusable key, roots or CRLs.
pub fn mutual(key: &ListenerKey, trust: &Trust, clock: Arc<dyn Clock>) -> Result<ServerConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in &trust.roots {
        roots.add(root.clone()).map_err(TlsError::Root)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = match trust.revocation {
        RevocationMode::Crl if trust.crls.is_empty() => return Err(TlsError::NoCrl),
        // The builder's defaults check the whole chain and refuse unknown status; only staleness has to be asked for.
        RevocationMode::Crl => verifier.with_crls(trust.crls.iter().cloned()).enforce_revocation_expiration(),
        RevocationMode::ShortLived => verifier,
    };
    let verifier = verifier.build()?;
    let builder = base(clock)?.with_client_cert_verifier(verifier);
    let config = builder.with_single_cert(key.chain.clone(), key.key.clone_key()).map_err(TlsError::Listener)?;
    Ok(finish(config))
}

/// The `enrol` listener: only the server proves who it is.
///
/// # Errors
/// [`TlsError::Listener`].
pub fn server_only(key: &ListenerKey, clock: Arc<dyn Clock>) -> Result<ServerConfig, TlsError> {
    let builder = base(clock)?.with_no_client_auth();
    let config = builder.with_single_cert(key.chain.clone(), key.key.clone_key()).map_err(TlsError::Listener)?;
    Ok(finish(config))
}

type Unverified = rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>;

fn base(clock: Arc<dyn Clock>) -> Result<Unverified, TlsError> {
    let builder = ServerConfig::builder_with_details(provider(), Arc::new(OurTime(clock)));
    builder.with_protocol_versions(&[&rustls::version::TLS13]).map_err(TlsError::Listener)
}

fn finish(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Certificates are valid by the server's one clock, which tests advance.
struct OurTime(Arc<dyn Clock>);

impl fmt::Debug for OurTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OurTime")
    }
}

impl TimeProvider for OurTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.now().millis())))
    }
}

/// What a failed handshake means in words for the log, and as a stable word for metrics.
#[must_use]
pub fn refusal_of(error: &std::io::Error) -> (String, &'static str) {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(tls) = inner else { return (error.to_string(), "handshake") };
    match tls {
        rustls::Error::NoCertificatesPresented => ("the client sent no certificate".to_owned(), "no-certificate"),
        rustls::Error::InvalidCertificate(why) => certificate_refusal(why),
        rustls::Error::InvalidCertRevocationList(why) => {
            (format!("the certificate cannot be checked: the CRL is not its CA's ({why:?}), replace it"), "bad-crl")
        }
        other => (other.to_string(), "handshake"),
    }
}

fn certificate_refusal(why: &rustls::CertificateError) -> (String, &'static str) {
    use rustls::CertificateError as E;
    let (words, code) = match why {
        E::Expired | E::ExpiredContext { .. } => ("has expired", "expired"),
        E::NotValidYet | E::NotValidYetContext { .. } => ("is not valid yet", "not-valid-yet"),
        E::Revoked => ("is revoked by its CA's list", "revoked"),
        E::UnknownRevocationStatus => ("is covered by no CRL: load the CRL of each CA in its chain", "unknown-status"),
        E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            ("cannot be checked: the CRL is stale, refresh it", "stale-crl")
        }
        E::UnknownIssuer => ("comes from no trusted CA", "unknown-issuer"),
        E::BadSignature => ("has a signature that does not verify", "bad-signature"),
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => ("is not for client authentication", "not-for-clients"),
        E::BadEncoding => ("is malformed", "malformed"),
        E::Other(other) => return path_refusal(other.0.downcast_ref::<webpki::Error>()),
        other => return (format!("the certificate is refused: {other}"), "certificate"),
    };
    (format!("the certificate {words}"), code)
}

/// What path validation says that rustls has no word of its own for.
fn path_refusal(why: Option<&webpki::Error>) -> (String, &'static str) {
    use webpki::Error as E;
    let (words, code) = match why {
        Some(E::CaUsedAsEndEntity) => ("is that of a CA: a caller needs a leaf", "authority-leaf"),
        Some(E::EndEntityUsedAsCa) => ("was signed by a leaf", "signed-by-leaf"),
        Some(E::UnsupportedCriticalExtension) => {
            ("has a critical extension that nobody here knows", "critical-extension")
        }
        Some(E::ExtensionValueInvalid) => ("has a repeated or broken extension", "malformed"),
        Some(E::PathLenConstraintViolated) => ("has a longer chain than its CA allows", "path-length"),
        Some(E::NameConstraintViolation) => ("has a name that its CA may not give", "name-constraint"),
        Some(other) => return (format!("the certificate is refused: {other}"), "certificate"),
        None => ("is refused", "certificate"),
    };
    (format!("the certificate {words}"), code)
}
