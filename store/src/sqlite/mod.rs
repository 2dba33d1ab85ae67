//! The embedded store: SQLite with WAL and synchronous=FULL.

use std::path::PathBuf;
use std::sync::Arc;

use wardkeep_model::{Clock, Entropy};

use crate::{
    AuditRecord, Commit, Health, OpenError, ReadError, RootKey, Row, SignedHead, Store, Table, Verdict, VerifyError, Work,
};

/// How to make or open a store.
pub struct Options {
    /// The data folder. Made if it does not exist.
    pub folder: PathBuf,
    /// The key everything is sealed under.
    pub root_key: RootKey,
    /// Where the newest head is written, outside the data folder; `None`: rollback cannot be checked.
    pub head: Option<PathBuf>,
    /// Start although the database is older than its head. Recorded in the audit log.
    pub accept_rollback: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Bytes of disk kept for the audit log of a full disk; [`DEFAULT_RESERVE`] is usual, 0 keeps none.
    pub reserve_bytes: u64,
    /// Called once when a write or fsync failed: the process must end, for the same pages must never be
    /// written again. Called from the writer's thread.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

/// 64 MiB.
pub const DEFAULT_RESERVE: u64 = 64 << 20;

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// `Verified`: the head file fits. `Consistent`: rollback not checkable, as no head path is configured.
    pub status: crate::Status,
    /// Whether a rollback was accepted at this start.
    pub rollback_accepted: bool,
    /// Keys that the head file knows as destroyed and the database put back did not: refused for ever again,
    /// and their material erased.
    pub honoured_tombstones: Vec<String>,
}

/// The store in a folder.
pub struct SqliteStore {}

impl SqliteStore {
    /// Makes a new store.
    pub fn create(options: Options) -> Result<Self, OpenError> {
        let _ = options;
        Err(OpenError::SigningKey)
    }

    /// Opens a store and checks it.
    pub fn open(options: Options) -> Result<(Self, Opened), OpenError> {
        let _ = options;
        Err(OpenError::SigningKey)
    }
}

impl Store for SqliteStore {
    fn commit(&self, _: Work) -> Commit { Commit::ready(Err(crate::CommitError::Closed)) }
    fn read(&self, _: Table, _: &str) -> Result<Option<Row>, ReadError> { Err(ReadError::Closed) }
    fn scan(&self, _: Table, _: &mut dyn FnMut(Row)) -> Result<(), ReadError> { Err(ReadError::Closed) }
    fn history(&self, _: Table, _: &str) -> Result<Vec<Row>, ReadError> { Err(ReadError::Closed) }
    fn audit(&self, _: u64, _: usize) -> Result<Vec<AuditRecord>, ReadError> { Err(ReadError::Closed) }
    fn head(&self) -> SignedHead { loop {} }
    fn verify(&self) -> Result<Verdict, VerifyError> { Err(ReadError::Closed.into()) }
    fn health(&self) -> Health { loop {} }
    fn audit_public_key(&self) -> [u8; 32] { [0; 32] }
}
