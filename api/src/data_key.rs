//! Data keys: generate, unwrap, rewrap.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::key::yes;
use crate::{Base64, Context, Secret};

/// `POST /v1/data-keys`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateDataKey {
    /// The wrapping key, `ring/name`.
    #[schema(example = "payments/card-data")]
    pub key: String,
    /// What the data key is bound to; the same is needed to unwrap it.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// Give the data key back only sealed for this RSA public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
    /// Whether the data key itself comes back, beside its wrapped form. Default: true.
    #[serde(default = "yes")]
    pub plaintext: bool,
}

/// An RSA public key of 3072 to 8192 bits: `{"spki": "base64"}` or `{"jwk": {..}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recipient {
    /// DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
    Spki(Base64),
    /// A JSON Web Key (RFC 7517); the public members of an RSA key.
    Jwk(Jwk),
}

/// An RSA public key as JSON Web Key (RFC 7518 section 6.3.1). Private members are refused, not ignored: whoever
/// sends them has given the key away and should hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Jwk {
    /// `RSA`
    pub kty: String,
    /// The modulus, base64url without padding.
    pub n: String,
    /// The exponent, base64url without padding.
    pub e: String,
    /// Not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Absent or `RSA-OAEP-256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Absent or `enc`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

/// A data key, wrapped; and as it was asked for.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct DataKey {
    /// The wrapping key.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// The wrapped data key; store it beside what it protects.
    pub wrapped: Base64,
    /// The data key, 32 bytes; absent where it was not asked for or a recipient is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<Secret>,
    /// The data key under RSA-OAEP with SHA-256 for the recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_recipient: Option<Base64>,
}

/// `POST /v1/data-keys/unwrap`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnwrapDataKey {
    /// What `POST /v1/data-keys` gave.
    pub wrapped: Base64,
    /// The context it was made with.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// Give the data key back only sealed for this RSA public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
}

/// A data key, opened.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct UnwrappedDataKey {
    /// The wrapping key.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// The data key, 32 bytes; absent where a recipient is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<Secret>,
    /// The data key under RSA-OAEP with SHA-256 for the recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_recipient: Option<Base64>,
}

/// `POST /v1/data-keys/rewrap`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RewrapDataKey {
    /// What `POST /v1/data-keys` gave.
    pub wrapped: Base64,
    /// The context it was made with; it is kept byte for byte.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
}

/// A data key under the newest version of its key, unseen.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RewrappedDataKey {
    /// The wrapping key.
    pub key: String,
    /// The version it is wrapped under now.
    pub version: u32,
    /// The version it was wrapped under before.
    pub from_version: u32,
    /// Takes the place of the former one.
    pub wrapped: Base64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_request_asks_for_the_plaintext() {
        let asked: GenerateDataKey = serde_json::from_str(r#"{"key":"a/b"}"#).unwrap();
        assert!(asked.plaintext && asked.context.is_empty() && asked.recipient.is_none());
        assert!(serde_json::from_str::<GenerateDataKey>(r#"{"key":"a/b","nonce":"AAAA"}"#).is_err());
    }

    #[test]
    fn a_recipient_is_one_of_two_and_never_private() {
        let read = |text: &str| serde_json::from_str::<Recipient>(text);
        assert!(matches!(read(r#"{"spki":"AAAA"}"#), Ok(Recipient::Spki(_))));
        assert!(matches!(read(r#"{"jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}}"#), Ok(Recipient::Jwk(_))));
        for bad in [
            r#"{"jwk":{"kty":"RSA","n":"AQ","e":"AQAB","d":"AQ"}}"#,
            r#"{"spki":"AAAA","jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}}"#,
            r#"{"pem":"x"}"#,
            "{}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
