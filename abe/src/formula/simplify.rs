//! The same meaning in fewer rows.
//!
//! * a branch that another one implies, or is implied by, adds nothing: `a or (a and b)` is `a`, `a and (a or b)` is
//!   `a`, and on a single-valued attribute `level >= 3 or level >= 5` is `level >= 3`;
//! * `k of` in which one branch stands k times or more is that branch, or `k of` the others.
//!
//! The first of these is decided by implication, worked out on the trees themselves: an "and" implies what one of its
//! parts implies, an "or" what all of its cases imply, a condition what holds for every value that satisfies it. A "no"
//! may be wrong (two trees may mean the same in a way that this does not see) and costs rows; a "yes" never is.
//!
//! Conditions on a set are never compared but for equality: different elements may satisfy them.

use super::MAX_DEPTH;
use super::node::{Ask, Comparison, Node, Test};
use crate::schema::Type;
use crate::value::Value;

/// Comparisons of leaves before giving up on more: simplifying is a convenience, and hostile formulas are long.
const STEPS: usize = 400_000;

pub(super) fn simplify(root: &Node) -> Node {
    let simple = Simplifier { steps: STEPS, split: true }.node(root);
    if simple.depth() <= MAX_DEPTH { simple } else { Simplifier { steps: STEPS, split: false }.node(root) }
}

struct Simplifier {
    /// How many comparisons are left.
    steps: usize,
    /// Whether a threshold may be split, for which an "or" comes above it.
    split: bool,
}

impl Simplifier {
    fn node(&mut self, node: &Node) -> Node {
        let mut children: Vec<Node> = node.children().iter().map(|child| self.node(child)).collect();
        match node {
            Node::Leaf(test) => Node::Leaf(test.clone()),
            Node::All(_) => self.all(children),
            Node::Any(_) => self.any(children),
            Node::AtLeast(k, _) => match self.heaviest(&children, *k) {
                None => Node::at_least(*k, children),
                Some(heavy) => {
                    let all = children.clone();
                    children.retain(|child| *child != heavy);
                    if children.len() < *k {
                        return heavy;
                    }
                    if !self.split {
                        return Node::AtLeast(*k, all);
                    }
                    let rest = if children.len() == *k { self.all(children) } else { Node::AtLeast(*k, children) };
                    self.any(vec![heavy, rest])
                }
            },
        }
    }

    fn all(&mut self, children: Vec<Node>) -> Node {
        match Node::all(children) {
            // What another one implies is said already.
            Node::All(children) => Node::all(self.without(children, |this, child, other| this.implies(other, child))),
            single => single,
        }
    }

    fn any(&mut self, children: Vec<Node>) -> Node {
        match Node::any(children) {
            // What implies another one is never needed.
            Node::Any(children) => Node::any(self.without(children, |this, child, other| this.implies(child, other))),
            single => single,
        }
    }

    /// Children but those that `needless` names beside one that stays; of equal ones the first stays.
    fn without(&mut self, children: Vec<Node>, needless: impl Fn(&mut Self, &Node, &Node) -> bool) -> Vec<Node> {
        let mut kept: Vec<Node> = children;
        let mut index = kept.len();
        while index > 0 {
            index -= 1;
            let Some(child) = kept.get(index) else { continue };
            let others = kept.iter().enumerate().filter(|(other, _)| *other != index);
            let mut found = false;
            for (_, other) in others {
                if needless(self, child, other) {
                    found = true;
                    break;
                }
            }
            if found {
                kept.remove(index);
            }
        }
        kept
    }

    /// A child that stands `k` times or more.
    fn heaviest(&mut self, children: &[Node], k: usize) -> Option<Node> {
        let mut rest: Vec<&Node> = children.iter().collect();
        while let Some(child) = rest.first().copied().filter(|_| rest.len() >= k && self.steps > 0) {
            self.steps = self.steps.saturating_sub(rest.len());
            let before = rest.len();
            rest.retain(|other| *other != child);
            if before - rest.len() >= k {
                return Some(child.clone());
            }
        }
        None
    }

    /// Whether whatever satisfies `one` satisfies `other`. Trying both ways into two deep trees doubles the work at every
    /// level, so that the steps are counted.
    fn implies(&mut self, one: &Node, other: &Node) -> bool {
        if self.steps == 0 {
            return false;
        }
        self.steps -= 1;
        match (one, other) {
            (Node::Leaf(one), Node::Leaf(other)) => self.leaf_implies(one, other),
            // These two lose nothing, so they go first.
            (Node::Any(cases), _) => cases.iter().all(|case| self.implies(case, other)),
            (_, Node::All(needs)) => needs.iter().all(|need| self.implies(one, need)),
            (Node::AtLeast(k, from), Node::AtLeast(j, to)) if from == to => k >= j,
            _ => {
                let within = matches!(one, Node::All(_)) && one.children().iter().any(|part| self.implies(part, other));
                within || (matches!(other, Node::Any(_)) && other.children().iter().any(|case| self.implies(one, case)))
            }
        }
    }

    fn leaf_implies(&mut self, one: &Test, other: &Test) -> bool {
        if one == other {
            return true;
        }
        if one.name != other.name || one.declared != other.declared || one.declared.set {
            return false;
        }
        let listed = |test: &Test| if let Ask::In(values) = &test.ask { values.len() } else { 0 };
        self.steps = self.steps.saturating_sub(listed(one) + listed(other));
        match (one.intervals(), other.intervals()) {
            (Some(one), Some(other)) => {
                one.iter().all(|(low, high)| other.iter().any(|(lowest, highest)| lowest <= low && high <= highest))
            }
            _ => texts_imply(one, other),
        }
    }
}

/// What of texts a condition lets through.
enum Texts<'a> {
    Only(Vec<&'a Value>),
    Except(&'a Value),
}

fn texts(ask: &Ask) -> Texts<'_> {
    match ask {
        Ask::In(values) => Texts::Only(values.iter().collect()),
        Ask::Compare(Comparison::NotEqual, value) => Texts::Except(value),
        Ask::Compare(_, value) => Texts::Only(vec![value]),
    }
}

fn texts_imply(one: &Test, other: &Test) -> bool {
    match (texts(&one.ask), texts(&other.ask)) {
        (Texts::Only(one), Texts::Only(other)) => one.iter().all(|value| other.contains(value)),
        (Texts::Only(one), Texts::Except(not)) => !one.contains(&not),
        (Texts::Except(not), Texts::Except(other)) => not == other,
        (Texts::Except(not), Texts::Only(other)) => match &one.declared.kind {
            Type::Enum(listed) => {
                let rest = listed.iter().map(|text| Value::Text(text.clone())).filter(|value| value != not);
                rest.into_iter().all(|value| other.contains(&&value))
            }
            _ => false,
        },
    }
}
