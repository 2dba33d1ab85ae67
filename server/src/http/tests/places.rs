//! The one map from errors to the wire, row by row: a status or a code that changes is a change of the API.
//!
//! Broke elsewhere: one code under two statuses, a refusal that came out as 500, a message that told a stranger which
//! of several causes it was.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use wardkeep_kms::{KmsError, RecipientError};
use wardkeep_model::{CertificateSerial, EntityUid, Identity, KeySpec, KeyUsage, KeyVersion, Timestamp};
use wardkeep_policy::QuestionError;
use wardkeep_store::CommitError;

use crate::admin::AdminError;
use crate::ca::error::TokenRefusal;
use crate::ca::{AuthorityError, IssueError, RevokeError, TokenError};
use crate::http::etag::EtagError;
use crate::http::extract::HeaderError;
use crate::http::json::BodyError;
use crate::http::paging::{self, PageError, PageQuery, QueryError};
use crate::http::problem::{Fault, place};
use crate::revocation::Revocation;

type Row = (Fault, u16, &'static str);

fn identity() -> Identity {
    Identity::parse("spiffe://clinic.test/user/ana").unwrap()
}

fn uid() -> EntityUid {
    EntityUid::new("User", "ana").unwrap()
}

fn requests() -> Vec<Row> {
    let bad_name = || wardkeep_model::RingName::new("..").unwrap_err();
    vec![
        (BodyError::ContentType.into(), 415, "unsupported-media-type"),
        (BodyError::TooLong { max: 9 }.into(), 413, "body-too-large"),
        (BodyError::TooDeep { max: 9 }.into(), 400, "body-bounds"),
        (BodyError::TooManyStrings { max: 9 }.into(), 400, "body-bounds"),
        (BodyError::TooManyValues { max: 9 }.into(), 400, "body-bounds"),
        (BodyError::Malformed { line: 1, column: 2, message: "x".into() }.into(), 400, "malformed-body"),
        (BodyError::Unwanted.into(), 400, "malformed-body"),
        (BodyError::Broken.into(), 400, "body-incomplete"),
        (BodyError::TimedOut.into(), 408, "body-timeout"),
        (HeaderError::SubjectTwice.into(), 400, "malformed-subject"),
        (HeaderError::SubjectText.into(), 400, "malformed-subject"),
        (HeaderError::Subject(bad_name()).into(), 400, "malformed-subject"),
        (HeaderError::IdempotencyKey.into(), 400, "malformed-idempotency-key"),
        (HeaderError::IdempotencyRefused.into(), 400, "idempotency-not-supported"),
        (EtagError::Required.into(), 428, "precondition-required"),
        (EtagError::Malformed.into(), 400, "malformed-if-match"),
        (QueryError.into(), 400, "malformed-query"),
        (PageError::Limit.into(), 400, "malformed-page"),
        (PageError::Cursor.into(), 400, "malformed-page"),
        (bad_name().into(), 400, "malformed-name"),
        (Fault::AttributeDepth, 400, "attribute-depth"),
        (Fault::VersionZero, 400, "malformed-request"),
        (Fault::ExactlyOne { first: "a", second: "b" }, 400, "malformed-request"),
        (Fault::Jwk, 400, "recipient-refused"),
        (RecipientError::Encoding.into(), 400, "recipient-refused"),
        (Fault::BatchSize, 400, "batch-size"),
        (Fault::Path, 400, "malformed-path"),
        (Fault::UnmappedKind, 400, "identity-not-mapped"),
        (Fault::NoSuchRole, 404, "no-such-role"),
        (Fault::NoRoute, 404, "no-such-route"),
        (Fault::Method, 405, "method-not-allowed"),
        (Fault::NoCertificate, 401, "no-certificate"),
        (Fault::Denied { action: "Sign".into() }, 403, "denied"),
        (Fault::ReplayDenied, 403, "replay-denied"),
        (Fault::UnknownIdentity, 403, "unknown-identity"),
        (Fault::RateLimited { wait: Duration::from_millis(1_500) }, 429, "rate-limited"),
        (Fault::Overloaded, 503, "overloaded"),
        (Fault::Unexpected, 500, "internal"),
        (QuestionError::SubjectOnControlVerb { action: "x" }.into(), 400, "subject-on-control-verb"),
        (QuestionError::ReservedSubject { subject: uid() }.into(), 400, "reserved-subject"),
        (QuestionError::ResourceNotAllowed { action: "x" }.into(), 400, "resource-not-allowed"),
        (QuestionError::UndeclaredType { kind: "x".into() }.into(), 400, "undeclared-resource-type"),
        (QuestionError::StoredTypeWithAttributes { kind: "x".into() }.into(), 422, "stored-type-with-attributes"),
    ]
}

fn keys() -> Vec<Row> {
    let version = KeyVersion::new(1).unwrap();
    let (spec, usage) = (KeySpec::ALL[0], KeyUsage::ALL[0]);
    vec![
        (KmsError::CompromisedRight { version }.into(), 403, "key-compromised"),
        (KmsError::RingNotFound.into(), 404, "ring-not-found"),
        (KmsError::KeyNotFound.into(), 404, "key-not-found"),
        (KmsError::VersionNotFound { version }.into(), 404, "version-not-found"),
        (KmsError::RingExists.into(), 409, "ring-exists"),
        (KmsError::KeyExists.into(), 409, "key-exists"),
        (KmsError::RingNotEmpty { keys: 2 }.into(), 409, "ring-not-empty"),
        (KmsError::KeyDestroyed.into(), 409, "key-destroyed"),
        (KmsError::PendingDeletion.into(), 409, "key-pending-deletion"),
        (KmsError::NoDeletionScheduled.into(), 409, "no-deletion-scheduled"),
        (KmsError::DeletionNotDue { due: Timestamp::default() }.into(), 409, "deletion-not-due"),
        (KmsError::Exhausted { version }.into(), 409, "key-exhausted"),
        (KmsError::TooManyVersions { max: 9 }.into(), 409, "too-many-versions"),
        (KmsError::Contended.into(), 409, "contended"),
        (KmsError::PreconditionFailed { actual: 2 }.into(), 412, "precondition-failed"),
        (KmsError::IdempotencyMismatch.into(), 422, "idempotency-mismatch"),
        (KmsError::SpecUsage { spec, usage }.into(), 400, "spec-usage-mismatch"),
        (KmsError::Malformed.into(), 400, "malformed-input"),
        (KmsError::CannotOpen.into(), 400, "cannot-open"),
        (KmsError::TooLarge { len: 9, max: 8 }.into(), 413, "too-large"),
        (KmsError::RandomLength { max: 9 }.into(), 400, "random-length"),
        (KmsError::SerialsExhausted { version }.into(), 409, "serials-exhausted"),
        (KmsError::UserKeyCount { version, max: 32 }.into(), 409, "user-key-count"),
        (KmsError::UserKeyNotFound { version, serial: 7 }.into(), 404, "user-key-not-found"),
        (KmsError::UserKeySwept { version, serial: 7 }.into(), 404, "user-key-swept"),
        (KmsError::EscrowForm.into(), 400, "escrow-recipients"),
        (KmsError::PermitStale.into(), 403, "permit-stale"),
        (AdminError::Keys(KmsError::Contended).into(), 409, "contended"),
        (KmsError::CallerGone.into(), 503, "caller-gone"),
        (KmsError::Busy.into(), 503, "busy"),
        (KmsError::StoreFull.into(), 507, "store-full"),
        (KmsError::AuditFull.into(), 507, "audit-full"),
        (KmsError::HeadStale.into(), 503, "head-stale"),
        (KmsError::ShuttingDown.into(), 503, "shutting-down"),
        (KmsError::PermitMismatch.into(), 500, "permit-mismatch"),
        (KmsError::RowUnreadable.into(), 500, "row-unreadable"),
    ]
}

fn control() -> Vec<Row> {
    let serial = || CertificateSerial::parse("ab").unwrap();
    vec![
        (AdminError::LockedOut.into(), 409, "would-lock-out"),
        (AdminError::PreconditionFailed { actual: 2 }.into(), 412, "precondition-failed"),
        (AdminError::PermitStale.into(), 403, "permit-stale"),
        (AdminError::BundleNotFound.into(), 404, "bundle-not-found"),
        (AdminError::EntityNotFound.into(), 404, "entity-not-found"),
        (AdminError::EntityCount { count: 0, max: 1 }.into(), 400, "entity-count"),
        (AdminError::DryRunActivates.into(), 400, "malformed-request"),
        (AdminError::NoIdentity { entity: uid() }.into(), 422, "role-refused"),
        (AdminError::PermitMismatch.into(), 500, "permit-mismatch"),
        (AdminError::Commit(CommitError::Full).into(), 507, "store-full"),
        (AuthorityError::NotOurs.into(), 409, "not-our-ca"),
        (AuthorityError::from(CommitError::Full).into(), 507, "store-full"),
        (AuthorityError::from(CommitError::ReserveSpent).into(), 507, "audit-full"),
        (AuthorityError::from(CommitError::Closed).into(), 503, "store-unavailable"),
        (IssueError::from(CommitError::HeadStale).into(), 503, "head-stale"),
        (AuthorityError::Missing.into(), 500, "authority-failed"),
        (AuthorityError::ListenerName { name: "x".into() }.into(), 500, "listener-name"),
        (IssueError::TokenForm.into(), 400, "token-malformed"),
        (IssueError::OtherAuthority.into(), 403, "token-of-another-ca"),
        (IssueError::TokenRefused(TokenRefusal::IssuerLost).into(), 403, "token-refused"),
        (IssueError::RequestForm.into(), 400, "csr-malformed"),
        (IssueError::NoPossession.into(), 400, "csr-not-signed"),
        (IssueError::WeakKey.into(), 400, "csr-weak-key"),
        (IssueError::NoEntity { identity: identity() }.into(), 403, "identity-without-entity"),
        (IssueError::AboveIssuer { identity: identity() }.into(), 403, "identity-above-issuer"),
        (IssueError::FamilyFull { count: 16 }.into(), 409, "family-full"),
        (IssueError::TooYoung { after: Timestamp::default() }.into(), 409, "certificate-too-young"),
        (IssueError::ParentRefused(Revocation::Serial).into(), 403, "certificate-not-renewable"),
        (IssueError::ForeignParent { serial: serial() }.into(), 403, "certificate-foreign"),
        (IssueError::NotOurs.into(), 409, "not-our-ca"),
        (TokenError::Unknown.into(), 404, "token-unknown"),
        (TokenError::NotOpen.into(), 409, "token-not-open"),
        (TokenError::OtherIdentity.into(), 500, "permit-mismatch"),
        (TokenError::TrustDomain { identity: identity() }.into(), 400, "trust-domain"),
        (TokenError::Life.into(), 400, "token-life"),
        (RevokeError::Unknown { serial: serial() }.into(), 404, "certificate-unknown"),
        (RevokeError::LocksOut.into(), 409, "would-lock-out"),
        (RevokeError::TooManyKept { count: 65 }.into(), 400, "too-many-kept"),
        (CommitError::Full.into(), 507, "store-full"),
        (CommitError::ReserveSpent.into(), 507, "audit-full"),
        (CommitError::HeadStale.into(), 503, "head-stale"),
    ]
}

#[test]
fn every_error_stands_where_it_is_said_to_stand() {
    let mut statuses = BTreeMap::new();
    for (fault, status, code) in requests().into_iter().chain(keys()).chain(control()) {
        let (found, word) = place(&fault);
        assert_eq!((found.as_u16(), word), (status, code), "{fault}");
        let problem = fault.problem(None);
        assert_eq!((problem.status, problem.code()), (status, code));
        assert_eq!(problem.kind, format!("urn:wardkeep:problem:{code}"));
        assert!(problem.title.eq_ignore_ascii_case(&code.replace('-', " ")), "{}", problem.title);
        let detail = problem.detail.unwrap();
        assert!(!detail.is_empty() && !detail.starts_with(char::is_uppercase), "{detail}");
        assert_eq!((problem.instance, problem.request_id), (None, None));
        let before = statuses.insert(code, status);
        assert!(before.is_none_or(|before| before == status), "`{code}` stands under two statuses");
    }
    assert!(statuses.len() > 80, "{}", statuses.len());
}

/// Whoever may try again is told when; whoever may not is not invited to.
#[test]
fn only_what_passes_by_itself_says_when_to_try_again() {
    use axum::response::IntoResponse;
    for (fault, status, code) in requests().into_iter().chain(keys()).chain(control()) {
        let mut response = fault.into_response();
        let told = response.extensions_mut().remove::<crate::http::problem::Told>().unwrap();
        told.write(&mut response, None);
        let after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        match status {
            429 => assert_eq!(after.as_deref(), Some("2"), "1.5 seconds, rounded up"),
            503 => assert_eq!(after.as_deref(), Some("1"), "{code}"),
            _ => assert_eq!(after, None, "{code}"),
        }
    }
}

#[test]
fn refusals_that_must_look_alike_do() {
    let told = |fault: Fault| fault.problem(None);
    let refused = |why| told(IssueError::TokenRefused(why).into());
    let first = refused(TokenRefusal::Unknown);
    for why in [TokenRefusal::Used, TokenRefusal::Void, TokenRefusal::Expired, TokenRefusal::IssuerLost] {
        assert_eq!(refused(why), first, "{why:?}");
    }
}

proptest! {
    #[test]
    fn pages_of_any_size_are_the_whole_list_once(
        names in prop::collection::btree_set("[a-z]{1,6}", 0..40),
        limit in 1_usize..12,
    ) {
        let all: Vec<String> = names.into_iter().collect();
        let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = paging::by_name(all.clone(), limit, after, |name| name);
            prop_assert!(page.items.len() <= limit && (page.next.is_none() || page.items.len() == limit));
            seen.extend(page.items);
            pages += 1;
            let Some(cursor) = page.next else { break };
            after = PageQuery { limit: None, cursor: Some(cursor) }.after(|name| Some(name.to_owned())).unwrap();
        }
        prop_assert_eq!(pages, all.len().div_ceil(limit).max(1));
        prop_assert_eq!(seen, all);
    }

    #[test]
    fn a_cursor_is_a_name_and_nothing_else_is_a_cursor(name in "\\PC{0,40}", junk in "[ -~]{0,40}") {
        let query = |cursor: String| PageQuery { limit: None, cursor: Some(cursor) };
        let back = query(paging::cursor(&name)).after(|name| Some(name.to_owned()));
        prop_assert_eq!(back, Ok(Some(name)));
        if let Ok(Some(read)) = query(junk.clone()).after(|name| Some(name.to_owned())) {
            prop_assert_eq!(paging::cursor(&read), junk, "one spelling only");
        }
    }
}
