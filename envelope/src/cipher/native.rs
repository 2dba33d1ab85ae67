//! AES-256-GCM by aws-lc: its assembly uses the widest instructions that the processor has.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::stream::TAG;

/// The cipher under one key; the library zeroes what it frees. `None` where it refused the key, and then nothing is
/// sealed or opened: it has no reason to refuse 32 bytes.
pub(crate) struct Cipher(Option<LessSafeKey>);

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new))
    }

    /// Encrypts in place; the tag covers `aad` too.
    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.as_ref()?.seal_in_place_separate_tag(nonce, Aad::from(aad), text).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Encrypts from one place to another of the same length, without associated data.
    pub(crate) fn seal_to(&self, nonce: [u8; 12], plain: &[u8], out: &mut [u8]) -> Option<[u8; TAG]> {
        out.copy_from_slice(plain);
        self.seal(nonce, &[], out)
    }

    /// Decrypts in place. What stands there after a tag that does not fit is unspecified.
    pub(crate) fn open(&self, nonce: [u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.as_ref().is_some_and(|key| key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, text).is_ok())
    }
}
