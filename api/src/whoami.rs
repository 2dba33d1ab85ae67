//! Who the server takes the caller for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::EntityRef;
use crate::role::Role;

/// `GET /v1/whoami`: the caller's own certificate and roles, nothing about anybody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// The name in the certificate.
    pub identity: String,
    /// The certificate's serial.
    pub serial: String,
    /// Until when it is valid.
    #[schema(format = DateTime)]
    pub not_after: String,
    /// The entity it maps to.
    pub actor: EntityRef,
    /// Control roles that the actor holds.
    pub roles: Vec<Role>,
    /// The version of the policy snapshot in force.
    pub policy_version: u64,
}
