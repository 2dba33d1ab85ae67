//! Protect a record, read it back, wrap its key anew.
//!
//! An envelope carries its wrapped data key and, in clear, the encryption context as JSON; both are
//! authenticated. Reading asks the server to open the data key *for that very context*, so the server's rule on
//! the record that the context names decides, and a changed context opens nothing.

use std::sync::Arc;

use wardkeep_api::data_key::{DataKey as GeneratedDataKey, UnwrappedDataKey};
use wardkeep_api::{Context, Secret};
use wardkeep_envelope::{
    DataKey, FileKey, OpenError, Opener, RandomFailed, Recipient, RewrapError, SealError, Sealer, WrapError, WrappedKey,
};
use wardkeep_model::{EncryptionContext, IdError, KeyId};
use zeroize::Zeroizing;

use crate::cache::{Holder, PlainDataKey, Protecting};
use crate::convert::{WireContextError, context_from_wire, context_to_wire};
use crate::data_keys::{new_data_key, opened_data_key, renewed_data_key};
use crate::{CallError, Client, Side};

/// Most wrapped data keys of one envelope that a server is asked about. Whoever can write an envelope could
/// otherwise make each reading of it cost 32 private-key operations.
pub const MAX_ASKED: usize = 4;

/// A record that was read. The plaintext is zeroed on drop.
pub struct Record {
    plaintext: Zeroizing<Vec<u8>>,
    context: EncryptionContext,
}

/// What an envelope says about itself before anything was checked. For display and for looking up, never for
/// deciding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The keys that its data key is wrapped under; what is no name of a key is left out.
    pub keys: Vec<KeyId>,
    /// Its encryption context.
    pub context: EncryptionContext,
}

/// Why a record was not protected, read or wrapped anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The server refused or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The envelope could not be made.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The wrapped data key does not fit into an envelope.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// The envelope does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The envelope could not be copied under its new wrapped key.
    #[error(transparent)]
    Rewrap(#[from] RewrapError),
    /// The context in the envelope is not one of ours.
    #[error("the envelope's context cannot be used: {0}")]
    Context(#[from] WireContextError),
    /// The key id in the envelope is not one of ours.
    #[error("the envelope's key cannot be used: {0}")]
    Key(#[from] IdError),
    /// The first few wrapped data keys did not open, and there are more.
    #[error(
        "none of the envelope's first {MAX_ASKED} wrapped data keys opened, and the other {left} are not tried: \
         have it sealed for fewer keys ({first})"
    )]
    TooManyKeys {
        /// How many were left.
        left: usize,
        /// Why the first was not opened.
        first: Box<RecordError>,
    },
    /// The envelope is sound, but of another record than was expected.
    #[error("the envelope was made for another context than the expected one: it is another record's")]
    Unexpected,
    /// The envelope has no data key that a server could open.
    #[error("the envelope names no key of a key service: open it with the private key that it was sealed for")]
    NoServerKey,
    /// The server's answer holds no data key of 32 bytes, or one of another key.
    #[error("the server's answer holds no usable data key: client and server may be of different versions")]
    Answer,
    /// Reading the input or writing the output failed.
    #[error("reading or writing failed: {0}")]
    Io(#[from] std::io::Error),
    /// The thread that streams ended without a result.
    #[error("the streaming thread was stopped before it was done")]
    Stopped,
}

impl RecordError {
    /// On which side it lies.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Call(error) => error.side(),
            Self::TooManyKeys { first, .. } => first.side(),
            Self::Answer => Side::Remote,
            _ => Side::Local,
        }
    }

    /// The server's part of it, if it is one.
    #[must_use]
    pub fn call(&self) -> Option<&CallError> {
        match self {
            Self::Call(error) => Some(error),
            Self::TooManyKeys { first, .. } => first.call(),
            _ => None,
        }
    }

    /// Whether the policies said no.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.side() == Side::Denied
    }

    /// Whether it is about one wrapped key, so that another of the same envelope may still open. A server that
    /// is away or has too much to do is not asked three times more.
    fn is_of_one_key(&self) -> bool {
        match self {
            Self::Call(error) => error.refusal().is_some_and(|refusal| !matches!(refusal.status, 429 | 503 | 507)),
            Self::Key(_) | Self::Answer => true,
            _ => false,
        }
    }
}

impl Record {
    /// The record's bytes.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        &self.plaintext
    }

    /// The record's bytes, still zeroed on drop.
    #[must_use]
    pub fn into_plaintext(self) -> Zeroizing<Vec<u8>> {
        self.plaintext
    }

    /// The context that it was protected with; authenticated.
    #[must_use]
    pub fn context(&self) -> &EncryptionContext {
        &self.context
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { plaintext, context } = self;
        f.debug_struct("Record").field("len", &plaintext.len()).field("context", context).finish()
    }
}

