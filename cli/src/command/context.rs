//! From flags to the encryption context of a data key.

use std::collections::BTreeMap;
use std::path::Path;

use wardkeep_client::wire::{self, AttributeValue};
use wardkeep_client::{Attributes, EncryptionContext, EntityUid, ResourceBinding, Value};
use wardkeep_model::IdError;

use super::CommandError;
use crate::args::keys::Context;
use crate::error::FileError;

/// The context as the client takes it.
pub(crate) fn of(args: &Context) -> Result<EncryptionContext, CommandError> {
    let resource = args.resource.as_deref().map(EntityUid::parse).transpose()?;
    let attributes = args.resource_attributes.as_deref().map(attributes).transpose()?;
    let resource = resource.map(|entity| ResourceBinding { entity, attributes, parents: None });
    Ok(EncryptionContext::new(args.members.iter().cloned().collect(), resource)?)
}

fn attributes(path: &Path) -> Result<Attributes, CommandError> {
    let bytes = std::fs::read(path).map_err(FileError::at("read", path))?;
    let fault = |error| CommandError::JsonFile { path: path.to_owned(), error };
    let read: BTreeMap<String, AttributeValue> = serde_json::from_slice(&bytes).map_err(fault)?;
    Ok(read.into_iter().map(|(name, value)| Ok((name, value_of(value)?))).collect::<Result<_, IdError>>()?)
}

fn value_of(value: AttributeValue) -> Result<Value, IdError> {
    Ok(match value {
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::Long(number) => Value::Long(number),
        AttributeValue::String(text) => Value::String(text),
        AttributeValue::Entity(wire::EntityRef { kind, id }) => Value::Entity(EntityUid::new(&kind, &id)?),
        AttributeValue::Set(items) => Value::Set(items.into_iter().map(value_of).collect::<Result<_, _>>()?),
        AttributeValue::Record(fields) => Value::Record(
            fields.into_iter().map(|(name, value)| Ok((name, value_of(value)?))).collect::<Result<_, IdError>>()?,
        ),
        AttributeValue::Extension { function, argument } => Value::Extension { function, argument },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_a_context_with_its_record() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("attributes.json");
        std::fs::write(&file, r#"{"kind":"Observation","patient":{"__entity":{"type":"Patient","id":"p"}},"n":7}"#)
            .unwrap();
        let args = Context {
            members: vec![("purpose".into(), "x=y".into())],
            resource: Some("Record::\"r\"".into()),
            resource_attributes: Some(file.clone()),
        };
        let context = of(&args).unwrap();
        let bound = context.resource().unwrap().attributes.clone().unwrap();
        assert_eq!(bound["patient"], Value::Entity(EntityUid::parse("Patient::\"p\"").unwrap()));
        assert_eq!((context.members()["purpose"].as_str(), &bound["n"]), ("x=y", &Value::Long(7)));

        for bad in ["{", "[]", r#"{"n":1.5}"#, r#"{"n":null}"#, r#"{"a":{"__entity":{"type":"1","id":"p"}}}"#] {
            std::fs::write(&file, bad).unwrap();
            assert!(of(&args).is_err(), "{bad}");
        }
        assert!(of(&Context { resource: Some("Record".into()), ..args }).is_err());
    }
}
