//! Attribute-based encryption: seal under a policy for readers whom nobody needs to know, open off line with a user key.
//!
//! ```no_run
//! # use wardkeep_client::{Client, EncryptionContext, KeyId, Settings, abe};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = Client::connect(Settings::from_env()?).await?;
//! # let context = EncryptionContext::default();
//! let sealer = client.abe("clinic/records-abe").await?;
//! let sealed = sealer.seal("role = doctor and clearance >= 3", &context, b"all is well").await?;
//!
//! let (_, key) = client.user_keys().issue(&KeyId::parse("clinic/records-abe")?, &Default::default()).await?;
//! let opened = abe::open(&key, &sealed, &context)?; // no server any more
//! # Ok(()) }
//! ```
//!
//! What is sealed asks for keys that are valid now and not revoked, unless the sealer is told otherwise
//! ([`Sealer::without_revocations`], [`Sealer::without_time`]): a sealer that cannot have a revocation list that is new
//! enough seals nothing. With [`Sealer::require_online`] the reader's attributes are not enough, and the key service
//! decides at every opening too: that alone takes back what was sealed before.

use wardkeep_abe::PublicParameters;
use wardkeep_envelope::{AbeRecipient, AllOf, FileKey, RandomFailed, Randomness, Recipient, SealError};
use wardkeep_model::{EncryptionContext, KeyId};

use crate::Client;
use crate::records::context_bytes;

mod error;
mod key;
mod open;

pub use error::AbeError;
pub use key::Key;
pub use open::{Opening, open, open_batch, open_stream};
/// The nouns of the library below, as far as they show here.
pub use wardkeep_abe::{
    AccessPolicy, AuthorityId, Bucket, BucketLength, DecodeError, PolicyError, PublicParameters as Parameters,
    RevocationError, RevocationList, Serial, Terms,
};
/// What sealing and opening hands out: a header whose body the caller writes, batches, a body as a reader, and the data key
/// of a decision of the key service.
pub use wardkeep_envelope::batch::{BatchReader, BatchSealer, NotOpened, RecordSealError};
pub use wardkeep_envelope::{DataKey, OpenReader, SealWriter, Sealer as Header};

/// Seals under policies of one authority, always under its newest version; see [`Client::abe`].
///
/// It keeps nothing of its own: parameters and revocation list come from the client's cache, and are asked for anew when
/// the cache says so.
#[derive(Debug, Clone)]
pub struct Sealer {
    client: Client,
    key: KeyId,
    time: Time,
    revocations: bool,
    online: Option<KeyId>,
}

/// Which time bucket is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Now,
    At(Bucket),
    Never,
}

impl Client {
    /// A sealer for an authority, `ring/name`. Fetches its public parameters, so that a wrong name shows here.
    ///
    /// # Errors
    /// [`AbeError`].
    pub async fn abe(&self, authority: &str) -> Result<Sealer, AbeError> {
        let key = KeyId::parse(authority)?;
        self.authorities().parameters(&key, None).await?;
        Ok(Sealer { client: self.clone(), key, time: Time::Now, revocations: true, online: None })
    }
}

impl Sealer {
    /// Asks for keys that are valid in this time bucket or later, in the place of the current one. A bucket of the past goes
    /// with [`Sealer::without_revocations`] alone: the list has forgotten who was revoked and has expired since.
    #[must_use]
    pub fn valid_from(self, bucket: Bucket) -> Self {
        Self { time: Time::At(bucket), ..self }
    }

    /// Shuts out no revoked keys: revocation then is by expiry alone.
    #[must_use]
    pub fn without_revocations(self) -> Self {
        Self { revocations: false, ..self }
    }

    /// Asks for neither time bucket nor revocation list: every key that was ever issued with the attributes opens.
    #[must_use]
    pub fn without_time(self) -> Self {
        Self { time: Time::Never, revocations: false, ..self }
    }

    /// Asks for a decision of the key service beside the attributes: what is sealed opens only with a data key of `key`
    /// too, that the service gives out anew at every opening ([`Client::open_online`]).
    #[must_use]
    pub fn require_online(self, key: KeyId) -> Self {
        Self { online: Some(key), ..self }
    }

