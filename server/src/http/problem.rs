//! The one map from everything that can go wrong to RFC 9457 problems.
//!
//! Domain errors know nothing of HTTP; [`place`] is one exhaustive `match` that gives each its status and its stable
//! code. A new error does not compile until it has its place here.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use wardkeep_api::problem::{MEDIA_TYPE, Severity};
use wardkeep_api::{Finding, Problem};
use wardkeep_kms::{KmsError, RecipientError};
use wardkeep_model::context::ContextError;
use wardkeep_model::{IdError, RequestId};
use wardkeep_policy::{EntityErrors, PolicyErrors, ProjectionError, QuestionError, RoleError};
use wardkeep_store::{CommitError, ReadError};

use super::etag::EtagError;
use super::extract::HeaderError;
use super::json::BodyError;
use super::paging::{PageError, QueryError};
use crate::admin::{AdminError, commit_code};
use crate::ca::{AuthorityError, IssueError, RevokeError, TokenError};

/// Everything that ends a request without what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The body.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// `If-Match`.
    #[error(transparent)]
    Etag(#[from] EtagError),
    /// The query string.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A name.
    #[error(transparent)]
    Name(#[from] IdError),
    /// An encryption context.
    #[error("{0}")]
    Context(#[from] ContextError),
    /// An attribute nests too deep.
    #[error("an attribute nests deeper than {} sets or records", wardkeep_model::attribute::MAX_DEPTH)]
    AttributeDepth,
    /// A version number that none has.
    #[error("versions are counted from 1")]
    VersionZero,
    /// Both of two alternatives, or none.
    #[error("give exactly one of `{first}` and `{second}`")]
    ExactlyOne {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A JWK that is not the public half of an RSA key for encryption.
    #[error(
        "the recipient's JWK: `kty` is `RSA`, `n` and `e` are base64url, `alg` and `use` fit RSA-OAEP-256 if present"
    )]
    Jwk,
    /// The number of items of a batch.
    #[error("a batch has 1 to {} items", super::batch::MAX_ITEMS)]
    BatchSize,
    /// The path's parameters are not UTF-8, or not a number where one is wanted.
    #[error("the path is not understood")]
    Path,
    /// An identity of a kind that `[identity]` does not map.
    #[error("the identity's kind is not one that this server maps: see `[identity]` of its configuration")]
    UnmappedKind,
    /// No control role of that name.
    #[error("the roles are `admin`, `security-admin`, `operator` and `auditor`")]
    NoSuchRole,
    /// No such route.
    #[error("there is no such route: see `/v1/openapi.json`")]
    NoRoute,
    /// The route does not know the method.
    #[error("this route does not take that method: see `/v1/openapi.json`")]
    Method,

    /// No verified certificate came with the request.
    #[error("a client certificate is needed")]
    NoCertificate,
    /// The policies say no. The same for what is not there as for what is forbidden.
    #[error("the policies in force do not permit `{action}` here: the audit log says why, under this request's id")]
    Denied {
        /// What was asked.
        action: String,
    },
    /// The caller may generate but not unwrap, and asks to see a data key again.
    #[error("a replay shows the data key by unwrapping it, which you may not: generate under a new `Idempotency-Key`")]
    ReplayDenied,
    /// The identity has no entity.
    #[error("the identity of the certificate has no entity: an administrator has to create it")]
    UnknownIdentity,
    /// The question makes no sense; nothing was decided.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// The policies allow a user key, and the subject's entity does not make its attributes.
    #[error(transparent)]
    Projection(#[from] ProjectionError),

    /// The key service.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// A recipient's key.
    #[error("the recipient's key: {0}")]
    Recipient(#[from] RecipientError),
    /// Administration.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The certificate authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Enrolment and renewal.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Revocation.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// The store took no work.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The store could not be read.
    #[error("the store could not be read")]
    Read(#[from] ReadError),

    /// Too often.
    #[error("too many requests: wait {} s", wait.as_secs().saturating_add(1))]
    RateLimited {
        /// How long to wait.
        wait: Duration,
    },
    /// Too much at once.
    #[error("too much is asked at once: try again shortly")]
    Overloaded,
    /// What cannot happen, did.
    #[error("the server made a mistake: report it with this request's id")]
    Unexpected,
}

/// A status and the stable last part of the problem's type.
type Place = (StatusCode, &'static str);

/// Where each error stands on the wire.
#[must_use]
pub fn place(fault: &Fault) -> Place {
    use StatusCode as S;
    match fault {
        Fault::Body(error) => body(error),
        Fault::Header(HeaderError::IdempotencyRefused) => (S::BAD_REQUEST, "idempotency-not-supported"),
        Fault::Header(HeaderError::IdempotencyKey) => (S::BAD_REQUEST, "malformed-idempotency-key"),
        Fault::Header(HeaderError::SubjectTwice | HeaderError::SubjectText | HeaderError::Subject(_)) => {
            (S::BAD_REQUEST, "malformed-subject")
        }
        Fault::Etag(EtagError::Required) => (S::PRECONDITION_REQUIRED, "precondition-required"),
        Fault::Etag(EtagError::Malformed) => (S::BAD_REQUEST, "malformed-if-match"),
        Fault::Query(_) => (S::BAD_REQUEST, "malformed-query"),
        Fault::Page(_) => (S::BAD_REQUEST, "malformed-page"),
        Fault::Name(_) => (S::BAD_REQUEST, "malformed-name"),
        Fault::Context(_) => (S::BAD_REQUEST, "malformed-context"),
        Fault::AttributeDepth => (S::BAD_REQUEST, "attribute-depth"),
        Fault::VersionZero | Fault::ExactlyOne { .. } => (S::BAD_REQUEST, "malformed-request"),
        Fault::Jwk => (S::BAD_REQUEST, "recipient-refused"),
        Fault::BatchSize => (S::BAD_REQUEST, "batch-size"),
        Fault::Path => (S::BAD_REQUEST, "malformed-path"),
        Fault::UnmappedKind => (S::BAD_REQUEST, "identity-not-mapped"),
        Fault::NoSuchRole => (S::NOT_FOUND, "no-such-role"),
        Fault::NoRoute => (S::NOT_FOUND, "no-such-route"),
        Fault::Method => (S::METHOD_NOT_ALLOWED, "method-not-allowed"),
        Fault::NoCertificate => (S::UNAUTHORIZED, "no-certificate"),
        Fault::Denied { .. } => (S::FORBIDDEN, "denied"),
        Fault::ReplayDenied => (S::FORBIDDEN, "replay-denied"),
        Fault::UnknownIdentity => (S::FORBIDDEN, "unknown-identity"),
        Fault::Question(error) => (question(error), error.code()),
        Fault::Projection(error) => (projection(error), error.code()),
        Fault::Kms(error) => (kms(error), error.code()),
        Fault::Recipient(_) => (S::BAD_REQUEST, "recipient-refused"),
        Fault::Admin(error) => (admin(error), error.code()),
        Fault::Authority(error) => (authority(error), error.code()),
        Fault::Issue(error) => (issue(error), error.code()),
        Fault::Token(error) => (token(error), error.code()),
        Fault::Revoke(error) => (revoke(error), error.code()),
        Fault::Commit(error) => (commit(error), commit_code(error)),
        Fault::Read(_) => (S::INTERNAL_SERVER_ERROR, "store-unreadable"),
        Fault::RateLimited { .. } => (S::TOO_MANY_REQUESTS, "rate-limited"),
        Fault::Overloaded => (S::SERVICE_UNAVAILABLE, "overloaded"),
        Fault::Unexpected => (S::INTERNAL_SERVER_ERROR, "internal"),
    }
}

fn body(error: &BodyError) -> Place {
    use StatusCode as S;
    match error {
        BodyError::ContentType => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type"),
        BodyError::TooLong { .. } => (S::PAYLOAD_TOO_LARGE, "body-too-large"),
        BodyError::TooDeep { .. } | BodyError::TooManyStrings { .. } | BodyError::TooManyValues { .. } => {
            (S::BAD_REQUEST, "body-bounds")
        }
        BodyError::Malformed { .. } | BodyError::Unwanted => (S::BAD_REQUEST, "malformed-body"),
        BodyError::Broken => (S::BAD_REQUEST, "body-incomplete"),
        BodyError::TimedOut => (S::REQUEST_TIMEOUT, "body-timeout"),
    }
}

/// What makes no sense whatever the policies say is 400; what the bundle in force does not let stand is 422.
fn question(error: &QuestionError) -> StatusCode {
    match error {
        QuestionError::SubjectOnControlVerb { .. }
        | QuestionError::ReservedSubject { .. }
        | QuestionError::ResourceNotAllowed { .. }
        | QuestionError::UndeclaredType { .. }
        | QuestionError::ContextNotAllowed { .. }
        | QuestionError::DecidedAtIssue { .. }
        | QuestionError::WrongTarget { .. } => StatusCode::BAD_REQUEST,
        QuestionError::StoredTypeWithAttributes { .. } | QuestionError::BoundAttributesInvalid { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

/// What the bundle lacks is 422; what the subject's entity lacks is a conflict that a change of the entity resolves.
fn projection(error: &ProjectionError) -> StatusCode {
    match error {
        ProjectionError::Undeclared { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ProjectionError::SubjectType { .. } | ProjectionError::Misfit { .. } | ProjectionError::Nothing { .. } => {
            StatusCode::CONFLICT
        }
    }
}

fn commit(error: &CommitError) -> StatusCode {
    match error {
        CommitError::Conflict { .. } => StatusCode::CONFLICT,
        CommitError::Full | CommitError::ReserveSpent | CommitError::TombstonesFull => StatusCode::INSUFFICIENT_STORAGE,
        CommitError::HeadStale | CommitError::Busy | CommitError::Closed | CommitError::Failed => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

fn kms(error: &KmsError) -> StatusCode {
    use StatusCode as S;
    match error {
        KmsError::CompromisedRight { .. } | KmsError::PermitStale => S::FORBIDDEN,
        KmsError::RingNotFound
        | KmsError::KeyNotFound
        | KmsError::VersionNotFound { .. }
        | KmsError::UserKeyNotFound { .. }
        | KmsError::UserKeySwept { .. }
        | KmsError::SubjectNotFound
        | KmsError::RecipientNotFound => S::NOT_FOUND,
        KmsError::RingExists
        | KmsError::KeyExists
        | KmsError::RingNotEmpty { .. }
        | KmsError::NotActive { .. }
        | KmsError::StateForbids { .. }
        | KmsError::NoTransition { .. }
        | KmsError::KeyDestroyed
        | KmsError::PendingDeletion
        | KmsError::NoDeletionScheduled
        | KmsError::DeletionNotDue { .. }
        | KmsError::Exhausted { .. }
        | KmsError::TooManyVersions { .. }
        | KmsError::NotNewest { .. }
        | KmsError::AuthorityCompromised { .. }
        | KmsError::SchemaDiffers { .. }
        | KmsError::SerialsExhausted { .. }
        | KmsError::UserKeyCount { .. }
        | KmsError::RecipientNotRegistered
        | KmsError::RevocationList(_)
        | KmsError::Contended => S::CONFLICT,
        KmsError::PreconditionFailed { .. } => S::PRECONDITION_FAILED,
        KmsError::IdempotencyMismatch | KmsError::PlanMissing | KmsError::Terms(_) | KmsError::Issue(_) => {
            S::UNPROCESSABLE_ENTITY
        }
        KmsError::SpecUsage { .. }
        | KmsError::WrongUsage { .. }
        | KmsError::ResourceNotAllowed { .. }
        | KmsError::Malformed
        | KmsError::CannotOpen
        | KmsError::LabelBounds { .. }
        | KmsError::RotationPeriod { .. }
        | KmsError::DeletionPeriod { .. }
        | KmsError::RandomLength { .. }
        | KmsError::DigestLength { .. }
        | KmsError::DigestUnsupported { .. }
        | KmsError::PlaintextBesideRecipient
        | KmsError::PageBounds { .. }
        | KmsError::UserKeyLife { .. }
        | KmsError::RecipientForAnother
        | KmsError::RevokeCount { .. }
        | KmsError::EscrowShares { .. }
        | KmsError::EscrowForm
        | KmsError::EscrowRecipients { .. }
        | KmsError::EscrowRecipientTwice
        | KmsError::Recipient(_) => S::BAD_REQUEST,
        KmsError::TooLarge { .. } => S::PAYLOAD_TOO_LARGE,
        KmsError::Busy
        | KmsError::HeadStale
        | KmsError::StoreUnavailable
        | KmsError::CallerGone
        | KmsError::ShuttingDown => S::SERVICE_UNAVAILABLE,
        KmsError::StoreFull | KmsError::AuditFull | KmsError::TombstonesFull => S::INSUFFICIENT_STORAGE,
        KmsError::PermitMismatch
        | KmsError::ReleaseMissing
        | KmsError::StoreUnreadable
        | KmsError::RowUnreadable
        | KmsError::NoEntropy
        | KmsError::Cryptography => S::INTERNAL_SERVER_ERROR,
    }
}

fn admin(error: &AdminError) -> StatusCode {
    use StatusCode as S;
    match error {
        AdminError::Policies(_) | AdminError::Entities(_) | AdminError::Role(_) | AdminError::NoIdentity { .. } => {
            S::UNPROCESSABLE_ENTITY
        }
        AdminError::LockedOut | AdminError::AdministratorExists { .. } => S::CONFLICT,
        AdminError::PreconditionFailed { .. } => S::PRECONDITION_FAILED,
        AdminError::PermitStale => S::FORBIDDEN,
        AdminError::BundleNotFound | AdminError::EntityNotFound => S::NOT_FOUND,
        AdminError::EntityCount { .. } | AdminError::DryRunActivates | AdminError::KindNotMapped { .. } => {
            S::BAD_REQUEST
        }
        AdminError::PermitMismatch
        | AdminError::Row { .. }
        | AdminError::Read(_)
        | AdminError::NotInitialised
        | AdminError::IdentityMap(_) => S::INTERNAL_SERVER_ERROR,
        AdminError::ShuttingDown => S::SERVICE_UNAVAILABLE,
        AdminError::Commit(error) => commit(error),
        AdminError::Authority(error) => authority(error),
        AdminError::Revoke(error) => revoke(error),
        AdminError::Token(error) => token(error),
        AdminError::Issue(error) => issue(error),
        AdminError::Keys(error) => kms(error),
    }
}

fn authority(error: &AuthorityError) -> StatusCode {
    match error {
        AuthorityError::Commit(error) => commit(error),
        AuthorityError::NotOurs => StatusCode::CONFLICT,
        AuthorityError::Missing
        | AuthorityError::Exists
        | AuthorityError::Row { .. }
        | AuthorityError::Certificate(_)
        | AuthorityError::Entropy(_)
        | AuthorityError::Read(_)
        | AuthorityError::ListenerName { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A token that is not valid is one 403 for every cause: callers without identity are not told which.
fn issue(error: &IssueError) -> StatusCode {
    use StatusCode as S;
    match error {
        IssueError::TokenForm | IssueError::RequestForm | IssueError::NoPossession | IssueError::WeakKey => {
            S::BAD_REQUEST
        }
        IssueError::OtherAuthority
        | IssueError::TokenRefused(_)
        | IssueError::NoEntity { .. }
        | IssueError::AboveIssuer { .. }
        | IssueError::ParentRefused(_)
        | IssueError::ForeignParent { .. } => S::FORBIDDEN,
        IssueError::FamilyFull { .. } | IssueError::TooYoung { .. } | IssueError::NotOurs => S::CONFLICT,
        IssueError::Authority(error) => authority(error),
    }
}

fn token(error: &TokenError) -> StatusCode {
    use StatusCode as S;
    match error {
        TokenError::Unknown => S::NOT_FOUND,
        TokenError::NotOpen | TokenError::NotOurs => S::CONFLICT,
        TokenError::OtherIdentity => S::INTERNAL_SERVER_ERROR,
        TokenError::TrustDomain { .. } | TokenError::Life => S::BAD_REQUEST,
        TokenError::Authority(error) => authority(error),
    }
}

fn revoke(error: &RevokeError) -> StatusCode {
    use StatusCode as S;
    match error {
        RevokeError::Unknown { .. } => S::NOT_FOUND,
        RevokeError::LocksOut => S::CONFLICT,
        RevokeError::TooManyKept { .. } => S::BAD_REQUEST,
        RevokeError::Authority(error) => authority(error),
    }
}

fn title(code: &str) -> String {
    let mut words = code.replace('-', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

impl Fault {
    /// The problem, for the item of a batch or for a whole answer.
    #[must_use]
    pub fn problem(&self, request: Option<&RequestId>) -> Problem {
        let (status, code) = place(self);
        let mut problem = Problem::new(code, &title(code), status.as_u16());
        problem.detail = Some(self.to_string());
        problem.request_id = request.map(|id| id.as_str().to_owned());
        problem.instance = request.map(|id| format!("urn:wardkeep:request:{}", id.as_str()));
        problem.findings = self.findings();
        problem
    }

    fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Admin(AdminError::Policies(errors)) => errors.findings().iter().map(finding).collect(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { wait } => Some(wait.as_secs().saturating_add(1)),
            _ if place(self).0 == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        }
    }
}

/// A finding of the policy room on the wire.
#[must_use]
pub fn finding(found: &wardkeep_policy::Finding) -> Finding {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Finding {
        severity: Severity::Error,
        file: Some(found.file.clone()),
        line: found.place.as_ref().map(|place| number(place.line)),
        column: found.place.as_ref().map(|place| number(place.column)),
        message: found.message.clone(),
        hint: found.hint.clone(),
    }
}

impl From<PolicyErrors> for Fault {
    fn from(errors: PolicyErrors) -> Self {
        Self::Admin(AdminError::Policies(errors))
    }
}

impl From<EntityErrors> for Fault {
    fn from(errors: EntityErrors) -> Self {
        Self::Admin(AdminError::Entities(errors))
    }
}

impl From<RoleError> for Fault {
    fn from(error: RoleError) -> Self {
        Self::Admin(AdminError::Role(error))
    }
}

/// A fault on its way out: the edge writes it, for only there every request has its id.
#[derive(Debug, Clone)]
pub struct Told(std::sync::Arc<Fault>);

impl Told {
    /// Puts the problem into the answer.
    pub fn write(self, response: &mut Response, request: Option<&RequestId>) {
        let problem = self.0.problem(request);
        *response.body_mut() = Body::from(serde_json::to_vec(&problem).unwrap_or_default());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.remove(header::CONTENT_LENGTH);
        if let Some(seconds) = self.0.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, code) = place(&self);
        if status.is_server_error() {
            let source = std::error::Error::source(&self).map(ToString::to_string);
            tracing::error!(code, error = %self, ?source, "failed");
        }
        let mut response = status.into_response();
        response.extensions_mut().insert(Told(std::sync::Arc::new(self)));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_forbidden_look_the_same() {
        let denied = Fault::Denied { action: "DescribeKey".into() }.problem(None);
        assert_eq!((denied.status, denied.code()), (403, "denied"));
        assert!(!denied.detail.unwrap().contains("found"));
    }

    #[test]
    fn a_problem_names_its_request() {
        let id = RequestId::new("r-1").unwrap();
        let mut response = Fault::Overloaded.into_response();
        let told = response.extensions_mut().remove::<Told>().unwrap();
        told.write(&mut response, Some(&id));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        let problem = Fault::Overloaded.problem(Some(&id));
        assert_eq!(problem.instance.as_deref(), Some("urn:wardkeep:request:r-1"));
        assert_eq!(problem.title, "Overloaded");
    }

    #[test]
    fn a_denial_that_could_not_be_recorded_is_no_success_and_says_why() {
        assert_eq!(place(&Fault::Commit(CommitError::ReserveSpent)), (StatusCode::INSUFFICIENT_STORAGE, "audit-full"));
        assert_eq!(place(&Fault::Kms(KmsError::AuditFull)), (StatusCode::INSUFFICIENT_STORAGE, "audit-full"));
    }

    #[test]
    fn codes_of_one_cause_agree_between_rooms() {
        for (ours, theirs) in [
            (place(&Fault::Commit(CommitError::Full)).1, KmsError::StoreFull.code()),
            (place(&Fault::Commit(CommitError::HeadStale)).1, KmsError::HeadStale.code()),
            (place(&Fault::Commit(CommitError::Closed)).1, KmsError::StoreUnavailable.code()),
        ] {
            assert_eq!(ours, theirs);
        }
    }
}
