//! AES-256 keys, used as XAES-256-GCM (C2SP XAES-256-GCM; NIST SP 800-38D and SP 800-108 underneath).
//!
//! Nonces are 192 random bits, drawn here: no function takes one. With 96-bit random nonces a busy key
//! would meet its bound of 2^32 messages within days.

use wardkeep_model::Entropy;
use xaes_256_gcm::aead::{AeadInOut, KeyInit};
use xaes_256_gcm::{Key, Nonce, Tag, Xaes256Gcm};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::secret::SecretKey32;
use crate::wrapped::{AES_TAG, NONCE};

/// An expanded AES key. The cipher zeroes its round keys on drop.
pub(crate) struct AesKey(Xaes256Gcm);

impl AesKey {
    /// Expands a key; `None` if it does not have 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let key: &Key = key.try_into().ok()?;
        Some(Self(Xaes256Gcm::new(key)))
    }

    /// Appends nonce, encrypted `plaintext` and tag to `out`.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        aad: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), KmsError> {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce)?;
        self.seal_with(nonce, aad, plaintext, out)
    }

    /// A fresh data key, and its wrapped form appended to `out`. One draw gives key and nonce: the draw is
    /// a system call and the dearest part of the hot path.
    pub(crate) fn generate(
        &self,
        entropy: &dyn Entropy,
        aad: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<SecretKey32, KmsError> {
        let mut drawn = Zeroizing::new([0; NONCE + 32]);
        entropy.fill(drawn.as_mut_slice())?;
        let (nonce, key) = drawn.split_first_chunk::<NONCE>().ok_or(KmsError::Cryptography)?;
        let key = SecretKey32::from_slice(key).ok_or(KmsError::Cryptography)?;
        self.seal_with(*nonce, aad, key.expose(), out)?;
        Ok(key)
    }

    /// Private on purpose: outside this file nobody brings a nonce. On failure nothing of the plaintext stays
    /// in `out`.
    fn seal_with(&self, nonce: [u8; NONCE], aad: &[u8], plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), KmsError> {
        out.reserve_exact(NONCE + plaintext.len() + AES_TAG);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let data = out.get_mut(start..).unwrap_or_default();
        let sealed = self.0.encrypt_inout_detached(&Nonce::from(nonce), aad, data.into());
        match sealed {
            Ok(tag) => out.extend_from_slice(&tag),
            Err(_) => {
                zeroize::Zeroize::zeroize(out);
                return Err(KmsError::Cryptography);
            }
        }
        Ok(())
    }

    /// Opens nonce, data and tag.
    ///
    /// # Errors
    /// [`KmsError::CannotOpen`], whatever was wrong.
    pub(crate) fn open(&self, aad: &[u8], body: &[u8]) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let (nonce, rest) = body.split_first_chunk::<NONCE>().ok_or(KmsError::CannotOpen)?;
        let (data, tag) = rest.split_last_chunk::<AES_TAG>().ok_or(KmsError::CannotOpen)?;
        let mut data = Zeroizing::new(data.to_vec());
        self.0
            .decrypt_inout_detached(&Nonce::from(*nonce), aad, data.as_mut_slice().into(), &Tag::from(*tag))
            .map_err(|_| KmsError::CannotOpen)?;
        Ok(data)
    }

    /// Opens a wrapped data key of 32 bytes, without the heap's detour.
    pub(crate) fn open_key(&self, aad: &[u8], body: &[u8]) -> Result<SecretKey32, KmsError> {
        SecretKey32::from_slice(&self.open(aad, body)?).ok_or(KmsError::CannotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::FixedEntropy;

    /// The two vectors of the specification (C2SP XAES-256-GCM, *Test vectors*), with the nonce drawn from
    /// a fixed generator: no function takes one.
    #[test]
    fn the_vectors_of_the_specification() {
        let vectors: [([u8; 32], &[u8], &str); 2] = [
            ([1; 32], b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            ([3; 32], b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
        ];
        for (key, aad, expected) in vectors {
            let key = AesKey::new(&key).unwrap();
            let entropy = FixedEntropy::of(b"ABCDEFGHIJKLMNOPQRSTUVWX");
            let mut out = vec![];
            key.seal(&entropy, aad, b"XAES-256-GCM", &mut out).unwrap();
            let hex: String = out[NONCE..].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
            assert_eq!(key.open(aad, &out).unwrap().as_slice(), b"XAES-256-GCM");
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let key = AesKey::new(&[9; 32]).unwrap();
        let mut out = vec![];
        key.seal(&FixedEntropy::counting(), b"aad", b"secret", &mut out).unwrap();
        for bit in 0..out.len() * 8 {
            let mut flipped = out.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(b"aad", &flipped).err(), Some(KmsError::CannotOpen), "bit {bit}");
        }
        for cut in 0..out.len() {
            assert_eq!(key.open(b"aad", &out[..cut]).err(), Some(KmsError::CannotOpen));
        }
        assert_eq!(key.open(b"other", &out).err(), Some(KmsError::CannotOpen));
    }

    #[test]
    fn a_dead_generator_stops_everything() {
        let key = AesKey::new(&[9; 32]).unwrap();
        let mut out = vec![1];
        let dead = FixedEntropy::of(b"");
        assert_eq!(key.seal(&dead, b"", b"x", &mut out), Err(KmsError::NoEntropy));
        assert_eq!(key.generate(&dead, b"", &mut out).err(), Some(KmsError::NoEntropy));
        assert_eq!(out, [1], "nothing was written");
    }

    #[test]
    fn nonces_never_repeat() {
        let key = AesKey::new(&[9; 32]).unwrap();
        let entropy = FixedEntropy::counting();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let mut out = vec![];
            key.seal(&entropy, b"", b"", &mut out).unwrap();
            assert!(seen.insert(out[..NONCE].to_vec()));
        }
    }
}
