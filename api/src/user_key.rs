//! User keys of attribute-based encryption: issue, list, revoke.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::authority::{Revocations, SealedSecret};
use crate::data_key::Recipient;
use crate::{EntityRef, Secret};

/// `POST /v1/user-keys`. There is no place for attributes: they are those of the subject's entity.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueUserKey {
    /// The authority, `ring/name`.
    #[schema(example = "clinic/records")]
    pub key: String,
    /// The version that is expected to be the newest; another is refused. Absent: the newest, whichever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How long it is to be valid, in seconds, rounded up to the end of a time bucket. Absent: as long as the server allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for_seconds: Option<u64>,
    /// Give the key back only sealed for this RSA public key. For somebody else it is sealed for the key registered for
    /// them, and this is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
}

/// A user key that was issued.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct IssuedUserKey {
    /// The authority.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of that version's public parameters, in hexadecimal.
    pub parameters: String,
    /// Its number in the version, for revocation.
    pub serial: u32,
    /// The attributes it carries.
    pub attributes: String,
    /// When it ends: it opens nothing that is sealed from then on.
    #[schema(format = DateTime)]
    pub valid_until: String,
    /// The key with its public parameters, as a file that opens off line; absent where it is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_key: Option<Secret>,
    /// The same file in an envelope, where it is sealed for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedSecret>,
}

/// A user key as it is listed; the key itself is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserKey {
    /// The authority.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// Its number in the version.
    pub serial: u32,
    /// For whom it was issued.
    pub subject: EntityRef,
    /// Who asked for it.
    pub actor: EntityRef,
    /// The attributes it carries.
    pub attributes: String,
    /// When it was issued.
    #[schema(format = DateTime)]
    pub issued: String,
    /// When it ends.
    #[schema(format = DateTime)]
    pub valid_until: String,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub revoked: Option<String>,
}

/// `POST /v1/user-keys/revoke`: `serials` of one version, all or none of them, or all of a `subject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeUserKeys {
    /// The authority, `ring/name`.
    #[schema(example = "clinic/records")]
    pub key: String,
    /// The version of the serials; absent: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// These serials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 10000)]
    pub serials: Option<Vec<u32>>,
    /// All user keys of this subject, of every version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<EntityRef>,
}

/// What a revocation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevokedUserKeys {
    /// How many were not revoked before.
    pub revoked: u64,
    /// The new list of each version that was touched.
    pub lists: Vec<Revocations>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_place_for_attributes() {
        let asked: IssueUserKey = serde_json::from_str(r#"{"key":"a/b"}"#).unwrap();
        assert!(asked.version.is_none() && asked.valid_for_seconds.is_none() && asked.recipient.is_none());
        for bad in [
            r#"{"key":"a/b","attributes":"role = admin"}"#,
            r#"{"key":"a/b","context":{"role":"admin"}}"#,
            r#"{"key":"a/b","subject":{"type":"User","id":"ana"}}"#,
            r#"{"key":"a/b","serial":1}"#,
            r#"{"key":"a/b","valid_until":"2099-01-01"}"#,
            r#"{"key":"a/b","valid_for_seconds":-1}"#,
        ] {
            assert!(serde_json::from_str::<IssueUserKey>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_revocation_names_what_it_revokes() {
        let asked: RevokeUserKeys =
            serde_json::from_str(r#"{"key":"a/b","subject":{"type":"User","id":"ana"}}"#).unwrap();
        assert_eq!(asked.subject.map(|subject| subject.id), Some("ana".to_owned()));
        assert!(serde_json::from_str::<RevokeUserKeys>(r#"{"key":"a/b","serials":[-1]}"#).is_err());
        assert!(serde_json::from_str::<RevokeUserKeys>(r#"{"key":"a/b","serials":[4294967296]}"#).is_err());
        assert!(serde_json::from_str::<RevokeUserKeys>(r#"{"key":"a/b","all":true}"#).is_err());
    }
}
