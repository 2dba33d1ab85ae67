//! Who asks: from the verified peer to a [`Asker`], which is the only way for a handler to ask for a permit.

use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use tokio::sync::OwnedSemaphorePermit;
use wardkeep_model::action::IssueUserKey;
use wardkeep_model::{
    Action, ActionName, AuditEvent, Caller, Decision, EncryptionContext, EntityUid, EventDetail, Fingerprint, IdError,
    KeyId, KeyName, Permit, PolicySet, RequestId, RingName,
};
use wardkeep_policy::{DenialReason, Denied, NotIssuable, Projected, Question, QuestionError, Refusal, Resource, Role};
use wardkeep_store::{Coming, Work};

use super::idempotency::{self, IdempotencyKey};
use super::problem::Fault;
use crate::peer::Peer;
use crate::revocation::Revocation;
use crate::state::App;

/// Names the subject: `Wardkeep-Subject: User::"ana"`.
pub const SUBJECT: HeaderName = HeaderName::from_static("wardkeep-subject");
/// The type that an identity gets whose kind `[identity]` does not name: no entity has it, so nothing is permitted.
const UNMAPPED: &str = "Wardkeep::Unmapped";

/// Why a header was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The subject header stands twice: which one counts would be a guess.
    #[error("`Wardkeep-Subject` stands more than once")]
    SubjectTwice,
    /// The subject header is not text.
    #[error("`Wardkeep-Subject` is not UTF-8 text: write it as `Type::\"id\"`")]
    SubjectText,
    /// The subject is not an entity.
    #[error("`Wardkeep-Subject`: {0}")]
    Subject(IdError),
    /// The idempotency key is malformed.
    #[error("`Idempotency-Key` stands once and has 1 to 64 of A-Z, a-z, 0-9, `-` and `_`")]
    IdempotencyKey,
    /// The verb keeps nothing that a replay could be answered with.
    #[error("this verb keeps no result, so that a replay cannot be recognised: leave `Idempotency-Key` out")]
    IdempotencyRefused,
}

/// An authenticated caller inside a request, and the way to ask whether it may.
///
/// A verb that takes no `Idempotency-Key` uses this; the header then is an error and not silently without effect.
#[derive(Debug)]
pub struct Asker {
    caller: Caller,
    /// Whether the subject header was there, be it with the caller's own name.
    named_subject: bool,
    peer: Arc<Peer>,
    app: Arc<App>,
    /// Its place among the requests that run at once, from the first question to the end; and the audit record that it
    /// will end in.
    place: OnceLock<(OwnedSemaphorePermit, Coming)>,
}

/// An [`Asker`] at a verb that takes an `Idempotency-Key`.
#[derive(Debug)]
pub struct KeyedAsker {
    /// Who asks.
    pub asker: Asker,
    /// The key, if one was sent.
    pub key: Option<IdempotencyKey>,
}

impl Asker {
    /// The caller, for questions.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What the certificate says.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Asks for the right to do `A` to a thing.
    ///
    /// # Errors
    /// [`Fault::Denied`] once the denial is durable; a question that makes no sense; the store's, where the denial could
    /// not be recorded.
    pub async fn permit<A: Action>(&self, resource: Resource<'_>) -> Result<Permit<A>, Fault> {
        let question = Question { caller: &self.caller, resource, context: None, recipient: None, compromised: false };
        self.permit_for(&question).await
    }

    /// Asks for a control verb's right on a part of the installation.
    ///
    /// # Errors
    /// As [`Asker::permit`].
    pub async fn permit_control<A: Action>(&self, part: &'static str) -> Result<Permit<A>, Fault> {
        self.permit(Resource::System(part)).await
    }

