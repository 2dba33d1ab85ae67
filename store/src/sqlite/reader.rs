//! Reading: connections of its own, beside the writer's, on the last committed state.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::headfile::{self, Outside};
use super::rows::{self, NO_PREVIOUS, Newest, Place, Stored};
use super::{batch, schema, vault::Vault};
use crate::audit::chain::Chain;
use crate::error::HeadError;
use crate::{AuditRecord, ReadError, RecordedEvent, Row, SignedHead, Status, Table, Verdict, VerifyError};

/// Connections kept for the next reader.
const KEPT: usize = 4;
/// Batches walked at a time while verifying.
const WALK_BATCHES: u64 = 256;

/// Reads the database.
pub(crate) struct Reader {
    path: PathBuf,
    vault: Arc<Vault>,
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    pub(crate) fn new(path: PathBuf, vault: Arc<Vault>) -> Self {
        Self { path, vault, idle: Mutex::new(Vec::new()) }
    }

    fn with<T, E: From<rusqlite::Error>>(&self, act: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        // Taken out of the lock, so that a visitor who reads again gets another one.
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => schema::connect(&self.path)?,
        };
        let result = act(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_ok() && idle.len() < KEPT {
            idle.push(connection);
        }
        result
    }

    /// Lets go of the database's files.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn read(&self, table: Table, id: &str) -> Result<Option<Row>, ReadError> {
        let place = Place::of(&self.vault, table, id);
        let found = self.with(|connection| rows::newest(connection, &place).map_err(ReadError::from))?;
        found.map(|row| row.open(&self.vault, &place)).transpose()
    }

    pub(crate) fn history(&self, table: Table, id: &str) -> Result<Vec<Row>, ReadError> {
        let place = Place::of(&self.vault, table, id);
        let found = self.with(|connection| rows::all_of(connection, &place).map_err(ReadError::from))?;
        let mut history = Vec::with_capacity(found.len());
        let mut previous = NO_PREVIOUS;
        for (at, row) in found.iter().enumerate() {
            let expected = if table.keeps_history() { at as u64 + 1 } else { row.sequence };
            if row.previous != previous || row.sequence != expected {
                return Err(ReadError::History { table, id: id.to_owned(), sequence: expected });
            }
            history.push(row.open(&self.vault, &place)?);
            previous = row.hash(&place);
        }
        Ok(history)
    }

    /// One walk over the table, on one snapshot. The visitor may use the store: other reads take another
    /// connection. An erasure waits until the walk is over.
    pub(crate) fn scan(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<(), ReadError> {
        self.with(|connection| {
            let mut current: Option<(Place, Stored)> = None;
            rows::visit(connection, Some(table), &mut |place, row| {
                // Rows come by place and sequence, so that the last of a place is its newest.
                match current.replace((place, row)) {
                    Some((before, newest)) if before != place => visit(newest.open(&self.vault, &before)?),
                    _ => {}
                }
                Ok(())
            })?;
            if let Some((place, newest)) = current {
                visit(newest.open(&self.vault, &place)?);
            }
            Ok(())
        })
    }

    pub(crate) fn audit(&self, from: u64, limit: usize) -> Result<Vec<AuditRecord>, ReadError> {
        let from = from.max(1);
        self.with(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            let mut records = Vec::new();
            let Some(newest) = batch::newest(&snapshot)? else { return Err(ReadError::Audit { record: 1 }) };
            if limit == 0 || newest.first.saturating_add(newest.count) <= from {
                return Ok(records);
            }
            let start = batch::commit_of(&snapshot, from, newest.number)?;
            let mut next = None;
            batch::visit(&snapshot, start, &mut |sealed| {
                let damaged = ReadError::Audit { record: next.unwrap_or(sealed.first) };
                let opened = sealed.open(&self.vault).and_then(|batch| Some((batch.before.length, batch.records()?)));
                let Some((length, found)) = opened else { return Err(damaged) };
                if next.is_some_and(|next| next != length + 1) {
                    return Err(damaged);
                }
                next = Some(length + 1 + found.len() as u64);
                let wanted = found.into_iter().filter(|record| record.sequence >= from);
                records.extend(wanted.take(limit - records.len()));
                Ok(records.len() < limit)
            })?;
            Ok(records)
        })
    }

    /// Walks the whole chain. `known` is the newest head in memory, `head` where it is kept outside.
    pub(crate) fn verify(&self, known: SignedHead, head: Option<&PathBuf>) -> Result<Verdict, VerifyError> {
        let outside = head.map(|path| headfile::read(path, &self.vault)).transpose().map_err(VerifyError::Head)?;
        let records =
            self.with(|connection| walk(connection, &self.vault, known, outside.as_ref()).map_err(Failure))?;
        let status = if outside.is_some() { Status::Verified } else { Status::Consistent };
        Ok(Verdict { records, status })
    }

    /// The engine's full check, the state digest once more, every row's seal, and the audit chain from its beginning.
    pub(crate) fn examine(&self) -> Result<(), ReadError> {
        self.with(|connection| {
            schema::integrity_check(connection)?;
            let snapshot = connection.unchecked_transaction()?;
            let newest = batch::newest(&snapshot)?.and_then(|sealed| sealed.open(&self.vault));
            let newest = newest.ok_or(ReadError::Audit { record: 1 })?;
            if rows::recount(&snapshot, &self.vault)? != newest.xor {
                return Err(ReadError::Corrupt { finding: "the rows are not those of the newest commit".into() });
            }
            blame(&snapshot, &self.vault)?;
            // The walk over the log takes long, and a snapshot as long as that would keep the log from being truncated.
            drop(snapshot);
            walk(connection, &self.vault, newest.head, None).map(drop).map_err(damage)
        })
    }
}

