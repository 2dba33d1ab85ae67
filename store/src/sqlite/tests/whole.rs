//! The check of everything on disk, which runs after the start: what a quick start lets pass must not pass here, and must
//! not stay a line in a log that nobody reads.

use super::*;
use crate::Examination;

fn filled() -> Home {
    let home = Home::new();
    let store = home.create();
    fill(&store);
    drop(store);
    home
}

fn examined(home: &Home) -> (Result<(), ReadError>, Examination) {
    let store = home.open();
    assert_eq!(store.health().examination, Examination::Pending, "nothing is claimed before it was looked at");
    let found = store.examine();
    (found, store.health().examination)
}

#[test]
fn a_whole_store_is_sound() {
    let (found, state) = examined(&filled());
    found.unwrap();
    assert_eq!(state, Examination::Sound);
    let empty = Home::new();
    drop(empty.create());
    assert_eq!(examined(&empty).1, Examination::Sound);
}

#[test]
fn an_older_audit_batch_that_the_start_does_not_look_at() {
    for (sql, first) in [
        ("DELETE FROM audit WHERE number = 4", 3),
        ("UPDATE audit SET sealed = (SELECT sealed FROM audit a WHERE a.number = 5) WHERE number = 4", 3),
        ("UPDATE audit SET first = first + 1 WHERE number = 4", 3),
        ("UPDATE audit SET count = 0 WHERE number = 6", 5),
        ("UPDATE audit SET sealed = zeroblob(length(sealed)) WHERE number = 2", 1),
        ("UPDATE audit SET sealed = zeroblob(0) WHERE number = 7", 6),
        ("DELETE FROM audit WHERE number < 4", 1),
        ("INSERT INTO audit SELECT -1, first, count, sealed FROM audit WHERE number = 2", 1),
    ] {
        let home = filled();
        home.edit(sql);
        let (found, state) = examined(&home);
        assert!(matches!(found, Err(ReadError::Audit { record }) if record == first), "{sql}: {found:?}");
        assert_eq!(state, Examination::Damaged, "{sql}");
    }
}

#[test]
fn a_row_that_no_digest_covers() {
    let home = filled();
    home.edit("UPDATE state SET sealed = zeroblob(length(sealed)) WHERE kind = 15 AND sequence = 1");
    let (found, state) = examined(&home);
    assert!(matches!(found, Err(ReadError::Tampered { table: Table::Idempotency, .. })), "{found:?}");
    assert_eq!(state, Examination::Damaged);
}

#[test]
fn rows_that_are_edited_while_it_runs() {
    let home = filled();
    let store = home.open();
    store.examine().unwrap();
    assert_eq!(store.health().examination, Examination::Sound);
    home.edit("DELETE FROM state WHERE kind = 11");
    assert!(matches!(store.examine(), Err(ReadError::Corrupt { .. })));
    assert_eq!(store.health().examination, Examination::Damaged, "the newest look counts");
}

#[test]
fn a_cut_log_of_a_running_store() {
    let home = filled();
    let store = home.open();
    home.edit("DELETE FROM audit");
    assert!(matches!(store.examine(), Err(ReadError::Audit { record: 1 })));
    assert_eq!(store.health().examination, Examination::Damaged);
}

#[test]
fn it_takes_commits_while_it_looks() {
    let home = filled();
    let store = Arc::new(home.open());
    let writer = {
        let store = store.clone();
        std::thread::spawn(move || {
            for n in 0..100 {
                change(&*store, vec![put(Table::Entity, &format!("during-{n}"), None, "x")]).unwrap();
            }
        })
    };
    while !writer.is_finished() {
        store.examine().unwrap();
    }
    writer.join().unwrap();
    store.examine().unwrap();
    assert_eq!(store.health().examination, Examination::Sound);
}

#[test]
fn an_engine_that_keeps_no_write_ahead_log_is_refused() {
    let memory = Connection::open_in_memory().unwrap();
    let refused = crate::sqlite::schema::enter_wal(&memory).unwrap_err();
    assert!(matches!(&refused, OpenError::NotWal { mode } if mode == "memory"), "{refused}");
    // A file system without shared memory, as the engine sees it through a layer that offers none.
    let folder = tempfile::tempdir().unwrap();
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_CREATE;
    let file = folder.path().join("state.db");
    let bare = Connection::open_with_flags_and_vfs(&file, flags, c"unix-none").unwrap();
    bare.execute_batch("CREATE TABLE t (x)").unwrap();
    let refused = crate::sqlite::schema::enter_wal(&bare).unwrap_err();
    assert!(matches!(&refused, OpenError::NotWal { mode } if mode == "delete"), "{refused}");
    assert!(refused.to_string().contains("`delete`") && refused.to_string().contains("local disk"), "{refused}");
    drop(bare);
    crate::sqlite::schema::enter_wal(&Connection::open(&file).unwrap()).unwrap();
}

#[test]
fn a_database_that_was_taken_out_of_its_log_mode_is_put_back_into_it() {
    let home = filled();
    home.edit("PRAGMA journal_mode = DELETE");
    let store = home.open();
    let mode: String =
        Connection::open(home.database()).unwrap().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    change(&store, vec![put(Table::Ring, "after", None, "1")]).unwrap();
}
