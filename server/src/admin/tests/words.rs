//! What administration says when it refuses: codes that programs go by, and words for who reads them.

use std::collections::BTreeSet;

use wardkeep_kms::KmsError;
use wardkeep_model::EntityUid;
use wardkeep_policy::{EntityError, EntityErrors, IdentityMapError, RoleError, Snapshot};
use wardkeep_store::{CommitError, ReadError, Table};

use crate::admin::{AdminError, commit_code};

fn ana() -> EntityUid {
    EntityUid::new("User", "ana").unwrap()
}

fn all() -> Vec<AdminError> {
    let identity = wardkeep_policy::IdentityMap::new([("user".to_owned(), "User".to_owned())].into()).unwrap();
    let broken = wardkeep_policy::BundleSource { schema: "entity".into(), ..Default::default() };
    let policies = Snapshot::new(identity, "", &broken, 1).expect_err("no schema");
    vec![
        AdminError::Policies(policies),
        AdminError::Entities(EntityErrors::from((ana(), EntityError::Cycle))),
        AdminError::Role(RoleError::NoEntity { identity: ana() }),
        AdminError::NoIdentity { entity: ana() },
        AdminError::LockedOut,
        AdminError::PreconditionFailed { actual: 3 },
        AdminError::BundleNotFound,
        AdminError::EntityNotFound,
        AdminError::EntityCount { count: 10_001, max: 10_000 },
        AdminError::DryRunActivates,
        AdminError::PermitMismatch,
        AdminError::PermitStale,
        AdminError::Row { what: "bundle" },
        AdminError::NotInitialised,
        AdminError::IdentityMap(IdentityMapError::Empty),
        AdminError::KindNotMapped { kind: "node".into() },
        AdminError::AdministratorExists { entity: ana() },
        AdminError::Commit(CommitError::Full),
        AdminError::Read(ReadError::Closed),
        AdminError::ShuttingDown,
    ]
}

#[test]
fn every_message_keeps_the_house_rules() {
    let words: Vec<String> = all().iter().map(ToString::to_string).collect();
    for said in &words {
        assert!(!said.is_empty() && said.len() < 300 && !said.contains("  "), "{said}");
        assert!(!said.starts_with(|c: char| c.is_uppercase()) && !said.ends_with('.'), "{said}");
        assert_eq!(said.matches('`').count() % 2, 0, "a lone backtick: {said}");
    }
    assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
}

#[test]
fn codes_are_kebab_case_and_only_the_two_of_roles_share_one() {
    let codes: Vec<&str> = all().iter().map(AdminError::code).collect();
    assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{codes:?}");
    let distinct: BTreeSet<&&str> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len() - 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == "role-refused").count(), 2);
}

#[test]
fn a_commit_that_fails_has_the_code_that_the_key_service_gives_it() {
    for error in [
        CommitError::Conflict { table: Table::Entity, id: "x".into() },
        CommitError::Full,
        CommitError::ReserveSpent,
        CommitError::HeadStale,
        CommitError::TombstonesFull,
        CommitError::Closed,
        CommitError::Failed,
    ] {
        assert_eq!(commit_code(&error), KmsError::from(error.clone()).code(), "{error}");
        assert_eq!(AdminError::from(error.clone()).code(), commit_code(&error));
    }
}
