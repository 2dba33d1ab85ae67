//! Opening with an RSA private key of one's own: envelopes sealed for it, and data keys that the key service
//! sealed for it, so that not even the end of the TLS connection saw them.
//!
//! Private-key work is aws-lc-rs alone: constant-time and blinded (RUSTSEC-2023-0071).

use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use wardkeep_api::Base64;
use wardkeep_api::data_key::Recipient;
use wardkeep_envelope::{FileKey, OAEP_LABEL, Opener, RsaStanza, Stanza, StanzaKind, Unwrap, UnwrapError};
use zeroize::Zeroizing;

use crate::authorities::hex;
use crate::cache::PlainDataKey;
use crate::files;
use crate::records::{RecordError, claimed_context};

/// Smallest and largest modulus, in bits.
const BITS: std::ops::RangeInclusive<usize> = 3072..=8192;

/// Holds an RSA private key, parsed once.
pub struct RsaHolder {
    key: OaepPrivateDecryptingKey,
    public_key: Vec<u8>,
}

/// Why a private key was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HolderError {
    /// The file cannot be read.
    #[error("cannot read the private key `{}`", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a sound RSA private key in PKCS#8.
    #[error("the private key is not RSA in PKCS#8 PEM (`BEGIN PRIVATE KEY`)")]
    NotRsa,
    /// None could be made.
    #[error("the cryptography library could not make an RSA key")]
    NotMade,
    /// Its modulus is too short or too long.
    #[error("the RSA private key has {bits} bits: use 3072 to 8192")]
    Size {
        /// Bits of the modulus.
        bits: usize,
    },
}

impl RsaHolder {
    /// Reads a private key file (PKCS#8 PEM).
    ///
    /// # Errors
    /// [`HolderError`].
    pub fn from_file(path: &Path) -> Result<Self, HolderError> {
        let text = files::read(path).map_err(|source| HolderError::Read { path: path.to_owned(), source })?;
        Self::from_pem(&text)
    }

    /// Takes a private key in PKCS#8 PEM (RFC 5958, RFC 7468).
    ///
    /// # Errors
    /// [`HolderError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, HolderError> {
        let mut der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| HolderError::NotRsa)?;
        let key = PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der());
        zeroize::Zeroize::zeroize(&mut der);
        let key = key.map_err(|_| HolderError::NotRsa)?;
        Self::of(key)
    }

    /// A new key pair of 3072 bits, in this process's memory only: what is sealed for it is lost with it. Takes some
    /// hundred milliseconds of one processor.
    ///
    /// # Errors
    /// [`HolderError::NotMade`].
    pub fn generate() -> Result<Self, HolderError> {
        Self::of(PrivateDecryptingKey::generate(KeySize::Rsa3072).map_err(|_| HolderError::NotMade)?)
    }

    fn of(key: PrivateDecryptingKey) -> Result<Self, HolderError> {
        if !BITS.contains(&key.key_size_bits()) {
            return Err(HolderError::Size { bits: key.key_size_bits() });
        }
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&key.public_key()).map_err(|_| HolderError::NotRsa)?;
        let public_key = spki.as_ref().to_vec();
        Ok(Self { key: OaepPrivateDecryptingKey::new(key).map_err(|_| HolderError::NotRsa)?, public_key })
    }

    /// The public half as DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The public half as the `recipient` of a data-key request.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient::Spki(Base64(self.public_key.clone()))
    }

    /// SHA-256 of the public half, in hexadecimal: its name in answers and in the audit log.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(&self.public_key))
    }

    /// Opens a data key that the key service sealed for this key (`for_recipient`: OAEP, SHA-256, empty label).
    /// `None` where it was sealed for another or altered.
    #[must_use]
    pub fn open_data_key(&self, sealed: &[u8]) -> Option<PlainDataKey> {
        self.decrypt(sealed, None).map(PlainDataKey::new)
    }

    /// Reads an envelope that was sealed for this key, without any server.
    ///
    /// # Errors
    /// [`RecordError::Open`]: not for this key, or altered.
    pub fn read(&self, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
        let opener = Opener::from_bytes(envelope)?;
        // Only contexts of ours: the bytes are checked, and their meaning has to be known too.
        claimed_context(&opener)?;
        let claimed = opener.claimed_context().to_vec();
        Ok(Zeroizing::new(opener.open(&[self], &claimed)?))
    }

    fn decrypt(&self, sealed: &[u8], label: Option<&[u8]>) -> Option<Zeroizing<[u8; 32]>> {
        let mut out = Zeroizing::new(vec![0; self.key.min_output_size()]);
        let plain = self.key.decrypt(&OAEP_SHA256_MGF1SHA256, sealed, &mut out, label).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(plain.first_chunk::<32>().filter(|_| plain.len() == 32)?);
        Some(key)
    }
}

impl Unwrap for RsaHolder {
    fn unwrap(&self, stanza: &Stanza) -> Option<Result<FileKey, UnwrapError>> {
        let rsa = match RsaStanza::read(stanza)? {
            Ok(rsa) => rsa,
            // A malformed stanza names nobody: it is not ours.
            Err(_) => return None,
        };
        if Sha256::digest(&self.public_key).as_slice() != rsa.fingerprint {
            return None;
        }
        let broken = UnwrapError::Broken { kind: StanzaKind::RSA };
        let key = self.decrypt(rsa.ciphertext, Some(OAEP_LABEL));
        Some(key.map(|key| FileKey::from_bytes(*key)).ok_or(broken))
    }
}

impl std::fmt::Debug for RsaHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key: _, public_key } = self;
        f.debug_struct("RsaHolder").field("public_key_len", &public_key.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
