//! Signatures: sign and verify.
//!
//! A signature is what its algorithm gives, with nothing of ours around it, so that anybody can verify it
//! with the public key and any library. Which version made it stands beside it.

use std::sync::Arc;

use wardkeep_model::action::{Sign as MaySign, Verify as MayVerify};
use wardkeep_model::{AuditEvent, EventDetail, KeyId, KeySpec, KeyVersion, Permit};

use crate::error::KmsError;
use crate::lifecycle::Verb;
use crate::material::{self, Material, SignInput};
use crate::service::guard::{fits_key, newest_for, version_for};
use crate::service::record::{note, note_version};
use crate::service::{Inner, Kms};

/// Longest message, in bytes; of a longer one, sign the digest.
pub const MAX_MESSAGE: usize = 65_536;
/// Longest signature that is looked at, in bytes: that of RSA-4096.
const MAX_SIGNATURE: usize = 512;

/// What is signed or verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureInput {
    /// The message, at most 64 KiB.
    Message(Vec<u8>),
    /// The SHA-256 of the message, 32 bytes. Ed25519 signs no digests.
    Digest(Vec<u8>),
}

/// Asks to sign.
#[derive(Debug, Clone)]
pub struct Sign {
    /// The key, of usage `sign`.
    pub key: KeyId,
    /// What to sign.
    pub input: SignatureInput,
}

/// A signature that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// RSA: RSASSA-PSS (SHA-256, MGF1-SHA-256, salt of 32 bytes); P-256: DER `ECDSA-Sig-Value`; Ed25519: 64
    /// bytes.
    pub signature: Vec<u8>,
    /// Name of the algorithm: `rsa-pss-sha256`, `ecdsa-p256-sha256` or `ed25519`.
    pub algorithm: &'static str,
    /// The version that signed.
    pub version: KeyVersion,
}

/// Asks to verify.
#[derive(Debug, Clone)]
pub struct Verify {
    /// The key.
    pub key: KeyId,
    /// The version that is said to have signed.
    pub version: KeyVersion,
    /// What was signed.
    pub input: SignatureInput,
    /// The signature.
    pub signature: Vec<u8>,
}

/// The answer of a verification. A signature that does not hold is an answer, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whether it holds.
    pub valid: bool,
    /// The version asked about.
    pub version: KeyVersion,
}

impl Kms {
    /// Signs with the newest version of a key.
    ///
    /// # Errors
    /// [`KmsError::DigestUnsupported`], [`KmsError::DigestLength`], [`KmsError::TooLarge`]; the errors of state;
    /// [`KmsError::Busy`]; or what the store says.
    pub async fn sign(&self, permit: Permit<MaySign>, request: Sign) -> Result<Signed, KmsError> {
        let checked = fits_key(&permit, &request.key);
        let event = permit.into_event();
        match checked {
            Ok(()) => self.inner.sign(event, request).await,
            Err(error) => self.inner.record(event, Err(error)).await,
        }
    }

    /// Verifies a signature with the version that is said to have made it.
    ///
    /// # Errors
    /// As [`Kms::sign`], [`KmsError::VersionNotFound`] and [`KmsError::CompromisedRight`].
    pub async fn verify(&self, permit: Permit<MayVerify>, request: Verify) -> Result<Verified, KmsError> {
        let checked = fits_key(&permit, &request.key);
        let covers = permit.covers_compromised();
        let mut event = permit.into_event();
        note_version(&mut event, request.version);
        let verified = checked.and_then(|()| self.inner.verify(request, covers));
        if let Ok(Verified { valid: false, .. }) = verified {
            note(&mut event, EventDetail::Reason, || "signature does not hold".to_owned());
        }
        self.inner.record(event, verified).await
    }
}

impl Inner {
    /// The work of the verb and its record: the newest version signs, RSA on the worker pool, where it ends too.
    async fn sign(self: &Arc<Self>, mut event: AuditEvent, request: Sign) -> Result<Signed, KmsError> {
        let ready = match self.ready_to_sign(&mut event, &request).await {
            Ok(ready) => ready,
            Err(error) => return self.record(event, Err(error)).await,
        };
        let (material, spec, version) = ready;
        let inner = Arc::clone(self);
        let job = move || {
            let signature = material.sign(&checked_input(spec, request.input)?)?;
            inner.still_usable(&request.key, Verb::Sign, version, false)?;
            Ok(Signed { signature, algorithm: algorithm(spec), version })
        };
        if material::is_dear(spec) { self.end_on_worker(event, job).await } else { self.record(event, job()).await }
    }

    /// The newest version and its secret, if it may sign; the input is within its bounds.
    async fn ready_to_sign(
        self: &Arc<Self>,
        event: &mut AuditEvent,
        request: &Sign,
    ) -> Result<(Arc<Material>, KeySpec, KeyVersion), KmsError> {
        let key = self.key(&request.key)?;
        let version = newest_for(&key, Verb::Sign)?.number;
        note_version(event, version);
        check_input(key.body.spec, &request.input)?;
        Ok((self.material(&key, version).await?, key.body.spec, version))
    }

    /// The work of the verb, with the public half alone: no secret is read for it.
    fn verify(&self, request: Verify, covers: bool) -> Result<Verified, KmsError> {
        let Verify { key, version, input, signature } = request;
        let key = self.key(&key)?;
        let found = version_for(&key, Verb::Verify, version, covers)?;
        let spec = key.body.spec;
        let input = checked_input(spec, input)?;
        if signature.len() > MAX_SIGNATURE {
            return Err(KmsError::TooLarge { len: signature.len(), max: MAX_SIGNATURE });
        }
        let public = found.public.as_ref().ok_or(KmsError::RowUnreadable)?;
        Ok(Verified { valid: material::verify(spec, public, &input, &signature)?, version })
    }
}

/// That an input is within its bounds and of a form that the spec signs.
fn check_input(spec: KeySpec, input: &SignatureInput) -> Result<(), KmsError> {
    match input {
        SignatureInput::Message(message) if message.len() > MAX_MESSAGE => {
            Err(KmsError::TooLarge { len: message.len(), max: MAX_MESSAGE })
        }
        SignatureInput::Digest(_) if spec == KeySpec::Ed25519 => Err(KmsError::DigestUnsupported { spec }),
        SignatureInput::Digest(digest) => SignInput::digest(digest).map(|_| ()),
        SignatureInput::Message(_) => Ok(()),
    }
}

/// What is to be signed or verified, within its bounds.
fn checked_input(spec: KeySpec, input: SignatureInput) -> Result<SignInput, KmsError> {
    check_input(spec, &input)?;
    match input {
        SignatureInput::Message(message) => Ok(SignInput::Message(message)),
        SignatureInput::Digest(digest) => SignInput::digest(&digest),
    }
}

/// The name of the algorithm that a spec signs by.
const fn algorithm(spec: KeySpec) -> &'static str {
    match spec {
        KeySpec::Rsa3072 | KeySpec::Rsa4096 => "rsa-pss-sha256",
        KeySpec::EcP256 => "ecdsa-p256-sha256",
        _ => "ed25519",
    }
}