    /// Asks for the right to use a key with a context, and so for the release of the record that it names.
    ///
    /// # Errors
    /// As [`Asker::permit`].
    pub async fn permit_use<A: Action>(&self, used: Use<'_>) -> Result<Permit<A>, Fault> {
        let facts = self.app.kms.facts(used.key);
        let resource = facts.as_ref().map_or(Resource::MissingKey(used.key), Resource::Key);
        let Use { context, recipient, compromised, key: _ } = used;
        self.permit_for(&Question { caller: &self.caller, resource, context, recipient, compromised }).await
    }

    /// Asks about a key without more circumstances.
    ///
    /// # Errors
    /// As [`Asker::permit`].
    pub async fn permit_key<A: Action>(&self, key: &KeyId) -> Result<Permit<A>, Fault> {
        self.permit_use(Use { key, context: None, recipient: None, compromised: false }).await
    }

    /// Asks about a ring, which need not exist.
    ///
    /// # Errors
    /// As [`Asker::permit`].
    pub async fn permit_ring<A: Action>(&self, name: &RingName) -> Result<Permit<A>, Fault> {
        let ring = self.app.kms.ring(name);
        let labels = ring.as_deref().map(|ring| &*ring.labels);
        self.permit(Resource::Ring { name, labels }).await
    }

    /// Whether the caller may see one item of a list; the list as a whole is one record.
    #[must_use]
    pub fn glance<A: Action>(&self, resource: Resource<'_>) -> Option<Permit<A>> {
        let question = Question { caller: &self.caller, resource, context: None, recipient: None, compromised: false };
        self.app.engine.glance(&question)
    }

    /// The one record of a list, whose lines are decided one by one. Who has no entity, or names a subject that it may
    /// not act for, gets no list, not even an empty one.
    ///
    /// # Errors
    /// As [`Asker::permit`].
    pub async fn list_event(&self, action: ActionName, part: &'static str) -> Result<AuditEvent, Fault> {
        self.take_place()?;
        self.no_subject_on_control(action)?;
        match self.app.engine.list_event(&self.caller, action, Resource::System(part)) {
            Ok(event) => Ok(event),
            Err(refusal) => self.refused(refusal).await,
        }
    }

    /// Asks for the right to have a user key issued, and for what it says: both come from one decision.
    ///
    /// # Errors
    /// As [`Asker::permit`]; and [`Fault::Projection`], recorded, where the subject's entity does not fit the authority.
    pub async fn permit_issue(
        &self,
        key: &KeyId,
        recipient: Option<&Fingerprint>,
    ) -> Result<(Permit<IssueUserKey>, Projected), Fault> {
        let facts = self.app.kms.facts(key);
        let resource = facts.as_ref().map_or(Resource::MissingKey(key), Resource::Key);
        let question = Question { caller: &self.caller, resource, context: None, recipient, compromised: false };
        self.take_place()?;
        match self.app.engine.decide_issue(&question) {
            Ok((permit, projected)) => Ok((self.let_in(permit).await?, projected)),
            Err(refusal) => self.refused(refusal).await,
        }
    }

    async fn permit_for<A: Action>(&self, question: &Question<'_>) -> Result<Permit<A>, Fault> {
        self.take_place()?;
        self.no_subject_on_control(A::NAME)?;
        match self.app.engine.decide::<A>(question) {
            Ok(permit) => self.let_in(permit).await,
            Err(refusal) => self.refused(refusal).await,
        }
    }

    /// A grant revokes before its role counts; who was let in before the one decides with the other.
    async fn let_in<A: Action>(&self, permit: Permit<A>) -> Result<Permit<A>, Fault> {
        match self.app.authority.refuses(&self.peer) {
            Some(why) => self.shut_out(permit.into_event(), why).await,
            None => {
                self.app.meters.allowed();
                Ok(permit)
            }
        }
    }

    /// Not before the first question, when the body has arrived: whoever sends slowly must not hold what others need.
    fn take_place(&self) -> Result<(), Fault> {
        if self.place.get().is_none() {
            // Questions of one request follow each other, so that nobody else can have set it.
            let _first = self.place.set((self.app.limits.place()?, self.app.store.coming()));
        }
        Ok(())
    }

