//! Decides who may do what with which key and record.
mod bundle;
mod engine;
mod error;
mod identity;
mod manifest;
mod question;
mod roles;
mod snapshot;

pub use bundle::BundleSource;
pub use engine::Engine;
pub use error::{Finding, FindingKind, Place, PolicyErrors};
pub use identity::{IdentityMap, IdentityMapError};
pub use manifest::{Manifest, ResourceRule, Source};
pub use question::{BindingProblem, DenialReason, Denied, Question, QuestionError, Refusal, Resource};
pub use roles::{ROLE_TYPE, Role, RoleError};
pub use snapshot::{EntityChange, EntityErrors, EntityRecord, Snapshot};
