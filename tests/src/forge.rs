//! Certificates of any shape, from any authority.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::person::Credential;

/// A certificate authority that the house does not know, under whatever name it likes.
pub struct Forger {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

impl std::fmt::Debug for Forger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forger")
    }
}

impl Forger {
    /// An authority of that common name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut names = DistinguishedName::new();
        names.push(DnType::CommonName, name);
        Self::named(names)
    }

    /// An authority with the distinguished name of another one, such as the house's own.
    #[must_use]
    pub fn posing_as(chain_pem: &str) -> Self {
        let ca = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).last().unwrap().unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&ca).unwrap();
        let mut names = DistinguishedName::new();
        for attribute in parsed.subject().iter_attributes() {
            let kind = DnType::from_oid(&attribute.attr_type().iter().unwrap().collect::<Vec<_>>());
            names.push(kind, attribute.as_str().unwrap());
        }
        Self::named(names)
    }

    fn named(names: DistinguishedName) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = names;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A leaf as the house would issue it, changed at will before it is signed.
    #[must_use]
    pub fn leaf(&self, identity: &str, change: impl FnOnce(&mut CertificateParams)) -> Credential {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(identity.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).unwrap().pem();
        Credential { chain_pem: format!("{leaf}{}", self.pem), key_pem: key.serialize_pem() }
    }
}
