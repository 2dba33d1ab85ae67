//! The values of one entity, as attributes of a user key.
//!
//! Nothing is bent until it fits: a number that is too wide, a text that no enumeration lists, a day with a time, a name
//! that normalising would make another's is refused, and the attribute named.

use wardkeep_abe::{AttributeError, Attributes, Date, Schema, Type, Value};
use wardkeep_model::Value as Stored;

use super::{Field, Projection};
use crate::entities::EntityStore;
use crate::{AttributeSource, EntityRecord, ProjectionError};

/// Attributes under construction.
struct Filling<'a> {
    /// What is declared of each.
    schema: &'a Schema,
    /// What was taken so far.
    attributes: Attributes,
}

impl Projection {
    /// The attributes of an entity. A source that the entity lacks gives none; a set that it has, and an empty one at
    /// that, is known to be empty, and so are ancestors of which there are none.
    ///
    /// # Errors
    /// The first attribute whose value does not fit.
    pub(crate) fn attributes(
        &self,
        record: &EntityRecord,
        entities: &EntityStore,
    ) -> Result<Attributes, ProjectionError> {
        let mut filling = Filling { schema: &self.schema, attributes: Attributes::new() };
        for Field { name, from } in &self.fields {
            let filled = match from {
                AttributeSource::Id => filling.text(name, record.uid.id()),
                AttributeSource::Uid => filling.text(name, &record.uid.to_string()),
                AttributeSource::Ancestors(kind) => filling.ancestors(name, kind, record, entities),
                AttributeSource::Attribute(attribute) => match record.attributes.get(attribute) {
                    Some(value) => filling.stored(name, value),
                    None => Ok(()),
                },
            };
            filled.map_err(|problem| ProjectionError::Misfit { name: name.clone(), problem })?;
        }
        Ok(filling.attributes)
    }
}

impl Filling<'_> {
    /// The ids above an entity that are of one type. By parents alone, as `in` is decided: control roles are no parents.
    fn ancestors(
        &mut self,
        name: &str,
        kind: &str,
        record: &EntityRecord,
        entities: &EntityStore,
    ) -> Result<(), String> {
        let above = entities.above(&record.uid, &record.parents);
        let above = above.map_err(|_| "comes from more ancestors than an entity may have".to_owned())?;
        self.known_set(name)?;
        above.iter().filter(|uid| uid.kind() == kind).try_for_each(|uid| self.text(name, uid.id()))
    }

    /// An attribute as the store holds it. It fits the schema of its bundle, and the bundle's check let only such types
    /// through as have a form here; what has none is refused all the same.
    fn stored(&mut self, name: &str, value: &Stored) -> Result<(), String> {
        match value {
            Stored::Set(items) => {
                self.known_set(name)?;
                items.iter().try_for_each(|item| self.one(name, item))
            }
            value => self.one(name, value),
        }
    }

    /// One value, or one element of a set.
    fn one(&mut self, name: &str, value: &Stored) -> Result<(), String> {
        let is_date = self.schema.get(name).is_some_and(|declared| declared.kind == Type::Date);
        match value {
            Stored::Long(number) => self.put(name, Value::from(*number)),
            Stored::Bool(truth) => self.text(name, if *truth { "true" } else { "false" }),
            Stored::Entity(uid) => self.text(name, uid.id()),
            Stored::String(text) if is_date => {
                let day = Date::parse(text).ok_or("takes a day of the calendar, written as 2026-11-21")?;
                self.put(name, Value::from(day))
            }
            Stored::String(text) => self.text(name, text),
            Stored::Extension { function, argument } if function == "datetime" => {
                let day = midnight(argument).ok_or("takes a day, and the time is not midnight UTC: store the day")?;
                self.put(name, Value::from(day))
            }
            Stored::Extension { .. } | Stored::Record(_) | Stored::Set(_) => {
                Err("has a value of a type that no attribute has".to_owned())
            }
        }
    }

    /// Text as it stands. Policies compare bytes, keys compare normal forms: a text that normalising changes would be two
    /// things there and one here.
    fn text(&mut self, name: &str, text: &str) -> Result<(), String> {
        self.put(name, Value::from(text))?;
        let written = Value::from(text);
        if self.attributes.get(name).is_some_and(|held| held.contains(&written)) {
            return Ok(());
        }
        Err("holds text that is not in Unicode's normal form C: two names would become one, store it as NFC".to_owned())
    }

    /// From here on the set is known, be it empty: that is what lets `!=` hold.
    fn known_set(&mut self, name: &str) -> Result<(), String> {
        self.attributes.insert_set(self.schema, name).map_err(problem)
    }

    /// Adds a value if it fits what is declared.
    fn put(&mut self, name: &str, value: Value) -> Result<(), String> {
        self.attributes.insert(self.schema, name, value).map_err(problem)
    }
}

/// The day that a datetime begins; `None` where it has a time, or another offset than UTC's.
fn midnight(argument: &str) -> Option<Date> {
    let day = argument.strip_suffix("T00:00:00Z").or_else(|| argument.strip_suffix("T00:00:00.000Z"));
    Date::parse(day.unwrap_or(argument))
}

/// What is wrong, in words that follow the attribute's name.
fn problem(error: AttributeError) -> String {
    match error {
        AttributeError::Value { why, .. } => why.to_string(),
        error => format!("cannot be added: {error}"),
    }
}
