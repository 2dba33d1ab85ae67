//! Administration: who may do what, who is who, what happened.
//!
//! These verbs are always decided on the certificate's own identity. Through a view of
//! [`crate::Client::on_behalf_of`] the server refuses them (400): nobody administers in another's name.

mod audit;
mod certificates;
mod entities;
mod policy;

pub use audit::{Audit, AuditQuery};
pub use certificates::{Certificates, Tokens};
pub use entities::{Entities, Roles};
pub use policy::{Bundles, ControlSets};

use wardkeep_api::config::ConfigInForce;

use crate::call::Call;
use crate::{CallError, Client};

impl Client {
    /// `GET /v1/config`: the server's configuration in force, without secrets.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn config(&self) -> Result<ConfigInForce, CallError> {
        self.ask(Call::get("/v1/config")).await
    }
}
