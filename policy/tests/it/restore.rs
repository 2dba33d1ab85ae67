//! A snapshot after a restart is the one before it, in whatever order the rows come.
//!
//! Stored entities shadow those of the bundle. Put one after the other, the first of them could stand beside something that
//! the second shadows, and close a cycle that was never there: the server then refused its own store at the next start.

use proptest::prelude::*;
use wardkeep_model::{EntityUid, Value};
use wardkeep_policy::{
    BundleSource, EntityChange, EntityRecord, FindingKind, Misfits, PolicyErrors, Role, Snapshot, Stored,
};

use crate::harness::*;

const SCHEMA: &str = "entity Team in [Team] = { size?: Long }; entity User in [Team]; entity Service in [Team];";

/// `a` in `b` in `c`, as the bundle has it.
fn chained() -> BundleSource {
    let mut bundle = bundle("", SCHEMA, "@id(\"all\") permit(principal in Team::\"c\", action, resource);");
    let entity = |id: &str, parent: Option<&str>| {
        let parents: Vec<_> = parent.iter().map(|id| serde_json::json!({"type": "Team", "id": id})).collect();
        serde_json::json!({"uid": {"type": "Team", "id": id}, "attrs": {}, "parents": parents})
    };
    let all = vec![entity("a", Some("b")), entity("b", Some("c")), entity("c", None)];
    bundle.entities = Some(serde_json::Value::Array(all).to_string());
    bundle
}

fn restored(bundle: &BundleSource, stored: Stored) -> Result<Snapshot, PolicyErrors> {
    Snapshot::restored(identity(), Snapshot::builtin_control_set(), bundle, stored, 7).map(|(snapshot, _)| snapshot)
}

fn stored(entities: Vec<EntityRecord>, roles: &[(&str, &[Role])]) -> Stored {
    let roles = roles.iter().map(|(name, roles)| (uid(name), roles.to_vec())).collect();
    Stored { entities, roles, misfits: Misfits::Refuse }
}

/// All orders of a few things.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.len() < 2 {
        return vec![items.to_vec()];
    }
    (0..items.len())
        .flat_map(|at| {
            let mut rest = items.to_vec();
            let first = rest.remove(at);
            orders(&rest).into_iter().map(move |rest| [vec![first.clone()], rest].concat()).collect::<Vec<_>>()
        })
        .collect()
}

fn all_of(snapshot: &Snapshot) -> Vec<EntityRecord> {
    let mut all: Vec<EntityRecord> = snapshot.entities().cloned().collect();
    all.sort_by(|one, other| one.uid.cmp(&other.uid));
    all
}

#[test]
fn what_is_shadowed_closes_no_cycle() {
    // Live: `a` loses its parent, then `b` and `c` come to stand in it. The bundle says the very opposite.
    let live = world(&chained())
        .with_entities(&[put("Team::\"a\"", &[])], 4)
        .unwrap()
        .with_entities(&[put("Team::\"b\"", &["Team::\"a\""])], 5)
        .unwrap()
        .with_entities(&[put("Team::\"c\"", &["Team::\"b\""]), put("User::\"ana\"", &["Team::\"c\""])], 6)
        .unwrap();
    let rows: Vec<EntityRecord> = ["a", "b", "c"]
        .iter()
        .map(|id| live.entity(&uid(&format!("Team::\"{id}\""))).unwrap())
        .chain([live.entity(&uid("User::\"ana\"")).unwrap()])
        .collect();
    for order in orders(&rows) {
        let names: Vec<String> = order.iter().map(|record| record.uid.to_string()).collect();
        let again = restored(&chained(), stored(order.clone(), &[]));
        let again = again.unwrap_or_else(|errors| panic!("{names:?}: {errors}"));
        assert_eq!(all_of(&again), rows, "{names:?}");
        // One change of all of them, on a running server, is as free of order.
        let puts: Vec<EntityChange> = order.into_iter().map(EntityChange::Put).collect();
        let at_once = world(&chained()).with_entities(&puts, 5).unwrap_or_else(|errors| panic!("{names:?}: {errors}"));
        assert_eq!(at_once.entity(&uid("Team::\"a\"")).unwrap().parents, []);
    }
}

