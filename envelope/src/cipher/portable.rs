//! AES-256-GCM in Rust alone (`aes-gcm`).

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{Aes256Gcm, KeyInit};

use crate::stream::TAG;

/// The cipher under one key; zeroed on drop.
pub(crate) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Encrypts in place; the tag covers `aad` too.
    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
        self.0.encrypt_inout_detached(&nonce.into(), aad, text.into()).ok().map(Into::into)
    }

    /// One pass less than a copy and [`Self::seal`].
    pub(crate) fn seal_to(&self, nonce: [u8; 12], plain: &[u8], out: &mut [u8]) -> Option<[u8; TAG]> {
        let buffers = InOutBuf::new(plain, out).ok()?;
        self.0.encrypt_inout_detached(&nonce.into(), &[], buffers).ok().map(Into::into)
    }

    /// Decrypts in place. What stands there after a tag that does not fit is unspecified.
    pub(crate) fn open(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> bool {
        self.0.decrypt_inout_detached(&nonce.into(), aad, text.into(), tag.into()).is_ok()
    }
}
