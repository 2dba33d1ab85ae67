//! One decision from question to grant or refusal, in the order that leaks nothing.
//!
//! 1. the actor has an entity;
//! 2. the question makes sense;
//! 3. the actor may act for the subject;
//! 4. the action on the named resource;
//! 5. `UseCompromisedKey`, where asked; `IssueUserKeyFor`, on the actor, where a user key is issued for somebody else;
//! 6. the protect or release action on the record.
//!
//! The first that fails ends it. All of it is one audit event.
//!
//! Why in this order: an identity without an entity must learn nothing, not even which types a bundle declares, so that
//! comes first. What makes a question senseless depends on manifest and schema alone, never on what exists, so that a
//! 400 or 422 tells nobody whether a key or record is there. The key comes before the record: who may not use the key
//! does not learn whether a stored record exists, and who may is still told only *denied*.

use std::sync::Arc;

use cedar_policy_core::ast::Context;
use sha2::{Digest, Sha256};
use wardkeep_model::action::Target;
use wardkeep_model::{
    ActionName, AuditEvent, BindingDigest, Decision, EncryptionContext, EntityUid, EventDetail, Grant, PolicySet,
    Release, ResourceBinding, Timestamp,
};

use crate::entities::Parsed;
use crate::keys::{KeyCache, Thing};
use crate::meaning::Verdict;
use crate::plan::{ActionPlan, RecordAction, RecordPlan};
use crate::question::takes_record;
use crate::scene::{Record, verdict};
use crate::value::BUILTIN;
use crate::{DenialReason, Denied, Question, QuestionError, Refusal, Resource, Snapshot, Source};

/// The name under which the server's own jobs act.
pub(crate) const SCHEDULER: (&str, &str) = ("Wardkeep::System", "scheduler");
/// What they may do. It stands in the engine, not in a policy set, so that no set can forbid it.
const SCHEDULED: [ActionName; 2] = [ActionName::RotateKey, ActionName::DestroyKey];
/// The id that audit records of such decisions name.
const SCHEDULER_POLICY: &str = "wardkeep:scheduler";

/// One decision under way.
pub(crate) struct Case<'a> {
    /// What was in force when the request began.
    pub(crate) snapshot: &'a Snapshot,
    /// Keys, kept parsed over all snapshots.
    pub(crate) keys: &'a KeyCache,
    /// When the decision is taken, as its event says.
    pub(crate) time: Timestamp,
    /// The verb.
    pub(crate) action: ActionName,
    /// Who, on what, with which circumstances.
    pub(crate) question: &'a Question<'a>,
}

/// What the decisions so far said, for the event.
#[derive(Default)]
pub(crate) struct Trail {
    policies: Vec<String>,
    errors: Vec<String>,
    record: Option<(EntityUid, String)>,
}

impl<'a> Case<'a> {
    /// Takes the decision.
    pub(crate) fn run(&self) -> Result<Grant, Refusal> {
        let caller = self.question.caller;
        if is_scheduler(caller.actor()) {
            return self.scheduled();
        }
        let Some(actor) = self.known_identity(caller.actor()) else {
            return Err(self.denied(DenialReason::UnknownActor, Trail::default()));
        };
        self.check_target()?;
        match (self.action.set(), self.action) {
            (PolicySet::Control, _) => self.control(actor),
            // Their grant would lack the digest of what the key is issued with.
            (PolicySet::Data, ActionName::IssueUserKey | ActionName::IssueUserKeyFor) => {
                Err(Refusal::Question(QuestionError::DecidedAtIssue { action: self.action.as_str() }))
            }
            (PolicySet::Data, _) => self.data(actor),
        }
    }

    /// What has to hold before a list has a first line; its lines are decided one by one.
    pub(crate) fn list(&self) -> Result<AuditEvent, Refusal> {
        let caller = self.question.caller;
        let mut trail = Trail::default();
        let Some(actor) = self.known_identity(caller.actor()) else {
            return Err(self.denied(DenialReason::UnknownActor, trail));
        };
        match self.action.set() {
            PolicySet::Control if caller.acts_for_another() => {
                Err(Refusal::Question(QuestionError::SubjectOnControlVerb { action: self.action.as_str() }))
            }
            PolicySet::Control => Ok(self.event(Decision::Allow, "ok", trail)),
            PolicySet::Data => {
                self.subject(actor, &mut trail)?;
                Ok(self.event(Decision::Allow, "ok", trail))
            }
        }
    }

