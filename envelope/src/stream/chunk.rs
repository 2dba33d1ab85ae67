//! One chunk: AES-256-GCM (SP 800-38D) at a place in the body, without associated data.

use zeroize::Zeroize;

use super::{MAX_CHUNKS, TAG};
use crate::cipher::Cipher;
use crate::key::BodyKey;

/// Where a chunk stands; it *is* the nonce, so that no caller ever chooses one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place([u8; 12]);

/// The cipher of one body.
pub(crate) struct ChunkCipher(Cipher);

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
        Self(Cipher::new(&key.0))
    }

    /// Encrypts in place and gives the tag. `None` for lengths beyond GCM's own bound, which no chunk has.
    pub(crate) fn seal(&self, place: Place, chunk: &mut [u8]) -> Option<[u8; TAG]> {
        self.0.seal(place.0, &[], chunk)
    }

    /// Encrypts from one place to another of the same length.
    pub(crate) fn seal_to(&self, place: Place, plain: &[u8], out: &mut [u8]) -> Option<[u8; TAG]> {
        if plain.len() != out.len() {
            return None;
        }
        self.0.seal_to(place.0, plain, out)
    }

    /// Decrypts in place if the tag fits; otherwise the bytes are wiped.
    #[must_use]
    pub(crate) fn open(&self, place: Place, chunk: &mut [u8], tag: &[u8; TAG]) -> bool {
        let fits = self.0.open(place.0, &[], chunk, tag);
        if !fits {
            chunk.zeroize();
        }
        fits
    }
}

#[cfg(test)]
mod tests;
