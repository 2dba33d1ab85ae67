//! RSA keys: OAEP-SHA-256 for data keys, PSS-SHA-256 for signatures (RFC 8017).
//!
//! Private operations run in aws-lc-rs only: constant time and blinded, unlike the `rsa` crate
//! (RUSTSEC-2023-0071). OAEP's seed and PSS's salt come from that library's own generator, which takes
//! none from outside.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, UnparsedPublicKey};
use wardkeep_model::{Entropy, KeySpec};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::material::{MIN_RSA_BITS, Made, SignInput};
use crate::secret::SecretKey32;
use crate::wrapped::MAC;

/// An RSA key pair for data keys, with the authentication key that is made beside it and never leaves.
pub(crate) struct RsaWrapKey {
    private: OaepPrivateDecryptingKey,
    public: OaepPublicEncryptingKey,
    authentication: hmac::Key,
}

/// An RSA key pair for signatures.
pub(crate) struct RsaSignKey(KeyPair);

/// The library's size for a spec of ours.
const fn size(spec: KeySpec) -> Option<KeySize> {
    match spec {
        KeySpec::Rsa3072 => Some(KeySize::Rsa3072),
        KeySpec::Rsa4096 => Some(KeySize::Rsa4096),
        _ => None,
    }
}

/// Makes a key pair for data keys: 32 bytes of authentication key, then PKCS#8. Takes up to seconds.
pub(crate) fn make_wrap(spec: KeySpec, entropy: &dyn Entropy) -> Result<Made, KmsError> {
    let authentication = SecretKey32::random(entropy)?;
    let made = make_sign(spec)?;
    let mut secret = Zeroizing::new(Vec::with_capacity(32 + made.secret.len()));
    secret.extend_from_slice(authentication.expose());
    secret.extend_from_slice(&made.secret);
    Ok(Made { secret, public: made.public })
}

/// Makes a key pair for signatures, as PKCS#8. Takes up to seconds.
pub(crate) fn make_sign(spec: KeySpec) -> Result<Made, KmsError> {
    let pair = PrivateDecryptingKey::generate(size(spec).ok_or(KmsError::Cryptography)?)?;
    let private: Pkcs8V1Der<'static> = pair.as_der()?;
    let public: PublicKeyX509Der<'static> = pair.public_key().as_der()?;
    Ok(Made { secret: Zeroizing::new(private.as_ref().to_vec()), public: Some(public.as_ref().into()) })
}

impl RsaWrapKey {
    /// Parses what [`make_wrap`] made. Dear: the library checks the key.
    pub(crate) fn parse(secret: &[u8]) -> Result<Self, KmsError> {
        let (authentication, pkcs8) = secret.split_first_chunk::<32>().ok_or(KmsError::RowUnreadable)?;
        let pair = PrivateDecryptingKey::from_pkcs8(pkcs8)?;
        if pair.key_size_bits() < MIN_RSA_BITS {
            return Err(KmsError::Cryptography);
        }
        let public = OaepPublicEncryptingKey::new(pair.public_key())?;
        let private = OaepPrivateDecryptingKey::new(pair)?;
        Ok(Self { private, public, authentication: hmac::Key::new(hmac::HMAC_SHA256, authentication) })
    }

    /// Appends tag and OAEP bytes of `secret` to `out`.
    pub(crate) fn wrap(&self, label: &[u8], bound: &[u8], secret: &[u8], out: &mut Vec<u8>) -> Result<(), KmsError> {
        let start = out.len() + MAC;
        out.resize(start + self.public.ciphertext_size(), 0);
        let (head, oaep) = out.split_at_mut_checked(start).ok_or(KmsError::Cryptography)?;
        let written = self.public.encrypt(&OAEP_SHA256_MGF1SHA256, secret, oaep, Some(label))?.len();
        if written != self.public.ciphertext_size() {
            return Err(KmsError::Cryptography);
        }
        let tag = self.tag(bound, oaep);
        let place = head.last_chunk_mut::<MAC>().ok_or(KmsError::Cryptography)?;
        place.copy_from_slice(tag.as_ref());
        Ok(())
    }

