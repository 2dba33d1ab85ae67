//! Test tools: certificate authorities and leaves of every honest and dishonest shape.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber,
};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use wardkeep_model::{Clock, Timestamp};

use super::{ListenerKey, OurTime, provider};

/// 2026-11-21T12:00:00Z
pub(crate) const NOW: u64 = 1_795_262_400;
pub(crate) const DOMAIN: &str = "clinic.test";
pub(crate) const ANA: &str = "spiffe://clinic.test/user/ana";

/// A clock that tests move.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(NOW * 1000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Seconds relative to [`NOW`], as rcgen wants them.
macro_rules! at {
    ($seconds:expr) => {
        rcgen::date_time_ymd(1970, 1, 1)
            + std::time::Duration::from_secs($crate::tls::forge::NOW.checked_add_signed($seconds).unwrap())
    };
}
pub(crate) use at;

/// A CA with its key.
pub(crate) struct Forge {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) der: CertificateDer<'static>,
}

/// A chain and its key, whatever they are worth.
pub(crate) struct Holder {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

pub(crate) fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = at!(-86_400);
    params.not_after = at!(86_400 * 365);
    params
}

/// An honest leaf for an identity.
pub(crate) fn leaf_params(uri: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = at!(-3_600);
    params.not_after = at!(86_400);
    params.serial_number = Some(SerialNumber::from_slice(&[0x11, 0x22]));
    params.use_authority_key_identifier_extension = true;
    params
}

impl Forge {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(ca_params(name))
    }

    pub(crate) fn with(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), der }
    }

    /// A CA below this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        let (params, key) = (ca_params(name), KeyPair::generate().unwrap());
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), der }
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Holder {
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Holder { chain: vec![der], key: private(&key) }
    }

    pub(crate) fn ana(&self) -> Holder {
        self.sign(&leaf_params(ANA))
    }

    pub(crate) fn listener(&self) -> ListenerKey {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = at!(-3_600);
        params.not_after = at!(86_400 * 30);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let Holder { chain, key } = self.sign(&params);
        ListenerKey { chain, key }
    }

    /// A list that is good from `from` to `to`, in seconds relative to [`NOW`].
    pub(crate) fn crl(&self, from: i64, to: i64, serials: &[&[u8]]) -> CertificateRevocationListDer<'static> {
        let entry = |serial: &&[u8]| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: at!(-60),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: at!(from),
            next_update: at!(to),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().clone()
    }

    pub(crate) fn fresh_crl(&self) -> CertificateRevocationListDer<'static> {
        self.crl(-60, 86_400, &[])
    }
}

pub(crate) fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

/// A TLS client that shows whatever it holds, checked by nobody on its own side.
pub(crate) fn client(root: &CertificateDer<'static>, holder: Option<&Holder>, alpn: &[&[u8]]) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let builder = ClientConfig::builder_with_details(provider(), Arc::new(OurTime(TestClock::new())))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match holder {
        None => builder.with_no_client_auth(),
        Some(holder) => {
            let key = provider().key_provider.load_private_key(holder.key.clone_key()).unwrap();
            let certified = CertifiedKey::new(holder.chain.clone(), key);
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}
