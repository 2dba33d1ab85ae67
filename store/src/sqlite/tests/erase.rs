//! What is destroyed is gone from every file before anybody is told so: deleted or written over, with readers in the way,
//! through restarts and crashes.
//!
//! A log that is not cut, a page that is only marked as free and a copy in a journal have each kept deleted keys readable.

use super::*;

/// The sealed bytes of a material row as they lie in the file, somewhere in their middle.
fn needle(home: &Home, id: i64) -> Vec<u8> {
    let connection = Connection::open(home.database()).unwrap();
    let sql = "SELECT sealed FROM state WHERE kind = 3 ORDER BY length(sealed) LIMIT 1 OFFSET ?1";
    let sealed: Vec<u8> = connection.query_row(sql, [id], |row| row.get(0)).unwrap();
    sealed[40..80].to_vec()
}

/// In how many files of the store some bytes stand.
fn found(home: &Home, needle: &[u8]) -> usize {
    let files = std::fs::read_dir(home.data()).unwrap().chain(std::fs::read_dir(home.folder.path()).unwrap());
    let holds = |path: PathBuf| {
        path.is_file() && std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle)
    };
    files.filter(|entry| holds(entry.as_ref().unwrap().path())).count()
}

fn material(id: &str, expected: Option<u64>, bytes: usize) -> Change {
    put(Table::Material, id, expected, &"s".repeat(bytes))
}

fn gone(id: &str, expected: u64) -> Change {
    Change::Delete { table: Table::Material, id: id.into(), expected }
}

#[test]
fn one_of_many_goes_and_the_others_stay() {
    let home = Home::new();
    let store = home.create();
    // Lengths tell the rows apart; some lie on pages of their own.
    let lengths = [300, 1_000, 5_000, 20_000];
    for (at, length) in lengths.into_iter().enumerate() {
        change(&store, vec![material(&format!("r/k{at}#1"), None, length)]).unwrap();
    }
    let needles: Vec<Vec<u8>> = (0..4).map(|at| needle(&home, at)).collect();
    for at in 0..lengths.len() {
        change(&store, vec![gone(&format!("r/k{at}#1"), 1)]).unwrap();
        for (other, needle) in needles.iter().enumerate() {
            assert_eq!(found(&home, needle) > 0, other > at, "row {other} once {at} is gone");
        }
    }
    store.examine().unwrap();
}

#[test]
fn what_is_written_over_is_as_gone_as_what_is_deleted() {
    let home = Home::new();
    let store = home.create();
    change(&store, vec![material("r/k#1", None, 300)]).unwrap();
    let old = needle(&home, 0);
    change(&store, vec![material("r/k#1", Some(1), 300)]).unwrap();
    assert_eq!(found(&home, &old), 0);
    assert!(found(&home, &needle(&home, 0)) > 0, "the new one is there");
}

#[test]
fn a_reader_in_the_way_puts_the_erasure_off_and_not_the_answer_for_ever() {
    let home = Home::new();
    let store = home.create();
    change(&store, vec![material("r/k#1", None, 300)]).unwrap();
    let old = needle(&home, 0);
    // Somebody walks the rows and takes their time.
    let reader = Connection::open(home.database()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM state;").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM state", [], |row| row.get(0)).unwrap();
    change(&store, vec![gone("r/k#1", 1)]).unwrap();
    assert!(store.read(Table::Material, "r/k#1").unwrap().is_none(), "no longer given out, whatever the files hold");
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    // With the reader gone the next commit after a second brings it to its end.
    home.clock.advance(1_500);
    change(&store, vec![put(Table::Ring, "r", None, "1")]).unwrap();
    assert_eq!(found(&home, &old), 0);
}

#[test]
fn nothing_comes_back_with_a_crash_right_behind_the_answer() {
    let home = Home::new();
    let store = home.create();
    change(&store, vec![material("r/k#1", None, 300), put(Table::Key, "r/k", None, "k")]).unwrap();
    let old = needle(&home, 0);
    change(
        &store,
        vec![gone("r/k#1", 1), put(Table::Tombstone, "r/k", None, "t"), put(Table::Key, "r/k", Some(1), "d")],
    )
    .unwrap();
    // The files as they lie at this very moment.
    home.copy("crashed");
    drop(store);
    home.restore("crashed");
    assert_eq!(found(&home, &old), 0);
    let store = home.open();
    assert!(store.read(Table::Material, "r/k#1").unwrap().is_none());
    assert!(change(&store, vec![put(Table::Key, "r/k", None, "again")]).is_err());
}

#[test]
fn a_deletion_that_loses_its_race_erases_nothing() {
    let home = Home::new();
    let store = home.create();
    change(&store, vec![material("r/k#1", None, 300)]).unwrap();
    let there = needle(&home, 0);
    for changes in [
        vec![gone("r/k#1", 2)],
        vec![gone("r/k#1", 1), put(Table::Ring, "r", Some(9), "x")],
        vec![gone("r/other#1", 1)],
    ] {
        assert!(matches!(change(&store, changes), Err(CommitError::Conflict { .. })));
        assert!(found(&home, &there) > 0);
        assert!(store.read(Table::Material, "r/k#1").unwrap().is_some());
    }
}

#[test]
fn values_are_wiped_from_no_log_by_their_length_alone() {
    let home = Home::new();
    let store = home.create();
    // The log is cut by an erasure; what is put afterwards begins a new one.
    for round in 0..5 {
        change(&store, vec![material(&format!("r/k{round}#1"), None, 30_000)]).unwrap();
        assert!(store.health().wal_bytes > 30_000, "round {round}");
        change(&store, vec![gone(&format!("r/k{round}#1"), 1)]).unwrap();
        assert_eq!(store.health().wal_bytes, 0, "round {round}");
    }
}

#[test]
fn the_log_is_bounded_without_any_erasure() {
    let home = Home::new();
    let store = home.create();
    let mut longest = 0;
    for n in 0..400 {
        change(
            &store,
            vec![put(Table::Entity, &format!("e{}", n % 7), (n >= 7).then_some(n / 7), &"x".repeat(60_000))],
        )
        .unwrap();
        longest = longest.max(store.health().wal_bytes);
    }
    // Some thousand pages call for a checkpoint, after which the log begins anew.
    assert!(longest < 16 << 20, "{longest} bytes");
}
