//! The Fujisaki-Okamoto transform: from an encapsulation that an eavesdropper cannot open to one that nobody
//! can change and have opened.
//!
//! A message m of 32 random bytes determines all randomness of the encapsulation: `prk = HKDF-Extract(binding,
//! m)`, each scalar one HKDF-Expand. The receiver recovers m, makes the whole ciphertext again and compares
//! every byte in constant time; only then does it derive a key. A ciphertext therefore has one form: whatever
//! was changed in it, in its policy or in its context, is not what m makes.
//! (Fujisaki and Okamoto, J. Cryptology 2013; Hofheinz, Hoevelmanns and Kiltz, TCC 2017, for the form used.)

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::backend::{Backend, GT_BYTES};
use crate::encoding::fields;
use crate::seed::Draws;
use crate::{OpenError, Secret};

/// The message of the transform, and the mask that hides it.
pub(crate) type Message = Zeroizing<[u8; 32]>;

/// Longest context that a ciphertext can be bound to, in bytes.
pub const MAX_CONTEXT: usize = 64 * 1024;

const MASK_INFO: &[u8] = b"wardkeep abe 1 mask";
const KEY_INFO: &[u8] = b"wardkeep abe 1 data key";

/// What a ciphertext is bound to, beside its own bytes.
pub(crate) struct Binding([u8; 32]);

impl Binding {
    /// SHA-256 over the fields: scheme, fingerprint of the public parameters, canonical policy or labels, context.
    pub(crate) fn new(scheme: &[u8], parameters: &[u8; 32], statement: &[u8], context: &[u8]) -> Self {
        Self(Sha256::digest(fields(&[scheme, parameters, statement, context])).into())
    }

    /// All randomness of the encapsulation of `message`.
    pub(crate) fn draws(&self, message: &Message) -> Draws {
        Draws::new(&self.0, message.as_slice())
    }
}

/// `message XOR KDF(K, ct1)`: hides the message and shows it again.
pub(crate) fn mask<B: Backend>(key: &B::Gt, ct1: &[u8], message: &[u8; 32]) -> Message {
    let bytes: Zeroizing<[u8; GT_BYTES]> = Zeroizing::new(B::gt_to_bytes(key));
    let mut pad = expand(Hkdf::new(Some(MASK_INFO), bytes.as_slice()), ct1);
    pad.iter_mut().zip(message).for_each(|(pad, byte)| *pad ^= byte);
    pad
}

/// The data key: what a ciphertext of these bytes gives to whoever knows its message.
pub(crate) fn data_key(message: &Message, ciphertext: &[u8]) -> Secret {
    let digest = Sha256::digest(ciphertext);
    Secret::from_message(expand(Hkdf::new(Some(KEY_INFO), message.as_slice()), &digest))
}

/// The receiver's end: the data key if `again`, made from the recovered message, is `ciphertext` byte by byte.
/// The check hands over the key, so that there is no order to get wrong.
pub(crate) fn release(message: &Message, again: &[u8], ciphertext: &[u8]) -> Result<Secret, OpenError> {
    // Derived in any case, so that refusal and success are one path up to the answer.
    let key = data_key(message, ciphertext);
    if bool::from(again.ct_eq(ciphertext)) { Ok(key) } else { Err(OpenError::NotOpened) }
}

fn expand(extracted: Hkdf<Sha256>, info: &[u8]) -> Message {
    let mut out = Zeroizing::new([0; 32]);
    // Fails above 8 160 bytes alone.
    let filled = extracted.expand(info, out.as_mut_slice());
    debug_assert!(filled.is_ok());
    out
}
