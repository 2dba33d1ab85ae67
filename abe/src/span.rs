//! A tree of gates as a monotone span program: shares one way, a plan to reconstruct the other way.
//!
//! One row a leaf, from left to right. `and` is the matrix of Lewko and Waters (Eurocrypt 2011, appendix G),
//! widened to any number of children: every child but the first gets a fresh value, the first one the rest.
//! Reconstruction then adds shares up, with coefficients of one. `or` gives every child the whole. `k of n`
//! is Shamir's polynomial of its own (degree k - 1, child x at the point x), with Lagrange coefficients.
//!
//! The secret itself need not be known as a number: each share is `[whole] * secret + masked`, so that a
//! master key kept as a group element can be shared too.

use std::collections::HashMap;

use crate::backend::{PublicScalar, SecretScalar};
use crate::gate::Gate;
use crate::label::Label;

/// The rows of a formula.
pub(crate) struct Span<'a> {
    gate: &'a Gate,
    rows: Vec<Row<'a>>,
    copies: usize,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    /// What it asks for.
    pub(crate) label: &'a Label,
    /// How many earlier rows ask for the same: rho(i) - 1. Each copy has randomness of its own; with one for
    /// all a key for {B, C} opens `A and (B or (A and C))`.
    pub(crate) copy: usize,
}

/// A row's share of the secret: `[whole] * secret + masked`.
pub(crate) struct Share<S> {
    pub(crate) whole: bool,
    pub(crate) masked: S,
}

/// One row that reconstruction uses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step<P> {
    /// Its number.
    pub(crate) row: usize,
    /// Its coefficient; `None` is one.
    pub(crate) weight: Option<P>,
}

impl<'a> Span<'a> {
    /// Numbers the rows.
    pub(crate) fn new(gate: &'a Gate) -> Self {
        let mut seen: HashMap<&Label, usize> = HashMap::new();
        let row = |label| {
            let count = seen.entry(label).or_default();
            *count += 1;
            Row { label, copy: *count - 1 }
        };
        let rows: Vec<Row<'a>> = gate.labels().into_iter().map(row).collect();
        let copies = rows.iter().map(|row| row.copy + 1).max().unwrap_or(0);
        Self { gate, rows, copies }
    }

    /// The rows in order.
    pub(crate) fn rows(&self) -> &[Row<'a>] {
        &self.rows
    }

    /// tau: how often the most frequent label stands in the formula.
    pub(crate) fn copies(&self) -> usize {
        self.copies
    }

    /// One share a row. `draw` gives fresh scalars; it is asked in a fixed order.
    pub(crate) fn share<S: SecretScalar>(&self, mut draw: impl FnMut() -> S) -> Vec<Share<S>> {
        let mut shares = Vec::with_capacity(self.rows.len());
        split(self.gate, Share { whole: true, masked: S::zero() }, &mut draw, &mut shares);
        shares
    }

    /// The rows, with their coefficients, from which a holder of these labels gets the secret most cheaply;
    /// `None` if they do not suffice.
    pub(crate) fn plan<P: PublicScalar>(&self, holds: &dyn Fn(&Label) -> bool) -> Option<Vec<Step<P>>> {
        let mut next = 0;
        self.cheapest(self.gate, holds, &mut next).map(|plan| plan.steps)
    }

    fn cheapest<P: PublicScalar>(
        &self,
        gate: &Gate,
        holds: &dyn Fn(&Label) -> bool,
        next: &mut usize,
    ) -> Option<Plan<P>> {
        let mut children = |children: &[Gate]| -> Vec<Option<Plan<P>>> {
            children.iter().map(|child| self.cheapest(child, holds, next)).collect()
        };
        match gate {
            Gate::Holds(label) => {
                let row = *next;
                *next += 1;
                let copy = self.rows.get(row).map_or(0, |row| row.copy);
                holds(label).then(|| Plan::leaf(row, copy))
            }
            Gate::Any(list) => children(list).into_iter().flatten().min_by_key(|plan| plan.cost),
            Gate::All(list) => {
                let plans: Option<Vec<Plan<P>>> = children(list).into_iter().collect();
                plans.map(Plan::together)
            }
            Gate::AtLeast(k, list) => {
                let points = (1u64..).zip(children(list));
                let mut plans: Vec<(u64, Plan<P>)> = points.filter_map(|(x, plan)| Some((x, plan?))).collect();
                plans.sort_by_key(|(_, plan)| plan.cost);
                plans.truncate(*k);
                (plans.len() == *k).then(|| Plan::interpolated(plans)).flatten()
            }
        }
    }
}

