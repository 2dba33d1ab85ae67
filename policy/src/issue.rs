//! The decision to issue a user key, and what the key says, on one snapshot.
//!
//! The policies come first: whoever is denied does not learn whether the bundle declares the authority, nor anything about
//! the subject's entity. Whoever is allowed is told what does not fit, for they would see the attributes in the key.

use wardkeep_model::{BindingDigest, EventDetail, Grant, IssueBinding, KeyId};

use crate::decide::{Case, Trail, is_scheduler};
use crate::{AuthorityTerms, DenialReason, NotIssuable, Projected, ProjectionError, QuestionError, Refusal, Resource};

impl Case<'_> {
    /// Takes the decision, and projects the subject on the snapshot that decided. The grant is bound to all of it.
    ///
    /// An encryption context is refused: the one a user key is sealed under is the key service's, made of key and serial.
    ///
    /// # Errors
    /// A denial, a question that makes no sense, or attributes that do not fit; see [`Refusal`].
    pub(crate) fn issue(&self) -> Result<(Grant, Projected), Refusal> {
        let caller = self.question.caller;
        if is_scheduler(caller.actor()) {
            return Err(self.denied(DenialReason::NotForTheScheduler, Trail::default()));
        }
        let Some(actor) = self.known_identity(caller.actor()) else {
            return Err(self.denied(DenialReason::UnknownActor, Trail::default()));
        };
        self.check_target()?;
        let key = match self.question.resource {
            Resource::Key(facts) => &facts.id,
            Resource::MissingKey(id) => id,
            _ => return Err(self.wrong_target()),
        };
        if self.question.context.is_some() {
            let action = self.action.as_str();
            return Err(Refusal::Question(QuestionError::ContextNotAllowed { action }));
        }
        let grant = self.data(actor)?;
        let projected = match self.projected(key) {
            Ok(projected) => projected,
            Err(error) => {
                let event = grant.event.with_outcome(error.code());
                return Err(Refusal::NotIssuable(Box::new(NotIssuable { event, error })));
            }
        };
        let AuthorityTerms { bucket, serial_bits } = projected.terms;
        let (schema, attributes) = (projected.schema.to_text(), projected.attributes.to_string());
        let (recipient, shown) = (self.question.recipient, attributes.as_str());
        let issue = IssueBinding { schema: &schema, bucket, serial_bits, attributes: shown, recipient };
        let binding = Some(BindingDigest::of_issue(&issue));
        let event = grant.event.with(EventDetail::Attributes, attributes);
        Ok((Grant { event, binding, ..grant }, projected))
    }

    /// The attributes of the subject's entity that the authority's declarations ask for.
    fn projected(&self, key: &KeyId) -> Result<Projected, ProjectionError> {
        let (snapshot, subject) = (self.snapshot, self.question.caller.subject());
        let projection = snapshot.authority(key).ok_or_else(|| ProjectionError::Undeclared { key: key.clone() })?;
        let other_type = || ProjectionError::SubjectType { key: key.clone(), kind: subject.kind().to_owned() };
        let entity = snapshot.entities.get(subject).filter(|_| projection.subjects.contains(subject.kind()));
        let attributes = projection.attributes(&entity.ok_or_else(other_type)?.record, &snapshot.entities)?;
        if attributes.is_empty() {
            return Err(ProjectionError::Nothing { key: key.clone() });
        }
        let (schema, terms) = (projection.schema.clone(), projection.terms);
        Ok(Projected { schema, terms, attributes, policy_version: snapshot.version })
    }
}
