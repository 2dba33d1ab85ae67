//! Administration: policies, entities, roles, tokens, certificates, each verb under its own permit.
//!
//! Every change goes one way: under one mutex a new snapshot is staged and checked against the lock-out rule, rows and
//! audit event become durable in one commit, and only then the engine takes the snapshot. A caller that goes away in
//! between changes nothing about that, for the work runs in a task of its own.
//!
//! | file | verbs |
//! |---|---|
//! | [`control_set`] | read and change the control set |
//! | [`bundles`] | load, check, activate, list bundles; the schema in force |
//! | `bound` | bound types, over all bundles that ever were in force |
//! | [`entities`] | write, delete, read entities |
//! | [`roles`] | give and take control roles |
//! | [`certificates`] | tokens and certificates, over the authority |
//! | [`audit`] | read and verify the audit log |
//! | [`provision`] | what `server init` and `recover` do on the data folder |
//! | [`load`] | the snapshot that the store's rows describe |
//! | [`row`] | the rows |

pub mod audit;
mod bound;
pub mod bundles;
pub mod certificates;
pub mod control_set;
pub mod entities;
pub mod error;
pub mod load;
pub mod provision;
pub mod roles;
pub mod row;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument;
use wardkeep_kms::{Departure, Gone, Kms};
use wardkeep_model::{AuditEvent, Clock, EntityUid, EventDetail, Identity};
use wardkeep_policy::{Engine, Snapshot};
use wardkeep_store::{Change, Store, Work};

pub use certificates::PolicyAdmission;
pub use error::{AdminError, commit_code};

use crate::ca::Authority;

/// The verbs of administration.
pub struct Admin {
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    authority: Arc<Authority>,
    trust_domain: String,
    kms: Kms,
    turn: Arc<Mutex<()>>,
}

/// That nobody changes policies, roles, entities or certificates meanwhile.
#[derive(Debug)]
pub struct Held {
    _turn: OwnedMutexGuard<()>,
}

/// Whether entities may vanish with a change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Vanishing {
    /// None does.
    Nobody,
    /// Those that the next snapshot does not have.
    Some,
}

/// A change that is worked out and not yet made.
struct Staged<T> {
    snapshot: Snapshot,
    changes: Vec<Change>,
    detail: Vec<(EventDetail, String)>,
    /// What it was about, one event each; empty for one event that says so in `detail`.
    each: Vec<EntityUid>,
    answer: T,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

impl Admin {
    /// Administration over these.
    #[must_use]
    pub fn new(
        engine: Arc<Engine>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        authority: Arc<Authority>,
        trust_domain: String,
        kms: Kms,
    ) -> Self {
        Self { engine, store, clock, authority, trust_domain, kms, turn: Arc::default() }
    }

    /// Takes the turn for a control verb of another room, if what its decision rested on still stands. While it is held
    /// nothing of that changes.
    pub async fn hold(&self, event: &AuditEvent) -> Option<Held> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        self.still_stands(event).ok().map(|()| Held { _turn: turn })
    }

