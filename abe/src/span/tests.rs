//! Shares and plans against an adversary who never asks the planner.
//!
//! What broke elsewhere: an AND gate gave one child the whole secret (circl before 1.6.4), so that one leaf opened
//! the policy. Here the secret's dependence on every set of shares is worked out by linear algebra over the group's
//! field, with no look at the formula.

use proptest::prelude::*;

use super::*;
use crate::label::{AuthorityId, Namespace, Scope};
use crate::seed::{Draw, Draws};

type Scalar = <crate::Product as crate::backend::Backend>::Secret;
type Coefficient = <crate::Product as crate::backend::Backend>::Public;

fn label(name: &str) -> Label {
    let scope = Scope { authority: AuthorityId([1; 16]), version: 1 };
    Label::new(&scope, Namespace::Attribute, b"test", name, b"")
}

fn leaf(name: &str) -> Gate {
    Gate::Holds(label(name))
}

/// Rows of a matrix over a small prime field: the coefficients of (secret, v_1, v_2, ..) in each share.
/// The drawn values are unit vectors here, so that the shares *are* the span program's matrix.
mod exact {
    /// A Mersenne prime far above every interpolation point in use.
    pub(super) const P: u64 = (1 << 61) - 1;

    pub(super) fn mul(a: u64, b: u64) -> u64 {
        u64::try_from(u128::from(a) * u128::from(b) % u128::from(P)).unwrap()
    }

    fn inverse(a: u64) -> u64 {
        let (mut base, mut exponent, mut result) = (a, P - 2, 1);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = mul(result, base);
            }
            base = mul(base, base);
            exponent >>= 1;
        }
        result
    }

    /// Whether (1, 0, 0, ..) lies in the span of the rows: whether these shares give the secret away.
    pub(super) fn spans_secret(rows: &[Vec<u64>]) -> bool {
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut rows: Vec<Vec<u64>> = rows.to_vec();
        rows.iter_mut().for_each(|row| row.resize(width, 0));
        // Eliminate every column but the secret's; what is left is the secret alone, or nothing.
        let mut done = 0;
        for column in (1..width).rev() {
            let Some(pivot) = (done..rows.len()).find(|&at| rows[at][column] != 0) else { continue };
            rows.swap(done, pivot);
            let scale = inverse(rows[done][column]);
            let pivot: Vec<u64> = rows[done].iter().map(|&value| mul(value, scale)).collect();
            for row in &mut rows[done + 1..] {
                let factor = row[column];
                for (value, &of_pivot) in row.iter_mut().zip(&pivot) {
                    *value = (*value + P - mul(factor, of_pivot)) % P;
                }
            }
            done += 1;
        }
        rows[done.min(rows.len())..].iter().any(|row| row.first().is_some_and(|&value| value != 0))
    }
}

/// A "scalar" that is a vector over the drawn values.
struct Symbolic(Vec<u64>);

impl SecretScalar for Symbolic {
    fn from_wide(_: &[u8; crate::backend::WIDE_BYTES]) -> Self {
        unreachable!("drawn by the test")
    }
    fn zero() -> Self {
        Self(Vec::new())
    }
    fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
    fn add(&self, other: &Self) -> Self {
        let at = |vector: &Self, place: usize| vector.0.get(place).copied().unwrap_or(0);
        let width = self.0.len().max(other.0.len());
        Self((0..width).map(|place| (at(self, place) + at(other, place)) % exact::P).collect())
    }
    fn sub(&self, other: &Self) -> Self {
        self.add(&Self(other.0.iter().map(|&value| (exact::P - value) % exact::P).collect()))
    }
    fn mul_small(&self, factor: u32) -> Self {
        Self(self.0.iter().map(|&value| exact::mul(value, u64::from(factor))).collect())
    }
    fn reveal(&self) -> [u8; 32] {
        unreachable!("never asked for")
    }
}

/// The span program's matrix, secret first.
fn matrix(gate: &Gate) -> Vec<Vec<u64>> {
    let mut drawn = 0;
    let shares = Span::new(gate).share(|| {
        drawn += 1;
        let mut unit = vec![0; drawn + 1];
        unit[drawn] = 1;
        Symbolic(unit)
    });
    let row = |share: Share<Symbolic>| {
        let mut row = share.masked.0;
        row.resize(row.len().max(1), 0);
        row[0] = u64::from(share.whole);
        row
    };
    shares.into_iter().map(row).collect()
}

fn arb_gate() -> impl Strategy<Value = Gate> {
    let leaf = (0..6u8).prop_map(|name| leaf(&name.to_string()));
    leaf.prop_recursive(4, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Gate::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Gate::Any),
            prop::collection::vec(inner, 3..5).prop_map(|children| Gate::AtLeast(2, children)),
        ]
    })
}

