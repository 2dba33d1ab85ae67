//! Entities: write, delete, read.

use std::sync::Arc;

use wardkeep_model::action::{ChangeEntity, DescribeEntity};
use wardkeep_model::{EntityUid, EventDetail, Permit};
use wardkeep_policy::{EntityChange, EntityRecord, Snapshot};

use super::{Admin, AdminError, Staged, blocking, row};

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
            let mut detail = vec![(EventDetail::Count, count.to_string())];
            detail.extend(records.first().map(|record| (EventDetail::About, record.uid.to_string())));
            Ok(Staged { snapshot, changes, detail, answer: Changed { count, version } })
        })
        .await
    }

    /// Deletes an entity.
    ///
    /// # Errors
    /// [`AdminError::EntityNotFound`]; [`AdminError::Entities`] for one that holds a role or stands in the bundle.
    pub async fn delete_entity(
        self: &Arc<Self>,
        permit: Permit<ChangeEntity>,
        uid: EntityUid,
    ) -> Result<Changed, AdminError> {
        self.change(permit.into_event(), move |admin, now, version| {
            if now.entity(&uid).is_none() {
                return Err(AdminError::EntityNotFound);
            }
            let snapshot = now.with_entities(&[EntityChange::Delete(uid.clone())], version)?;
            let changes = row::delete_entity(&*admin.store, &uid)?.into_iter().collect();
            let detail = vec![(EventDetail::About, uid.to_string())];
            Ok(Staged { snapshot, changes, detail, answer: Changed { count: 1, version } })
        })
        .await
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