    /// The server's own jobs: fixed verbs, on any key, for nobody else.
    fn scheduled(&self) -> Result<Grant, Refusal> {
        let acts_for_itself = !self.question.caller.acts_for_another() && self.question.caller.serial().is_none();
        if !acts_for_itself || !SCHEDULED.contains(&self.action) || self.question.context.is_some() {
            return Err(self.denied(DenialReason::NotForTheScheduler, Trail::default()));
        }
        self.check_target()?;
        let trail = Trail { policies: vec![SCHEDULER_POLICY.to_owned()], ..Trail::default() };
        Ok(Grant { event: self.event(Decision::Allow, "ok", trail), binding: None, release: None, compromised: false })
    }

    /// A control verb: the actor itself, its roles, nothing of the bundle.
    fn control(&self, actor: &Parsed) -> Result<Grant, Refusal> {
        let action = self.action.as_str();
        if self.question.caller.acts_for_another() {
            return Err(Refusal::Question(QuestionError::SubjectOnControlVerb { action }));
        }
        if self.question.context.is_some_and(|context| context.resource().is_some()) {
            return Err(Refusal::Question(QuestionError::ResourceNotAllowed { action }));
        }
        let mut trail = Trail::default();
        let held = self.snapshot.roles.bits_of(&actor.record.uid);
        let (allowed, forbidden) = match self.control_verdict(&actor.record.uid, held) {
            Some((plan, verdict)) => (trail.take(plan, &verdict), verdict.forbidden),
            None => (false, false),
        };
        if !allowed {
            return Err(self.denied(not_permitted(forbidden), trail));
        }
        if let (ActionName::IssueToken, Resource::Identity(target)) = (self.action, self.question.resource)
            && self.snapshot.roles.bits_of(target) & !held != 0
        {
            trail.policies.clear();
            return Err(self.denied(DenialReason::StrongerIdentity, trail));
        }
        Ok(Grant { event: self.event(Decision::Allow, "ok", trail), binding: None, release: None, compromised: false })
    }

    /// What the control set says; `None` where the resource is none of a control verb's, and that is a denial.
    fn control_verdict(&self, actor: &EntityUid, roles: u8) -> Option<(&'a ActionPlan, Verdict)> {
        let control = &self.snapshot.control;
        let builtin = BUILTIN.as_ref()?;
        let resource = match self.question.resource {
            Resource::System(part) => Thing::system(builtin, part),
            Resource::Role(role) => Thing::role(builtin, role),
            Resource::Identity(uid) => Thing::identity(&control.types, uid, self.snapshot.roles.bits_of(uid))?,
            Resource::Key(_) | Resource::MissingKey(_) | Resource::Ring { .. } => return None,
        };
        let principal = Thing::identity(&control.types, actor, roles)?;
        let plan = control.plans.get(&self.action)?;
        let entities = [principal.entity.clone(), resource.entity.clone()];
        Some((plan, verdict(plan, &principal, &resource, Context::empty(), Some(entities.into()))))
    }

    /// A data verb: the subject, the bundle in force.
    pub(crate) fn data(&self, actor: &'a Parsed) -> Result<Grant, Refusal> {
        let record = self.check_record()?;
        let mut trail = Trail::default();
        if let Some((binding, plan)) = record {
            trail.record = Some((binding.entity.clone(), self.record_action(plan).name.clone()));
        }
        let subject = self.subject(actor, &mut trail)?;
        let Some(resource) = self.resource() else {
            return Err(self.denied(DenialReason::NoPermit, trail));
        };
        self.own_action(self.action, (actor, subject), &resource, &mut trail)?;
        if self.question.compromised {
            self.own_action(ActionName::UseCompromisedKey, (actor, subject), &resource, &mut trail)?;
        }
        if self.action == ActionName::IssueUserKey && self.question.caller.acts_for_another() {
            self.own_action(ActionName::IssueUserKeyFor, (actor, actor), &resource, &mut trail)?;
        }
        let mut release = None;
        if let Some((binding, plan)) = record {
            self.on_record(binding, plan, (actor, subject), &mut trail)?;
            release = Some(Release { record: binding.entity.clone() });
        }
        let binding = self.question.context.map(|context| BindingDigest::new(context, self.question.recipient));
        let event = self.event(Decision::Allow, "ok", trail);
        Ok(Grant { event, binding, release, compromised: self.question.compromised })
    }

