//! The snapshot that the store's rows describe.

use std::collections::BTreeMap;

use wardkeep_model::EntityUid;
use wardkeep_policy::{BundleSource, EntityError, IdentityMap, Misfits, Snapshot, Stored};
use wardkeep_store::{Store, Table};

use super::AdminError;
use super::row::{self, CONTROL, ControlRow};

/// Most entities that were set aside are named one by one.
const TOLD: usize = 20;

/// Loads control set, bundle, entities and roles.
///
/// # Errors
/// [`AdminError::NotInitialised`]; rows that do not read; policies that no longer fit the `[identity]` table.
pub fn snapshot(store: &dyn Store, kinds: BTreeMap<String, String>) -> Result<Snapshot, AdminError> {
    let control: Option<(ControlRow, u64)> = row::read(store, Table::ControlSet, CONTROL)?;
    let (control, _) = control.ok_or(AdminError::NotInitialised)?;
    assemble(store, kinds, &control.text, row::version(store)?)
}

/// The same with the built-in control set in force, for `recover`: the stored one may be what locks everybody out.
///
/// # Errors
/// As [`snapshot`].
pub fn snapshot_with_builtin_control(
    store: &dyn Store,
    kinds: BTreeMap<String, String>,
    version: u64,
) -> Result<Snapshot, AdminError> {
    if store.read(Table::ControlSet, CONTROL)?.is_none() {
        return Err(AdminError::NotInitialised);
    }
    assemble(store, kinds, Snapshot::builtin_control_set(), version)
}

/// The snapshot that `recover` puts the starter bundle in force with: stored entities that do not fit it are set aside, and
/// named with the reason.
///
/// # Errors
/// As [`snapshot`]; the bundle that was in force is not looked at.
pub fn snapshot_with_starter(
    store: &dyn Store,
    kinds: BTreeMap<String, String>,
    version: u64,
) -> Result<(Snapshot, Vec<(EntityUid, EntityError)>), AdminError> {
    if store.read(Table::ControlSet, CONTROL)?.is_none() {
        return Err(AdminError::NotInitialised);
    }
    let (control, starter) = (Snapshot::builtin_control_set(), BundleSource::starter());
    let stored = stored(store, Misfits::SetAside)?;
    let (snapshot, aside) = Snapshot::restored(IdentityMap::new(kinds)?, control, &starter, stored, version)?;
    tell(&aside);
    Ok((snapshot, aside))
}

/// The snapshot with another bundle in force, with all that is stored: what a recovery set aside is to come back.
///
/// # Errors
/// Everything that does not fit, set aside or not.
pub(super) fn snapshot_with_all(
    store: &dyn Store,
    now: &Snapshot,
    bundle: &BundleSource,
    version: u64,
) -> Result<Snapshot, AdminError> {
    let stored = stored(store, Misfits::Refuse)?;
    let (next, _) = Snapshot::restored(now.identity().clone(), now.control_text(), bundle, stored, version)?;
    now.bound_types().try_for_each(|kind| next.keeps_bound_type(now, kind))?;
    Ok(next)
}

fn assemble(
    store: &dyn Store,
    kinds: BTreeMap<String, String>,
    control: &str,
    version: u64,
) -> Result<Snapshot, AdminError> {
    let identity = IdentityMap::new(kinds)?;
    let (bundles, _) = row::bundles(store)?;
    let bundle = row::bundle(store, bundles.active)?;
    // Only a recovery sets aside, and only until the next bundle is put in force.
    let misfits = if row::set_aside(store)? > 0 { Misfits::SetAside } else { Misfits::Refuse };
    let (loaded, aside) = Snapshot::restored(identity, control, &bundle.source(), stored(store, misfits)?, version)?;
    tell(&aside);
    Ok(loaded)
}

fn stored(store: &dyn Store, misfits: Misfits) -> Result<Stored, AdminError> {
    Ok(Stored { entities: row::all_entities(store)?, roles: row::all_roles(store)?, misfits })
}

/// Names what was set aside in the log.
fn tell(aside: &[(EntityUid, EntityError)]) {
    for (uid, error) in aside.iter().take(TOLD) {
        tracing::warn!(%uid, %error, "a stored entity does not fit the bundle in force: it is set aside, not deleted");
    }
    if aside.len() > TOLD {
        tracing::warn!(more = aside.len() - TOLD, "further stored entities are set aside");
    }
}
