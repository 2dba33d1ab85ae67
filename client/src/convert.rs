//! Between the domain's types and those that travel.

use wardkeep_api::attribute::AttributeValue;
use wardkeep_api::{Context, EntityRef, Resource};
use wardkeep_model::context::ContextError;
use wardkeep_model::{EncryptionContext, EntityUid, IdError, ResourceBinding, Value};

/// Why a context that travelled is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireContextError {
    /// A name in it is malformed.
    #[error("the context names an entity that cannot be: {0}")]
    Id(#[from] IdError),
    /// It breaks a bound.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// It is not the JSON of a context.
    #[error("the context is not the JSON of an encryption context")]
    Json,
}

/// A context as it travels.
#[must_use]
pub(crate) fn context_to_wire(context: &EncryptionContext) -> Context {
    let resource = context.resource().map(|resource| Resource {
        kind: resource.entity.kind().to_owned(),
        id: resource.entity.id().to_owned(),
        attributes: resource
            .attributes
            .as_ref()
            .map(|attributes| attributes.iter().map(|(name, value)| (name.clone(), value_to_wire(value))).collect()),
        parents: resource.parents.as_ref().map(|parents| parents.iter().map(entity_to_wire).collect()),
    });
    Context { members: context.members().clone(), resource }
}

/// A context that travelled.
pub(crate) fn context_from_wire(context: Context) -> Result<EncryptionContext, WireContextError> {
    let resource = context.resource.map(resource_from_wire).transpose()?;
    Ok(EncryptionContext::new(context.members, resource)?)
}

/// An entity's name as it travels.
#[must_use]
pub(crate) fn entity_to_wire(uid: &EntityUid) -> EntityRef {
    EntityRef { kind: uid.kind().to_owned(), id: uid.id().to_owned() }
}

fn resource_from_wire(resource: Resource) -> Result<ResourceBinding, IdError> {
    let attributes = resource.attributes.map(|attributes| {
        attributes.into_iter().map(|(name, value)| Ok((name, value_from_wire(value)?))).collect::<Result<_, IdError>>()
    });
    let parents =
        resource.parents.map(|parents| parents.iter().map(entity_from_wire).collect::<Result<Vec<_>, IdError>>());
    Ok(ResourceBinding {
        entity: EntityUid::new(&resource.kind, &resource.id)?,
        attributes: attributes.transpose()?,
        parents: parents.transpose()?,
    })
}

fn entity_from_wire(entity: &EntityRef) -> Result<EntityUid, IdError> {
    EntityUid::new(&entity.kind, &entity.id)
}

fn value_to_wire(value: &Value) -> AttributeValue {
    match value {
        Value::Bool(truth) => AttributeValue::Bool(*truth),
        Value::Long(number) => AttributeValue::Long(*number),
        Value::String(text) => AttributeValue::String(text.clone()),
        Value::Entity(uid) => AttributeValue::Entity(entity_to_wire(uid)),
        Value::Set(items) => AttributeValue::Set(items.iter().map(value_to_wire).collect()),
        Value::Record(fields) => {
            AttributeValue::Record(fields.iter().map(|(name, value)| (name.clone(), value_to_wire(value))).collect())
        }
        Value::Extension { function, argument } => {
            AttributeValue::Extension { function: function.clone(), argument: argument.clone() }
        }
    }
}

fn value_from_wire(value: AttributeValue) -> Result<Value, IdError> {
    Ok(match value {
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::Long(number) => Value::Long(number),
        AttributeValue::String(text) => Value::String(text),
        AttributeValue::Entity(uid) => Value::Entity(entity_from_wire(&uid)?),
        AttributeValue::Set(items) => Value::Set(items.into_iter().map(value_from_wire).collect::<Result<_, _>>()?),
        AttributeValue::Record(fields) => Value::Record(
            fields
                .into_iter()
                .map(|(name, value)| Ok((name, value_from_wire(value)?)))
                .collect::<Result<_, IdError>>()?,
        ),
        AttributeValue::Extension { function, argument } => Value::Extension { function, argument },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn rich() -> EncryptionContext {
        let uid = |text| EntityUid::parse(text).unwrap();
        let record = BTreeMap::from([("deep".to_owned(), Value::Set(vec![Value::Long(i64::MIN), Value::Bool(true)]))]);
        let attributes = BTreeMap::from([
            ("patient".to_owned(), Value::Entity(uid("Patient::\"p1\""))),
            ("kind".to_owned(), Value::from("vital")),
            ("more".to_owned(), Value::Record(record)),
            ("score".to_owned(), Value::Extension { function: "decimal".into(), argument: "1.5".into() }),
        ]);
        let resource = ResourceBinding {
            entity: uid("Observation::\"o1\""),
            attributes: Some(attributes),
            parents: Some(vec![uid("Chart::\"c\"")]),
        };
        EncryptionContext::new(BTreeMap::from([("purpose".to_owned(), "ż\n".to_owned())]), Some(resource)).unwrap()
    }

    #[test]
    fn a_context_comes_back_byte_for_byte() {
        for context in [EncryptionContext::default(), rich()] {
            let json = serde_json::to_vec(&context_to_wire(&context)).unwrap();
            let back = context_from_wire(serde_json::from_slice(&json).unwrap()).unwrap();
            assert_eq!(back.canonical(), context.canonical());
        }
    }

    #[test]
    fn absent_and_empty_bindings_stay_apart() {
        let entity = EntityUid::parse("Note::\"n\"").unwrap();
        let bound = |attributes, parents| {
            let resource = ResourceBinding { entity: entity.clone(), attributes, parents };
            let context = EncryptionContext::new(BTreeMap::new(), Some(resource)).unwrap();
            context_from_wire(context_to_wire(&context)).unwrap().canonical().to_vec()
        };
        assert_ne!(bound(None, None), bound(Some(BTreeMap::new()), None));
        assert_ne!(bound(None, None), bound(None, Some(Vec::new())));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let mut wire = context_to_wire(&rich());
        wire.resource.as_mut().unwrap().kind = "not a type".to_owned();
        assert!(matches!(context_from_wire(wire), Err(WireContextError::Id(_))));
        let mut wire = context_to_wire(&rich());
        wire.members.insert("resource".to_owned(), "x".to_owned());
        assert!(matches!(context_from_wire(wire), Err(WireContextError::Context(_))));
    }
}
