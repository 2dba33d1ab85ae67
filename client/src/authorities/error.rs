//! What can be wrong with what an authority publishes.

use wardkeep_abe::{DecodeError, RevocationError};

use crate::CallError;
use crate::error::Side;

/// Why public parameters or a revocation list were not had, or not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The server refused or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The bytes are no signed public parameters.
    #[error("the answer's public parameters cannot be used: {0}")]
    Parameters(#[from] DecodeError),
    /// The list is stale, of another authority, or its signature fails.
    #[error(transparent)]
    List(#[from] RevocationError),
    /// Signed by another key than the pinned one.
    #[error(
        "authority `{key}` is signed for by {found}, and {pinned} is pinned: somebody answers in its place, or the wrong \
         key was pinned"
    )]
    OtherSigner {
        /// The authority.
        key: String,
        /// The pinned key, in hexadecimal.
        pinned: String,
        /// The key that signed, in hexadecimal.
        found: String,
    },
    /// Older than what was seen before.
    #[error(
        "the newest {what} of authority `{key}` is said to be number {found}, and {seen} was seen before: something on \
         the way gives old answers"
    )]
    WentBack {
        /// Version or list.
        what: &'static str,
        /// The authority.
        key: String,
        /// The number that was seen.
        seen: u64,
        /// The number that came.
        found: u64,
    },
    /// What is signed and what stands beside it differ.
    #[error("the answer and the signed {what} in it do not say the same: something on the way rewrites answers")]
    Mismatch {
        /// What was signed.
        what: &'static str,
    },
}

impl AuthorityError {
    /// On which side it lies.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Call(error) => error.side(),
            _ => Side::Remote,
        }
    }

    /// The server's part of it, if it is one.
    #[must_use]
    pub fn call(&self) -> Option<&CallError> {
        match self {
            Self::Call(error) => Some(error),
            _ => None,
        }
    }
}