proptest! {
    /// B7 and the whole of secret sharing: for every set of labels, the shares of its rows span the secret exactly if
    /// the formula holds. The left side knows no formula, the right side no shares.
    #[test]
    fn shares_span_the_secret_exactly_where_the_formula_holds(gate in arb_gate(), held in 0u8..64) {
        let holds = |label: &Label| (0..6u8).any(|name| held >> name & 1 == 1 && *label == self::label(&name.to_string()));
        let rows = Span::new(&gate).rows().iter().map(|row| row.label.clone()).collect::<Vec<_>>();
        let mine: Vec<Vec<u64>> =
            matrix(&gate).into_iter().zip(&rows).filter(|(_, label)| holds(label)).map(|(row, _)| row).collect();
        prop_assert_eq!(exact::spans_secret(&mine), gate.satisfied(&holds));
    }

    /// The plan's rows and coefficients give back the secret, in the group's own field.
    #[test]
    fn plans_reconstruct(gate in arb_gate(), held in 0u8..64) {
        let holds = |label: &Label| (0..6u8).any(|name| held >> name & 1 == 1 && *label == self::label(&name.to_string()));
        let span = Span::new(&gate);
        let plan = span.plan::<Coefficient>(&holds);
        prop_assert_eq!(plan.is_some(), gate.satisfied(&holds));
        let Some(plan) = plan else { return Ok(()) };
        for step in &plan {
            prop_assert!(holds(span.rows()[step.row].label), "a plan uses only what is held");
        }
        prop_assert!(reconstructs(&span, &plan));
    }
}

/// The sum of weight * share over the plan equals the secret, worked out in the group: shares in the exponent of g1.
fn reconstructs(span: &Span<'_>, plan: &[Step<Coefficient>]) -> bool {
    use crate::backend::Backend;
    type Group = crate::Product;
    let draws = Draws::new(b"test", b"shares");
    let mut index = 0..;
    let shares = span.share(|| draws.scalar(Draw::Share, index.next().unwrap()));
    let secret: Scalar = draws.scalar(Draw::Secret, 0);
    let whole = |share: &Share<Scalar>| {
        let scalar = if share.whole { share.masked.add(&secret) } else { share.masked.duplicate() };
        Group::g1_mul_gen_secret(&scalar)
    };
    let points: Vec<_> = plan.iter().map(|step| whole(&shares[step.row])).collect();
    let one = Coefficient::from_u64(1);
    let weights: Vec<Coefficient> = plan.iter().map(|step| step.weight.unwrap_or(one)).collect();
    let sum = Group::g1_msm_public(&points.iter().collect::<Vec<_>>(), &weights);
    Group::g1_to_bytes(&[&sum]) == Group::g1_to_bytes(&[&Group::g1_mul_gen_secret(&secret)])
}

#[test]
fn no_strict_subset_of_an_and_reconstructs() {
    let gate = Gate::All((0..8).map(|name| leaf(&format!("x{name}"))).collect());
    let rows = matrix(&gate);
    for subset in 0u32..256 {
        let mine: Vec<Vec<u64>> =
            rows.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1).map(|(_, row)| row.clone()).collect();
        assert_eq!(exact::spans_secret(&mine), subset == 255, "{subset:08b}");
    }
}

#[test]
fn fewer_than_k_shares_say_nothing() {
    for (k, n) in [(2, 3), (3, 5), (4, 6)] {
        let gate = Gate::AtLeast(k, (0..n).map(|name| leaf(&format!("x{name}"))).collect());
        let rows = matrix(&gate);
        for subset in 0u32..1 << n {
            let mine: Vec<Vec<u64>> = (0..n).filter(|at| subset >> at & 1 == 1).map(|at| rows[at].clone()).collect();
            assert_eq!(exact::spans_secret(&mine), mine.len() >= k, "{k} of {n}: {subset:b}");
        }
    }
}

#[test]
fn repeats_are_numbered_and_the_cheaper_way_is_taken() {
    // A and (B or (A and C)): the second A is a copy.
    let gate = Gate::All(vec![leaf("A"), Gate::Any(vec![Gate::All(vec![leaf("A"), leaf("C")]), leaf("B")])]);
    let span = Span::new(&gate);
    assert_eq!(span.copies(), 2);
    assert_eq!(span.rows().iter().map(|row| row.copy).collect::<Vec<_>>(), [0, 1, 0, 0]);
    let plan = span.plan::<Coefficient>(&|_| true).unwrap();
    assert_eq!(plan.iter().map(|step| step.row).collect::<Vec<_>>(), [0, 3], "B alone is cheaper than a copy of A");
    let without_b = span.plan::<Coefficient>(&|held| *held != label("B")).unwrap();
    assert_eq!(without_b.iter().map(|step| step.row).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(span.plan::<Coefficient>(&|held| *held != label("A")).is_none());
}

#[test]
fn sixteen_copies_of_one_attribute_are_sixteen_rows() {
    let gate = Gate::All((0..16).map(|_| leaf("A")).collect());
    let span = Span::new(&gate);
    assert_eq!((span.copies(), span.rows().len()), (16, 16));
    assert!(reconstructs(&span, &span.plan(&|_| true).unwrap()));
}

#[test]
fn a_threshold_at_the_limit_reconstructs() {
    let gate = Gate::AtLeast(256, (0..512).map(|name| leaf(&format!("x{name}"))).collect());
    let span = Span::new(&gate);
    let plan = span.plan(&|_| true).unwrap();
    assert_eq!(plan.len(), 256);
    assert!(reconstructs(&span, &plan));
}
