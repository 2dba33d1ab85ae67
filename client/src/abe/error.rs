//! Why something was not sealed under a policy, or not opened with a user key.

use wardkeep_abe::{AuthorityId, PolicyError};
use wardkeep_envelope::{OpenError, SealError, UnwrapError, WrapError};
use wardkeep_model::IdError;

use crate::error::Side;
use crate::{AuthorityError, RecordError};

/// Why a record was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AbeError {
    /// What the authority publishes could not be had, or is not to be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The name of the authority cannot be one.
    #[error("the authority's name cannot be: {0}")]
    Name(#[from] IdError),
    /// The policy's text; [`PolicyError::render`] shows the place.
    #[error("the policy cannot be used: {0}")]
    Policy(Box<PolicyError>),
    /// The clock shows a moment that no time bucket holds.
    #[error("it is {now} (seconds since 1970), beyond the time buckets of this authority: check the clock")]
    OutOfTime {
        /// The moment.
        now: u64,
    },
    /// The envelope could not be made.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The recipients could not be combined.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// The data key of the key service, or the context.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The envelope does not open. `Open(Unwrap(NotSatisfied))` where the attributes are not enough.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The envelope is sound, but of another record than was expected.
    #[error("the envelope was made for another context than the expected one: it is another record's")]
    Unexpected,
    /// Sealed for another authority.
    #[error("sealed under authority {found}, the key is of {held}: use a key of that authority")]
    OtherAuthority {
        /// The envelope's.
        found: AuthorityId,
        /// The key's.
        held: AuthorityId,
    },
    /// Sealed under another version of the authority.
    #[error("sealed under version {found} of the authority, the key is of version {held}: use a key of that version")]
    OtherVersion {
        /// The envelope's.
        found: u32,
        /// The key's.
        held: u32,
    },
    /// No policy at all.
    #[error("the envelope was not sealed under a policy over attributes: read it by the key service")]
    NoPolicy,
    /// A combination, where no server is asked.
    #[error("the envelope also asks for a decision of the key service: open it with `Client::open_online`")]
    NeedsServer,
    /// Reading the input or writing the output failed.
    #[error("reading or writing failed: {0}")]
    Io(#[from] std::io::Error),
    /// The thread that sealed ended without a result.
    #[error("the sealing thread was stopped before it was done")]
    Stopped,
}

impl AbeError {
    /// On which side it lies. Attributes that do not satisfy a policy are a denial.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Authority(error) => error.side(),
            Self::Record(error) => error.side(),
            Self::Open(OpenError::Unwrap(UnwrapError::NotSatisfied { .. })) => Side::Denied,
            _ => Side::Local,
        }
    }

    /// What a key lacks that does not satisfy the policy; nothing where that is not the error.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        match self {
            Self::Open(OpenError::Unwrap(UnwrapError::NotSatisfied { missing })) => missing,
            _ => &[],
        }
    }
}

impl From<PolicyError> for AbeError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(Box::new(error))
    }
}
