//! The cryptography of each kind of key, and the bytes in which its secret half stands in the store.
//!
//! One row a key version: a format byte, a kind byte, then the secret (docs/formats.md). Rows are sealed by
//! the store; here they are bytes that are zeroed on drop.

// One file per kind of key; each knows how to make, parse and use its own.
pub(crate) mod abe;
pub(crate) mod aes;
pub(crate) mod ec;
pub(crate) mod rsa;

use aws_lc_rs::digest::{Digest, SHA256};
use wardkeep_model::{Entropy, KeySpec, KeyUsage};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::material::abe::AuthorityPlan;
use crate::secret::SecretKey32;

/// Smallest RSA modulus of a key of ours, in bits.
pub(crate) const MIN_RSA_BITS: usize = 3072;
/// Version of a material row.
const FORMAT: u8 = 1;
/// The kind byte of an authority's row.
const AUTHORITY: u8 = 6;

/// A parsed secret key, ready for use.
#[expect(clippy::large_enum_variant, reason = "nearly all keys are AES, and each stands in an `Arc` of its own")]
pub(crate) enum Material {
    /// For data keys and small data.
    Aes(aes::AesKey),
    /// For data keys. Boxed: it is more than twice as large as an AES key, of which there are many.
    RsaWrap(Box<rsa::RsaWrapKey>),
    /// For signatures.
    RsaSign(rsa::RsaSignKey),
    /// For signatures.
    P256(ec::P256Key),
    /// For signatures.
    Ed25519(ec::Ed25519Key),
    /// For user keys. Boxed, with tables of a few hundred kilobytes behind it.
    Authority(Box<abe::AuthorityKey>),
}

/// A fresh key, as it goes to the store.
pub(crate) struct Made {
    /// The secret half; what it is depends on the kind.
    pub(crate) secret: Zeroizing<Vec<u8>>,
    /// The public half as SPKI DER, of an authority its signed parameters; `None` for symmetric keys.
    pub(crate) public: Option<Box<[u8]>>,
}

/// What is signed or verified.
pub(crate) enum SignInput {
    /// A message, digested here.
    Message(Vec<u8>),
    /// The SHA-256 of a message, digested by the caller.
    Digest(Digest),
}

impl SignInput {
    /// Takes a SHA-256 digest.
    pub(crate) fn digest(bytes: &[u8]) -> Result<Self, KmsError> {
        let wrong_length = |_| KmsError::DigestLength { len: bytes.len() };
        Ok(Self::Digest(Digest::import_less_safe(bytes, &SHA256).map_err(wrong_length)?))
    }
}

/// The kind byte of a row; it says how the secret is to be parsed, so it covers spec and usage.
const fn kind(spec: KeySpec, usage: KeyUsage) -> Option<u8> {
    match (spec, usage) {
        (KeySpec::Aes256Gcm, KeyUsage::Wrap | KeyUsage::Encrypt) => Some(1),
        (KeySpec::Rsa3072 | KeySpec::Rsa4096, KeyUsage::Wrap) => Some(2),
        (KeySpec::Rsa3072 | KeySpec::Rsa4096, KeyUsage::Sign) => Some(3),
        (KeySpec::EcP256, KeyUsage::Sign) => Some(4),
        (KeySpec::Ed25519, KeyUsage::Sign) => Some(5),
        (KeySpec::FabeoBls12381, KeyUsage::Issue) => Some(AUTHORITY),
        _ => None,
    }
}

/// Whether making, parsing or using such a key is dear enough for the worker pool.
pub(crate) const fn is_dear(spec: KeySpec) -> bool {
    matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096 | KeySpec::FabeoBls12381)
}

/// Makes a key: the row for the store, and the public half. Dear for RSA.
pub(crate) fn make(spec: KeySpec, usage: KeyUsage, entropy: &dyn Entropy) -> Result<Made, KmsError> {
    let kind = kind(spec, usage).ok_or(KmsError::SpecUsage { spec, usage })?;
    let made = match kind {
        1 => Made { secret: Zeroizing::new(SecretKey32::random(entropy)?.expose().to_vec()), public: None },
        2 => rsa::make_wrap(spec, entropy)?,
        3 => rsa::make_sign(spec)?,
        4 => ec::make_p256()?,
        5 => ec::make_ed25519(entropy)?,
        // An authority is made from a plan.
        _ => return Err(KmsError::PlanMissing),
    };
    Ok(as_row(kind, made))
}

