//! User keys of authorities: issue, list, revoke.

pub mod issue;
pub mod list;
pub mod revoke;