    /// Stages, checks, makes durable, installs.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        event: AuditEvent,
        stage: impl FnOnce(&Self, &Snapshot, u64) -> Result<Staged<T>, AdminError> + Send + 'static,
    ) -> Result<T, AdminError> {
        self.change_with(event, Vanishing::Nobody, stage).await
    }

    /// The same for a change with which entities may vanish.
    async fn change_with<T: Send + 'static>(
        self: &Arc<Self>,
        event: AuditEvent,
        vanishing: Vanishing,
        stage: impl FnOnce(&Self, &Snapshot, u64) -> Result<Staged<T>, AdminError> + Send + 'static,
    ) -> Result<T, AdminError> {
        let admin = Arc::clone(self);
        self.detached(async move {
            let _turn = admin.turn.lock().await;
            if let Err(error) = admin.still_stands(&event) {
                return admin.refuse(event, error).await;
            }
            let stager = Arc::clone(&admin);
            let staged = blocking(move || {
                let now = stager.engine.snapshot();
                let staged = stage(&stager, &now, now.version().saturating_add(1))?;
                stager.stays_open(&staged.snapshot, &stager.enrolled()?)?;
                Ok(staged)
            });
            match staged.await {
                Ok(staged) => match admin.vanished(&event, &staged.snapshot, vanishing).await {
                    Ok(departure) => admin.settle_leaving(event, staged, departure, || ()).await,
                    Err(error) => admin.refuse(event, error).await,
                },
                Err(error) => admin.refuse(event, error).await,
            }
        })
        .await
    }

    /// What goes with the entities that a snapshot does not have any more.
    async fn vanished(
        &self,
        event: &AuditEvent,
        next: &Snapshot,
        vanishing: Vanishing,
    ) -> Result<Option<Departure>, AdminError> {
        // A bundle that is only kept leaves the snapshot as it is.
        if vanishing == Vanishing::Nobody || next.version() == self.engine.snapshot().version() {
            return Ok(None);
        }
        let gone = |name: &EntityUid| !next.has_entity(name);
        Ok(Some(self.kms.departure(event, Gone::All(&gone)).await?))
    }

    /// Makes a staged change durable and puts it in force.
    async fn settle<T>(&self, event: AuditEvent, staged: Staged<T>) -> Result<T, AdminError> {
        self.settle_after(event, staged, || ()).await
    }

    /// The same, with something that must be in force before the snapshot is, once it is durable.
    async fn settle_after<T>(
        &self,
        event: AuditEvent,
        staged: Staged<T>,
        first: impl FnOnce() + Send,
    ) -> Result<T, AdminError> {
        self.settle_leaving(event, staged, None, first).await
    }

    /// The same, with what goes with entities that leave: in the same commit, and nothing is issued until the snapshot is
    /// in force that does not have them.
    async fn settle_leaving<T>(
        &self,
        event: AuditEvent,
        staged: Staged<T>,
        mut departure: Option<Departure>,
        first: impl FnOnce() + Send,
    ) -> Result<T, AdminError> {
        let Staged { snapshot, mut changes, mut detail, each, answer } = staged;
        changes.push(row::put_version(&*self.store, snapshot.version())?);
        let mut done = event.clone().with_outcome("ok");
        done.detail.append(&mut detail);
        if let Some(removed) = departure.as_ref().map(Departure::removed).filter(|removed| !removed.is_empty()) {
            let prints: Vec<String> = removed.iter().map(ToString::to_string).collect();
            done.detail.push((EventDetail::Recipient, prints.join(",")));
        }
        let about = |uid: &EntityUid| done.clone().with(EventDetail::About, uid.to_string());
        let mut events = if each.is_empty() { vec![done] } else { each.iter().map(about).collect() };
        if let Some(departure) = &mut departure {
            changes.extend(departure.take_changes());
            events.extend(departure.take_events());
        }
        match self.store.commit(Work { changes, events }).await {
            Ok(_) => {
                first();
                let revoked = departure.as_mut().map_or(0, Departure::install);
                self.engine.install(snapshot);
                if revoked > 0 {
                    tracing::info!(revoked, "user keys of entities that left were revoked");
                }
                Ok(answer)
            }
            Err(error) => self.refuse(event, error.into()).await,
        }
    }

    /// Asked first thing under the turn: a permit was given before the wait. What the turn before this one changed (a
    /// role taken, a control set put in force, a certificate revoked) must not be undone by who lost by it.
    fn still_stands(&self, event: &AuditEvent) -> Result<(), AdminError> {
        let snapshot = self.engine.snapshot();
        if event.policy_version != snapshot.version() && !snapshot.still_permits(event) {
            return Err(AdminError::PermitStale);
        }
        let Some(serial) = &event.serial else { return Ok(()) };
        let identity = self.identity_of(&event.actor)?;
        let gone = self.authority.shut_out_since(event.time, &identity, serial);
        if gone { Err(AdminError::PermitStale) } else { Ok(()) }
    }

    /// Records that a permitted verb was not done, and why.
    async fn refuse<T>(&self, event: AuditEvent, error: AdminError) -> Result<T, AdminError> {
        self.store.commit(Work::record(vec![event.with_outcome(error.code())])).await?;
        Err(error)
    }

    /// Ends a verb that changes nothing: its record first, then the answer.
    async fn record<T>(&self, event: AuditEvent, result: Result<T, AdminError>) -> Result<T, AdminError> {
        let outcome = result.as_ref().err().map_or("ok", AdminError::code);
        self.store.commit(Work::record(vec![event.with_outcome(outcome)])).await?;
        result
    }

    /// A caller that goes away must not leave a change durable in the store and unknown in memory.
    async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, AdminError>> + Send + 'static,
    ) -> Result<T, AdminError> {
        tokio::spawn(work.in_current_span()).await.unwrap_or(Err(AdminError::ShuttingDown))
    }

    /// The lock-out rule: somebody with a valid certificate may still change the control set.
    fn stays_open(&self, snapshot: &Snapshot, enrolled: &[EntityUid]) -> Result<(), AdminError> {
        let open = enrolled.iter().any(|identity| snapshot.may_change_control_set(identity));
        if open { Ok(()) } else { Err(AdminError::LockedOut) }
    }

    /// The entities that somebody has a valid certificate for. A CA of the operator's own keeps its own books: there
    /// every holder of a role counts, for holders alone can be permitted by the control set as it starts.
    fn enrolled(&self) -> Result<Vec<EntityUid>, AdminError> {
        let snapshot = self.engine.snapshot();
        if self.authority.certificate().is_none() {
            return Ok(snapshot.role_holders().map(|(holder, _)| holder.clone()).collect());
        }
        Ok(entities_of(&snapshot, &self.authority.enrolled()?))
    }

    /// The identity that an entity is, if a certificate could name it.
    fn identity_of(&self, entity: &EntityUid) -> Result<Identity, AdminError> {
        let snapshot = self.engine.snapshot();
        let kind = snapshot.identity().kinds().find(|(_, target)| *target == entity.kind()).map(|(kind, _)| kind);
        let identity = kind.and_then(|kind| Identity::new(&self.trust_domain, kind, entity.id()).ok());
        identity.ok_or_else(|| AdminError::NoIdentity { entity: entity.clone() })
    }
}

/// The entities of identities, as the snapshot maps them.
fn entities_of(snapshot: &Snapshot, identities: &[Identity]) -> Vec<EntityUid> {
    identities.iter().filter_map(|identity| snapshot.identity().entity_of(identity)).collect()
}

/// Runs what takes long off the threads that answer requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdminError> + Send + 'static,
) -> Result<T, AdminError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(AdminError::ShuttingDown))
}
