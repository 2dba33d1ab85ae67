//! Between wire types and domain types: parsed once at the top of a verb, values that cannot be wrong from then on.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wardkeep_api::data_key::{Jwk, Recipient};
use wardkeep_api::{AttributeValue, Context, EntityRef, Resource};
use wardkeep_kms::RecipientKey;
use wardkeep_model::attribute::MAX_DEPTH;
use wardkeep_model::{Attributes, EncryptionContext, EntityUid, KeyVersion, ResourceBinding, Value};

use super::problem::Fault;

/// A context, checked.
///
/// # Errors
/// What does not fit its bounds or has no entity's name.
pub fn context(wire: Context) -> Result<EncryptionContext, Fault> {
    let Context { members, resource } = wire;
    Ok(EncryptionContext::new(members, resource.map(binding).transpose()?)?)
}

fn binding(wire: Resource) -> Result<ResourceBinding, Fault> {
    let Resource { kind, id, attributes: given, parents } = wire;
    let entity = EntityUid::new(&kind, &id)?;
    let attributes = given.map(attributes).transpose()?;
    let parents = parents.map(|list| list.iter().map(entity_uid).collect::<Result<_, _>>()).transpose()?;
    Ok(ResourceBinding { entity, attributes, parents })
}

/// An entity's name.
///
/// # Errors
/// A malformed type or id.
pub fn entity_uid(wire: &EntityRef) -> Result<EntityUid, Fault> {
    Ok(EntityUid::new(&wire.kind, &wire.id)?)
}

/// An entity's name on the wire.
#[must_use]
pub fn entity_ref(uid: &EntityUid) -> EntityRef {
    EntityRef { kind: uid.kind().to_owned(), id: uid.id().to_owned() }
}

/// Attributes, each of bounded depth.
///
/// # Errors
/// Too deep, or a reference with a malformed name.
pub fn attributes(wire: BTreeMap<String, AttributeValue>) -> Result<Attributes, Fault> {
    wire.into_iter().map(|(name, value)| Ok((name, attribute(value, MAX_DEPTH)?))).collect()
}

fn attribute(wire: AttributeValue, depth: usize) -> Result<Value, Fault> {
    let Some(inner) = depth.checked_sub(1) else { return Err(Fault::AttributeDepth) };
    Ok(match wire {
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::Long(number) => Value::Long(number),
        AttributeValue::String(text) => Value::String(text),
        AttributeValue::Entity(uid) => Value::Entity(entity_uid(&uid)?),
        AttributeValue::Set(items) => {
            Value::Set(items.into_iter().map(|item| attribute(item, inner)).collect::<Result<_, _>>()?)
        }
        AttributeValue::Record(fields) => Value::Record(
            fields
                .into_iter()
                .map(|(name, value)| Ok((name, attribute(value, inner)?)))
                .collect::<Result<_, Fault>>()?,
        ),
        AttributeValue::Extension { function, argument } => Value::Extension { function, argument },
    })
}

/// Attributes on the wire.
#[must_use]
pub fn attribute_values(attributes: &Attributes) -> BTreeMap<String, AttributeValue> {
    attributes.iter().map(|(name, value)| (name.clone(), attribute_value(value))).collect()
}

fn attribute_value(value: &Value) -> AttributeValue {
    match value {
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Long(number) => AttributeValue::Long(*number),
        Value::String(text) => AttributeValue::String(text.clone()),
        Value::Entity(uid) => AttributeValue::Entity(entity_ref(uid)),
        Value::Set(items) => AttributeValue::Set(items.iter().map(attribute_value).collect()),
        Value::Record(fields) => AttributeValue::Record(attribute_values(fields)),
        Value::Extension { function, argument } => {
            AttributeValue::Extension { function: function.clone(), argument: argument.clone() }
        }
    }
}

/// A recipient's key, checked, where there is one.
///
/// # Errors
/// [`Fault::Recipient`] and [`Fault::Jwk`]
pub fn recipient(wire: Option<Recipient>) -> Result<Option<RecipientKey>, Fault> {
    wire.map(recipient_key).transpose()
}

/// A recipient's key, checked.
///
/// # Errors
/// [`Fault::Recipient`] and [`Fault::Jwk`]
pub fn recipient_key(wire: Recipient) -> Result<RecipientKey, Fault> {
    match wire {
        Recipient::Spki(der) => Ok(RecipientKey::from_spki_der(der.as_bytes())?),
        Recipient::Jwk(jwk) => jwk_key(&jwk),
    }
}

fn jwk_key(jwk: &Jwk) -> Result<RecipientKey, Fault> {
    let fits = |given: &Option<String>, word: &str| given.as_deref().is_none_or(|given| given == word);
    if jwk.kty != "RSA" || !fits(&jwk.alg, "RSA-OAEP-256") || !fits(&jwk.usage, "enc") {
        return Err(Fault::Jwk);
    }
    let number = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::Jwk);
    Ok(RecipientKey::from_jwk(&number(&jwk.n)?, &number(&jwk.e)?)?)
}

/// A version number, where one is given.
///
/// # Errors
/// [`Fault::VersionZero`]
pub fn version(number: Option<u32>) -> Result<Option<KeyVersion>, Fault> {
    number.map(|number| KeyVersion::new(number).ok_or(Fault::VersionZero)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<EncryptionContext, Fault> {
        context(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn integers_arrive_whole_and_absence_stays_absence() {
        let made =
            parsed(r#"{"a":"b","resource":{"type":"Note","id":"1","attributes":{"n":9007199254740993}}}"#).unwrap();
        let resource = made.resource().unwrap();
        assert_eq!(resource.attributes.as_ref().unwrap()["n"], Value::Long(9_007_199_254_740_993));
        assert_eq!(resource.parents, None);
        let empty = parsed(r#"{"resource":{"type":"Note","id":"1","attributes":{},"parents":[]}}"#).unwrap();
        assert_eq!(empty.resource().unwrap().attributes, Some(Attributes::new()));
    }

    #[test]
    fn names_and_depth_are_checked() {
        assert!(matches!(parsed(r#"{"resource":{"type":"no such","id":"1"}}"#), Err(Fault::Name(_))));
        let deep = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        let text = format!(r#"{{"resource":{{"type":"Note","id":"1","attributes":{{"a":{deep}}}}}}}"#);
        assert!(matches!(parsed(&text), Err(Fault::AttributeDepth)));
    }

    #[test]
    fn attributes_survive_the_way_there_and_back() {
        let text =
            r#"{"a":[1,{"__entity":{"id":"x","type":"T"}}],"b":{"c":{"__extn":{"fn":"ip","arg":"::1"}}},"d":false}"#;
        let wire: BTreeMap<String, AttributeValue> = serde_json::from_str(text).unwrap();
        assert_eq!(attribute_values(&attributes(wire.clone()).unwrap()), wire);
    }

    #[test]
    fn a_jwk_for_something_else_is_refused() {
        let jwk = |kty: &str, alg: Option<&str>| Jwk {
            kty: kty.into(),
            n: "AQ".into(),
            e: "AQAB".into(),
            kid: None,
            alg: alg.map(Into::into),
            usage: None,
        };
        assert!(matches!(jwk_key(&jwk("EC", None)), Err(Fault::Jwk)));
        assert!(matches!(jwk_key(&jwk("RSA", Some("RS256"))), Err(Fault::Jwk)));
        assert!(matches!(jwk_key(&jwk("RSA", None)), Err(Fault::Recipient(_))), "a modulus of one bit");
    }
}
