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
mod tests;
