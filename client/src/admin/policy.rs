//! The two policy sets: bundles of the data set, and the control set.

use http::Method;
use wardkeep_api::Page;
use wardkeep_api::bundle::{Bundle, BundleSummary, LoadBundle, LoadedBundle, PolicySchema};
use wardkeep_api::control_set::{ControlSet, PutControlSet};
use wardkeep_api::page::Nothing;

use crate::call::{Call, query};
use crate::data_keys::Paging;
use crate::{CallError, Client};

const BUNDLES: &str = "/v1/bundles";
const CONTROL_SET: &str = "/v1/control-set";

/// The verbs of policy bundles; see [`Client::bundles`].
#[derive(Debug, Clone, Copy)]
pub struct Bundles<'a>(&'a Client);

/// The verbs of the control set; see [`Client::control_set`].
#[derive(Debug, Clone, Copy)]
pub struct ControlSets<'a>(&'a Client);

impl Client {
    /// Policy bundles.
    #[must_use]
    pub fn bundles(&self) -> Bundles<'_> {
        Bundles(self)
    }

    /// The control set.
    #[must_use]
    pub fn control_set(&self) -> ControlSets<'_> {
        ControlSets(self)
    }
}

impl Bundles<'_> {
    /// `POST /v1/bundles`: checks, keeps and activates, as the request says.
    ///
    /// # Errors
    /// [`CallError`]: `Invalid` with every finding in [`crate::Refusal::findings`].
    pub async fn load(&self, bundle: &LoadBundle) -> Result<LoadedBundle, CallError> {
        self.0.ask(Call::once(Method::POST, BUNDLES).json(bundle)?).await
    }

    /// `GET /v1/bundles`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, paging: &Paging) -> Result<Page<BundleSummary>, CallError> {
        self.0.ask(Call::get(query(BUNDLES, &paging.pairs()))).await
    }

    /// `GET /v1/bundles/active`: the bundle in force.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn active(&self) -> Result<Bundle, CallError> {
        self.0.ask(Call::get(format!("{BUNDLES}/active"))).await
    }

    /// `GET /v1/bundles/{version}`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn describe(&self, version: u64) -> Result<Bundle, CallError> {
        self.0.ask(Call::get(format!("{BUNDLES}/{version}"))).await
    }

    /// `POST /v1/bundles/{version}/activate`. Activating what is in force already changes nothing.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn activate(&self, version: u64) -> Result<LoadedBundle, CallError> {
        let call = Call::once(Method::POST, format!("{BUNDLES}/{version}/activate"));
        self.0.ask(call.json(&Nothing {})?).await
    }

    /// `GET /v1/policy/schema`: the Cedar schema in force.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn schema(&self) -> Result<PolicySchema, CallError> {
        self.0.ask(Call::get("/v1/policy/schema")).await
    }
}

impl ControlSets<'_> {
    /// `GET /v1/control-set`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn describe(&self) -> Result<ControlSet, CallError> {
        self.0.ask(Call::get(CONTROL_SET)).await
    }

    /// `PUT /v1/control-set`, if it still has that revision.
    ///
    /// # Errors
    /// [`CallError`]: `Invalid` with findings; `Conflict` where nobody could change it any more; `Precondition`.
    pub async fn put(&self, text: &str, revision: Option<u64>) -> Result<ControlSet, CallError> {
        let call = Call::once(Method::PUT, CONTROL_SET).if_revision(revision);
        self.0.ask(call.json(&PutControlSet { text: text.to_owned() })?).await
    }
}
