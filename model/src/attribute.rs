//! Typed attribute values: what entities and bound resources carry, without any policy library's types.
//!
//! The set of kinds is Cedar's. Integers stay `i64` from wire to decision: a path through `f64` would
//! lose bits beyond 2^53.

use std::collections::BTreeMap;

use crate::EntityUid;

/// Named attributes, in the one order of their canonical form.
pub type Attributes = BTreeMap<String, Value>;

/// Deepest nesting of sets and records that is taken.
pub const MAX_DEPTH: usize = 8;

/// One attribute's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A 64-bit integer.
    Long(i64),
    /// Text.
    String(String),
    /// A reference to an entity.
    Entity(EntityUid),
    /// A set; order and repetition do not matter to policies, both are kept.
    Set(Vec<Value>),
    /// A record of named values.
    Record(BTreeMap<String, Value>),
    /// A value of an extension type, as constructor and argument: `decimal("1.5")`, `ip("10.0.0.1")`.
    Extension {
        /// The constructor: `decimal`, `ip`, `datetime` or `duration`.
        function: String,
        /// Its one argument.
        argument: String,
    },
}

impl Value {
    /// How deep sets and records nest; 1 for a plain value.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::Set(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Record(fields) => 1 + fields.values().map(Self::depth).max().unwrap_or(0),
            Self::Bool(_) | Self::Long(_) | Self::String(_) | Self::Entity(_) | Self::Extension { .. } => 1,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Long(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<EntityUid> for Value {
    fn from(uid: EntityUid) -> Self {
        Self::Entity(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_nesting() {
        let nested = Value::Set(vec![Value::Record([("a".to_owned(), Value::Long(1))].into())]);
        assert_eq!(nested.depth(), 3);
        assert_eq!(Value::from(true).depth(), 1);
        assert_eq!(Value::Set(vec![]).depth(), 1);
    }
}
