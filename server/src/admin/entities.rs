//! Entities: write, delete, read.

use std::sync::Arc;

use wardkeep_kms::Gone;
use wardkeep_model::action::{ChangeEntity, DescribeEntity};
use wardkeep_model::{AuditEvent, EntityUid, EventDetail, Permit};
use wardkeep_policy::{EntityChange, EntityError, EntityErrors, EntityRecord, Snapshot};
use wardkeep_store::Change;

use super::{Admin, AdminError, Staged, blocking, entities_of, row};
use crate::ca::Target;

/// Most entities of one change.
pub const MAX_ENTITIES: usize = 10_000;

/// What a change of entities did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// How many were written or deleted.
    pub count: usize,
    /// The version of the snapshot now in force.
    pub version: u64,
}

/// Which entities to list.
#[derive(Debug, Clone)]
pub struct ListEntities {
    /// Only those of this type.
    pub kind: Option<String>,
    /// The page starts behind this one.
    pub after: Option<EntityUid>,
    /// Most of the page.
    pub limit: usize,
}

/// One page of entities.
#[derive(Debug, Clone)]
pub struct EntityPage {
    /// In the order of type and id.
    pub items: Vec<EntityRecord>,
    /// Where the next page starts.
    pub next: Option<EntityUid>,
}

impl Admin {
    /// Writes entities, all of them or none; one that exists is replaced.
    ///
    /// # Errors
    /// [`AdminError::Entities`] with every reason; [`AdminError::EntityCount`]; [`AdminError::LockedOut`].
    pub async fn put_entities(
        self: &Arc<Self>,
        permit: Permit<ChangeEntity>,
        records: Vec<EntityRecord>,
    ) -> Result<Changed, AdminError> {
        self.change(permit.into_event(), move |admin, now, version| {
            let count = records.len();
            if !(1..=MAX_ENTITIES).contains(&count) {
                return Err(AdminError::EntityCount { count, max: MAX_ENTITIES });
            }
            let puts: Vec<EntityChange> = records.iter().cloned().map(EntityChange::Put).collect();
            let snapshot = now.with_entities(&puts, version)?;
            // The last of two writes of one entity counts, in the rows as in the snapshot.
            let mut newest = std::collections::BTreeMap::new();
            newest.extend(records.iter().map(|record| (&record.uid, record)));
            let changes =
                newest.values().map(|record| row::put_entity(&*admin.store, record)).collect::<Result<_, _>>()?;
            // One event for each: who looks for what was done to an entity looks for its name.
            let each = newest.into_keys().cloned().collect();
            let detail = vec![(EventDetail::Count, count.to_string())];
            Ok(Staged { snapshot, changes, detail, each, answer: Changed { count, version } })
        })
        .await
    }

    /// Deletes an entity. With an identity go its certificates and open tokens, and with every entity its user keys and
    /// the public key registered for it, in the same commit: whoever is given the name later must not find that the
    /// credentials of the one before them work again.
    ///
    /// # Errors
    /// [`AdminError::EntityNotFound`]; [`AdminError::Entities`] for one that holds a role or stands in the bundle;
    /// [`AdminError::LockedOut`].
    pub async fn delete_entity(
        self: &Arc<Self>,
        permit: Permit<ChangeEntity>,
        uid: EntityUid,
    ) -> Result<Changed, AdminError> {
        let event = permit.into_event().with(EventDetail::About, uid.to_string());
        let admin = Arc::clone(self);
        self.detached(async move {
            let _turn = admin.turn.lock().await;
            match admin.delete(event.clone(), uid).await {
                // A commit that failed has recorded itself.
                Err(error) if !matches!(error, AdminError::Commit(_)) => admin.refuse(event, error).await,
                done => done,
            }
        })
        .await
    }