    /// The one the action is decided for: the actor, or whom it may act for.
    fn subject(&self, actor: &'a Parsed, trail: &mut Trail) -> Result<&'a Parsed, Refusal> {
        let caller = self.question.caller;
        if !caller.acts_for_another() {
            return Ok(actor);
        }
        let (snapshot, uid) = (self.snapshot, caller.subject());
        if uid.is_reserved() {
            return Err(Refusal::Question(QuestionError::ReservedSubject { subject: uid.clone() }));
        }
        let manifest = &snapshot.data.manifest;
        let may_be =
            snapshot.identity.is_identity_type(uid.kind()) || manifest.subjects.iter().any(|t| t == uid.kind());
        let Some(subject) = snapshot.entities.get(uid).filter(|_| may_be) else {
            return Err(self.denied(DenialReason::UnknownSubject, std::mem::take(trail)));
        };
        if snapshot.roles.bits_of(uid) != 0 {
            return Err(self.denied(DenialReason::SubjectHoldsRole, std::mem::take(trail)));
        }
        let allowed = snapshot.data.act_for.as_ref().is_some_and(|plan| {
            let (context, _) = self.context(plan.shape, actor);
            let thing = Thing { uid: subject.uid.clone(), entity: subject.entity.clone() };
            let entities =
                self.slice(plan, &[&actor.refs, &subject.refs], vec![actor.entity.clone(), thing.entity.clone()]);
            let principal = Thing { uid: actor.uid.clone(), entity: actor.entity.clone() };
            trail.take(plan, &verdict(plan, &principal, &thing, context, entities))
        });
        if allowed { Ok(subject) } else { Err(self.denied(DenialReason::MayNotActFor, std::mem::take(trail))) }
    }

    /// One of Wardkeep's own actions on the named resource.
    fn own_action(
        &self,
        action: ActionName,
        who: (&Parsed, &Parsed),
        resource: &Thing,
        trail: &mut Trail,
    ) -> Result<(), Refusal> {
        let Some(plan) = self.snapshot.data.plans.get(&action) else {
            return Err(self.denied(DenialReason::NoPermit, std::mem::take(trail)));
        };
        let verdict = self.on_behalf(plan, who, resource, &[]);
        if trail.take(plan, &verdict) {
            return Ok(());
        }
        let reason = match action {
            ActionName::UseCompromisedKey => DenialReason::CompromisedKey,
            ActionName::IssueUserKeyFor => DenialReason::MayNotIssueFor,
            _ => not_permitted(verdict.forbidden),
        };
        Err(self.denied(reason, std::mem::take(trail)))
    }

    /// The protect or release action on the record that the context names.
    fn on_record(
        &self,
        binding: &ResourceBinding,
        plan: &RecordPlan,
        who: (&Parsed, &Parsed),
        trail: &mut Trail,
    ) -> Result<(), Refusal> {
        let RecordAction { principals, plan: action, .. } = self.record_action(plan);
        if !principals.contains(who.1.record.uid.kind()) {
            trail.policies.clear();
            return Err(self.denied(DenialReason::NoPermitOnRecord, std::mem::take(trail)));
        }
        let record = match plan.source {
            Source::Stored => match self.snapshot.entities.get(&binding.entity) {
                None => return Err(self.denied(DenialReason::UnknownRecord, std::mem::take(trail))),
                Some(found) => Record {
                    thing: Thing { uid: found.uid.clone(), entity: found.entity.clone() },
                    refs: found.refs.to_vec(),
                },
            },
            Source::Bound => self.bound(binding)?,
        };
        let verdict = self.on_behalf(action, who, &record.thing, &record.refs);
        if trail.take(action, &verdict) {
            return Ok(());
        }
        let forbidden = verdict.forbidden;
        let reason = if forbidden { DenialReason::ForbiddenOnRecord } else { DenialReason::NoPermitOnRecord };
        Err(self.denied(reason, std::mem::take(trail)))
    }

    /// Making a data key protects the record, opening one releases it. Everything but making asks for the release, so that
    /// a verb added later is never the weaker one by accident.
    fn record_action<'p>(&self, plan: &'p RecordPlan) -> &'p RecordAction {
        match self.action {
            ActionName::GenerateDataKey => &plan.protect,
            _ => &plan.release,
        }
    }

    /// The decision for a subject, with the actor in the context.
    fn on_behalf(&self, plan: &ActionPlan, who: (&Parsed, &Parsed), resource: &Thing, refs: &[EntityUid]) -> Verdict {
        let (actor, subject) = who;
        let (context, encryption) = self.context(plan.shape, actor);
        let mut roots = vec![subject.entity.clone(), resource.entity.clone()];
        roots.extend(encryption.map(|thing| thing.entity));
        let entities = self.slice(plan, &[&subject.refs, refs], roots);
        let principal = Thing { uid: subject.uid.clone(), entity: subject.entity.clone() };
        verdict(plan, &principal, resource, context, entities)
    }

    /// An entity that a certificate can name, and that exists.
    pub(crate) fn known_identity(&self, uid: &EntityUid) -> Option<&'a Parsed> {
        let known = self.snapshot.identity.is_identity_type(uid.kind());
        self.snapshot.entities.get(uid).filter(|_| known).map(Arc::as_ref)
    }

    /// The record of the context and its plan, where this verb decides on one.
    fn check_record(&self) -> Result<Option<(&'a ResourceBinding, &'a RecordPlan)>, Refusal> {
        let Some(binding) = self.question.context.and_then(EncryptionContext::resource) else { return Ok(None) };
        let kind = binding.entity.kind();
        if !takes_record(self.action) {
            return Err(Refusal::Question(QuestionError::ResourceNotAllowed { action: self.action.as_str() }));
        }
        if self.action == ActionName::RewrapDataKey {
            return Ok(None);
        }
        let Some(plan) = self.snapshot.data.records.get(kind) else {
            return Err(Refusal::Question(QuestionError::UndeclaredType { kind: kind.to_owned() }));
        };
        if plan.source == Source::Stored && (binding.attributes.is_some() || binding.parents.is_some()) {
            return Err(Refusal::Question(QuestionError::StoredTypeWithAttributes { kind: kind.to_owned() }));
        }
        Ok(Some((binding, plan)))
    }

    /// That the action is done to such a thing at all. A handler that mixes them up gets 400, not a decision about
    /// something it did not mean.
    pub(crate) fn check_target(&self) -> Result<(), Refusal> {
        let fits = match (self.action.target(), self.question.resource) {
            (Target::Key, Resource::Key(_) | Resource::MissingKey(_))
            | (Target::Ring, Resource::Ring { .. })
            | (Target::System, Resource::System(_))
            | (Target::Role, Resource::Role(_)) => true,
            (Target::Identity, Resource::Identity(uid)) => self.snapshot.identity.is_identity_type(uid.kind()),
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(self.wrong_target())
    }

    /// The action is not done to such a thing.
    pub(crate) fn wrong_target(&self) -> Refusal {
        let (action, resource) = (self.action.as_str(), self.question.resource.entity());
        Refusal::Question(QuestionError::WrongTarget { action, resource })
    }

    /// A denial, its event complete but for the chain. The caller is told none of the reason.
    pub(crate) fn denied(&self, reason: DenialReason, mut trail: Trail) -> Refusal {
        if matches!(reason, DenialReason::UnknownActor | DenialReason::UnknownSubject | DenialReason::SubjectHoldsRole)
        {
            trail.policies.clear();
        }
        let event = self.event(Decision::Deny, "denied", trail).with(EventDetail::Reason, reason.as_str());
        Refusal::Denied(Box::new(Denied { event, reason }))
    }

    /// The one event of all decisions of this request.
    fn event(&self, decision: Decision, outcome: &'static str, trail: Trail) -> AuditEvent {
        let caller = self.question.caller;
        let mut detail = Vec::new();
        if let Some(recipient) = self.question.recipient {
            detail.push((EventDetail::Recipient, recipient.to_string()));
        }
        if let Some(context) = self.question.context {
            detail.push((EventDetail::ContextDigest, hex(&Sha256::digest(context.canonical()))));
        }
        let Trail { policies, errors, record } = trail;
        AuditEvent {
            time: self.time,
            actor: caller.actor().clone(),
            subject: caller.subject().clone(),
            action: self.action.as_str().to_owned(),
            resource: self.question.resource.entity(),
            record,
            decision,
            policies,
            errors,
            policy_version: self.snapshot.version,
            outcome,
            request: caller.request().clone(),
            serial: caller.serial().cloned(),
            detail,
        }
    }
}

impl Trail {
    /// Takes up what one decision said; a denial forgets the permits of those before it.
    fn take(&mut self, plan: &ActionPlan, verdict: &Verdict) -> bool {
        if !verdict.allow {
            self.policies.clear();
        }
        let ids = |indices: &[usize]| -> Vec<String> {
            indices.iter().filter_map(|at| plan.rules.get(*at)).map(|rule| rule.id.clone()).collect()
        };
        self.policies.extend(ids(&verdict.reasons));
        self.errors.extend(ids(&verdict.errors));
        verdict.allow
    }
}

/// Whether an actor is the server's own jobs. No certificate names it: `[identity]` never maps to `Wardkeep::`.
pub(crate) fn is_scheduler(uid: &EntityUid) -> bool {
    (uid.kind(), uid.id()) == SCHEDULER
}

/// Default deny, or a rule's deny.
fn not_permitted(forbidden: bool) -> DenialReason {
    if forbidden { DenialReason::Forbidden } else { DenialReason::NoPermit }
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