    /// The engine refuses a foreign name itself; one's own says no more than none, and still does not belong there.
    fn no_subject_on_control(&self, action: ActionName) -> Result<(), Fault> {
        if action.set() == PolicySet::Control && self.named_subject && self.is_known() {
            return self.acts_for_itself(action.as_str());
        }
        Ok(())
    }

    /// A right that the policies give, and that the certificate no longer carries.
    async fn shut_out<T>(&self, event: AuditEvent, why: Revocation) -> Result<T, Fault> {
        self.app.meters.denied();
        let action = event.action.clone();
        let event = AuditEvent { decision: Decision::Deny, policies: Vec::new(), ..event }.with_outcome("denied");
        self.note(event.with(EventDetail::Reason, why.word())).await?;
        Err(Fault::Denied { action })
    }

    async fn refused<T>(&self, refusal: Refusal) -> Result<T, Fault> {
        match refusal {
            Refusal::Question(error) => Err(Fault::Question(error)),
            Refusal::NotIssuable(refused) => {
                let NotIssuable { event, error } = *refused;
                self.note(event).await?;
                Err(Fault::Projection(error))
            }
            Refusal::Denied(denied) => {
                self.app.meters.denied();
                self.record(*denied).await
            }
        }
    }

    /// A denial is durable before it is told. One that cannot be recorded stays a denial: the answer is then about the
    /// store, and the verb has not run.
    async fn record<T>(&self, denied: Denied) -> Result<T, Fault> {
        let Denied { event, reason, .. } = denied;
        let action = event.action.clone();
        let event = match reason {
            DenialReason::UnknownActor => event.with(EventDetail::Peer, self.peer.identity.to_string()),
            _ => event,
        };
        tracing::info!(request = %self.caller.request(), actor = %event.actor, %action, %reason, "denied");
        self.app.store.commit(Work::record(vec![event])).await?;
        Err(Fault::Denied { action })
    }

    /// Records one event that is nobody's work: the one record of a list.
    ///
    /// # Errors
    /// The store's, whereupon nothing may be answered.
    pub async fn note(&self, event: AuditEvent) -> Result<(), Fault> {
        self.app.store.commit(Work::record(vec![event])).await?;
        Ok(())
    }

    /// Refuses the subject header at a verb about the caller itself, which asks no question that would.
    ///
    /// # Errors
    /// [`QuestionError::SubjectOnControlVerb`]
    pub fn acts_for_itself(&self, action: &'static str) -> Result<(), Fault> {
        if self.named_subject {
            return Err(QuestionError::SubjectOnControlVerb { action }.into());
        }
        Ok(())
    }

    /// Whether the actor has an entity; without one nothing at all is answered.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let snapshot = self.app.engine.snapshot();
        snapshot.entity(self.caller.actor()).is_some()
    }
}

/// One use of a key: what a decision on it is about.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// The key, which need not exist.
    pub key: &'a KeyId,
    /// The encryption context, for verbs that have one.
    pub context: Option<&'a EncryptionContext>,
    /// The recipient's fingerprint.
    pub recipient: Option<&'a Fingerprint>,
    /// Whether the version in question is compromised.
    pub compromised: bool,
}

impl FromRequestParts<Arc<App>> for Asker {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Fault> {
        if parts.headers.contains_key(idempotency::HEADER) {
            return Err(HeaderError::IdempotencyRefused.into());
        }
        asker(parts, app)
    }
}

impl FromRequestParts<Arc<App>> for KeyedAsker {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Fault> {
        let key = idempotency::key(&parts.headers)?;
        Ok(Self { asker: asker(parts, app)?, key })
    }
}

