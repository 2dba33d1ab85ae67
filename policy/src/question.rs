//! What is asked, and how it can end: a permit, a denial, or a question that makes no sense.
//!
//! | ending | status | recorded | tells the caller |
//! |---|---|---|---|
//! | permit | the verb's | with the verb's outcome | what the verb tells |
//! | [`Denied`] | 403 | yes, before the answer | nothing but *denied* |
//! | [`NotIssuable`] | 409, 422 | yes, before the answer | what is missing, for the policies allowed it |
//! | [`QuestionError`] | 400, 422 | no | what to write instead |

use std::collections::BTreeMap;

use wardkeep_model::{
    ActionName, AuditEvent, Caller, EncryptionContext, EntityUid, Fingerprint, KeyFacts, KeyId, RingName,
};

use crate::{NotIssuable, Role};

/// One question to the engine: who, on what, with which circumstances. The action is a type.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Actor and subject.
    pub caller: &'a Caller,
    /// What the action is done to.
    pub resource: Resource<'a>,
    /// The encryption context, for verbs that have one.
    pub context: Option<&'a EncryptionContext>,
    /// SHA-256 of the recipient's public key, where the answer is sealed for one.
    pub recipient: Option<&'a Fingerprint>,
    /// Whether a compromised version is to be used, so that `UseCompromisedKey` is decided too.
    pub compromised: bool,
}

/// What an action is done to.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// A key that exists, or (for `CreateKey`) the key as it is to be.
    Key(&'a KeyFacts),
    /// A key that does not exist: decided as an entity without attributes, in the ring its name says.
    MissingKey(&'a KeyId),
    /// A ring.
    Ring {
        /// Its name.
        name: &'a RingName,
        /// Its labels; `None` for a ring that does not exist, decided as an entity without labels.
        labels: Option<&'a BTreeMap<String, String>>,
    },
    /// The installation or a part of it: `wardkeep`, `audit`.
    System(&'a str),
    /// A control role.
    Role(Role),
    /// An entity of an `[identity]` type.
    Identity(&'a EntityUid),
}

/// Why there is no permit.
#[derive(Debug)]
pub enum Refusal {
    /// The policies say no (403). The event inside must be recorded.
    Denied(Box<Denied>),
    /// The question makes no sense, nothing was decided (400 or 422).
    Question(QuestionError),
    /// The policies allow it, but the subject's entity does not make the attributes of a user key (409 or 422). The event
    /// inside must be recorded. Only [`crate::Engine::decide_issue`] ends so.
    NotIssuable(Box<NotIssuable>),
}

/// A denial, with the event that must become durable before the answer leaves.
///
/// A caller is told only *that* it was denied: a missing entity, a missing record and a forbidding rule
/// are one answer. The reason is for the audit log.
#[derive(Debug)]
#[must_use = "a denial that is not recorded breaks the audit log"]
pub struct Denied {
    /// The event, with the outcome `denied` and the reason among its details.
    pub event: AuditEvent,
    /// Why; for logs and the audit record, never for the caller.
    pub reason: DenialReason,
}

/// Why a request was denied, as the audit log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialReason {
    /// The actor has no entity, or none of an `[identity]` type.
    UnknownActor,
    /// The subject has no entity of a type that may be a subject.
    UnknownSubject,
    /// The subject holds a control role.
    SubjectHoldsRole,
    /// No rule lets the actor act for the subject.
    MayNotActFor,
    /// No permit is satisfied for the action on the resource.
    NoPermit,
    /// A forbid is satisfied for the action on the resource.
    Forbidden,
    /// No permit is satisfied for the protect or release action on the record.
    NoPermitOnRecord,
    /// A forbid is satisfied for the protect or release action on the record.
    ForbiddenOnRecord,
    /// The stored record does not exist.
    UnknownRecord,
    /// `UseCompromisedKey` is not allowed.
    CompromisedKey,
    /// `IssueUserKeyFor` is not allowed to the actor.
    MayNotIssueFor,
    /// A token for an identity that holds control roles which the actor lacks.
    StrongerIdentity,
    /// Wardkeep's own jobs may not do this.
    NotForTheScheduler,
}

/// A question that makes no sense whoever asks it; nothing was decided and nothing needs recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// The subject header on a control verb (400).
    #[error("`{action}` is decided on the caller itself: leave the subject header out")]
    SubjectOnControlVerb {
        /// The verb.
        action: &'static str,
    },
    /// A subject in the namespace that belongs to Wardkeep (400).
    #[error("`{subject}` cannot be a subject: the namespace `Wardkeep` is reserved")]
    ReservedSubject {
        /// The subject as named.
        subject: EntityUid,
    },
    /// A context with `resource` on a verb that takes none (400).
    #[error("`{action}` takes no `resource` in its context: only data keys protect records")]
    ResourceNotAllowed {
        /// The verb.
        action: &'static str,
    },
    /// A record of a type that the manifest does not declare (400).
    #[error("the bundle's manifest declares no resource type `{kind}`: add it to `[resources]` or use one it declares")]
    UndeclaredType {
        /// The type as named.
        kind: String,
    },
    /// Attributes or parents for a record that the entity store holds (422).
    #[error("`{kind}` is a stored type: name the record by `type` and `id` only")]
    StoredTypeWithAttributes {
        /// The type.
        kind: String,
    },
    /// Bound attributes that do not fit the schema (422).
    #[error("the attributes of `{kind}` do not fit the schema: {problem}")]
    BoundAttributesInvalid {
        /// The type.
        kind: String,
        /// What does not fit.
        problem: BindingProblem,
    },
    /// An encryption context on a verb that takes none (400).
    #[error("`{action}` takes no encryption context: leave it out")]
    ContextNotAllowed {
        /// The verb.
        action: &'static str,
    },
    /// An action that is decided only where a user key is issued; a fault of the caller inside Wardkeep (400).
    #[error("`{action}` is decided only together with the attributes of a user key")]
    DecidedAtIssue {
        /// The action.
        action: &'static str,
    },
    /// The action is not done to such a thing; a fault of the caller inside Wardkeep (400).
    #[error("`{action}` is not done to `{resource}`")]
    WrongTarget {
        /// The verb.
        action: &'static str,
        /// The resource as named.
        resource: EntityUid,
    },
}

/// What is wrong with a bound record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingProblem {
    /// An attribute the schema does not declare.
    #[error("unknown attribute `{name}`")]
    Unknown {
        /// The attribute.
        name: String,
    },
    /// A required attribute is absent.
    #[error("attribute `{name}` is missing")]
    Missing {
        /// The attribute.
        name: String,
    },
    /// An attribute of another type than declared.
    #[error("attribute `{name}` has the wrong type")]
    Type {
        /// The attribute.
        name: String,
    },
    /// An extension value that does not parse.
    #[error("attribute `{name}` has a malformed `{function}`")]
    Extension {
        /// The attribute.
        name: String,
        /// The constructor.
        function: String,
    },
    /// A reference to an entity type that the schema does not declare.
    #[error("unknown entity type `{kind}`")]
    UnknownEntityType {
        /// The type.
        kind: String,
    },
    /// A parent of a type that the schema does not allow.
    #[error("parent `{parent}` is not allowed")]
    Parent {
        /// The parent.
        parent: EntityUid,
    },
    /// An id that an enumerated type does not list.
    #[error("`{uid}` is not one of its type's values")]
    EnumeratedId {
        /// The entity.
        uid: EntityUid,
    },
}

