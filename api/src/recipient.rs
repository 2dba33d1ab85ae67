//! Public keys registered for subjects.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::data_key::Recipient;
use crate::{Base64, EntityRef};

/// `PUT /v1/recipients/{type}/{id}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutRecipient {
    /// The subject's RSA public key.
    pub recipient: Recipient,
}

/// The public key that user keys for a subject are sealed for, where somebody else has them issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredRecipient {
    /// The subject.
    pub subject: EntityRef,
    /// The public key as DER SubjectPublicKeyInfo.
    pub spki: Base64,
    /// SHA-256 of it, in hexadecimal.
    pub fingerprint: String,
    /// When it was registered.
    #[schema(format = DateTime)]
    pub changed: String,
    /// Grows with every change, removals included; the `ETag`.
    pub revision: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_one_public_key() {
        assert!(serde_json::from_str::<PutRecipient>(r#"{"recipient":{"spki":"AAAA"}}"#).is_ok());
        for bad in ["{}", r#"{"spki":"AAAA"}"#, r#"{"recipient":{"spki":"AAAA"},"subject":"x"}"#] {
            assert!(serde_json::from_str::<PutRecipient>(bad).is_err(), "{bad}");
        }
    }
}
