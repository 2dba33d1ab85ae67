//! Random bytes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Secret;

/// `POST /v1/random`
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateRandom {
    /// How many, 1 to 1024.
    #[schema(minimum = 1, maximum = 1024)]
    pub length: u32,
}

/// Random bytes of the server's generator.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct RandomBytes {
    /// The bytes.
    pub bytes: Secret,
}
