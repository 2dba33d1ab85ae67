//! Making a store, and opening one: every check that stands between a changed database and a server that
//! would believe it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};
use wardkeep_model::{AuditEvent, Decision, EntityUid, EventDetail, RequestId};
use zeroize::Zeroizing;

use super::batch::{self, Batch, Draft};
use super::headfile::{self, Outside};
use super::reader::blame;
use super::rows::{self, StateXor};
use super::vault::{self, Vault};
use super::writer::{End, Fault};
use super::{Opened, Options, schema};
use crate::audit::chain::Chain;
use crate::error::HeadError;
use crate::{Change, Head, OpenError, ROLLBACK, ReadError, Row, SignedHead, Status, Store, Table, Work};

const DATABASE: &str = "state.db";
const LOCK: &str = "lock";

/// A database that passed every check, before its threads start.
pub(crate) struct Checked {
    pub(crate) connection: Connection,
    pub(crate) vault: Vault,
    pub(crate) lock: File,
    pub(crate) end: End,
    /// The commit that the head file holds, or is taken to hold until the first commit; 0 without a head path.
    pub(crate) outside: u64,
}

/// What accepting a rollback means, to be made durable as the first commit.
pub(crate) struct Accepted {
    reason: String,
    tombstones: Vec<Row>,
}

/// Where the database stands.
pub(crate) fn database_path(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::File { path, source }
}

/// Takes the lock that one process has at a time; it ends with the process, however that ends.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = open.map_err(file_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { folder: folder.into() }),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path, source }),
    }
}

/// Makes a new store in one transaction: a creation that is cut short leaves nothing that opens.
pub(crate) fn create(options: &Options) -> Result<Checked, OpenError> {
    let folder = &options.folder;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file_error(folder))?;
    let lock = lock(folder)?;
    if let Some(path) = options.head.as_ref().filter(|path| path.exists()) {
        return Err(OpenError::HeadExists { path: path.clone() });
    }
    let path = database_path(folder);
    // Made here and not by the engine, so that nobody else can read it from the first byte on.
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    made.map_err(file_error(&path))?;
    let mut connection = schema::connect(&path)?;
    if schema::is_store(&connection)? {
        return Err(OpenError::AlreadyInitialised { folder: folder.clone() });
    }
    schema::enter_wal(&connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    schema::create(&transaction)?;
    let vault = vault::create(&transaction, &options.root_key, &options.entropy)?;
    let (chain, xor) = (Chain::beginning(&vault.store), StateXor::default());
    let head = Head {
        store: vault.store,
        commit: 1,
        length: 0,
        hash: chain.hash,
        digest: xor.digest(&vault, 1, 0),
        tombstones: 0,
        time: options.clock.now(),
    };
    let head = vault.signer.sign_head(head).ok_or(OpenError::SigningKey)?;
    Draft::after(chain).insert(&transaction, &vault, &xor, &head).map_err(open_fault)?;
    transaction.commit()?;
    sync_folder(folder)?;
    if let Some(path) = &options.head {
        headfile::write(path, &head, None).map_err(file_error(path))?;
    }
    let outside = if options.head.is_some() { 1 } else { 0 };
    Ok(Checked { connection, vault, lock, end: End { chain, xor, head }, outside })
}

pub(crate) fn open_fault(fault: Fault) -> OpenError {
    match fault {
        Fault::Full => OpenError::Commit(crate::CommitError::Full),
        Fault::Refused => OpenError::Entropy(wardkeep_model::EntropyError),
        Fault::Fatal(error) => OpenError::Engine(error),
    }
}

fn sync_folder(folder: &Path) -> Result<(), OpenError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(file_error(folder))
}

