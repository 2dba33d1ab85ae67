//! The writer thread: takes whatever waits, makes it durable in one transaction, and answers everybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use wardkeep_model::{Clock, EntropyError, Timestamp};

use super::batch::Draft;
use super::keeper::Keeper;
use super::reserve::Reserve;
use super::rows::{self, NO_PREVIOUS, Place, StateXor, Stored};
use super::schema::{self, Checkpoint};
use super::shared::Shared;
use super::{headfile, vault::Vault};
use crate::audit::chain::Chain;
use crate::commit::{Job, Taken};
use crate::{Change, CommitError, Head, Mode, Receipt, SignedHead, Table};

/// How long the writer sleeps at most: it looks for space and finishes erasures in between.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pages in the log that call for a checkpoint.
const CHECKPOINT_PAGES: u64 = 1000;
/// The same while the disk is full. The log begins anew in the space it has: left to grow, it and not the records
/// would eat the reserve, and a denial would cost far more of it than the share that denials are held to.
const CHECKPOINT_PAGES_FULL: u64 = 32;

/// Why a transaction did not happen.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The disk is full.
    Full,
    /// Not now, and the disk is not to blame.
    Refused,
    /// A write or fsync failed: nothing may be tried again.
    Fatal(rusqlite::Error),
}

/// The end of everything so far.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) chain: Chain,
    pub(crate) xor: StateXor,
    pub(crate) head: SignedHead,
}

/// All that the thread owns.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) vault: Arc<Vault>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) reserve: Reserve,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
    pub(crate) end: End,
    pub(crate) log_pages: u64,
    /// Deleted material is still in the log, because a reader stood in the way of the checkpoint.
    pub(crate) erase: bool,
    /// When the erasure was last tried.
    pub(crate) tried: Timestamp,
    /// When space was last looked for.
    pub(crate) looked: Timestamp,
}

/// What a transaction made durable.
struct Done {
    end: End,
    results: Vec<Result<Receipt, CommitError>>,
    pages: u64,
    erased: bool,
    tombstones: Option<Vec<u8>>,
}

/// What the changes of a batch did so far.
struct Progress {
    xor: StateXor,
    pages: u64,
    erased: bool,
    buried: bool,
}

impl From<EntropyError> for Fault {
    fn from(_: EntropyError) -> Self {
        Self::Refused
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|failure| (failure.code, failure.extended_code));
        match code {
            // The index of the log can be what finds no space.
            Some((ErrorCode::DiskFull, _) | (_, rusqlite::ffi::SQLITE_IOERR_SHMSIZE)) => Self::Full,
            Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => Self::Refused,
            _ => Self::Fatal(error),
        }
    }
}

/// A writer that panics must not leave a queue that takes work and never answers.
impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.set_mode(Mode::Failed);
            self.shared.queue.fail(&CommitError::Failed);
            (self.on_fatal)("the thread that writes the state database panicked");
        }
    }
}

impl Writer {
    /// Works until the queue is closed and empty, or the disk fails.
    pub(crate) fn run(mut self) {
        loop {
            let alive = match self.shared.queue.take(PATIENCE) {
                Taken::Jobs(jobs) => self.batch(jobs),
                Taken::Nothing => self.idle(),
                Taken::Closed => break,
            };
            if !alive {
                return;
            }
        }
        if let Err(error) = schema::checkpoint(&self.connection, Checkpoint::Truncate) {
            tracing::error!(%error, "the last checkpoint failed; the log stays and is read at the next start");
        }
    }

    /// Ends everything after a failed write: the same pages are never retried, for the kernel may already
    /// take them for written.
    fn die(&mut self, error: &rusqlite::Error) {
        tracing::error!(%error, "the state database could not be written: nothing more is taken");
        self.shared.set_mode(Mode::Failed);
        self.shared.queue.fail(&CommitError::Failed);
        (self.on_fatal)(&error.to_string());
    }

    fn idle(&mut self) -> bool {
        if self.shared.mode() != Mode::Normal {
            self.look_for_space();
        }
        !self.erase || self.checkpointed(Checkpoint::Truncate)
    }

    fn batch(&mut self, jobs: Vec<Job>) -> bool {
        if self.shared.mode() != Mode::Normal && self.a_second_after(self.looked) {
            self.look_for_space();
        }
        let stale = self.keeper.is_stale();
        let mut jobs = self.admit(jobs, stale);
        while !jobs.is_empty() {
            match self.attempt(&jobs).map_err(|fault| self.judged(fault)) {
                Ok(done) => return self.publish(jobs, done),
                Err(Fault::Full) => jobs = self.make_room(jobs, stale),
                Err(Fault::Refused) => {
                    jobs.drain(..).for_each(|job| job.answer(Err(CommitError::Failed)));
                }
                Err(Fault::Fatal(error)) => {
                    self.die(&error);
                    jobs.drain(..).for_each(|job| job.answer(Err(CommitError::Failed)));
                    return false;
                }
            }
        }
        true
    }

