//! What a key holds: names and their values.
//!
//! `role = doctor, level = 3, groups = [finance, audit], tags = []`. The brackets belong to attributes that are
//! declared as sets; an empty set is known to be empty, which is not the same as a missing attribute: `!=` holds
//! for the one and not for the other.

mod error;
mod labels;
mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use error::AttributeError;

use crate::label::{Label, Namespace, Scope};
use crate::schema::Schema;
use crate::syntax::{self, Position, Quoted, SyntaxError};
use crate::value::Value;

/// Most values, over all attributes.
pub(crate) const MAX_VALUES: usize = 1024;
/// Longest text form, in bytes.
pub(crate) const MAX_TEXT: usize = 64 * 1024;

/// Attributes with their values, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    held: BTreeMap<Box<str>, Held>,
    /// How many values there are, a set that is known to be empty counted as one.
    values: usize,
    /// Bytes of the canonical text, so that what was inserted can be written and read again.
    size: usize,
}

/// The values of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Held {
    set: bool,
    values: BTreeSet<Value>,
}

impl Attributes {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// With line and column of the first mistake, and what to write instead.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, AttributeError> {
        parse::parse(text, schema)
    }

    /// Adds a value; a set takes many, and each once.
    ///
    /// # Errors
    /// If the attribute is single-valued and has one, if the value does not fit the declaration, or a bound is passed.
    pub fn insert(&mut self, schema: &Schema, name: &str, value: impl Into<Value>) -> Result<(), AttributeError> {
        self.insert_at(Position::NONE, schema, name, value.into())
    }

    /// Makes a set known, empty if nothing was inserted.
    ///
    /// # Errors
    /// If the name is not declared as a set, or a bound is passed.
    pub fn insert_set(&mut self, schema: &Schema, name: &str) -> Result<(), AttributeError> {
        self.insert_set_at(Position::NONE, schema, name)
    }

    fn insert_at(&mut self, at: Position, schema: &Schema, name: &str, value: Value) -> Result<(), AttributeError> {
        let name = syntax::name(name).map_err(|why| SyntaxError::Name { at, why })?;
        let declared = schema.resolve(&name, &value);
        let value = match declared.admit(value) {
            Ok(value) => value,
            Err(why) => return Err(AttributeError::Value { at, name, why }),
        };
        if !declared.set && self.held.contains_key(&name) {
            return Err(AttributeError::SecondValue { at, name });
        }
        self.place(at, name, declared.set, Some(value))
    }

    fn insert_set_at(&mut self, at: Position, schema: &Schema, name: &str) -> Result<(), AttributeError> {
        let name = syntax::name(name).map_err(|why| SyntaxError::Name { at, why })?;
        if schema.get(&name).is_some_and(|declared| declared.set) {
            return self.place(at, name, true, None);
        }
        Err(AttributeError::NotASet { at, name })
    }

    /// Puts what fits in its place, or changes nothing.
    fn place(&mut self, at: Position, name: Box<str>, set: bool, value: Option<Value>) -> Result<(), AttributeError> {
        let held = self.held.get(&name);
        if held.is_some_and(|held| held.set != set) {
            return Err(AttributeError::OtherSchema { name });
        }
        let there = held.is_some_and(|held| value.as_ref().is_none_or(|value| held.values.contains(value)));
        if there {
            return Ok(());
        }
        let comma = if held.is_none_or(|held| held.values.is_empty()) { 0 } else { ", ".len() };
        let written = value.as_ref().map_or(0, |value| value.to_string().len() + comma);
        let size = self.size + written + if held.is_some() { 0 } else { self.entry(&name, set) };
        // An empty set counts as one, its first element does not count again.
        let values = self.values + usize::from(held.is_none_or(|held| !held.values.is_empty()));
        if values > MAX_VALUES {
            return Err(AttributeError::TooMany { at });
        }
        if size > MAX_TEXT {
            return Err(AttributeError::TooLong { bytes: size });
        }
        self.size = size;
        self.values = values;
        let held = self.held.entry(name).or_default();
        held.set = set;
        held.values.extend(value);
        Ok(())
    }

    /// Bytes that a further attribute takes in the text, its values left out.
    fn entry(&self, name: &str, set: bool) -> usize {
        let comma = if self.held.is_empty() { 0 } else { 2 };
        let brackets = if set { 2 } else { 0 };
        Quoted(name).to_string().len() + " = ".len() + comma + brackets
    }

    /// Takes an attribute out with all of its values; whether there was one. What goes is the whole attribute: a set
    /// without one of its elements is another set, of which a key may have to deny other things.
    pub fn remove(&mut self, name: &str) -> bool {
        let Ok(name) = syntax::name(name) else { return false };
        let Some(held) = self.held.remove(&name) else { return false };
        let values: usize = held.values.iter().map(|value| value.to_string().len()).sum();
        let commas = ", ".len() * held.values.len().saturating_sub(1);
        self.values -= held.values.len().max(1);
        self.size -= values + commas + self.entry(&name, held.set);
        true
    }

    /// The values of a name; `None` if it is missing, and nothing in it if it is a set that is known to be empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&BTreeSet<Value>> {
        let held = self.held.get(name).or_else(|| self.held.get(&syntax::name(name).ok()?));
        held.map(|held| &held.values)
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &BTreeSet<Value>)> {
        self.held.iter().map(|(name, held)| (&**name, &held.values))
    }

    /// How many attributes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What a key for these attributes holds: sorted, each once.
    ///
    /// # Errors
    /// [`AttributeError::OtherSchema`] if they do not fit this schema, another than they were read under.
    pub(crate) fn labels(
        &self,
        schema: &Schema,
        scope: &Scope,
        namespace: Namespace,
    ) -> Result<Vec<Label>, AttributeError> {
        labels::labels(self, schema, scope, namespace)
    }
}

/// The canonical text, which [`Attributes::parse`] reads back.
impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, held)) in self.held.iter().enumerate() {
            let values: Vec<String> = held.values.iter().map(ToString::to_string).collect();
            let (open, close) = if held.set { ("[", "]") } else { ("", "") };
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} = {open}{}{close}", Quoted(name), values.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