/// Opens a store and checks it against itself and against what is kept outside.
pub(crate) fn open(options: &Options) -> Result<(Checked, Opened, Option<Accepted>), OpenError> {
    let folder = &options.folder;
    let path = database_path(folder);
    let missing = || OpenError::NotInitialised { folder: folder.clone() };
    if !path.exists() {
        return Err(missing());
    }
    let lock = lock(folder)?;
    let connection = schema::connect(&path).map_err(damaged)?;
    if !schema::is_store(&connection).map_err(damaged)? {
        return Err(missing());
    }
    schema::check_format(&connection)?;
    schema::enter_wal(&connection)?;
    schema::quick_check(&connection)?;
    let vault = vault::open(&connection, &options.root_key, &options.entropy)?;
    let newest = newest_batch(&connection, &vault)?;
    check_state(&connection, &vault, &newest)?;
    let (outside, accepted) = check_outside(options, &connection, &vault, &newest.head)?;
    let head = newest.head;
    let chain = Chain { length: head.head.length, hash: head.head.hash };
    let opened = Opened {
        status: if options.head.is_some() { Status::Verified } else { Status::Consistent },
        rollback_accepted: accepted.is_some(),
        honoured_tombstones: accepted.iter().flat_map(|found| &found.tombstones).map(|row| row.id.clone()).collect(),
    };
    let end = End { chain, xor: newest.xor, head };
    Ok((Checked { connection, vault, lock, end, outside }, opened, accepted))
}

/// A file whose first page is not a database's is damage to be named, not an engine's error.
fn damaged(error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            OpenError::Corrupt { finding: error.to_string() }
        }
        _ => OpenError::Engine(error),
    }
}

fn newest_batch(connection: &Connection, vault: &Vault) -> Result<Batch, OpenError> {
    let batch = batch::newest(connection)?.and_then(|sealed| sealed.open(vault)).ok_or(OpenError::NewestBatch)?;
    let head = batch.head;
    let signed = head.head.store == vault.store && head.verify(&vault.signer.public_key());
    let digest = batch.xor.digest(vault, head.head.commit, head.head.length);
    if !signed || head.head.digest != digest || batch.records().is_none() {
        return Err(OpenError::NewestBatch);
    }
    Ok(batch)
}

/// Recounts the state digest over the rows as they are.
fn check_state(connection: &Connection, vault: &Vault, newest: &Batch) -> Result<(), OpenError> {
    if rows::recount(connection, vault).map_err(name_row)? == newest.xor {
        return Ok(());
    }
    blame(connection, vault).map_err(name_row)?;
    Err(OpenError::StateDigest)
}

fn name_row(error: ReadError) -> OpenError {
    match error {
        ReadError::Tampered { table, tag } => OpenError::Tampered { table, tag },
        ReadError::Corrupt { finding } => OpenError::Corrupt { finding },
        other => OpenError::Read(other),
    }
}

/// Compares with the head file. Answers the commit that it holds, and what was accepted against it.
fn check_outside(
    options: &Options,
    connection: &Connection,
    vault: &Vault,
    newest: &SignedHead,
) -> Result<(u64, Option<Accepted>), OpenError> {
    let Some(path) = &options.head else { return Ok((0, None)) };
    let (error, tombstones) = match headfile::read(path, vault) {
        Ok(outside) => match fits(connection, vault, &outside, newest)? {
            None => return Ok((outside.head.head.commit, None)),
            Some(error) => (error, outside.tombstones),
        },
        Err(error) => (error, Vec::new()),
    };
    // Another store's head is not written over whatever is asked: most likely the path is wrong.
    if !options.accept_rollback || matches!(error, HeadError::Foreign { .. }) {
        return Err(error.into());
    }
    let mut unknown = Vec::new();
    for row in tombstones {
        if rows::newest(connection, &rows::Place::of(vault, Table::Tombstone, &row.id))?.is_none() {
            unknown.push(row);
        }
    }
    let reason = match &error {
        HeadError::RolledBack { head, database } => format!("database at commit {database}, head at {head}"),
        HeadError::Diverged { commit } => format!("commit {commit} is not the one the head knows"),
        HeadError::Missing { .. } => "head missing".into(),
        HeadError::Tombstones { .. } => "tombstones missing or changed".into(),
        HeadError::BadSignature { .. } => "head badly signed".into(),
        HeadError::Unreadable { .. } | HeadError::Malformed { .. } | HeadError::Foreign { .. } => {
            "head unreadable".into()
        }
    };
    // Nothing is written over the files outside before the acceptance is durable: they hold the tombstones.
    Ok((newest.head.commit, Some(Accepted { reason, tombstones: unknown })))
}

