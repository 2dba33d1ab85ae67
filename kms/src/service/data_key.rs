//! Data keys: generate, unwrap, rewrap.
//!
//! No verb here takes a data key from the caller: what is wrapped was made here, so that the key's own
//! strength never depends on a caller's generator, and nobody can have a key of their choice wrapped.

use std::sync::Arc;

use wardkeep_model::action::{GenerateDataKey as Generate, RewrapDataKey as Rewrap, UnwrapDataKey as Unwrap};
use wardkeep_model::{Action, AuditEvent, EncryptionContext, KeyId, KeySpec, KeyVersion, Permit};

use crate::error::KmsError;
use crate::keyring::{Key, version_row};
use crate::lifecycle::Verb;
use crate::material::Material;
use crate::recipient::RecipientKey;
use crate::secret::SecretKey32;
use crate::service::guard::{fits_binding, fits_key, newest_for, opening_version, releases};
use crate::service::record::{note_binding, note_version};
use crate::service::{Inner, Kms};
use crate::wrapped::{self, WrappedInfo, WrappedKind};

/// A recipient's modulus above which sealing is dear enough for the worker pool, in bits.
const DEAR_RECIPIENT: usize = 4096;

/// Asks for a fresh data key.
#[derive(Debug)]
pub struct GenerateDataKey {
    /// The key that wraps it.
    pub key: KeyId,
    /// What it is bound to; it may name the record it protects.
    pub context: EncryptionContext,
    /// Seal it for this key instead of giving it out in plaintext.
    pub recipient: Option<RecipientKey>,
    /// Whether to give it out in plaintext; not together with a recipient.
    pub plaintext: bool,
}

/// A data key that was made.
#[derive(Debug)]
pub struct DataKey {
    /// The wrapped form, to keep.
    pub wrapped: Vec<u8>,
    /// The key itself, where asked for.
    pub plaintext: Option<SecretKey32>,
    /// The key sealed for the recipient: RSA-OAEP-SHA-256 with the empty label.
    pub for_recipient: Option<Vec<u8>>,
    /// The version that wrapped it.
    pub version: KeyVersion,
}

/// Asks to open a wrapped data key.
#[derive(Debug)]
pub struct UnwrapDataKey {
    /// What generate or rewrap gave.
    pub wrapped: Vec<u8>,
    /// The very context it was made with.
    pub context: EncryptionContext,
    /// Seal it for this key instead of giving it out in plaintext.
    pub recipient: Option<RecipientKey>,
}

/// An opened data key: in plaintext, or sealed for the recipient.
#[derive(Debug)]
pub struct Unwrapped {
    /// The key, unless a recipient was named.
    pub plaintext: Option<SecretKey32>,
    /// The key sealed for the recipient: RSA-OAEP-SHA-256 with the empty label.
    pub for_recipient: Option<Vec<u8>>,
    /// The key that had wrapped it.
    pub key: KeyId,
    /// The version that had wrapped it.
    pub version: KeyVersion,
}

/// Asks to wrap a data key anew under the newest version.
#[derive(Debug)]
pub struct RewrapDataKey {
    /// What generate or rewrap gave.
    pub wrapped: Vec<u8>,
    /// The very context it was made with; it is kept byte for byte.
    pub context: EncryptionContext,
}

/// A data key wrapped anew.
#[derive(Debug)]
pub struct Rewrapped {
    /// The new wrapped form.
    pub wrapped: Vec<u8>,
    /// The key.
    pub key: KeyId,
    /// The version it was wrapped by before.
    pub from: KeyVersion,
    /// The version that wraps it now.
    pub version: KeyVersion,
}

/// A wrapped data key on its way to being opened.
enum Opening {
    /// Open.
    Done(SecretKey32),
    /// What is left is work for a worker.
    Dear(Box<dyn FnOnce() -> Result<SecretKey32, KmsError> + Send>),
}

