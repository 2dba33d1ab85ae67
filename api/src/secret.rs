//! Secrets on the wire: zeroed on drop, never printed, never compared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::bytes::{TextVisitor, not_text};

/// Secret bytes, written as base64. Neither `Debug` nor `Clone`; zeroed on drop.
///
/// ```compile_fail,E0277
/// format!("{:?}", wardkeep_api::Secret::new(vec![1]));
/// ```
#[derive(ToSchema)]
#[schema(value_type = String, format = Byte, example = "d2FyZGtlZXA=")]
pub struct Secret(Zeroizing<Vec<u8>>);

/// A secret that is text, such as an enrolment token. Neither `Debug` nor `Clone`; zeroed on drop.
#[derive(ToSchema)]
#[schema(value_type = String, format = Password)]
pub struct SecretText(Zeroizing<String>);

impl Secret {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one place that uses them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, still zeroed on drop.
    #[must_use]
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl SecretText {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that uses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.0.as_slice())))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Self::new)
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;
        impl Visitor<'_> for Plain {
            type Value = SecretText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text")
            }

            not_text!();

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText::new(text.to_owned()))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<SecretText, E> {
                Ok(SecretText::new(text))
            }
        }
        deserializer.deserialize_any(Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_round_trip() {
        let text = serde_json::to_string(&Secret::new(vec![1, 2, 3])).unwrap();
        assert_eq!(text, "\"AQID\"");
        assert_eq!(serde_json::from_str::<Secret>(&text).unwrap().expose(), [1, 2, 3]);
        assert_eq!(serde_json::from_str::<SecretText>("\"a\\nb\"").unwrap().expose(), "a\nb");
    }

    #[test]
    fn errors_do_not_echo_what_might_be_a_secret() {
        let Err(error) = serde_json::from_str::<Secret>("\"canary canary\"") else { panic!("taken") };
        assert!(!error.to_string().contains("canary"));
    }
}
