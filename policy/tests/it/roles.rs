//! Ways up that must fail: no bundle, no import and no group leads to a control role.

use wardkeep_model::action::{ChangeControlSet, DescribeKey};
use wardkeep_policy::{BundleSource, EntityError, EntityErrors, Resource, Role, RoleError, Snapshot};

use crate::harness::*;

const GROUPS: &str = "entity Team in [Team]; entity User in [User, Team]; entity Service in [Team];";
const ADMINS: &str = r#"@id("admins") permit(principal in Wardkeep::Role::"admin", action, resource);"#;

fn groups() -> BundleSource {
    bundle("", GROUPS, ADMINS)
}

fn only_error(result: Result<Snapshot, EntityErrors>) -> EntityError {
    let errors = result.expect_err("the change was accepted");
    errors.errors()[0].1.clone()
}

#[test]
fn no_import_names_a_role_as_parent() {
    let snapshot = world(&groups());
    for parent in ["Wardkeep::Role::\"admin\"", "Wardkeep::Ring::\"r\"", "Wardkeep::System::\"wardkeep\""] {
        for child in ["User::\"ana\"", "Team::\"t\""] {
            let error = only_error(snapshot.with_entities(&[put(child, &[parent])], 9));
            assert!(matches!(error, EntityError::ReservedParent { .. }), "{child} in {parent}: {error}");
        }
    }
    for entity in ["Wardkeep::Role::\"admin\"", "Wardkeep::Key::\"r/k\"", "Wardkeep::Anything::\"x\""] {
        assert_eq!(only_error(snapshot.with_entities(&[put(entity, &[])], 9)), EntityError::Reserved, "{entity}");
    }
}

/// Three levels: somebody in a team in a team in an administrator.
#[test]
fn no_chain_of_groups_leads_to_a_role() {
    let snapshot = world(&groups());
    // Upwards: the last link, to one who holds a role, is refused whatever hangs below it.
    let error = only_error(snapshot.with_entities(&[put("User::\"ana\"", &["User::\"root\""])], 9));
    assert!(matches!(error, EntityError::LeadsToRole { .. }), "{error}");
    // Downwards: the chain first, then the role at its end.
    let chain = [
        put("Team::\"low\"", &["Team::\"mid\""]),
        put("Team::\"mid\"", &["Team::\"top\""]),
        put("User::\"ana\"", &["Team::\"low\""]),
        put("User::\"eve\"", &["User::\"ben\""]),
        put("User::\"mallory\"", &["User::\"eve\""]),
    ];
    let chained = snapshot.with_entities(&chain, 9).unwrap();
    for top in ["User::\"ben\"", "User::\"eve\""] {
        let error = chained.with_role(Role::Admin, &uid(top), true, 10).unwrap_err();
        assert!(matches!(error, RoleError::IsAGroup { .. }), "{error}");
    }
    for group in ["Team::\"top\"", "Team::\"low\""] {
        let error = chained.with_role(Role::Admin, &uid(group), true, 10).unwrap_err();
        assert!(matches!(error, RoleError::NotAnIdentity { .. }), "{error}");
    }
    // Who is in the groups is no administrator; who holds the role is.
    let engine = engine(chained);
    let (key, system) = (facts("r/k"), Resource::System("wardkeep"));
    for name in ["User::\"ana\"", "User::\"eve\"", "User::\"mallory\""] {
        let caller = caller(name);
        assert_eq!(outcome::<DescribeKey>(&engine, &ask(&caller, Resource::Key(&key), None)), "no-permit", "{name}");
        assert_eq!(outcome::<ChangeControlSet>(&engine, &ask(&caller, system, None)), "no-permit", "{name}");
    }
    let root = caller("User::\"root\"");
    assert_eq!(outcome::<DescribeKey>(&engine, &ask(&root, Resource::Key(&key), None)), "allow");
}

