//! Small data: encrypt and decrypt, up to 64 KiB.

use std::sync::Arc;

use wardkeep_model::action::{Decrypt as MayDecrypt, Encrypt as MayEncrypt};
use wardkeep_model::{AuditEvent, EncryptionContext, KeyId, KeyVersion, Permit};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::lifecycle::Verb;
use crate::material::Material;
use crate::secret::SecretBytes;
use crate::service::guard::{fits_binding, fits_key, newest_for, no_record, opening_version};
use crate::service::record::{note_binding, note_version};
use crate::service::{Inner, Kms};
use crate::wrapped::{self, AES_TAG, MAX_PLAINTEXT, NONCE, WrappedInfo, WrappedKind};

/// Asks to encrypt.
pub struct Encrypt {
    /// The key, of usage `encrypt`.
    pub key: KeyId,
    /// What the ciphertext is bound to; it names no record.
    pub context: EncryptionContext,
    /// At most 64 KiB.
    pub plaintext: Zeroizing<Vec<u8>>,
}

/// What encrypting gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The ciphertext; it names key and version.
    pub ciphertext: Vec<u8>,
    /// The version used.
    pub version: KeyVersion,
}

/// Asks to decrypt.
#[derive(Debug, Clone)]
pub struct Decrypt {
    /// What encrypting gave.
    pub ciphertext: Vec<u8>,
    /// The very context it was made with.
    pub context: EncryptionContext,
}

/// What decrypting gives.
#[derive(Debug)]
pub struct Opened {
    /// The data.
    pub plaintext: SecretBytes,
    /// The key used.
    pub key: KeyId,
    /// The version used.
    pub version: KeyVersion,
}

impl Kms {
    /// Encrypts up to 64 KiB under the newest version of a key.
    ///
    /// # Errors
    /// [`KmsError::PermitMismatch`], [`KmsError::ResourceNotAllowed`], [`KmsError::TooLarge`]; the errors of state;
    /// [`KmsError::Exhausted`]; or what the store says.
    pub async fn encrypt(&self, permit: Permit<MayEncrypt>, request: Encrypt) -> Result<Encrypted, KmsError> {
        let checked = fits_key(&permit, &request.key)
            .and_then(|()| fits_binding(&permit, &request.context, None))
            .and_then(|()| no_record(Verb::Encrypt, &request.context));
        let mut event = permit.into_event();
        note_binding(&mut event, &request.context, None);
        let sealed = match checked {
            Ok(()) => self.inner.encrypt(&mut event, &request).await,
            Err(error) => Err(error),
        };
        self.inner.record(event, sealed).await
    }

    /// Decrypts what [`Kms::encrypt`] made.
    ///
    /// # Errors
    /// [`KmsError::CannotOpen`] for whatever does not open, whyever; [`KmsError::PermitMismatch`],
    /// [`KmsError::CompromisedRight`]; the errors of state; or what the store says.
    pub async fn decrypt(&self, permit: Permit<MayDecrypt>, request: Decrypt) -> Result<Opened, KmsError> {
        let checked = wrapped::parse(&request.ciphertext)
            .map_err(|_| KmsError::CannotOpen)
            .and_then(|(info, _)| fits_key(&permit, &info.key).map(|()| info))
            .and_then(|info| fits_binding(&permit, &request.context, None).map(|()| info))
            .and_then(|info| no_record(Verb::Decrypt, &request.context).map(|()| info));
        let covers = permit.covers_compromised();
        let mut event = permit.into_event();
        note_binding(&mut event, &request.context, None);
        let opened = match checked {
            Ok(info) => self.inner.decrypt(&mut event, info, &request, covers).await,
            Err(error) => Err(error),
        };
        self.inner.record(event, opened).await
    }
}

impl Inner {
    /// The work of the verb, without permit and record.
    async fn encrypt(self: &Arc<Self>, event: &mut AuditEvent, request: &Encrypt) -> Result<Encrypted, KmsError> {
        let len = request.plaintext.len();
        if len > MAX_PLAINTEXT {
            return Err(KmsError::TooLarge { len, max: MAX_PLAINTEXT });
        }
        let key = self.key(&request.key)?;
        let version = newest_for(&key, Verb::Encrypt)?.number;
        note_version(event, version);
        let material = self.material(&key, version).await?;
        let Material::Aes(aes) = material.as_ref() else { return Err(KmsError::Cryptography) };
        self.count(&key, version).await?;
        let kind = WrappedKind::Ciphertext;
        let mut out = wrapped::header(kind, &request.key, version, NONCE + len + AES_TAG);
        let info = WrappedInfo { key: request.key.clone(), version, kind };
        aes.seal(self.entropy.as_ref(), &wrapped::aad(&info, &request.context), &request.plaintext, &mut out)?;
        Ok(Encrypted { ciphertext: out, version })
    }

    /// The work of the verb, without permit and record.
    async fn decrypt(
        self: &Arc<Self>,
        event: &mut AuditEvent,
        info: WrappedInfo,
        request: &Decrypt,
        covers: bool,
    ) -> Result<Opened, KmsError> {
        note_version(event, info.version);
        let key = self.key(&info.key)?;
        opening_version(&key, Verb::Decrypt, info.version, covers)?;
        let material = self.material(&key, info.version).await?;
        let (_, body) = wrapped::parse(&request.ciphertext).map_err(|_| KmsError::CannotOpen)?;
        let plaintext = match (material.as_ref(), info.kind) {
            (Material::Aes(aes), WrappedKind::Ciphertext) => aes.open(&wrapped::aad(&info, &request.context), body)?,
            _ => return Err(KmsError::CannotOpen),
        };
        Ok(Opened { plaintext: SecretBytes::new(plaintext), key: info.key, version: info.version })
    }
}

/// Shows no plaintext.
impl std::fmt::Debug for Encrypt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, context, plaintext } = self;
        f.debug_struct("Encrypt").field("key", key).field("context", context).field("bytes", &plaintext.len()).finish()
    }
}
