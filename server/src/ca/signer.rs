//! The CA's key, and what its certificates look like (RFC 5280, SPIFFE X509-SVID).

use std::fmt;
use std::net::IpAddr;
use std::ops::Add;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};
use rustls::pki_types::CertificateDer;
use wardkeep_model::{CertificateSerial, Entropy, EntropyError, Identity, Timestamp};
use zeroize::Zeroizing;

use super::AuthorityError;

/// Life of the CA's own certificate: ten years.
const CA_LIFE_DAYS: u32 = 3653;
/// How far a listener's certificate is dated back, for clients whose clock is behind ours.
const BACKDATE_MILLIS: u64 = 300_000;
/// Bytes of a serial: 158 random bits, always positive, at most the 20 bytes of RFC 5280 section 4.1.2.2.
const SERIAL_BYTES: usize = 20;

/// The CA's P-256 key. aws-lc-rs holds it; nothing here can print or copy it.
pub(super) struct CaKey {
    pair: EcdsaKeyPair,
    public: Vec<u8>,
}

/// Key and certificate together.
pub(super) struct Signer {
    pub(super) issuer: Issuer<'static, CaKey>,
    pub(super) certificate: CertificateDer<'static>,
    not_after: Timestamp,
}

/// A new leaf.
pub(super) struct Leaf {
    pub(super) der: CertificateDer<'static>,
    pub(super) serial: CertificateSerial,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl fmt::Debug for CaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pair: _, public: _ } = self;
        f.write_str("CaKey")
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl CaKey {
    /// A new key as PKCS#8, for the store to seal.
    pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(|_| EntropyError)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, AuthorityError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
            .map_err(|_| AuthorityError::Row { what: "CA key" })?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { pair, public })
    }
}

impl Signer {
    /// The certificate of a new CA. Its name is unique, so that an issuer's digest means this CA and no other.
    pub(super) fn found(
        key: &CaKey,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let (number, serial) = serial(entropy)?;
        let tail: String = serial.as_str().chars().take(16).collect();
        let mut params = CertificateParams::default();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("Wardkeep CA {tail}"));
        params.serial_number = Some(number);
        params.not_before = date(epoch, Timestamp::from_millis(now.millis().saturating_sub(BACKDATE_MILLIS)));
        params.not_after = date(epoch, now.plus_days(CA_LIFE_DAYS));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(params.self_signed(key)?.der().clone())
    }

    pub(super) fn open(key: CaKey, certificate: CertificateDer<'static>) -> Result<Self, AuthorityError> {
        let not_after = {
            let parsed = x509_parser::parse_x509_certificate(&certificate);
            let (_, parsed) = parsed.map_err(|_| AuthorityError::Row { what: "CA certificate" })?;
            if parsed.public_key().subject_public_key.data.as_ref() != key.public.as_slice() {
                return Err(AuthorityError::Row { what: "CA certificate" });
            }
            Timestamp::from_millis(u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0) * 1000)
        };
        let issuer = Issuer::from_ca_cert_der(&certificate, key)?;
        Ok(Self { issuer, certificate, not_after })
    }

    /// A client's leaf: the public key of the request, and nothing else of it.
    pub(super) fn client_leaf(
        &self,
        identity: &Identity,
        key: &impl PublicKeyData,
        life: (Timestamp, u64),
        entropy: &dyn Entropy,
    ) -> Result<Leaf, AuthorityError> {
        let uri = identity.to_string().try_into()?;
        self.leaf(vec![SanType::URI(uri)], ExtendedKeyUsagePurpose::ClientAuth, key, life, entropy)
    }

    /// A listener's leaf for DNS names and addresses.
    pub(super) fn listener_leaf(
        &self,
        names: &[String],
        key: &impl PublicKeyData,
        life: (Timestamp, u64),
        entropy: &dyn Entropy,
    ) -> Result<Leaf, AuthorityError> {
        let names: Result<Vec<SanType>, AuthorityError> = names.iter().map(|name| listener_name(name)).collect();
        let (now, life) = life;
        let back = Timestamp::from_millis(now.millis().saturating_sub(BACKDATE_MILLIS));
        let life = (back, life.saturating_add(BACKDATE_MILLIS));
        self.leaf(names?, ExtendedKeyUsagePurpose::ServerAuth, key, life, entropy)
    }

    fn leaf(
        &self,
        names: Vec<SanType>,
        purpose: ExtendedKeyUsagePurpose,
        key: &impl PublicKeyData,
        (from, life): (Timestamp, u64),
        entropy: &dyn Entropy,
    ) -> Result<Leaf, AuthorityError> {
        let (number, serial) = serial(entropy)?;
        // Certificates tell whole seconds.
        let not_before = Timestamp::from_millis(from.seconds() * 1000);
        let not_after = not_before.plus_millis(life).min(self.not_after);
        let mut params = CertificateParams::default();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        // The subject stays empty: the URI name is the one name there is.
        params.distinguished_name = DistinguishedName::new();
        params.serial_number = Some(number);
        params.not_before = date(epoch, not_before);
        params.not_after = date(epoch, not_after);
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let der = params.signed_by(key, &self.issuer)?.der().clone();
        Ok(Leaf { der, serial, not_before, not_after })
    }
}

fn listener_name(name: &str) -> Result<SanType, AuthorityError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let refused = || AuthorityError::ListenerName { name: name.to_owned() };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'*');
    if name.is_empty() || name.len() > 253 || !name.bytes().all(letter) {
        return Err(refused());
    }
    name.to_owned().try_into().map(SanType::DnsName).map_err(|_| refused())
}

/// A positive serial whose first byte is never 0, so that every reader prints it alike.
fn serial(entropy: &dyn Entropy) -> Result<(SerialNumber, CertificateSerial), AuthorityError> {
    let mut bytes = [0_u8; SERIAL_BYTES];
    entropy.fill(&mut bytes)?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    let serial = CertificateSerial::from_bytes(&bytes).map_err(|_| EntropyError)?;
    Ok((SerialNumber::from_slice(&bytes), serial))
}

/// The `time` crate's moment for ours, counted from `epoch`: rcgen speaks its dates without exporting their type. No
/// certificate can tell a year after 9999.
pub(super) fn date<T: Add<Duration, Output = T>>(epoch: T, at: Timestamp) -> T {
    epoch + Duration::from_secs(at.seconds().min(253_402_300_799))
}
