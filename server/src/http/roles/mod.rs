//! Control roles.

pub mod grant;
pub mod list;
pub mod revoke;

use wardkeep_api::role as wire;
use wardkeep_policy::Role;

/// A role's word on the wire.
pub(super) fn word(role: Role) -> wire::Role {
    match role {
        Role::Admin => wire::Role::Admin,
        Role::SecurityAdmin => wire::Role::SecurityAdmin,
        Role::Operator => wire::Role::Operator,
        Role::Auditor => wire::Role::Auditor,
    }
}
