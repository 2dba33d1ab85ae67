//! The file key, and the two keys that are derived from it and from nothing else.
//!
//! `HKDF-SHA-256` (RFC 5869) with the header's 32-byte salt: one key for the header's check, one for the
//! body. AES-GCM by itself commits to no key (two keys can open one ciphertext to two texts), so the body
//! is reached only through the header's check: HMAC-SHA-256 under a derived key, for which a second file
//! key would be a collision of SHA-256.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::header::Form;
use crate::{RandomFailed, Randomness};

/// Bytes of the salt that stands in the header.
pub(crate) const SALT: usize = 32;
/// Bytes of the header's check.
pub(crate) const CHECK: usize = 32;

impl Form {
    /// What the key of the header's check is derived for.
    const fn header_info(self) -> &'static [u8] {
        match self {
            Self::Envelope => b"wardkeep envelope 1 header",
            Self::Batch => b"wardkeep batch 1 header",
        }
    }

    /// What the key behind the check is derived for.
    const fn body_info(self) -> &'static [u8] {
        match self {
            Self::Envelope => b"wardkeep envelope 1 body",
            Self::Batch => b"wardkeep batch 1 records",
        }
    }
}

/// The 32-byte key of one envelope. Zeroed on drop; neither shown nor copied.
///
/// For an envelope under the key service it is the data key, so that one data key can seal several files:
/// the salt of each makes their chunk keys different.
pub struct FileKey(Box<Zeroizing<[u8; 32]>>);

impl FileKey {
    /// Takes over a key's bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Box::new(Zeroizing::new(bytes)))
    }

    /// Copies a key out of a slice; `None` unless it has 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }

    /// A new key from the caller's randomness, for envelopes without a key service.
    ///
    /// # Errors
    /// [`RandomFailed`] where the source gave nothing.
    pub fn random(random: &mut dyn Randomness) -> Result<Self, RandomFailed> {
        let mut key = Self(Box::default());
        random.fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// The bytes, for whoever wraps them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }

    /// The keys of one envelope or batch.
    pub(crate) fn derive(&self, form: Form, salt: &[u8; SALT]) -> Derived {
        Derived(Hkdf::new(Some(salt), self.0.as_slice()), form)
    }
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("FileKey(..)")
    }
}

/// A file key after extraction with one envelope's salt.
pub(crate) struct Derived(Hkdf<Sha256>, Form);

/// The key of the body's chunks, or of a batch's records. Only [`Derived::check`] gives it out to a reader: the check hands over the key.
pub(crate) struct BodyKey(pub(crate) Zeroizing<[u8; 32]>);

impl Derived {
    /// `None` never happens: 32 bytes are far below HKDF's bound of 255 blocks. It is passed on, so that no
    /// half-made key can ever be used.
    fn expand(&self, info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let mut out = Zeroizing::new([0; 32]);
        self.0.expand(info, out.as_mut_slice()).ok()?;
        Some(out)
    }

    fn mac(&self, header: &[u8]) -> Option<Hmac<Sha256>> {
        let key = self.expand(self.1.header_info())?;
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_slice()).ok()?;
        mac.update(header);
        Some(mac)
    }

    /// Makes the check over a header's transcript, with the body's key.
    pub(crate) fn commit(&self, header: &[u8]) -> Option<([u8; CHECK], BodyKey)> {
        let check = self.mac(header)?.finalize().into_bytes().into();
        Some((check, BodyKey(self.expand(self.1.body_info())?)))
    }

    /// The body's key if `check` is the one of this file key over the transcript, compared in constant time.
    pub(crate) fn check(&self, header: &[u8], check: &[u8; CHECK]) -> Option<BodyKey> {
        let found: [u8; CHECK] = self.mac(header)?.finalize().into_bytes().into();
        if bool::from(found.ct_eq(check)) { self.expand(self.1.body_info()).map(BodyKey) } else { None }
    }
}

#[cfg(test)]
mod tests;