    async fn delete(self: &Arc<Self>, event: AuditEvent, uid: EntityUid) -> Result<Changed, AdminError> {
        self.still_stands(&event)?;
        let now = self.engine.snapshot();
        let version = now.version().saturating_add(1);
        let mut deletion = vec![EntityChange::Delete(uid.clone())];
        if now.entity(&uid).is_none() {
            // One that a recovery set aside is in the store alone, and can go like any other.
            if !row::holds_entity(&*self.store, &uid)? {
                return Err(AdminError::EntityNotFound);
            }
            if !now.roles_of(&uid).is_empty() {
                return Err(EntityErrors::from((uid, EntityError::HoldsRole)).into());
            }
            deletion.clear();
        }
        let snapshot = blocking(move || Ok(now.with_entities(&deletion, version)?)).await?;
        let mut changes: Vec<Change> = row::delete_entity(&*self.store, &uid)?.into_iter().collect();
        let (answer, each) = (Changed { count: 1, version }, Vec::new());
        // One of the bundle that shows again is no other identity, and what no certificate can name has none.
        let gone = snapshot.entity(&uid).is_none();
        let Some(identity) = self.identity_of(&uid).ok().filter(|_| gone) else {
            let admin = Arc::clone(self);
            let enrolled = blocking(move || admin.enrolled()).await?;
            self.stays_open(&snapshot, &enrolled)?;
            let leaving = Some(self.kms.departure(&event, Gone::One(&uid)).await?);
            let staged = Staged { snapshot, changes, detail: Vec::new(), each, answer };
            return self.settle_leaving(event, staged, leaving, || ()).await;
        };
        let mut plan = self.authority.plan(Target::Identity { identity, keep: Vec::new() }).await?;
        let enrolled = match self.authority.certificate() {
            Some(_) => entities_of(&snapshot, plan.remaining()),
            None => self.enrolled()?,
        };
        self.stays_open(&snapshot, &enrolled)?;
        changes.extend(plan.take_changes());
        let detail = vec![(EventDetail::Count, plan.serials().len().to_string())];
        let leaving = Some(self.kms.departure(&event, Gone::One(&uid)).await?);
        let staged = Staged { snapshot, changes, detail, each, answer };
        self.settle_leaving(event, staged, leaving, || plan.apply()).await
    }

    /// One entity.
    ///
    /// # Errors
    /// [`AdminError::EntityNotFound`]
    pub async fn entity(&self, permit: Permit<DescribeEntity>, uid: &EntityUid) -> Result<EntityRecord, AdminError> {
        let found = self.engine.snapshot().entity(uid).ok_or(AdminError::EntityNotFound);
        self.record(permit.into_event().with(EventDetail::About, uid.to_string()), found).await
    }

    /// One page of entities, those of the bundle in force among them.
    ///
    /// # Errors
    /// What the store says.
    pub async fn entities(&self, permit: Permit<DescribeEntity>, list: ListEntities) -> Result<EntityPage, AdminError> {
        let event = permit.into_event().with(EventDetail::Filter, list.kind.clone().unwrap_or_default());
        let snapshot = self.engine.snapshot();
        let page = blocking(move || Ok(page(&snapshot, &list))).await;
        let count = page.as_ref().map_or(0, |page| page.items.len()).to_string();
        self.record(event.with(EventDetail::Count, count), page).await
    }
}

fn page(snapshot: &Snapshot, list: &ListEntities) -> EntityPage {
    let kept = |record: &&EntityRecord| {
        list.kind.as_ref().is_none_or(|kind| kind == record.uid.kind())
            && list.after.as_ref().is_none_or(|after| *after < record.uid)
    };
    let mut found: Vec<&EntityRecord> = snapshot.entities().filter(kept).collect();
    found.sort_unstable_by(|one, other| one.uid.cmp(&other.uid));
    let more = found.len() > list.limit;
    found.truncate(list.limit);
    let next = if more { found.last().map(|record| record.uid.clone()) } else { None };
    EntityPage { items: found.into_iter().cloned().collect(), next }
}
