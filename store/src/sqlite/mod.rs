//! The embedded store: SQLite with a write-ahead log and `synchronous = FULL`.
//!
//! | file | holds |
//! |---|---|
//! | `open` | making and opening, with every check of a start |
//! | `schema` | tables and settings of the database file |
//! | `vault` | the store's own keys |
//! | `rows` | sealed state rows, their histories and the state digest |
//! | `batch` | sealed audit batches |
//! | `writer` | the thread that commits |
//! | `reserve` | space kept for a full disk |
//! | `headfile`, `keeper` | the newest head and the tombstones outside the database |
//! | `reader` | reading and verifying |

mod batch;
#[cfg(test)]
mod faults;
mod headfile;
mod keeper;
mod open;
mod reader;
mod reserve;
mod rows;
mod schema;
mod shared;
mod vault;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use wardkeep_model::{Clock, Entropy};

use self::keeper::Keeper;
use self::open::Checked;
use self::reader::Reader;
use self::reserve::Reserve;
use self::shared::Shared;
use self::vault::Vault;
use self::writer::Writer;
use crate::{
    AuditRecord, Coming, Commit, Health, OpenError, ReadError, RootKey, Row, SignedHead, Status, Store, Table, Verdict,
    VerifyError, Work,
};

/// 64 MiB: what [`Options::reserve_bytes`] usually is.
pub const DEFAULT_RESERVE: u64 = 64 << 20;

/// How to make or open a store.
pub struct Options {
    /// The data folder. [`SqliteStore::create`] makes it, readable by nobody else.
    pub folder: PathBuf,
    /// The key everything is sealed under.
    pub root_key: RootKey,
    /// Where the newest head is written, outside the data folder; `None`: rollback cannot be checked.
    pub head: Option<PathBuf>,
    /// Start although the database is older than its head, or the head is lost. Recorded in the audit log.
    pub accept_rollback: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Bytes of disk kept for the audit log of a full disk; 0 keeps none.
    pub reserve_bytes: u64,
    /// Called once when a write or fsync failed: the process must end, for the same pages must never be
    /// written again. Called on the writer's thread, before the works that wait are answered.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// `Verified`: the head file fits. `Consistent`: rollback not checkable, as no head path is configured.
    pub status: Status,
    /// Whether a rollback, or the loss of the head, was accepted at this start.
    pub rollback_accepted: bool,
    /// Keys that the head file knows as destroyed and the database put back did not: refused for ever again,
    /// and their material erased.
    pub honoured_tombstones: Vec<String>,
}

/// The store in a folder. One process has it at a time; dropping it finishes what waits.
pub struct SqliteStore {
    vault: Arc<Vault>,
    shared: Arc<Shared>,
    keeper: Arc<Keeper>,
    reader: Reader,
    folder: PathBuf,
    head: Option<PathBuf>,
    running: Mutex<Running>,
}

/// What ends with the store.
struct Running {
    writer: Option<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
    lock: Option<File>,
}

impl SqliteStore {
    /// Makes a new store and writes its first head. Refuses a folder that holds one, and a head path that is
    /// taken.
    pub fn create(options: Options) -> Result<Self, OpenError> {
        let checked = open::create(&options)?;
        Self::start(&options, checked)
    }

    /// Opens a store: takes the lock, checks the key tables, every history and the state digest, and compares
    /// with the head file.
    pub fn open(options: Options) -> Result<(Self, Opened), OpenError> {
        let (checked, opened, accepted) = open::open(&options)?;
        let store = Self::start(&options, checked)?;
        if let Some(accepted) = accepted {
            store.commit(accepted.work(&options, &store)?).wait()?;
            store.keeper.flush();
        }
        Ok((store, opened))
    }

