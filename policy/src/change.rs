//! Changes of entities, and why one is refused.

use std::fmt;

use wardkeep_model::EntityUid;

use crate::entities::{EntityRecord, MAX_ANCESTORS, StoreError};
use crate::{BindingProblem, BundleSource, Source};

/// One change of the entities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityChange {
    /// Write an entity, replacing what stood there.
    Put(EntityRecord),
    /// Delete an entity.
    Delete(EntityUid),
}

/// Why changes of entities were refused; nothing was changed. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityErrors {
    errors: Vec<(EntityUid, EntityError)>,
}

/// Why one entity was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntityError {
    /// The entity is of a type that belongs to Wardkeep.
    #[error("the namespace `Wardkeep` is reserved: rings and keys have verbs of their own, roles are granted")]
    Reserved,
    /// A parent is of a type that belongs to Wardkeep, a role for one.
    #[error("the parent `{parent}` is reserved: a role is granted, never inherited or imported")]
    ReservedParent {
        /// The parent as named.
        parent: EntityUid,
    },
    /// A parent holds a control role, which no membership may lead to.
    #[error("the parent `{parent}` holds a control role: roles are held directly only, use a group instead")]
    LeadsToRole {
        /// The parent as named.
        parent: EntityUid,
    },
    /// The manifest declares the type as bound: the store holds none of it.
    #[error("the type is bound: its attributes travel in wrapped keys, the store holds none")]
    BoundType,
    /// It does not fit the schema of the bundle in force.
    #[error("it does not fit the schema: {0}")]
    Shape(#[from] BindingProblem),
    /// Its parents lead back to it.
    #[error("its parents lead back to itself")]
    Cycle,
    /// More ancestors than allowed.
    #[error("it has more than {MAX_ANCESTORS} ancestors: flatten its groups")]
    TooManyAncestors,
    /// Deleted while it holds a control role.
    #[error("it holds a control role: revoke its roles first")]
    HoldsRole,
    /// Deleted although it stands in the bundle in force.
    #[error("it stands in the bundle in force: activate a bundle without it")]
    InBundle,
    /// Deleted although there is none.
    #[error("there is no such entity")]
    Missing,
}

/// How a bundle changes a bound type beyond adding optional attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundTypeChange {
    /// The type.
    pub kind: String,
    /// What is different.
    pub difference: BoundTypeDifference,
}

/// One difference of a bound type; each would let old wrapped keys be judged by attributes they never had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundTypeDifference {
    /// The source changed.
    #[error("its source changed to {0:?}: records keep the source they were protected under")]
    Source(Source),
    /// An attribute is gone.
    #[error("attribute `{0}` is gone")]
    Removed(String),
    /// An attribute changed its type, or between optional and required.
    #[error("attribute `{0}` changed its type")]
    Retyped(String),
    /// A new attribute is required.
    #[error("the new attribute `{0}` is required: make it optional (`{0}?: ..`)")]
    Required(String),
    /// A parent type is no longer allowed.
    #[error("`{0}` is no longer allowed as a parent")]
    Parent(String),
}

impl EntityChange {
    /// Which entity it is about.
    pub(crate) fn uid(&self) -> &EntityUid {
        match self {
            Self::Put(record) => &record.uid,
            Self::Delete(uid) => uid,
        }
    }

    /// Whether it writes one.
    pub(crate) const fn is_put(&self) -> bool {
        matches!(self, Self::Put(_))
    }
}

impl EntityErrors {
    /// The entities that were refused, each with the reason.
    #[must_use]
    pub fn errors(&self) -> &[(EntityUid, EntityError)] {
        &self.errors
    }

    /// `Ok` where nothing was refused.
    pub(crate) fn check(errors: Vec<(EntityUid, EntityError)>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self { errors }) }
    }
}

impl From<(EntityUid, EntityError)> for EntityErrors {
    fn from(error: (EntityUid, EntityError)) -> Self {
        Self { errors: vec![error] }
    }
}

impl fmt::Display for EntityErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (uid, error)) in self.errors.iter().take(20).enumerate() {
            let lead = if at == 0 { "" } else { "; " };
            write!(f, "{lead}entity `{uid}` is refused: {error}")?;
        }
        match self.errors.len().saturating_sub(20) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for EntityErrors {}

impl From<StoreError> for EntityError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Shape(problem) => Self::Shape(problem),
            StoreError::Cycle => Self::Cycle,
            StoreError::TooManyAncestors => Self::TooManyAncestors,
        }
    }
}

impl BundleSource {
    /// The bundle that a fresh server has in force: `operator` administers rings and keys, nobody uses them, and there
    /// are no rules for records.
    #[must_use]
    pub fn starter() -> Self {
        Self {
            manifest: include_str!("../../policies/starter/wardkeep.toml").to_owned(),
            schema: include_str!("../../policies/starter/schema.cedarschema").to_owned(),
            policies: vec![(
                "keys.cedar".to_owned(),
                include_str!("../../policies/starter/policies/keys.cedar").to_owned(),
            )],
            entities: None,
        }
    }

    /// The bundle of `wardkeep dev`: as [`Self::starter`], and the role `admin` also makes and uses keys.
    #[must_use]
    pub fn dev() -> Self {
        Self {
            manifest: include_str!("../../policies/dev/wardkeep.toml").to_owned(),
            schema: include_str!("../../policies/dev/schema.cedarschema").to_owned(),
            policies: vec![(
                "keys.cedar".to_owned(),
                include_str!("../../policies/dev/policies/keys.cedar").to_owned(),
            )],
            entities: None,
        }
    }

    /// The clinic of `policies/clinic`, without its sample entities: doctors, patients, pharmacies and administrators
    /// over FHIR R4 records.
    #[must_use]
    pub fn clinic() -> Self {
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        Self {
            manifest: include_str!("../../policies/clinic/wardkeep.toml").to_owned(),
            schema: include_str!("../../policies/clinic/schema.cedarschema").to_owned(),
            policies: vec![
                file("keys.cedar", include_str!("../../policies/clinic/policies/keys.cedar")),
                file("records.cedar", include_str!("../../policies/clinic/policies/records.cedar")),
            ],
            entities: None,
        }
    }
}
