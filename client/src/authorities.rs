//! Authorities of attribute-based encryption: what they publish, and their escrow.
//!
//! Public parameters and revocation lists are signed by the authority, and what is signed alone is believed. Which key
//! signs is *pinned*: named by the caller ([`Authorities::pin`]), else the one that was seen first in this process. From
//! then on parameters may pass through anybody's hands. Neither versions nor lists go back: an older one than was seen is
//! refused, however well it is signed.
//!
//! Both are kept as long as the server says and no longer than an hour, counted on two clocks as data keys are
//! ([`crate::cache`]), per identity and subject, for whether somebody may see them was decided for them. While the server
//! cannot be reached, parameters are used up to a day and a list until it is due for renewal; a list past that is refused
//! by [`Authorities::revocations`] and by whatever seals.

use std::sync::Arc;

use http::Method;
use wardkeep_abe::{PublicParameters, RevocationList, Scheme};
use wardkeep_api::Page;
use wardkeep_api::authority::{EscrowAuthority, EscrowedAuthority, Parameters, Revocations};
use wardkeep_api::key::{CreateKey, Key, KeySpec, KeyUsage};
use wardkeep_model::{KeyId, RingName};

use self::published::{Held, Place};
use crate::call::{Answer, Call, query};
use crate::data_keys::Paging;
use crate::keys::path;
use crate::{CallError, Client};

mod error;
mod published;

pub use error::AuthorityError;
pub(crate) use published::Published;

/// The key that an authority signs with: Ed25519 (RFC 8032), 32 bytes.
pub type SigningKey = [u8; 32];

/// The verbs of authorities; see [`Client::authorities`].
#[derive(Debug, Clone, Copy)]
pub struct Authorities<'a>(&'a Client);

impl Client {
    /// Authorities of attribute-based encryption.
    #[must_use]
    pub fn authorities(&self) -> Authorities<'_> {
        Authorities(self)
    }
}

