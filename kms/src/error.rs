//! What can go wrong, one variant per cause.
//!
//! [`KmsError::code`] is stable: it is the outcome in the audit log and the last part of the problem type
//! on the wire. Messages never hold secret bytes, and opening failures are one variant on purpose.

use wardkeep_model::{EntropyError, KeySpec, KeyState, KeyUsage, KeyVersion};
use wardkeep_store::{CommitError, ReadError};

use crate::lifecycle::Verb;

/// Why a verb was refused or failed.
///
/// Exhaustive on purpose: the server's map to the wire must name every cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// The permit was decided for another key, ring, context or recipient.
    #[error("the permit was decided for another key, context or recipient: decide on what is asked")]
    PermitMismatch,
    /// The context names a record and the permit has no decision on it.
    #[error("the context names a record, but the decision did not cover it")]
    ReleaseMissing,
    /// The context names a record and this verb does not take one.
    #[error("`{verb}` takes no `resource` in its context: only data keys protect a record")]
    ResourceNotAllowed { verb: &'static str },
    /// A version is compromised and the permit does not cover its use.
    #[error("version {version} is compromised: its use needs the right `UseCompromisedKey` as well")]
    CompromisedRight { version: KeyVersion },

    /// No ring of that name.
    #[error("there is no such ring: create it first")]
    RingNotFound,
    /// No key of that name.
    #[error("there is no such key: create it first")]
    KeyNotFound,
    /// The key has no version of that number.
    #[error("the key has no version {version}")]
    VersionNotFound { version: KeyVersion },
    /// A ring of that name exists.
    #[error("a ring of that name exists: choose another name")]
    RingExists,
    /// A key of that name exists or existed; key names are never used again.
    #[error("a key of that name exists or was destroyed: choose another name")]
    KeyExists,
    /// The ring still holds keys.
    #[error("the ring holds {keys} keys that are not destroyed: destroy them first")]
    RingNotEmpty { keys: usize },

    /// The spec does not allow the usage.
    #[error("a key of spec `{spec}` cannot have usage `{usage}`")]
    SpecUsage { spec: KeySpec, usage: KeyUsage },
    /// The key's usage does not have this verb.
    #[error("the key's usage is `{usage}`, which has no verb `{verb}`")]
    WrongUsage { usage: KeyUsage, verb: Verb },
    /// The newest version is not active, and the verb needs it to be.
    #[error("the newest version is {state}: `{verb}` needs it active, so enable or rotate the key")]
    NotActive { state: KeyState, verb: Verb },
    /// The version's state does not allow the verb.
    #[error("version {version} is {state}, which does not allow `{verb}`")]
    StateForbids { version: KeyVersion, state: KeyState, verb: Verb },
    /// No version can make the step.
    #[error("no version of the key can take the step `{verb}` from where it stands")]
    NoTransition { verb: Verb },
    /// The key is destroyed.
    #[error("the key is destroyed")]
    KeyDestroyed,
    /// The key's deletion is scheduled.
    #[error("the key is to be deleted: only describe, verify and cancel-deletion answer")]
    PendingDeletion,
    /// No deletion is scheduled.
    #[error("no deletion of the key is scheduled")]
    NoDeletionScheduled,
    /// The day of destruction has not come.
    #[error("the key is to be destroyed at {due}, not before")]
    DeletionNotDue { due: wardkeep_model::Timestamp },
    /// An AES version met its bound of uses.
    #[error("version {version} was used as often as it may be: rotate the key")]
    Exhausted { version: KeyVersion },
    /// The key has as many versions as a key may have.
    #[error("the key has {max} versions, the most a key may have: make a new key")]
    TooManyVersions { max: usize },

    /// The key or ring changed since the caller saw it.
    #[error("it is at revision {actual}, not at the one named: read it again")]
    PreconditionFailed { actual: u64 },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for a different request: use a fresh one")]
    IdempotencyMismatch,

    /// The input has not even the form of something this service made.
    #[error("the input is not something this service made: pass it as it was given out")]
    Malformed,
    /// The input does not open. One error for every cause, so that nobody learns which.
    #[error("the input does not open under this key and context")]
    CannotOpen,
    /// A label is out of bounds.
    #[error("labels: use at most {max_count}, with names of 1 to {max_name} bytes and values of at most {max_value}")]
    LabelBounds { max_count: usize, max_name: usize, max_value: usize },
    /// The rotation period is out of bounds.
    #[error("a rotation period has 1 to {max} days")]
    RotationPeriod { max: u32 },
    /// The deletion delay is out of bounds.
    #[error("a deletion is scheduled {min} to {max} days ahead")]
    DeletionPeriod { min: u32, max: u32 },
    /// The data is too long.
    #[error("{len} bytes are too many: use at most {max}")]
    TooLarge { len: usize, max: usize },
    /// The number of random bytes is out of bounds.
    #[error("ask for 1 to {max} random bytes")]
    RandomLength { max: usize },
    /// The digest does not have the length of SHA-256.
    #[error("a digest has 32 bytes (SHA-256), not {len}")]
    DigestLength { len: usize },
    /// The spec signs messages only.
    #[error("a key of spec `{spec}` signs messages, not digests: pass the message")]
    DigestUnsupported { spec: KeySpec },
    /// Plaintext was asked for beside a recipient.
    #[error("a data key for a recipient is not given out in plaintext as well: ask for one or the other")]
    PlaintextBesideRecipient,
    /// The page's cursor or size is wrong.
    #[error("a page holds 1 to {max} items and starts after a name")]
    PageBounds { max: usize },
    /// The recipient's key was refused.
    #[error("the recipient's key: {0}")]
    Recipient(#[from] RecipientError),

    /// An authority without declarations.
    #[error("the bundle in force declares no such authority: add `[authorities.\"<ring>/<key>\"]` to its manifest")]
    PlanMissing,
    /// A version leaked, and with it the key that signs for all of them.
    #[error(
        "version {version} is compromised, and with it the key that signs parameters and lists of every version: make a new \
         authority instead of rotating this one"
    )]
    AuthorityCompromised { version: KeyVersion },
    /// Terms that no authority has; the bundle should not have been loaded.
    #[error("the bundle in force declares an authority that cannot be: {0}")]
    Terms(#[from] wardkeep_abe::SetupError),
    /// The caller expects another version to be the newest.
    #[error("version {newest} is the newest, not {version}: leave the version out, or name the newest")]
    NotNewest { version: KeyVersion, newest: KeyVersion },
    /// The bundle declares other attributes than the authority version was made with.
    #[error(
        "the bundle in force declares other attributes or terms than version {version} was made with: rotate the authority"
    )]
    SchemaDiffers { version: KeyVersion },
    /// The life of a user key is out of bounds.
    #[error("a user key is valid for 1 to {max} seconds")]
    UserKeyLife { max: u64 },
    /// An authority version has no serial left.
    #[error(
        "version {version} has no serial left to give, or an older database was accepted since it gave some: rotate the \
         authority"
    )]
    SerialsExhausted { version: KeyVersion },
    /// The subject has as many user keys as it may have.
    #[error(
        "the subject has {max} user keys of version {version} that live and are not revoked, the most there may be: revoke \
         some of them, or wait until one ends"
    )]
    UserKeyCount { version: KeyVersion, max: usize },
    /// The attributes make no key.
    #[error("the user key cannot be issued: {0}")]
    Issue(#[from] wardkeep_abe::IssueError),
    /// A key for somebody else needs their registered public key.
    #[error("no public key is registered for the subject: register one with `PUT /v1/recipients/{{type}}/{{id}}`")]
    RecipientNotRegistered,
    /// A key for somebody else is sealed for their registered public key, and no other.
    #[error("a user key for somebody else is sealed for their registered public key: leave `recipient` out")]
    RecipientForAnother,
    /// No such user key.
    #[error("version {version} issued no user key of serial {serial}")]
    UserKeyNotFound { version: KeyVersion, serial: u32 },
    /// A serial that was given, and that the books do not know.
    #[error(
        "version {version} gave serial {serial}, but no key of it is in the books: it expired long ago and was swept, or it \
         never left; leave it out"
    )]
    UserKeySwept { version: KeyVersion, serial: u32 },
    /// Too many user keys for one request.
    #[error("one request revokes 1 to {max} user keys: name fewer serials at a time")]
    RevokeCount { max: usize },
    /// The list takes no more.
    #[error("the revocation list cannot be signed: {0}")]
    RevocationList(#[from] wardkeep_abe::RevocationError),
    /// The subject has no entity.
    #[error("the subject has no entity: create it first")]
    SubjectNotFound,
    /// No public key is registered.
    #[error("no public key is registered for that subject")]
    RecipientNotFound,
    /// Threshold or number of shares are out of bounds.
    #[error("an escrow has {min} to {max} shares and a threshold of {min} up to their number")]
    EscrowShares { min: u8, max: u8 },
    /// Neither public keys nor the word that there are to be none, or both.
    #[error(
        "say who opens the shares: give `recipients`, a public key for every share, or ask with `plain` for all of them in \
         the clear"
    )]
    EscrowForm,
    /// Another number of custodians than shares.
    #[error("{given} public keys for {shares} shares: give one for every share")]
    EscrowRecipients { given: usize, shares: u8 },
    /// A custodian stands twice.
    #[error("two shares go to the same public key: every custodian has a key of their own")]
    EscrowRecipientTwice,

    /// What the decision rested on went before the verb was done.
    #[error("the right to do this ended before it was done")]
    PermitStale,
    /// Whoever asked is gone.
    #[error("whoever asked went away before it was done")]
    CallerGone,

    /// Too much dear work waits.
    #[error("too much work is waiting: try again shortly")]
    Busy,
    /// Others kept changing the same thing.
    #[error("others keep changing it: try again")]
    Contended,
    /// The store takes no changes: its disk is full.
    #[error("the server's disk is full, so no changes are taken: free space on it, changes resume by themselves")]
    StoreFull,
    /// The list of destroyed keys is as long as it may be.
    #[error(
        "the server's list of destroyed keys is full, so no further key can be destroyed: leave it deactivated, and make \
         new keys on another server"
    )]
    TombstonesFull,
    /// The audit reserve is spent: nothing can be recorded, so nothing is done.
    #[error("the server's disk is full and its audit reserve is spent: free space on it, work resumes by itself")]
    AuditFull,
    /// The audit head could not be written for too long.
    #[error("the audit head could not be written: changes wait until it can")]
    HeadStale,
    /// The store failed or is closed.
    #[error("the store does not answer")]
    StoreUnavailable,
    /// The store could not be read.
    #[error("the store could not be read")]
    StoreUnreadable,
    /// A row holds what no version of this program wrote.
    #[error("a stored row is not understood: was it written by a newer version?")]
    RowUnreadable,
    /// The random generator failed.
    #[error("the system's random generator failed")]
    NoEntropy,
    /// The cryptographic library failed on input that was right.
    #[error("the cryptographic library failed")]
    Cryptography,
    /// Work was dropped because the service is shutting down.
    #[error("the service is shutting down")]
    ShuttingDown,
}

