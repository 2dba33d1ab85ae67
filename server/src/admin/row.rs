//! The rows of administration, as the store keeps them. Formats carry a version; versions are only ever added.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wardkeep_api::entity::Entity;
use wardkeep_model::{EntityUid, Timestamp};
use wardkeep_policy::{BundleSource, EntityRecord, Role};
use wardkeep_store::{Change, Store, Table};
use zeroize::Zeroizing;

use super::AdminError;
use crate::http::wire;

/// The one id of [`Table::ControlSet`].
pub(super) const CONTROL: &str = "control";
/// Which bundle is in force, in [`Table::Setting`].
const BUNDLES: &str = "bundles";
/// The version of the snapshot, in [`Table::Setting`].
const VERSION: &str = "policy-version";
/// Which bundle last declared each bound type, in [`Table::Setting`].
const BOUND_TYPES: &str = "bound-types";
/// How many entities a recovery set aside, in [`Table::Setting`].
const SET_ASIDE: &str = "entities-set-aside";

const FORMAT: u32 = 1;

/// A row with the version of its format.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Framed<T> {
    format: u32,
    row: T,
}

/// A control set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlRow {
    pub(super) text: String,
    changed: u64,
    pub(super) by: String,
}

/// A bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BundleRow {
    pub(super) manifest: String,
    pub(super) schema: String,
    pub(super) policies: Vec<(String, String)>,
    pub(super) entities: Option<String>,
    loaded: u64,
    pub(super) by: String,
}

/// What a list says of a bundle. A bundle may have 8 MiB, and a list of them must not read them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BundleLabel {
    loaded: u64,
    pub(super) by: String,
}

/// Which bundles there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundles {
    pub(super) active: u64,
    pub(super) newest: u64,
}

/// Who holds which roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleRow {
    roles: Vec<String>,
}

impl ControlRow {
    pub(super) fn new(text: &str, now: Timestamp, by: &EntityUid) -> Self {
        Self { text: text.to_owned(), changed: now.millis(), by: by.to_string() }
    }

    pub(super) fn changed(&self) -> Timestamp {
        Timestamp::from_millis(self.changed)
    }
}

impl BundleLabel {
    pub(super) fn loaded(&self) -> Timestamp {
        Timestamp::from_millis(self.loaded)
    }
}

impl BundleRow {
    pub(super) fn new(source: &BundleSource, now: Timestamp, by: &EntityUid) -> Self {
        let BundleSource { manifest, schema, policies, entities } = source.clone();
        Self { manifest, schema, policies, entities, loaded: now.millis(), by: by.to_string() }
    }

    pub(super) fn loaded(&self) -> Timestamp {
        Timestamp::from_millis(self.loaded)
    }

    pub(super) fn source(&self) -> BundleSource {
        let Self { manifest, schema, policies, entities, .. } = self.clone();
        BundleSource { manifest, schema, policies, entities }
    }
}

/// Reads the newest row of an id, with its sequence.
pub(super) fn read<T: DeserializeOwned>(
    store: &dyn Store,
    table: Table,
    id: &str,
) -> Result<Option<(T, u64)>, AdminError> {
    let Some(row) = store.read(table, id)? else { return Ok(None) };
    Ok(Some((parse(table, &row.value)?, row.sequence)))
}

fn parse<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, AdminError> {
    let broken = || AdminError::Row { what: table.as_str() };
    let framed: Framed<T> = serde_json::from_slice(bytes).map_err(|_| broken())?;
    if framed.format == FORMAT { Ok(framed.row) } else { Err(broken()) }
}

fn put<T: Serialize>(table: Table, id: &str, expected: Option<u64>, row: T) -> Result<Change, AdminError> {
    let bytes = serde_json::to_vec(&Framed { format: FORMAT, row });
    let value = Zeroizing::new(bytes.map_err(|_| AdminError::Row { what: table.as_str() })?);
    Ok(Change::Put { table, id: id.to_owned(), expected, value })
}

/// The change that puts a control set in force after the one at `expected`.
pub(super) fn put_control(expected: Option<u64>, row: &ControlRow) -> Result<Change, AdminError> {
    put(Table::ControlSet, CONTROL, expected, row)
}

