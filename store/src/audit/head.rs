//! Signed heads: one signature over the whole past of a store.
//!
//! A head is 121 bytes and its Ed25519 signature (RFC 8032) 64 more; the form stands byte by byte in
//! `docs/formats.md`. The signed bytes begin with a name and a version of their own, so that no signature
//! made for something else can ever be taken for a head's.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use wardkeep_model::Timestamp;

/// Length of a signed head.
pub const SIGNED_HEAD_LEN: usize = HEAD_LEN + 64;
const HEAD_LEN: usize = 8 + 16 + 8 + 8 + 32 + 32 + 8 + 8 + 1;
const MAGIC: &[u8; 8] = b"WKHEAD\0\x01";

/// The random name of one store, in every seal and head of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoreId([u8; 16]);

/// What a head says. Everything it covers is fixed by `hash` and `digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which store.
    pub store: StoreId,
    /// Number of the commit (batch) it was made by, counted from 1.
    pub commit: u64,
    /// How many audit records there are.
    pub length: u64,
    /// The chain's hash after the last of them.
    pub hash: [u8; 32],
    /// The state digest: an HMAC over the XOR of the newest rows' HMACs.
    pub digest: [u8; 32],
    /// The commit that last changed a tombstone; 0 where none did.
    pub tombstones: u64,
    /// When it was signed.
    pub time: Timestamp,
}

/// A head with its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedHead {
    /// What is signed.
    pub head: Head,
    /// Ed25519 over [`Head::to_bytes`].
    pub signature: [u8; 64],
}

/// The key that signs heads; lives sealed in the store.
pub(crate) struct HeadSigner {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl StoreId {
    /// The id of 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Head {
    /// The bytes that are signed: magic and version, store, commit, length, hash, digest, tombstones, time,
    /// and one byte of zero for later use; integers big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SIGNED_HEAD_LEN);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.store.0);
        out.extend_from_slice(&self.commit.to_be_bytes());
        out.extend_from_slice(&self.length.to_be_bytes());
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(&self.digest);
        out.extend_from_slice(&self.tombstones.to_be_bytes());
        out.extend_from_slice(&self.time.millis().to_be_bytes());
        out.push(0);
        out
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        if take::<8>(&mut rest)? != *MAGIC {
            return None;
        }
        let head = Self {
            store: StoreId(take(&mut rest)?),
            commit: u64::from_be_bytes(take(&mut rest)?),
            length: u64::from_be_bytes(take(&mut rest)?),
            hash: take(&mut rest)?,
            digest: take(&mut rest)?,
            tombstones: u64::from_be_bytes(take(&mut rest)?),
            time: Timestamp::from_millis(u64::from_be_bytes(take(&mut rest)?)),
        };
        (rest == [0]).then_some(head)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

impl SignedHead {
    /// Head and signature, [`SIGNED_HEAD_LEN`] bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.head.to_bytes();
        out.extend_from_slice(&self.signature);
        out
    }

    /// Reads what [`SignedHead::to_bytes`] wrote; `None` for anything else. Says nothing of the signature.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, signature) = bytes.split_at_checked(HEAD_LEN)?;
        Some(Self { head: Head::from_bytes(head)?, signature: signature.try_into().ok()? })
    }

    /// Whether the signature is by this key.
    #[must_use]
    pub fn verify(&self, public_key: &[u8; 32]) -> bool {
        verify(public_key, &self.head.to_bytes(), &self.signature)
    }
}

/// Checks an Ed25519 signature.
pub(crate) fn verify(public_key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(message, signature).is_ok()
}

impl HeadSigner {
    /// The signer of a 32-byte seed (the private key of RFC 8032).
    pub(crate) fn from_seed(seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let public = pair.public_key().as_ref().try_into().ok()?;
        Some(Self { pair, public })
    }

    /// Its public key.
    pub(crate) fn public_key(&self) -> [u8; 32] {
        self.public
    }

    /// Signs any bytes; callers begin them with a name of their own.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.pair.try_sign(message).ok()?.as_ref().try_into().ok()
    }

    /// Signs a head.
    pub(crate) fn sign_head(&self, head: Head) -> Option<SignedHead> {
        Some(SignedHead { signature: self.sign(&head.to_bytes())?, head })
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (SignedHead, [u8; 32]) {
        let signer = HeadSigner::from_seed(&[3; 32]).unwrap();
        let head = Head {
            store: StoreId([1; 16]),
            commit: 2,
            length: 3,
            hash: [4; 32],
            digest: [5; 32],
            tombstones: 1,
            time: Timestamp::from_millis(1_795_262_400_000),
        };
        (signer.sign_head(head).unwrap(), signer.public_key())
    }

    #[test]
    fn the_golden_head_never_changes() {
        let hex: String = signed().0.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, include_str!("../../testdata/head-v1.hex").trim());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (head, key) = signed();
        assert!(head.verify(&key));
        let bytes = head.to_bytes();
        for at in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[at / 8] ^= 1 << (at % 8);
            assert!(!SignedHead::from_bytes(&forged).is_some_and(|head| head.verify(&key)), "bit {at}");
        }
    }

    #[test]
    fn other_lengths_and_other_keys_are_refused() {
        let (head, key) = signed();
        let bytes = head.to_bytes();
        for len in 0..bytes.len() {
            assert_eq!(SignedHead::from_bytes(&bytes[..len]), None, "{len} bytes");
        }
        assert_eq!(SignedHead::from_bytes(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(SignedHead::from_bytes(&bytes), Some(head));
        let other = HeadSigner::from_seed(&[4; 32]).unwrap().public_key();
        assert!(!head.verify(&other));
        assert_ne!(other, key);
    }
}