impl Kms {
    /// Makes a data key under the newest version of a key.
    ///
    /// # Errors
    /// [`KmsError::PermitMismatch`], [`KmsError::ReleaseMissing`]; [`KmsError::NotActive`] and the other errors of
    /// state; [`KmsError::Exhausted`]; [`KmsError::PlaintextBesideRecipient`]; or what the store says.
    pub async fn generate_data_key(
        &self,
        permit: Permit<Generate>,
        request: GenerateDataKey,
    ) -> Result<DataKey, KmsError> {
        let recipient = request.recipient.as_ref().map(RecipientKey::fingerprint);
        let checked = fits_key(&permit, &request.key)
            .and_then(|()| fits_binding(&permit, &request.context, recipient.as_ref()))
            .and_then(|()| releases(&permit, &request.context));
        let mut event = permit.into_event();
        note_binding(&mut event, &request.context, recipient.as_ref());
        let made = match checked {
            Ok(()) => self.inner.generate(&mut event, request).await,
            Err(error) => Err(error),
        };
        self.inner.record(event, made).await
    }

    /// Opens a wrapped data key.
    ///
    /// # Errors
    /// [`KmsError::CannotOpen`] for whatever does not open, whyever; [`KmsError::PermitMismatch`],
    /// [`KmsError::ReleaseMissing`], [`KmsError::CompromisedRight`]; the errors of state; [`KmsError::Busy`]; or
    /// what the store says.
    pub async fn unwrap_data_key(&self, permit: Permit<Unwrap>, request: UnwrapDataKey) -> Result<Unwrapped, KmsError> {
        let recipient = request.recipient.as_ref().map(RecipientKey::fingerprint);
        let checked = named(&permit, &request.wrapped)
            .and_then(|named| fits_binding(&permit, &request.context, recipient.as_ref()).map(|()| named))
            .and_then(|named| releases(&permit, &request.context).map(|()| named));
        let covers = permit.covers_compromised();
        let mut event = permit.into_event();
        note_binding(&mut event, &request.context, recipient.as_ref());
        match checked {
            Ok(info) => self.inner.unwrap(event, info, request, covers).await,
            Err(error) => self.inner.record(event, Err(error)).await,
        }
    }

    /// Wraps a data key anew under the newest version of its key, unseen. The context stays, so a record it
    /// names needs no decision here.
    ///
    /// # Errors
    /// As [`Kms::unwrap_data_key`] and [`Kms::generate_data_key`].
    pub async fn rewrap_data_key(&self, permit: Permit<Rewrap>, request: RewrapDataKey) -> Result<Rewrapped, KmsError> {
        let checked = named(&permit, &request.wrapped)
            .and_then(|named| fits_binding(&permit, &request.context, None).map(|()| named));
        let covers = permit.covers_compromised();
        let mut event = permit.into_event();
        note_binding(&mut event, &request.context, None);
        let rewrapped = match checked {
            Ok(info) => self.inner.rewrap(&mut event, info, request, covers).await,
            Err(error) => Err(error),
        };
        self.inner.record(event, rewrapped).await
    }
}

/// What a wrapped data key names, if the permit is for that key. A header that cannot be read is the same
/// error as any forgery.
fn named<A: Action>(permit: &Permit<A>, wrapped: &[u8]) -> Result<WrappedInfo, KmsError> {
    let (info, _) = wrapped::parse(wrapped).map_err(|_| KmsError::CannotOpen)?;
    fits_key(permit, &info.key)?;
    Ok(info)
}

/// The form that a key of that spec gives.
const fn wrapped_kind(spec: KeySpec) -> WrappedKind {
    match spec {
        KeySpec::Rsa3072 | KeySpec::Rsa4096 => WrappedKind::RsaDataKey,
        _ => WrappedKind::AesDataKey,
    }
}

impl Inner {
    /// The work of the verb, without permit and record.
    pub(crate) async fn generate(
        self: &Arc<Self>,
        event: &mut AuditEvent,
        request: GenerateDataKey,
    ) -> Result<DataKey, KmsError> {
        let GenerateDataKey { key, context, recipient, plaintext } = request;
        if plaintext && recipient.is_some() {
            return Err(KmsError::PlaintextBesideRecipient);
        }
        let key = self.key(&key)?;
        let version = newest_for(&key, Verb::Generate)?.number;
        note_version(event, version);
        let (wrapped, secret) = self.wrap_new(&key, version, &context).await?;
        let (plaintext, for_recipient) = match recipient {
            Some(recipient) => (None, Some(self.seal_for(recipient, secret).await?)),
            None => (plaintext.then_some(secret), None),
        };
        self.still_usable(&key.facts.id, Verb::Generate, version, false)?;
        Ok(DataKey { wrapped, plaintext, for_recipient, version })
    }

