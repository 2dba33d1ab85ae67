//! What a ciphertext gives to whoever may open it.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// 32 bytes of key material. Zeroed on drop; neither shown nor copied.
pub struct Secret(Box<Zeroizing<[u8; 32]>>);

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
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("Secret(..)")
    }
}
