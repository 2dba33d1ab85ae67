//! One-time enrolment tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::SecretText;

/// `POST /v1/tokens`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueToken {
    /// `spiffe://<trust-domain>/<kind>/<name>`; what the certificate will say, whatever its request says.
    #[schema(example = "spiffe://clinic.example/service/records")]
    pub identity: String,
    /// Minutes until it expires, 1 to 10 080. Default: 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_080)]
    pub minutes: Option<u32>,
}

/// A token, shown this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct IssuedToken {
    /// Its id, which is not secret.
    pub id: String,
    /// The token; it also carries the fingerprint of the CA.
    pub token: SecretText,
    /// Whose certificate it gives.
    pub identity: String,
    /// Until when.
    #[schema(format = DateTime)]
    pub expires: String,
    /// SHA-256 of the CA certificate, hexadecimal.
    pub ca_fingerprint: String,
}

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenState {
    /// Not yet used.
    Open,
    /// Used.
    Redeemed,
    /// Too old.
    Expired,
    /// Taken back, or voided by a role.
    Void,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// Whose certificate it gives.
    pub identity: String,
    /// What became of it.
    pub state: TokenState,
    /// Who issued it.
    pub issued_by: String,
    /// When.
    #[schema(format = DateTime)]
    pub issued: String,
    /// Until when.
    #[schema(format = DateTime)]
    pub expires: String,
}
