//! Bytes that are not secret, as base64 text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Bytes, written as base64 with the standard alphabet and padding (RFC 4648 section 4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, ToSchema)]
#[schema(value_type = String, format = Byte, example = "d2FyZGtlZXA=")]
pub struct Base64(pub Vec<u8>);

impl Base64 {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Base64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Base64 {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_str`: that shows a number without asking the visitor.
        deserializer.deserialize_any(TextVisitor).map(Self)
    }
}

/// What a visitor of secret text answers to other scalars. Left to itself it would say which: a number in a secret's place
/// may be the secret.
macro_rules! not_text {
    () => {
        fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Err(E::custom("neither a number nor true or false is text: put it in quotes"))
        }

        fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
            self.visit_bool(true)
        }

        fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
            self.visit_bool(true)
        }

        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
            self.visit_bool(true)
        }
    };
}
pub(crate) use not_text;

/// Reads base64 text without echoing it: whatever stands there might be a secret in the wrong field.
pub(crate) struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64 text (standard alphabet, with padding)")
    }

    not_text!();

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        STANDARD.decode(text).map_err(|_| E::custom("not base64: use the standard alphabet, with padding"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip_and_have_one_spelling() {
        let bytes = Base64(vec![0, 255, 16, 32]);
        let text = serde_json::to_string(&bytes).unwrap();
        assert_eq!(text, "\"AP8QIA==\"");
        assert_eq!(serde_json::from_str::<Base64>(&text).unwrap(), bytes);
        for bad in ["\"AP8QIA\"", "\"AP8QIA=\"", "\"AP8Q IA==\"", "\"AP8QIB==\"", "\"_-8=\"", "3", "null", "[1]"] {
            assert!(serde_json::from_str::<Base64>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_does_not_echo_the_text() {
        let error = serde_json::from_str::<Base64>("\"hunter2!canary\"").unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
    }
}