/// Hands a share to a gate's children.
fn split<S: SecretScalar>(gate: &Gate, share: Share<S>, draw: &mut dyn FnMut() -> S, out: &mut Vec<Share<S>>) {
    match gate {
        Gate::Holds(_) => out.push(share),
        Gate::Any(children) => {
            for child in children {
                let same = Share { whole: share.whole, masked: share.masked.duplicate() };
                split(child, same, draw, out);
            }
        }
        Gate::All(children) => {
            let fresh: Vec<S> = children.iter().skip(1).map(|_| draw()).collect();
            let rest = fresh.iter().fold(share.masked, |rest, value| rest.sub(value));
            let masks = fresh.into_iter().map(|masked| Share { whole: false, masked });
            let first = std::iter::once(Share { whole: share.whole, masked: rest });
            for (child, share) in children.iter().zip(first.chain(masks)) {
                split(child, share, draw, out);
            }
        }
        Gate::AtLeast(k, children) => {
            let coefficients: Vec<S> = (1..*k).map(|_| draw()).collect();
            for (x, child) in (1u32..).zip(children) {
                // Horner, from the highest coefficient down.
                let sum = coefficients.iter().rev().fold(S::zero(), |sum, value| sum.add(value).mul_small(x));
                split(child, Share { whole: share.whole, masked: share.masked.add(&sum) }, draw, out);
            }
        }
    }
}

/// What it takes to satisfy a gate.
struct Plan<P> {
    steps: Vec<Step<P>>,
    cost: usize,
}

/// A row of a further copy costs a pairing more, which is worth about as much as sixteen additions.
const COPY_COST: usize = 16;

impl<P: PublicScalar> Plan<P> {
    fn leaf(row: usize, copy: usize) -> Self {
        let cost = if copy == 0 { 1 } else { 1 + COPY_COST };
        Self { steps: vec![Step { row, weight: None }], cost }
    }

    fn together(plans: Vec<Self>) -> Self {
        let cost = plans.iter().map(|plan| plan.cost).sum();
        Self { steps: plans.into_iter().flat_map(|plan| plan.steps).collect(), cost }
    }

    /// Lagrange at zero over the points x.
    fn interpolated(plans: Vec<(u64, Self)>) -> Option<Self> {
        let points: Vec<u64> = plans.iter().map(|(x, _)| *x).collect();
        let weigh = |(x, plan): (u64, Self)| {
            let weight = lagrange::<P>(x, &points)?;
            let times =
                |step: Step<P>| Step { row: step.row, weight: Some(step.weight.map_or(weight, |w| w.mul(weight))) };
            Some(Self { cost: plan.cost, steps: plan.steps.into_iter().map(times).collect() })
        };
        let weighed: Option<Vec<Self>> = plans.into_iter().map(weigh).collect();
        weighed.map(Self::together)
    }
}

/// The product over the other points y of `y / (y - x)`.
fn lagrange<P: PublicScalar>(x: u64, points: &[u64]) -> Option<P> {
    let here = P::from_u64(x);
    let one = P::from_u64(1);
    let others = points.iter().filter(|&&y| y != x).map(|&y| P::from_u64(y));
    let (above, below) = others.fold((one, one), |(above, below), y| (above.mul(y), below.mul(y.sub(here))));
    below.invert().map(|inverse| above.mul(inverse))
}

#[cfg(test)]
mod tests;