/// The changes that keep a bundle for ever: the whole of it, and a small row for lists.
pub(super) fn put_bundle(version: u64, row: &BundleRow) -> Result<[Change; 2], AdminError> {
    let label = BundleLabel { loaded: row.loaded, by: row.by.clone() };
    Ok([put(Table::Bundle, &version.to_string(), None, row)?, put(Table::Setting, &label_id(version), None, label)?])
}

/// A bundle that was loaded.
pub(super) fn bundle(store: &dyn Store, version: u64) -> Result<BundleRow, AdminError> {
    let found = read(store, Table::Bundle, &version.to_string())?;
    found.map(|(row, _)| row).ok_or(AdminError::BundleNotFound)
}

/// When a bundle was loaded and by whom: from a small row of its own, or from the whole one of a version that kept none.
pub(super) fn bundle_label(store: &dyn Store, version: u64) -> Result<BundleLabel, AdminError> {
    match read(store, Table::Setting, &label_id(version))? {
        Some((label, _)) => Ok(label),
        None => bundle(store, version).map(|row| BundleLabel { loaded: row.loaded, by: row.by }),
    }
}

fn label_id(version: u64) -> String {
    format!("bundle/{version}")
}

/// The bundle that last declared each bound type while it was in force.
pub(super) fn bound_types(store: &dyn Store) -> Result<(BTreeMap<String, u64>, Option<u64>), AdminError> {
    let found = read(store, Table::Setting, BOUND_TYPES)?;
    Ok(found.map_or_else(|| (BTreeMap::new(), None), |(row, sequence)| (row, Some(sequence))))
}

/// The change that says so.
pub(super) fn put_bound_types(expected: Option<u64>, row: &BTreeMap<String, u64>) -> Result<Change, AdminError> {
    put(Table::Setting, BOUND_TYPES, expected, row)
}

/// How many stored entities a recovery set aside; 0 for a store where all of them count.
pub(super) fn set_aside(store: &dyn Store) -> Result<u64, AdminError> {
    Ok(read(store, Table::Setting, SET_ASIDE)?.map_or(0, |(count, _)| count))
}

/// The change that says so.
pub(super) fn put_set_aside(store: &dyn Store, count: u64) -> Result<Change, AdminError> {
    let expected = store.read(Table::Setting, SET_ASIDE)?.map(|row| row.sequence);
    put(Table::Setting, SET_ASIDE, expected, count)
}

/// Which bundles there are, and the sequence of that row.
pub(super) fn bundles(store: &dyn Store) -> Result<(Bundles, Option<u64>), AdminError> {
    let found = read(store, Table::Setting, BUNDLES)?;
    Ok(found.map_or((Bundles::default(), None), |(row, sequence)| (row, Some(sequence))))
}

/// The change that says which bundles there are.
pub(super) fn put_bundles(expected: Option<u64>, row: Bundles) -> Result<Change, AdminError> {
    put(Table::Setting, BUNDLES, expected, row)
}

/// The version of the newest snapshot, 0 before the first.
pub(super) fn version(store: &dyn Store) -> Result<u64, AdminError> {
    Ok(read(store, Table::Setting, VERSION)?.map_or(0, |(version, _)| version))
}

/// The change that counts the snapshot's version.
pub(super) fn put_version(store: &dyn Store, version: u64) -> Result<Change, AdminError> {
    let expected = store.read(Table::Setting, VERSION)?.map(|row| row.sequence);
    put(Table::Setting, VERSION, expected, version)
}

/// The change that writes an entity.
pub(super) fn put_entity(store: &dyn Store, record: &EntityRecord) -> Result<Change, AdminError> {
    let id = record.uid.to_string();
    let expected = store.read(Table::Entity, &id)?.map(|row| row.sequence);
    put(Table::Entity, &id, expected, entity(record))
}

/// The change that deletes an entity; `None` where the store holds none.
pub(super) fn delete_entity(store: &dyn Store, uid: &EntityUid) -> Result<Option<Change>, AdminError> {
    let id = uid.to_string();
    let found = store.read(Table::Entity, &id)?;
    Ok(found.map(|row| Change::Delete { table: Table::Entity, id, expected: row.sequence }))
}