    /// Checks the tag, in constant time, and gives the OAEP bytes behind it. It comes before the private
    /// operation, so that nobody gets that to work on bytes of their own making.
    ///
    /// # Errors
    /// [`KmsError::CannotOpen`], whatever was wrong.
    pub(crate) fn authentic<'a>(&self, bound: &[u8], body: &'a [u8]) -> Result<&'a [u8], KmsError> {
        let (tag, oaep) = body.split_first_chunk::<MAC>().ok_or(KmsError::CannotOpen)?;
        let made = self.tag(bound, oaep);
        aws_lc_rs::constant_time::verify_slices_are_equal(made.as_ref(), tag).map_err(|_| KmsError::CannotOpen)?;
        Ok(oaep)
    }

    /// Opens authentic OAEP bytes: the private operation.
    ///
    /// # Errors
    /// [`KmsError::CannotOpen`], whatever was wrong.
    pub(crate) fn open_key(&self, label: &[u8], oaep: &[u8]) -> Result<SecretKey32, KmsError> {
        SecretKey32::from_slice(&self.open(label, oaep)?).ok_or(KmsError::CannotOpen)
    }

    /// The private operation. The output buffer has room for the whole modulus; all of it is zeroed on drop.
    fn open(&self, label: &[u8], oaep: &[u8]) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let mut out = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let len = self
            .private
            .decrypt(&OAEP_SHA256_MGF1SHA256, oaep, &mut out, Some(label))
            .map_err(|_| KmsError::CannotOpen)?
            .len();
        // The library writes the plaintext to the front; what is behind it is zeroed with the rest.
        out.truncate(len);
        Ok(out)
    }

    /// The service's own tag: over what is bound, then the OAEP bytes.
    fn tag(&self, bound: &[u8], oaep: &[u8]) -> hmac::Tag {
        let mut mac = hmac::Context::with_key(&self.authentication);
        mac.update(bound);
        mac.update(oaep);
        mac.sign()
    }

    /// The private operation alone, for vectors of plain OAEP.
    #[cfg(test)]
    pub(crate) fn open_plain(&self, label: &[u8], oaep: &[u8]) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.open(label, oaep)
    }

    /// The tag alone, for vectors of HMAC.
    #[cfg(test)]
    pub(crate) fn tag_plain(authentication: &[u8], message: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, authentication), message).as_ref().to_vec()
    }
}

impl RsaSignKey {
    /// Parses PKCS#8. Dear: the library checks the key.
    pub(crate) fn parse(secret: &[u8]) -> Result<Self, KmsError> {
        let pair = KeyPair::from_pkcs8(secret)?;
        if pair.public_modulus_len() * 8 < MIN_RSA_BITS {
            return Err(KmsError::Cryptography);
        }
        Ok(Self(pair))
    }

    /// Signs by RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
    pub(crate) fn sign(&self, input: &SignInput) -> Result<Vec<u8>, KmsError> {
        let mut out = vec![0; self.0.public_modulus_len()];
        match input {
            SignInput::Message(message) => self.0.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut out)?,
            SignInput::Digest(digest) => self.0.sign_digest(&RSA_PSS_SHA256, digest, &mut out)?,
        }
        Ok(out)
    }
}

/// Checks a PSS signature against a public key in SPKI DER. Keys below 3072 bits verify nothing: their
/// signatures are shorter than 384 bytes.
pub(crate) fn verify(spki: &[u8], input: &SignInput, signature: &[u8]) -> bool {
    if signature.len() * 8 < MIN_RSA_BITS {
        return false;
    }
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, spki);
    match input {
        SignInput::Message(message) => key.verify(message, signature).is_ok(),
        SignInput::Digest(digest) => key.verify_digest(digest, signature).is_ok(),
    }
}
