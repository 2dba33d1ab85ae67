//! The head and the tombstones outside the database, and whoever touches them or puts a database back.

use super::*;
use crate::error::HeadError;
use crate::sqlite::headfile::tombstone_path;

fn head_error(home: &Home) -> HeadError {
    match home.refusal() {
        OpenError::Head(error) => error,
        other => panic!("refused for another reason: {other}"),
    }
}

fn started() -> Home {
    let home = Home::new();
    let store = home.create();
    change(&store, vec![put(Table::Ring, "a", None, "1")]).unwrap();
    drop(store);
    home
}

fn accepting(home: &Home) -> (SqliteStore, Opened) {
    SqliteStore::open(Options { accept_rollback: true, ..home.options() }).unwrap()
}

#[test]
fn yesterdays_database_does_not_start() {
    let home = started();
    home.copy("yesterday");
    let store = home.open();
    change(&store, vec![put(Table::Revocation, "eve", None, "1")]).unwrap();
    drop(store);
    home.restore("yesterday");
    assert!(matches!(head_error(&home), HeadError::RolledBack { head: 3, database: 2 }));

    let (store, opened) = accepting(&home);
    assert!(opened.rollback_accepted);
    let records = store.audit(1, 10).unwrap();
    let event = records.last().unwrap().event().unwrap();
    assert_eq!(
        (event.action.as_str(), event.detail["reason"].as_str()),
        ("AcceptRollback", "database at commit 2, head at 3")
    );
    let mark = store.read(Table::Setting, crate::ROLLBACK).unwrap().unwrap();
    assert_eq!((mark.sequence, mark.value.as_slice()), (1, b"database at commit 2, head at 3".as_slice()));
    drop(store);
    let (store, opened) = SqliteStore::open(home.options()).unwrap();
    assert!(!opened.rollback_accepted, "accepted once, not for ever");
    assert!(store.read(Table::Setting, crate::ROLLBACK).unwrap().is_some(), "until somebody heeds it");
    drop(store);
    std::fs::remove_file(home.head()).unwrap();
    let mark = accepting(&home).0.read(Table::Setting, crate::ROLLBACK).unwrap().unwrap();
    assert_eq!((mark.sequence, mark.value.as_slice()), (2, b"head missing".as_slice()), "once more, over the first");
}

#[test]
fn another_past_of_the_same_length_does_not_start() {
    let home = started();
    home.copy("fork");
    drop(change(&home.open(), vec![put(Table::Ring, "b", None, "1")]));
    let head = std::fs::read(home.head()).unwrap();
    home.restore("fork");
    std::fs::remove_file(home.head()).unwrap();
    let (store, _) = accepting(&home);
    for _ in 0..3 {
        record(&store, testing::event("eve")).unwrap();
    }
    drop(store);
    std::fs::write(home.head(), head).unwrap();
    assert!(matches!(head_error(&home), HeadError::Diverged { commit: 3 }));
}

#[test]
fn a_missing_cut_forged_or_foreign_head_does_not_start() {
    let home = started();
    let good = std::fs::read(home.head()).unwrap();
    std::fs::remove_file(home.head()).unwrap();
    assert!(matches!(head_error(&home), HeadError::Missing { .. }));
    std::fs::create_dir(home.head()).unwrap();
    assert!(matches!(head_error(&home), HeadError::Unreadable { .. }));
    std::fs::remove_dir(home.head()).unwrap();
    for bytes in [&good[..100], &[], &[&good[..], b"x"].concat(), b"head"] {
        std::fs::write(home.head(), bytes).unwrap();
        assert!(matches!(head_error(&home), HeadError::Malformed { .. }));
    }
    for at in [30, 50, 100, good.len() - 1] {
        let mut forged = good.clone();
        forged[at] ^= 1;
        std::fs::write(home.head(), forged).unwrap();
        assert!(matches!(head_error(&home), HeadError::BadSignature { .. }), "byte {at}");
    }
    let other = started();
    std::fs::copy(other.head(), home.head()).unwrap();
    assert!(matches!(head_error(&home), HeadError::Foreign { .. }));
    let accepting = Options { accept_rollback: true, ..home.options() };
    assert!(
        matches!(SqliteStore::open(accepting), Err(OpenError::Head(HeadError::Foreign { .. }))),
        "never written over"
    );
    std::fs::write(home.head(), good).unwrap();
    drop(home.open());
}

#[test]
fn a_lost_head_can_be_accepted_and_is_audited() {
    let home = started();
    std::fs::remove_file(home.head()).unwrap();
    let (store, opened) = accepting(&home);
    assert!(opened.rollback_accepted && home.head().exists());
    assert_eq!(store.audit(1, 10).unwrap().last().unwrap().event().unwrap().detail["reason"], "head missing");
}

#[test]
fn without_a_head_path_nothing_is_called_verified() {
    let mut home = Home::new();
    home.with_head = false;
    let store = home.create();
    record(&store, testing::event("ana")).unwrap();
    assert_eq!(store.verify().unwrap().status, Status::Consistent);
    assert_eq!((store.health().head_configured, store.health().head_age_millis), (false, 0));
    drop(store);
    assert_eq!(SqliteStore::open(home.options()).unwrap().1.status, Status::Consistent);
}