/// What a walk over the log found, as damage to what is on the disk.
fn damage(error: VerifyError) -> ReadError {
    match error {
        VerifyError::Record { record } | VerifyError::Malformed { record, .. } => ReadError::Audit { record },
        VerifyError::Cut { found, .. } => ReadError::Audit { record: found.saturating_add(1) },
        VerifyError::Signature => ReadError::Corrupt { finding: "the newest audit head is badly signed".into() },
        VerifyError::Head(error) => ReadError::Corrupt { finding: error.to_string() },
        VerifyError::Read(error) => error,
    }
}

/// Lets `verify` pass through `with`.
struct Failure(VerifyError);

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self(ReadError::from(error).into())
    }
}

impl From<Failure> for VerifyError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

/// What a walk over the log has seen.
struct Walk<'a> {
    vault: &'a Vault,
    outside: Option<&'a Outside>,
    chain: Chain,
    last: Option<SignedHead>,
    outside_seen: bool,
    finding: Option<VerifyError>,
}

impl Walk<'_> {
    fn commit(&self) -> u64 {
        self.last.map_or(0, |head| head.head.commit)
    }

    /// Takes the next batch; `false` where it does not hold.
    fn take(&mut self, sealed: &batch::Sealed) -> bool {
        let follows = |batch: &batch::Batch| sealed.number == self.commit() + 1 && batch.before == self.chain;
        let opened = sealed.open(self.vault).filter(follows);
        let Some((head, records)) = opened.and_then(|batch| Some((batch.head, batch.records()?))) else {
            self.finding = Some(VerifyError::Record { record: self.chain.length + 1 });
            return false;
        };
        for record in &records {
            if let Err(source) = RecordedEvent::parse(&record.line) {
                self.finding = Some(VerifyError::Malformed { record: record.sequence, source });
                return false;
            }
        }
        self.chain = Chain { length: head.head.length, hash: head.head.hash };
        self.outside_seen |= self.outside.is_some_and(|outside| outside.head == head);
        self.last = Some(head);
        true
    }
}

/// Walks every batch up to the newest head; answers how many records there are. Batches are only ever added,
/// so that no snapshot is held: one as long as this walk would keep the log from being truncated.
fn walk(
    connection: &Connection,
    vault: &Vault,
    known: SignedHead,
    outside: Option<&Outside>,
) -> Result<u64, VerifyError> {
    // Commits count from 1: what stands before them is nobody's, and no walk upwards would come by it.
    if connection
        .query_row("SELECT EXISTS (SELECT 1 FROM audit WHERE number < 1)", [], |row| row.get(0))
        .map_err(ReadError::from)?
    {
        return Err(VerifyError::Record { record: 1 });
    }
    let goal = known.head.commit.max(outside.map_or(0, |outside| outside.head.head.commit));
    let chain = Chain::beginning(&vault.store);
    let mut walk = Walk { vault, outside, chain, last: None, outside_seen: false, finding: None };
    loop {
        let before = walk.commit();
        batch::visit(connection, before + 1, &mut |sealed| {
            Ok(walk.take(&sealed) && walk.commit() < goal && walk.commit() - before < WALK_BATCHES)
        })?;
        if let Some(finding) = walk.finding.take() {
            return Err(finding);
        }
        if walk.commit() == before || walk.commit() >= goal {
            break;
        }
    }
    let found = walk.commit();
    if found < known.head.commit {
        return Err(VerifyError::Cut { found: walk.chain.length, expected: known.head.length });
    }
    if !walk.last.is_some_and(|head| head.verify(&vault.signer.public_key())) {
        return Err(VerifyError::Signature);
    }
    match outside {
        Some(outside) if !walk.outside_seen => {
            let head = outside.head.head.commit;
            let error = HeadError::RolledBack { head, database: found };
            Err(VerifyError::Head(if head > found { error } else { HeadError::Diverged { commit: head } }))
        }
        _ => Ok(walk.chain.length),
    }
}

/// Finds the row that is to blame for a state digest that does not fit: the first that does not open.
pub(crate) fn blame(connection: &Connection, vault: &Vault) -> Result<(), ReadError> {
    let mut walk = Newest::new(|place: &Place, row: &Stored, _| row.open(vault, place).map(|_| ()));
    rows::visit(connection, None, &mut |place, row| walk.next(place, row))?;
    walk.finish()
}
