//! What can go wrong at the authority: one enum per operation group.

use wardkeep_model::{CertificateSerial, EntropyError, Identity};
use wardkeep_store::{CommitError, ReadError};

/// Why the authority could not be made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// No CA is in the store.
    #[error("the store holds no CA: run `wardkeep server init` first")]
    Missing,
    /// There is one already.
    #[error("the store already holds a CA: it is never overwritten")]
    Exists,
    /// A row does not read.
    #[error("the {what} in the store is not readable: restore a backup")]
    Row {
        /// Which row.
        what: &'static str,
    },
    /// Key or certificate cannot be made or used.
    #[error("the CA's key or certificate is not usable: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The random generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A listener name that is neither DNS name nor IP address.
    #[error("`{name}` in `tls.names` is no DNS name and no IP address")]
    ListenerName {
        /// The name.
        name: String,
    },
    /// The certificates come from a CA of the operator's own.
    #[error("certificates come from your own CA: this server does not issue any")]
    NotOurs,
}

/// Why a certificate was not issued or renewed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Not of the form of a token.
    #[error("the enrolment token is malformed: paste it whole, `wk1.<token>.<fingerprint>`")]
    TokenForm,
    /// The token pins another CA.
    #[error("the enrolment token is for another CA: check the address")]
    OtherAuthority,
    /// Unknown, used, taken back or expired: callers without identity are not told which.
    #[error("the enrolment token is not valid: ask for a new one")]
    TokenRefused(TokenRefusal),
    /// The CSR does not read, or is too large.
    #[error("the certificate request is malformed: send one PKCS#10 request in PEM of at most 16 KiB")]
    RequestForm,
    /// The CSR's signature does not verify: its sender does not hold the key.
    #[error("the certificate request is not signed by its own key")]
    NoPossession,
    /// A key that is too weak or of an unknown kind.
    #[error("the request's key is not accepted: use P-256, P-384, Ed25519, or RSA of 3072 bits or more")]
    WeakKey,
    /// No entity stands for the identity any more.
    #[error("`{identity}` has no entity: an administrator must create it first")]
    NoEntity {
        /// The identity.
        identity: Identity,
    },
    /// The identity holds control roles that the token's issuer lacks.
    #[error("`{identity}` holds control roles that the token's issuer lacks")]
    AboveIssuer {
        /// The identity.
        identity: Identity,
    },
    /// The presented certificate is revoked or expired.
    #[error("the presented certificate cannot be renewed: {0}")]
    ParentRefused(#[from] crate::revocation::Revocation),
    /// The presented certificate was not issued here.
    #[error("certificate `{serial}` was not issued by this CA: enrol with a token")]
    ForeignParent {
        /// Its serial.
        serial: CertificateSerial,
    },
    /// The certificates come from a CA of the operator's own.
    #[error("certificates come from your own CA: this server does not issue any")]
    NotOurs,
    /// The authority itself failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// Why a token was refused; for the log and the audit record only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// No such token.
    Unknown,
    /// Redeemed before.
    Used,
    /// Taken back, or voided by a role or a revocation.
    Void,
    /// Past its time.
    Expired,
}

/// Why a token verb failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No such token.
    #[error("there is no such token")]
    Unknown,
    /// It is no longer open.
    #[error("the token is no longer open")]
    NotOpen,
    /// The permit is for another identity.
    #[error("the decision was about another identity")]
    OtherIdentity,
    /// Another trust domain than the server's.
    #[error("`{identity}` is of another trust domain than this server")]
    TrustDomain {
        /// The identity.
        identity: Identity,
    },
    /// The life is out of bounds.
    #[error("a token lives 1 minute to 7 days")]
    Life,
    /// The certificates come from a CA of the operator's own.
    #[error("certificates come from your own CA: this server does not issue tokens")]
    NotOurs,
    /// The authority itself failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// Why a revocation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// No certificate of that serial was issued here.
    #[error("no certificate `{serial}` was issued here")]
    Unknown {
        /// The serial.
        serial: CertificateSerial,
    },
    /// After it nobody could change the control set.
    #[error("after this nobody with a certificate could change the control set: enrol another administrator first")]
    LocksOut,
    /// More serials to keep than are taken.
    #[error("{count} serials to keep: at most 64 are taken")]
    TooManyKept {
        /// How many.
        count: usize,
    },
    /// The authority itself failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl AuthorityError {
    /// A stable word for audit outcomes and problem types.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Exists | Self::Row { .. } | Self::Certificate(_) | Self::Entropy(_) => {
                "authority-failed"
            }
            Self::Read(_) => "store-unreadable",
            Self::Commit(CommitError::Conflict { .. }) => "conflict",
            Self::Commit(CommitError::Full | CommitError::ReserveSpent) => "disk-full",
            Self::Commit(CommitError::HeadStale) => "head-stale",
            Self::Commit(CommitError::TombstonesFull) => "tombstones-full",
            Self::Commit(CommitError::Closed | CommitError::Failed) => "store-failed",
            Self::ListenerName { .. } => "listener-name",
            Self::NotOurs => "not-our-ca",
        }
    }
}

impl IssueError {
    /// A stable word for audit outcomes and problem types.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TokenForm => "token-malformed",
            Self::OtherAuthority => "token-of-another-ca",
            Self::TokenRefused(_) => "token-refused",
            Self::RequestForm => "csr-malformed",
            Self::NoPossession => "csr-not-signed",
            Self::WeakKey => "csr-weak-key",
            Self::NoEntity { .. } => "identity-without-entity",
            Self::AboveIssuer { .. } => "identity-above-issuer",
            Self::ParentRefused(_) => "certificate-not-renewable",
            Self::ForeignParent { .. } => "certificate-foreign",
            Self::NotOurs => "not-our-ca",
            Self::Authority(error) => error.code(),
        }
    }
}

impl TokenRefusal {
    /// A stable word for logs and audit records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Used => "used",
            Self::Void => "void",
            Self::Expired => "expired",
        }
    }
}

impl TokenError {
    /// A stable word for audit outcomes and problem types.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "token-unknown",
            Self::NotOpen => "token-not-open",
            Self::OtherIdentity => "permit-mismatch",
            Self::TrustDomain { .. } => "trust-domain",
            Self::Life => "token-life",
            Self::NotOurs => "not-our-ca",
            Self::Authority(error) => error.code(),
        }
    }
}

impl RevokeError {
    /// A stable word for audit outcomes and problem types.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "certificate-unknown",
            Self::LocksOut => "would-lock-out",
            Self::TooManyKept { .. } => "too-many-kept",
            Self::Authority(error) => error.code(),
        }
    }
}

/// Store errors pass through [`AuthorityError`] into every group.
macro_rules! through_authority {
    ($($group:ident)+) => {$(
        impl From<CommitError> for $group {
            fn from(error: CommitError) -> Self {
                Self::Authority(error.into())
            }
        }
        impl From<ReadError> for $group {
            fn from(error: ReadError) -> Self {
                Self::Authority(error.into())
            }
        }
        impl From<EntropyError> for $group {
            fn from(error: EntropyError) -> Self {
                Self::Authority(error.into())
            }
        }
        impl From<rcgen::Error> for $group {
            fn from(error: rcgen::Error) -> Self {
                Self::Authority(error.into())
            }
        }
    )+};
}

through_authority! { IssueError TokenError RevokeError }
