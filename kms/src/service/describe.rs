//! Keys: describe and list.

use std::sync::Arc;

use wardkeep_model::action::DescribeKey;
use wardkeep_model::{
    AuditEvent, EventDetail, KeyFacts, KeyId, KeyState, KeyUsage, KeyVersion, Permit, RingName, Timestamp,
};

use crate::due::next_rotation;
use crate::error::KmsError;
use crate::keyring::Key;
use crate::service::guard::{fits, fits_key};
use crate::service::{Kms, MAX_PAGE};

/// A key as it is described.
#[derive(Debug, Clone)]
pub struct KeyInfo {
    /// Name, spec, usage, labels, revision.
    pub facts: KeyFacts,
    /// When it was made.
    pub created: Timestamp,
    /// Its rotation period in days.
    pub rotation_days: Option<u32>,
    /// When the scheduler rotates it next.
    pub next_rotation: Option<Timestamp>,
    /// When it is to be destroyed, if a deletion is scheduled.
    pub deletion: Option<Timestamp>,
    /// Its versions, oldest first.
    pub versions: Vec<VersionInfo>,
}

/// A key version as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// Its number.
    pub number: KeyVersion,
    /// Its state.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    /// When it last became active.
    pub activated: Option<Timestamp>,
    /// When it became deactivated.
    pub deactivated: Option<Timestamp>,
    /// When it was marked as compromised.
    pub compromised: Option<Timestamp>,
    /// When it was destroyed.
    pub destroyed: Option<Timestamp>,
    /// The public half as DER SubjectPublicKeyInfo; `None` for AES and authorities, and once destroyed.
    pub public_key: Option<Arc<[u8]>>,
}

/// Which keys to list.
#[derive(Debug, Clone)]
pub struct ListKeys {
    /// Only keys of this ring.
    pub ring: Option<RingName>,
    /// The page starts behind this name, the `next` of the page before.
    pub after: Option<String>,
    /// Most keys of the page, 1 to 1000.
    pub limit: usize,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// What the reader may see.
    pub items: Vec<T>,
    /// Where the next page starts, if there is more that the reader may see. It is the name of the last
    /// item shown: a name that the reader may not see never stands here.
    pub next: Option<String>,
}

impl KeyInfo {
    /// The description of a key at its revision.
    pub(super) fn new(key: &Key) -> Self {
        let body = &key.body;
        let versions = body.versions.iter().map(|version| VersionInfo {
            number: version.number,
            state: version.state,
            created: version.created,
            activated: version.activated,
            deactivated: version.deactivated,
            compromised: version.compromised,
            destroyed: version.destroyed,
            // An authority's parameters are long, and are asked for by themselves.
            public_key: version.public.clone().filter(|_| body.usage != KeyUsage::Issue),
        });
        Self {
            facts: key.facts.clone(),
            created: body.created,
            rotation_days: body.rotation_days,
            next_rotation: next_rotation(key),
            deletion: body.deletion,
            versions: versions.collect(),
        }
    }
}

impl Kms {
    /// Describes a key, in whatever state it is.
    ///
    /// # Errors
    /// [`KmsError::KeyNotFound`], or what the store says.
    pub async fn describe_key(&self, permit: Permit<DescribeKey>, id: &KeyId) -> Result<KeyInfo, KmsError> {
        let found = fits_key(&permit, id).and_then(|()| self.inner.key(id)).map(|key| KeyInfo::new(&key));
        self.inner.record(permit.into_event(), found).await
    }

    /// Lists the keys that `may_see` gives a permit for. One record for the whole list, `event`.
    ///
    /// Keys that the reader may not see cost their decisions and nothing else: a page is full of what may be
    /// seen, or the last.
    ///
    /// # Errors
    /// [`KmsError::PageBounds`], or what the store says.
    pub async fn list_keys(
        &self,
        list: &ListKeys,
        may_see: &mut (dyn FnMut(&KeyFacts) -> Option<Permit<DescribeKey>> + Send),
        event: AuditEvent,
    ) -> Result<Page<KeyInfo>, KmsError> {
        let page = self.key_page(list, may_see).await;
        let shown = page.as_ref().map_or(0, |page| page.items.len());
        let filter = list.ring.as_ref().map_or("", RingName::as_str);
        let event = event.with(EventDetail::Filter, filter).with(EventDetail::Count, shown.to_string());
        self.inner.record(event, page).await
    }

    /// One page, before it is recorded.
    async fn key_page(
        &self,
        list: &ListKeys,
        may_see: &mut (dyn FnMut(&KeyFacts) -> Option<Permit<DescribeKey>> + Send),
    ) -> Result<Page<KeyInfo>, KmsError> {
        let bounds = KmsError::PageBounds { max: MAX_PAGE };
        if !(1..=MAX_PAGE).contains(&list.limit) {
            return Err(bounds);
        }
        let mut after = list.after.as_deref().map(KeyId::parse).transpose().map_err(|_| bounds)?;
        let mut items = Vec::new();
        loop {
            let chunk = self.inner.keyring.keys_after(after.as_ref(), 64);
            let Some(last) = chunk.last() else { return Ok(Page { items, next: None }) };
            after = Some(last.facts.id.clone());
            for key in chunk {
                let id = &key.facts.id;
                if list.ring.as_ref().is_some_and(|ring| ring != id.ring()) {
                    continue;
                }
                let Some(permit) = may_see(&key.facts) else { continue };
                fits(permit.resource(), "Wardkeep::Key", id.as_str())?;
                if items.len() == list.limit {
                    let next = items.last().map(|shown: &KeyInfo| shown.facts.id.to_string());
                    return Ok(Page { items, next });
                }
                items.push(KeyInfo::new(&key));
            }
            // Ten thousand decisions take a while: let others run between them.
            tokio::task::yield_now().await;
        }
    }
}
