//! What can go wrong with a call, for programs to match on and for people to read.

use std::time::Duration;

use wardkeep_api::problem::{Finding, Problem};
use wardkeep_model::{EntropyError, RequestId};

use crate::connect::ConnectError;

/// Why a call did not succeed.
///
/// Every variant that the server answered carries its [`Refusal`]; every other one that got as far as
/// being sent carries the request id that it was sent under.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// 403: the policies do not allow it. Missing and forbidden are told apart only for who may know.
    #[error("denied: {0}")]
    Denied(Box<Refusal>),
    /// 404: there is no such thing.
    #[error("not found: {0}")]
    NotFound(Box<Refusal>),
    /// 409: the state of the thing does not allow it, or its name is taken.
    #[error("conflict: {0}")]
    Conflict(Box<Refusal>),
    /// 412 or 428: it was changed by somebody else since it was read, or `If-Match` is needed.
    #[error("precondition failed: {0}")]
    Precondition(Box<Refusal>),
    /// 400, 413, 415 or 422 and the like: the request itself is wrong. Sending it again does not help.
    #[error("invalid request: {0}")]
    Invalid(Box<Refusal>),
    /// 429: too many calls of this identity.
    #[error("rate limited: {refusal}")]
    RateLimited {
        /// What the server said.
        refusal: Box<Refusal>,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// 503: the server cannot do it now.
    #[error("unavailable: {refusal}")]
    Unavailable {
        /// What the server said.
        refusal: Box<Refusal>,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// 507: the server's storage is full; changes are refused until there is room.
    #[error("the server has no room: {0}")]
    Full(Box<Refusal>),
    /// Any other status that reports a failure.
    #[error("the server failed: {0}")]
    Failed(Box<Refusal>),
    /// No connection came about.
    #[error("{source} (request {request})")]
    Connect {
        /// Why.
        source: ConnectError,
        /// The id that the call would have had.
        request: RequestId,
    },
    /// The connection broke before the answer was whole: whether the call was carried out is not known.
    #[error("the connection broke before the answer arrived (request {request})")]
    Broken {
        /// What the HTTP library found.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// The call's id.
        request: RequestId,
    },
    /// The deadline passed: whether the call was carried out is not known.
    #[error("no answer within {} s (request {request})", limit.as_secs_f32())]
    Timeout {
        /// The deadline that was set.
        limit: Duration,
        /// The call's id.
        request: RequestId,
    },
    /// An answer came that is not one of Wardkeep's.
    #[error("{fault} (request {request})")]
    Protocol {
        /// What is wrong with it.
        fault: ProtocolFault,
        /// The call's id.
        request: RequestId,
    },
    /// The call could not be put together.
    #[error("the request cannot be written as HTTP: {part} is out of bounds")]
    Unwritable {
        /// Which part.
        part: &'static str,
    },
    /// The random generator failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// A refusal in the server's words (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code, `denied`, `key-not-active`.
    pub code: String,
    /// What the code means.
    pub title: String,
    /// This occurrence: what failed and what to do.
    pub detail: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// The request's id, as in the audit log.
    pub request: Option<RequestId>,
    /// What is wrong with a bundle, a control set or an entity, one by one.
    pub findings: Vec<Finding>,
}

/// How an answer is not one of Wardkeep's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolFault {
    /// An error status without a problem document: probably another server answers.
    #[error("status {status} came without a problem document: check that the address is Wardkeep's API listener")]
    NotAProblem {
        /// The status.
        status: u16,
    },
    /// A success whose body does not have the expected form.
    #[error("the answer could not be read: client and server may be of different versions")]
    Body,
    /// A body without end.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The bound, in bytes.
        limit: usize,
    },
    /// A batch's answer has another number of items than the batch.
    #[error("the batch of {asked} items was answered with {answered}")]
    BatchLength {
        /// How many were sent.
        asked: usize,
        /// How many came.
        answered: usize,
    },
}

/// On which side an error lies; command lines map it to exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Here: files, settings, input.
    Local,
    /// There, or on the way.
    Remote,
    /// Nobody failed: the policies said no.
    Denied,
}