    /// A fresh data key in its wrapped form and in the clear.
    pub(crate) async fn wrap_new(
        self: &Arc<Self>,
        key: &Arc<Key>,
        version: KeyVersion,
        context: &EncryptionContext,
    ) -> Result<(Vec<u8>, SecretKey32), KmsError> {
        let material = self.material(key, version).await?;
        self.count(key, version).await?;
        let (info, mut out) = start(key, version);
        let secret = match material.as_ref() {
            Material::Aes(aes) => aes.generate(self.entropy.as_ref(), &wrapped::aad(&info, context), &mut out)?,
            other => {
                let secret = SecretKey32::random(self.entropy.as_ref())?;
                self.wrap_with(other, &info, context, &secret, &mut out)?;
                secret
            }
        };
        Ok((out, secret))
    }

    /// Appends the wrapped form of a data key that exists.
    fn wrap_with(
        &self,
        material: &Material,
        info: &WrappedInfo,
        context: &EncryptionContext,
        secret: &SecretKey32,
        out: &mut Vec<u8>,
    ) -> Result<(), KmsError> {
        match material {
            Material::Aes(aes) => aes.seal(self.entropy.as_ref(), &wrapped::aad(info, context), secret.expose(), out),
            // A public operation, some 30 us: cheaper here than the way to a worker and back.
            Material::RsaWrap(rsa) => {
                let (label, bound) = (wrapped::oaep_label(info, context), wrapped::tag_input(info, context));
                rsa.wrap(&label, &bound, secret.expose(), out)
            }
            _ => Err(KmsError::Cryptography),
        }
    }

    /// The work of the verb and its record, without the permit. What is dear ends on the worker that did it.
    async fn unwrap(
        self: &Arc<Self>,
        mut event: AuditEvent,
        info: WrappedInfo,
        request: UnwrapDataKey,
        covers: bool,
    ) -> Result<Unwrapped, KmsError> {
        note_version(&mut event, info.version);
        let UnwrapDataKey { wrapped, context, recipient } = request;
        let opening = match self.opening(&info, wrapped, &context, Verb::Unwrap, covers).await {
            Ok(opening) => opening,
            Err(error) => return self.record(event, Err(error)).await,
        };
        let inner = Arc::clone(self);
        let dear_recipient = recipient.as_ref().is_some_and(|key| key.bits() > DEAR_RECIPIENT);
        match opening {
            Opening::Done(secret) if !dear_recipient => {
                self.record(event, inner.give_out(info, secret, recipient, covers)).await
            }
            Opening::Done(secret) => {
                self.end_on_worker(event, move || inner.give_out(info, secret, recipient, covers)).await
            }
            Opening::Dear(job) => {
                self.end_on_worker(event, move || inner.give_out(info, job()?, recipient, covers)).await
            }
        }
    }

    /// An opened data key in the form that was asked for, if its version may still be used.
    fn give_out(
        &self,
        info: WrappedInfo,
        secret: SecretKey32,
        recipient: Option<RecipientKey>,
        covers: bool,
    ) -> Result<Unwrapped, KmsError> {
        let (plaintext, for_recipient) = match recipient {
            Some(recipient) => (None, Some(recipient.seal(secret.expose())?)),
            None => (Some(secret), None),
        };
        self.still_usable(&info.key, Verb::Unwrap, info.version, covers)?;
        Ok(Unwrapped { plaintext, for_recipient, key: info.key, version: info.version })
    }

