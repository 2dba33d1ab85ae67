//! Attribute values out of Cedar's JSON form, integers kept as `i64` all the way.

use serde_json::Value as Json;
use wardkeep_model::attribute::MAX_DEPTH;
use wardkeep_model::{Attributes, EntityUid, Value};

/// Why a JSON value is no attribute value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// `null`, or a number that is no 64-bit integer.
    #[error("a value is `null` or not a 64-bit integer")]
    Scalar,
    /// An escape of the wrong shape.
    #[error(
        "an escape is malformed: `__entity` holds `type` and `id`, `__extn` holds `fn` and `arg`, and nothing else"
    )]
    Escape,
    /// A malformed or overlong entity name.
    #[error("an entity name is malformed or too long")]
    Uid,
    /// Not an object where attributes were expected.
    #[error("attributes are not an object")]
    Shape,
    /// Nested deeper than allowed.
    #[error("a value nests deeper than {MAX_DEPTH}")]
    Depth,
}

/// The attributes of a JSON object; none for an absent one.
pub fn attributes(json: Option<&Json>) -> Result<Attributes, JsonError> {
    match json {
        None => Ok(Attributes::new()),
        Some(Json::Object(members)) => {
            members.iter().map(|(name, value)| Ok((name.clone(), value_at(value, 1)?))).collect()
        }
        Some(_) => Err(JsonError::Shape),
    }
}

/// One value.
pub fn value(json: &Json) -> Result<Value, JsonError> {
    value_at(json, 1)
}

/// One value, this deep already.
fn value_at(json: &Json, depth: usize) -> Result<Value, JsonError> {
    if depth > MAX_DEPTH {
        return Err(JsonError::Depth);
    }
    Ok(match json {
        Json::Null => return Err(JsonError::Scalar),
        Json::Bool(truth) => Value::Bool(*truth),
        // Only what serde_json keeps as an integer: `1.0` and 2^63 went through a double or would have to.
        Json::Number(number) => Value::Long(number.as_i64().ok_or(JsonError::Scalar)?),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Set(items.iter().map(|item| value_at(item, depth + 1)).collect::<Result<_, _>>()?),
        Json::Object(members) => match (members.get("__entity"), members.get("__extn")) {
            (Some(entity), None) if members.len() == 1 => Value::Entity(entity_of(entity)?),
            (None, Some(call)) if members.len() == 1 => extension(call)?,
            (None, None) => {
                let fields = members.iter().map(|(name, value)| Ok((name.clone(), value_at(value, depth + 1)?)));
                Value::Record(fields.collect::<Result<_, JsonError>>()?)
            }
            _ => return Err(JsonError::Escape),
        },
    })
}

/// The inside of `__entity`.
fn entity_of(json: &Json) -> Result<EntityUid, JsonError> {
    let (kind, id) = two_strings(json, "type", "id")?;
    EntityUid::new(kind, id).map_err(|_| JsonError::Uid)
}

/// The inside of `__extn`. Whether the constructor exists and takes its argument is seen where the value is used.
fn extension(json: &Json) -> Result<Value, JsonError> {
    let (function, argument) = two_strings(json, "fn", "arg")?;
    Ok(Value::Extension { function: function.to_owned(), argument: argument.to_owned() })
}

/// An object of exactly two strings: a third member would be something that we do not understand and would drop.
fn two_strings<'j>(json: &'j Json, first: &str, second: &str) -> Result<(&'j str, &'j str), JsonError> {
    let members = json.as_object().filter(|members| members.len() == 2).ok_or(JsonError::Escape)?;
    let text = |name: &str| members.get(name).and_then(Json::as_str).ok_or(JsonError::Escape);
    Ok((text(first)?, text(second)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_keep_every_bit() {
        for number in [i64::MAX, i64::MIN, 9_007_199_254_740_993] {
            assert_eq!(value(&json!(number)), Ok(Value::Long(number)));
        }
        for text in ["9223372036854775808", "1.0", "1e3", "null"] {
            let json: Json = serde_json::from_str(text).unwrap();
            assert_eq!(value(&json), Err(JsonError::Scalar), "{text}");
        }
    }

    #[test]
    fn escapes_are_exact() {
        let entity = json!({ "__entity": { "type": "User", "id": "ana" } });
        assert_eq!(value(&entity), Ok(Value::Entity(EntityUid::new("User", "ana").unwrap())));
        for bad in [
            json!({ "__entity": { "type": "User", "id": "ana" }, "more": 1 }),
            json!({ "__entity": { "type": "User" } }),
            json!({ "__entity": { "type": "User", "id": 1 } }),
            json!({ "__extn": { "fn": "ip", "arg": "::1", "x": 1 } }),
            json!({ "__entity": {}, "__extn": {} }),
        ] {
            assert_eq!(value(&bad), Err(JsonError::Escape), "{bad}");
        }
        assert_eq!(value(&json!({ "__entity": { "type": "1", "id": "a" } })), Err(JsonError::Uid));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = (0..MAX_DEPTH).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(value(&deep), Err(JsonError::Depth));
        let fits = (0..MAX_DEPTH - 1).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(value(&fits).map(|v| v.depth()), Ok(MAX_DEPTH));
    }
}