#[test]
fn roles_are_for_identities_that_exist() {
    let snapshot = world(&groups());
    for (name, expected) in [("User::\"nobody\"", "has no entity"), ("Wardkeep::System::\"scheduler\"", "cannot hold")]
    {
        let error = snapshot.with_role(Role::Admin, &uid(name), true, 9).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_holder_is_not_deleted_and_does_not_come_back_as_one() {
    let snapshot = world(&groups());
    let root = uid("User::\"root\"");
    let delete = [wardkeep_policy::EntityChange::Delete(root.clone())];
    assert_eq!(only_error(snapshot.with_entities(&delete, 9)), EntityError::HoldsRole);
    let mut without = snapshot;
    for role in Role::ALL {
        without = without.with_role(*role, &root, false, 10).unwrap();
    }
    let again = without.with_entities(&delete, 11).unwrap().with_entities(&[put("User::\"root\"", &[])], 12).unwrap();
    assert!(again.roles_of(&root).is_empty());
    assert!(!again.may_change_control_set(&root));
}

#[test]
fn an_overwritten_entity_keeps_its_roles_and_gains_none() {
    let snapshot = world(&groups());
    let changes = [put("User::\"root\"", &["Team::\"t\""]), put("User::\"ana\"", &["Team::\"t\""])];
    let after = snapshot.with_entities(&changes, 9).unwrap();
    assert_eq!(after.roles_of(&uid("User::\"root\"")).len(), 4);
    assert!(after.roles_of(&uid("User::\"ana\"")).is_empty());
    let engine = engine(after);
    let (root, key) = (caller("User::\"root\""), facts("r/k"));
    assert_eq!(outcome::<DescribeKey>(&engine, &ask(&root, Resource::Key(&key), None)), "allow");
}

#[test]
fn the_last_administrator_is_seen() {
    let snapshot = world(&groups());
    let (root, ana) = (uid("User::\"root\""), uid("User::\"ana\""));
    assert!(snapshot.may_change_control_set(&root));
    assert!(!snapshot.may_change_control_set(&ana));
    let without = snapshot.with_role(Role::SecurityAdmin, &root, false, 9).unwrap();
    assert!(!without.may_change_control_set(&root), "admin alone writes no policies");
    let locked = snapshot.with_control_set("@id(\"none\") forbid(principal, action, resource);", 10).unwrap();
    assert!(!locked.may_change_control_set(&root), "the caller of with_control_set asks, and refuses");
    assert!(!snapshot.may_change_control_set(&uid("User::\"nobody\"")));
    assert_eq!(snapshot.role_holders().count(), 1);
}

#[test]
fn each_builtin_role_has_its_own_verbs() {
    use wardkeep_model::action::{ActivateBundle, GrantRole, ReadAudit, VerifyAudit};
    let base = world(&groups());
    let ana = uid("User::\"ana\"");
    for role in Role::ALL {
        let engine = engine(base.with_role(*role, &ana, true, 9).unwrap());
        let (caller, system) = (caller("User::\"ana\""), Resource::System("wardkeep"));
        let can = |answer: &str| answer == "allow";
        let grants = can(outcome::<GrantRole>(&engine, &ask(&caller, Resource::Role(Role::Auditor), None)));
        let activates = can(outcome::<ActivateBundle>(&engine, &ask(&caller, system, None)));
        let reads = can(outcome::<ReadAudit>(&engine, &ask(&caller, system, None)));
        let verifies = can(outcome::<VerifyAudit>(&engine, &ask(&caller, system, None)));
        let expected = match role {
            Role::Admin => (true, false, false, false),
            Role::SecurityAdmin => (false, true, false, false),
            Role::Operator => (false, false, false, true),
            Role::Auditor => (false, false, true, true),
        };
        assert_eq!((grants, activates, reads, verifies), expected, "{role}");
    }
}

/// Whoever reads a master key, or swaps the key that somebody's user keys are sealed for, reads what the rules keep back.
#[test]
fn escrow_and_recipients_are_with_those_who_answer_for_the_rules() {
    use wardkeep_model::action::{ChangeRecipient, DescribeRecipient, ExportAuthority};
    use wardkeep_policy::{RECIPIENTS, escrow_part};
    let base = world(&groups());
    let ana = uid("User::\"ana\"");
    let part = escrow_part(&wardkeep_model::KeyId::parse("clinic/records-abe").unwrap());
    assert_eq!(part, "escrow/clinic/records-abe");
    for role in Role::ALL {
        let engine = engine(base.with_role(*role, &ana, true, 9).unwrap());
        let caller = caller("User::\"ana\"");
        let (escrow, recipients) = (Resource::System(&part), Resource::System(RECIPIENTS));
        let can = |answer: &str| answer == "allow";
        let exports = can(outcome::<ExportAuthority>(&engine, &ask(&caller, escrow, None)));
        let changes = can(outcome::<ChangeRecipient>(&engine, &ask(&caller, recipients, None)));
        let describes = can(outcome::<DescribeRecipient>(&engine, &ask(&caller, recipients, None)));
        let expected = match role {
            Role::SecurityAdmin => (true, true, true),
            Role::Auditor => (false, false, true),
            Role::Admin | Role::Operator => (false, false, false),
        };
        assert_eq!((exports, changes, describes), expected, "{role}");
    }
    // A control set may speak of one authority, and nobody exports on behalf of somebody else.
    let one = r#"@id("one") permit(principal, action == Wardkeep::Action::"ExportAuthority",
        resource == Wardkeep::System::"escrow/clinic/records-abe");"#;
    let engine = engine(base.with_control_set(one, 9).unwrap());
    let caller = caller("User::\"ana\"");
    let other = escrow_part(&wardkeep_model::KeyId::parse("clinic/other").unwrap());
    assert_eq!(outcome::<ExportAuthority>(&engine, &ask(&caller, Resource::System(&part), None)), "allow");
    assert_eq!(outcome::<ExportAuthority>(&engine, &ask(&caller, Resource::System(&other), None)), "no-permit");
    let acting = acting("Service::\"app\"", "User::\"ana\"");
    let asked = outcome::<ExportAuthority>(&engine, &ask(&acting, Resource::System(&part), None));
    assert_eq!(asked, "subject-on-control-verb");
}

/// The lock-out rule asks the very question that the verb asks.
#[test]
fn the_right_to_another_part_is_no_right_to_the_control_set() {
    let (snapshot, root) = (world(&groups()), uid("User::\"root\""));
    let builtin = Snapshot::builtin_control_set();
    let change = r#"principal, action == Wardkeep::Action::"ChangeControlSet", resource == Wardkeep::System"#;
    for (text, open) in [
        (format!("permit({change}::\"wardkeep\");"), false),
        (format!("permit({change}::\"control-set\");"), true),
        (format!("{builtin} forbid({change}::\"control-set\");"), false),
        (format!("{builtin} forbid({change}::\"wardkeep\");"), true),
    ] {
        let changed = snapshot.with_control_set(&text, 9).unwrap();
        assert_eq!(changed.may_change_control_set(&root), open, "{text}");
        let (engine, root) = (engine(changed), caller("User::\"root\""));
        let question = ask(&root, Resource::System(wardkeep_policy::CONTROL_SET), None);
        assert_eq!(outcome::<ChangeControlSet>(&engine, &question) == "allow", open, "the verb: {text}");
    }
}

#[test]
fn what_was_decided_is_asked_again_of_a_later_snapshot() {
    use wardkeep_model::action::{GrantRole, IssueToken};
    let (before, root, ana) = (world(&groups()), uid("User::\"root\""), uid("User::\"ana\""));
    let after = before.with_role(Role::Admin, &root, false, 9).unwrap();
    let (engine, caller) = (engine(before.clone()), caller("User::\"root\""));
    let grant = engine.decide::<GrantRole>(&ask(&caller, Resource::Role(Role::Auditor), None)).unwrap().into_event();
    let token = engine.decide::<IssueToken>(&ask(&caller, Resource::Identity(&ana), None)).unwrap().into_event();
    let set = ask(&caller, Resource::System(wardkeep_policy::CONTROL_SET), None);
    let set = engine.decide::<ChangeControlSet>(&set).unwrap().into_event();
    for event in [&grant, &token, &set] {
        assert!(before.still_permits(event), "{}", event.action);
    }
    assert!(!after.still_permits(&grant) && !after.still_permits(&token), "the role is gone");
    assert!(after.still_permits(&set), "and security-admin is still held");
    let key = facts("r/k");
    let data = engine.decide::<DescribeKey>(&ask(&caller, Resource::Key(&key), None)).unwrap().into_event();
    assert!(!before.still_permits(&data), "a data verb waits for no turn");
}
