//! A new private key, the request for its certificate, and the check of what came back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData as _};
use wardkeep_api::certificate::IssuedCertificate;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::credential::{self, CertificateInfo};

/// A fresh ECDSA P-256 key and a request (RFC 2986) that names nobody: who the certificate names is the
/// server's to say, by token or by the certificate that renews.
pub(crate) struct Applicant {
    pub(crate) csr_pem: String,
    key_pem: Zeroizing<String>,
    public_key: Vec<u8>,
}

/// A certificate that fits the applicant's key, ready to be written.
pub(crate) struct Certified {
    pub(crate) certificate: CertificateInfo,
    /// Leaf and intermediates, PEM. The root is left out: whoever verifies has it, or must not believe it.
    pub(crate) chain_pem: String,
}

/// Why no key could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptography library could not make a key and its certificate request")]
pub struct ApplicationFailed;

/// How an issued certificate is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueFault {
    /// It cannot be parsed.
    #[error("the issued certificate or its chain cannot be parsed")]
    Unreadable,
    /// It certifies another key.
    #[error("the issued certificate is for another key than the one that was asked for")]
    OtherKey,
    /// It names somebody else.
    #[error("the issued certificate names another identity")]
    OtherIdentity,
}

impl Applicant {
    /// Makes the key.
    pub(crate) fn new() -> Result<Self, ApplicationFailed> {
        let key = KeyPair::generate().map_err(|_| ApplicationFailed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key).and_then(|request| request.pem());
        Ok(Self {
            csr_pem: request.map_err(|_| ApplicationFailed)?,
            key_pem: Zeroizing::new(key.serialize_pem()),
            public_key: key.subject_public_key_info(),
        })
    }

    /// The private key as PKCS#8 PEM.
    pub(crate) fn key_pem(&self) -> &[u8] {
        self.key_pem.as_bytes()
    }

    /// Checks an issued certificate before it takes the place of a working one.
    pub(crate) fn accept(&self, issued: &IssuedCertificate) -> Result<Certified, IssueFault> {
        let leaf = credential::parse_certificates(issued.certificate_pem.as_bytes()).ok_or(IssueFault::Unreadable)?;
        let leaf = leaf.into_iter().next().ok_or(IssueFault::Unreadable)?;
        let authorities = match issued.chain_pem.trim() {
            "" => Vec::new(),
            chain => credential::parse_certificates(chain.as_bytes()).ok_or(IssueFault::Unreadable)?,
        };
        let certificate = credential::describe(&leaf).ok_or(IssueFault::Unreadable)?;
        let (_, parsed) = X509Certificate::from_der(&leaf).map_err(|_| IssueFault::Unreadable)?;
        if parsed.public_key().raw != self.public_key {
            return Err(IssueFault::OtherKey);
        }
        let intermediates = authorities.iter().filter(|authority| !is_root(authority));
        let chain_pem = std::iter::once(&leaf).chain(intermediates).map(|der| certificate_pem(der)).collect();
        Ok(Certified { certificate, chain_pem })
    }
}

/// PEM (RFC 7468) of a certificate.
pub(crate) fn certificate_pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = String::with_capacity(text.len() + text.len() / 64 + 64);
    out.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

fn is_root(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, parsed)| parsed.subject().as_raw() == parsed.issuer().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Authority;

    #[test]
    fn pem_is_what_pem_readers_read() {
        for len in [1, 47, 48, 49, 200] {
            let text = certificate_pem(&vec![7; len]);
            assert_eq!(credential::parse_certificates(text.as_bytes()).unwrap()[0].len(), len);
        }
    }

    #[test]
    fn a_certificate_for_another_key_is_not_accepted() {
        let authority = Authority::new("ca");
        let (ours, other) = (Applicant::new().unwrap(), Applicant::new().unwrap());
        let issued = authority.answer(&ours.csr_pem, "spiffe://example/service/web");
        assert_eq!(other.accept(&issued).err(), Some(IssueFault::OtherKey));
        let certified = ours.accept(&issued).ok().unwrap();
        assert_eq!(certified.certificate.identity.unwrap().name(), "web");
        assert_eq!(credential::parse_certificates(certified.chain_pem.as_bytes()).unwrap().len(), 1, "no root");
    }

    #[test]
    fn rubbish_is_not_accepted() {
        let authority = Authority::new("ca");
        let applicant = Applicant::new().unwrap();
        let mut issued = authority.answer(&applicant.csr_pem, "spiffe://example/service/web");
        issued.chain_pem = "rubbish".to_owned();
        assert_eq!(applicant.accept(&issued).err(), Some(IssueFault::Unreadable));
        issued.certificate_pem = String::new();
        assert_eq!(applicant.accept(&issued).err(), Some(IssueFault::Unreadable));
    }
}
