//! How far a decision and a change walk through entities, and that a walk that would be too long ends in a refusal.

use wardkeep_model::action::DescribeKey;
use wardkeep_policy::{BundleSource, EntityChange, EntityError, EntityRecord, Resource};

use crate::harness::*;

/// What `EntityError::TooManyAncestors` speaks of.
const ANCESTORS: usize = 4096;
/// Most entities that one decision reaches.
const REACHED: usize = 10_000;

fn team(at: usize) -> String {
    format!("Team::\"t{at}\"")
}

fn groups() -> BundleSource {
    let schema = "entity Team in [Team]; entity User in [Team]; entity Service in [Team];";
    bundle("", schema, r#"@id("top") permit(principal in Team::"t0", action, resource);"#)
}

/// `t1` in `t0`, `t2` in `t1` and so on.
fn chain(length: usize) -> Vec<EntityChange> {
    (1..=length).map(|at| put(&team(at), &[&team(at - 1)])).collect()
}

#[test]
fn the_last_ancestor_that_is_taken_decides_and_one_more_is_refused() {
    // A chain below `t0`, and beside it as many groups as fill up the number.
    let depth = 60;
    let snapshot = world(&groups()).with_entities(&chain(depth), 4).unwrap();
    let ana = |beside: usize| {
        let loose = (0..beside).map(|at| uid(&format!("Team::\"loose{at}\"")));
        let parents = std::iter::once(uid(&team(depth))).chain(loose).collect();
        EntityChange::Put(EntityRecord { parents, ..record("User::\"ana\"", &[]) })
    };
    // `t0` to `t60` are 61 of them.
    let full = ANCESTORS - depth - 1;
    let member = snapshot.with_entities(&[ana(full)], 5).unwrap();
    let (caller, key) = (caller("User::\"ana\""), facts("r/k"));
    let engine = engine(member.clone());
    assert_eq!(outcome::<DescribeKey>(&engine, &ask(&caller, Resource::Key(&key), None)), "allow", "`t0` is seen");
    let errors = snapshot.with_entities(&[ana(full + 1)], 5).expect_err("4 097 ancestors");
    assert_eq!(errors.errors()[0].1, EntityError::TooManyAncestors);
    // From above as well: who is put over all of them is one too many for those below.
    let over = member.with_entities(&[put("Team::\"t0\"", &["Team::\"over\""])], 6).expect_err("4 097 from above");
    assert_eq!((over.errors()[0].0.id(), &over.errors()[0].1), ("ana", &EntityError::TooManyAncestors));
    assert!(over.to_string().contains("4096"), "{over}");
}

#[test]
fn as_many_parents_are_taken_as_ancestors() {
    let snapshot = world(&groups());
    let parents = |count: usize| -> EntityRecord {
        EntityRecord { parents: (0..count).map(|at| uid(&team(at))).collect(), ..record("User::\"ana\"", &[]) }
    };
    assert!(snapshot.with_entities(&[EntityChange::Put(parents(ANCESTORS))], 5).is_ok());
    let errors = snapshot.with_entities(&[EntityChange::Put(parents(ANCESTORS + 1))], 5).unwrap_err();
    assert_eq!(errors.errors()[0].1, EntityError::TooManyAncestors);
    let doubled = EntityRecord { parents: vec![uid(&team(0)); ANCESTORS + 1], ..record("User::\"ana\"", &[]) };
    assert!(snapshot.with_entities(&[EntityChange::Put(doubled)], 5).is_ok(), "one parent, however often named");
}

/// A rule that dereferences a literal has no bound on its steps: everything that can be reached goes along.
#[test]
fn what_reaches_too_far_is_denied_and_not_cut_off() {
    let schema = "entity Node = { next?: Node, stop: Bool }; entity User = { start?: Node };";
    let rules = r#"@id("yes") permit(principal, action, resource);
        @id("stop") forbid(principal, action == Wardkeep::Action::"DescribeKey", resource)
        when { Node::"n0" has next && Node::"n0".stop };"#;
    let node = |at: usize, last: usize| {
        let mut node = record(&format!("Node::\"n{at}\""), &[]);
        node.attributes.insert("stop".to_owned(), false.into());
        if at < last {
            node.attributes.insert("next".to_owned(), uid(&format!("Node::\"n{}\"", at + 1)).into());
        }
        EntityChange::Put(node)
    };
    let (ana, key) = (caller("User::\"ana\""), facts("r/k"));
    let base = world(&bundle("", schema, rules));
    for (count, wanted) in [(10, "allow"), (REACHED, "allow"), (REACHED + 1, "forbidden")] {
        let nodes: Vec<EntityChange> = (0..count).map(|at| node(at, count - 1)).collect();
        let engine = engine(base.with_entities(&nodes, 5).unwrap());
        assert_eq!(outcome::<DescribeKey>(&engine, &ask(&ana, Resource::Key(&key), None)), wanted, "{count} entities");
    }
}

#[test]
fn references_in_a_ring_end() {
    let schema = "entity Node = { next?: Node }; entity User = { start?: Node };";
    let rules =
        r#"@id("yes") permit(principal, action, resource) when { Node::"a" has next && Node::"a".next == Node::"b" };"#;
    let node = |name: &str, next: &str| {
        let mut node = record(name, &[]);
        node.attributes.insert("next".to_owned(), uid(next).into());
        EntityChange::Put(node)
    };
    let changes = [node("Node::\"a\"", "Node::\"b\""), node("Node::\"b\"", "Node::\"a\"")];
    let engine = engine(world(&bundle("", schema, rules)).with_entities(&changes, 5).unwrap());
    let (ana, key) = (caller("User::\"ana\""), facts("r/k"));
    assert_eq!(outcome::<DescribeKey>(&engine, &ask(&ana, Resource::Key(&key), None)), "allow");
}

#[test]
fn a_thousand_members_follow_their_group() {
    let members: Vec<EntityChange> = (0..1000).map(|n| put(&format!("User::\"u{n}\""), &["Team::\"t9\""])).collect();
    let snapshot = world(&groups()).with_entities(&members, 4).unwrap();
    let key = facts("r/k");
    for (parent, wanted) in [(None, "no-permit"), (Some("Team::\"t0\""), "allow"), (Some("Team::\"t1\""), "no-permit")]
    {
        let parents: Vec<&str> = parent.into_iter().collect();
        let engine = engine(snapshot.with_entities(&[put("Team::\"t9\"", &parents)], 5).unwrap());
        for member in ["User::\"u0\"", "User::\"u999\""] {
            let caller = caller(member);
            let said = outcome::<DescribeKey>(&engine, &ask(&caller, Resource::Key(&key), None));
            assert_eq!(said, wanted, "{member} with {parent:?}");
        }
    }
}
