//! The canonical tree.

use std::sync::Arc;

use crate::schema::Declaration;
use crate::value::Value;

/// A formula or a part of one. Gates have two children or more, none a gate that could be merged into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A condition on one attribute.
    Leaf(Test),
    /// Every child.
    All(Vec<Node>),
    /// One child at least.
    Any(Vec<Node>),
    /// So many children at least: more than one, fewer than all.
    AtLeast(usize, Vec<Node>),
}

/// A condition on one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Test {
    /// The attribute, NFC.
    pub(super) name: Box<str>,
    /// What it is.
    pub(super) declared: Arc<Declaration>,
    /// What is asked.
    pub(super) ask: Ask,
}

/// What is asked of an attribute. Values fit the declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// A comparison with one value.
    Compare(Comparison, Value),
    /// One of several values: two or more, each once.
    In(Vec<Value>),
}

/// The comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `=`
    Equal,
    /// `!=`, of a set: none of its elements.
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Node {
    /// Every child.
    pub(super) fn all(children: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(children.len());
        for child in children {
            match child {
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        single(flat).unwrap_or_else(Self::All)
    }

    /// One child at least.
    pub(super) fn any(children: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(children.len());
        for child in children {
            match child {
                Self::Any(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        single(flat).unwrap_or_else(Self::Any)
    }

    /// `k` of the children, `1 <= k <=` their number.
    pub(super) fn at_least(k: usize, children: Vec<Self>) -> Self {
        if k <= 1 {
            Self::any(children)
        } else if k >= children.len() {
            Self::all(children)
        } else {
            Self::AtLeast(k, children)
        }
    }

    /// The children of a gate; none of a leaf.
    pub(super) fn children(&self) -> &[Self] {
        match self {
            Self::Leaf(_) => &[],
            Self::All(children) | Self::Any(children) | Self::AtLeast(_, children) => children,
        }
    }

    /// Gates above the deepest leaf.
    pub(super) fn depth(&self) -> usize {
        self.children().iter().map(|child| child.depth() + 1).max().unwrap_or(0)
    }

    /// Rows of the span program.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Leaf(test) => test.rows(),
            gate => gate.children().iter().map(Self::rows).sum(),
        }
    }
}

/// The only child, or all of them back.
fn single(mut children: Vec<Node>) -> Result<Node, Vec<Node>> {
    match (children.pop(), children.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            children.push(last);
            Err(children)
        }
        (None, _) => Err(children),
    }
}

impl Comparison {
    /// As it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether it needs an order.
    pub(super) fn is_ordered(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}
