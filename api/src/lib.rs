//! The types that travel between Wardkeep and its clients, and nothing else.
//!
//! The only home of public serde derives. Requests refuse unknown fields, so that a misspelt option is an
//! error and not a silent default; answers may grow members, so readers of answers ignore what they do not know.
//! Bytes are base64 (RFC 4648 section 4, with padding), moments are RFC 3339 in UTC, names are checked by the
//! server when it turns these into domain types. Secrets are in [`Secret`] and [`SecretText`], which are zeroed
//! on drop and cannot be printed.
//!
//! | file | holds |
//! |---|---|
//! | [`bytes`], [`secret`] | bytes and secrets as base64 |
//! | [`attribute`], [`context`] | attribute values as Cedar JSON, the encryption context |
//! | [`problem`] | RFC 9457 problems and findings of a policy check |
//! | the others | one noun each: its requests and answers |

pub mod attribute;
pub mod audit;
pub mod authority;
pub mod bundle;
pub mod bytes;
pub mod certificate;
pub mod config;
pub mod context;
pub mod control_set;
pub mod data_key;
pub mod encryption;
pub mod entity;
pub mod health;
pub mod key;
pub mod page;
pub mod problem;
pub mod random;
pub mod recipient;
pub mod ring;
pub mod role;
pub mod secret;
pub mod signature;
pub mod token;
mod unique;
pub mod user_key;
pub mod whoami;

pub use attribute::AttributeValue;
pub use bytes::Base64;
pub use context::{Context, Resource};
pub use entity::EntityRef;
pub use page::Page;
pub use problem::{Finding, Problem};
pub use secret::{Secret, SecretText};
