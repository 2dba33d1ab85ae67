//! The right to act, as a value.
//!
//! A verb of the key service or of administration takes a [`Permit`] of its own action by value. Fields
//! are private and there is one constructor, so a handler that forgets to ask does not compile:
//!
//! ```compile_fail,E0451
//! use wardkeep_model::{action::DestroyKey, Permit};
//! fn forge(event: wardkeep_model::AuditEvent) -> Permit<DestroyKey> {
//!     Permit { event, binding: None, release: None, compromised: false, action: std::marker::PhantomData }
//! }
//! ```
//!
//! A permit of one action is not a permit of another:
//!
//! ```compile_fail,E0308
//! use wardkeep_model::{action::{DescribeKey, DestroyKey}, Permit};
//! fn widen(permit: Permit<DescribeKey>) -> Permit<DestroyKey> { permit }
//! ```

use std::marker::PhantomData;

use crate::{Action, AuditEvent, BindingDigest, EntityUid};

/// The right to do one action once: the outcome of one decision, with its audit event inside.
///
/// Neither `Clone` nor `Copy`: one decision, one act, one record. Whoever consumes it takes the event
/// out and makes it durable together with the work.
#[must_use = "a decision that is neither acted on nor recorded breaks the audit log"]
#[derive(Debug)]
pub struct Permit<A: Action> {
    event: AuditEvent,
    binding: Option<BindingDigest>,
    release: Option<Release>,
    compromised: bool,
    action: PhantomData<A>,
}

/// That the policies also let the subject protect or read the record named by the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The record.
    pub record: EntityUid,
}

/// What a decision grants; the argument of [`Permit::assertion`].
#[derive(Debug)]
pub struct Grant {
    /// The decision's event: actor, subject, action, resource, policy version.
    pub event: AuditEvent,
    /// Context and recipient that were decided on.
    pub binding: Option<BindingDigest>,
    /// The decision on the record, where the context names one.
    pub release: Option<Release>,
    /// Whether `UseCompromisedKey` was decided too.
    pub compromised: bool,
}

impl<A: Action> Permit<A> {
    /// Asserts that a decision was taken. **Only the policy engine's decide path may call this**; a test
    /// of the tree (`tests/it/tidy.rs`) fails on the word anywhere else.
    pub fn assertion(grant: Grant) -> Self {
        let Grant { event, binding, release, compromised } = grant;
        Self { event, binding, release, compromised, action: PhantomData }
    }

    /// What may be acted on.
    #[must_use]
    pub fn resource(&self) -> &EntityUid {
        &self.event.resource
    }

    /// Who called.
    #[must_use]
    pub fn actor(&self) -> &EntityUid {
        &self.event.actor
    }

    /// For whom.
    #[must_use]
    pub fn subject(&self) -> &EntityUid {
        &self.event.subject
    }

    /// Context and recipient that the decision was about, for verbs that have them.
    #[must_use]
    pub fn binding(&self) -> Option<&BindingDigest> {
        self.binding.as_ref()
    }

    /// The decision on the record, where there is one.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        self.release.as_ref()
    }

    /// Whether compromised versions may be used.
    #[must_use]
    pub fn covers_compromised(&self) -> bool {
        self.compromised
    }

    /// When the decision was taken.
    #[must_use]
    pub fn decided_at(&self) -> crate::Timestamp {
        self.event.time
    }

    /// The decision's event, for whoever checks it once more before it is used.
    #[must_use]
    pub fn event(&self) -> &AuditEvent {
        &self.event
    }

    /// Ends the permit and gives its event, for the verb to complete and record.
    #[must_use]
    pub fn into_event(self) -> AuditEvent {
        self.event
    }
}