    /// Answers the works that cannot be taken at the moment and keeps the others.
    fn admit(&mut self, jobs: Vec<Job>, stale: bool) -> Vec<Job> {
        let mode = self.shared.mode();
        let mut kept = Vec::with_capacity(jobs.len());
        for job in jobs {
            let changes = job.changes_state();
            let refusal = match mode {
                Mode::Spent => Some(CommitError::ReserveSpent),
                Mode::Failed => Some(CommitError::Failed),
                Mode::Reserve if changes => Some(CommitError::Full),
                Mode::Reserve if !self.reserve.admits(&job) => Some(CommitError::ReserveSpent),
                _ if changes && stale => Some(CommitError::HeadStale),
                _ => None,
            };
            match refusal {
                Some(error) => job.answer(Err(error)),
                None => kept.push(job),
            }
        }
        kept
    }

    /// The disk is full: gives a slice of the reserve back, and refuses what may not use it.
    fn make_room(&mut self, jobs: Vec<Job>, stale: bool) -> Vec<Job> {
        let was = self.shared.mode();
        if self.give_back() {
            self.shared.set_mode(Mode::Reserve);
        } else {
            tracing::error!("the disk is full and the audit reserve is spent: every operation is refused");
            self.shared.set_mode(Mode::Spent);
        }
        if was == Mode::Normal {
            tracing::error!("the disk is full: changes are refused, the audit log uses its reserve");
        }
        // What was admitted under the reserve's rules already is not counted twice.
        if was == Mode::Reserve && self.shared.mode() == Mode::Reserve { jobs } else { self.admit(jobs, stale) }
    }

    /// A quota that is spent is a full disk, whatever the engine calls it.
    fn judged(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Fatal(error) if self.reserve.quota_is_spent(&error) => Fault::Full,
            other => other,
        }
    }

    fn give_back(&mut self) -> bool {
        let given = self.reserve.give_back();
        self.shared.set_reserve(self.reserve.left());
        #[cfg(test)]
        self.shared.faults.raise(&self.connection, given);
        given
    }

    /// Whether a second went by. A clock that was set back must not make it a long one.
    fn a_second_after(&self, moment: Timestamp) -> bool {
        let now = self.clock.now();
        now < moment || now.millis_since(moment) >= 1000
    }

    /// Tries to fill the reserve again; where that succeeds all is well.
    fn look_for_space(&mut self) {
        self.looked = self.clock.now();
        #[cfg(test)]
        if self.shared.faults.is_capped() {
            return;
        }
        if self.reserve.refill(self.clock.elapsed_millis()) {
            self.shared.set_reserve(self.reserve.left());
            self.shared.set_mode(Mode::Normal);
            tracing::info!("there is space on the disk again: changes are taken");
        }
    }

    fn attempt(&mut self, jobs: &[Job]) -> Result<Done, Fault> {
        #[cfg(test)]
        self.shared.faults.prepare(&self.connection)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut progress = Progress { xor: self.end.xor, pages: 2, erased: false, buried: false };
        let mut draft = Draft::after(self.end.chain);
        let mut results = Vec::with_capacity(jobs.len());
        for job in jobs {
            let receipt = Receipt { first_record: draft.chain().length + 1, records: job.lines.len() };
            let applied =
                if job.changes_state() { apply(&transaction, &self.vault, job, &mut progress)? } else { Ok(()) };
            if applied.is_ok() {
                job.lines.iter().for_each(|line| draft.push(line));
            }
            results.push(applied.map(|()| receipt));
        }
        if results.iter().all(Result::is_err) {
            return Ok(Done { end: self.end, results, pages: 0, erased: false, tombstones: None });
        }
        let (before, chain) = (self.end.head.head, draft.chain());
        let commit = before.commit + 1;
        let head = Head {
            commit,
            length: chain.length,
            hash: chain.hash,
            digest: progress.xor.digest(&self.vault, commit, chain.length),
            tombstones: if progress.buried { commit } else { before.tombstones },
            time: self.clock.now(),
            ..before
        };
        let head = self.vault.signer.sign_head(head).ok_or(Fault::Refused)?;
        let tombstones = if progress.buried { buried(&transaction, &self.vault, commit)? } else { None };
        let bytes = draft.insert(&transaction, &self.vault, &progress.xor, &head)?;
        transaction.commit()?;
        let pages = progress.pages + bytes as u64 / 4096 + 1;
        Ok(Done { end: End { chain, xor: progress.xor, head }, results, pages, erased: progress.erased, tombstones })
    }

    /// The transaction is durable: says so, and looks after the log.
    fn publish(&mut self, jobs: Vec<Job>, done: Done) -> bool {
        self.end = done.end;
        self.log_pages += done.pages;
        self.erase |= done.erased;
        if done.pages > 0 {
            self.shared.set_head(done.end.head);
            self.keeper.note(done.end.head, done.tombstones);
        }
        // What was to be erased is gone from the files before anybody is told so. Only a reader that takes
        // long (the full check of a start) can put it off, and must not hold up every batch meanwhile.
        let erase_now = done.erased || (self.erase && self.a_second_after(self.tried));
        let alive = !erase_now || self.checkpointed(Checkpoint::Truncate);
        for (job, result) in jobs.into_iter().zip(done.results) {
            job.answer(result);
        }
        let bound = if self.shared.mode() == Mode::Normal { CHECKPOINT_PAGES } else { CHECKPOINT_PAGES_FULL };
        alive && (self.log_pages < bound || self.checkpointed(Checkpoint::Passive))
    }

    fn checkpointed(&mut self, how: Checkpoint) -> bool {
        if how == Checkpoint::Truncate {
            self.tried = self.clock.now();
        }
        match schema::checkpoint(&self.connection, how).map_err(|error| self.judged(Fault::from(error))) {
            Ok(whole) => {
                // After one that a reader cut short, it is soon tried again.
                self.log_pages = if whole { 0 } else { CHECKPOINT_PAGES / 2 };
                self.erase &= !(whole && how == Checkpoint::Truncate);
                true
            }
            Err(Fault::Full) => {
                self.make_room(Vec::new(), false);
                true
            }
            Err(Fault::Refused) => true,
            Err(Fault::Fatal(error)) => {
                self.die(&error);
                false
            }
        }
    }
}

