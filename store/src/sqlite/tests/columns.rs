//! Somebody writes any value into any column of any table, and puts any of the store's files in the place of any other.

use proptest::prelude::*;

use super::*;

fn filled() -> Home {
    let home = Home::new();
    let store = home.create();
    fill(&store);
    drop(store);
    home
}

/// Whether the edit was noticed by the start, by the walk over the log or by the check of everything.
fn noticed(home: &Home) -> bool {
    match SqliteStore::open(home.options()) {
        Err(_) => true,
        Ok((store, _)) => store.verify().is_err() | store.examine().is_err(),
    }
}

#[test]
fn every_column_of_every_row() {
    let edits = [
        ("state", "kind", ["kind + 1", "0", "-1", "300", "9223372036854775807"]),
        ("state", "tag", ["zeroblob(32)", "zeroblob(31)", "zeroblob(33)", "x''", "zeroblob(length(tag) + 1)"]),
        ("state", "sequence", ["sequence + 7", "0", "-1", "9223372036854775807", "sequence + 4294967296"]),
        ("state", "previous", ["randomblob(32)", "zeroblob(31)", "x''", "randomblob(33)", "x'00'"]),
        ("state", "sealed", ["zeroblob(0)", "zeroblob(10)", "zeroblob(45)", "sealed || x'00'", "substr(sealed, 2)"]),
        ("audit", "number", ["number + 1000000", "0", "-5", "9223372036854775807", "number + 4294967296"]),
        ("audit", "first", ["first + 1", "0", "-1", "9223372036854775807", "first - 1"]),
        ("audit", "count", ["count + 1", "-1", "9223372036854775807", "count + 4294967296", "count - 1"]),
        ("audit", "sealed", ["zeroblob(0)", "zeroblob(45)", "sealed || x'00'", "substr(sealed, 2)", "randomblob(400)"]),
        ("meta", "value", ["zeroblob(0)", "zeroblob(length(value))", "value || x'00'", "substr(value, 2)", "x'ff'"]),
    ];
    let home = filled();
    home.copy("clean");
    for (table, column, values) in edits {
        let count: i64 = Connection::open(home.database())
            .unwrap()
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap();
        // The first, one in the middle and the last, whatever their key.
        for at in [0, count / 2, count - 1] {
            for value in values {
                home.edit(&format!(
                    "CREATE TEMP TABLE pick AS SELECT * FROM {table} LIMIT 1 OFFSET {at}; \
                     UPDATE OR REPLACE {table} SET {column} = {value} WHERE ({column}) IN (SELECT {column} FROM pick) \
                     AND {key} IN (SELECT {key} FROM pick);",
                    key = match table {
                        "state" => "tag || sequence || kind",
                        "audit" => "number",
                        _ => "name",
                    }
                ));
                assert!(noticed(&home), "{table}.{column} = {value} in row {at}");
                home.restore("clean");
            }
        }
    }
    assert!(!noticed(&home), "the clean copy is clean");
}

#[test]
fn a_text_or_a_number_where_bytes_stand() {
    let home = filled();
    home.copy("clean");
    for sql in [
        "UPDATE state SET sealed = 'text' WHERE kind = 2",
        "UPDATE state SET tag = 'text' WHERE kind = 2 AND sequence = 2",
        "UPDATE state SET previous = 7 WHERE kind = 2 AND sequence = 2",
        "UPDATE state SET kind = 'ring' WHERE kind = 1 AND sequence = 2",
        "UPDATE state SET sequence = 'one' WHERE kind = 2 AND sequence = 2",
        "UPDATE meta SET value = 'text' WHERE name = 'store'",
        "UPDATE meta SET value = 1 WHERE name = 'generation'",
        "UPDATE audit SET sealed = 'text' WHERE number = 2",
        "UPDATE audit SET first = 'one' WHERE number = 3",
    ] {
        home.edit(sql);
        assert!(noticed(&home), "{sql}");
        home.restore("clean");
    }
}