/// Why a recipient's public key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// Not the DER encoding of an RSA SubjectPublicKeyInfo (RFC 5280, RFC 8017).
    #[error("it is not a DER SubjectPublicKeyInfo of an RSA key with the plain `rsaEncryption` algorithm")]
    Encoding,
    /// The modulus has the wrong size.
    #[error("its modulus has {bits} bits: use 3072 to 8192")]
    ModulusSize { bits: usize },
    /// The modulus is even.
    #[error("its modulus is even")]
    ModulusEven,
    /// The exponent is even, too small or too large.
    #[error("its exponent is not an odd number from 65537 to 2^33 - 1")]
    Exponent,
    /// The library refused it.
    #[error("it is not a valid RSA key")]
    Refused,
}

/// Why the rings and keys could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The store could not be read.
    #[error("the key tables could not be read: {0}")]
    Read(#[from] ReadError),
    /// A row is not understood.
    #[error("row `{id}` of the {table} table is not understood: was it written by a newer version?")]
    Row { table: &'static str, id: String },
    /// The worker threads could not be started.
    #[error("the worker threads could not be started")]
    Threads(#[source] std::io::Error),
}

impl KmsError {
    /// The stable code: the audit outcome, and the last part of the problem type.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PermitMismatch => "permit-mismatch",
            Self::ReleaseMissing => "release-missing",
            Self::ResourceNotAllowed { .. } => "resource-not-allowed",
            Self::CompromisedRight { .. } => "key-compromised",
            Self::RingNotFound => "ring-not-found",
            Self::KeyNotFound => "key-not-found",
            Self::VersionNotFound { .. } => "version-not-found",
            Self::RingExists => "ring-exists",
            Self::KeyExists => "key-exists",
            Self::RingNotEmpty { .. } => "ring-not-empty",
            Self::SpecUsage { .. } => "spec-usage-mismatch",
            Self::WrongUsage { .. } => "wrong-usage",
            Self::NotActive { .. } => "key-not-active",
            Self::StateForbids { .. } => "key-state-forbids",
            Self::NoTransition { .. } => "no-transition",
            Self::KeyDestroyed => "key-destroyed",
            Self::PendingDeletion => "key-pending-deletion",
            Self::NoDeletionScheduled => "no-deletion-scheduled",
            Self::DeletionNotDue { .. } => "deletion-not-due",
            Self::Exhausted { .. } => "key-exhausted",
            Self::TooManyVersions { .. } => "too-many-versions",
            Self::PreconditionFailed { .. } => "precondition-failed",
            Self::IdempotencyMismatch => "idempotency-mismatch",
            Self::Malformed => "malformed-input",
            Self::CannotOpen => "cannot-open",
            Self::LabelBounds { .. } => "label-bounds",
            Self::RotationPeriod { .. } => "rotation-period",
            Self::DeletionPeriod { .. } => "deletion-period",
            Self::TooLarge { .. } => "too-large",
            Self::RandomLength { .. } => "random-length",
            Self::DigestLength { .. } => "digest-length",
            Self::DigestUnsupported { .. } => "digest-unsupported",
            Self::PlaintextBesideRecipient => "plaintext-beside-recipient",
            Self::PageBounds { .. } => "page-bounds",
            Self::Recipient(_) => "recipient-refused",
            Self::PlanMissing => "authority-undeclared",
            Self::AuthorityCompromised { .. } => "authority-compromised",
            Self::Terms(_) => "authority-terms",
            Self::NotNewest { .. } => "not-newest-version",
            Self::SchemaDiffers { .. } => "authority-schema-differs",
            Self::UserKeyLife { .. } => "user-key-life",
            Self::SerialsExhausted { .. } => "serials-exhausted",
            Self::UserKeyCount { .. } => "user-key-count",
            Self::Issue(_) => "issue-refused",
            Self::RecipientNotRegistered => "recipient-not-registered",
            Self::RecipientForAnother => "recipient-for-another",
            Self::UserKeyNotFound { .. } => "user-key-not-found",
            Self::UserKeySwept { .. } => "user-key-swept",
            Self::RevokeCount { .. } => "revoke-count",
            Self::RevocationList(_) => "revocation-list",
            Self::SubjectNotFound => "subject-not-found",
            Self::RecipientNotFound => "recipient-not-found",
            Self::EscrowShares { .. } => "escrow-shares",
            Self::EscrowForm | Self::EscrowRecipients { .. } | Self::EscrowRecipientTwice => "escrow-recipients",
            Self::PermitStale => "permit-stale",
            Self::CallerGone => "caller-gone",
            Self::Busy => "busy",
            Self::Contended => "contended",
            Self::StoreFull => "store-full",
            Self::TombstonesFull => "tombstones-full",
            Self::AuditFull => "audit-full",
            Self::HeadStale => "head-stale",
            Self::StoreUnavailable => "store-unavailable",
            Self::StoreUnreadable => "store-unreadable",
            Self::RowUnreadable => "row-unreadable",
            Self::NoEntropy => "no-entropy",
            Self::Cryptography => "cryptography-failed",
            Self::ShuttingDown => "shutting-down",
        }
    }
}

impl From<EntropyError> for KmsError {
    fn from(_: EntropyError) -> Self {
        Self::NoEntropy
    }
}

impl From<CommitError> for KmsError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => Self::Contended,
            CommitError::Full => Self::StoreFull,
            CommitError::ReserveSpent => Self::AuditFull,
            CommitError::HeadStale => Self::HeadStale,
            CommitError::Busy => Self::Busy,
            CommitError::TombstonesFull => Self::TombstonesFull,
            CommitError::Closed | CommitError::Failed => Self::StoreUnavailable,
        }
    }
}

/// aws-lc-rs tells no cause, on purpose; where it matters the caller maps to [`KmsError::CannotOpen`].
impl From<aws_lc_rs::error::Unspecified> for KmsError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Cryptography
    }
}

impl From<aws_lc_rs::error::KeyRejected> for KmsError {
    fn from(_: aws_lc_rs::error::KeyRejected) -> Self {
        Self::Cryptography
    }
}
