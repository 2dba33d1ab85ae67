//! The RSA stanza: the file key under a recipient's public key, RSAES-OAEP with SHA-256 (RFC 8017, 7.1).
//!
//! Body: SHA-256 of the recipient's SPKI DER (32 bytes), OAEP ciphertext (the rest, as long as the modulus).
//! Only the public half is worked with here. The private half belongs to a constant-time library behind
//! [`crate::Unwrap`] (RUSTSEC-2023-0071), which needs [`OAEP_LABEL`].

use rsa::pkcs8::SubjectPublicKeyInfoRef;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::traits::{PaddingScheme, PublicKeyParts};
use rsa::{Oaep, RsaPublicKey, pkcs1};
use sha2::{Digest, Sha256};

use crate::{FileKey, RandomFailed, Randomness, Recipient, Stanza, StanzaKind, UnwrapError, WrapError};

/// The OAEP label of every RSA stanza of version 1: no other use of the same RSA key opens or makes one.
pub const OAEP_LABEL: &[u8] = b"wardkeep envelope 1 rsa";

const FINGERPRINT: usize = 32;
const MIN_BITS: u32 = 3072;
const MAX_BITS: u32 = 8192;
/// 65537 as the last bytes of any larger exponent are compared with it as numbers.
const MIN_EXPONENT: u64 = 65_537;

/// Somebody whose RSA public key is known.
#[derive(Debug, Clone)]
pub struct RsaRecipient {
    key: RsaPublicKey,
    fingerprint: [u8; FINGERPRINT],
}

/// What an RSA stanza says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaStanza<'a> {
    /// SHA-256 of the recipient's SPKI DER.
    pub fingerprint: &'a [u8; FINGERPRINT],
    /// The OAEP ciphertext of the file key.
    pub ciphertext: &'a [u8],
}

impl RsaRecipient {
    /// Reads a public key from its SPKI DER (RFC 5280, 4.1.2.7) with algorithm rsaEncryption.
    ///
    /// # Errors
    /// [`WrapError::NotRsa`], [`WrapError::RsaSize`] unless it has 3072 to 8192 bits,
    /// [`WrapError::RsaExponent`] unless its exponent is odd and at least 65537.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, WrapError> {
        let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| WrapError::NotRsa)?;
        spki.algorithm.assert_algorithm_oid(pkcs1::ALGORITHM_OID).map_err(|_| WrapError::NotRsa)?;
        let bits = spki.subject_public_key.as_bytes().and_then(|bytes| pkcs1::RsaPublicKeyRef::try_from(bytes).ok());
        let parts = bits.ok_or(WrapError::NotRsa)?;
        check_bounds(parts.modulus.as_bytes(), parts.public_exponent.as_bytes())?;
        let key = RsaPublicKey::try_from(spki).map_err(|_| WrapError::NotRsa)?;
        Ok(Self { key, fingerprint: Sha256::digest(der).into() })
    }

    /// SHA-256 of the SPKI DER.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; FINGERPRINT] {
        &self.fingerprint
    }
}

/// Bounds before arithmetic: a modulus of a megabyte costs nothing here.
fn check_bounds(modulus: &[u8], exponent: &[u8]) -> Result<(), WrapError> {
    let leading = modulus.first().map_or(0, |byte| byte.leading_zeros());
    let bits = u32::try_from(modulus.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(leading);
    if !(MIN_BITS..=MAX_BITS).contains(&bits) {
        return Err(WrapError::RsaSize { bits });
    }
    // Exponents above 8 bytes are not in use anywhere, and the library takes none above 2^33.
    if exponent.len() > 8 {
        return Err(WrapError::RsaExponent);
    }
    let number = exponent.iter().fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
    if number < MIN_EXPONENT || number.is_multiple_of(2) {
        return Err(WrapError::RsaExponent);
    }
    Ok(())
}

impl Recipient for RsaRecipient {
    fn wrap(&self, file_key: &FileKey, random: &mut dyn Randomness) -> Result<Stanza, WrapError> {
        let padding = Oaep::<Sha256>::new_with_label(OAEP_LABEL);
        // The key's own `encrypt` takes only randomness that cannot fail; the padding's takes ours.
        let ciphertext = PaddingScheme::encrypt(padding, &mut Seed(random), &self.key, file_key.expose());
        let ciphertext = ciphertext.map_err(|_| WrapError::Rsa)?;
        debug_assert_eq!(ciphertext.len(), self.key.size());
        Ok(Stanza::new(StanzaKind::RSA, [self.fingerprint.as_slice(), &ciphertext].concat()))
    }
}

impl<'a> RsaStanza<'a> {
    /// Reads a stanza: `None` where it is of another kind.
    ///
    /// # Errors
    /// [`UnwrapError::Malformed`] where it is of this kind and not of its form.
    #[must_use]
    pub fn read(stanza: &'a Stanza) -> Option<Result<Self, UnwrapError>> {
        let malformed = UnwrapError::Malformed { kind: StanzaKind::RSA };
        (stanza.kind() == StanzaKind::RSA).then(|| parse(stanza.body()).ok_or(malformed))
    }
}

fn parse(body: &[u8]) -> Option<RsaStanza<'_>> {
    let (fingerprint, ciphertext) = body.split_first_chunk()?;
    let size = u32::try_from(ciphertext.len()).ok()?.checked_mul(8)?;
    (MIN_BITS..=MAX_BITS).contains(&size).then_some(RsaStanza { fingerprint, ciphertext })
}

/// Our randomness where the RSA library asks for its own kind.
struct Seed<'a>(&'a mut dyn Randomness);

impl TryRng for Seed<'_> {
    type Error = RandomFailed;

    fn try_next_u32(&mut self) -> Result<u32, RandomFailed> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, RandomFailed> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), RandomFailed> {
        self.0.fill(out)
    }
}

impl TryCryptoRng for Seed<'_> {}
