//! One chunk: AES-256-GCM (SP 800-38D) at a place in the body, without associated data.

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{Aes256Gcm, KeyInit};

use super::{MAX_CHUNKS, TAG};
use crate::key::BodyKey;

/// Where a chunk stands; it *is* the nonce, so that no caller ever chooses one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place([u8; 12]);

/// The cipher of one body.
pub(crate) struct ChunkCipher(Aes256Gcm);

impl Place {
    /// Chunk number `counter`, from 0, and whether the body ends with it. `None` beyond the last number.
    pub(crate) fn new(counter: u64, last: bool) -> Option<Self> {
        if counter >= MAX_CHUNKS {
            return None;
        }
        let [a, b, c, d, e, f, g, h] = counter.to_be_bytes();
        Some(Self([0, 0, 0, a, b, c, d, e, f, g, h, u8::from(last)]))
    }
}

impl ChunkCipher {
    pub(crate) fn new(key: &BodyKey) -> Self {
        Self(Aes256Gcm::new((&*key.0).into()))
    }

    /// Encrypts in place and gives the tag. `None` for lengths beyond GCM's own bound, which no chunk has.
    pub(crate) fn seal(&self, place: Place, chunk: &mut [u8]) -> Option<[u8; TAG]> {
        self.0.encrypt_inout_detached(&place.0.into(), &[], chunk.into()).ok().map(Into::into)
    }

    /// Encrypts from one place to another of the same length: one pass less than a copy and [`Self::seal`].
    pub(crate) fn seal_to(&self, place: Place, plain: &[u8], out: &mut [u8]) -> Option<[u8; TAG]> {
        let buffers = InOutBuf::new(plain, out).ok()?;
        self.0.encrypt_inout_detached(&place.0.into(), &[], buffers).ok().map(Into::into)
    }

    /// Decrypts in place if the tag fits; otherwise the bytes stay as they are.
    #[must_use]
    pub(crate) fn open(&self, place: Place, chunk: &mut [u8], tag: &[u8; TAG]) -> bool {
        self.0.decrypt_inout_detached(&place.0.into(), &[], chunk.into(), tag.into()).is_ok()
    }

    /// Decrypts from one place to another of the same length if the tag fits, which is known before the first
    /// byte is written; otherwise `out` stays as it is.
    #[must_use]
    pub(crate) fn open_to(&self, place: Place, sealed: &[u8], tag: &[u8; TAG], out: &mut [u8]) -> bool {
        let Ok(buffers) = InOutBuf::new(sealed, out) else { return false };
        self.0.decrypt_inout_detached(&place.0.into(), &[], buffers, tag.into()).is_ok()
    }
}

#[cfg(test)]
mod tests;
