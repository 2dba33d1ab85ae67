//! Attribute values in Cedar's JSON form, without losing a bit.
//!
//! Plain JSON for truth values, integers, text, sets and records; `{"__entity": {"type", "id"}}` for a
//! reference and `{"__extn": {"fn", "arg"}}` for `decimal`, `ip`, `datetime` and `duration`. Integers are `i64`
//! all the way: a path through `f64` would lose bits beyond 2^53, and a number with a fraction is refused with
//! advice instead of being rounded.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{Object, SchemaType};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::EntityRef;

/// One attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// `true` or `false`
    Bool(bool),
    /// A 64-bit integer.
    Long(i64),
    /// Text.
    String(String),
    /// `{"__entity": {"type": "User", "id": "ana"}}`
    Entity(EntityRef),
    /// `[..]`
    Set(Vec<AttributeValue>),
    /// `{"name": ..}`
    Record(BTreeMap<String, AttributeValue>),
    /// `{"__extn": {"fn": "decimal", "arg": "1.5"}}`
    Extension {
        /// The constructor.
        function: String,
        /// Its argument.
        argument: String,
    },
}

const ENTITY: &str = "__entity";
const EXTENSION: &str = "__extn";

impl PartialSchema for AttributeValue {
    fn schema() -> RefOr<Schema> {
        let described = Object::builder().schema_type(SchemaType::AnyValue).description(Some(
            "A Cedar value: boolean, 64-bit integer, string, array, object, `{\"__entity\": {\"type\", \"id\"}}` or \
             `{\"__extn\": {\"fn\", \"arg\"}}`",
        ));
        Schema::Object(described.build()).into()
    }
}

impl ToSchema for AttributeValue {}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Call<'a> {
            r#fn: &'a str,
            arg: &'a str,
        }
        match self {
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Long(number) => serializer.serialize_i64(*number),
            Self::String(text) => serializer.serialize_str(text),
            Self::Entity(uid) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(ENTITY, uid)?;
                map.end()
            }
            Self::Set(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| seq.serialize_element(item))?;
                seq.end()
            }
            Self::Record(fields) => serializer.collect_map(fields),
            Self::Extension { function, argument } => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(EXTENSION, &Call { r#fn: function, arg: argument })?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = AttributeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, a 64-bit integer, text, an array or an object")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Long(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<AttributeValue, E> {
        let number =
            i64::try_from(number).map_err(|_| E::custom("an integer of policies has 64 bits with its sign"))?;
        Ok(AttributeValue::Long(number))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<AttributeValue, E> {
        Err(E::custom("policies know no fractions: write {\"__extn\": {\"fn\": \"decimal\", \"arg\": \"1.5\"}}"))
    }

    fn visit_str<E>(self, text: &str) -> Result<AttributeValue, E> {
        Ok(AttributeValue::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<AttributeValue, E> {
        Ok(AttributeValue::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AttributeValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(AttributeValue::Set(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AttributeValue, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<AttributeValue>()?;
            if fields.insert(name, value).is_some() {
                return Err(de::Error::custom("a name stands twice in one object"));
            }
        }
        escaped(fields).map_err(de::Error::custom)
    }
}

/// An object with an escape has nothing but that escape; one without is a record.
fn escaped(mut fields: BTreeMap<String, AttributeValue>) -> Result<AttributeValue, &'static str> {
    if fields.contains_key("__expr") {
        return Err("`__expr` is not taken: write plain JSON, `__entity` or `__extn`");
    }
    for (escape, first, second) in [(ENTITY, "type", "id"), (EXTENSION, "fn", "arg")] {
        let Some(inner) = fields.remove(escape) else { continue };
        let [first, second] = two_texts(inner, first, second).filter(|_| fields.is_empty()).ok_or(
            "an escape stands alone in its object: {\"__entity\": {\"type\", \"id\"}}, {\"__extn\": {\"fn\", \"arg\"}}",
        )?;
        return Ok(match escape {
            ENTITY => AttributeValue::Entity(EntityRef { kind: first, id: second }),
            _ => AttributeValue::Extension { function: first, argument: second },
        });
    }
    Ok(AttributeValue::Record(fields))
}

fn two_texts(value: AttributeValue, first: &str, second: &str) -> Option<[String; 2]> {
    let AttributeValue::Record(mut inner) = value else { return None };
    match (inner.remove(first), inner.remove(second)) {
        (Some(AttributeValue::String(a)), Some(AttributeValue::String(b))) if inner.is_empty() => Some([a, b]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<AttributeValue, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn integers_keep_every_bit() {
        for number in [i64::MIN, i64::MAX, (1 << 53) + 1, 0] {
            assert_eq!(read(&number.to_string()).unwrap(), AttributeValue::Long(number));
            assert_eq!(serde_json::to_string(&AttributeValue::Long(number)).unwrap(), number.to_string());
        }
        for bad in ["9223372036854775808", "1.0", "1e3", "-9223372036854775809", "null"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_escape_cannot_hide_beside_other_names() {
        assert!(matches!(read(r#"{"__entity":{"type":"U","id":"a"}}"#).unwrap(), AttributeValue::Entity(_)));
        assert!(matches!(read(r#"{"__extn":{"fn":"ip","arg":"::1"}}"#).unwrap(), AttributeValue::Extension { .. }));
        for bad in [
            r#"{"__entity":{"type":"U","id":"a"},"x":1}"#,
            r#"{"__entity":{"type":"U","id":"a","x":1}}"#,
            r#"{"__entity":{"type":"U"}}"#,
            r#"{"__entity":"U"}"#,
            r#"{"__extn":{"fn":"ip","arg":1}}"#,
            r#"{"__entity":{"type":"U","id":"a"},"__extn":{"fn":"ip","arg":"::1"}}"#,
            r#"{"__expr":"ip(\"::1\")"}"#,
            r#"{"a":1,"a":2}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    fn values() -> impl Strategy<Value = AttributeValue> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(AttributeValue::Bool),
            any::<i64>().prop_map(AttributeValue::Long),
            ".{0,8}".prop_map(AttributeValue::String),
            ("[A-Z]{1,3}", ".{1,4}").prop_map(|(kind, id)| AttributeValue::Entity(EntityRef { kind, id })),
            ("[a-z]{1,3}", ".{0,4}").prop_map(|(function, argument)| AttributeValue::Extension { function, argument }),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::Set),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(AttributeValue::Record),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_round_trips(value in values()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(read(&text).unwrap(), value);
        }
    }
}
