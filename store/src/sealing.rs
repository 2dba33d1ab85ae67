//! Every row sealed under keys derived from a root key that is never stored here.
//!
//! `root key -> HKDF-SHA-256 (RFC 5869) -> one key per purpose and sealing generation -> XAES-256-GCM (C2SP)`.
//! Nonces have 192 bits and are always drawn here: no function takes one, so none can repeat (Vault's
//! transit engine once took nonces from callers, CVE-2023-4680). What a seal belongs to stands in its
//! associated data, so that a sealed row opens in its own place only.

use std::sync::Arc;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use wardkeep_model::{Entropy, EntropyError};
use xaes_256_gcm::aead::AeadInOut;
use xaes_256_gcm::{Nonce, Tag, Xaes256Gcm};
use zeroize::Zeroizing;

use crate::StoreId;

/// The version of the sealed form; its first byte.
const FORMAT: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const HEADER: usize = 1 + 4 + NONCE;
/// Bytes that sealing adds.
pub(crate) const OVERHEAD: usize = HEADER + TAG;
/// The generation of a new store. Rotating the root key makes the next one.
pub(crate) const FIRST_GENERATION: u32 = 1;

/// The key that everything in a store is sealed under; wiped when dropped.
pub struct RootKey(Zeroizing<[u8; 32]>);

/// What a derived key is for. Numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The store's own keys.
    Keys = 1,
    /// Rows of every table but `Material`.
    State = 2,
    /// Rows of `Material`.
    Material = 3,
    /// Audit batches.
    Audit = 4,
    /// The tombstones written beside the head file.
    Tombstones = 5,
}

/// Seals and opens under the keys of one generation of one store.
pub(crate) struct Sealer {
    store: StoreId,
    generation: u32,
    ciphers: Ciphers,
    entropy: Arc<dyn Entropy>,
}

struct Ciphers {
    keys: Xaes256Gcm,
    state: Xaes256Gcm,
    material: Xaes256Gcm,
    audit: Xaes256Gcm,
    tombstones: Xaes256Gcm,
}

/// HMAC-SHA-256 under a fixed key, its key schedule done once.
#[derive(Clone)]
pub(crate) struct Keyed(Hmac<Sha256>);

impl RootKey {
    /// The root key of 32 uniformly random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn derive(&self, store: &StoreId, label: &[u8], generation: u32) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        let info = [b"wardkeep store v1 ", label, &generation.to_be_bytes()].concat();
        // 32 bytes are far below HKDF's bound of 255 blocks, its only error.
        let _ = Hkdf::<Sha256>::new(Some(store.as_bytes()), self.0.as_ref()).expand(&info, out.as_mut());
        out
    }

    /// A value that only this root key gives for this store, to tell a wrong key from a damaged row.
    pub(crate) fn check_value(&self, store: &StoreId) -> [u8; 32] {
        *self.derive(store, b"root-check", 0)
    }

    /// Whether this is the root key that gave the value.
    pub(crate) fn matches(&self, store: &StoreId, check_value: &[u8]) -> bool {
        self.check_value(store).ct_eq(check_value).into()
    }
}

impl Clone for RootKey {
    /// For a supervisor that opens a store again; every copy is wiped by itself.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Keys => b"keys",
            Self::State => b"state",
            Self::Material => b"material",
            Self::Audit => b"audit",
            Self::Tombstones => b"tombstones",
        }
    }
}

impl Sealer {
    /// The sealer of a store's generation.
    pub(crate) fn new(root: &RootKey, store: StoreId, generation: u32, entropy: Arc<dyn Entropy>) -> Self {
        let cipher = |purpose: Purpose| Xaes256Gcm::new((&*root.derive(&store, purpose.label(), generation)).into());
        let ciphers = Ciphers {
            keys: cipher(Purpose::Keys),
            state: cipher(Purpose::State),
            material: cipher(Purpose::Material),
            audit: cipher(Purpose::Audit),
            tombstones: cipher(Purpose::Tombstones),
        };
        Self { store, generation, ciphers, entropy }
    }

    fn cipher(&self, purpose: Purpose) -> &Xaes256Gcm {
        match purpose {
            Purpose::Keys => &self.ciphers.keys,
            Purpose::State => &self.ciphers.state,
            Purpose::Material => &self.ciphers.material,
            Purpose::Audit => &self.ciphers.audit,
            Purpose::Tombstones => &self.ciphers.tombstones,
        }
    }

    /// `"wardkeep sealed" || format || purpose || generation || store id || place`.
    fn associated(&self, purpose: Purpose, generation: u32, place: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(40 + place.len());
        out.extend_from_slice(b"wardkeep sealed");
        out.extend_from_slice(&[FORMAT, purpose as u8]);
        out.extend_from_slice(&generation.to_be_bytes());
        out.extend_from_slice(self.store.as_bytes());
        out.extend_from_slice(place);
        out
    }

