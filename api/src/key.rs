//! Keys: description, life cycle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Base64;

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeySpec {
    /// AES-256: wrap, encrypt.
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
    /// RSA of 3072 bits: wrap, sign.
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// RSA of 4096 bits: wrap, sign.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
    /// ECDSA over P-256: sign.
    #[serde(rename = "ec-p256")]
    EcP256,
    /// Ed25519: sign.
    Ed25519,
    /// An authority of attribute-based encryption, FABEO over BLS12-381: issue.
    #[serde(rename = "fabeo-bls12-381")]
    FabeoBls12381,
}

/// The one thing a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUsage {
    /// Wrap data keys.
    Wrap,
    /// Encrypt and decrypt up to 64 KiB.
    Encrypt,
    /// Sign and verify.
    Sign,
    /// Issue user keys. What their attributes are, the bundle in force declares.
    Issue,
}

/// The state of a key version (SP 800-57 part 1, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Made, not yet in use.
    PreActivation,
    /// In full use.
    Active,
    /// On hold.
    Suspended,
    /// Only for what it protected before.
    Deactivated,
    /// As deactivated, under a further right.
    Compromised,
    /// Gone.
    Destroyed,
}

/// `POST /v1/keys`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// `ring/name`; the ring exists.
    #[schema(example = "payments/card-data")]
    pub key: String,
    /// What it is made of.
    pub spec: KeySpec,
    /// What it is for; fixed for its life.
    pub usage: KeyUsage,
    /// Text under names of your own; policies see them as tags.
    #[serde(default, deserialize_with = "crate::unique::map")]
    pub labels: BTreeMap<String, String>,
    /// Rotate after this many days; absent: only by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_days: Option<u32>,
    /// Whether the first version is active at once. Default: true.
    #[serde(default = "yes")]
    pub activate: bool,
}

pub(crate) fn yes() -> bool {
    true
}

/// `PATCH /v1/keys/{ring}/{key}`: what is absent stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateKey {
    /// All labels, in place of the former ones.
    #[serde(default, deserialize_with = "crate::unique::optional", skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Rotate after this many days; 0 ends rotation by period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_days: Option<u32>,
}

/// The body of `enable`, `suspend`, `deactivate` and `compromise`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectVersion {
    /// One version; absent: all that the verb can lead on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// `POST /v1/keys/{ring}/{key}/schedule-deletion`
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleDeletion {
    /// Days until destruction, 7 to 30.
    #[schema(minimum = 7, maximum = 30)]
    pub days: u32,
}

/// A key, without any secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Key {
    /// `ring/name`
    pub key: String,
    /// What it is made of.
    pub spec: KeySpec,
    /// What it is for.
    pub usage: KeyUsage,
    /// `wardkeep` for a key made here.
    pub origin: String,
    /// Whether its material can leave, or left: an authority that went into escrow.
    pub exportable: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Period of rotation in days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_days: Option<u32>,
    /// When the scheduler rotates it next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub next_rotation: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created: String,
    /// When it will be destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub destroy_after: Option<String>,
    /// Grows with every change; the `ETag`.
    pub revision: u64,
    /// Its versions, oldest first.
    pub versions: Vec<KeyVersion>,
}

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyVersion {
    /// Counted from 1.
    pub version: u32,
    /// Its state.
    pub state: KeyState,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created: String,
    /// When it last became active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub activated: Option<String>,
    /// When it was deactivated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub deactivated: Option<String>,
    /// When it was marked as compromised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub compromised: Option<String>,
    /// When it was destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub destroyed: Option<String>,
    /// The public half as DER SubjectPublicKeyInfo, for RSA and elliptic curves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<Base64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_model() {
        let text = |value: &dyn erased::Shown| value.shown();
        assert_eq!(text(&KeySpec::Aes256Gcm), "\"aes-256-gcm\"");
        assert_eq!(text(&KeySpec::EcP256), "\"ec-p256\"");
        assert_eq!(text(&KeySpec::Ed25519), "\"ed25519\"");
        assert_eq!(text(&KeySpec::FabeoBls12381), "\"fabeo-bls12-381\"");
        assert_eq!(text(&KeyUsage::Issue), "\"issue\"");
        assert_eq!(text(&KeyState::PreActivation), "\"pre-activation\"");
        assert!(serde_json::from_str::<KeySpec>("\"rsa-2048\"").is_err());
        assert!(serde_json::from_str::<KeyUsage>("\"Wrap\"").is_err());
    }

    mod erased {
        pub(super) trait Shown {
            fn shown(&self) -> String;
        }
        impl<T: serde::Serialize> Shown for T {
            fn shown(&self) -> String {
                serde_json::to_string(self).unwrap()
            }
        }
    }

    #[test]
    fn a_misspelt_option_is_an_error() {
        let good = r#"{"key":"a/b","spec":"ed25519","usage":"sign"}"#;
        let made: CreateKey = serde_json::from_str(good).unwrap();
        assert!(made.activate && made.rotation_days.is_none());
        let bad = r#"{"key":"a/b","spec":"ed25519","usage":"sign","exportable":true}"#;
        assert!(serde_json::from_str::<CreateKey>(bad).is_err());
        assert!(serde_json::from_str::<ScheduleDeletion>("{}").is_err());
    }
}