/// Whether the store holds an entity, in force or set aside.
pub(super) fn holds_entity(store: &dyn Store, uid: &EntityUid) -> Result<bool, AdminError> {
    Ok(store.read(Table::Entity, &uid.to_string())?.is_some())
}

/// All entities that were written.
pub(super) fn all_entities(store: &dyn Store) -> Result<Vec<EntityRecord>, AdminError> {
    let mut found = Vec::new();
    store.scan(Table::Entity, &mut |row| found.push(parse::<Entity>(Table::Entity, &row.value)))?;
    let broken = |_| AdminError::Row { what: Table::Entity.as_str() };
    found.into_iter().map(|entity| record(entity?).map_err(broken)).collect()
}

/// An entity in Cedar's JSON form, which rows and wire share.
#[must_use]
pub fn entity(record: &EntityRecord) -> Entity {
    Entity {
        uid: wire::entity_ref(&record.uid),
        attrs: wire::attribute_values(&record.attributes),
        parents: record.parents.iter().map(wire::entity_ref).collect(),
        tags: wire::attribute_values(&record.tags),
    }
}

/// The entity of a row or a request.
///
/// # Errors
/// Names and depths that are out of bounds.
pub fn record(entity: Entity) -> Result<EntityRecord, crate::http::problem::Fault> {
    let Entity { uid, attrs, parents, tags } = entity;
    Ok(EntityRecord {
        uid: wire::entity_uid(&uid)?,
        attributes: wire::attributes(attrs)?,
        parents: parents.iter().map(wire::entity_uid).collect::<Result<_, _>>()?,
        tags: wire::attributes(tags)?,
    })
}

/// The change that says which roles an identity holds. An empty list is a row too: its history stays.
pub(super) fn put_roles(store: &dyn Store, holder: &EntityUid, roles: &[Role]) -> Result<Change, AdminError> {
    let id = holder.to_string();
    let expected = store.read(Table::Role, &id)?.map(|row| row.sequence);
    let roles = roles.iter().map(|role| role.as_str().to_owned()).collect();
    put(Table::Role, &id, expected, RoleRow { roles })
}

/// Everybody who holds roles.
pub(super) fn all_roles(store: &dyn Store) -> Result<Vec<(EntityUid, Vec<Role>)>, AdminError> {
    let broken = || AdminError::Row { what: Table::Role.as_str() };
    let mut found = Vec::new();
    store.scan(Table::Role, &mut |row| {
        found.push(parse::<RoleRow>(Table::Role, &row.value).map(|roles| (row.id, roles)));
    })?;
    let holder = |(id, row): (String, RoleRow)| {
        let roles = row.roles.iter().map(|word| Role::from_word(word).ok_or_else(broken)).collect::<Result<_, _>>()?;
        Ok((EntityUid::parse(&id).map_err(|_| broken())?, roles))
    };
    found.into_iter().map(|row| row.and_then(holder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_newer_format_is_not_guessed_at() {
        let now = Timestamp::from_millis(5);
        let by = EntityUid::new("User", "ana").unwrap();
        let Change::Put { value, .. } = put_control(None, &ControlRow::new("permit(..)", now, &by)).unwrap() else {
            panic!("no put")
        };
        assert_eq!(parse::<ControlRow>(Table::ControlSet, &value).unwrap().changed(), now);
        let newer = String::from_utf8(value.to_vec()).unwrap().replace("\"format\":1", "\"format\":2");
        assert!(matches!(parse::<ControlRow>(Table::ControlSet, newer.as_bytes()), Err(AdminError::Row { .. })));
        assert!(parse::<Bundles>(Table::Setting, br#"{"format":1,"row":{"active":1}}"#).is_err());
    }

    #[test]
    fn an_entity_survives_its_row() {
        let uid = EntityUid::new("User", "quote\"d").unwrap();
        let attributes = [("n".to_owned(), wardkeep_model::Value::Long(i64::MIN))].into();
        let tags = [("t".to_owned(), wardkeep_model::Value::from("x"))].into();
        let before = EntityRecord { uid: uid.clone(), attributes, parents: vec![uid], tags };
        assert_eq!(record(entity(&before)).unwrap(), before);
    }
}