/// Applies the changes of one work, all or none. The inner error is the work's own, and hurts no other.
fn apply(
    connection: &Connection,
    vault: &Vault,
    job: &Job,
    progress: &mut Progress,
) -> Result<Result<(), CommitError>, Fault> {
    connection.prepare_cached("SAVEPOINT work")?.execute([])?;
    let mut trial = Progress { ..*progress };
    for change in &job.changes {
        if let Err(error) = apply_change(connection, vault, change, &mut trial)? {
            connection.prepare_cached("ROLLBACK TO work")?.execute([])?;
            connection.prepare_cached("RELEASE work")?.execute([])?;
            return Ok(Err(error));
        }
    }
    connection.prepare_cached("RELEASE work")?.execute([])?;
    *progress = trial;
    Ok(Ok(()))
}

fn apply_change(
    connection: &Connection,
    vault: &Vault,
    change: &Change,
    progress: &mut Progress,
) -> Result<Result<(), CommitError>, Fault> {
    let (table, id, expected) = match change {
        Change::Put { table, id, expected, .. } => (*table, id, *expected),
        Change::Delete { table, id, expected } => (*table, id, Some(*expected)),
    };
    let conflict = || Ok(Err(CommitError::Conflict { table, id: id.clone() }));
    let place = Place::of(vault, table, id);
    let found = rows::newest(connection, &place)?;
    if found.as_ref().map(|row| row.sequence) != expected {
        return conflict();
    }
    let hash = found.as_ref().map(|row| row.hash(&place));
    if let (Some(row), Some(hash)) = (&found, &hash) {
        progress.xor.toggle(vault, &place, row.sequence, hash);
    }
    progress.pages += 4;
    match change {
        Change::Delete { .. } if table == Table::Tombstone => return conflict(),
        Change::Delete { .. } => {
            rows::delete(connection, &place)?;
            progress.erased |= table == Table::Material;
        }
        Change::Put { value, .. } => {
            let buried = || rows::newest(connection, &Place::of(vault, Table::Tombstone, id));
            if table == Table::Key && found.is_none() && buried()?.is_some() {
                return conflict();
            }
            if table == Table::Tombstone && !rows::has_room_for_tombstone(connection, id, value)? {
                return Ok(Err(CommitError::TombstonesFull));
            }
            let sequence = found.map_or(0, |row| row.sequence).saturating_add(1);
            let previous = hash.filter(|_| table.keeps_history()).unwrap_or(NO_PREVIOUS);
            let row = Stored::seal(vault, &place, (sequence, previous), id, value)?;
            rows::insert(connection, &place, &row)?;
            progress.xor.toggle(vault, &place, sequence, &row.hash(&place));
            progress.pages += row.sealed.len() as u64 / 4096;
            progress.buried |= table == Table::Tombstone;
            // A material row that was written over is as gone as a deleted one.
            progress.erased |= table == Table::Material && sequence > 1;
        }
    }
    Ok(Ok(()))
}

/// The tombstone file as of this commit.
pub(crate) fn buried(connection: &Connection, vault: &Vault, commit: u64) -> Result<Option<Vec<u8>>, Fault> {
    let mut found = BTreeMap::new();
    let walked = rows::visit(connection, Some(Table::Tombstone), &mut |place, row| {
        let row = row.open(vault, &place)?;
        found.insert(row.id.clone(), row);
        Ok(())
    });
    match walked {
        // Without the file the head would speak of tombstones that are not there, and no start would take it.
        Ok(()) => headfile::seal_tombstones(vault, commit, &found.into_values().collect::<Vec<_>>())
            .map(Some)
            .ok_or(Fault::Refused),
        Err(crate::ReadError::Engine(error)) => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, "a tombstone cannot be read");
            Err(Fault::Refused)
        }
    }
}
