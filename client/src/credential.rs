//! What a client shows and what it trusts, read from files: CA, certificate chain, private key.
//!
//! The three make one TLS configuration that is replaced as a whole. A certificate resolver that is
//! swapped under a living configuration would leave connections of the old certificate in the pool and
//! could not take up a new CA; a configuration of its own takes its pool along when it goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use wardkeep_model::{CertificateSerial, Identity, Timestamp};
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

pub(crate) use self::trust::Trust;
use crate::files::{self, Stamp};
use crate::settings::Settings;

mod trust;

/// How often files are read that do not fit and change while they are read: a renewal replaces two.
const LOOKS: u32 = 5;
/// Longest chain of certificates that is read from a file.
const MAX_CHAIN: usize = 16;

/// A client certificate, as far as a client needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Who it names; `None` where its URI name is not one of ours (the server would refuse it).
    pub identity: Option<Identity>,
    /// Its serial number.
    pub serial: CertificateSerial,
    /// When its life begins.
    pub not_before: Timestamp,
    /// When its life ends.
    pub not_after: Timestamp,
}

/// Why credential files were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// A file cannot be read.
    #[error("cannot read the {what} `{}`: check that it exists and is readable", path.display())]
    Read {
        /// Which of the files.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds no PEM section of the kind that is needed, or a broken one.
    #[error("the {what} `{}` holds no usable PEM section", path.display())]
    Pem {
        /// Which of the files.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// A certificate cannot be parsed.
    #[error("the {what} `{}` holds a certificate that cannot be parsed", path.display())]
    Certificate {
        /// Which of the files.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// The private key has a kind that TLS 1.3 does not use here, or is damaged.
    #[error("the private key `{}` cannot be used: it has to be RSA, ECDSA or Ed25519 in PEM", path.display())]
    Key {
        /// Where.
        path: PathBuf,
    },
    /// Certificate and private key do not belong together.
    #[error("the certificate `{}` does not belong to the private key `{}`", certificate.display(), key.display())]
    Mismatch {
        /// Where the certificate is.
        certificate: PathBuf,
        /// Where the key is.
        key: PathBuf,
    },
    /// A certificate that takes the place of a working one comes from another CA.
    #[error(
        "the certificate `{}` comes from no CA of the CA file, as the one in use does: replace all three files, or \
         start anew where clients have got a CA of their own",
        certificate.display()
    )]
    Foreign {
        /// Where the certificate is.
        certificate: PathBuf,
    },
    /// The TLS library refused the configuration.
    #[error("the TLS configuration was refused")]
    Tls(#[source] rustls::Error),
}

/// Loaded credentials, ready to connect with.
pub(crate) struct Credential {
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) certificate: CertificateInfo,
    pub(crate) trust: Trust,
    pub(crate) stamps: Stamps,
}

/// The stamps of the three files, taken *before* they were read: a change while reading is then seen at
/// the next look instead of never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamps([Option<Stamp>; 3]);

impl Stamps {
    /// The files as they are now.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self([&settings.ca, &settings.certificate, &settings.key].map(|path| files::stamp(path)))
    }
}

/// Where a renewal keeps the new key until the certificate for it has arrived.
pub(crate) fn pending_key(key: &Path) -> PathBuf {
    files::suffixed(key, ".pending")
}

/// Reads and checks the three files.
pub(crate) fn load(settings: &Settings) -> Result<Credential, CredentialError> {
    let mut looks = 1;
    loop {
        let stamps = Stamps::of(settings);
        let loaded = load_as_of(settings, stamps);
        // Somebody renewed between our reading of the certificate and that of the key: both are new by now.
        let torn = matches!(loaded, Err(CredentialError::Mismatch { .. })) && Stamps::of(settings) != stamps;
        if !torn || looks == LOOKS {
            return loaded;
        }
        looks += 1;
    }
}

fn load_as_of(settings: &Settings, stamps: Stamps) -> Result<Credential, CredentialError> {
    let roots = read_certificates("CA file", &settings.ca)?;
    let chain = read_certificates("client certificate", &settings.certificate)?;
    let leaf = chain.first().ok_or_else(|| pem("client certificate", &settings.certificate))?;
    let certificate = describe(leaf).ok_or_else(|| CredentialError::Certificate {
        what: "client certificate",
        path: settings.certificate.clone(),
    })?;
    if files::is_open_to_others(&settings.key) {
        tracing::warn!(key = %settings.key.display(), "the private key is readable by others: set its mode to 0600");
    }
    let pair = pair_with_key(chain, settings)?;
    let roots = root_store(roots, settings)?;
    let trust = Trust::new(roots.clone(), pair.cert.clone());
    let tls = configuration(roots, pair, settings)?;
    Ok(Credential { tls: Arc::new(tls), certificate, trust, stamps })
}

