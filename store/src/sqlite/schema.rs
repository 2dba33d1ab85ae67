//! The database file: its tables, and how every connection to it is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::{OpenError, ReadError};

/// The format of the file, in `PRAGMA user_version`.
pub(crate) const FORMAT: u32 = 1;
/// How long a statement waits for another connection's lock. Ours never wait for each other to write: this is
/// for tools that somebody points at the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a truncating checkpoint waits for readers, with every commit behind it.
const TRUNCATE_PATIENCE: Duration = Duration::from_millis(250);
/// `WKST`, in `PRAGMA application_id`.
const APPLICATION_ID: i64 = 0x574b_5354;
/// Statements a connection keeps prepared.
const STATEMENTS: usize = 24;

/// Name and exact text of every table. Anything else in the file is refused: a trigger could undo what a
/// commit does.
const TABLES: [(&str, &str); 3] = [
    (
        "audit",
        "CREATE TABLE audit (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, count INTEGER NOT NULL, sealed BLOB NOT NULL)",
    ),
    ("meta", "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"),
    (
        "state",
        "CREATE TABLE state (kind INTEGER NOT NULL, tag BLOB NOT NULL, sequence INTEGER NOT NULL, previous BLOB NOT NULL, \
         sealed BLOB NOT NULL, PRIMARY KEY (kind, tag, sequence)) WITHOUT ROWID",
    ),
];

/// Opens a connection with the settings that every one of them needs.
pub(crate) fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // After a failed fsync nothing may be written again, not even by closing.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Checkpoints are the writer's, in the open: the engine's own swallow a failed fsync and try the same
    // pages again, after which the kernel calls them clean.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 0; \
         PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;",
    )?;
    Ok(connection)
}

/// Puts the file in WAL mode. The engine does not fail where it cannot (a file system without shared memory is one
/// reason): it answers with the mode that it kept, and every promise about durability rests on the one asked for.
pub(crate) fn enter_wal(connection: &Connection) -> Result<(), OpenError> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(OpenError::NotWal { mode }) }
}

/// Makes the tables, inside the transaction of the first commit.
pub(crate) fn create(connection: &Connection) -> Result<(), rusqlite::Error> {
    for (_, sql) in TABLES {
        connection.execute_batch(sql)?;
    }
    connection.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"))
}

/// Whether the file is a store's at all: its creation may have been cut short.
pub(crate) fn is_store(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID)
}

/// Refuses newer formats, and files whose tables are not exactly ours.
pub(crate) fn check_format(connection: &Connection) -> Result<(), OpenError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > FORMAT {
        return Err(OpenError::NewerFormat { found, known: FORMAT });
    }
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut expected = TABLES.iter();
    loop {
        match (rows.next()?, expected.next()) {
            (None, None) => return Ok(()),
            (Some(row), Some((name, sql)))
                if row.get_ref(0)?.as_str() == Ok(name) && row.get_ref(1)?.as_str() == Ok(sql) => {}
            _ => return Err(OpenError::Corrupt { finding: "its tables are not those of a store".into() }),
        }
    }
}

/// The quick check of the tables that keys and states live in.
pub(crate) fn quick_check(connection: &Connection) -> Result<(), OpenError> {
    for table in ["state", "meta"] {
        let finding: String = connection.query_row(&format!("PRAGMA quick_check({table})"), [], |row| row.get(0))?;
        if finding != "ok" {
            return Err(OpenError::Corrupt { finding });
        }
    }
    Ok(())
}

/// The engine's full check of the whole file: slow, for the background.
pub(crate) fn integrity_check(connection: &Connection) -> Result<(), ReadError> {
    let finding: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if finding == "ok" { Ok(()) } else { Err(ReadError::Corrupt { finding }) }
}

/// How a checkpoint is to go about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// As far as readers allow.
    Passive,
    /// All of it, and cut the log to nothing: what was deleted is then in no file of ours.
    Truncate,
}

/// Moves the write-ahead log into the database; `false` where a reader stood in the way.
pub(crate) fn checkpoint(connection: &Connection, how: Checkpoint) -> Result<bool, rusqlite::Error> {
    let sql = match how {
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    if how == Checkpoint::Truncate {
        connection.busy_timeout(TRUNCATE_PATIENCE)?;
    }
    let busy = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(PATIENCE)?;
    Ok(busy? == 0)
}

/// SQLite's integers are signed. Our numbers start at 1 and never get near the end.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The way back. A negative number is nobody's.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
