//! Keys and their life.

use http::Method;
use serde::Serialize;
use wardkeep_api::Page;
use wardkeep_api::key::{CreateKey, Key, ScheduleDeletion, SelectVersion, UpdateKey};
use wardkeep_api::page::Nothing;
use wardkeep_model::{KeyId, RingName};

use crate::call::{Call, query};
use crate::data_keys::Paging;
use crate::{CallError, Client};

const KEYS: &str = "/v1/keys";

/// The verbs of keys; see [`Client::keys`].
///
/// Changes carry an idempotency key, so that they are made once however often they are tried; `revision` makes
/// one only if the key still has it (`Precondition` otherwise).
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a>(&'a Client);

impl Client {
    /// Keys.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys(self)
    }
}

impl Keys<'_> {
    /// `POST /v1/keys`
    ///
    /// # Errors
    /// [`CallError`]: `Conflict` where the name is or was in use.
    pub async fn create(&self, key: &CreateKey) -> Result<Key, CallError> {
        self.0.ask(Call::idempotent(Method::POST, KEYS).json(key)?).await
    }

    /// `GET /v1/keys`: one page of the keys that the caller may see, of one ring or of all.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, ring: Option<&RingName>, paging: &Paging) -> Result<Page<Key>, CallError> {
        let [limit, cursor] = paging.pairs();
        self.0.ask(Call::get(query(KEYS, &[("ring", ring.map(ToString::to_string)), limit, cursor]))).await
    }

    /// `GET /v1/keys/{ring}/{key}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn describe(&self, key: &KeyId) -> Result<Key, CallError> {
        self.0.ask(Call::get(path(key))).await
    }

    /// `PATCH /v1/keys/{ring}/{key}`: labels and rotation period. It replaces, so it needs the revision it was
    /// thought out for.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn update(&self, key: &KeyId, change: &UpdateKey, revision: u64) -> Result<Key, CallError> {
        self.0.ask(Call::idempotent(Method::PATCH, path(key)).json(change)?.if_revision(Some(revision))).await
    }

    /// Makes a new active version; the former one is deactivated.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn rotate(&self, key: &KeyId, revision: Option<u64>) -> Result<Key, CallError> {
        self.change(key, "rotate", &Nothing {}, revision).await
    }

    /// Makes pre-active or suspended versions active: one, or all.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn enable(&self, key: &KeyId, version: Option<u32>, revision: Option<u64>) -> Result<Key, CallError> {
        self.change(key, "enable", &SelectVersion { version }, revision).await
    }

    /// Puts active versions on hold: one, or all.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn suspend(&self, key: &KeyId, version: Option<u32>, revision: Option<u64>) -> Result<Key, CallError> {
        self.change(key, "suspend", &SelectVersion { version }, revision).await
    }

    /// Leaves versions only for what they protected before: one, or all.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn deactivate(&self, key: &KeyId, version: Option<u32>, revision: Option<u64>) -> Result<Key, CallError> {
        self.change(key, "deactivate", &SelectVersion { version }, revision).await
    }

    /// Marks versions as compromised: one, or all. Only destruction leads out of it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn compromise(&self, key: &KeyId, version: Option<u32>, revision: Option<u64>) -> Result<Key, CallError> {
        self.change(key, "compromise", &SelectVersion { version }, revision).await
    }

    /// Sets the day of destruction, 7 to 30 days from now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn schedule_deletion(&self, key: &KeyId, days: u32, revision: Option<u64>) -> Result<Key, CallError> {
        self.change(key, "schedule-deletion", &ScheduleDeletion { days }, revision).await
    }

    /// Takes a scheduled deletion back.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn cancel_deletion(&self, key: &KeyId, revision: Option<u64>) -> Result<Key, CallError> {
        self.change(key, "cancel-deletion", &Nothing {}, revision).await
    }

    /// Destroys a key whose day has come. What it protected is refused for ever.
    ///
    /// # Errors
    /// [`CallError`]: `Conflict` before that day.
    pub async fn destroy(&self, key: &KeyId, revision: Option<u64>) -> Result<Key, CallError> {
        self.change(key, "destroy", &Nothing {}, revision).await
    }

    async fn change(
        &self,
        key: &KeyId,
        verb: &str,
        body: &impl Serialize,
        revision: Option<u64>,
    ) -> Result<Key, CallError> {
        let call = Call::idempotent(Method::POST, format!("{}/{verb}", path(key)));
        self.0.ask(call.json(body)?.if_revision(revision)).await
    }
}

/// A key id holds only characters that mean nothing in a path.
pub(crate) fn path(key: &KeyId) -> String {
    format!("{KEYS}/{key}")
}
