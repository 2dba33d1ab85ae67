//! Elliptic-curve signatures: ECDSA over P-256 with SHA-256 (FIPS 186-5; DER, RFC 3279 section 2.2.3) and
//! Ed25519 (RFC 8032).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    UnparsedPublicKey,
};
use wardkeep_model::{Entropy, KeySpec};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::material::{Made, SignInput};
use crate::secret::SecretKey32;

/// A P-256 key pair.
pub(crate) struct P256Key(EcdsaKeyPair);

/// An Ed25519 key pair.
pub(crate) struct Ed25519Key(Ed25519KeyPair);

/// Makes a P-256 key pair, as PKCS#8.
pub(crate) fn make_p256() -> Result<Made, KmsError> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let public: PublicKeyX509Der<'static> = pair.public_key().as_der()?;
    let secret = Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec());
    Ok(Made { secret, public: Some(public.as_ref().into()) })
}

/// Makes an Ed25519 key pair: its 32-byte seed.
pub(crate) fn make_ed25519(entropy: &dyn Entropy) -> Result<Made, KmsError> {
    let seed = SecretKey32::random(entropy)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose())?;
    let public: PublicKeyX509Der<'static> = pair.public_key().as_der()?;
    Ok(Made { secret: Zeroizing::new(seed.expose().to_vec()), public: Some(public.as_ref().into()) })
}

impl P256Key {
    /// Parses what [`make_p256`] made.
    pub(crate) fn parse(secret: &[u8]) -> Result<Self, KmsError> {
        Ok(Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, secret)?))
    }

    /// Signs; the answer is a DER `ECDSA-Sig-Value`.
    pub(crate) fn sign(&self, input: &SignInput) -> Result<Vec<u8>, KmsError> {
        let signature = match input {
            SignInput::Message(message) => self.0.sign(&SystemRandom::new(), message)?,
            SignInput::Digest(digest) => self.0.sign_digest(digest)?,
        };
        Ok(signature.as_ref().to_vec())
    }
}

impl Ed25519Key {
    /// Parses what [`make_ed25519`] made.
    pub(crate) fn parse(secret: &[u8]) -> Result<Self, KmsError> {
        Ok(Self(Ed25519KeyPair::from_seed_unchecked(secret)?))
    }

    /// Signs a message; 64 bytes. A digest cannot be signed: Ed25519 reads its message twice, and signing a
    /// digest as if it were the message would be another scheme that no verifier expects.
    pub(crate) fn sign(&self, input: &SignInput) -> Result<Vec<u8>, KmsError> {
        match input {
            SignInput::Message(message) => Ok(self.0.try_sign(message)?.as_ref().to_vec()),
            SignInput::Digest(_) => Err(KmsError::DigestUnsupported { spec: KeySpec::Ed25519 }),
        }
    }
}

/// Checks an ECDSA signature against a public key in SPKI DER.
pub(crate) fn verify_p256(spki: &[u8], input: &SignInput, signature: &[u8]) -> bool {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, spki);
    match input {
        SignInput::Message(message) => key.verify(message, signature).is_ok(),
        SignInput::Digest(digest) => key.verify_digest(digest, signature).is_ok(),
    }
}

/// Checks an Ed25519 signature against a public key in SPKI DER.
pub(crate) fn verify_ed25519(spki: &[u8], input: &SignInput, signature: &[u8]) -> bool {
    match input {
        SignInput::Message(message) => UnparsedPublicKey::new(&ED25519, spki).verify(message, signature).is_ok(),
        SignInput::Digest(_) => false,
    }
}
