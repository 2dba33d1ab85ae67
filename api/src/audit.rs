//! The audit log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Base64;

/// One record as it stands in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
    /// Counted from 1.
    pub sequence: u64,
    /// SHA-256 of the record before it, hexadecimal.
    pub previous: String,
    /// SHA-256 of this one, hexadecimal.
    pub hash: String,
    /// The event, canonical JSON as text: exactly the bytes that the hash covers.
    pub line: String,
}

/// `GET /v1/audit/records`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The records in order.
    pub records: Vec<AuditRecord>,
    /// The `from` of the next page; past the last record it is where the next one will stand.
    pub next: u64,
}

/// The newest signed head of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditHead {
    /// How many records it covers.
    pub records: u64,
    /// Hash of the last of them, hexadecimal.
    pub hash: String,
    /// When it was signed.
    #[schema(format = DateTime)]
    pub time: String,
    /// The head and its signature, as they stand in the head file (docs/formats.md).
    pub signed: Base64,
    /// The Ed25519 public key, 32 bytes.
    pub public_key: Base64,
}

/// How a verification of the whole log went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditStatus {
    /// The chain is whole and as new as the head outside the database.
    Verified,
    /// The chain is whole; nothing outside says whether it was put back.
    Consistent,
    /// It is not.
    Broken,
}

/// `POST /v1/audit/verify`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerdict {
    /// How it went.
    pub status: AuditStatus,
    /// How many records are good, from the first.
    pub records: u64,
    /// The first bad record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_bad: Option<u64>,
    /// What is wrong with it, or what could not be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
