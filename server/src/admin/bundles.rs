//! Bundles: load, check, activate, list; the schema in force.

use std::sync::Arc;

use wardkeep_model::action::{ActivateBundle, DescribeBundle};
use wardkeep_model::{EntityUid, EventDetail, Permit, Timestamp};
use wardkeep_policy::{BundleSource, Snapshot};
use wardkeep_store::Change;

use super::row::{self, BundleRow, Bundles};
use super::{Admin, AdminError, Staged, Vanishing, blocking, bound, load};

/// A bundle that is to be loaded.
#[derive(Debug, Clone)]
pub struct NewBundle {
    /// Its parts.
    pub source: BundleSource,
    /// Put it in force at once.
    pub activate: bool,
    /// Only check it.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Its version; `None` after a dry run.
    pub version: Option<u64>,
    /// Whether it is in force.
    pub active: bool,
}

/// A bundle in a list, without its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleEntry {
    /// Counted from 1.
    pub version: u64,
    /// Whether it is in force.
    pub active: bool,
    /// When it was loaded.
    pub loaded: Timestamp,
    /// By whom.
    pub by: String,
}

/// A bundle as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleInfo {
    /// Counted from 1.
    pub version: u64,
    /// Whether it is in force.
    pub active: bool,
    /// When it was loaded.
    pub loaded: Timestamp,
    /// By whom.
    pub by: String,
    /// Its parts.
    pub source: BundleSource,
}

/// Which bundle is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one in force.
    Active,
    /// That one.
    Version(u64),
}

impl BundleInfo {
    fn new(version: u64, row: &BundleRow, bundles: Bundles) -> Self {
        let active = bundles.active == version;
        Self { version, active, loaded: row.loaded(), by: row.by.clone(), source: row.source() }
    }
}

impl Admin {
    /// Checks a bundle strictly, keeps it unless that is all that was asked, and puts it in force if so asked.
    ///
    /// # Errors
    /// [`AdminError::Policies`] with every finding; [`AdminError::DryRunActivates`]; what the store says.
    pub async fn load_bundle(
        self: &Arc<Self>,
        permit: Permit<ActivateBundle>,
        new: NewBundle,
    ) -> Result<Loaded, AdminError> {
        let by = permit.actor().clone();
        let event = permit.into_event();
        let NewBundle { source, activate, dry_run } = new;
        if dry_run {
            let (event, admin) = (event.with(EventDetail::Reason, "dry run"), Arc::clone(self));
            let checked = blocking(move || {
                let now = admin.engine.snapshot();
                admin.with_bundle(&now, &source, now.version())
            });
            let checked = checked.await;
            let checked = if activate { Err(AdminError::DryRunActivates) } else { checked };
            return self.record(event, checked.map(|_| Loaded { version: None, active: false })).await;
        }
        let stage = move |admin: &Self, now: &Snapshot, version| admin.stage_load(now, version, &source, activate, &by);
        self.change_with(event, Vanishing::Some, stage).await
    }

    /// Puts a bundle in force that was loaded before. With entities of the former one that it does not have go their user
    /// keys and registered public keys.
    ///
    /// # Errors
    /// [`AdminError::BundleNotFound`]; [`AdminError::Policies`] where it no longer fits the stored entities, or a bound type
    /// as it was when it was last in force.
    pub async fn activate_bundle(
        self: &Arc<Self>,
        permit: Permit<ActivateBundle>,
        wanted: u64,
    ) -> Result<Loaded, AdminError> {
        self.change_with(permit.into_event(), Vanishing::Some, move |admin, now, version| {
            let found = row::bundle(&*admin.store, wanted)?;
            let snapshot = admin.with_bundle(now, &found.source(), version)?;
            let (bundles, expected) = row::bundles(&*admin.store)?;
            let mut changes = vec![row::put_bundles(expected, Bundles { active: wanted, ..bundles })?];
            changes.extend(admin.on_leaving(now, bundles.active)?);
            let detail = vec![(EventDetail::About, format!("bundle {wanted}"))];
            let answer = Loaded { version: Some(wanted), active: true };
            Ok(Staged { snapshot, changes, detail, each: Vec::new(), answer })
        })
        .await
    }

