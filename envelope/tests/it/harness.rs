//! A key service that fits into a test, fixed randomness, and the recipients of the tests.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use sha2::{Digest, Sha256};
use wardkeep_envelope::{
    DataKey, FileKey, OAEP_LABEL, RandomFailed, Recipient, RsaRecipient, RsaStanza, Sealer, Stanza, StanzaKind, Unwrap,
    UnwrapError, WrappedKey,
};

pub(crate) const KEY: &str = "clinic/records";
pub(crate) const CONTEXT: &[u8] = b"Observation/17";

/// Bytes that are the same every time: SHA-256 in counter mode over a seed.
pub(crate) fn fixed(seed: &str) -> impl FnMut(&mut [u8]) -> Result<(), RandomFailed> {
    let (seed, mut counter) = (seed.to_owned(), 0u64);
    move |out| {
        for part in out.chunks_mut(32) {
            let block = Sha256::new().chain_update(&seed).chain_update(counter.to_be_bytes()).finalize();
            part.copy_from_slice(&block[..part.len()]);
            counter += 1;
        }
        Ok(())
    }
}

/// Wraps as the real one: authenticated, and bound to the key's id.
pub(crate) struct KeyService(pub(crate) [u8; 32]);

impl KeyService {
    /// A data key of that many equal bytes, wrapped by the version that stands in the nonce.
    pub(crate) fn data_key(&self, byte: u8, version: u8) -> DataKey {
        let payload = Payload { msg: &[byte; 32], aad: KEY.as_bytes() };
        let sealed = Aes256Gcm::new(&self.0.into()).encrypt(&[version; 12].into(), payload).unwrap();
        DataKey::new(KEY, [&[version], sealed.as_slice()].concat(), FileKey::from_bytes([byte; 32])).unwrap()
    }

    fn open(&self, wrapped: &WrappedKey) -> Option<FileKey> {
        let (version, sealed) = wrapped.wrapped().split_first()?;
        let payload = Payload { msg: sealed, aad: wrapped.key().as_bytes() };
        let plain = Aes256Gcm::new(&self.0.into()).decrypt(&[*version; 12].into(), payload).ok()?;
        FileKey::from_slice(&plain)
    }
}

impl Unwrap for KeyService {
    fn unwrap(&self, stanza: &Stanza) -> Option<Result<FileKey, UnwrapError>> {
        let broken = UnwrapError::Broken { kind: StanzaKind::KMS };
        Some(WrappedKey::read(stanza)?.and_then(|wrapped| self.open(&wrapped).ok_or(broken)))
    }
}

/// The private half of an RSA recipient, as the client will hold it.
pub(crate) struct RsaHolder {
    key: OaepPrivateDecryptingKey,
    pub(crate) public: RsaRecipient,
}

impl RsaHolder {
    pub(crate) fn new() -> Self {
        let key = PrivateDecryptingKey::from_pkcs8(include_bytes!("../../testdata/recipient-rsa3072.pk8")).unwrap();
        let spki = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(&key.public_key()).unwrap();
        let public = RsaRecipient::from_spki_der(spki.as_ref()).unwrap();
        Self { key: OaepPrivateDecryptingKey::new(key).unwrap(), public }
    }

    fn open(&self, ciphertext: &[u8]) -> Option<FileKey> {
        let mut out = vec![0; self.key.min_output_size()];
        let plain = self.key.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut out, Some(OAEP_LABEL)).ok()?;
        FileKey::from_slice(plain)
    }
}

impl Unwrap for RsaHolder {
    fn unwrap(&self, stanza: &Stanza) -> Option<Result<FileKey, UnwrapError>> {
        let broken = UnwrapError::Broken { kind: StanzaKind::RSA };
        match RsaStanza::read(stanza)? {
            Ok(found) if found.fingerprint != self.public.fingerprint() => None,
            Ok(found) => Some(self.open(found.ciphertext).ok_or(broken)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// A stanza of a mechanism that nobody here knows.
pub(crate) struct Foreign(pub(crate) u16);

impl Recipient for Foreign {
    fn wrap(
        &self,
        _: &FileKey,
        _: &mut dyn wardkeep_envelope::Randomness,
    ) -> Result<Stanza, wardkeep_envelope::WrapError> {
        Ok(Stanza::new(StanzaKind(self.0), b"from the future".to_vec()))
    }
}

/// Text that is different everywhere, so that no two chunks are equal.
pub(crate) fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(167) >> 3) as u8 ^ (at >> 11) as u8).collect()
}

/// An envelope under the key service alone.
pub(crate) fn sealed(service: &KeyService, plaintext: &[u8]) -> Vec<u8> {
    let key = service.data_key(7, 1);
    Sealer::new(key.file_key(), &[&key], CONTEXT, &mut fixed("seal")).unwrap().seal(plaintext).unwrap()
}

/// Where the body begins.
pub(crate) fn header_len(envelope: &[u8]) -> usize {
    u32::from_be_bytes(envelope[10..14].try_into().unwrap()) as usize
}
