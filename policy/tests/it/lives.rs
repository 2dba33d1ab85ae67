//! Random lives of groups, people, roles and bundles against what reachability says, computed once more without Cedar.
//!
//! Ancestors are kept complete in every entity and brought up to date with every change. Where that is forgotten once, a
//! group that lost its rights keeps giving them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use proptest::prelude::*;
use wardkeep_model::EntityUid;
use wardkeep_model::action::{DescribeKey, Encrypt};
use wardkeep_policy::{EntityChange, EntityRecord, Resource, Role, Snapshot};

use crate::harness::*;

const SCHEMA: &str = "entity Team in [Team]; entity User in [Team, User]; entity Service in [Team];";
const RULES: &str = r#"
    @id("team") permit(principal in Team::"t0", action == Wardkeep::Action::"DescribeKey", resource);
    @id("operator") permit(principal in Wardkeep::Role::"operator", action == Wardkeep::Action::"Encrypt", resource);"#;
const TEAMS: usize = 4;
const USERS: usize = 4;

fn start() -> Snapshot {
    static LOADED: OnceLock<Snapshot> = OnceLock::new();
    LOADED.get_or_init(|| world(&bundle("", SCHEMA, RULES))).clone()
}

fn team(at: usize) -> EntityUid {
    uid(&format!("Team::\"t{at}\""))
}

fn user(at: usize) -> EntityUid {
    uid(&format!("User::\"u{at}\""))
}

#[derive(Debug, Clone)]
enum Step {
    Team(usize, Vec<usize>),
    /// Parents among teams, and among users.
    User(usize, Vec<usize>, Vec<usize>),
    DropTeam(usize),
    DropUser(usize),
    Role(usize, bool),
}

fn steps() -> impl Strategy<Value = Step> {
    let teams = || prop::collection::vec(0..TEAMS, 0..3);
    prop_oneof![
        3 => (0..TEAMS, teams()).prop_map(|(at, parents)| Step::Team(at, parents)),
        4 => (0..USERS, teams(), prop::collection::vec(0..USERS, 0..2)).prop_map(|(at, teams, users)| Step::User(at, teams, users)),
        1 => (0..TEAMS).prop_map(Step::DropTeam),
        1 => (0..USERS).prop_map(Step::DropUser),
        2 => (0..USERS, any::<bool>()).prop_map(|(at, held)| Step::Role(at, held)),
    ]
}

/// Who stands in what, and who operates; in plain maps.
#[derive(Default, Clone)]
struct Reference {
    parents: BTreeMap<EntityUid, Vec<EntityUid>>,
    operators: BTreeSet<EntityUid>,
}

impl Reference {
    /// Everything above an entity, by the parents of those that exist; itself among it where it is in a ring.
    fn above(&self, of: &EntityUid) -> BTreeSet<EntityUid> {
        let mut found = BTreeSet::new();
        let mut open = self.parents.get(of).cloned().unwrap_or_default();
        while let Some(next) = open.pop() {
            if found.insert(next.clone()) {
                open.extend(self.parents.get(&next).cloned().unwrap_or_default());
            }
        }
        found
    }

    fn put(&mut self, name: EntityUid, parents: Vec<EntityUid>) -> bool {
        let mut next = self.clone();
        let into_role = parents.iter().any(|parent| self.operators.contains(parent));
        next.parents.insert(name, parents);
        let ring = next.parents.keys().any(|name| next.above(name).contains(name));
        if into_role || ring {
            return false;
        }
        *self = next;
        true
    }

    fn apply(&mut self, step: &Step) -> bool {
        match step {
            Step::Team(at, parents) => self.put(team(*at), parents.iter().map(|at| team(*at)).collect()),
            Step::User(at, teams, users) => {
                let parents = teams.iter().map(|at| team(*at)).chain(users.iter().map(|at| user(*at)));
                self.put(user(*at), parents.collect())
            }
            Step::DropTeam(at) => self.parents.remove(&team(*at)).is_some(),
            Step::DropUser(at) => !self.operators.contains(&user(*at)) && self.parents.remove(&user(*at)).is_some(),
            Step::Role(at, true) => {
                let name = user(*at);
                let group = self.parents.values().flatten().any(|parent| *parent == name);
                let good = self.parents.contains_key(&name) && !group;
                if good {
                    self.operators.insert(name);
                }
                good
            }
            Step::Role(at, false) => {
                self.operators.remove(&user(*at));
                true
            }
        }
    }
}

fn apply(snapshot: &Snapshot, step: &Step) -> Option<Snapshot> {
    let entity = |name: EntityUid, parents: Vec<EntityUid>| {
        let record = EntityRecord { uid: name, parents, ..record("User::\"x\"", &[]) };
        snapshot.with_entities(&[EntityChange::Put(record)], 5).ok()
    };
    match step {
        Step::Team(at, parents) => entity(team(*at), parents.iter().map(|at| team(*at)).collect()),
        Step::User(at, teams, users) => {
            let parents = teams.iter().map(|at| team(*at)).chain(users.iter().map(|at| user(*at)));
            entity(user(*at), parents.collect())
        }
        Step::DropTeam(at) => snapshot.with_entities(&[EntityChange::Delete(team(*at))], 5).ok(),
        Step::DropUser(at) => snapshot.with_entities(&[EntityChange::Delete(user(*at))], 5).ok(),
        Step::Role(at, held) => snapshot.with_role(Role::Operator, &user(*at), *held, 5).ok(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rights_follow_who_stands_where(steps in prop::collection::vec(steps(), 1..40)) {
        let (mut snapshot, mut reference) = (start(), Reference::default());
        let key = facts("r/k");
        for step in &steps {
            let (next, good) = (apply(&snapshot, step), reference.apply(step));
            prop_assert_eq!(next.is_some(), good, "{:?}", step);
            if let Some(next) = next {
                snapshot = next;
            }
            for at in 0..USERS {
                let name = user(at);
                prop_assert_eq!(snapshot.roles_of(&name).contains(&Role::Operator), reference.operators.contains(&name));
            }
        }
        let engine = engine(snapshot);
        for at in 0..USERS {
            let (name, caller) = (user(at), caller(&user(at).to_string()));
            let question = ask(&caller, Resource::Key(&key), None);
            let there = reference.parents.contains_key(&name);
            let wanted = |good: bool| if !there { "unknown-actor" } else if good { "allow" } else { "no-permit" };
            let in_team = reference.above(&name).contains(&team(0));
            prop_assert_eq!(outcome::<DescribeKey>(&engine, &question), wanted(in_team), "{} after {:?}", &name, &steps);
            let operates = reference.operators.contains(&name);
            prop_assert_eq!(outcome::<Encrypt>(&engine, &question), wanted(operates), "{} after {:?}", &name, &steps);
        }
    }
}
