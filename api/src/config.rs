//! The configuration in force.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /v1/config`: secrets are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigInForce {
    /// Which Wardkeep answers.
    pub server_version: String,
    /// The configuration as TOML, defaults filled in.
    pub toml: String,
}
