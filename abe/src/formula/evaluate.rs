//! The plain meaning, as a reader of the policy would work it out: no labels, no prefixes, no gates. Keys are tested
//! against it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::node::{Ask, Comparison, Node, Test};
use crate::attributes::Attributes;
use crate::value::Value;

pub(super) fn evaluate(node: &Node, attributes: &Attributes) -> bool {
    match node {
        Node::Leaf(test) => attributes.get(&test.name).is_some_and(|values| holds(test, values)),
        Node::All(children) => children.iter().all(|child| evaluate(child, attributes)),
        Node::Any(children) => children.iter().any(|child| evaluate(child, attributes)),
        Node::AtLeast(k, children) => children.iter().filter(|child| evaluate(child, attributes)).count() >= *k,
    }
}

/// Whether some element satisfies the condition alone; of `!=`, whether the value is none of the elements.
fn holds(test: &Test, values: &BTreeSet<Value>) -> bool {
    match &test.ask {
        Ask::In(listed) => listed.iter().any(|value| values.contains(value)),
        Ask::Compare(Comparison::NotEqual, value) => {
            values.iter().all(|held| order(held, value).is_some_and(Ordering::is_ne))
        }
        Ask::Compare(comparison, value) => {
            values.iter().any(|held| order(held, value).is_some_and(|order| fits(*comparison, order)))
        }
    }
}

fn fits(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::More => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
    }
}

/// How a held value compares; values of different types do not.
fn order(held: &Value, value: &Value) -> Option<Ordering> {
    match (held, value) {
        (Value::Text(held), Value::Text(value)) => Some(held.cmp(value)),
        (Value::Number(held), Value::Number(value)) => Some(held.cmp(value)),
        (Value::Date(held), Value::Date(value)) => Some(held.cmp(value)),
        _ => None,
    }
}
