//! Encrypt, decrypt, sign, verify, random: what the server does with a key that never leaves it.

use wardkeep_api::encryption::{Decrypt, Decrypted, Encrypt, Encrypted};
use wardkeep_api::random::{GenerateRandom, RandomBytes};
use wardkeep_api::signature::{Sign, Signature, Verified, Verify};
use wardkeep_api::{Base64, Secret};
use wardkeep_model::{EncryptionContext, KeyId};

use crate::call::Call;
use crate::convert::context_to_wire;
use crate::{CallError, Client};

/// What is signed: the message itself (at most 64 KiB), or its SHA-256.
#[derive(Debug, Clone, Copy)]
pub enum Signed<'a> {
    /// The message.
    Message(&'a [u8]),
    /// SHA-256 of it; not for Ed25519 keys (RFC 8032 signs messages only).
    Digest(&'a [u8; 32]),
}

/// The verbs on data; see [`Client::crypto`].
#[derive(Debug, Clone, Copy)]
pub struct Crypto<'a>(&'a Client);

impl Client {
    /// Encrypt, decrypt, sign, verify, random.
    #[must_use]
    pub fn crypto(&self) -> Crypto<'_> {
        Crypto(self)
    }
}

impl Crypto<'_> {
    /// `POST /v1/encrypt`: at most 64 KiB, under a key of usage `encrypt`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn encrypt(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        plaintext: &[u8],
    ) -> Result<Encrypted, CallError> {
        let body = Encrypt {
            key: key.as_str().to_owned(),
            plaintext: Secret::new(plaintext.to_vec()),
            context: context_to_wire(context),
        };
        let about = plaintext.len() * 4 / 3 + 1024 + 2 * context.canonical().len();
        self.0.ask(Call::repeatable_post("/v1/encrypt").json_of_about(&body, about)?).await
    }

    /// `POST /v1/decrypt`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn decrypt(&self, ciphertext: &[u8], context: &EncryptionContext) -> Result<Decrypted, CallError> {
        let body = Decrypt { ciphertext: ciphertext.into(), context: context_to_wire(context) };
        self.0.ask(Call::repeatable_post("/v1/decrypt").json(&body)?).await
    }

    /// `POST /v1/sign`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn sign(&self, key: &KeyId, signed: Signed<'_>) -> Result<Signature, CallError> {
        let (message, digest) = signed.parts();
        let body = Sign { key: key.as_str().to_owned(), message, digest };
        self.0.ask(Call::repeatable_post("/v1/sign").json(&body)?).await
    }

    /// `POST /v1/verify`. A signature that does not fit is an answer (`valid: false`), not an error.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn verify(
        &self,
        key: &KeyId,
        version: u32,
        signed: Signed<'_>,
        signature: &[u8],
    ) -> Result<Verified, CallError> {
        let (message, digest) = signed.parts();
        let body = Verify { key: key.as_str().to_owned(), version, message, digest, signature: signature.into() };
        self.0.ask(Call::repeatable_post("/v1/verify").json(&body)?).await
    }

    /// `POST /v1/random`: 1 to 1 024 bytes of the server's generator.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn random(&self, length: u32) -> Result<RandomBytes, CallError> {
        self.0.ask(Call::repeatable_post("/v1/random").json(&GenerateRandom { length })?).await
    }
}

impl Signed<'_> {
    fn parts(self) -> (Option<Base64>, Option<Base64>) {
        match self {
            Self::Message(message) => (Some(message.into()), None),
            Self::Digest(digest) => (None, Some(digest.as_slice().into())),
        }
    }
}