impl Authorities<'_> {
    /// Makes an authority: a key of the usage `issue`, with the declarations that the bundle in force has for its name.
    ///
    /// # Errors
    /// [`CallError`]: `Conflict` where the name is or was in use, `Invalid` where the bundle declares nothing for it.
    pub async fn create(&self, key: &KeyId) -> Result<Key, CallError> {
        let asked = CreateKey {
            key: key.to_string(),
            spec: KeySpec::FabeoBls12381,
            usage: KeyUsage::Issue,
            labels: [].into(),
            rotation_days: None,
            activate: true,
        };
        self.0.keys().create(&asked).await
    }

    /// One page of the authorities that the caller may see. Keys of other usages are left out, so that a page may hold
    /// fewer than were asked for; `next` alone says whether more follow.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, ring: Option<&RingName>, paging: &Paging) -> Result<Page<Key>, CallError> {
        let mut page = self.0.keys().list(ring, paging).await?;
        page.items.retain(|key| key.usage == KeyUsage::Issue);
        Ok(page)
    }

    /// A new version, with the declarations of the bundle in force. User keys of the former one open nothing that is
    /// sealed from then on.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn rotate(&self, key: &KeyId, revision: Option<u64>) -> Result<Key, CallError> {
        self.0.keys().rotate(key, revision).await
    }

    /// From now on takes nothing of this authority that another key signed.
    ///
    /// # Errors
    /// [`AuthorityError::OtherSigner`] where another key was pinned or seen before; that one stays.
    pub fn pin(&self, key: &KeyId, signing_key: &SigningKey) -> Result<(), AuthorityError> {
        self.0.shared().published.check_signer(key, signing_key)
    }

    /// The key that is pinned for this authority, if one is: to be kept, and given to [`Authorities::pin`] by the next
    /// process.
    #[must_use]
    pub fn pinned(&self, key: &KeyId) -> Option<SigningKey> {
        self.0.shared().published.signer(key)
    }

    /// The public parameters of a version, the newest where none is named: all that sealing needs.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub async fn parameters(&self, key: &KeyId, version: Option<u32>) -> Result<PublicParameters, AuthorityError> {
        self.held_parameters(key, version).await.map(|held| held.value)
    }

    /// The newest revocation list of a version, fit to be sealed with at this moment.
    ///
    /// # Errors
    /// [`AuthorityError`]: `List(Stale)` where it is past its renewal and no newer one is to be had.
    pub async fn revocations(&self, key: &KeyId, version: Option<u32>) -> Result<Arc<RevocationList>, AuthorityError> {
        let parameters = self.parameters(key, version).await?;
        self.held_revocations(key, &parameters).await.map(|held| held.value)
    }

    /// `POST /v1/keys/{ring}/{key}/escrow`: an authority as shares for custodians. What opens it passes through this
    /// process unless every custodian's public key is named.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn escrow(&self, key: &KeyId, escrow: &EscrowAuthority) -> Result<EscrowedAuthority, CallError> {
        self.0.ask(Call::once(Method::POST, format!("{}/escrow", path(key))).json(escrow)?).await
    }

    /// Parameters from the cache while they are fresh, else asked for anew.
    pub(crate) async fn held_parameters(
        &self,
        key: &KeyId,
        version: Option<u32>,
    ) -> Result<Held<PublicParameters>, AuthorityError> {
        let published = &self.0.shared().published;
        let place = Place { holder: self.0.holder(), key: key.clone(), version };
        let known = published.parameters(&place);
        if let Some(held) = known.as_ref().filter(|held| published.is_fresh(held)) {
            return Ok(held.clone());
        }
        let asked = published.moment();
        let call = |tag| Call::get(asking(key, "parameters", version)).unless_tagged(tag);
        let tag = known.as_ref().and_then(|held| held.tag.clone());
        let answer = match (self.0.send(&call(tag)).await, known) {
            (Ok(answer), Some(held)) if answer.kept().unchanged => {
                return published.keep_parameters(&place, held.again(&answer, asked));
            }
            (Ok(answer), _) => answer,
            (Err(error), Some(held)) if is_away(&error) && published.outlives_outage(&held) => {
                tracing::warn!(%error, %key, "sealing goes on under the public parameters that were fetched before");
                return Ok(held);
            }
            (Err(error), _) => {
                published.forget(&place);
                return Err(error.into());
            }
        };
        let held = Held::new(read_parameters(&answer, key, version)?, &answer, asked);
        match published.keep_parameters(&place, held) {
            // Of two questions at once, the one that was answered last may bring what was true first.
            Err(AuthorityError::WentBack { .. }) => {
                let (asked, answer) = (published.moment(), self.0.send(&call(None)).await?);
                let held = Held::new(read_parameters(&answer, key, version)?, &answer, asked);
                published.keep_parameters(&place, held)
            }
            kept => kept,
        }
    }

    /// The list of one version, from the cache while it is fresh, else asked for anew; never a stale one.
    pub(crate) async fn held_revocations(
        &self,
        key: &KeyId,
        parameters: &PublicParameters,
    ) -> Result<Held<Arc<RevocationList>>, AuthorityError> {
        let published = &self.0.shared().published;
        let version = parameters.version();
        let place = Place { holder: self.0.holder(), key: key.clone(), version: Some(version) };
        // A stale one is asked for without its tag: its age is counted anew from the new answer on.
        let known = published.list(&place).filter(|held| published.is_current(held).is_ok());
        if let Some(held) = known.as_ref().filter(|held| published.is_fresh(held)) {
            return Ok(held.clone());
        }
        let asked = published.moment();
        let call = |tag| Call::get(asking(key, "revocations", Some(version))).unless_tagged(tag);
        let tag = known.as_ref().and_then(|held| held.tag.clone());
        let answer = match (self.0.send(&call(tag)).await, known) {
            (Ok(answer), Some(held)) if answer.kept().unchanged => {
                return published.keep_list(&place, held.again(&answer, asked));
            }
            (Ok(answer), _) => answer,
            (Err(error), Some(held)) if is_away(&error) => {
                tracing::warn!(%error, %key, "sealing goes on with the revocation list that was fetched before");
                return Ok(held);
            }
            (Err(error), _) => {
                published.forget(&place);
                return Err(error.into());
            }
        };
        let held = Held::new(read_list(&answer, key, parameters)?, &answer, asked);
        match published.keep_list(&place, held) {
            Err(AuthorityError::WentBack { .. }) => {
                let (asked, answer) = (published.moment(), self.0.send(&call(None)).await?);
                published.keep_list(&place, Held::new(read_list(&answer, key, parameters)?, &answer, asked))
            }
            kept => kept,
        }
    }
}

fn asking(key: &KeyId, what: &str, version: Option<u32>) -> String {
    query(&format!("{}/{what}", path(key)), &[("version", version.map(|version| version.to_string()))])
}

/// The parameters in an answer. What stands beside them unsigned has to say the same; else something on the way
/// rewrites answers.
fn read_parameters(answer: &Answer, key: &KeyId, asked: Option<u32>) -> Result<PublicParameters, AuthorityError> {
    let Parameters { key: named, version, parameters, fingerprint, signing_key, .. } = answer.json()?;
    let read = PublicParameters::from_bytes(parameters.as_bytes())?;
    let agrees = named == key.as_str()
        && version == read.version()
        && asked.is_none_or(|asked| asked == version)
        && fingerprint == hex(read.fingerprint())
        && signing_key.as_bytes() == read.signing_key()
        && read.scheme() == Scheme::CiphertextPolicy;
    if agrees { Ok(read) } else { Err(AuthorityError::Mismatch { what: "public parameters" }) }
}

fn read_list(
    answer: &Answer,
    key: &KeyId,
    parameters: &PublicParameters,
) -> Result<Arc<RevocationList>, AuthorityError> {
    let Revocations { key: named, version, number, list, .. } = answer.json()?;
    let read = RevocationList::from_bytes(list.as_bytes(), parameters)?;
    let agrees = named == key.as_str() && version == parameters.version() && number == read.number();
    if agrees { Ok(Arc::new(read)) } else { Err(AuthorityError::Mismatch { what: "revocation list" }) }
}

/// Whether nobody answered, or could: nothing was said about what is asked for.
fn is_away(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Connect { .. }
            | CallError::Broken { .. }
            | CallError::Timeout { .. }
            | CallError::RateLimited { .. }
            | CallError::Unavailable { .. }
    )
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
