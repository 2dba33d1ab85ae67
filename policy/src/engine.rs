//! The engine: the snapshot in force, and the one place where a permit comes into being.

use std::sync::Arc;

use arc_swap::ArcSwap;
use wardkeep_model::{Action, ActionName, AuditEvent, Caller, Clock, Decision, EntityUid, Permit, RequestId};

use crate::decide::Case;
use crate::keys::KeyCache;
use crate::{Question, Refusal, Resource, Snapshot};

/// Decides. Shared by all requests; the snapshot in force is swapped without a lock.
pub struct Engine {
    snapshot: ArcSwap<Snapshot>,
    clock: Arc<dyn Clock>,
    keys: KeyCache,
}

impl Engine {
    /// An engine over a first snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot, clock: Arc<dyn Clock>) -> Self {
        Self { snapshot: ArcSwap::from_pointee(snapshot), clock, keys: KeyCache::default() }
    }

    /// The snapshot in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another snapshot in force. Decisions under way end with the one they began with.
    pub fn install(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Everything a verb needs, in one decision: that the actor may act for the subject, the action on the resource,
    /// the protect or release action on the record that the context names, and `UseCompromisedKey` where asked.
    ///
    /// # Errors
    /// [`Refusal::Denied`] (403) with the event to record, or [`Refusal::Question`] (400, 422): nothing was decided.
    pub fn decide<A: Action>(&self, question: &Question<'_>) -> Result<Permit<A>, Refusal> {
        let snapshot = self.snapshot.load();
        let (keys, time) = (&self.keys, self.clock.now());
        let case = Case { snapshot: &snapshot, keys, time, action: A::NAME, question };
        case.run().map(Permit::assertion)
    }

    /// The same decision for one line of a list, whose denials are not recorded singly.
    pub fn glance<A: Action>(&self, question: &Question<'_>) -> Option<Permit<A>> {
        self.decide(question).ok()
    }

    /// The one record of a list: who listed what, under which policies. The verb adds filter and count.
    #[must_use]
    pub fn list_event(&self, caller: &Caller, action: ActionName, resource: EntityUid) -> AuditEvent {
        AuditEvent {
            time: self.clock.now(),
            actor: caller.actor().clone(),
            subject: caller.subject().clone(),
            action: action.as_str().to_owned(),
            resource,
            record: None,
            decision: Decision::Allow,
            policies: Vec::new(),
            errors: Vec::new(),
            policy_version: self.snapshot.load().version,
            outcome: "ok",
            request: caller.request().clone(),
            serial: caller.serial().cloned(),
            detail: Vec::new(),
        }
    }
}

impl Snapshot {
    /// Whether an identity may change the control set: it has an entity, and the control set in force permits it.
    ///
    /// After every change of the control set, of a role, an entity or a revocation somebody enrolled must be.
    #[must_use]
    pub fn may_change_control_set(&self, identity: &EntityUid) -> bool {
        let caller = Caller::itself(identity.clone(), None, RequestId::from_random(0));
        let resource = Resource::System("wardkeep");
        let question = Question { caller: &caller, resource, context: None, recipient: None, compromised: false };
        let (keys, time) = (&KeyCache::default(), wardkeep_model::Timestamp::default());
        let action = ActionName::ChangeControlSet;
        Case { snapshot: self, keys, time, action, question: &question }.run().is_ok()
    }
}
