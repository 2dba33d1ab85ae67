//! Durable state and the audit log behind one port.
//!
//! Work and the record of it become durable in **one** commit, so that there is never a key without the
//! record of its making, nor an answer whose record a crash could take back (invariant 9 of the design).
//!
//! | file | holds |
//! |---|---|
//! | [`table`] | the kinds of rows, and which of them keep their history |
//! | [`commit`] | the group commit: many waiting works, one transaction, one fsync |
//! | [`sealing`] | every row sealed under keys derived from a root key that is never stored here |
//! | [`audit`] | the record line, the hash chain, the signed heads |
//! | [`sqlite`] | the embedded store |
//! | [`memory`] | the same port without a disk, for tests |
//! | `conformance` | one suite that every store must pass |
//!
//! What an attacker who writes to the database file can do, and what notices it, stands in
//! `docs/formats.md`, section Store.

pub mod audit;
pub mod commit;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod error;
pub mod memory;
pub mod sealing;
pub mod sqlite;
pub mod table;
#[cfg(test)]
mod testing;

use std::fmt;

use wardkeep_model::AuditEvent;
use zeroize::Zeroizing;

pub use audit::head::{Head, SignedHead, StoreId};
pub use audit::record::{AuditRecord, RecordError, RecordedEvent};
pub use commit::{Coming, Commit};
pub use error::{CommitError, OpenError, ReadError, VerifyError};
pub use memory::MemoryStore;
pub use sealing::RootKey;
pub use sqlite::{Opened, Options, SqliteStore};
pub use table::Table;

/// The id of the row of [`Table::Setting`] that says that a rollback was accepted: put with the acceptance, and deleted by
/// whoever has done what it means for them.
pub const ROLLBACK: &str = "rollback-accepted";
/// Longest row id, in bytes. A work with a longer one is refused as [`CommitError::Failed`].
pub const MAX_ID: usize = 2048;
/// Longest row value, in bytes. A work with a longer one is refused as [`CommitError::Failed`].
pub const MAX_VALUE: usize = 32 << 20;

/// One row, as it was put. The value is opaque to the store and wiped when dropped.
#[derive(PartialEq, Eq)]
pub struct Row {
    /// The id it was put under.
    pub id: String,
    /// 1 for the first row of an id, one more for each that follows it.
    pub sequence: u64,
    /// What was put.
    pub value: Zeroizing<Vec<u8>>,
}

/// One change of state inside a [`Work`].
pub enum Change {
    /// Writes the next row of an id.
    Put {
        /// Where.
        table: Table,
        /// Under which id.
        id: String,
        /// `None`: the id must not exist (for [`Table::Key`], a tombstoned id exists for ever).
        /// `Some(n)`: the newest sequence must be `n`; the new row gets `n + 1`.
        expected: Option<u64>,
        /// The new value.
        value: Zeroizing<Vec<u8>>,
    },
    /// Deletes an id with all its rows. Deleted [`Table::Material`] is erased from the file before the answer.
    Delete {
        /// Where.
        table: Table,
        /// Which id.
        id: String,
        /// What the newest sequence must be.
        expected: u64,
    },
}

/// What becomes durable together or not at all: changes of state, and the audit events of them.
#[derive(Debug, Default)]
pub struct Work {
    /// Applied in order.
    pub changes: Vec<Change>,
    /// Recorded in order. On a [`CommitError::Conflict`] none of them is recorded.
    pub events: Vec<AuditEvent>,
}

/// Where a durable work's events stand in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Number of the first record (records count from 1); with no events, the number the next will get.
    pub first_record: u64,
    /// How many records the work added.
    pub records: u64,
}

/// How far a verification of the audit log could see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The chain holds and reaches the head that is kept outside the database.
    Verified,
    /// The chain holds; no head is kept outside, so that a rollback of the whole could not be seen.
    Consistent,
}

/// The outcome of a verification that found nothing wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How many records were walked.
    pub records: u64,
    /// How far the verification could see.
    pub status: Status,
}

