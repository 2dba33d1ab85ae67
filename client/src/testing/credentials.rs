//! A CA, certificates and credential files, made anew for every test.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use wardkeep_api::certificate::IssuedCertificate;

use crate::settings::{Renewal, Settings, Timeouts};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The three credential files in a folder of their own.
pub(crate) struct Folder {
    pub(crate) folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Arc::new(Self { issuer: Issuer::new(params, key), pem })
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()
    }

    /// A server's certificate for 127.0.0.1.
    pub(crate) fn server(&self) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("server");
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// A client's certificate.
    pub(crate) fn client(&self, identity: &str) -> Pair {
        self.sign(client_params(identity))
    }

    /// Signs a client's certificate that lives for `life`, `age` of it over already.
    pub(crate) fn client_of_age(&self, identity: &str, life: Duration, age: Duration) -> Pair {
        let mut params = client_params(identity);
        let began = std::time::UNIX_EPOCH + Duration::from_millis(now_millis()) - age;
        params.not_before = began.into();
        params.not_after = (began + life).into();
        self.sign(params)
    }

    /// Signs a client's certificate whose life begins only after `wait`.
    pub(crate) fn client_in(&self, identity: &str, wait: Duration) -> Pair {
        let mut params = client_params(identity);
        let begins = std::time::UNIX_EPOCH + Duration::from_millis(now_millis()) + wait;
        params.not_before = begins.into();
        params.not_after = (begins + wait).into();
        self.sign(params)
    }

    /// What the server's CA answers to a request.
    pub(crate) fn answer(&self, csr_pem: &str, identity: &str) -> IssuedCertificate {
        let mut request = CertificateSigningRequestParams::from_pem(csr_pem).unwrap();
        request.params = client_params(identity);
        let certificate = request.signed_by(&self.issuer).unwrap();
        IssuedCertificate {
            serial: "1".into(),
            identity: identity.into(),
            not_after: "2030-01-01T00:00:00Z".into(),
            certificate_pem: certificate.pem(),
            chain_pem: self.pem.clone(),
        }
    }

    fn sign(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        Pair { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

impl Pair {
    pub(crate) fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect::<Result<_, _>>().unwrap();
        (chain, PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap())
    }
}

impl Folder {
    pub(crate) fn new(authority: &Authority, pair: &Pair) -> Self {
        let folder = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(folder.path("ca.pem"), &authority.pem).unwrap();
        folder.put(pair);
        folder
    }

    /// Replaces certificate and key.
    pub(crate) fn put(&self, pair: &Pair) {
        for (name, text) in [("cert.pem", &pair.certificate), ("key.pem", &pair.key)] {
            crate::files::write_private(&self.path(name), text.as_bytes(), &crate::system::SystemEntropy).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Settings with short times and nothing that runs by itself.
    pub(crate) fn settings(&self, port: u16) -> Settings {
        let address = format!("https://127.0.0.1:{port}");
        let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| self.path(name));
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(10),
            poll: Duration::from_secs(3600),
        };
        Settings { timeouts, renewal: Renewal::Elsewhere, ..Settings::new(&address, ca, cert, key).unwrap() }
    }
}

pub(crate) fn now_millis() -> u64 {
    wardkeep_model::Clock::now(&crate::system::SystemClock).millis()
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn client_params(identity: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("client");
    params.subject_alt_names = vec![SanType::URI(identity.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}
