//! The encryption context of a data key: plain members, and possibly the record it protects.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{AdditionalProperties, Object, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{AttributeValue, EntityRef};

/// `{"purpose": "notes", "resource": {"type": "Note", "id": "n1"}}`: text under names of the caller's own, and
/// the reserved member `resource`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// Plain members.
    pub members: BTreeMap<String, String>,
    /// The record that the data key protects.
    pub resource: Option<Resource>,
}

/// The record that a data key protects. Absent and empty `attributes` or `parents` differ: for a type whose
/// source is the entity store, any of them at all are refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// The Cedar type, `Observation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id, 1 to 256 bytes.
    pub id: String,
    /// Attributes bound into the wrapped key, for a *bound* type only.
    #[serde(default, deserialize_with = "crate::unique::present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attributes: Option<BTreeMap<String, AttributeValue>>,
    /// Parents bound into the wrapped key, for a *bound* type only.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parents: Option<Vec<EntityRef>>,
}

/// A member that is there has a value: `null` is refused instead of being read as absence, for the two differ.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

const RESOURCE: &str = "resource";

impl Context {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.resource.is_none()
    }
}

impl PartialSchema for Context {
    fn schema() -> RefOr<Schema> {
        let text = Object::builder().schema_type(Type::String).build();
        let object = Object::builder()
            .schema_type(SchemaType::Type(Type::Object))
            .description(Some("Authenticated, not secret. At most 64 members, 8 KiB in canonical form"))
            .property(RESOURCE, utoipa::openapi::Ref::from_schema_name("Resource"))
            .additional_properties(Some(AdditionalProperties::RefOr(Schema::Object(text).into())));
        Schema::Object(object.build()).into()
    }
}

impl ToSchema for Context {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Resource::name().into_owned(), Resource::schema()));
        Resource::schemas(schemas);
    }
}

impl Serialize for Context {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len() + usize::from(self.resource.is_some())))?;
        self.members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        if let Some(resource) = &self.resource {
            map.serialize_entry(RESOURCE, resource)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Context;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts, with an object under `resource` where a record is named")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Context, A::Error> {
                let mut context = Context::default();
                while let Some(name) = map.next_key::<String>()? {
                    let twice = if name == RESOURCE {
                        context.resource.replace(map.next_value()?).is_some()
                    } else {
                        context.members.insert(name, map.next_value()?).is_some()
                    };
                    if twice {
                        return Err(de::Error::custom("a member stands twice in the context"));
                    }
                }
                Ok(context)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_record_round_trip() {
        let text = r#"{"purpose":"x","resource":{"type":"Note","id":"1","attributes":{"n":9007199254740993}}}"#;
        let context: Context = serde_json::from_str(text).unwrap();
        assert_eq!(context.members["purpose"], "x");
        let resource = context.resource.clone().unwrap();
        assert_eq!(resource.attributes.unwrap()["n"], AttributeValue::Long(9_007_199_254_740_993));
        assert_eq!(serde_json::to_string(&context).unwrap(), text);
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        for bad in [
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":"1","a":"2"}"#,
            r#"{"resource":"Note::\"1\""}"#,
            r#"{"resource":{"type":"Note"}}"#,
            r#"{"resource":{"type":"Note","id":"1","attributes":null}}"#,
            r#"{"resource":{"type":"Note","id":"1","parents":null}}"#,
            r#"{"resource":{"type":"Note","id":"1","tags":{}}}"#,
            r#"{"resource":{"type":"A","id":"1"},"resource":{"type":"A","id":"1"}}"#,
            "null",
            "[]",
        ] {
            assert!(serde_json::from_str::<Context>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn absent_and_empty_stay_apart() {
        let read = |text| serde_json::from_str::<Resource>(text).unwrap();
        assert_eq!(read(r#"{"type":"A","id":"1"}"#).attributes, None);
        assert_eq!(read(r#"{"type":"A","id":"1","attributes":{}}"#).attributes, Some(BTreeMap::new()));
    }
}
