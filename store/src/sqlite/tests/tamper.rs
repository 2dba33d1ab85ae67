//! Somebody edits the database of a stopped server. Every edit is noticed at the next start, or by `verify`.

use super::*;

/// A stopped store with rows in every table.
fn filled() -> Home {
    let home = Home::new();
    let store = home.create();
    fill(&store);
    drop(store);
    home
}

fn noticed(error: &OpenError) -> bool {
    matches!(
        error,
        OpenError::Tampered { .. }
            | OpenError::StateDigest
            | OpenError::NewestBatch
            | OpenError::Meta { .. }
            | OpenError::Corrupt { .. }
    )
}

#[test]
fn two_sealed_rows_swapped_between_ids() {
    for kind in [1, 3, 6, 8] {
        let home = filled();
        home.edit(&format!(
            "CREATE TEMP TABLE t AS SELECT tag, sequence, sealed FROM state WHERE kind = {kind}; \
             UPDATE state SET sealed = (SELECT sealed FROM t WHERE t.tag <> state.tag AND t.sequence = \
             (SELECT max(sequence) FROM t u WHERE u.tag = t.tag)) WHERE kind = {kind} AND sequence = \
             (SELECT max(sequence) FROM t v WHERE v.tag = state.tag);"
        ));
        assert!(matches!(home.refusal(), OpenError::Tampered { .. }), "table {kind}");
    }
}

#[test]
fn a_row_moved_to_another_table() {
    let home = filled();
    home.edit("UPDATE state SET kind = 14 WHERE kind = 8 AND sequence = 1");
    assert!(noticed(&home.refusal()));
    let home = filled();
    home.edit("UPDATE state SET kind = 99 WHERE kind = 8");
    assert!(matches!(home.refusal(), OpenError::Corrupt { .. }));
}

#[test]
fn an_old_role_bundle_revocation_or_key_put_back() {
    for table in [Table::Role, Table::Bundle, Table::Revocation, Table::Key, Table::Uses, Table::Token, Table::Material]
    {
        let home = Home::new();
        let store = home.create();
        change(&store, vec![put(table, "a", None, "old")]).unwrap();
        drop(store);
        home.copy("old");
        let store = home.open();
        change(&store, vec![put(table, "a", Some(1), "new")]).unwrap();
        drop(store);
        let old = home.folder.path().join("old/state.db");
        home.edit(&format!(
            "ATTACH '{}' AS old; DELETE FROM main.state; INSERT INTO main.state SELECT * FROM old.state;",
            old.display()
        ));
        assert!(matches!(home.refusal(), OpenError::StateDigest), "{table}");
    }
}

#[test]
fn the_newest_rows_of_a_history_cut() {
    for table in [Table::Key, Table::ControlSet, Table::Bundle, Table::Role, Table::Ring] {
        let home = filled();
        home.edit(&format!("DELETE FROM state WHERE kind = {} AND sequence = 2", table.number()));
        assert!(matches!(home.refusal(), OpenError::StateDigest), "{table}");
        let home = filled();
        home.edit(&format!(
            "DELETE FROM state WHERE kind = {} AND sequence = 1 AND tag IN (SELECT tag FROM state WHERE sequence = 2)",
            table.number()
        ));
        assert!(matches!(home.refusal(), OpenError::Tampered { .. }), "{table}: the oldest row cut");
    }
}

#[test]
fn a_whole_id_removed_or_a_table_emptied() {
    for table in Table::ALL.iter().filter(|table| table.digested()) {
        let home = filled();
        home.edit(&format!("DELETE FROM state WHERE kind = {}", table.number()));
        assert!(matches!(home.refusal(), OpenError::StateDigest), "{table}");
    }
}

#[test]
fn a_flipped_bit_in_every_table_is_named() {
    for table in Table::ALL {
        let home = filled();
        let connection = Connection::open(home.database()).unwrap();
        let sql = "SELECT sealed FROM state WHERE kind = ?1 LIMIT 1";
        let sealed: Vec<u8> = connection.query_row(sql, [table.number()], |row| row.get(0)).unwrap();
        let mut forged = sealed.clone();
        forged[33] ^= 1;
        let sql = "UPDATE state SET sealed = ?1 WHERE sealed = ?2";
        assert_eq!(connection.execute(sql, (&forged, &sealed)).unwrap(), 1);
        drop(connection);
        if table.digested() {
            let error = home.refusal();
            assert!(matches!(error, OpenError::Tampered { table: named, .. } if named == *table), "{table}: {error}");
        } else {
            // Not digested: it starts, and the row itself is refused.
            let store = home.open();
            let mut seen = 0;
            assert!(matches!(store.scan(*table, &mut |_| seen += 1), Err(ReadError::Tampered { .. })));
        }
    }
}

#[test]
fn the_previous_hash_and_the_sequence_are_bound_too() {
    for sql in [
        "UPDATE state SET previous = zeroblob(32) WHERE kind = 2 AND sequence = 2",
        "UPDATE state SET sequence = 3 WHERE kind = 2 AND sequence = 2",
        "UPDATE state SET sequence = 9 WHERE kind = 8 AND sequence = 2",
    ] {
        let home = filled();
        home.edit(sql);
        assert!(matches!(home.refusal(), OpenError::Tampered { .. }), "{sql}");
    }
}

