//! Which conditions a key would use, or misses. Works from labels alone: that is what keys hold.
//!
//! ```text
//! [x] all of
//!   [x] role = doctor   <- used
//!   [x] one of
//!     [ ] dept = cardiology
//!     [x] level >= 3   <- used
//! ```
//!
//! Everything it says follows from the policy and the key's own attributes, both known to whoever holds the two: it
//! may be told to a user who cannot open.

use std::collections::HashMap;
use std::fmt;

use super::PolicyError;
use super::compile::Target;
use super::node::Node;
use crate::label::Label;

/// A formula seen by a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The formula.
    pub root: Branch,
    /// What the key lacks for the way to satisfy it that needs the fewest more conditions, each counted where it
    /// stands; nothing if it is satisfied. Without any one of them it would not be enough.
    pub missing: Vec<String>,
}

/// A gate or a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Which.
    pub kind: BranchKind,
    /// Whether the key satisfies it.
    pub satisfied: bool,
    /// Whether the way to open that needs the fewest rows goes through here.
    pub used: bool,
    /// What is below a gate.
    pub children: Vec<Branch>,
}

/// What a branch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchKind {
    /// A condition, in its canonical text.
    Condition(String),
    /// Every child.
    All,
    /// One child.
    Any,
    /// So many children.
    AtLeast(usize),
}

impl Explanation {
    /// Whether the key satisfies the formula.
    #[must_use]
    pub fn satisfied(&self) -> bool {
        self.root.satisfied
    }
}

pub(super) fn explain(
    root: &Node,
    target: &Target<'_>,
    holds: &dyn Fn(&Label) -> bool,
) -> Result<Explanation, PolicyError> {
    let mut root = branch(root, target, holds)?;
    let mut missing = Vec::new();
    if root.satisfied {
        root.mark();
    } else {
        root.lacking(&mut missing);
        root.prune(&mut missing);
    }
    Ok(Explanation { root, missing })
}

fn branch(node: &Node, target: &Target<'_>, holds: &dyn Fn(&Label) -> bool) -> Result<Branch, PolicyError> {
    let (kind, satisfied) = match node {
        Node::Leaf(test) => (BranchKind::Condition(test.to_string()), test.labels(target)?.iter().any(holds)),
        Node::All(_) => (BranchKind::All, false),
        Node::Any(_) => (BranchKind::Any, false),
        Node::AtLeast(k, _) => (BranchKind::AtLeast(*k), false),
    };
    let children: Result<Vec<Branch>, _> = node.children().iter().map(|child| branch(child, target, holds)).collect();
    let mut branch = Branch { kind, satisfied, used: false, children: children? };
    if !branch.children.is_empty() {
        branch.satisfied = branch.children.iter().filter(|child| child.satisfied).count() >= branch.needed();
    }
    Ok(branch)
}

impl Branch {
    /// How many children it needs.
    fn needed(&self) -> usize {
        match self.kind {
            BranchKind::Condition(_) => 0,
            BranchKind::All => self.children.len(),
            BranchKind::Any => 1,
            BranchKind::AtLeast(k) => k,
        }
    }

    /// The sum of the `needed()` least of the children's figures, where all have one.
    fn least(&self, figure: impl Fn(&Self) -> Option<usize>) -> Option<usize> {
        let mut figures: Vec<usize> = self.children.iter().filter_map(figure).collect();
        figures.sort_unstable();
        (figures.len() >= self.needed()).then(|| figures.iter().take(self.needed()).sum())
    }

    /// The fewest rows that open it: a comparison opens one of its labels. `None` if it is not satisfied.
    fn rows(&self) -> Option<usize> {
        match self.kind {
            BranchKind::Condition(_) => self.satisfied.then_some(1),
            _ => self.least(Self::rows),
        }
    }

    /// The fewest conditions that would have to hold beside those that do.
    fn gap(&self) -> Option<usize> {
        match self.kind {
            BranchKind::Condition(_) => Some(usize::from(!self.satisfied)),
            _ => self.least(Self::gap),
        }
    }

    /// Marks the cheapest way; of equally cheap ones that which stands first.
    fn mark(&mut self) {
        self.used = true;
        let needed = self.needed();
        let mut satisfied: Vec<(usize, &mut Self)> =
            self.children.iter_mut().filter_map(|child| child.rows().map(|rows| (rows, child))).collect();
        satisfied.sort_by_key(|(rows, _)| *rows);
        satisfied.into_iter().take(needed).for_each(|(_, child)| child.mark());
    }

    /// Collects what the nearest way lacks, each once.
    fn lacking(&self, missing: &mut Vec<String>) {
        if let BranchKind::Condition(text) = &self.kind {
            if !self.satisfied && !missing.contains(text) {
                missing.push(text.clone());
            }
            return;
        }
        let mut near: Vec<(usize, &Self)> =
            self.children.iter().filter_map(|child| child.gap().map(|gap| (gap, child))).collect();
        near.sort_by_key(|(gap, _)| *gap);
        near.into_iter().take(self.needed()).for_each(|(_, child)| child.lacking(missing));
    }

    /// Takes out what is not needed after all: a condition that stands twice counts twice. Conditions are compared once,
    /// by their texts, and then by their places: a formula has hundreds, and each is left out in turn.
    fn prune(&self, missing: &mut Vec<String>) {
        let places: HashMap<&str, usize> = missing.iter().enumerate().map(|(at, text)| (text.as_str(), at)).collect();
        let mut leaves = Vec::new();
        self.leaves(&places, &mut leaves);
        let mut needed = vec![true; missing.len()];
        for at in (0..missing.len()).rev() {
            let mut without = needed.clone();
            without.iter_mut().skip(at).take(1).for_each(|needed| *needed = false);
            if self.holds_with(&without, &mut leaves.iter()) {
                needed = without;
            }
        }
        let mut needed = needed.into_iter();
        missing.retain(|_| needed.next().unwrap_or(true));
    }

    /// For each condition from left to right, where it stands among those that are missing.
    fn leaves(&self, places: &HashMap<&str, usize>, out: &mut Vec<Option<usize>>) {
        match &self.kind {
            BranchKind::Condition(text) => out.push(places.get(text.as_str()).copied()),
            _ => self.children.iter().for_each(|child| child.leaves(places, out)),
        }
    }

    /// Whether it would be satisfied with these of the missing ones. Asks for every leaf's place in turn.
    fn holds_with<'a>(&self, given: &[bool], leaves: &mut impl Iterator<Item = &'a Option<usize>>) -> bool {
        if let BranchKind::Condition(_) = self.kind {
            let place = leaves.next().copied().flatten();
            return self.satisfied || place.and_then(|at| given.get(at)).is_some_and(|given| *given);
        }
        self.children.iter().filter(|child| child.holds_with(given, leaves)).count() >= self.needed()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let mark = if self.satisfied { 'x' } else { ' ' };
        write!(f, "{:indent$}[{mark}] ", "")?;
        match &self.kind {
            BranchKind::Condition(text) => f.write_str(text)?,
            BranchKind::All => f.write_str("all of")?,
            BranchKind::Any => f.write_str("one of")?,
            BranchKind::AtLeast(k) => write!(f, "{k} of")?,
        }
        let leaf = matches!(self.kind, BranchKind::Condition(_));
        f.write_str(if leaf && self.used { "   <- used\n" } else { "\n" })?;
        self.children.iter().try_for_each(|child| child.write(f, indent + 2))
    }
}

/// The tree, a line a branch, and what is missing.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.write(f, 0)?;
        if self.missing.is_empty() { Ok(()) } else { writeln!(f, "missing: {}", self.missing.join(", ")) }
    }
}
