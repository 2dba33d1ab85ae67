//! Control roles and who holds them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::EntityRef;

/// A control role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Identities, certificates, roles.
    Admin,
    /// Policies.
    SecurityAdmin,
    /// Day-to-day operation.
    Operator,
    /// Reads the audit log.
    Auditor,
}

/// Who holds a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleMembers {
    /// The role.
    pub role: Role,
    /// Its holders.
    pub members: Vec<EntityRef>,
}

/// `GET /v1/roles`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Roles {
    /// Each role that the caller may see.
    pub roles: Vec<RoleMembers>,
}

/// `PUT /v1/roles/{role}/members/{type}/{id}`. The grant voids the identity's open tokens and revokes its earlier
/// certificates, except those kept here: a certificate issued before it was strong may be in weak hands.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRole {
    /// Serials of certificates that stay valid.
    #[serde(default)]
    pub keep_certificates: Vec<String>,
}

/// What a grant did besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleGranted {
    /// The role.
    pub role: Role,
    /// Its new holder.
    pub member: EntityRef,
    /// How many open tokens were voided.
    pub tokens_voided: u64,
    /// Serials of the certificates that were revoked.
    pub certificates_revoked: Vec<String>,
}
