//! From a client certificate to the one identity it names, or a refusal that says why.
//!
//! The chain was verified by rustls before this file sees it (signatures, dates, key usage, CRL). What is left are
//! the rules that path validation does not know: SPIFFE X509-SVID sections 2 to 5.2 and the house's own.

use std::net::SocketAddr;

use sha2::{Digest, Sha256};
use wardkeep_model::{CertificateSerial, IdError, Identity, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

/// Largest leaf that is parsed, in bytes; rustls bounds the whole handshake message at 64 KiB.
pub const MAX_LEAF: usize = 16 * 1024;
/// Most subject alternative names of any kind that a leaf may carry.
pub const MAX_NAMES: usize = 16;

/// Who is at the other end of a connection: what its verified certificate says.
///
/// The accept loop puts an `Arc<Peer>` into the extensions of each request of the mutual-TLS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The one `spiffe://` URI name.
    pub identity: Identity,
    /// The certificate's serial number.
    pub serial: CertificateSerial,
    /// SHA-256 of the issuer's distinguished name in DER; a serial is unique only beside it.
    pub issuer_digest: [u8; 32],
    /// The certificate's first moment, in whole seconds.
    pub not_before: Timestamp,
    /// The certificate's last moment, in whole seconds.
    pub not_after: Timestamp,
}

/// The network address at the other end, as the accept loop puts it into a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteAddress(pub SocketAddr);

/// What a leaf is held to beside path validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRules {
    /// The one trust domain that identities may come from.
    pub trust_domain: String,
    /// Longest life of a leaf in milliseconds, where short lives stand in for a CRL.
    pub longest_life_millis: Option<u64>,
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The handshake ended without a certificate.
    #[error("the client sent no certificate")]
    NoCertificate,
    /// The DER is broken or has bytes after its end.
    #[error("the certificate is malformed")]
    Malformed,
    /// The leaf is larger than any honest one.
    #[error("the certificate has {len} bytes: at most {MAX_LEAF} are taken")]
    TooLarge {
        /// Its size.
        len: usize,
    },
    /// `basicConstraints` says CA, or the key may sign certificates.
    #[error("the certificate is that of a CA: a caller needs a leaf (SPIFFE X509-SVID section 3)")]
    AuthorityLeaf,
    /// An extended key usage is present and does not hold `clientAuth`.
    #[error("the certificate's extended key usage lacks clientAuth")]
    NotForClients,
    /// There is no subject alternative name that is a URI.
    #[error("the certificate names no URI: issue it with one `spiffe://<trust-domain>/<kind>/<name>`")]
    NoUri,
    /// More than one URI: which one counts would be a guess.
    #[error("the certificate names {count} URIs: exactly one is taken")]
    ManyUris {
        /// How many.
        count: usize,
    },
    /// More names than any honest leaf carries.
    #[error("the certificate has {count} names: at most {MAX_NAMES} are taken")]
    ManyNames {
        /// How many.
        count: usize,
    },
    /// The URI holds a NUL byte, which some readers take for its end.
    #[error("the certificate's URI contains a NUL byte")]
    NulByte,
    /// The URI has no path: it names the trust domain itself.
    #[error("the certificate's URI has no path: it names the trust domain and nobody in it")]
    RootPath,
    /// The URI is not an identity.
    #[error("the certificate's URI is no identity: {0}")]
    Identity(#[from] IdError),
    /// The identity belongs to another trust domain.
    #[error("the certificate is of trust domain `{found}`: this server is of `{expected}`")]
    TrustDomain {
        /// The certificate's.
        found: String,
        /// Ours.
        expected: String,
    },
    /// The serial number has more than 20 bytes (RFC 5280 section 4.1.2.2), or is zero or negative.
    #[error("the certificate's serial number is not a positive number of at most 20 bytes")]
    Serial,
    /// A leaf that lives too long to go without a CRL.
    #[error("the certificate lives {hours} h: without a CRL at most {most} h are taken")]
    LivesTooLong {
        /// Its whole life in hours, rounded up.
        hours: u64,
        /// The bound.
        most: u64,
    },
}

impl PeerError {
    /// A stable word for metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no-certificate",
            Self::Malformed => "malformed",
            Self::TooLarge { .. } => "too-large",
            Self::AuthorityLeaf => "authority-leaf",
            Self::NotForClients => "not-for-clients",
            Self::NoUri => "no-uri",
            Self::ManyUris { .. } => "many-uris",
            Self::ManyNames { .. } => "many-names",
            Self::NulByte => "nul-byte",
            Self::RootPath => "root-path",
            Self::Identity(_) => "identity",
            Self::TrustDomain { .. } => "trust-domain",
            Self::Serial => "serial",
            Self::LivesTooLong { .. } => "lives-too-long",
        }
    }
}