impl Resource<'_> {
    /// The entity that a question about this is decided on, and that its event names.
    #[must_use]
    pub fn entity(&self) -> EntityUid {
        match self {
            Self::Key(facts) => facts.id.entity(),
            Self::MissingKey(id) => id.entity(),
            Self::Ring { name, .. } => name.entity(),
            // Parts are constants, or come out of an event: there is none that is no id.
            Self::System(part) => EntityUid::new("Wardkeep::System", part)
                .unwrap_or_else(|_| EntityUid::builtin("Wardkeep::System", "wardkeep")),
            Self::Role(role) => EntityUid::builtin("Wardkeep::Role", role.as_str()),
            Self::Identity(uid) => (*uid).clone(),
        }
    }
}

impl DenialReason {
    /// The word the audit log uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownActor => "unknown-actor",
            Self::UnknownSubject => "unknown-subject",
            Self::SubjectHoldsRole => "subject-holds-role",
            Self::MayNotActFor => "may-not-act-for",
            Self::NoPermit => "no-permit",
            Self::Forbidden => "forbidden",
            Self::NoPermitOnRecord => "no-permit-on-record",
            Self::ForbiddenOnRecord => "forbidden-on-record",
            Self::UnknownRecord => "unknown-record",
            Self::CompromisedKey => "compromised-key",
            Self::MayNotIssueFor => "may-not-issue-for",
            Self::StrongerIdentity => "stronger-identity",
            Self::NotForTheScheduler => "not-for-the-scheduler",
        }
    }
}

impl std::fmt::Display for DenialReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl QuestionError {
    /// A stable word for problems and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SubjectOnControlVerb { .. } => "subject-on-control-verb",
            Self::ReservedSubject { .. } => "reserved-subject",
            Self::ResourceNotAllowed { .. } => "resource-not-allowed",
            Self::UndeclaredType { .. } => "undeclared-resource-type",
            Self::StoredTypeWithAttributes { .. } => "stored-type-with-attributes",
            Self::BoundAttributesInvalid { .. } => "bound-attributes-invalid",
            Self::ContextNotAllowed { .. } => "context-not-allowed",
            Self::DecidedAtIssue { .. } => "decided-at-issue",
            Self::WrongTarget { .. } => "wrong-target",
        }
    }
}

/// Whether an action's context may name a record.
pub(crate) const fn takes_record(action: ActionName) -> bool {
    matches!(action, ActionName::GenerateDataKey | ActionName::UnwrapDataKey | ActionName::RewrapDataKey)
}
