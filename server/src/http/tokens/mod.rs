//! One-time enrolment tokens.

pub mod issue;
pub mod list;
pub mod revoke;
