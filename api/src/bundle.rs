//! Policy bundles: manifest, schema, policies, entities.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Finding;

/// One policy file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Its name in findings, `records.cedar`.
    pub name: String,
    /// Cedar policies.
    pub text: String,
}

/// `POST /v1/bundles`: checks a bundle, keeps it unless `dry_run`, and puts it in force if `activate`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBundle {
    /// `wardkeep.toml`
    pub manifest: String,
    /// The Cedar schema, human-readable form.
    pub schema: String,
    /// The policies, in order.
    pub policies: Vec<PolicyFile>,
    /// Entities in Cedar's JSON form, as text; written with the bundle's activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<String>,
    /// Put it in force at once.
    #[serde(default)]
    pub activate: bool,
    /// Only check.
    #[serde(default)]
    pub dry_run: bool,
}

/// What came of loading or activating a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoadedBundle {
    /// Its version; absent after a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Whether it is in force.
    pub active: bool,
    /// Warnings of the check.
    pub findings: Vec<Finding>,
}

/// A bundle in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleSummary {
    /// Counted from 1.
    pub version: u64,
    /// Whether it is in force.
    pub active: bool,
    /// When it was loaded.
    #[schema(format = DateTime)]
    pub loaded: String,
    /// By whom.
    pub loaded_by: String,
}

/// A bundle, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bundle {
    /// Counted from 1.
    pub version: u64,
    /// Whether it is in force.
    pub active: bool,
    /// When it was loaded.
    #[schema(format = DateTime)]
    pub loaded: String,
    /// By whom.
    pub loaded_by: String,
    /// `wardkeep.toml`
    pub manifest: String,
    /// The Cedar schema, as it was loaded.
    pub schema: String,
    /// The policies.
    pub policies: Vec<PolicyFile>,
    /// Entities that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<String>,
}

/// The schema in force: Wardkeep's own actions filled in, and the bundle's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicySchema {
    /// The version of the policy snapshot it belongs to.
    pub policy_version: u64,
    /// Cedar schema, human-readable form.
    pub text: String,
}
