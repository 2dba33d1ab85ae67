//! The adversary who does not ask whether a key satisfies a policy: he takes the ciphertext's rows and the key's points and
//! works out K in every way that the formula has, with other points in the place of those he lacks.

use super::*;
use crate::gate::Gate;
use crate::span::{Row, Span};

/// Attempts at most; a formula of many ways has them all alike.
const ATTEMPTS: usize = 300;

/// One way through a formula: rows with their coefficients.
type Way = Vec<(usize, Weight)>;

/// Whether some combination gives `secret`. True for a key that may open: the tool is right, and its failures count.
pub(super) fn opens(authority: &Authority, ciphertext: &Ciphertext, key: &UserKey, secret: &Secret) -> bool {
    let public = authority.parameters();
    let policy = AccessPolicy::from_statement(ciphertext.statement(), public).unwrap();
    let gate = policy.gate(public).unwrap();
    let span = Span::new(&gate);
    let loot = Loot::of(key);
    let lacks = |(row, _): &&(usize, Weight)| loot.sk2.iter().all(|(label, _)| label != span.rows()[*row].label);
    let mut ways = ways(&gate, &mut 0);
    ways.sort_by_key(|way| way.iter().filter(lacks).count());
    let mut attempts = 0;
    for way in ways {
        // For what is missing, every point of the key in turn.
        let stand_ins = if way.iter().any(|row| lacks(&row)) { &loot.sk2[..] } else { &loot.sk2[..1] };
        for (_, stand_in) in stand_ins {
            if combine(ciphertext, &loot, (span.rows(), &way), stand_in).is_same(secret) {
                return true;
            }
            attempts += 1;
            if attempts == ATTEMPTS {
                return false;
            }
        }
    }
    false
}

/// The data key that one way gives.
fn combine(ciphertext: &Ciphertext, loot: &Loot, (rows, way): (&[Row<'_>], &Way), stand_in: &G1) -> Secret {
    let opened = points(ciphertext);
    let power = |point: &G1, by: Weight| Group::g1_msm_public(&[point], &[by]);
    let zero = || times(&Group::g1_generator(), 0);
    let (mut held, mut blinds): (Vec<G1>, G1) = (opened.ct2.iter().map(|_| zero()).collect(), zero());
    for (row, by) in way {
        let Row { label, copy } = &rows[*row];
        let own = loot.sk2.iter().find(|(held, _)| held == *label).map_or(stand_in, |(_, point)| point);
        held[*copy] = plus(&held[*copy], &power(own, *by));
        blinds = plus(&blinds, &power(&opened.ct3[*row], *by));
    }
    secret_from(ciphertext, (&loot.sk1, &loot.sk3), &held, &blinds)
}

/// Every way through a gate, each child of an `or`, each choice of k; the first thousand.
fn ways(gate: &Gate, next: &mut usize) -> Vec<Way> {
    let one = Weight::from_u64(1);
    let mut below = |children: &[Gate]| children.iter().map(|child| ways(child, next)).collect::<Vec<_>>();
    match gate {
        Gate::Holds(_) => {
            *next += 1;
            vec![vec![(*next - 1, one)]]
        }
        Gate::Any(children) => below(children).concat(),
        Gate::All(children) => {
            let below = below(children);
            together(&below.iter().map(|ways| (ways, one)).collect::<Vec<_>>())
        }
        Gate::AtLeast(k, children) => {
            let below = below(children);
            let chosen = choices(children.len(), *k).into_iter().take(64);
            chosen
                .flat_map(|chosen| {
                    let at: Vec<(&Vec<Way>, Weight)> =
                        chosen.iter().map(|child| (&below[*child], at_zero(*child, &chosen))).collect();
                    together(&at)
                })
                .collect()
        }
    }
}

/// A way through each, with its coefficient.
fn together(children: &[(&Vec<Way>, Weight)]) -> Vec<Way> {
    children.iter().fold(vec![Vec::new()], |all, (ways, by)| {
        let scaled = |way: &Way| way.iter().map(|(row, weight)| (*row, weight.mul(*by))).collect::<Way>();
        let joined = all.iter().flat_map(|head| ways.iter().map(move |way| [head.clone(), scaled(way)].concat()));
        joined.take(1_000).collect()
    })
}

/// Lagrange's coefficient at zero of child `own`, whose point is one more than its number.
fn at_zero(own: usize, chosen: &[usize]) -> Weight {
    let point = |child: usize| Weight::from_u64(child as u64 + 1);
    chosen.iter().filter(|other| **other != own).fold(Weight::from_u64(1), |product, other| {
        product.mul(point(*other)).mul(point(*other).sub(point(own)).invert().unwrap())
    })
}

/// The sets of k numbers below n.
fn choices(n: usize, k: usize) -> Vec<Vec<usize>> {
    if k == 0 {
        return vec![Vec::new()];
    }
    let with = |last: usize| choices(last, k - 1).into_iter().map(move |head| [head, vec![last]].concat());
    (k - 1..n).flat_map(with).take(64).collect()
}

#[test]
fn every_way_is_found() {
    assert_eq!(choices(4, 2), [[0, 1], [0, 2], [1, 2], [0, 3], [1, 3], [2, 3]]);
    let authority = authority("");
    let policy =
        AccessPolicy::parse("a = x and (b = x or 2 of (c = x, d = x, e = x))", authority.parameters()).unwrap();
    let found: Vec<Vec<usize>> = ways(&policy.gate(authority.parameters()).unwrap(), &mut 0)
        .into_iter()
        .map(|way| way.into_iter().map(|(row, _)| row).collect())
        .collect();
    assert_eq!(found, [vec![0, 1], vec![0, 2, 3], vec![0, 2, 4], vec![0, 3, 4]]);
}

/// On policies and keys of all kinds the adversary gets what [`open`] gives, and nothing that it refuses.
#[test]
fn the_algebra_opens_what_the_policy_says_and_no_more() {
    let (authority, mut fresh) = (authority("level: number(6)\ngroups: text set"), seeds());
    for policy in [
        "a = x and (b = x or 2 of (c = x, d = x, level >= 9))",
        "3 of (a = x, b = x, c = x, d = x)",
        "a = x and (b = x or (a = x and c = x))",
        "groups in [p, q] and level < 33",
    ] {
        let (ciphertext, secret) = sealed(&authority, policy, fresh());
        for held in [
            "a = x",
            "a = x, b = x",
            "b = x, c = x",
            "a = x, c = x",
            "a = x, c = x, level = 12",
            "b = x, c = x, d = x",
            "groups = [p, r], level = 32",
            "groups = [r], level = 2, a = x",
        ] {
            let key = key(&authority, held, fresh());
            let opened = open(authority.parameters(), &key, &ciphertext, b"context").is_ok();
            assert_eq!(opens(&authority, &ciphertext, &key, &secret), opened, "{held} against {policy}");
        }
    }
}