/// Whether the database holds the very commit that the head outside speaks of.
fn fits(
    connection: &Connection,
    vault: &Vault,
    outside: &Outside,
    newest: &SignedHead,
) -> Result<Option<HeadError>, OpenError> {
    let (head, database) = (outside.head.head.commit, newest.head.commit);
    if head > database {
        return Ok(Some(HeadError::RolledBack { head, database }));
    }
    let same = batch::of_commit(connection, head)?.and_then(|sealed| sealed.open(vault));
    let same = same.is_some_and(|batch| batch.head == outside.head);
    Ok((!same).then_some(HeadError::Diverged { commit: head }))
}

impl Accepted {
    /// The first commit after an accepted rollback: the event, and the tombstones that the database put back
    /// does not know, with the material that came back erased again.
    pub(crate) fn work(self, options: &Options, store: &dyn Store) -> Result<Work, OpenError> {
        let mut changes = Vec::new();
        let mut back = Vec::new();
        store.scan(Table::Material, &mut |row| {
            if self.tombstones.iter().any(|buried| belongs_to(&row.id, &buried.id)) {
                back.push((row.id, row.sequence));
            }
        })?;
        for (id, expected) in back {
            changes.push(Change::Delete { table: Table::Material, id, expected });
        }
        // In the same commit: a start that is cut short must not leave an acceptance that nobody heeds.
        let expected = store.read(Table::Setting, ROLLBACK)?.map(|row| row.sequence);
        let value = Zeroizing::new(self.reason.clone().into_bytes());
        changes.push(Change::Put { table: Table::Setting, id: ROLLBACK.into(), expected, value });
        let buried = self.tombstones.len();
        for row in self.tombstones {
            changes.push(Change::Put { table: Table::Tombstone, id: row.id, expected: None, value: row.value });
        }
        let event = accepted_event(options, &self.reason)?.with(EventDetail::Count, buried.to_string());
        Ok(Work { changes, events: vec![event] })
    }
}

fn accepted_event(options: &Options, reason: &str) -> Result<AuditEvent, OpenError> {
    let system = EntityUid::new("Wardkeep::System", "store").map_err(|_| OpenError::SigningKey)?;
    let mut random = [0; 16];
    options.entropy.fill(&mut random)?;
    let event = AuditEvent {
        time: options.clock.now(),
        actor: system.clone(),
        subject: system.clone(),
        action: "AcceptRollback".into(),
        resource: system,
        record: None,
        decision: Decision::Allow,
        policies: Vec::new(),
        errors: Vec::new(),
        policy_version: 0,
        outcome: "ok",
        request: RequestId::from_random(u128::from_be_bytes(random)),
        serial: None,
        detail: Vec::new(),
    };
    Ok(event.with(EventDetail::Reason, reason))
}

/// Whether a material row is a key's: its id is the key's, alone or followed by what no key name has.
fn belongs_to(material: &str, key: &str) -> bool {
    let name_byte = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    material.strip_prefix(key).is_some_and(|rest| !rest.starts_with(name_byte))
}

/// Starts again from a checked database: used by `create` and `open` alike.
pub(crate) fn share(checked: Checked) -> (Connection, Arc<Vault>, File, End, u64) {
    let Checked { connection, vault, lock, end, outside } = checked;
    (connection, Arc::new(vault), lock, end, outside)
}