    fn start(options: &Options, checked: Checked) -> Result<Self, OpenError> {
        let (connection, vault, lock, end, outside) = open::share(checked);
        let shared = Arc::new(Shared::new(end.head));
        let tombstones = if options.head.is_some() && end.head.head.tombstones > 0 {
            writer::buried(&connection, &vault, end.head.head.commit).map_err(open::open_fault)?
        } else {
            None
        };
        let keeper = Keeper::new(options.head.clone(), options.clock.clone(), (end.head, outside), tombstones);
        let mut reserve = Reserve::new(options.folder.join("reserve"), options.reserve_bytes);
        if let Err(error) = reserve.fill() {
            // A disk that is full already must not keep the server from saying so.
            tracing::error!(%error, "the audit reserve could not be filled");
        }
        shared.set_reserve(reserve.left());
        let writer = Writer {
            connection,
            vault: vault.clone(),
            shared: shared.clone(),
            keeper: keeper.clone(),
            reserve,
            clock: options.clock.clone(),
            on_fatal: options.on_fatal.clone(),
            end,
            log_pages: 0,
            erase: false,
            tried: options.clock.now(),
            looked: options.clock.now(),
        };
        let thread = |source| OpenError::File { path: options.folder.clone(), source };
        let writer =
            std::thread::Builder::new().name("store-writer".into()).spawn(move || writer.run()).map_err(thread)?;
        let running = Running { writer: Some(writer), keeper: keeper.start().map_err(thread)?, lock: Some(lock) };
        let reader = Reader::new(open::database_path(&options.folder), vault.clone());
        let (folder, head) = (options.folder.clone(), options.head.clone());
        Ok(Self { vault, shared, keeper, reader, folder, head, running: Mutex::new(running) })
    }

    fn wal_bytes(&self) -> u64 {
        let mut name = open::database_path(&self.folder).into_os_string();
        name.push("-wal");
        std::fs::metadata(PathBuf::from(name)).map_or(0, |meta| meta.len())
    }
}

impl Store for SqliteStore {
    fn commit(&self, work: Work) -> Commit {
        self.shared.queue.push(work)
    }

    fn coming(&self) -> Coming {
        self.shared.queue.coming()
    }

    fn read(&self, table: Table, id: &str) -> Result<Option<Row>, ReadError> {
        self.reader.read(table, id)
    }

    fn scan(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<(), ReadError> {
        self.reader.scan(table, visit)
    }

    fn history(&self, table: Table, id: &str) -> Result<Vec<Row>, ReadError> {
        self.reader.history(table, id)
    }

    fn audit(&self, from: u64, limit: usize) -> Result<Vec<AuditRecord>, ReadError> {
        self.reader.audit(from, limit)
    }

    fn head(&self) -> SignedHead {
        self.shared.head()
    }

    fn verify(&self) -> Result<Verdict, VerifyError> {
        self.reader.verify(self.shared.head(), self.head.as_ref())
    }

    fn health(&self) -> Health {
        let head = self.shared.head().head;
        Health {
            mode: self.shared.mode(),
            head_age_millis: self.keeper.age(),
            head_configured: self.keeper.is_configured(),
            head_stale: self.keeper.is_stale(),
            reserve_left: self.shared.reserve(),
            wal_bytes: self.wal_bytes(),
            commits: head.commit,
            records: head.length,
            waiting: self.shared.queue.waiting(),
            examination: self.shared.examination(),
        }
    }

    fn audit_public_key(&self) -> [u8; 32] {
        self.vault.signer.public_key()
    }

    fn examine(&self) -> Result<(), ReadError> {
        let found = self.reader.examine();
        // A store that closes meanwhile is not a damaged one.
        if !matches!(found, Err(ReadError::Closed)) {
            self.shared.set_examination(found.is_ok());
        }
        found
    }

    fn close(&self) {
        self.shared.queue.close();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // The writer first: its last commits bring the last head.
        if let Some(writer) = running.writer.take() {
            let _ = writer.join();
        }
        self.keeper.close();
        if let Some(keeper) = running.keeper.take() {
            let _ = keeper.join();
        }
        self.reader.close();
        running.lock = None;
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}
