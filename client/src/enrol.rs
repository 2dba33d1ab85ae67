//! The first certificate: a one-time token for it, from a server that the token itself vouches for.
//!
//! Whoever enrols has no CA file yet. The token carries the SHA-256 of the CA's certificate, so that the
//! secret in it goes to no other server: the presented chain must contain exactly that certificate, it must
//! be a CA, and the server's certificate must be valid under it and under nothing else. Comparing subject
//! names or key identifiers instead would let a forged certificate through (CVE-2024-2048, CVE-2025-6037).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use wardkeep_api::SecretText;
use wardkeep_api::certificate::{Enrol, IssuedCertificate};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::call::{Call, Sender};
use crate::certify::{Applicant, ApplicationFailed, IssueFault, certificate_pem};
use crate::connect::{Connector, pool};
use crate::credential::{CertificateInfo, provider};
use crate::error::{CallError, Side};
use crate::files;
use crate::settings::{Address, Timeouts};
use crate::system::SystemEntropy;

/// What every token of this version starts with: `wk1.<secret>.<SHA-256 of the CA>`, both of 32 bytes in base64url.
const TOKEN_PREFIX: &str = "wk1.";
/// Characters of 32 bytes in base64url without padding.
const PART: usize = 43;

/// Where the three files go. Each is written whole or not at all, mode 0600.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolFiles {
    /// The pinned CA certificate.
    pub ca: PathBuf,
    /// The new certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why no certificate came of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The token's text is not one of ours.
    #[error("the token is malformed: give it whole, as `wardkeep cert token` printed it")]
    Token,
    /// The TLS library refused the configuration.
    #[error("the TLS configuration was refused")]
    Tls(#[source] rustls::Error),
    /// No key or request could be made.
    #[error(transparent)]
    Application(#[from] ApplicationFailed),
    /// The server is not the one that the token vouches for, did not answer, or refused the token.
    #[error("enrolment failed: {0}")]
    Call(#[from] CallError),
    /// The answer is not a certificate for us.
    #[error(transparent)]
    Issue(#[from] IssueFault),
    /// A file is there already: enrolling again would replace a key that may be in use.
    #[error("`{}` exists: choose other files or move it away", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The files could not be written.
    #[error("the credential files cannot be written to that folder")]
    Write(#[source] std::io::Error),
}

/// The server's chain does not lead to the CA that the token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's chain does not hold the CA certificate that the token names: wrong server, or somebody between")]
pub struct NotPinned;

impl EnrolError {
    /// On which side it lies.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Call(error) => error.side(),
            Self::Issue(_) => Side::Remote,
            Self::Token | Self::Tls(_) | Self::Application(_) | Self::Exists { .. } | Self::Write(_) => Side::Local,
        }
    }
}

/// Turns a token into a certificate: verifies the enrolment listener at `address` against the CA that the token
/// pins, sends a fresh key's request, and writes CA, certificate and key.
///
/// # Errors
/// [`EnrolError`]. The token is spent once the server has accepted it, also where writing fails after that.
pub async fn enrol(address: &Address, token: &SecretText, files: &EnrolFiles) -> Result<CertificateInfo, EnrolError> {
    let pin = pin_of(token.expose()).ok_or(EnrolError::Token)?;
    refuse_existing(files)?;
    let verifier = Arc::new(Pinned { pin, found: Mutex::new(None) });
    let applicant = Applicant::new()?;
    // The key first: a folder that cannot be written to is found out before the token is spent.
    write(&files.key, applicant.key_pem())?;
    let redeemed = redeem(address, token, files, &applicant, &verifier).await;
    if redeemed.is_err() {
        // Best effort: a key without a certificate is of no use, and of no danger.
        let _ = std::fs::remove_file(&files.key);
    }
    redeemed
}

async fn redeem(
    address: &Address,
    token: &SecretText,
    files: &EnrolFiles,
    applicant: &Applicant,
    verifier: &Arc<Pinned>,
) -> Result<CertificateInfo, EnrolError> {
    let issued = ask(address, token, applicant, verifier.clone()).await?;
    let certified = applicant.accept(&issued)?;
    let authority = verifier.found().ok_or(EnrolError::Issue(IssueFault::Unreadable))?;
    // The certificate last: where it stands, everything stands.
    write(&files.ca, certificate_pem(&authority).as_bytes())?;
    write(&files.certificate, certified.chain_pem.as_bytes())?;
    Ok(certified.certificate)
}

fn write(path: &std::path::Path, bytes: &[u8]) -> Result<(), EnrolError> {
    files::write_private(path, bytes, &SystemEntropy).map_err(EnrolError::Write)
}

/// The fingerprint in a token's text; `None` where it is not a token.
fn pin_of(token: &str) -> Option<[u8; 32]> {
    let (secret, pin) = token.trim().strip_prefix(TOKEN_PREFIX)?.split_once('.')?;
    if secret.len() != PART || pin.len() != PART {
        return None;
    }
    URL_SAFE_NO_PAD.decode(pin).ok()?.try_into().ok()
}

fn refuse_existing(files: &EnrolFiles) -> Result<(), EnrolError> {
    match [&files.certificate, &files.key].into_iter().find(|path| path.exists()) {
        Some(path) => Err(EnrolError::Exists { path: path.clone() }),
        None => Ok(()),
    }
}

async fn ask(
    address: &Address,
    token: &SecretText,
    applicant: &Applicant,
    verifier: Arc<Pinned>,
) -> Result<IssuedCertificate, EnrolError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(EnrolError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    let timeouts = Timeouts::default();
    let pool = pool(Connector::new(address, Arc::new(config), timeouts.connect));
    let entropy = &SystemEntropy;
    let sender = Sender {
        pool: &pool,
        address,
        subject: None,
        idempotency_key: None,
        request: None,
        entropy,
        limit: timeouts.request,
    };
    let token = SecretText::new(token.expose().trim().to_owned());
    let body = Enrol { token, csr_pem: applicant.csr_pem.clone() };
    let answer = sender.send(&Call::once(Method::POST, "/v1/enrol").json_of_about(&body, 4096)?).await?;
    Ok(answer.json()?)
}

/// Trusts exactly one certificate, known by its digest.
#[derive(Debug)]
struct Pinned {
    pin: [u8; 32],
    found: Mutex<Option<CertificateDer<'static>>>,
}

impl Pinned {
    fn found(&self) -> Option<CertificateDer<'static>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ordinary verifier over the pinned certificate as its only root.
    fn ordinary(&self, presented: &[CertificateDer<'_>]) -> Result<(Arc<WebPkiServerVerifier>, usize), NotPinned> {
        let place = presented.iter().position(|der| Sha256::digest(der).as_slice() == self.pin).ok_or(NotPinned)?;
        let root = presented.get(place).ok_or(NotPinned)?;
        // webpki takes any certificate as a trust anchor, a leaf too: that it is a CA is for us to check.
        let is_ca = X509Certificate::from_der(root).is_ok_and(|(rest, parsed)| rest.is_empty() && parsed.is_ca());
        if !is_ca {
            return Err(NotPinned);
        }
        let mut roots = RootCertStore::empty();
        roots.add(root.clone().into_owned()).map_err(|_| NotPinned)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        Ok((verifier.map_err(|_| NotPinned)?, place))
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let refused = |fault: NotPinned| {
            rustls::Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(fault))))
        };
        let (ordinary, place) = self.ordinary(intermediates).map_err(refused)?;
        let verified = ordinary.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let found = intermediates.get(place).map(|der| der.clone().into_owned());
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::PeerIncompatible(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
