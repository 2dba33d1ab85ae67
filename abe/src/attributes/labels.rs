//! The labels of attributes: what a key of theirs holds.
//!
//! | declared | labels |
//! |---|---|
//! | text | equal |
//! | text, negatable | equal, and the 32 prefixes of the value's hash |
//! | enum | equal, one an element |
//! | enum, negatable | the same, and `not x` for every listed x that is no element |
//! | number, date | the prefixes of every element, width + 1 each; the longest is the value itself |
//!
//! These are all that a key holds of an attribute: whoever leaves some out satisfies less and never more, for every
//! label is an assertion and no gate asks for the absence of one. A denial (`not x`) is a label like any other.
//!
//! Only what is present gives labels: a missing attribute satisfies no `!=`.

use super::{AttributeError, Attributes, Held};
use crate::dyadic;
use crate::label::{HASH_BITS, Label, Maker, Namespace, Scope};
use crate::schema::{Declaration, Schema, Type};
use crate::value::Value;

pub(super) fn labels(
    attributes: &Attributes,
    schema: &Schema,
    scope: &Scope,
    namespace: Namespace,
) -> Result<Vec<Label>, AttributeError> {
    let mut labels = Vec::new();
    for (name, held) in &attributes.held {
        let other = || AttributeError::OtherSchema { name: name.clone() };
        // What has no value is a set, and declared, or it could not have been inserted.
        let declared = match held.values.first() {
            Some(value) => schema.resolve(name, value).as_ref().clone(),
            None => schema.get(name).ok_or_else(other)?.clone(),
        };
        let fits = |value: &Value| declared.admit(value.clone()).is_ok_and(|admitted| admitted == *value);
        if declared.set != held.set || !held.values.iter().all(fits) {
            return Err(other());
        }
        let shape = declared.shape();
        let maker = Maker { scope, namespace, shape: &shape, name };
        each(&maker, &declared, held, &mut labels);
    }
    labels.sort_unstable();
    labels.dedup();
    Ok(labels)
}

fn each(maker: &Maker<'_>, declared: &Declaration, held: &Held, labels: &mut Vec<Label>) {
    for value in &held.values {
        match value {
            Value::Text(text) => labels.push(maker.equal(text)),
            Value::Number(_) | Value::Date(_) => {
                if let (Some(number), Some(bits)) = (declared.ordinal(value), declared.bits()) {
                    labels.extend(dyadic::prefixes(number, u32::from(bits)).into_iter().map(|p| maker.prefix(p)));
                }
            }
        }
    }
    if !declared.negatable {
        return;
    }
    match &declared.kind {
        Type::Enum(listed) => {
            // Absent from the whole set, not from one element (B8).
            let absent = listed.iter().filter(|x| !held.values.contains(&Value::Text((*x).clone())));
            labels.extend(absent.map(|x| maker.not(x)));
        }
        Type::Text => {
            for value in &held.values {
                if let Value::Text(text) = value {
                    let prefixes = dyadic::prefixes(maker.hash(text), u32::from(HASH_BITS));
                    // The empty prefix is everyone's: it would be a label that says nothing.
                    labels.extend(prefixes.into_iter().skip(1).map(|prefix| maker.hash_prefix(prefix)));
                }
            }
        }
        Type::Number { .. } | Type::Date => {}
    }
}