fn asker(parts: &Parts, app: &Arc<App>) -> Result<Asker, Fault> {
    let peer = parts.extensions.get::<Arc<Peer>>().ok_or(Fault::NoCertificate)?;
    let request = parts.extensions.get::<RequestId>().ok_or(Fault::Unexpected)?;
    let actor = match app.engine.snapshot().identity().entity_of(&peer.identity) {
        Some(actor) => actor,
        None => EntityUid::new(UNMAPPED, peer.identity.name()).map_err(|_| Fault::Unexpected)?,
    };
    let caller = Caller::itself(actor, Some(peer.serial.clone()), request.clone());
    let subject = subject(&parts.headers)?;
    let named_subject = subject.is_some();
    let caller = match subject {
        Some(subject) => caller.on_behalf_of(subject),
        None => caller,
    };
    Ok(Asker { caller, named_subject, peer: peer.clone(), app: app.clone(), place: OnceLock::new() })
}

/// The subject header, at most once.
fn subject(headers: &HeaderMap) -> Result<Option<EntityUid>, HeaderError> {
    let mut values = headers.get_all(SUBJECT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeaderError::SubjectTwice);
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| HeaderError::SubjectText)?;
    EntityUid::parse(text).map(Some).map_err(HeaderError::Subject)
}

/// A ring in the path.
#[derive(Debug)]
pub struct RingPath(pub RingName);

/// A key in the path.
#[derive(Debug)]
pub struct KeyPath(pub KeyId);

/// An entity in the path, as `{type}/{id}`.
#[derive(Debug)]
pub struct EntityPath(pub EntityUid);

/// A control role and an entity in the path.
#[derive(Debug)]
pub struct MemberPath(pub Role, pub EntityUid);

/// A version number in the path.
#[derive(Debug)]
pub struct VersionPath(pub u64);

/// Any one text in the path.
#[derive(Debug)]
pub struct NamePath(pub String);

/// The path's parameters by name, percent-decoded once.
struct Parameters(RawPathParams);

impl Parameters {
    async fn of<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        RawPathParams::from_request_parts(parts, state).await.map(Self).map_err(|_| Fault::Path)
    }

    fn get(&self, name: &str) -> Result<&str, Fault> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value).ok_or(Fault::Path)
    }
}

macro_rules! path {
    ($name:ident, $parameters:ident => $read:expr) => {
        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Fault;
            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
                let $parameters = Parameters::of(parts, state).await?;
                Ok($read)
            }
        }
    };
}

path!(RingPath, path => Self(RingName::new(path.get("ring")?)?));
path!(KeyPath, path => Self(KeyId::new(RingName::new(path.get("ring")?)?, &KeyName::new(path.get("key")?)?)));
path!(EntityPath, path => Self(EntityUid::new(path.get("type")?, path.get("id")?)?));
path!(MemberPath, path => {
    let role = Role::from_word(path.get("role")?).ok_or(Fault::NoSuchRole)?;
    Self(role, EntityUid::new(path.get("type")?, path.get("id")?)?)
});
path!(VersionPath, path => Self(path.get("version")?.parse().map_err(|_| Fault::Path)?));
path!(NamePath, path => Self(path.get("id")?.to_owned()));

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        values.iter().map(|value| (SUBJECT, HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn the_subject_stands_once_and_is_an_entity() {
        assert_eq!(subject(&headers(&[])), Ok(None));
        let ana = EntityUid::new("User", "ana").unwrap();
        assert_eq!(subject(&headers(&[b"User::\"ana\""])), Ok(Some(ana)));
        assert_eq!(subject(&headers(&[b"User::\"ana\"", b"User::\"ana\""])), Err(HeaderError::SubjectTwice));
        assert_eq!(subject(&headers(&[b"User::\"\xff\""])), Err(HeaderError::SubjectText));
        for bad in [&b"ana"[..], b"", b"User::\"ana\", User::\"bob\"", b"User::ana"] {
            assert!(matches!(subject(&headers(&[bad])), Err(HeaderError::Subject(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_subject_in_utf_8_is_read_as_such() {
        let parsed = subject(&headers(&["User::\"żółć\"".as_bytes()])).unwrap().unwrap();
        assert_eq!(parsed.id(), "żółć");
    }
}
