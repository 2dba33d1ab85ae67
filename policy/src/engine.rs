//! The engine: the snapshot in force, and the one place where a permit comes into being.

use std::sync::Arc;

use arc_swap::ArcSwap;
use wardkeep_model::action::IssueUserKey;
use wardkeep_model::{Action, ActionName, AuditEvent, Caller, Clock, EntityUid, KeyId, Permit, PolicySet, RequestId};

use crate::decide::Case;
use crate::keys::KeyCache;
use crate::{Projected, Question, ROLE_TYPE, Refusal, Resource, Role, Snapshot};

/// The part of the installation that the verbs of the control set are decided on. The verbs and the lock-out rule ask
/// about this very name: were they two, a control set could permit the one and forbid the other.
pub const CONTROL_SET: &str = "control-set";

/// The part of the installation that the registered public keys of subjects are.
pub const RECIPIENTS: &str = "recipients";

/// The part of the installation that the escrow of an authority is, `escrow/<ring>/<name>`: a rule of the control set
/// may speak of one authority.
#[must_use]
pub fn escrow_part(key: &KeyId) -> String {
    format!("escrow/{key}")
}

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

    /// Everything that issuing a user key needs, in one decision: that the actor may act for the subject, `IssueUserKey` on
    /// the subject, `IssueUserKeyFor` on the actor where that is somebody else. And on the same snapshot what the key says:
    /// the subject's attributes as the manifest projects them, never the caller's. The permit is bound to them
    /// ([`wardkeep_model::BindingDigest::of_issue`]) and its event names them.
    ///
    /// # Errors
    /// As [`Engine::decide`]; and [`Refusal::NotIssuable`] (409, 422) with the event to record, where the policies allow
    /// it and the subject's entity does not fit what the authority declares.
    pub fn decide_issue(&self, question: &Question<'_>) -> Result<(Permit<IssueUserKey>, Projected), Refusal> {
        let snapshot = self.snapshot.load();
        let (keys, time) = (&self.keys, self.clock.now());
        let case = Case { snapshot: &snapshot, keys, time, action: ActionName::IssueUserKey, question };
        case.issue().map(|(grant, projected)| (Permit::assertion(grant), projected))
    }

    /// The same decision for one line of a list, whose denials are not recorded singly.
    pub fn glance<A: Action>(&self, question: &Question<'_>) -> Option<Permit<A>> {
        self.decide(question).ok()
    }

    /// The one record of a list: who listed what, under which policies. The verb adds filter and count.
    ///
    /// Each line of a list is decided by [`Engine::glance`]. What has to hold before the first line is decided here: the
    /// actor has an entity, and may act for the subject it names. Otherwise the log would name a subject that somebody
    /// made up.
    ///
    /// # Errors
    /// As [`Engine::decide`].
    pub fn list_event(
        &self,
        caller: &Caller,
        action: ActionName,
        resource: Resource<'_>,
    ) -> Result<AuditEvent, Refusal> {
        let snapshot = self.snapshot.load();
        let (keys, time) = (&self.keys, self.clock.now());
        let question = Question { caller, resource, context: None, recipient: None, compromised: false };
        Case { snapshot: &snapshot, keys, time, action, question: &question }.list()
    }
}

impl Snapshot {
    /// Whether an identity may change the control set: it has an entity, and the control set in force permits it.
    ///
    /// After every change of the control set, of a role, an entity or a revocation somebody enrolled must be.
    #[must_use]
    pub fn may_change_control_set(&self, identity: &EntityUid) -> bool {
        self.permits(ActionName::ChangeControlSet, identity, Resource::System(CONTROL_SET))
    }

    /// Whether what was decided for a control verb would still be decided so: a permit that waited for its turn may
    /// have outlived the snapshot it came from. False for whatever is no control verb's event.
    #[must_use]
    pub fn still_permits(&self, event: &AuditEvent) -> bool {
        let action =
            ActionName::ALL.iter().find(|name| name.as_str() == event.action && name.set() == PolicySet::Control);
        let resource = match event.resource.kind() {
            "Wardkeep::System" => Some(Resource::System(event.resource.id())),
            ROLE_TYPE => Role::from_word(event.resource.id()).map(Resource::Role),
            _ => Some(Resource::Identity(&event.resource)),
        };
        match (action, resource) {
            (Some(action), Some(resource)) => self.permits(*action, &event.actor, resource),
            _ => false,
        }
    }

    /// One answer of this snapshot that becomes no permit and no record.
    fn permits(&self, action: ActionName, actor: &EntityUid, resource: Resource<'_>) -> bool {
        let caller = Caller::itself(actor.clone(), None, RequestId::from_random(0));
        let question = Question { caller: &caller, resource, context: None, recipient: None, compromised: false };
        let (keys, time) = (&KeyCache::default(), wardkeep_model::Timestamp::default());
        Case { snapshot: self, keys, time, action, question: &question }.run().is_ok()
    }
}
