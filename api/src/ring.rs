//! Key rings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /v1/rings`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRing {
    /// 1 to 63 bytes of `a-z 0-9 - _ .`
    #[schema(example = "payments")]
    pub name: String,
    /// Text under names of your own; policies see them as tags.
    #[serde(default, deserialize_with = "crate::unique::map")]
    pub labels: BTreeMap<String, String>,
}

/// A key ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ring {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created: String,
    /// Grows with every change; the `ETag`.
    pub revision: u64,
}