/// The digest that names an issuer: SHA-256 of its distinguished name in DER.
#[must_use]
pub fn issuer_digest(name_der: &[u8]) -> [u8; 32] {
    Sha256::digest(name_der).into()
}

impl Peer {
    /// Reads a verified leaf.
    ///
    /// # Errors
    /// One [`PeerError`] per rule; the first broken one.
    pub fn from_leaf(der: &[u8], rules: &PeerRules) -> Result<Self, PeerError> {
        if der.len() > MAX_LEAF {
            return Err(PeerError::TooLarge { len: der.len() });
        }
        let (rest, leaf) = X509Certificate::from_der(der).map_err(|_| PeerError::Malformed)?;
        if !rest.is_empty() {
            return Err(PeerError::Malformed);
        }
        check_usage(&leaf)?;
        let identity = identity_of(&leaf)?;
        if identity.trust_domain() != rules.trust_domain {
            let found = identity.trust_domain().to_owned();
            return Err(PeerError::TrustDomain { found, expected: rules.trust_domain.clone() });
        }
        let not_before = moment(leaf.validity().not_before.timestamp());
        let not_after = moment(leaf.validity().not_after.timestamp());
        check_life(not_after.millis_since(not_before), rules)?;
        let serial = serial_of(leaf.raw_serial())?;
        Ok(Self { identity, serial, issuer_digest: issuer_digest(leaf.issuer().as_raw()), not_before, not_after })
    }
}

/// Negative years before 1970 become the epoch: rustls has refused what is not valid now.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}

/// A leading bit of one would be a negative number, which other readers print as another serial.
fn serial_of(raw: &[u8]) -> Result<CertificateSerial, PeerError> {
    let negative = raw.first().is_none_or(|first| first & 0x80 != 0);
    let serial = CertificateSerial::from_bytes(raw).map_err(|_| PeerError::Serial)?;
    if negative || serial.as_str() == "0" {
        return Err(PeerError::Serial);
    }
    Ok(serial)
}

fn check_life(life_millis: u64, rules: &PeerRules) -> Result<(), PeerError> {
    match rules.longest_life_millis {
        Some(most) if life_millis > most => {
            Err(PeerError::LivesTooLong { hours: life_millis.div_ceil(3_600_000), most: most / 3_600_000 })
        }
        _ => Ok(()),
    }
}

/// A repeated extension is an error of the parser's accessors: it must not read as "absent".
fn check_usage(leaf: &X509Certificate<'_>) -> Result<(), PeerError> {
    let constraints = leaf.basic_constraints().map_err(|_| PeerError::Malformed)?;
    if constraints.is_some_and(|extension| extension.value.ca) {
        return Err(PeerError::AuthorityLeaf);
    }
    let usage = leaf.key_usage().map_err(|_| PeerError::Malformed)?;
    if usage.is_some_and(|extension| extension.value.key_cert_sign() || extension.value.crl_sign()) {
        return Err(PeerError::AuthorityLeaf);
    }
    let extended = leaf.extended_key_usage().map_err(|_| PeerError::Malformed)?;
    if extended.is_some_and(|extension| !extension.value.client_auth) {
        return Err(PeerError::NotForClients);
    }
    Ok(())
}

fn identity_of(leaf: &X509Certificate<'_>) -> Result<Identity, PeerError> {
    let broken = |extension: &ParsedExtension<'_>| {
        matches!(extension, ParsedExtension::ParseError { .. } | ParsedExtension::Unparsed)
    };
    if leaf.extensions().iter().any(|extension| broken(extension.parsed_extension())) {
        return Err(PeerError::Malformed);
    }
    let names = leaf.subject_alternative_name().map_err(|_| PeerError::Malformed)?;
    let names = names.map_or(&[][..], |extension| extension.value.general_names.as_slice());
    if names.len() > MAX_NAMES {
        return Err(PeerError::ManyNames { count: names.len() });
    }
    if names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
        return Err(PeerError::Malformed);
    }
    let uris = || names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None });
    match (uris().next(), uris().count()) {
        (None, _) => Err(PeerError::NoUri),
        (Some(uri), 1) => parse_uri(uri),
        (Some(_), count) => Err(PeerError::ManyUris { count }),
    }
}

fn parse_uri(uri: &str) -> Result<Identity, PeerError> {
    if uri.contains('\0') {
        return Err(PeerError::NulByte);
    }
    let root = |rest: &str| rest.trim_end_matches('/').split_once('/').is_none();
    if uri.strip_prefix("spiffe://").is_some_and(root) {
        return Err(PeerError::RootPath);
    }
    Ok(Identity::parse(uri)?)
}

#[cfg(test)]
mod tests;
