//! From an entity to the attributes of a user key: the projection that a bundle's manifest declares for an authority.
//!
//! Nothing here looks at what a caller says. The values come from the entity of the subject in the snapshot that decided,
//! and from the entities above it.

mod check;
mod fit;
mod values;

use std::collections::BTreeSet;

use wardkeep_abe::{Attributes, Schema};
use wardkeep_model::{AuditEvent, BucketLength, KeyId};

use crate::AttributeSource;

pub(crate) use check::projections;

/// What the manifest declares for one authority, checked against the schema of its bundle.
#[derive(Debug, Clone)]
pub struct Projection {
    /// Buckets and serials.
    pub(crate) terms: AuthorityTerms,
    /// The declarations, one for each field.
    pub(crate) schema: Schema,
    /// The entity types that user keys are issued to; each has, or may have, every source.
    pub(crate) subjects: BTreeSet<String>,
    /// Where the values come from, in the order of their names.
    fields: Vec<Field>,
}

/// One attribute, declared in the schema under its name.
#[derive(Debug, Clone)]
struct Field {
    /// Its name in the authority, which need not be that of its source.
    name: String,
    /// Where its values come from.
    from: AttributeSource,
}

/// What an authority's versions are made with beside the declarations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorityTerms {
    /// The length of a bucket of time.
    pub bucket: BucketLength,
    /// How many bits a serial has; 2 to that power user keys can be issued in one version.
    pub serial_bits: u8,
}

/// What a user key is to be issued with, as one snapshot says it.
#[derive(Debug, Clone)]
pub struct Projected {
    /// The declarations in force; a version of the authority that was made with others issues nothing.
    pub schema: Schema,
    /// The terms in force.
    pub terms: AuthorityTerms,
    /// The subject's attributes; canonical by their `Display`.
    pub attributes: Attributes,
    /// The policy version that decided.
    pub policy_version: u64,
}

/// The policies allow the issue, and there is still nothing to issue (409, 422). The event inside must be recorded.
#[derive(Debug)]
#[must_use = "a decision that is not recorded breaks the audit log"]
pub struct NotIssuable {
    /// The event of the decision: allowed, with the error's code as its outcome.
    pub event: AuditEvent,
    /// Why; whoever was allowed may know.
    pub error: ProjectionError,
}

/// Why an entity has no attributes of an authority.
///
/// Not `#[non_exhaustive]`: each has its place on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectionError {
    /// The bundle in force declares no such authority (422).
    #[error("the bundle in force declares no authority `{key}`: add `[authorities.\"{key}\"]` to its manifest")]
    Undeclared {
        /// The key.
        key: KeyId,
    },
    /// The authority has no attributes for entities of this type (409).
    #[error("`{key}` issues no keys to entities of type `{kind}`: see its `subjects` in the manifest")]
    SubjectType {
        /// The key.
        key: KeyId,
        /// The subject's type.
        kind: String,
    },
    /// A value does not fit its declaration (409).
    #[error("the subject's attribute `{name}` {problem}")]
    Misfit {
        /// The attribute, as the authority names it.
        name: String,
        /// What does not fit, in words that follow the name.
        problem: String,
    },
    /// Nothing of what is declared holds for the entity (409).
    #[error("the subject has none of the attributes of `{key}`: give its entity one of them first")]
    Nothing {
        /// The key.
        key: KeyId,
    },
}

impl ProjectionError {
    /// A stable word for problems, logs and the audit record.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Undeclared { .. } => "authority-undeclared",
            Self::SubjectType { .. } => "subject-not-projected",
            Self::Misfit { .. } => "attribute-misfit",
            Self::Nothing { .. } => "no-attributes",
        }
    }
}

impl Projection {
    /// The declarations of the authority's attributes.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Buckets and serials.
    #[must_use]
    pub fn terms(&self) -> AuthorityTerms {
        self.terms
    }

    /// The entity types that user keys are issued to.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.subjects.iter().map(String::as_str)
    }
}
