//! The body: chunks of 64 KiB under AES-256-GCM, tied together by their nonces.
//!
//! This is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its
//! Nonce-Reuse Misuse-Resistance", CRYPTO 2015): a nonce says which chunk it is and whether it is the last.
//! A chunk elsewhere, left out, doubled, or an end that is not the end, is a nonce that does not fit.

mod chunk;
mod read;
mod write;

pub(crate) use chunk::{ChunkCipher, Place};
pub use read::OpenReader;
pub(crate) use read::{open_whole, open_within};
pub use write::SealWriter;

/// Plaintext bytes of every chunk but the last.
pub const CHUNK: usize = 64 * 1024;
/// Bytes that each chunk is longer than its plaintext.
pub const TAG: usize = 16;
/// Most chunks of a body: 256 TiB of plaintext, below any bound of AES-GCM (SP 800-38D, 8.3).
pub(crate) const MAX_CHUNKS: u64 = 1 << 32;
