//! What a ciphertext gives to whoever may open it.

use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// 32 bytes of key material. Zeroed on drop; neither shown nor copied.
pub struct Secret(Box<Zeroizing<[u8; 32]>>);

const RECORD_INFO: &[u8] = b"wardkeep abe 1 record";

impl Secret {
    pub(crate) fn from_message(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(Box::new(bytes))
    }

    /// The bytes, for whoever encrypts with them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }

    /// Keys for the records of a batch: one encapsulation for many records under one formula.
    #[must_use]
    pub fn records(&self) -> RecordKeys {
        RecordKeys(Hkdf::new(Some(RECORD_INFO), self.0.as_slice()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Secret(..)")
    }
}

/// The keys of a batch's records: HKDF-SHA-256 (RFC 5869) of the batch's secret, one expansion a record.
///
/// Whoever opens the batch can open each of its records; a record's key opens that record alone.
pub struct RecordKeys(Hkdf<Sha256>);

impl RecordKeys {
    /// The key of the record of this number. 64 bytes: 32 of key, 32 that commit to it, since AES-GCM does not.
    #[must_use]
    pub fn key(&self, record: u64) -> RecordKey {
        let mut out = Zeroizing::new([0; 64]);
        // Fails above 8 160 bytes alone.
        let filled = self.0.expand(&record.to_be_bytes(), out.as_mut_slice());
        debug_assert!(filled.is_ok());
        let mut key = RecordKey { key: Zeroizing::new([0; 32]), commitment: [0; 32] };
        for (to, from) in key.key.iter_mut().chain(&mut key.commitment).zip(out.iter()) {
            *to = *from;
        }
        key
    }
}

/// The key of one record of a batch.
pub struct RecordKey {
    key: Zeroizing<[u8; 32]>,
    commitment: [u8; 32],
}

impl RecordKey {
    /// The key, for one encryption under one nonce.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// Public bytes that stand beside the record and are compared before it is opened.
    #[must_use]
    pub fn commitment(&self) -> &[u8; 32] {
        &self.commitment
    }
}
