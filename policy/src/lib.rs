//! Decides who may do what with which key and record.
//!
//! Cedar's language with one meaning of our own: *some permit is true, and every forbid is false*. A forbid whose
//! evaluation errs counts as satisfied; a permit whose evaluation errs never grants. Cedar's types stop here.
//!
//! | file | holds |
//! |---|---|
//! | `engine` | [`Engine`]: the snapshot in force, and where permits come into being |
//! | `decide`, `scene` | one decision, from [`Question`] to grant or [`Refusal`]; what it sees |
//! | `issue`, `projection` | the decision to issue a user key, and the attributes it says |
//! | `snapshot` | [`Snapshot`]: control set, bundle, entities and roles at one moment, and every change of them |
//! | `bundle`, `manifest`, `schema`, `rules`, `plan` | loading: text, manifest, the template filled in, policies, what each action needs |
//! | `reach` | policies that look into what no decision sees, refused at load |
//! | `entities`, `keys`, `value` | entities kept parsed: the store's, Wardkeep's own, and their values |
//! | `identity`, `roles` | who a certificate is; who administers Wardkeep |
//! | `meaning` | what a set of policies means, in one place |
//! | `offline` | the same without a server |
//! | `error`, `change`, `question` | what can be wrong, in words |
//!
//! Two policy sets, so that a bad rule locks nobody out: the *control set* decides who administers Wardkeep, on the actor;
//! the *bundle* in force decides about keys and records, on the subject. No fault in one touches the other.
//!
//! ```
//! use std::collections::BTreeMap;
//! use wardkeep_policy::{BundleSource, IdentityMap, Snapshot};
//!
//! let identity = IdentityMap::new(BTreeMap::from([("user".to_owned(), "User".to_owned())]))?;
//! let snapshot = Snapshot::new(identity, Snapshot::builtin_control_set(), &BundleSource::starter(), 1)?;
//! assert!(snapshot.schema_text().contains("GenerateDataKey"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A snapshot comes into being by loading only, so that whatever decides was checked:
//!
//! ```compile_fail,E0451
//! use wardkeep_policy::Snapshot;
//! fn forge(from: Snapshot) -> Snapshot { Snapshot { version: 7, ..from } }
//! ```
//!
//! The answer to one action is no right to another:
//!
//! ```compile_fail,E0308
//! use wardkeep_model::{Permit, action::{DescribeKey, DestroyKey}};
//! use wardkeep_policy::{Engine, Question};
//! fn widen(engine: &Engine, question: &Question<'_>) -> Option<Permit<DestroyKey>> {
//!     engine.glance::<DescribeKey>(question)
//! }
//! ```
//!
//! And nothing is decided without saying who asks:
//!
//! ```compile_fail,E0061
//! use wardkeep_model::action::DescribeKey;
//! fn ask(engine: &wardkeep_policy::Engine) { let _ = engine.decide::<DescribeKey>(); }
//! ```

mod bundle;
mod change;
mod decide;
mod engine;
mod entities;
mod error;
mod identity;
mod issue;
pub mod json;
mod keys;
mod manifest;
mod meaning;
pub mod offline;
mod plan;
mod projection;
mod question;
mod reach;
mod roles;
mod rules;
mod scene;
mod schema;
mod snapshot;
mod value;

pub use bundle::{BundleSource, MAX_BUNDLE};
pub use change::{BoundTypeChange, BoundTypeDifference, EntityChange, EntityError, EntityErrors};
pub use engine::{CONTROL_SET, Engine, RECIPIENTS, escrow_part};
pub use entities::EntityRecord;
pub use error::{Finding, FindingKind, MAX_FINDINGS, Place, PolicyErrors};
pub use identity::{IdentityMap, IdentityMapError};
pub use manifest::{AttributeRule, AttributeSource, AuthorityRule, MANIFEST_FILE, Manifest, ResourceRule, Source};
pub use meaning::OnError;
pub use projection::{AuthorityTerms, NotIssuable, Projected, Projection, ProjectionError};
pub use question::{BindingProblem, DenialReason, Denied, Question, QuestionError, Refusal, Resource};
pub use roles::{ROLE_TYPE, Role, RoleError};
pub use snapshot::{Misfits, Snapshot, Stored};
