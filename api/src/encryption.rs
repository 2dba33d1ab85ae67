//! Encrypt and decrypt small data under a key of usage `encrypt`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Base64, Context, Secret};

/// `POST /v1/encrypt`
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Encrypt {
    /// `ring/name`
    pub key: String,
    /// At most 64 KiB.
    pub plaintext: Secret,
    /// Needed again to decrypt. It may not name a `resource`.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
}

/// What `encrypt` made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Encrypted {
    /// The key.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// Names key and version inside.
    pub ciphertext: Base64,
}

/// `POST /v1/decrypt`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decrypt {
    /// What `encrypt` gave.
    pub ciphertext: Base64,
    /// The context it was made with.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
}

/// What `decrypt` opened.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Decrypted {
    /// The key.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// The data.
    pub plaintext: Secret,
}