    /// Seals a record into an envelope that opens for keys that satisfy `policy`, with the same context.
    ///
    /// # Errors
    /// [`AbeError`]: `Policy` with the place in the text; `Authority(List(Stale))` where no list is new enough.
    pub async fn seal(&self, policy: &str, context: &EncryptionContext, plaintext: &[u8]) -> Result<Vec<u8>, AbeError> {
        Ok(self.start(policy, context).await?.seal(plaintext)?)
    }

    /// Seals everything that `input` gives into an envelope on `output`, in constant memory; gives the output back, and
    /// how many bytes there were.
    ///
    /// # Errors
    /// [`AbeError`]. What was written until then is no envelope: it does not open.
    pub async fn seal_stream<R, W>(
        &self,
        policy: &str,
        context: &EncryptionContext,
        input: R,
        output: W,
    ) -> Result<(W, u64), AbeError>
    where
        R: std::io::Read + Send + 'static,
        W: std::io::Write + Send + 'static,
    {
        let header = self.start(policy, context).await?;
        on_a_thread(move || {
            let mut writer = header.writer(output)?;
            let bytes = crate::streams::copy(input, &mut writer)?;
            let mut output = writer.finish()?;
            output.flush()?;
            Ok((output, bytes))
        })
        .await
    }

    /// The header of an envelope, whose body the caller writes.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub async fn start(&self, policy: &str, context: &EncryptionContext) -> Result<Header, AbeError> {
        self.make(policy, context, |key, all, context, random| Header::new(key, all, context, random)).await
    }

    /// Begins a batch: many small records under one policy, at the cost of one.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub async fn batch(&self, policy: &str, context: &EncryptionContext) -> Result<BatchSealer, AbeError> {
        self.make(policy, context, |key, all, context, random| BatchSealer::new(key, all, context, random)).await
    }

    /// The policy of a text with all that this sealer asks for beside it, and the parameters it was read under.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub async fn policy(&self, text: &str) -> Result<(PublicParameters, AccessPolicy), AbeError> {
        let authorities = self.client.authorities();
        let published = &self.client.shared().published;
        let held = authorities.held_parameters(&self.key, None).await?;
        let parameters = held.value.clone();
        let mut policy = AccessPolicy::parse(text, &parameters)?;
        let list = match self.revocations {
            true => Some(authorities.held_revocations(&self.key, &parameters).await?),
            false => None,
        };
        let now = published.seconds_since(list.as_ref().map_or(held.first, |list| list.first));
        let bucket = match self.time {
            Time::Never => return Ok((parameters, policy)),
            Time::At(bucket) => bucket,
            Time::Now => {
                let terms = parameters.terms();
                let bucket = terms.bucket_at(now).ok_or(AbeError::OutOfTime { now })?;
                // Our clock may be behind the one that dated the list, within the bounds that the list is taken in.
                list.as_ref().map_or(bucket, |list| bucket.max(list.value.first_bucket(terms)))
            }
        };
        policy = policy.valid_from(bucket);
        if let Some(list) = list {
            policy = policy.excluding(&list.value, &parameters, now).map_err(crate::AuthorityError::from)?;
        }
        Ok((parameters, policy))
    }

    /// Makes a header of either kind: the encapsulation is work of milliseconds, and not for a thread that serves others.
    async fn make<T: Send + 'static>(
        &self,
        policy: &str,
        context: &EncryptionContext,
        make: impl FnOnce(&FileKey, &[&dyn Recipient], &[u8], &mut dyn Randomness) -> Result<T, SealError> + Send + 'static,
    ) -> Result<T, AbeError> {
        let (parameters, policy) = self.policy(policy).await?;
        let online: Option<DataKey> = match &self.online {
            Some(key) => Some(self.client.protecting_key(key, context, None).await?),
            None => None,
        };
        let (bytes, entropy) = (context_bytes(context)?, self.client.shared().entropy.clone());
        on_a_thread(move || {
            let mut random = |out: &mut [u8]| entropy.fill(out).map_err(|_| RandomFailed);
            let file_key = FileKey::random(&mut random).map_err(SealError::from)?;
            let attributes = AbeRecipient::new(&parameters, policy);
            let Some(online) = online else { return Ok(make(&file_key, &[&attributes], &bytes, &mut random)?) };
            let both: [&dyn Recipient; 2] = [&attributes, &online];
            Ok(make(&file_key, &[&AllOf::new(&both)?], &bytes, &mut random)?)
        })
        .await
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AbeError> + Send + 'static,
) -> Result<T, AbeError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(AbeError::Stopped))
}

#[cfg(test)]
mod tests;
