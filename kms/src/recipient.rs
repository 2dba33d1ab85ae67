//! A caller's RSA public key, for which a data key is sealed.
//!
//! RSA-OAEP with SHA-256, MGF1 with SHA-256 and the **empty label** (RFC 8017, section 7.1): the recipient
//! opens it with any library. Only one encoding of a key is taken, so that its fingerprint, which policies
//! may pin, has one value.

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use wardkeep_model::Fingerprint;

use crate::error::{KmsError, RecipientError};

/// Smallest modulus, in bits.
pub const MIN_BITS: usize = 3072;
/// Largest modulus, in bits.
pub const MAX_BITS: usize = 8192;
/// Smallest exponent, 2^16 + 1.
pub const MIN_EXPONENT: u64 = 65_537;
/// Largest exponent: beyond 33 bits a *public* operation would cost as much as a private one, so that the
/// library refuses it as well.
pub const MAX_EXPONENT: u64 = (1 << 33) - 1;

/// DER of `SEQUENCE { OBJECT IDENTIFIER 1.2.840.113549.1.1.1, NULL }` (RFC 8017, appendix A.1).
const RSA_ENCRYPTION: [u8; 15] =
    [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];

/// An RSA public key that meets the bounds, parsed and ready to seal.
pub struct RecipientKey {
    key: OaepPublicEncryptingKey,
    spki: Vec<u8>,
    fingerprint: Fingerprint,
    bits: usize,
}

impl RecipientKey {
    /// Reads a DER SubjectPublicKeyInfo: 3072 to 8192 bits, odd exponent from 65537 to 2^33 - 1.
    ///
    /// # Errors
    /// What is wrong with the key; anything but the one DER encoding is refused.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, RecipientError> {
        // Twice the largest key: nothing longer is looked at.
        if der.len() > MAX_BITS / 8 * 2 {
            return Err(RecipientError::Encoding);
        }
        let (modulus, exponent) = decode_spki(der).ok_or(RecipientError::Encoding)?;
        let read = Self::from_parts(modulus, exponent)?;
        // Whatever lenience is left above ends here: one key, one encoding, one fingerprint.
        if read.spki != der { Err(RecipientError::Encoding) } else { Ok(read) }
    }

    /// Takes the decoded members `n` and `e` of a JWK (RFC 7518, section 6.3.1): unsigned big-endian numbers.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn from_jwk(n: &[u8], e: &[u8]) -> Result<Self, RecipientError> {
        if n.len() > MAX_BITS / 8 + 8 || e.len() > 16 {
            return Err(RecipientError::Encoding);
        }
        Self::from_parts(n, e)
    }

    /// Checks the numbers and builds the one encoding they have.
    fn from_parts(modulus: &[u8], exponent: &[u8]) -> Result<Self, RecipientError> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let top_bits = modulus.first().map_or(0, |top| 8 - top.leading_zeros() as usize);
        let bits = modulus.len().saturating_sub(1) * 8 + top_bits;
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(RecipientError::ModulusSize { bits });
        }
        if modulus.last().is_none_or(|low| low & 1 == 0) {
            return Err(RecipientError::ModulusEven);
        }
        if exponent.len() > 8 {
            return Err(RecipientError::Exponent);
        }
        let number = exponent.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        if number & 1 == 0 || !(MIN_EXPONENT..=MAX_EXPONENT).contains(&number) {
            return Err(RecipientError::Exponent);
        }
        let spki = encode_spki(modulus, exponent);
        let parsed = PublicEncryptingKey::from_der(&spki).map_err(|_| RecipientError::Refused)?;
        let key = OaepPublicEncryptingKey::new(parsed).map_err(|_| RecipientError::Refused)?;
        Ok(Self { key, fingerprint: Fingerprint::of_spki(&spki), spki, bits })
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The key as DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Size of the modulus in bits; the sealed form has as many.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// Seals a data key for the holder of the private half: RSA-OAEP-SHA-256 with the empty label.
    pub(crate) fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, KmsError> {
        let mut out = vec![0; self.key.ciphertext_size()];
        let len = self.key.encrypt(&OAEP_SHA256_MGF1SHA256, secret, &mut out, None)?.len();
        out.truncate(len);
        Ok(out)
    }
}

impl std::fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecipientKey({} bits, {})", self.bits, self.fingerprint)
    }
}

/// A number without its leading zeros.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// DER SubjectPublicKeyInfo (RFC 5280, section 4.1) around an `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn encode_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let mut numbers = Vec::with_capacity(modulus.len() + 24);
    encode_unsigned(&mut numbers, modulus);
    encode_unsigned(&mut numbers, exponent);
    let mut key = vec![0]; // no unused bits in the BIT STRING
    encode(&mut key, 0x30, &[&numbers]);
    let mut bits = Vec::with_capacity(key.len() + 8);
    encode(&mut bits, 0x03, &[&key]);
    let mut out = Vec::with_capacity(bits.len() + 24);
    encode(&mut out, 0x30, &[&RSA_ENCRYPTION, &bits]);
    out
}

/// Appends an INTEGER; a zero goes before a number whose first bit would make it negative.
fn encode_unsigned(out: &mut Vec<u8>, number: &[u8]) {
    let sign: &[u8] = if number.first().is_some_and(|top| top & 0x80 != 0) { &[0] } else { &[] };
    encode(out, 0x02, &[sign, number]);
}

/// Appends one value: tag, length, parts. No part here is longer than 64 KiB.
fn encode(out: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let [.., high, low] = len.to_be_bytes();
    out.push(tag);
    match len {
        0..0x80 => out.push(low),
        0x80..0x100 => out.extend_from_slice(&[0x81, low]),
        _ => out.extend_from_slice(&[0x82, high, low]),
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Modulus and exponent of an SPKI. Lenient about padding: the caller encodes again and compares.
fn decode_spki(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (outer, rest) = decode(der, 0x30)?;
    let bits = outer.strip_prefix(&RSA_ENCRYPTION)?;
    let (bits, after_bits) = decode(bits, 0x03)?;
    let (numbers, after_key) = decode(bits.strip_prefix(&[0])?, 0x30)?;
    let (modulus, exponent) = decode(numbers, 0x02)?;
    let (exponent, after_exponent) = decode(exponent, 0x02)?;
    let all_read = [rest, after_bits, after_key, after_exponent].iter().all(|left| left.is_empty());
    let negative = |number: &[u8]| number.first().is_none_or(|top| top & 0x80 != 0);
    (all_read && !negative(modulus) && !negative(exponent)).then_some((modulus, exponent))
}

/// Content of one DER value, and what follows it.
fn decode(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (len, content) = match der {
        [found, short @ 0..=0x7F, content @ ..] if *found == tag => (usize::from(*short), content),
        [found, 0x81, len, content @ ..] if *found == tag => (usize::from(*len), content),
        [found, 0x82, high, low, content @ ..] if *found == tag => {
            (usize::from(u16::from_be_bytes([*high, *low])), content)
        }
        _ => return None,
    };
    content.split_at_checked(len)
}