#[test]
fn what_was_destroyed_stays_destroyed_after_an_accepted_rollback() {
    let home = Home::new();
    let store = home.create();
    let keys = ["r/a", "r/ab"]
        .map(|key| [put(Table::Key, key, None, "k"), put(Table::Material, &format!("{key}#1"), None, "m")]);
    change(&store, keys.into_iter().flatten().collect()).unwrap();
    drop(store);
    home.copy("yesterday");
    let store = home.open();
    let gone = Change::Delete { table: Table::Material, id: "r/a#1".into(), expected: 1 };
    change(&store, vec![put(Table::Tombstone, "r/a", None, "destroyed"), put(Table::Key, "r/a", Some(1), "d"), gone])
        .unwrap();
    // The tombstone is outside before the answer: no close, no second, no tick has to pass.
    std::mem::forget(store);
    home.restore("yesterday");
    let (store, opened) = accepting(&home);
    assert_eq!(opened.honoured_tombstones, ["r/a"]);
    assert!(store.read(Table::Material, "r/a#1").unwrap().is_none(), "the material that came back is erased again");
    assert!(store.read(Table::Material, "r/ab#1").unwrap().is_some(), "another key's is not");
    assert_eq!(store.read(Table::Tombstone, "r/a").unwrap().unwrap().value.as_slice(), b"destroyed");
    change(&store, vec![Change::Delete { table: Table::Key, id: "r/a".into(), expected: 1 }]).unwrap();
    let again = change(&store, vec![put(Table::Key, "r/a", None, "x")]);
    assert!(matches!(again, Err(CommitError::Conflict { table: Table::Key, .. })));
}

#[test]
fn a_crash_between_a_tombstone_and_its_file_is_made_good() {
    let home = started();
    let (head, beside) = (home.head(), tombstone_path(&home.head()));
    let old = std::fs::read(&head).unwrap();
    change(&home.open(), vec![put(Table::Tombstone, "r/a", None, "1")]).unwrap();
    std::fs::write(&head, old).unwrap();
    std::fs::remove_file(&beside).unwrap();
    for _ in 0..2 {
        drop(home.open());
        assert!(beside.exists());
    }
}

#[test]
fn accepting_a_rollback_keeps_the_tombstones_until_it_is_durable() {
    let home = started();
    home.copy("yesterday");
    change(&home.open(), vec![put(Table::Tombstone, "r/a", None, "1")]).unwrap();
    home.restore("yesterday");
    let before = (std::fs::read(home.head()).unwrap(), std::fs::read(tombstone_path(&home.head())).unwrap());
    // The start up to, and without, the commit that accepts: what a crash just before it leaves.
    let options = Options { accept_rollback: true, ..home.options() };
    let (checked, _, accepted) = crate::sqlite::open::open(&options).unwrap();
    assert!(accepted.is_some());
    drop(SqliteStore::start(&options, checked).unwrap());
    let after = (std::fs::read(home.head()).unwrap(), std::fs::read(tombstone_path(&home.head())).unwrap());
    assert!(before == after);
    assert_eq!(accepting(&home).1.honoured_tombstones, ["r/a"]);
}

#[test]
fn tombstones_cannot_be_taken_away_or_replaced_by_older_ones() {
    let home = started();
    let store = home.open();
    change(&store, vec![put(Table::Tombstone, "r/a", None, "1")]).unwrap();
    let old = std::fs::read(tombstone_path(&home.head())).unwrap();
    change(&store, vec![put(Table::Tombstone, "r/b", None, "2")]).unwrap();
    drop(store);
    let good = std::fs::read(tombstone_path(&home.head())).unwrap();
    for bytes in [&old[..], &good[..good.len() - 1], &[], &[&good[..], b"x"].concat()] {
        std::fs::write(tombstone_path(&home.head()), bytes).unwrap();
        assert!(matches!(head_error(&home), HeadError::Tombstones { .. }));
    }
    std::fs::remove_file(tombstone_path(&home.head())).unwrap();
    assert!(matches!(head_error(&home), HeadError::Tombstones { .. }));
    std::fs::write(tombstone_path(&home.head()), good).unwrap();
    drop(home.open());
}

#[test]
fn a_head_that_cannot_be_written_for_a_minute_stops_changes_only() {
    let home = Home::new();
    let store = home.create();
    // A folder in the place of the file that is renamed: no write can succeed.
    std::fs::create_dir(home.folder.path().join("head.new")).unwrap();
    record(&store, testing::event("ana")).unwrap();
    home.clock.advance(59_000);
    change(&store, vec![put(Table::Ring, "a", None, "1")]).unwrap();
    home.clock.advance(2_000);
    assert_eq!(change(&store, vec![put(Table::Ring, "b", None, "1")]), Err(CommitError::HeadStale));
    record(&store, testing::event("ana")).unwrap();
    assert!(store.health().head_stale && store.health().head_age_millis > 60_000);
    std::fs::remove_dir(home.folder.path().join("head.new")).unwrap();
    assert!(store.keeper.flush());
    change(&store, vec![put(Table::Ring, "b", None, "1")]).unwrap();
}

#[test]
fn the_head_is_written_within_about_a_second() {
    let home = Home::new();
    let store = home.create();
    record(&store, testing::event("ana")).unwrap();
    let wanted = store.head().to_bytes();
    let written = (0..40).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::read(home.head()).unwrap() == wanted
    });
    assert!(written);
    std::fs::write(home.head(), b"junk").unwrap();
    assert!(matches!(store.verify(), Err(VerifyError::Head(HeadError::Malformed { .. }))));
}

#[test]
fn without_a_head_path_no_head_is_ever_late() {
    let home = Home { with_head: false, ..Home::new() };
    for _ in 0..2 {
        let store = if home.database().exists() { home.open() } else { home.create() };
        record(&store, testing::event("ana")).unwrap();
        home.clock.advance(120_000);
        let id = home.clock.now().millis().to_string();
        change(&store, vec![put(Table::Ring, &id, None, "1")]).unwrap();
        assert!(!store.health().head_stale);
    }
}
