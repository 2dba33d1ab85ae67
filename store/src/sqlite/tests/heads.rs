//! Every way in which the files outside can disagree with the database, accepted: what is written down, what is honoured and
//! what is not even then.

use super::*;
use crate::sqlite::headfile::tombstone_path;

fn started() -> Home {
    let home = Home::new();
    let store = home.create();
    change(&store, vec![put(Table::Ring, "r", None, "1")]).unwrap();
    drop(store);
    home
}

fn accepted(home: &Home) -> (SqliteStore, Opened, String) {
    let (store, opened) = SqliteStore::open(Options { accept_rollback: true, ..home.options() }).unwrap();
    let event = store.audit(1, 1000).unwrap().pop().unwrap().event().unwrap();
    assert_eq!(event.action, "AcceptRollback");
    assert_eq!(event.actor.to_string(), "Wardkeep::System::\"store\"");
    let reason = event.detail["reason"].clone();
    (store, opened, reason)
}

#[test]
fn what_was_wrong_is_written_down_and_the_next_start_needs_no_word() {
    type Spoil = fn(&Home);
    let cases: [(Spoil, &str); 6] = [
        (|home| std::fs::remove_file(home.head()).unwrap(), "head missing"),
        (|home| std::fs::write(home.head(), b"junk").unwrap(), "head unreadable"),
        (|home| std::fs::write(home.head(), b"").unwrap(), "head unreadable"),
        (
            |home| {
                let mut bytes = std::fs::read(home.head()).unwrap();
                bytes[130] ^= 1;
                std::fs::write(home.head(), bytes).unwrap();
            },
            "head badly signed",
        ),
        (
            |home| {
                let store = home.open();
                change(&store, vec![put(Table::Tombstone, "r/k", None, "t")]).unwrap();
                drop(store);
                std::fs::remove_file(tombstone_path(&home.head())).unwrap();
            },
            "tombstones missing or changed",
        ),
        (
            |home| {
                home.copy("old");
                change(&home.open(), vec![put(Table::Ring, "s", None, "1")]).unwrap();
                home.restore("old");
            },
            "database at commit 2, head at 3",
        ),
    ];
    for (spoil, said) in cases {
        let home = started();
        spoil(&home);
        assert!(matches!(home.refusal(), OpenError::Head(_)), "{said}");
        let (store, opened, reason) = accepted(&home);
        assert!(opened.rollback_accepted);
        assert_eq!(reason, said);
        store.verify().unwrap();
        drop(store);
        let (store, opened) = SqliteStore::open(home.options()).unwrap();
        assert!(!opened.rollback_accepted, "{said}: accepted once");
        assert_eq!(store.verify().unwrap().status, Status::Verified);
    }
}

#[test]
fn nothing_is_written_down_where_nothing_is_wrong() {
    let home = started();
    let (store, opened) = SqliteStore::open(Options { accept_rollback: true, ..home.options() }).unwrap();
    assert!(!opened.rollback_accepted && opened.honoured_tombstones.is_empty());
    assert_eq!(store.head().head.length, 1);
}

#[test]
fn only_a_keys_own_material_goes_with_it() {
    let home = Home::new();
    let store = home.create();
    // Names that begin alike, and ids of what is a version's and what is another key's.
    let own = ["r/a#1", "r/a#2", "r/a#10", "r/a"];
    let others = ["r/a-b#1", "r/a.b#1", "r/a_b#1", "r/a1#1", "r/ab#1", "r/aa", "s/r/a#1", "r#1", "R/a#1"];
    let puts = own.iter().chain(&others).map(|id| put(Table::Material, id, None, "m"));
    change(&store, puts.collect()).unwrap();
    drop(store);
    home.copy("yesterday");
    change(&home.open(), vec![put(Table::Tombstone, "r/a", None, "gone")]).unwrap();
    home.restore("yesterday");
    let (store, opened, _) = accepted(&home);
    assert_eq!(opened.honoured_tombstones, ["r/a"]);
    for id in own {
        assert!(store.read(Table::Material, id).unwrap().is_none(), "{id} is the key's");
    }
    for id in others {
        assert!(store.read(Table::Material, id).unwrap().is_some(), "{id} is another's");
    }
    assert!(change(&store, vec![put(Table::Key, "r/a", None, "again")]).is_err());
    let event = store.audit(1, 1000).unwrap().pop().unwrap().event().unwrap();
    assert_eq!(event.detail["count"], "1");
}

#[test]
fn tombstones_that_the_database_knows_are_not_written_twice() {
    let home = started();
    let store = home.open();
    change(&store, vec![put(Table::Tombstone, "r/a", None, "1")]).unwrap();
    drop(store);
    home.copy("yesterday");
    change(&home.open(), vec![put(Table::Tombstone, "r/b", None, "2")]).unwrap();
    home.restore("yesterday");
    let (store, opened, _) = accepted(&home);
    assert_eq!(opened.honoured_tombstones, ["r/b"]);
    assert_eq!(store.read(Table::Tombstone, "r/a").unwrap().unwrap().sequence, 1);
    assert_eq!(store.read(Table::Tombstone, "r/b").unwrap().unwrap().value.as_slice(), b"2");
}

#[test]
fn without_the_word_a_start_changes_no_file() {
    let home = started();
    std::fs::write(home.head(), b"junk").unwrap();
    let before = std::fs::read(home.database()).unwrap();
    for _ in 0..3 {
        assert!(matches!(home.refusal(), OpenError::Head(_)));
    }
    assert_eq!(std::fs::read(home.head()).unwrap(), b"junk");
    assert_eq!(std::fs::read(home.database()).unwrap(), before);
}

#[test]
fn a_store_that_gains_a_head_path_says_so_and_is_verified_from_then_on() {
    let mut home = Home::new();
    home.with_head = false;
    let store = home.create();
    record(&store, testing::event("ana")).unwrap();
    drop(store);
    home.with_head = true;
    assert!(
        matches!(home.refusal(), OpenError::Head(crate::error::HeadError::Missing { .. })),
        "a missing head is never taken for a new one"
    );
    let (store, _, reason) = accepted(&home);
    assert_eq!(reason, "head missing");
    drop(store);
    assert_eq!(home.open().verify().unwrap().status, Status::Verified);
}

#[test]
fn a_store_without_a_head_path_looks_at_no_file_of_another() {
    let mut home = started();
    home.with_head = false;
    std::fs::write(home.head(), b"junk").unwrap();
    let store = home.open();
    assert_eq!(store.verify().unwrap().status, Status::Consistent);
    assert!(!store.health().head_configured);
    record(&store, testing::event("ana")).unwrap();
    drop(store);
    assert_eq!(std::fs::read(home.head()).unwrap(), b"junk", "nor writes it");
}

#[test]
fn the_head_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = started();
    change(&home.open(), vec![put(Table::Tombstone, "r/k", None, "t")]).unwrap();
    for path in [home.head(), tombstone_path(&home.head()), home.database(), home.data().join("lock")] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}