    /// Seals `plaintext` for its `place`: `format || generation || nonce || ciphertext || tag`.
    pub(crate) fn seal(&self, purpose: Purpose, place: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, EntropyError> {
        let mut nonce = [0; NONCE];
        self.entropy.fill(&mut nonce)?;
        let mut out = Vec::with_capacity(OVERHEAD + plaintext.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plaintext);
        let associated = self.associated(purpose, self.generation, place);
        let body = out.get_mut(HEADER..).unwrap_or_default();
        let sealed = self.cipher(purpose).encrypt_inout_detached(&Nonce::from(nonce), &associated, body.into());
        // The only error is a plaintext of more than 64 GiB.
        let tag = sealed.map_err(|_| EntropyError)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// Opens what `seal` made for the same purpose and place; `None` for anything else.
    pub(crate) fn open(&self, purpose: Purpose, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (format, rest) = sealed.split_first()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
        let (body, tag) = rest.split_last_chunk::<TAG>()?;
        let generation = u32::from_be_bytes(*generation);
        if *format != FORMAT || generation != self.generation {
            return None;
        }
        let mut body = Zeroizing::new(body.to_vec());
        let associated = self.associated(purpose, generation, place);
        self.cipher(purpose)
            .decrypt_inout_detached(&Nonce::from(*nonce), &associated, body.as_mut_slice().into(), &Tag::from(*tag))
            .ok()?;
        Some(body)
    }
}

impl Keyed {
    /// The HMAC of a 32-byte key; `None` never happens, as HMAC takes keys of any length.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(key).ok().map(Self)
    }

    /// The tag over the parts one after the other. Callers fix the length of every part but the last.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededEntropy;

    fn sealer(root: u8, store: u8, generation: u32) -> Sealer {
        let root = RootKey::from_bytes([root; 32]);
        Sealer::new(&root, StoreId::from_bytes([store; 16]), generation, SeededEntropy::new(1))
    }

    #[test]
    fn a_seal_opens_in_its_own_place_only() {
        let own = sealer(1, 1, 1);
        let sealed = own.seal(Purpose::State, b"here", b"secret").unwrap();
        assert_eq!(own.open(Purpose::State, b"here", &sealed).unwrap().as_slice(), b"secret");
        assert!(own.open(Purpose::State, b"there", &sealed).is_none());
        assert!(own.open(Purpose::Material, b"here", &sealed).is_none());
        for other in [sealer(2, 1, 1), sealer(1, 2, 1), sealer(1, 1, 2)] {
            assert!(other.open(Purpose::State, b"here", &sealed).is_none());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let own = sealer(1, 1, 1);
        let sealed = own.seal(Purpose::Audit, b"", b"some words").unwrap();
        for at in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[at / 8] ^= 1 << (at % 8);
            assert!(own.open(Purpose::Audit, b"", &forged).is_none(), "bit {at}");
        }
        for len in 0..sealed.len() {
            assert!(own.open(Purpose::Audit, b"", &sealed[..len]).is_none(), "{len} bytes");
        }
    }

    #[test]
    fn nonces_never_repeat_and_the_plaintext_never_shows() {
        let own = sealer(1, 1, 1);
        let mut nonces = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let sealed = own.seal(Purpose::Material, b"", b"canary-secret").unwrap();
            assert!(nonces.insert(sealed[5..29].to_vec()));
            assert!(!sealed.windows(6).any(|window| window == b"canary"));
        }
    }

    #[test]
    fn a_generator_that_fails_seals_nothing() {
        struct Broken;
        impl Entropy for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
                Err(EntropyError)
            }
        }
        let root = RootKey::from_bytes([1; 32]);
        let sealer = Sealer::new(&root, StoreId::from_bytes([1; 16]), 1, Arc::new(Broken));
        assert_eq!(sealer.seal(Purpose::State, b"", b"x"), Err(EntropyError));
    }

    /// The two vectors of the XAES-256-GCM specification (C2SP, XAES-256-GCM.md, section Test Vectors).
    #[test]
    fn the_cipher_meets_its_specification() {
        let vectors: [(u8, &[u8], &str); 2] = [
            (1, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            (3, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
        ];
        for (key, associated, expected) in vectors {
            let cipher = Xaes256Gcm::new(&[key; 32].into());
            let mut body = b"XAES-256-GCM".to_vec();
            let nonce = Nonce::from(*b"ABCDEFGHIJKLMNOPQRSTUVWX");
            let tag = cipher.encrypt_inout_detached(&nonce, associated, body.as_mut_slice().into()).unwrap();
            let hex: String = body.iter().chain(tag.iter()).map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
        }
    }

    #[test]
    fn the_check_value_tells_root_keys_apart() {
        let (one, two) = (RootKey::from_bytes([1; 32]), RootKey::from_bytes([2; 32]));
        let store = StoreId::from_bytes([1; 16]);
        assert!(one.matches(&store, &one.check_value(&store)));
        assert!(!two.matches(&store, &one.check_value(&store)));
        assert!(!one.matches(&StoreId::from_bytes([2; 16]), &one.check_value(&store)));
        assert!(!one.matches(&store, b"short"));
    }
}