    /// A bundle with all its parts.
    ///
    /// # Errors
    /// [`AdminError::BundleNotFound`]
    pub async fn bundle(&self, permit: Permit<DescribeBundle>, which: Which) -> Result<BundleInfo, AdminError> {
        self.record(permit.into_event(), self.find_bundle(which)).await
    }

    /// All bundles, newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn bundles(&self, permit: Permit<DescribeBundle>) -> Result<Vec<BundleEntry>, AdminError> {
        let store = self.store.clone();
        let walk = move || {
            let (bundles, _) = row::bundles(&*store)?;
            let entry = |version| {
                let label = row::bundle_label(&*store, version)?;
                let active = bundles.active == version;
                Ok(BundleEntry { version, active, loaded: label.loaded(), by: label.by })
            };
            (1..=bundles.newest).rev().map(entry).collect::<Result<Vec<_>, AdminError>>()
        };
        let found = blocking(walk).await;
        let count = found.as_ref().map_or(0, Vec::len).to_string();
        self.record(permit.into_event().with(EventDetail::Count, count), found).await
    }

    /// The schema in force and the version of the snapshot it belongs to.
    ///
    /// # Errors
    /// What the store says.
    pub async fn schema(&self, permit: Permit<DescribeBundle>) -> Result<(u64, String), AdminError> {
        let snapshot = self.engine.snapshot();
        self.record(permit.into_event(), Ok((snapshot.version(), snapshot.schema_text()))).await
    }

    fn find_bundle(&self, which: Which) -> Result<BundleInfo, AdminError> {
        let (bundles, _) = row::bundles(&*self.store)?;
        let version = match which {
            Which::Active => bundles.active,
            Which::Version(version) => version,
        };
        Ok(BundleInfo::new(version, &row::bundle(&*self.store, version)?, bundles))
    }

    /// The snapshot with another bundle in force, checked against all that is stored and all that ever was bound.
    fn with_bundle(&self, now: &Snapshot, source: &BundleSource, version: u64) -> Result<Snapshot, AdminError> {
        let next = if row::set_aside(&*self.store)? > 0 {
            load::snapshot_with_all(&*self.store, now, source, version)?
        } else {
            now.with_bundle(source, version)?
        };
        bound::check(&*self.store, now, &next)?;
        Ok(next)
    }

    /// What is to be kept in mind of the bundle that goes out of force, and that nothing is set aside any more.
    fn on_leaving(&self, now: &Snapshot, leaving: u64) -> Result<Vec<Change>, AdminError> {
        let mut changes = Vec::new();
        changes.extend(bound::remember(&*self.store, leaving, now.bound_types().map(str::to_owned).collect())?);
        if row::set_aside(&*self.store)? > 0 {
            changes.push(row::put_set_aside(&*self.store, 0)?);
        }
        Ok(changes)
    }

    fn stage_load(
        &self,
        now: &Snapshot,
        version: u64,
        source: &BundleSource,
        activate: bool,
        by: &EntityUid,
    ) -> Result<Staged<Loaded>, AdminError> {
        let checked = self.with_bundle(now, source, version)?;
        let (bundles, expected) = row::bundles(&*self.store)?;
        let newest = bundles.newest.saturating_add(1);
        let active = if activate { newest } else { bundles.active };
        let row = BundleRow::new(source, self.clock.now(), by);
        let mut changes: Vec<Change> = row::put_bundle(newest, &row)?.into();
        changes.push(row::put_bundles(expected, Bundles { active, newest })?);
        if activate {
            changes.extend(self.on_leaving(now, bundles.active)?);
        }
        let detail = vec![(EventDetail::About, format!("bundle {newest}"))];
        // A bundle that is only kept changes nothing that decides, so neither does the version that audit records name.
        let snapshot = if activate { checked } else { now.clone() };
        let answer = Loaded { version: Some(newest), active: activate };
        Ok(Staged { snapshot, changes, detail, each: Vec::new(), answer })
    }
}
