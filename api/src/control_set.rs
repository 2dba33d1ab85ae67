//! The control set: who administers Wardkeep.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The control set in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ControlSet {
    /// Its revision, counted from 1; the `ETag`.
    pub revision: u64,
    /// Cedar policies.
    pub text: String,
    /// When it was put in force.
    #[schema(format = DateTime)]
    pub changed: String,
    /// By whom.
    pub changed_by: String,
}

/// `PUT /v1/control-set`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutControlSet {
    /// Cedar policies, checked strictly against the control schema.
    pub text: String,
}