#[test]
fn files_in_each_others_place() {
    let home = filled();
    home.copy("clean");
    let outside = |name: &str| home.folder.path().join(name);
    std::fs::copy(home.head(), outside("head.clean")).unwrap();
    let tombs = crate::sqlite::headfile::tombstone_path(&home.head());
    std::fs::copy(&tombs, outside("tombs.clean")).unwrap();
    let swaps = [
        (home.database(), home.head()),
        (home.head(), home.database()),
        (home.head(), tombs.clone()),
        (tombs.clone(), home.head()),
    ];
    for (from, to) in swaps {
        let bytes = std::fs::read(&from).unwrap();
        std::fs::write(&to, bytes).unwrap();
        assert!(SqliteStore::open(home.options()).is_err(), "{} over {}", from.display(), to.display());
        home.restore("clean");
        std::fs::copy(outside("head.clean"), home.head()).unwrap();
        std::fs::copy(outside("tombs.clean"), &tombs).unwrap();
    }
    assert!(!noticed(&home));
}

#[test]
fn a_database_cut_at_any_page() {
    let home = filled();
    let whole = std::fs::read(home.database()).unwrap();
    let pages = whole.len() / 4096;
    for keep in 0..pages {
        std::fs::write(home.database(), &whole[..keep * 4096]).unwrap();
        assert!(noticed(&home), "{keep} of {pages} pages");
    }
    std::fs::write(home.database(), &whole).unwrap();
    assert!(!noticed(&home));
}

#[test]
fn a_log_of_another_store_beside_the_database() {
    let (home, other) = (filled(), Home::new());
    let stranger = other.create();
    fill(&stranger);
    // Taken while it runs, so that it holds commits that are not yet in its database.
    std::fs::copy(other.data().join("state.db-wal"), home.data().join("state.db-wal")).unwrap();
    assert!(SqliteStore::open(home.options()).is_err());
    drop(stranger);
}

#[test]
fn another_root_key_opens_nothing_and_changes_nothing() {
    let mut home = filled();
    let before = std::fs::read(home.database()).unwrap();
    for root in [0, 2, 255] {
        home.root = root;
        assert!(matches!(home.refusal(), OpenError::WrongRootKey), "{root}");
    }
    home.root = 1;
    assert_eq!(std::fs::read(home.database()).unwrap(), before);
    assert!(!noticed(&home));
}

#[test]
fn the_check_value_of_another_root_key_does_not_make_it_the_right_one() {
    let (home, mut other) = (filled(), Home::new());
    other.root = 2;
    drop(other.create());
    // Whoever knows another store's root key brings its own check value along; the sealed keys tell.
    let stranger = other.database();
    home.edit(&format!(
        "ATTACH '{}' AS other; UPDATE meta SET value = (SELECT value FROM other.meta o WHERE o.name = meta.name) \
         WHERE name IN ('root', 'store');",
        stranger.display()
    ));
    let home = Home { root: 2, ..home };
    assert!(matches!(home.refusal(), OpenError::Meta { name: "keys" }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Any byte of the file as it lies there, the engine's own structures among them.
    #[test]
    fn a_flipped_bit_of_the_file_changes_nothing_in_silence(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let home = filled();
        // Idempotency rows come and go, and no digest covers them.
        let tables = || Table::ALL.iter().filter(|table| table.digested());
        let store = home.open();
        let want: Vec<_> = tables().map(|table| shape(&store, *table)).collect();
        drop(store);
        let mut bytes = std::fs::read(home.database()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(home.database(), &bytes).unwrap();
        if let Ok((store, _)) = SqliteStore::open(home.options()) {
            // Free pages, change counters and the like: whatever is read is what was written, or an error.
            for (table, wanted) in tables().zip(&want) {
                let mut rows = Vec::new();
                if store.scan(*table, &mut |row| rows.push((row.id, row.sequence, row.value.to_vec()))).is_ok() {
                    rows.sort();
                    prop_assert_eq!(&rows, wanted, "byte {}", at);
                }
            }
        }
    }
}

fn shape(store: &SqliteStore, table: Table) -> Vec<(String, u64, Vec<u8>)> {
    let mut rows = Vec::new();
    store.scan(table, &mut |row| rows.push((row.id, row.sequence, row.value.to_vec()))).unwrap();
    rows.sort();
    rows
}