/// Reads a leaf certificate; `None` where it cannot be parsed.
pub(crate) fn describe(der: &[u8]) -> Option<CertificateInfo> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let validity = certificate.validity();
    let moment = |seconds: i64| Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    Some(CertificateInfo {
        identity: identity(&certificate),
        serial: CertificateSerial::from_bytes(certificate.raw_serial()).ok()?,
        not_before: moment(validity.not_before.timestamp()),
        not_after: moment(validity.not_after.timestamp()),
    })
}

/// The certificates of a PEM file, at least one.
pub(crate) fn read_certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    let text = read(what, path)?;
    parse_certificates(&text).ok_or_else(|| pem(what, path))
}

/// The certificates of a PEM text; `None` where there is none, one is broken, or there are too many.
pub(crate) fn parse_certificates(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text).take(MAX_CHAIN + 1).collect::<Result<_, _>>().ok()?;
    (!chain.is_empty() && chain.len() <= MAX_CHAIN).then_some(chain)
}

/// The cryptography of every connection that this room makes.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Exactly one URI name, and it reads as an identity.
fn identity(certificate: &X509Certificate<'_>) -> Option<Identity> {
    let names = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    let mut uris = names.flatten().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let uri = uris.next()?;
    uris.next().is_none().then(|| Identity::parse(uri).ok()).flatten()
}

/// Whether the certificate in use belongs to that key file and not to the one of the settings.
pub(crate) fn rests_on(settings: &Settings, key: &Path) -> bool {
    let Ok(chain) = read_certificates("client certificate", &settings.certificate) else { return false };
    certified(chain.clone(), &settings.key, settings).is_err() && certified(chain, key, settings).is_ok()
}

/// The key that belongs to the chain: the key file's, or the one that an interrupted renewal left beside it.
///
/// A renewal replaces two files, and no system replaces two files at once. The new key is on disk before
/// the certificate is, so a crash between the two renames leaves a pair that can still be put together.
fn pair_with_key(chain: Vec<CertificateDer<'static>>, settings: &Settings) -> Result<CertifiedKey, CredentialError> {
    match certified(chain.clone(), &settings.key, settings) {
        Err(mismatch @ CredentialError::Mismatch { .. }) => {
            let pending = pending_key(&settings.key);
            certified(chain, &pending, settings).map_err(|_| mismatch)
        }
        pair => pair,
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    path: &Path,
    settings: &Settings,
) -> Result<CertifiedKey, CredentialError> {
    let text = read("private key", path)?;
    let der = PrivateKeyDer::from_pem_slice(&text).map_err(|_| pem("private key", path))?;
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&der);
    let mut der = der;
    zeroize::Zeroize::zeroize(&mut der);
    let key = key.map_err(|_| CredentialError::Key { path: path.to_owned() })?;
    let pair = CertifiedKey::new(chain, key);
    // Unlike the library's default, "cannot tell" counts as a mismatch: every kind we take can tell.
    pair.keys_match()
        .map_err(|_| CredentialError::Mismatch { certificate: settings.certificate.clone(), key: path.to_owned() })?;
    Ok(pair)
}

fn root_store(roots: Vec<CertificateDer<'static>>, settings: &Settings) -> Result<Arc<RootCertStore>, CredentialError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root).map_err(|_| CredentialError::Certificate { what: "CA file", path: settings.ca.clone() })?;
    }
    Ok(Arc::new(store))
}

fn configuration(
    roots: Arc<RootCertStore>,
    pair: CertifiedKey,
    settings: &Settings,
) -> Result<ClientConfig, CredentialError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|_| CredentialError::Certificate { what: "CA file", path: settings.ca.clone() })?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(CredentialError::Tls)?
        .with_webpki_verifier(verifier)
        .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would show the certificate of the session that it resumes.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn read(what: &'static str, path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, CredentialError> {
    files::read(path).map_err(|source| CredentialError::Read { what, path: path.to_owned(), source })
}

fn pem(what: &'static str, path: &Path) -> CredentialError {
    CredentialError::Pem { what, path: path.to_owned() }
}

#[cfg(test)]
mod tests;