impl CallError {
    /// The error that a status and its problem stand for.
    pub(crate) fn from_refusal(refusal: Refusal, retry_after: Option<Duration>) -> Self {
        let refusal = Box::new(refusal);
        match refusal.status {
            403 => Self::Denied(refusal),
            404 => Self::NotFound(refusal),
            409 => Self::Conflict(refusal),
            412 | 428 => Self::Precondition(refusal),
            429 => Self::RateLimited { refusal, retry_after },
            503 => Self::Unavailable { refusal, retry_after },
            507 => Self::Full(refusal),
            400..=499 => Self::Invalid(refusal),
            _ => Self::Failed(refusal),
        }
    }

    /// What the server said, where it said something.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Denied(refusal)
            | Self::NotFound(refusal)
            | Self::Conflict(refusal)
            | Self::Precondition(refusal)
            | Self::Invalid(refusal)
            | Self::RateLimited { refusal, .. }
            | Self::Unavailable { refusal, .. }
            | Self::Full(refusal)
            | Self::Failed(refusal) => Some(refusal),
            Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. }
            | Self::Protocol { .. }
            | Self::Unwritable { .. }
            | Self::Entropy(_) => None,
        }
    }

    /// The request's id: ask the server's operator about it, or look it up in the audit log.
    #[must_use]
    pub fn request_id(&self) -> Option<&RequestId> {
        match self {
            Self::Connect { request, .. }
            | Self::Broken { request, .. }
            | Self::Timeout { request, .. }
            | Self::Protocol { request, .. } => Some(request),
            other => other.refusal().and_then(|refusal| refusal.request.as_ref()),
        }
    }

    /// Whether the policies said no.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }

    /// On which side it lies.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Denied(_) => Side::Denied,
            Self::Unwritable { .. } | Self::Entropy(_) => Side::Local,
            _ => Side::Remote,
        }
    }
}

impl Refusal {
    /// Takes a problem over. `sent` stands in where the problem names no request.
    pub(crate) fn from_problem(problem: Problem, sent: Option<&RequestId>) -> Self {
        let code = problem.code().to_owned();
        let named = problem.request_id.as_deref().and_then(|text| RequestId::new(text).ok());
        Self {
            code,
            title: problem.title,
            detail: problem.detail,
            status: problem.status,
            request: named.or_else(|| sent.cloned()),
            findings: problem.findings,
        }
    }
}

/// The occurrence if the server told it, else the meaning; then code and request.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}", self.detail.as_deref().unwrap_or(&self.title), self.code)?;
        match &self.request {
            Some(request) => write!(f, ", request {request}]"),
            None => f.write_str("]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_status(status: u16) -> CallError {
        let mut problem = Problem::new("some-code", "some title", status);
        problem.request_id = Some("r-1".to_owned());
        CallError::from_refusal(Refusal::from_problem(problem, None), None)
    }

    #[test]
    fn every_status_has_its_variant_and_keeps_code_and_request() {
        type Is = fn(&CallError) -> bool;
        let table: [(u16, Is); 14] = [
            (400, |e| matches!(e, CallError::Invalid(_))),
            (401, |e| matches!(e, CallError::Invalid(_))),
            (403, CallError::is_denied),
            (404, |e| matches!(e, CallError::NotFound(_))),
            (409, |e| matches!(e, CallError::Conflict(_))),
            (412, |e| matches!(e, CallError::Precondition(_))),
            (413, |e| matches!(e, CallError::Invalid(_))),
            (422, |e| matches!(e, CallError::Invalid(_))),
            (428, |e| matches!(e, CallError::Precondition(_))),
            (429, |e| matches!(e, CallError::RateLimited { .. })),
            (500, |e| matches!(e, CallError::Failed(_))),
            (503, |e| matches!(e, CallError::Unavailable { .. })),
            (504, |e| matches!(e, CallError::Failed(_))),
            (507, |e| matches!(e, CallError::Full(_))),
        ];
        for (status, is) in table {
            let error = of_status(status);
            assert!(is(&error), "{status}: {error:?}");
            assert_eq!(error.refusal().unwrap().code, "some-code");
            assert_eq!(error.request_id().unwrap().as_str(), "r-1");
            assert!(error.to_string().contains("r-1"), "{error}");
            assert_eq!(error.side(), if status == 403 { Side::Denied } else { Side::Remote });
        }
    }

    #[test]
    fn the_request_that_was_sent_stands_in() {
        let sent = RequestId::new("sent-1").unwrap();
        let refusal = Refusal::from_problem(Problem::new("denied", "denied", 403), Some(&sent));
        assert_eq!(refusal.request, Some(sent));
    }
}
