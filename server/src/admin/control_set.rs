//! The control set: read, change.

use std::sync::Arc;

use wardkeep_model::action::{ChangeControlSet, DescribeControlSet};
use wardkeep_model::{EventDetail, Permit, Timestamp};
use wardkeep_store::Table;

use super::row::{self, CONTROL, ControlRow};
use super::{Admin, AdminError, Staged};

/// A control set as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSetInfo {
    /// Its revision, counted from 1.
    pub revision: u64,
    /// Cedar policies.
    pub text: String,
    /// When it was put in force.
    pub changed: Timestamp,
    /// By whom.
    pub by: String,
}

impl ControlSetInfo {
    fn new(row: ControlRow, revision: u64) -> Self {
        let changed = row.changed();
        Self { revision, text: row.text, changed, by: row.by }
    }
}

impl Admin {
    /// The control set in force.
    ///
    /// # Errors
    /// What the store says.
    pub async fn control_set(&self, permit: Permit<DescribeControlSet>) -> Result<ControlSetInfo, AdminError> {
        let found = row::read(&*self.store, Table::ControlSet, CONTROL);
        let found = found.and_then(|found| found.ok_or(AdminError::NotInitialised));
        self.record(permit.into_event(), found.map(|(row, revision)| ControlSetInfo::new(row, revision))).await
    }

    /// Puts another control set in force; the former stays as an earlier revision.
    ///
    /// # Errors
    /// [`AdminError::Policies`], [`AdminError::LockedOut`], [`AdminError::PreconditionFailed`], what the store says.
    pub async fn change_control_set(
        self: &Arc<Self>,
        permit: Permit<ChangeControlSet>,
        text: String,
        if_match: Option<u64>,
    ) -> Result<ControlSetInfo, AdminError> {
        let by = permit.actor().clone();
        self.change(permit.into_event(), move |admin, now, version| {
            let before: Option<(ControlRow, u64)> = row::read(&*admin.store, Table::ControlSet, CONTROL)?;
            let (_, revision) = before.ok_or(AdminError::NotInitialised)?;
            if if_match.is_some_and(|wanted| wanted != revision) {
                return Err(AdminError::PreconditionFailed { actual: revision });
            }
            let snapshot = now.with_control_set(&text, version)?;
            let row = ControlRow::new(&text, admin.clock.now(), &by);
            let changes = vec![row::put_control(Some(revision), &row)?];
            let next = revision.saturating_add(1);
            let detail = vec![(EventDetail::About, format!("control set {next}"))];
            Ok(Staged { snapshot, changes, detail, each: Vec::new(), answer: ControlSetInfo::new(row, next) })
        })
        .await
    }
}