impl Client {
    /// Encrypts a record under a data key of its own and gives the envelope to store.
    ///
    /// # Errors
    /// [`RecordError`]: `Call(Denied)` where the caller may not use the key or may not write that record.
    pub async fn protect(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, RecordError> {
        self.protect_for(key, context, plaintext, &[]).await
    }

    /// Like [`Client::protect`], readable also by these further recipients, without any server.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn protect_for(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        plaintext: &[u8],
        recipients: &[&(dyn Recipient + Sync)],
    ) -> Result<Vec<u8>, RecordError> {
        let data_key = self.protecting_key(key, context, Some(plaintext.len() as u64)).await?;
        Ok(self.sealer(&data_key, context, recipients)?.seal(plaintext)?)
    }

    /// Reads an envelope: asks for its data key (or finds it in the cache), checks and decrypts.
    ///
    /// It tells what record it is of by [`Record::context`]. Where you know which one it has to be, name it:
    /// [`Client::read_expecting`] refuses another sound envelope that was put in its place.
    ///
    /// # Errors
    /// [`RecordError`]: `Call(Denied)` where the caller may not use the key or may not read that record.
    pub async fn read(&self, envelope: &[u8]) -> Result<Record, RecordError> {
        let opener = Opener::from_bytes(envelope)?;
        let context = claimed_context(&opener)?;
        let data_key = self.reading_key(&opener, &context).await?;
        let claimed = opener.claimed_context().to_vec();
        let plaintext = Zeroizing::new(opener.open(&[&data_key], &claimed)?);
        Ok(Record { plaintext, context })
    }

    /// Like [`Client::read`], and refuses an envelope of any other context before the server is asked.
    ///
    /// # Errors
    /// [`RecordError`]: `Unexpected` for another record's envelope.
    pub async fn read_expecting(&self, envelope: &[u8], context: &EncryptionContext) -> Result<Record, RecordError> {
        if claimed_context(&Opener::from_bytes(envelope)?)? != *context {
            return Err(RecordError::Unexpected);
        }
        self.read(envelope).await
    }

