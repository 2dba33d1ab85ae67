//! What the audit log records.
//!
//! One event a decision or use. It holds names, never secrets, plaintexts or wrapped keys: whatever is
//! put into [`EventDetail`] comes from a fixed list of fields.

use crate::{CertificateSerial, EntityUid, RequestId, Timestamp};

/// How a decision went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Some permit was satisfied and every forbid was false.
    Allow,
    /// Otherwise.
    Deny,
}

/// One record of the audit log, before it is numbered and chained.
///
/// `#[non_exhaustive]` is left off on purpose: who adds a field must visit every place that makes one.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// When the decision was taken.
    pub time: Timestamp,
    /// Who called.
    pub actor: EntityUid,
    /// For whom; equal to the actor without the subject header.
    pub subject: EntityUid,
    /// What was asked, `GenerateDataKey`, or an application's own action in Cedar's spelling.
    pub action: String,
    /// On what.
    pub resource: EntityUid,
    /// The record a data key protects, and the action that was decided on it.
    pub record: Option<(EntityUid, String)>,
    /// The decision.
    pub decision: Decision,
    /// Ids of the policies that determined it (permits of an allow, forbids of a deny).
    pub policies: Vec<String>,
    /// Ids of policies whose evaluation erred.
    pub errors: Vec<String>,
    /// Version of the policy set that decided.
    pub policy_version: u64,
    /// `ok`, `denied`, or the error's code, such as `key-not-active`.
    pub outcome: &'static str,
    /// The request.
    pub request: RequestId,
    /// The actor's certificate; `None` for jobs of the server.
    pub serial: Option<CertificateSerial>,
    /// Further facts.
    pub detail: Vec<(EventDetail, String)>,
}

/// The fields an event may carry beside the fixed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EventDetail {
    /// The key version used or made.
    KeyVersion,
    /// The recipient key's SHA-256 fingerprint.
    Recipient,
    /// SHA-256 of the canonical encryption context.
    ContextDigest,
    /// A list's filter.
    Filter,
    /// How many items a list showed, or a change touched.
    Count,
    /// The identity, role, serial or version that a control verb was about.
    About,
    /// The state a key version went to.
    State,
    /// Why something was refused before or beside the policies.
    Reason,
    /// The certificate of a peer that has no entity.
    Peer,
    /// The attributes a user key was issued with, as canonical text.
    Attributes,
    /// Serials of user keys.
    UserKey,
    /// The bucket of time until which a user key is valid.
    ValidUntil,
    /// How many of the shares of an escrow open it.
    Threshold,
}

impl Decision {
    /// `allow` or `deny`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl EventDetail {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::KeyVersion,
        Self::Recipient,
        Self::ContextDigest,
        Self::Filter,
        Self::Count,
        Self::About,
        Self::State,
        Self::Reason,
        Self::Peer,
        Self::Attributes,
        Self::UserKey,
        Self::ValidUntil,
        Self::Threshold,
    ];

    /// The field's name in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyVersion => "key_version",
            Self::Recipient => "recipient",
            Self::ContextDigest => "context_digest",
            Self::Filter => "filter",
            Self::Count => "count",
            Self::About => "about",
            Self::State => "state",
            Self::Reason => "reason",
            Self::Peer => "peer",
            Self::Attributes => "attributes",
            Self::UserKey => "user_key",
            Self::ValidUntil => "valid_until",
            Self::Threshold => "threshold",
        }
    }
}

impl AuditEvent {
    /// The same event with another outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: &'static str) -> Self {
        self.outcome = outcome;
        self
    }

    /// The same event with one more fact.
    #[must_use]
    pub fn with(mut self, field: EventDetail, value: impl Into<String>) -> Self {
        self.detail.push((field, value.into()));
        self
    }
}