#[test]
fn a_real_cycle_is_refused_in_every_order() {
    let rows = [
        record("Team::\"x\"", &["Team::\"y\""]),
        record("Team::\"y\"", &["Team::\"z\""]),
        record("Team::\"z\"", &["Team::\"x\""]),
    ];
    for order in orders(&rows) {
        let errors = restored(&chained(), stored(order.clone(), &[])).expect_err("a cycle");
        assert!(errors.to_string().contains("lead back"), "{errors}");
        let puts: Vec<EntityChange> = order.into_iter().map(EntityChange::Put).collect();
        assert!(world(&chained()).with_entities(&puts, 5).is_err());
    }
}

#[test]
fn activating_a_bundle_leaves_out_what_is_shadowed_too() {
    let live = world(&bundle("", SCHEMA, ""));
    let live = live.with_entities(&[put("Team::\"a\"", &[]), put("Team::\"c\"", &["Team::\"a\""])], 4).unwrap();
    // In the bundle `a` is in `b` is in `c`; with both layers at once `c` would be in itself.
    let next = live.with_bundle(&chained(), 5).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(next.entity(&uid("Team::\"a\"")).unwrap().parents.is_empty());
    assert!(next.is_from_bundle(&uid("Team::\"b\"")));
    let rows: Vec<EntityRecord> =
        all_of(&next).into_iter().filter(|record| !next.is_from_bundle(&record.uid)).collect();
    let again = restored(&chained(), stored(rows, &[])).unwrap();
    assert_eq!(all_of(&again), all_of(&next));
}

#[test]
fn a_change_that_deletes_and_writes_one_entity_does_both_in_turn() {
    let snapshot = world(&bundle("", SCHEMA, "")).with_entities(&[put("Team::\"x\"", &[])], 4).unwrap();
    let name = uid("Team::\"x\"");
    let swap = [EntityChange::Delete(name.clone()), put("Team::\"x\"", &["Team::\"y\""])];
    assert_eq!(snapshot.with_entities(&swap, 5).unwrap().entity(&name).unwrap().parents.len(), 1);
    let gone = [put("Team::\"x\"", &["Team::\"y\""]), EntityChange::Delete(name.clone())];
    assert!(snapshot.with_entities(&gone, 5).unwrap().entity(&name).is_none());
}

#[test]
fn roles_come_back_with_their_holders_and_with_nobody_else() {
    let rows = || vec![record("User::\"ana\"", &[]), record("User::\"ben\"", &[])];
    let both: &[Role] = &[Role::SecurityAdmin, Role::Auditor];
    let snapshot = restored(&chained(), stored(rows(), &[("User::\"ana\"", both), ("User::\"ben\"", &[])])).unwrap();
    assert_eq!(snapshot.roles_of(&uid("User::\"ana\"")), both);
    assert!(snapshot.roles_of(&uid("User::\"ben\"")).is_empty());
    assert!(snapshot.may_change_control_set(&uid("User::\"ana\"")));
    assert_eq!(snapshot.version(), 7);
    for (holder, said) in [("User::\"none\"", "would have no entity"), ("Team::\"c\"", "cannot hold a role")] {
        let errors = restored(&chained(), stored(rows(), &[(holder, both)])).expect_err(holder);
        assert_eq!(errors.findings()[0].kind, FindingKind::Entity);
        assert!(errors.to_string().contains(said), "{errors}");
    }
    // A row that says that somebody holds nothing asks for no entity.
    assert!(restored(&chained(), stored(rows(), &[("User::\"none\"", &[]), ("Team::\"c\"", &[])])).is_ok());
}

#[test]
fn no_row_leads_into_somebody_who_holds_a_role() {
    let schema = "entity User in [User];";
    let rows = vec![record("User::\"ana\"", &[]), record("User::\"eve\"", &["User::\"ana\""])];
    for order in orders(&rows) {
        let held = stored(order, &[("User::\"ana\"", &[Role::Admin])]);
        let errors = restored(&bundle("", schema, ""), held).expect_err("a way up");
        assert!(errors.to_string().contains("holds a control role"), "{errors}");
    }
}

