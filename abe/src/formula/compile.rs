//! Conditions to labels, formulas to gates.
//!
//! | condition | labels, one of which the key must hold |
//! |---|---|
//! | `=`, `in` on text | equal, one a value |
//! | `=`, `in`, `<`, `<=`, `>`, `>=`, `!=` on numbers and dates | the least prefixes that cover those numbers exactly |
//! | `!=` on an enumeration | not |
//! | `!=` on open text | the 32 prefixes that leave the path of the value's hash, one at every bit |
//!
//! A range over a set holds if one element lies in it: every element brings prefixes of its own, and which element
//! a label came from is forgotten. That is why two ranges over one set are two conditions, and never one. For `!=` it
//! would be wrong (some element differs from nearly anything), hence the label of its own that the whole set earns.

use super::PolicyError;
use super::node::{Ask, Comparison, Node, Test};
use crate::dyadic::{self, Prefix};
use crate::gate::Gate;
use crate::label::{HASH_BITS, Label, Maker, Namespace, Scope};
use crate::schema::{Schema, Type};
use crate::value::Value;

/// Where labels are made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) schema: &'a Schema,
    pub(super) scope: &'a Scope,
    pub(super) namespace: Namespace,
}

/// The gate of a tree.
pub(super) fn gate(node: &Node, target: &Target<'_>) -> Result<Gate, PolicyError> {
    let children = || node.children().iter().map(|child| gate(child, target)).collect::<Result<Vec<_>, _>>();
    Ok(match node {
        Node::Leaf(test) => {
            let mut labels: Vec<Gate> = test.labels(target)?.into_iter().map(Gate::Holds).collect();
            match (labels.pop(), labels.is_empty()) {
                (Some(only), true) => only,
                (last, _) => {
                    labels.extend(last);
                    Gate::Any(labels)
                }
            }
        }
        Node::All(_) => Gate::All(children()?),
        Node::AtLeast(k, _) => Gate::AtLeast(*k, children()?),
        Node::Any(_) => {
            let mut flat = Vec::new();
            for child in children()? {
                match child {
                    Gate::Any(inner) => flat.extend(inner),
                    other => flat.push(other),
                }
            }
            Gate::Any(flat)
        }
    })
}

impl Test {
    /// Whether no value satisfies it.
    pub(super) fn is_unsatisfiable(&self) -> bool {
        match (&self.declared.kind, &self.ask) {
            (Type::Enum(listed), Ask::Compare(Comparison::NotEqual, _)) => listed.len() == 1 && !self.declared.set,
            _ => self.intervals().is_some_and(|intervals| intervals.is_empty()),
        }
    }

    /// How many labels it has.
    pub(super) fn rows(&self) -> usize {
        match (&self.ask, self.cover()) {
            (_, Some(cover)) => cover.len(),
            (Ask::In(values), None) => values.len(),
            (Ask::Compare(Comparison::NotEqual, _), None) if self.declared.kind == Type::Text => usize::from(HASH_BITS),
            (Ask::Compare(..), None) => 1,
        }
    }

    /// The labels of which the key must hold one, each once.
    pub(super) fn labels(&self, target: &Target<'_>) -> Result<Vec<Label>, PolicyError> {
        let first = match &self.ask {
            Ask::Compare(_, value) => Some(value),
            Ask::In(values) => values.first(),
        };
        if first.is_none_or(|value| target.schema.resolve(&self.name, value) != self.declared) {
            return Err(PolicyError::OtherSchema { name: self.name.clone() });
        }
        let shape = self.declared.shape();
        let maker = Maker { scope: target.scope, namespace: target.namespace, shape: &shape, name: &self.name };
        if let Some(cover) = self.cover() {
            return Ok(cover.into_iter().map(|prefix| maker.prefix(prefix)).collect());
        }
        Ok(match &self.ask {
            Ask::In(values) => values.iter().filter_map(text).map(|text| maker.equal(text)).collect(),
            Ask::Compare(Comparison::NotEqual, Value::Text(text)) if self.declared.kind == Type::Text => {
                off_path(maker.hash(text)).map(|prefix| maker.hash_prefix(prefix)).collect()
            }
            Ask::Compare(Comparison::NotEqual, value) => text(value).map(|text| maker.not(text)).into_iter().collect(),
            Ask::Compare(_, value) => text(value).map(|text| maker.equal(text)).into_iter().collect(),
        })
    }

    /// The prefixes of a condition on numbers or dates.
    fn cover(&self) -> Option<Vec<Prefix>> {
        let bits = u32::from(self.declared.bits()?);
        let (_, last) = self.declared.ends();
        let cover = |(low, high): (u64, u64)| {
            let exact = dyadic::range(low, high, bits);
            if high < last {
                return exact;
            }
            // Behind the last day there are numbers that no date has: a range up to it may cover them as well.
            let open = dyadic::range(low, dyadic::greatest(bits), bits);
            if open.len() < exact.len() { open } else { exact }
        };
        Some(self.intervals()?.into_iter().flat_map(cover).collect())
    }

    /// The numbers that satisfy a condition on a number or a date: ascending, apart, both ends included.
    pub(super) fn intervals(&self) -> Option<Vec<(u64, u64)>> {
        self.declared.bits()?;
        let ordinal = |value| self.declared.ordinal(value);
        let (low, high) = self.declared.ends();
        let (comparison, value) = match &self.ask {
            Ask::Compare(comparison, value) => (*comparison, ordinal(value)?),
            Ask::In(values) => return Some(joined(values.iter().filter_map(ordinal).collect())),
        };
        let below = value.checked_sub(1).map(|below| (low, below));
        let above = value.checked_add(1).filter(|above| *above <= high).map(|above| (above, high));
        Some(match comparison {
            Comparison::Equal => vec![(value, value)],
            Comparison::NotEqual => below.into_iter().chain(above).collect(),
            Comparison::Less => below.into_iter().collect(),
            Comparison::AtMost => vec![(low, value)],
            Comparison::More => above.into_iter().collect(),
            Comparison::AtLeast => vec![(value, high)],
        })
    }
}

/// Numbers as intervals, neighbours joined.
fn joined(mut numbers: Vec<u64>) -> Vec<(u64, u64)> {
    numbers.sort_unstable();
    let mut intervals: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match intervals.last_mut() {
            Some((_, high)) if high.checked_add(1) == Some(number) => *high = number,
            Some((_, high)) if *high == number => {}
            _ => intervals.push((number, number)),
        }
    }
    intervals
}

/// At every bit of a hash the prefix that goes the other way: a different hash has exactly one of them.
fn off_path(hash: u64) -> impl Iterator<Item = Prefix> {
    dyadic::prefixes(hash, u32::from(HASH_BITS))
        .into_iter()
        .skip(1)
        .map(|on_path| Prefix { len: on_path.len, value: on_path.value ^ 1 })
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Number(_) | Value::Date(_) => None,
    }
}
