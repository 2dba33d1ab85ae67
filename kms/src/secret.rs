//! Secret bytes: zeroed on drop, without `Clone`, and with a `Debug` that shows none of them.

use std::fmt;

use wardkeep_model::{Entropy, EntropyError};
use zeroize::{Zeroize, Zeroizing};

/// A 256-bit secret, such as a data key. Boxed, so that moving it leaves no copy on the stack.
pub struct SecretKey32(Box<[u8; 32]>);

/// Secret bytes of any length, such as a decrypted plaintext.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretKey32 {
    /// Fresh random bytes.
    pub(crate) fn random(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut key = Self(Box::new([0; 32]));
        entropy.fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// Takes 32 bytes; `None` for any other length.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != 32 {
            return None;
        }
        let mut key = Self(Box::new([0; 32]));
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    /// The bytes. Whoever copies them has to zero the copy.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SecretBytes {
    /// Takes bytes over; the vector must not have been moved from by a reallocation before.
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes. Whoever copies them has to zero the copy.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, still zeroed on drop.
    #[must_use]
    pub fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl Drop for SecretKey32 {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretKey32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("SecretKey32(..)")
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        write!(f, "SecretBytes({} bytes)", bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_byte() {
        let key = SecretKey32::from_slice(&[0xAB; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "SecretKey32(..)");
        let bytes = SecretBytes::new(Zeroizing::new(vec![0xAB; 3]));
        assert_eq!(format!("{bytes:?}"), "SecretBytes(3 bytes)");
        assert!(SecretKey32::from_slice(&[0; 31]).is_none());
    }
}