    /// The work of the verb, without permit and record. The data key never leaves this function.
    async fn rewrap(
        self: &Arc<Self>,
        event: &mut AuditEvent,
        info: WrappedInfo,
        request: RewrapDataKey,
        covers: bool,
    ) -> Result<Rewrapped, KmsError> {
        let RewrapDataKey { wrapped, context } = request;
        let key = self.key(&info.key)?;
        let version = newest_for(&key, Verb::RewrapTo)?.number;
        note_version(event, version);
        let secret = self.open(&info, wrapped, &context, Verb::RewrapFrom, covers).await?;
        let material = self.material(&key, version).await?;
        self.count(&key, version).await?;
        let (new_info, mut out) = start(&key, version);
        self.wrap_with(&material, &new_info, &context, &secret, &mut out)?;
        self.still_usable(&info.key, Verb::RewrapFrom, info.version, covers)?;
        self.still_usable(&info.key, Verb::RewrapTo, version, false)?;
        Ok(Rewrapped { wrapped: out, key: info.key, from: info.version, version })
    }

    /// Opens a wrapped data key; whatever is wrong with it is one error.
    async fn open(
        self: &Arc<Self>,
        info: &WrappedInfo,
        wrapped: Vec<u8>,
        context: &EncryptionContext,
        verb: Verb,
        covers: bool,
    ) -> Result<SecretKey32, KmsError> {
        match self.opening(info, wrapped, context, verb, covers).await? {
            Opening::Done(secret) => Ok(secret),
            Opening::Dear(job) => self.rsa.run(job).await,
        }
    }

    /// Opens what is cheap to open; of the rest, all that comes before the dear part.
    async fn opening(
        self: &Arc<Self>,
        info: &WrappedInfo,
        wrapped: Vec<u8>,
        context: &EncryptionContext,
        verb: Verb,
        covers: bool,
    ) -> Result<Opening, KmsError> {
        let key = self.key(&info.key)?;
        opening_version(&key, verb, info.version, covers)?;
        let material = self.material(&key, info.version).await?;
        let (_, body) = wrapped::parse(&wrapped).map_err(|_| KmsError::CannotOpen)?;
        match (material.as_ref(), info.kind) {
            (Material::Aes(aes), WrappedKind::AesDataKey) => {
                aes.open_key(&wrapped::aad(info, context), body).map(Opening::Done)
            }
            (Material::RsaWrap(rsa), WrappedKind::RsaDataKey) => {
                // Here, not on the worker: bytes of somebody else's making get no place in the queue.
                let oaep = rsa.authentic(&wrapped::tag_input(info, context), body)?.to_vec();
                let label = wrapped::oaep_label(info, context);
                let material = Arc::clone(&material);
                Ok(Opening::Dear(Box::new(move || match material.as_ref() {
                    Material::RsaWrap(rsa) => rsa.open_key(&label, &oaep),
                    _ => Err(KmsError::CannotOpen),
                })))
            }
            _ => Err(KmsError::CannotOpen),
        }
    }

    /// Counts a use of an AES version; the others have no bound.
    pub(super) async fn count(&self, key: &Key, version: KeyVersion) -> Result<(), KmsError> {
        if key.body.spec != KeySpec::Aes256Gcm {
            return Ok(());
        }
        let slot = key.slot(version).ok_or(KmsError::VersionNotFound { version })?;
        slot.uses.take(self.store.as_ref(), || version_row(&key.facts.id, version), version).await
    }

    /// Seals a data key for its recipient; on the worker pool where the modulus is large.
    async fn seal_for(&self, recipient: RecipientKey, secret: SecretKey32) -> Result<Vec<u8>, KmsError> {
        if recipient.bits() <= DEAR_RECIPIENT {
            return recipient.seal(secret.expose());
        }
        self.rsa.run(move || recipient.seal(secret.expose())).await
    }
}

/// The header of a new wrapped data key, with room for its body.
fn start(key: &Key, version: KeyVersion) -> (WrappedInfo, Vec<u8>) {
    let kind = wrapped_kind(key.body.spec);
    let body = match key.body.spec {
        KeySpec::Rsa3072 => wrapped::MAC + 384,
        KeySpec::Rsa4096 => wrapped::MAC + 512,
        _ => wrapped::NONCE + wrapped::DATA_KEY + wrapped::AES_TAG,
    };
    let out = wrapped::header(kind, &key.facts.id, version, body);
    (WrappedInfo { key: key.facts.id.clone(), version, kind }, out)
}