#[test]
fn misfits_stop_a_start_and_are_named_or_are_set_aside_and_named() {
    let mut tall = record("Team::\"tall\"", &[]);
    tall.attributes.insert("height".to_owned(), Value::Long(7));
    let rows = || {
        vec![
            tall.clone(),
            record("User::\"ana\"", &[]),
            record("Robot::\"r\"", &[]),
            record("Team::\"x\"", &["User::\"ana\""]),
        ]
    };
    let errors = restored(&chained(), stored(rows(), &[])).expect_err("misfits");
    for name in ["Team::\"tall\"", "Robot::\"r\"", "Team::\"x\""] {
        assert!(errors.to_string().contains(name), "{name}: {errors}");
    }
    assert!(errors.findings().iter().all(|finding| finding.file == "stored entities"));
    let aside = Stored { misfits: Misfits::SetAside, ..stored(rows(), &[("Robot::\"r\"", &[Role::Admin])]) };
    let (snapshot, aside) =
        Snapshot::restored(identity(), Snapshot::builtin_control_set(), &chained(), aside, 7).unwrap();
    let mut names: Vec<String> = aside.iter().map(|(uid, _)| uid.to_string()).collect();
    names.sort();
    assert_eq!(names, ["Robot::\"r\"", "Team::\"tall\"", "Team::\"x\""]);
    assert!(snapshot.entity(&uid("User::\"ana\"")).is_some());
    assert!(snapshot.roles_of(&uid("Robot::\"r\"")).is_empty(), "whose type is no identity's holds nothing");
    for (uid, error) in aside {
        assert!(snapshot.entity(&uid).is_none() && !error.to_string().is_empty());
    }
}

/// An ancestor may come to stand in the way only when all rows are there.
#[test]
fn an_ancestor_that_comes_late_is_checked_all_the_same() {
    let schema = "entity Leaf in [Mid]; entity Mid in [Top]; entity Top; entity User;";
    let narrow = bundle("", schema, "");
    let rows = vec![record("Leaf::\"l\"", &["Mid::\"m\""]), record("Mid::\"m\"", &["Leaf::\"x\""])];
    for order in orders(&rows) {
        let errors = restored(&narrow, stored(order.clone(), &[])).expect_err("a middle in a leaf");
        assert!(errors.to_string().contains("Mid::\"m\""), "{errors}");
        let aside = Stored { misfits: Misfits::SetAside, ..stored(order, &[]) };
        let (snapshot, aside) =
            Snapshot::restored(identity(), Snapshot::builtin_control_set(), &narrow, aside, 7).unwrap();
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert!(snapshot.entity(&uid("Leaf::\"l\"")).is_some());
    }
}

fn name(at: usize) -> EntityUid {
    EntityUid::new("Team", &format!("t{at}")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    /// Any history of single changes, accepted or refused, against a restart in any order of rows.
    #[test]
    fn a_restart_is_not_seen(
        steps in prop::collection::vec((0..6_usize, prop::collection::vec(0..6_usize, 0..3), prop::bool::weighted(0.2)), 1..30),
        seed in any::<u64>(),
    ) {
        static LOADED: std::sync::OnceLock<Snapshot> = std::sync::OnceLock::new();
        let mut live = LOADED.get_or_init(|| load(&chained()).unwrap()).clone();
        let mut rows: std::collections::BTreeMap<EntityUid, EntityRecord> = std::collections::BTreeMap::new();
        for (at, parents, delete) in steps {
            let mut record = record("Team::\"x\"", &[]);
            record.uid = name(at);
            record.parents = parents.into_iter().map(name).collect();
            record.parents.dedup();
            let change = if delete { EntityChange::Delete(name(at)) } else { EntityChange::Put(record.clone()) };
            if let Ok(next) = live.with_entities(&[change], 5) {
                live = next;
                if delete { rows.remove(&name(at)); } else { rows.insert(name(at), record); }
            }
        }
        let mut order: Vec<EntityRecord> = rows.into_values().collect();
        let len = order.len().max(1) as u64;
        order.rotate_left(usize::try_from(seed % len).unwrap());
        if seed & 1 == 1 { order.reverse(); }
        let again = restored(&chained(), stored(order, &[])).unwrap();
        prop_assert_eq!(all_of(&again), all_of(&live));
    }
}
