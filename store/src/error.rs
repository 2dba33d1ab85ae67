//! What can go wrong: one enum per operation group.

use std::path::PathBuf;

use crate::{RecordError, Table};

/// Why a work was not made durable. Nothing of it was applied or recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another change came first, or the id exists already, or it is a destroyed key's.
    #[error("the {table} `{id}` is not as expected: read it again")]
    Conflict {
        /// Where.
        table: Table,
        /// Which id.
        id: String,
    },
    /// The disk is full: changes are refused, events are still taken from the reserve.
    #[error("the disk is full: free space on it, changes resume by themselves")]
    Full,
    /// The disk is full and what the reserve keeps for such a record is used up.
    #[error("the disk is full and the audit reserve is spent: free space on it, the store resumes by itself")]
    ReserveSpent,
    /// The head file could not be written for a minute: changes are refused until it can.
    #[error("the audit head could not be written for a minute: check the head path, changes resume by themselves")]
    HeadStale,
    /// More works wait for the disk than may: it is slow, or hangs.
    #[error("too many works wait for the disk: try again shortly, and see to the disk if it stays so")]
    Busy,
    /// The file of destroyed keys outside the database is as long as it may be.
    #[error(
        "the tombstones of destroyed keys fill their file of 64 MiB, so no further key can be destroyed: leave it \
         deactivated, and found another store for new keys"
    )]
    TombstonesFull,
    /// The store is closed or closing.
    #[error("the store is closed")]
    Closed,
    /// A write or fsync failed, and the store takes nothing more in this process; or the work is longer than
    /// [`crate::MAX_ID`] or [`crate::MAX_VALUE`] allow; or the random generator failed.
    #[error("the store failed: see the log, and restart once the cause is gone")]
    Failed,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The engine failed.
    #[error("the state database could not be read: {0}")]
    Engine(#[from] rusqlite::Error),
    /// A row does not open: it was changed, moved or made by somebody else.
    #[error("a row of table `{table}` was tampered with (row tag `{tag}`): restore a backup")]
    Tampered {
        /// Where.
        table: Table,
        /// The first bytes of the blinded id, in hexadecimal; the name itself is not known.
        tag: String,
    },
    /// The rows of an id do not follow each other.
    #[error("the history of {table} `{id}` is broken at sequence {sequence}: restore a backup")]
    History {
        /// Where.
        table: Table,
        /// Which id.
        id: String,
        /// The first sequence that does not follow.
        sequence: u64,
    },
    /// An audit batch does not open or is not what its number says.
    #[error("the audit log is damaged from record {record} on: restore a backup")]
    Audit {
        /// The first record that cannot be read.
        record: u64,
    },
    /// The database's own structure is damaged.
    #[error("the state database is damaged ({finding}): restore a backup")]
    Corrupt {
        /// The first finding of the engine's check.
        finding: String,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// What a verification of the audit log found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A record was changed, removed or moved.
    #[error("audit record {record} is the first that does not hold: it was changed, removed or moved")]
    Record {
        /// The first bad record, counted from 1.
        record: u64,
    },
    /// A record hashes well and yet is no record of a known version.
    #[error("audit record {record} cannot be understood")]
    Malformed {
        /// Which record.
        record: u64,
        /// Why.
        #[source]
        source: RecordError,
    },
    /// The log ends before its newest head says.
    #[error("the audit log ends at record {found}, its head says {expected}: it was cut")]
    Cut {
        /// Where it ends.
        found: u64,
        /// Where it should.
        expected: u64,
    },
    /// The newest head's signature is wrong.
    #[error("the newest audit head is badly signed")]
    Signature,
    /// The head file is missing, or says something else.
    #[error("the head file does not fit the log")]
    Head(#[source] HeadError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// What is wrong with the head file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// It is not there.
    #[error("the head file `{path}` is missing")]
    Missing {
        /// The configured path.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("the head file `{path}` cannot be read")]
    Unreadable {
        /// The configured path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no head of a known version.
    #[error("the head file `{path}` is not a head")]
    Malformed {
        /// The configured path.
        path: PathBuf,
    },
    /// Its signature is not this store's.
    #[error("the head file `{path}` is badly signed")]
    BadSignature {
        /// The configured path.
        path: PathBuf,
    },
    /// It is another store's.
    #[error("the head file `{path}` is that of another store")]
    Foreign {
        /// The configured path.
        path: PathBuf,
    },
    /// The tombstones beside it are missing, older than the head, or badly signed.
    #[error("the tombstone file `{path}` is missing, changed or too old")]
    Tombstones {
        /// The path, beside the head's.
        path: PathBuf,
    },
    /// The database is older than the head.
    #[error("the database ends at commit {database}, the head file knows commit {head}: it was put back")]
    RolledBack {
        /// The head's commit.
        head: u64,
        /// The database's.
        database: u64,
    },
    /// The database has another past than the head.
    #[error("commit {commit} of the database is not the one the head file knows: its history was replaced")]
    Diverged {
        /// The commit the head file knows.
        commit: u64,
    },
}

/// Why a store was not made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no store in the folder.
    #[error("`{folder}` holds no store: run `wardkeep server init` first")]
    NotInitialised {
        /// The data folder.
        folder: PathBuf,
    },
    /// There is a store already.
    #[error("`{folder}` holds a store already: choose another data folder")]
    AlreadyInitialised {
        /// The data folder.
        folder: PathBuf,
    },
    /// A head file stands where the new store's is to be.
    #[error("`{path}` exists already, perhaps as another store's head: choose another head path")]
    HeadExists {
        /// The configured path.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("the store in `{folder}` is in use by another process: stop it first")]
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// The root key is not the one it was sealed under.
    #[error("the root key does not open this store: configure the key that it was made with")]
    WrongRootKey,
    /// A newer Wardkeep wrote it.
    #[error("the store has format {found}, this version knows up to {known}: use a newer version")]
    NewerFormat {
        /// What the file says.
        found: u32,
        /// What this version reads.
        known: u32,
    },
    /// A row was changed, moved or made by somebody else.
    #[error("a row of table `{table}` was tampered with (row tag `{tag}`): restore a backup")]
    Tampered {
        /// Where.
        table: Table,
        /// The first bytes of the blinded id, in hexadecimal.
        tag: String,
    },
    /// Every row opens, and yet they are not the newest rows: an old one was put back, or one is gone.
    #[error(
        "the rows of the state database are not those of its newest commit: old rows were put back or rows removed"
    )]
    StateDigest,
    /// One of the few rows that hold the store's own keys and numbers is gone or changed.
    #[error("the store's own row `{name}` is missing or changed: restore a backup")]
    Meta {
        /// Which row.
        name: &'static str,
    },
    /// The newest audit batch is damaged.
    #[error("the newest audit batch is missing or changed: restore a backup")]
    NewestBatch,
    /// The engine keeps no write-ahead log for the file.
    #[error(
        "the state database stays in journal mode `{mode}`: put the data folder on a local disk that can hold a write-ahead log"
    )]
    NotWal {
        /// The mode that it stays in.
        mode: String,
    },
    /// The head file does not let it start.
    #[error("{0}; if that is intended start once with `--accept-rollback`, where that applies")]
    Head(#[from] HeadError),
    /// The engine's quick check found damage.
    #[error("the state database is damaged ({finding}): restore a backup")]
    Corrupt {
        /// The first finding.
        finding: String,
    },
    /// The engine failed.
    #[error("the state database could not be opened: {0}")]
    Engine(#[from] rusqlite::Error),
    /// A file could not be made or read.
    #[error("`{path}` cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The random generator failed.
    #[error(transparent)]
    Entropy(#[from] wardkeep_model::EntropyError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The first commit failed.
    #[error("the first commit failed")]
    Commit(#[from] CommitError),
    /// A cryptographic primitive refused its input.
    #[error("the store's signing key could not be made")]
    SigningKey,
}

#[cfg(test)]
mod tests;
