//! The snapshot that the store's rows describe.

use std::collections::BTreeMap;

use wardkeep_policy::{EntityChange, IdentityMap, Snapshot};
use wardkeep_store::{Store, Table};

use super::AdminError;
use super::row::{self, CONTROL, ControlRow};

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

fn assemble(
    store: &dyn Store,
    kinds: BTreeMap<String, String>,
    control: &str,
    version: u64,
) -> Result<Snapshot, AdminError> {
    let identity = IdentityMap::new(kinds)?;
    let (bundles, _) = row::bundles(store)?;
    let bundle = row::bundle(store, bundles.active)?;
    let loaded = Snapshot::new(identity, control, &bundle.source(), version)?;
    let entities: Vec<EntityChange> = row::all_entities(store)?.into_iter().map(EntityChange::Put).collect();
    let mut loaded = loaded.with_entities(&entities, version)?;
    for (holder, roles) in row::all_roles(store)? {
        for role in roles {
            loaded = loaded.with_role(role, &holder, true, version)?;
        }
    }
    Ok(loaded)
}
