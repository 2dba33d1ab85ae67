//! Between the domain's values and Cedar's. Cedar's types stop in this crate.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use cedar_policy::Schema;
use cedar_policy_core::ast::{Context, Eid, EntityType, EntityUID, Literal, Name, RestrictedExpr, Value as CedarValue};
use cedar_policy_core::evaluator::RestrictedEvaluator;
use cedar_policy_core::extensions::Extensions;
use smol_str::SmolStr;
use wardkeep_model::{EntityUid, Value};

use crate::BindingProblem;

/// The entity types a schema declares, parsed once: parsing a name costs more than a decision.
#[derive(Debug, Clone)]
pub(crate) struct Types(HashMap<String, EntityType>);

/// Wardkeep's own types and the names of context members.
pub(crate) struct Builtin {
    /// `Wardkeep::Ring`
    pub(crate) ring: EntityType,
    /// `Wardkeep::Key`
    pub(crate) key: EntityType,
    /// `Wardkeep::System`
    pub(crate) system: EntityType,
    /// `Wardkeep::Role`
    pub(crate) role: EntityType,
    /// `Wardkeep::EncryptionContext`
    pub(crate) encryption: EntityType,
}

/// `None` only if one of the constant names did not parse, which a test excludes.
pub(crate) static BUILTIN: LazyLock<Option<Builtin>> = LazyLock::new(|| {
    let parse = |name: &str| name.parse::<Name>().ok().map(EntityType::from);
    Some(Builtin {
        ring: parse("Wardkeep::Ring")?,
        key: parse("Wardkeep::Key")?,
        system: parse("Wardkeep::System")?,
        role: parse("Wardkeep::Role")?,
        encryption: parse("Wardkeep::EncryptionContext")?,
    })
});

impl Types {
    /// All entity types of a schema, Wardkeep's own among them.
    pub(crate) fn of(schema: &Schema) -> Self {
        let types = schema.entity_types().map(|name| (name.to_string(), name.as_ref().clone()));
        Self(types.collect())
    }

    /// An entity of a declared type; `None` for any other type.
    pub(crate) fn uid(&self, uid: &EntityUid) -> Option<EntityUID> {
        Some(entity(self.0.get(uid.kind())?, uid.id()))
    }

    /// A declared type by name.
    pub(crate) fn get(&self, kind: &str) -> Option<&EntityType> {
        self.0.get(kind)
    }

    /// A value in Cedar's form; every entity it names goes into `refs`.
    pub(crate) fn value(
        &self,
        name: &str,
        value: &Value,
        refs: &mut Vec<EntityUid>,
    ) -> Result<CedarValue, BindingProblem> {
        Ok(match value {
            Value::Bool(truth) => CedarValue::new(*truth, None),
            Value::Long(number) => CedarValue::new(*number, None),
            Value::String(text) => string(text),
            Value::Entity(uid) => {
                let known = self.uid(uid);
                let known = known.ok_or_else(|| BindingProblem::UnknownEntityType { kind: uid.kind().to_owned() })?;
                refs.push(uid.clone());
                CedarValue::new(Literal::EntityUID(Arc::new(known)), None)
            }
            Value::Set(items) => {
                let items = items.iter().map(|item| self.value(name, item, refs)).collect::<Result<Vec<_>, _>>()?;
                CedarValue::set(items, None)
            }
            Value::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(field, value)| Ok((SmolStr::from(field.as_str()), self.value(name, value, refs)?)))
                    .collect::<Result<BTreeMap<_, _>, BindingProblem>>()?;
                CedarValue::record_arc(Arc::new(fields), None)
            }
            Value::Extension { function, argument } => extension(function, argument)
                .ok_or_else(|| BindingProblem::Extension { name: name.to_owned(), function: function.clone() })?,
        })
    }
}

/// An entity of a parsed type.
pub(crate) fn entity(kind: &EntityType, id: &str) -> EntityUID {
    EntityUID::from_components(kind.clone(), Eid::new(id), None)
}

/// A string.
pub(crate) fn string(text: &str) -> CedarValue {
    CedarValue::new(Literal::String(SmolStr::from(text)), None)
}

/// A context of given members.
pub(crate) fn context(members: BTreeMap<SmolStr, CedarValue>) -> Context {
    Context::Value(Arc::new(members))
}

/// `decimal("1.5")` and its like. Only constructors with one string: what else Cedar calls is not a stored value.
fn extension(function: &str, argument: &str) -> Option<CedarValue> {
    if !matches!(function, "decimal" | "ip" | "datetime" | "duration") {
        return None;
    }
    let call = RestrictedExpr::call_extension_fn(function.parse().ok()?, [RestrictedExpr::val(argument)]);
    RestrictedEvaluator::new(Extensions::all_available()).interpret(call.as_borrowed()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Types {
        Types::of(&Schema::from_cedarschema_str("entity User; namespace A { entity B; }").unwrap().0)
    }

    #[test]
    fn the_builtin_names_parse() {
        assert!(BUILTIN.is_some());
    }

    #[test]
    fn values_keep_their_meaning() {
        let mut refs = Vec::new();
        let ana = EntityUid::new("User", "ana \"quoted\"").unwrap();
        let value = Value::Record(
            [
                ("n".to_owned(), Value::Long(i64::MAX)),
                ("who".to_owned(), Value::Entity(ana.clone())),
                ("set".to_owned(), Value::Set(vec![Value::Long(1), Value::Long(1)])),
            ]
            .into(),
        );
        let cedar = types().value("a", &value, &mut refs).unwrap();
        assert_eq!(refs, [ana]);
        assert_eq!(cedar.to_string(), r#"{n: 9223372036854775807, set: [1], who: User::"ana \"quoted\""}"#);
    }

    #[test]
    fn extensions_are_parsed_or_refused() {
        let mut refs = Vec::new();
        let value =
            |function: &str, argument: &str| Value::Extension { function: function.into(), argument: argument.into() };
        for (function, argument) in
            [("decimal", "1.5"), ("ip", "10.0.0.0/8"), ("datetime", "2026-01-01"), ("duration", "1h")]
        {
            assert!(types().value("a", &value(function, argument), &mut refs).is_ok(), "{function}");
        }
        for (function, argument) in
            [("decimal", "x"), ("ip", "1.2.3"), ("unknown", "a"), ("isIpv4", "10.0.0.1"), ("", "")]
        {
            let problem = types().value("a", &value(function, argument), &mut refs).unwrap_err();
            assert!(matches!(problem, BindingProblem::Extension { .. }), "{function}");
        }
    }

    #[test]
    fn entities_of_undeclared_types_are_refused() {
        let stranger = EntityUid::new("B", "1").unwrap();
        let problem = types().value("a", &Value::Entity(stranger), &mut Vec::new()).unwrap_err();
        assert_eq!(problem, BindingProblem::UnknownEntityType { kind: "B".into() });
        assert!(types().uid(&EntityUid::new("A::B", "1").unwrap()).is_some());
    }
}
