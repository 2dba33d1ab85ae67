//! Key rings.

use http::Method;
use wardkeep_api::Page;
use wardkeep_api::ring::{CreateRing, Ring};
use wardkeep_model::RingName;

use crate::call::{Call, query};
use crate::data_keys::Paging;
use crate::{CallError, Client};

const RINGS: &str = "/v1/rings";

/// The verbs of key rings; see [`Client::rings`].
#[derive(Debug, Clone, Copy)]
pub struct Rings<'a>(&'a Client);

impl Client {
    /// Key rings.
    #[must_use]
    pub fn rings(&self) -> Rings<'_> {
        Rings(self)
    }
}

impl Rings<'_> {
    /// `POST /v1/rings`, once however often it is tried.
    ///
    /// # Errors
    /// [`CallError`]: `Conflict` where a ring of that name exists.
    pub async fn create(&self, ring: &CreateRing) -> Result<Ring, CallError> {
        self.0.ask(Call::idempotent(Method::POST, RINGS).json(ring)?).await
    }

    /// `GET /v1/rings`: one page of the rings that the caller may see.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, paging: &Paging) -> Result<Page<Ring>, CallError> {
        self.0.ask(Call::get(query(RINGS, &paging.pairs()))).await
    }

    /// `GET /v1/rings/{ring}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn describe(&self, ring: &RingName) -> Result<Ring, CallError> {
        self.0.ask(Call::get(format!("{RINGS}/{ring}"))).await
    }

    /// `DELETE /v1/rings/{ring}`, if it is empty, and if it still has that revision where one is given.
    ///
    /// # Errors
    /// [`CallError`]: `Conflict` where it holds keys, `Precondition` where it was changed.
    pub async fn delete(&self, ring: &RingName, revision: Option<u64>) -> Result<(), CallError> {
        self.0.tell(Call::once(Method::DELETE, format!("{RINGS}/{ring}")).if_revision(revision)).await
    }
}
