//! Sign and verify under a key of usage `sign`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Base64;

/// `POST /v1/sign`: exactly one of `message` and `digest`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// `ring/name`
    pub key: String,
    /// At most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Base64>,
    /// SHA-256 of the message, 32 bytes; not for Ed25519, which signs messages only (RFC 8032).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Base64>,
}

/// A signature: RSA-PSS with SHA-256, ECDSA in ASN.1 DER with SHA-256, or Ed25519, by the key's spec.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Signature {
    /// The key.
    pub key: String,
    /// Its version; `verify` takes it.
    pub version: u32,
    /// `rsa-pss-sha256`, `ecdsa-p256-sha256` or `ed25519`.
    pub algorithm: String,
    /// The signature.
    pub signature: Base64,
}

/// `POST /v1/verify`: exactly one of `message` and `digest`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// `ring/name`
    pub key: String,
    /// The version that signed.
    pub version: u32,
    /// The message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Base64>,
    /// SHA-256 of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Base64>,
    /// The signature.
    pub signature: Base64,
}

/// Whether the signature fits. A wrong one is an answer, not a problem.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Verified {
    /// The key.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// Whether it fits.
    pub valid: bool,
}