/// What the store can take at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Normal,
    /// The disk is full: no changes; events go to the space of the reserve.
    Reserve,
    /// The disk is full and the reserve is spent: nothing.
    Spent,
    /// A write or fsync failed: nothing, for the rest of this process.
    Failed,
}

/// The state of the store for metrics and readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// What it can take.
    pub mode: Mode,
    /// For how long the newest commit has not been in the head file, in milliseconds; 0 where it is.
    pub head_age_millis: u64,
    /// Whether a head path is configured at all.
    pub head_configured: bool,
    /// Whether changes are refused because of the head's age.
    pub head_stale: bool,
    /// Bytes of the reserve not yet given back to the disk.
    pub reserve_left: u64,
    /// Size of the write-ahead log, in bytes.
    pub wal_bytes: u64,
    /// Commits (batches) since the store was made.
    pub commits: u64,
    /// Audit records since the store was made.
    pub records: u64,
    /// Works that wait for the writer.
    pub waiting: u64,
    /// What the check of everything on disk found; a server that serves must not be told from one that is damaged only
    /// by its log.
    pub examination: Examination,
}

/// What [`Store::examine`] found the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Examination {
    /// It did not come to an end yet.
    Pending,
    /// Nothing is wrong.
    Sound,
    /// Something is damaged: the log says what, and a backup should be restored.
    Damaged,
}

/// Durable state and the audit log. `Arc<dyn Store>` is what the other rooms hold.
///
/// Reads see every acknowledged commit. Nothing here decides who may do what: that is what permits are for.
pub trait Store: Send + Sync {
    /// Hands over a work; the answer comes once it is durable, or refused. Dropping the answer does not
    /// take the work back.
    fn commit(&self, work: Work) -> Commit;

    /// Says that a work is on its way, until what this gives is dropped: works that come at about the same time may
    /// then share one commit. Only a hint; nothing depends on it.
    fn coming(&self) -> Coming {
        Coming::default()
    }

    /// The newest row of an id.
    fn read(&self, table: Table, id: &str) -> Result<Option<Row>, ReadError>;

    /// The newest row of every id of a table, in no order that means anything.
    fn scan(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<(), ReadError>;

    /// All rows of an id, oldest first; for a table that keeps no history at most one.
    fn history(&self, table: Table, id: &str) -> Result<Vec<Row>, ReadError>;

    /// At most `limit` audit records from number `from` (records count from 1; 0 reads like 1).
    fn audit(&self, from: u64, limit: usize) -> Result<Vec<AuditRecord>, ReadError>;

    /// The newest head.
    fn head(&self) -> SignedHead;

    /// Walks the whole audit log and compares it with the newest head, and with the head file where there
    /// is one. The error names the first bad record.
    fn verify(&self) -> Result<Verdict, VerifyError>;

    /// The state of the store.
    fn health(&self) -> Health;

    /// The Ed25519 key that heads are signed with, as its 32 raw bytes (RFC 8032).
    fn audit_public_key(&self) -> [u8; 32];

    /// The slow check of everything on disk, rows and audit chain, for a background thread after the start. What it
    /// found stays in [`Health::examination`].
    fn examine(&self) -> Result<(), ReadError> {
        Ok(())
    }

    /// Finishes what waits, writes the last head and ends; later commits answer [`CommitError::Closed`].
    fn close(&self) {}
}

impl Work {
    /// A work of events only: what a use of a key or a denial needs.
    #[must_use]
    pub fn record(events: Vec<AuditEvent>) -> Self {
        Self { changes: Vec::new(), events }
    }
}

/// Shows no value.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, sequence, value } = self;
        f.debug_struct("Row").field("id", id).field("sequence", sequence).field("bytes", &value.len()).finish()
    }
}

/// Shows no value.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { table, id, expected, value: _ } => {
                f.debug_struct("Put").field("table", table).field("id", id).field("expected", expected).finish()
            }
            Self::Delete { table, id, expected } => {
                f.debug_struct("Delete").field("table", table).field("id", id).field("expected", expected).finish()
            }
        }
    }
}
