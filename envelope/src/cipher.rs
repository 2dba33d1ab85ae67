//! AES-256-GCM (SP 800-38D), the one cipher of this room.
//!
//! Two makings of it. The portable one is Rust alone and builds wherever Rust does; with the feature `aws-lc` the one
//! of aws-lc stands in its stead, several times as fast where there is a C compiler. Whoever seals or opens cannot tell
//! them apart, and the tests compare them byte by byte (ADR 8).

#[cfg(feature = "aws-lc")]
mod native;
#[cfg(any(test, not(feature = "aws-lc")))]
mod portable;

use zeroize::{Zeroize, Zeroizing};

use crate::FileKey;
use crate::stream::TAG;

#[cfg(feature = "aws-lc")]
pub(crate) use native::Cipher;
#[cfg(not(feature = "aws-lc"))]
pub(crate) use portable::Cipher;
#[cfg(test)]
pub(crate) use portable::Cipher as Portable;

/// Bytes of a file key that was wrapped under a [`OnceKey`].
pub(crate) const WRAPPED: usize = 32 + TAG;

/// A key that encrypts one text and no other, so that its nonce may be fixed: all zero. It is used up by sealing, and
/// whoever derives one sees to it that the same is not derived twice.
pub(crate) struct OnceKey(pub(crate) Zeroizing<[u8; 32]>);

impl OnceKey {
    const NONCE: [u8; 12] = [0; 12];

    /// Encrypts in place and gives the tag. `None` for lengths beyond GCM's own bound.
    pub(crate) fn seal(self, aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
        Cipher::new(&self.0).seal(Self::NONCE, aad, text)
    }

    /// Decrypts in place if the tag fits; otherwise the bytes are wiped.
    #[must_use]
    pub(crate) fn open(&self, aad: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> bool {
        let fits = Cipher::new(&self.0).open(Self::NONCE, aad, text, tag);
        if !fits {
            text.zeroize();
        }
        fits
    }

    /// A file key, encrypted.
    pub(crate) fn wrap(self, file_key: &FileKey) -> Option<[u8; WRAPPED]> {
        let mut out = [0; WRAPPED];
        let (text, tag) = out.split_at_mut_checked(32)?;
        text.copy_from_slice(file_key.expose());
        tag.copy_from_slice(&self.seal(&[], text)?);
        Some(out)
    }

    /// The file key, where it was wrapped under this key.
    pub(crate) fn unwrap(&self, wrapped: &[u8; WRAPPED]) -> Option<FileKey> {
        let (text, tag) = wrapped.split_first_chunk::<32>()?;
        let mut text = Zeroizing::new(*text);
        self.open(&[], text.as_mut_slice(), tag.first_chunk()?).then(|| FileKey::from_bytes(*text))
    }
}

#[cfg(test)]
mod tests;
