//! What a formula becomes before it becomes shares: a tree of gates over labels.
//!
//! A [`Label`] is one derived attribute in its canonical bytes, the input of the hash to the group. A
//! comparison such as `level >= 3` is a gate of several labels; the algebra knows labels and gates alone.

use crate::label::Label;

/// A monotone access structure. Every list of children has at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The key holds this label.
    Holds(Label),
    /// Every child.
    All(Vec<Gate>),
    /// One child at least.
    Any(Vec<Gate>),
    /// `k` children at least, `1 < k <` their number.
    AtLeast(usize, Vec<Gate>),
}

impl Gate {
    /// The labels from left to right, repeats included: one row of the span program each.
    pub(crate) fn labels(&self) -> Vec<&Label> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Label>) {
        match self {
            Self::Holds(label) => found.push(label),
            Self::All(children) | Self::Any(children) | Self::AtLeast(_, children) => {
                children.iter().for_each(|child| child.collect(found));
            }
        }
    }

    /// How many rows the span program has.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Holds(_) => 1,
            Self::All(children) | Self::Any(children) | Self::AtLeast(_, children) => {
                children.iter().map(Self::rows).sum()
            }
        }
    }

    /// Plain evaluation: whether whoever holds these labels satisfies it.
    pub(crate) fn satisfied(&self, holds: &dyn Fn(&Label) -> bool) -> bool {
        match self {
            Self::Holds(label) => holds(label),
            Self::All(children) => children.iter().all(|child| child.satisfied(holds)),
            Self::Any(children) => children.iter().any(|child| child.satisfied(holds)),
            Self::AtLeast(k, children) => children.iter().filter(|child| child.satisfied(holds)).count() >= *k,
        }
    }
}