    /// Wraps the envelope's data key under the newest version of its key, unseen, and gives the envelope with it.
    /// The body is copied as it is.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn rewrap(&self, envelope: &[u8]) -> Result<Vec<u8>, RecordError> {
        let opener = Opener::from_bytes(envelope)?;
        let context = claimed_context(&opener)?;
        let old = renewable(&opener)?;
        let new = self.data_keys().rewrap(&renewed_data_key(old.wrapped(), &context)).await?;
        let mut out = Vec::with_capacity(envelope.len() + 1024);
        opener.rewrap(&old, new.wrapped.0, &mut out)?;
        Ok(out)
    }

    /// A data key to protect `bytes` bytes with: a cached one where the limits allow it, else a new one.
    pub(crate) async fn protecting_key(
        &self,
        key: &KeyId,
        context: &EncryptionContext,
        bytes: Option<u64>,
    ) -> Result<DataKey, RecordError> {
        let (cache, holder) = (&self.shared().cache, self.holder());
        if let Some(found) = bytes.and_then(|bytes| cache.protect(&holder, key, context, bytes)) {
            return envelope_key(key.as_str(), &found.wrapped, &found.plain);
        }
        let asked = cache.asking();
        let answer = self.data_keys().generate(&new_data_key(key, context)).await?;
        let GeneratedDataKey { key: made_by, wrapped, plaintext, .. } = answer;
        let plain = plain_key(plaintext).filter(|_| made_by == key.as_str()).ok_or(RecordError::Answer)?;
        let data_key = envelope_key(key.as_str(), wrapped.as_bytes(), &plain)?;
        if let Some(bytes) = bytes {
            let protecting = Protecting { plain, wrapped: Arc::from(wrapped.0) };
            cache.keep_protect(&holder, key, context, (&protecting, bytes, asked));
        }
        Ok(data_key)
    }

    /// The data key of an envelope: from the cache, or unwrapped by the server.
    pub(crate) async fn reading_key<R: std::io::Read>(
        &self,
        opener: &Opener<R>,
        context: &EncryptionContext,
    ) -> Result<DataKey, RecordError> {
        // An envelope may be wrapped under several keys; whoever may use one of them reads it. What is no key of
        // ours is passed over: the next one may be.
        let (mut found, mut first) = (Vec::new(), None);
        for wrapped in opener.wrapped_keys() {
            match KeyId::parse(wrapped.key()) {
                Ok(key) => found.push((key, wrapped)),
                Err(error) => first = first.or(Some(RecordError::Key(error))),
            }
        }
        let (cache, holder) = (&self.shared().cache, self.holder());
        for (key, wrapped) in &found {
            if let Some(plain) = cache.read(&holder, key, wrapped.wrapped(), context) {
                return envelope_key(wrapped.key(), wrapped.wrapped(), &plain);
            }
        }
        let mut refused = None;
        for (key, wrapped) in found.iter().take(MAX_ASKED) {
            match self.unwrapped((&holder, key), wrapped, context).await {
                Ok(plain) => return envelope_key(wrapped.key(), wrapped.wrapped(), &plain),
                Err(error) if error.is_of_one_key() => refused = refused.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        let refused = refused.or(first).unwrap_or(RecordError::NoServerKey);
        match found.len().saturating_sub(MAX_ASKED) {
            0 => Err(refused),
            left => Err(RecordError::TooManyKeys { left, first: Box::new(refused) }),
        }
    }

    async fn unwrapped(
        &self,
        (holder, key): (&Holder, &KeyId),
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Result<Arc<PlainDataKey>, RecordError> {
        let cache = &self.shared().cache;
        let asked = cache.asking();
        let question = opened_data_key(wrapped.wrapped(), context, None);
        let UnwrappedDataKey { plaintext, .. } = self.data_keys().unwrap(&question).await?;
        let plain = plain_key(plaintext).ok_or(RecordError::Answer)?;
        cache.keep_read(holder, key, wrapped.wrapped(), context, (&plain, asked));
        Ok(plain)
    }

    pub(crate) fn sealer(
        &self,
        data_key: &DataKey,
        context: &EncryptionContext,
        recipients: &[&(dyn Recipient + Sync)],
    ) -> Result<Sealer, RecordError> {
        let entropy = self.shared().entropy.as_ref();
        let mut random = |out: &mut [u8]| entropy.fill(out).map_err(|_| RandomFailed);
        let mut all: Vec<&dyn Recipient> = vec![data_key];
        all.extend(recipients.iter().map(|recipient| *recipient as &dyn Recipient));
        Ok(Sealer::new(data_key.file_key(), &all, &context_bytes(context)?, &mut random)?)
    }
}

/// What an envelope says about itself, unchecked.
///
/// # Errors
/// [`RecordError`]: not an envelope, or a context that is not one of ours.
pub fn inspect(envelope: &[u8]) -> Result<Claims, RecordError> {
    let opener = Opener::from_bytes(envelope)?;
    let context = claimed_context(&opener)?;
    let keys = opener.wrapped_keys().filter_map(|wrapped| KeyId::parse(wrapped.key()).ok()).collect();
    Ok(Claims { keys, context })
}

/// The context as it stands in an envelope: JSON, members in order.
pub(crate) fn context_bytes(context: &EncryptionContext) -> Result<Vec<u8>, RecordError> {
    serde_json::to_vec(&context_to_wire(context)).map_err(|_| WireContextError::Json.into())
}

/// The context that an envelope claims. Passing it on is sound: unwrapping is bound to it.
pub(crate) fn claimed_context<R: std::io::Read>(opener: &Opener<R>) -> Result<EncryptionContext, RecordError> {
    context_of(opener.claimed_context())
}

/// A context as it stands in an envelope, read back.
pub(crate) fn context_of(bytes: &[u8]) -> Result<EncryptionContext, RecordError> {
    let wire: Context = serde_json::from_slice(bytes).map_err(|_| WireContextError::Json)?;
    Ok(context_from_wire(wire)?)
}

/// The wrapped data key that is wrapped anew: the first that names a key.
pub(crate) fn renewable<R: std::io::Read>(opener: &Opener<R>) -> Result<WrappedKey, RecordError> {
    let mut named = opener.wrapped_keys().filter(|wrapped| KeyId::parse(wrapped.key()).is_ok());
    named.next().ok_or(RecordError::NoServerKey)
}

pub(crate) fn envelope_key(key: &str, wrapped: &[u8], plain: &PlainDataKey) -> Result<DataKey, RecordError> {
    Ok(DataKey::new(key, wrapped.to_vec(), FileKey::from_bytes(*plain.expose()))?)
}

pub(crate) fn plain_key(secret: Option<Secret>) -> Option<Arc<PlainDataKey>> {
    let mut bytes = Zeroizing::new([0; 32]);
    let secret = secret?;
    bytes.copy_from_slice(secret.expose().first_chunk::<32>().filter(|_| secret.expose().len() == 32)?);
    Some(Arc::new(PlainDataKey::new(bytes)))
}

#[cfg(test)]
mod tests;
