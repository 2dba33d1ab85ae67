//! Entities: what policies know about people, services and records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AttributeValue;

/// Names one entity: `{"type": "User", "id": "ana"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityRef {
    /// The Cedar type, `User` or `Clinic::User`.
    #[serde(rename = "type")]
    #[schema(example = "User")]
    pub kind: String,
    /// The id, 1 to 256 bytes.
    #[schema(example = "ana")]
    pub id: String,
}

/// One entity in Cedar's JSON form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Which one.
    pub uid: EntityRef,
    /// Attributes by name.
    #[serde(default, deserialize_with = "crate::unique::map")]
    pub attrs: BTreeMap<String, AttributeValue>,
    /// Direct parents. No parent set here ever leads to a control role.
    #[serde(default)]
    pub parents: Vec<EntityRef>,
    /// Tags by name.
    #[serde(default, deserialize_with = "crate::unique::map", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, AttributeValue>,
}

/// `POST /v1/entities`: writes all of them or none. One that exists is replaced.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutEntities {
    /// At most 10 000.
    #[schema(max_items = 10_000)]
    pub entities: Vec<Entity>,
}

/// What a change of entities did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EntitiesChanged {
    /// How many were written or deleted.
    pub count: u64,
    /// The version of the policy snapshot now in force.
    pub policy_version: u64,
}