/// Makes the first version of an authority. Dear.
pub(crate) fn make_authority(plan: AuthorityPlan, entropy: &dyn Entropy) -> Result<Made, KmsError> {
    Ok(as_row(AUTHORITY, abe::make(plan, entropy)?))
}

/// Makes the next version of an authority, without a plan under the declarations it had. Dear.
pub(crate) fn make_next_authority(
    former: &Material,
    plan: Option<AuthorityPlan>,
    entropy: &dyn Entropy,
) -> Result<Made, KmsError> {
    Ok(as_row(AUTHORITY, abe::make_next(former.authority()?, plan, entropy)?))
}

/// The same with the head of its row before the secret.
fn as_row(kind: u8, made: Made) -> Made {
    let mut row = Zeroizing::new(Vec::with_capacity(2 + made.secret.len()));
    row.extend_from_slice(&[FORMAT, kind]);
    row.extend_from_slice(&made.secret);
    Made { secret: row, public: made.public }
}

impl Material {
    /// Parses a row. The kind it names must be the one that spec and usage ask for. Dear for RSA.
    pub(crate) fn parse(spec: KeySpec, usage: KeyUsage, row: &[u8]) -> Result<Self, KmsError> {
        let wanted = kind(spec, usage).ok_or(KmsError::SpecUsage { spec, usage })?;
        let [FORMAT, found, secret @ ..] = row else {
            return Err(KmsError::RowUnreadable);
        };
        if *found != wanted {
            return Err(KmsError::RowUnreadable);
        }
        Ok(match wanted {
            1 => Self::Aes(aes::AesKey::new(secret).ok_or(KmsError::RowUnreadable)?),
            2 => Self::RsaWrap(Box::new(rsa::RsaWrapKey::parse(secret)?)),
            3 => Self::RsaSign(rsa::RsaSignKey::parse(secret)?),
            4 => Self::P256(ec::P256Key::parse(secret)?),
            5 => Self::Ed25519(ec::Ed25519Key::parse(secret)?),
            _ => Self::Authority(Box::new(abe::AuthorityKey::parse(secret)?)),
        })
    }

    /// How much of the cache it takes: a parsed RSA key holds about 16 times an AES key's memory.
    pub(crate) const fn weight(&self) -> u32 {
        match self {
            Self::RsaWrap(_) | Self::RsaSign(_) => RSA_WEIGHT,
            Self::Authority(_) => AUTHORITY_WEIGHT,
            Self::Aes(_) | Self::P256(_) | Self::Ed25519(_) => 1,
        }
    }

    /// The authority, where it is one.
    pub(crate) fn authority(&self) -> Result<&abe::AuthorityKey, KmsError> {
        match self {
            Self::Authority(authority) => Ok(authority),
            _ => Err(KmsError::Cryptography),
        }
    }

    /// The secret as [`Material::parse`] takes it, of an authority: for its escrow, which seals it at once.
    pub(crate) fn authority_secret(row: &[u8]) -> Result<&[u8], KmsError> {
        match row {
            [FORMAT, AUTHORITY, secret @ ..] => Ok(secret),
            _ => Err(KmsError::RowUnreadable),
        }
    }

    /// Signs with a signing key.
    pub(crate) fn sign(&self, input: &SignInput) -> Result<Vec<u8>, KmsError> {
        match self {
            Self::RsaSign(key) => key.sign(input),
            Self::P256(key) => key.sign(input),
            Self::Ed25519(key) => key.sign(input),
            Self::Aes(_) | Self::RsaWrap(_) | Self::Authority(_) => Err(KmsError::Cryptography),
        }
    }
}

/// The weight of a parsed RSA key in the cache.
pub(crate) const RSA_WEIGHT: u32 = 16;
/// The weight of an authority: its tables, and those of the attributes it hashed. 32 of them fill a cache of the usual size.
const AUTHORITY_WEIGHT: u32 = 16 * RSA_WEIGHT;

/// Checks a signature against a public key in SPKI DER.
pub(crate) fn verify(spec: KeySpec, spki: &[u8], input: &SignInput, signature: &[u8]) -> Result<bool, KmsError> {
    match (spec, input) {
        (KeySpec::Rsa3072 | KeySpec::Rsa4096, _) => Ok(rsa::verify(spki, input, signature)),
        (KeySpec::EcP256, _) => Ok(ec::verify_p256(spki, input, signature)),
        (KeySpec::Ed25519, SignInput::Message(_)) => Ok(ec::verify_ed25519(spki, input, signature)),
        (KeySpec::Ed25519, SignInput::Digest(_)) => Err(KmsError::DigestUnsupported { spec }),
        _ => Err(KmsError::Cryptography),
    }
}
