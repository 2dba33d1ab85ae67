//! What can go wrong in administration.

use wardkeep_policy::{EntityErrors, PolicyErrors, RoleError};
use wardkeep_store::{CommitError, ReadError};

use crate::ca::{AuthorityError, IssueError, RevokeError, TokenError};

/// Why a control verb was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A policy set is wrong; every finding has its place.
    #[error("the policies were refused: {} findings", .0.findings().len())]
    Policies(PolicyErrors),
    /// Entities do not fit.
    #[error(transparent)]
    Entities(EntityErrors),
    /// A role cannot be given.
    #[error(transparent)]
    Role(RoleError),
    /// No certificate could ever name the entity.
    #[error("no certificate can name `{entity}`: its id is not a name of an identity")]
    NoIdentity {
        /// The entity.
        entity: wardkeep_model::EntityUid,
    },
    /// After the change nobody enrolled could change the control set.
    #[error("after this nobody with a valid certificate could change the control set: give somebody that right first")]
    LockedOut,
    /// It changed since the caller saw it.
    #[error("it is at revision {actual}, not at the one named: read it again")]
    PreconditionFailed {
        /// The newest revision.
        actual: u64,
    },
    /// No such bundle.
    #[error("there is no bundle of that version")]
    BundleNotFound,
    /// No such entity.
    #[error("there is no such entity")]
    EntityNotFound,
    /// Too many at once.
    #[error("{count} entities are too many at once: use 1 to {max}")]
    EntityCount {
        /// How many came.
        count: usize,
        /// How many may.
        max: usize,
    },
    /// A dry run cannot activate.
    #[error("a dry run changes nothing: leave `activate` or `dry_run` out")]
    DryRunActivates,
    /// The permit is about something else.
    #[error("the decision was about something else")]
    PermitMismatch,
    /// What the decision rested on went while the verb waited for its turn.
    #[error("the right to do this ended before it was done")]
    PermitStale,
    /// A row is not understood.
    #[error("the {what} in the store is not readable: was it written by a newer version?")]
    Row {
        /// Which row.
        what: &'static str,
    },
    /// The store holds no policies.
    #[error("the store was never initialised: run `wardkeep server init` first")]
    NotInitialised,
    /// The `[identity]` table does not fit.
    #[error(transparent)]
    IdentityMap(#[from] wardkeep_policy::IdentityMapError),
    /// The kind of the administrator is not mapped.
    #[error("`[identity]` maps no kind `{kind}`: choose one that it maps")]
    KindNotMapped {
        /// The kind.
        kind: String,
    },
    /// The new administrator is none.
    #[error("`{entity}` exists: name an administrator who is new")]
    AdministratorExists {
        /// Its entity.
        entity: wardkeep_model::EntityUid,
    },
    /// The store took no work.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The store could not be read.
    #[error("the store could not be read")]
    Read(#[from] ReadError),
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Revocation.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// Tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Certificates.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The key service, about what goes with entities.
    #[error(transparent)]
    Keys(#[from] wardkeep_kms::KmsError),
    /// The server stops.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl AdminError {
    /// The stable code: the audit outcome and the last part of the problem type.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Policies(_) => "policies-refused",
            Self::Entities(_) => "entities-refused",
            Self::Role(_) | Self::NoIdentity { .. } => "role-refused",
            Self::LockedOut => "would-lock-out",
            Self::PreconditionFailed { .. } => "precondition-failed",
            Self::BundleNotFound => "bundle-not-found",
            Self::EntityNotFound => "entity-not-found",
            Self::EntityCount { .. } => "entity-count",
            Self::DryRunActivates => "malformed-request",
            Self::PermitMismatch => "permit-mismatch",
            Self::PermitStale => "permit-stale",
            Self::Row { .. } => "row-unreadable",
            Self::NotInitialised => "not-initialised",
            Self::IdentityMap(_) => "identity-map",
            Self::KindNotMapped { .. } => "identity-not-mapped",
            Self::AdministratorExists { .. } => "administrator-exists",
            Self::Commit(error) => commit_code(error),
            Self::Read(_) => "store-unreadable",
            Self::Authority(error) => error.code(),
            Self::Revoke(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Issue(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::ShuttingDown => "shutting-down",
        }
    }
}

/// The code of a commit's failure, the same as the key service's.
#[must_use]
pub const fn commit_code(error: &CommitError) -> &'static str {
    match error {
        CommitError::Conflict { .. } => "contended",
        CommitError::Full => "store-full",
        CommitError::ReserveSpent => "audit-full",
        CommitError::HeadStale => "head-stale",
        CommitError::Busy => "busy",
        CommitError::TombstonesFull => "tombstones-full",
        CommitError::Closed | CommitError::Failed => "store-unavailable",
    }
}

impl From<PolicyErrors> for AdminError {
    fn from(errors: PolicyErrors) -> Self {
        Self::Policies(errors)
    }
}

impl From<EntityErrors> for AdminError {
    fn from(errors: EntityErrors) -> Self {
        Self::Entities(errors)
    }
}

impl From<RoleError> for AdminError {
    fn from(error: RoleError) -> Self {
        Self::Role(error)
    }
}
