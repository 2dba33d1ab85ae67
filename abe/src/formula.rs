//! The policy language: who may open, as text.
//!
//! ```text
//! role = doctor and (dept in [cardiology, surgery] or level >= 3)
//! 2 of (role = doctor, groups = audit, born < 1980-01-01) and dept != "Ear, nose"
//! ```
//!
//! `and` binds tighter than `or`. Names and values are words, or anything in quotes; the words `and`, `or`, `of`,
//! `in` and `not` are names and values in quotes only. There is no negation of a whole formula: a key shows what
//! its holder has, and nobody can show what he lacks, unless the schema makes keys carry it (`negatable`).
//!
//! A comparison becomes an "or" of labels (see [`crate::dyadic`]): of however many rows it has, a key opens one.

mod compile;
mod error;
mod evaluate;
mod explain;
mod node;
mod parse;
mod print;
mod simplify;

use std::fmt;

pub use error::PolicyError;
pub use explain::{Branch, BranchKind, Explanation};

use crate::attributes::Attributes;
use crate::gate::Gate;
use crate::label::{Label, Namespace, Scope};
use crate::schema::Schema;
use node::Node;

/// Longest text, in bytes.
pub(crate) const MAX_TEXT: usize = 64 * 1024;
/// Deepest nesting: gates above a leaf, and parentheses around a condition.
pub(crate) const MAX_DEPTH: usize = 64;
/// Most rows of the span program: labels that the formula names, comparisons spread out.
pub(crate) const MAX_ROWS: usize = 512;

/// A policy in its canonical form: nothing nested that need not be, `1 of` an "or", `all of` an "and".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    root: Node,
}

impl Formula {
    /// Reads a policy.
    ///
    /// # Errors
    /// With line and column of the first mistake, and what to write instead. What is too long, too deep or has too
    /// many rows is refused as soon as that shows.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, PolicyError> {
        parse::parse(text, schema).map(|root| Self { root })
    }

    /// The same meaning without what adds nothing: repeated and absorbed branches. Never more rows.
    #[must_use]
    pub fn simplify(&self) -> Self {
        Self { root: simplify::simplify(&self.root) }
    }

    /// Whether these attributes satisfy it, by the plain meaning of its words and not by labels.
    ///
    /// A missing attribute satisfies nothing, `!=` included. Keys follow this, but for one in 2^32 of unequal
    /// texts under `!=` that share a hash: those a key does not open.
    #[must_use]
    pub fn evaluate(&self, attributes: &Attributes) -> bool {
        evaluate::evaluate(&self.root, attributes)
    }

    /// Rows of the span program.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.root.rows()
    }

    /// Gates above the deepest condition.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.root.depth()
    }

    /// The tree of labels that a key must satisfy.
    ///
    /// # Errors
    /// [`PolicyError::OtherSchema`] if the formula was read under declarations other than this schema's.
    pub(crate) fn gate(&self, schema: &Schema, scope: &Scope, namespace: Namespace) -> Result<Gate, PolicyError> {
        compile::gate(&self.root, &compile::Target { schema, scope, namespace })
    }

    /// What a key that holds these labels would use of it, or misses.
    ///
    /// # Errors
    /// [`PolicyError::OtherSchema`], as for [`Formula::gate`].
    pub(crate) fn explain(
        &self,
        schema: &Schema,
        scope: &Scope,
        namespace: Namespace,
        holds: &dyn Fn(&Label) -> bool,
    ) -> Result<Explanation, PolicyError> {
        explain::explain(&self.root, &compile::Target { schema, scope, namespace }, holds)
    }
}

/// The canonical text: no parenthesis and no quote that need not be, NFC. [`Formula::parse`] reads it back as the
/// same formula.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

#[cfg(test)]
mod tests;
