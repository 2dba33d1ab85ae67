//! Deleting a key: a date, a way back, and the end.

use std::ops::RangeInclusive;

use wardkeep_model::action::{CancelKeyDeletion, DestroyKey, ScheduleKeyDeletion};
use wardkeep_model::{EventDetail, KeyId, KeyState, Permit, Timestamp};
use wardkeep_store::{Change, Table};

use crate::error::KmsError;
use crate::keyring::{Key, version_row};
use crate::lifecycle::Verb;
use crate::row;
use crate::service::change::enter;
use crate::service::guard::has_verb;
use crate::service::record::{Asked, Edit};
use crate::service::{Idempotency, KeyInfo, Kms, Precondition};

/// How many days ahead a deletion may be scheduled.
pub const DELETION_DAYS: RangeInclusive<u32> = 7..=30;

/// When a key is to be destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletionPlan {
    /// Days from now, 7 to 30.
    pub days: u32,
}

impl Kms {
    /// Sets the day of a key's destruction. Until then only describe, verify (where the state allows it) and
    /// cancel answer.
    ///
    /// # Errors
    /// [`KmsError::DeletionPeriod`]; [`KmsError::PendingDeletion`] where one is scheduled; those of every change
    /// (see [`Kms::update_key`]); or what the store says.
    pub async fn schedule_deletion(
        &self,
        permit: Permit<ScheduleKeyDeletion>,
        id: &KeyId,
        plan: DeletionPlan,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        let edit = move |key: &Key, now: Timestamp| {
            if !DELETION_DAYS.contains(&plan.days) {
                return Err(KmsError::DeletionPeriod { min: *DELETION_DAYS.start(), max: *DELETION_DAYS.end() });
            }
            has_verb(key, Verb::ScheduleDeletion)?;
            let mut edit = Edit::of(key);
            let date = now.plus_days(plan.days);
            edit.body.deletion = Some(date);
            edit.details.push((EventDetail::About, date.to_string()));
            Ok(edit)
        };
        self.changed(permit, id, Asked { precondition, idempotency }, edit).await
    }

    /// Takes a scheduled deletion back; every version is in the state it had.
    ///
    /// # Errors
    /// [`KmsError::NoDeletionScheduled`], those of every change, or what the store says.
    pub async fn cancel_deletion(
        &self,
        permit: Permit<CancelKeyDeletion>,
        id: &KeyId,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        let edit = |key: &Key, _now| {
            has_verb(key, Verb::CancelDeletion)?;
            let mut edit = Edit::of(key);
            edit.body.deletion = None;
            Ok(edit)
        };
        self.changed(permit, id, Asked { precondition, idempotency }, edit).await
    }

    /// Destroys a key whose day has come: its material is deleted, its name never used again.
    ///
    /// # Errors
    /// [`KmsError::NoDeletionScheduled`]; [`KmsError::DeletionNotDue`]; those of every change; or what the store
    /// says.
    pub async fn destroy_key(
        &self,
        permit: Permit<DestroyKey>,
        id: &KeyId,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        self.changed(permit, id, Asked { precondition, idempotency }, destroyed).await
    }
}

/// The end of a key: states, material and tombstone in one commit.
fn destroyed(key: &Key, now: Timestamp) -> Result<Edit, KmsError> {
    has_verb(key, Verb::Destroy)?;
    let due = key.body.deletion.ok_or(KmsError::NoDeletionScheduled)?;
    if now < due {
        return Err(KmsError::DeletionNotDue { due });
    }
    let id = &key.facts.id;
    let mut edit = Edit::of(key);
    edit.body.deletion = None;
    for version in &mut edit.body.versions {
        enter(version, KeyState::Destroyed, now);
        version.public = None;
        // Material is written once and never changed: its row is the first and only one.
        edit.others.push(Change::Delete { table: Table::Material, id: version_row(id, version.number), expected: 1 });
    }
    let value = row::write_tombstone(key.facts.revision + 1, now).ok_or(KmsError::RowUnreadable)?;
    edit.others.push(Change::Put { table: Table::Tombstone, id: id.to_string(), expected: None, value });
    edit.details.push((EventDetail::State, KeyState::Destroyed.to_string()));
    Ok(edit)
}
