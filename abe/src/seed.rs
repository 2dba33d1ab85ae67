//! Chance as a parameter: 32 bytes, used once.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::backend::{SecretScalar, WIDE_BYTES};

/// Fresh randomness for one operation. Consumed by it, so that no two operations share one: whoever learns
/// the exponent of a key has the master key, and two ciphertexts of one seed show that they are equal.
///
/// Zeroed on drop; neither `Clone` nor `Debug`.
pub struct Seed(Zeroizing<[u8; Seed::BYTES]>);

impl Seed {
    /// Bytes of a seed.
    pub const BYTES: usize = 32;

    /// Takes 32 bytes that nobody can foretell and that are used nowhere else.
    #[must_use]
    pub fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Draws the bytes from a source.
    ///
    /// # Errors
    /// Whatever the source says.
    pub fn draw<E>(source: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        source(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// The bytes themselves, for the one use that needs them so: the message of the transform.
    pub(crate) fn into_message(self) -> Zeroizing<[u8; Self::BYTES]> {
        self.0
    }

    /// What one operation named `purpose` draws.
    pub(crate) fn draws(self, purpose: &[u8]) -> Draws {
        Draws::new(purpose, self.0.as_slice())
    }
}

/// Pseudo-random values of one operation: HKDF-SHA-256 (RFC 5869), one expansion a value.
pub(crate) struct Draws(Hkdf<Sha256>);

/// What a drawn value is for; never two of one kind and index in an operation.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Draw {
    /// alpha of an authority.
    Alpha = 1,
    /// The seed of an authority's signing key.
    Signing = 2,
    /// r of a key; r_j of a key that carries a formula.
    KeyExponent = 3,
    /// v_k, the masks and coefficients of a sharing.
    Share = 4,
    /// s of a ciphertext.
    Secret = 5,
    /// s'_j of a ciphertext.
    Repeat = 6,
}

impl Draws {
    /// HKDF-Extract with `binding` as the salt.
    pub(crate) fn new(binding: &[u8], secret: &[u8]) -> Self {
        Self(Hkdf::new(Some(binding), secret))
    }

    /// One scalar: 48 bytes reduced modulo the order, a bias below 2^-128 (RFC 9380, section 5).
    ///
    /// One expansion a scalar, since HKDF ends at 8 160 bytes: about 170 scalars.
    pub(crate) fn scalar<S: SecretScalar>(&self, draw: Draw, index: usize) -> S {
        let mut wide = Zeroizing::new([0; WIDE_BYTES]);
        self.fill(draw, index, wide.as_mut_slice());
        S::from_wide(&wide)
    }

    /// 32 bytes.
    pub(crate) fn bytes(&self, draw: Draw) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        self.fill(draw, 0, out.as_mut_slice());
        out
    }

    fn fill(&self, draw: Draw, index: usize, out: &mut [u8]) {
        let index = u32::try_from(index).unwrap_or(u32::MAX).to_be_bytes();
        // Fails above 8 160 bytes alone; 48 are asked for.
        let filled = self.0.expand_multi_info(&[&[draw as u8], &index], out);
        debug_assert!(filled.is_ok());
    }
}