#[test]
fn the_stores_own_rows() {
    for name in ["store", "root", "generation", "keys"] {
        let home = filled();
        home.edit(&format!("DELETE FROM meta WHERE name = '{name}'"));
        assert!(matches!(home.refusal(), OpenError::Meta { .. }), "{name} deleted");
        let home = filled();
        home.edit(&format!("UPDATE meta SET value = zeroblob(length(value)) WHERE name = '{name}'"));
        assert!(matches!(home.refusal(), OpenError::Meta { .. } | OpenError::WrongRootKey), "{name} zeroed");
    }
}

#[test]
fn triggers_and_foreign_tables_are_refused() {
    for sql in [
        "CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM audit; END",
        "CREATE TABLE extra (x)",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE audit",
    ] {
        let home = filled();
        home.edit(sql);
        assert!(matches!(home.refusal(), OpenError::Corrupt { .. }), "{sql}");
    }
}

#[test]
fn an_audit_batch_deleted_reordered_or_edited() {
    for (sql, first) in [
        ("DELETE FROM audit WHERE number = 4", 3),
        ("UPDATE audit SET sealed = (SELECT sealed FROM audit a WHERE a.number = 5) WHERE number = 4", 3),
        ("UPDATE audit SET first = first + 1 WHERE number = 4", 3),
        ("UPDATE audit SET count = 0 WHERE number = 6", 5),
        ("UPDATE audit SET sealed = zeroblob(length(sealed)) WHERE number = 2", 1),
        (
            "UPDATE audit SET number = 0 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 4; UPDATE audit SET number = 4 WHERE number = 0",
            2,
        ),
        ("DELETE FROM audit WHERE number < 4", 1),
    ] {
        let home = filled();
        home.edit(sql);
        let store = home.open();
        assert!(
            matches!(store.verify(), Err(VerifyError::Record { record }) if record == first),
            "{sql}: {:?}",
            store.verify()
        );
    }
    let home = filled();
    home.edit("DELETE FROM audit WHERE number = 4");
    let store = home.open();
    assert!(matches!(store.audit(1, 100), Err(ReadError::Audit { record: 3 })));
}

#[test]
fn the_newest_batch_cut_or_edited() {
    for sql in
        ["DELETE FROM audit", "UPDATE audit SET sealed = zeroblob(200) WHERE number = (SELECT max(number) FROM audit)"]
    {
        let home = filled();
        home.edit(sql);
        assert!(matches!(home.refusal(), OpenError::NewestBatch), "{sql}");
    }
    // Cut with the states of its commit, the rest is whole in itself: the head outside tells.
    let home = Home::new();
    let store = home.create();
    record(&store, testing::event("ana")).unwrap();
    record(&store, testing::denial("eve")).unwrap();
    drop(store);
    home.edit("DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)");
    let error = home.refusal();
    assert!(matches!(error, OpenError::Head(crate::error::HeadError::RolledBack { head: 3, database: 2 })), "{error}");
}

#[test]
fn rows_edited_while_it_runs_are_refused_when_read() {
    let home = Home::new();
    let store = home.create();
    change(&store, vec![put(Table::Key, "r/a", None, "1"), put(Table::Key, "r/b", None, "2")]).unwrap();
    change(&store, vec![put(Table::Key, "r/a", Some(1), "3")]).unwrap();
    home.edit("UPDATE state SET previous = zeroblob(32) WHERE sequence = 2");
    assert!(matches!(store.history(Table::Key, "r/a"), Err(ReadError::History { sequence: 2, .. })));
    assert!(matches!(store.read(Table::Key, "r/a"), Err(ReadError::Tampered { table: Table::Key, .. })));
    assert!(matches!(store.examine(), Err(ReadError::Tampered { .. })));
}

#[test]
fn a_file_that_is_no_database() {
    let home = filled();
    std::fs::write(home.database(), vec![7; 8192]).unwrap();
    let _ = std::fs::remove_file(home.data().join("state.db-wal"));
    assert!(matches!(home.refusal(), OpenError::Corrupt { .. }));
}

#[test]
fn damaged_pages_of_the_key_tables() {
    let home = filled();
    let mut bytes = std::fs::read(home.database()).unwrap();
    let pages = bytes.len() / 4096;
    let mut refused = 0;
    for page in 1..pages {
        let was = bytes[page * 4096 + 100];
        bytes[page * 4096 + 3] ^= 0x40;
        std::fs::write(home.database(), &bytes).unwrap();
        match SqliteStore::open(home.options()) {
            Err(_) => refused += 1,
            // A page of older audit batches: the log says so when it is walked.
            Ok((store, _)) => assert!(store.verify().is_err() || store.examine().is_err(), "page {page}"),
        }
        bytes[page * 4096 + 3] ^= 0x40;
        assert_eq!(bytes[page * 4096 + 100], was);
    }
    assert!(refused > 0);
}
