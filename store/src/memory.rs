//! The port without a disk, for tests of other rooms. Same rules, same heads, nothing durable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use wardkeep_model::{Clock, Entropy, EntropyError};
use zeroize::Zeroizing;

use crate::audit::chain::Chain;
use crate::audit::head::HeadSigner;
use crate::commit::{Lines, within_bounds};
use crate::{
    AuditRecord, Change, Commit, CommitError, Examination, Head, Health, Mode, ReadError, Receipt, Row, SignedHead,
    Status, Store, StoreId, Table, Verdict, VerifyError, Work,
};

/// A store in memory.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    signer: HeadSigner,
    inner: Mutex<Inner>,
}

type Rows = BTreeMap<(Table, String), Vec<(u64, Zeroizing<Vec<u8>>)>>;

struct Inner {
    rows: Rows,
    /// The XOR of the newest rows' hashes. Nobody but this process reaches the rows: no keys are needed.
    digest: [u8; 32],
    records: Vec<AuditRecord>,
    chain: Chain,
    head: SignedHead,
    closed: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, EntropyError> {
        let (mut id, mut seed) = ([0; 16], Zeroizing::new([0; 32]));
        entropy.fill(&mut id)?;
        entropy.fill(seed.as_mut())?;
        let store = StoreId::from_bytes(id);
        let signer = HeadSigner::from_seed(seed.as_ref()).ok_or(EntropyError)?;
        let chain = Chain::beginning(&store);
        let head =
            Head { store, commit: 1, length: 0, hash: chain.hash, digest: [0; 32], tombstones: 0, time: clock.now() };
        let head = signer.sign_head(head).ok_or(EntropyError)?;
        let inner = Inner { rows: Rows::new(), digest: [0; 32], records: Vec::new(), chain, head, closed: false };
        Ok(Self { clock, signer, inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, work: Work) -> Result<Receipt, CommitError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(CommitError::Closed);
        }
        if !within_bounds(&work) {
            return Err(CommitError::Failed);
        }
        let lines = Lines::of(&work);
        let touches_tombstones =
            work.changes.iter().any(|change| matches!(change, Change::Put { table: Table::Tombstone, .. }));
        let (mut undo, mut digest) = (Vec::new(), inner.digest);
        for change in work.changes {
            if let Err(error) = change_rows(&mut inner.rows, change, &mut undo, &mut digest) {
                revert(&mut inner.rows, undo);
                return Err(error);
            }
        }
        let mut chain = inner.chain;
        let mut records = Vec::new();
        for line in lines.iter() {
            let (previous, next) = (chain.hash, chain.extended(line));
            let line = String::from_utf8_lossy(line).into_owned();
            records.push(AuditRecord { sequence: next.length, previous, hash: next.hash, line });
            chain = next;
        }
        let commit = inner.head.head.commit + 1;
        let head = Head {
            commit,
            length: chain.length,
            hash: chain.hash,
            digest,
            tombstones: if touches_tombstones { commit } else { inner.head.head.tombstones },
            time: self.clock.now(),
            ..inner.head.head
        };
        let Some(head) = self.signer.sign_head(head) else {
            revert(&mut inner.rows, undo);
            return Err(CommitError::Failed);
        };
        let receipt = Receipt { first_record: inner.chain.length + 1, records: lines.len() };
        inner.digest = digest;
        inner.records.extend(records);
        inner.chain = chain;
        inner.head = head;
        Ok(receipt)
    }
}

type Undo = Vec<((Table, String), Option<Vec<(u64, Zeroizing<Vec<u8>>)>>)>;

/// Applies one change and remembers what was there before.
fn change_rows(rows: &mut Rows, change: Change, undo: &mut Undo, digest: &mut [u8; 32]) -> Result<(), CommitError> {
    let (table, id, expected, value) = match change {
        Change::Put { table, id, expected, value } => (table, id, expected, Some(value)),
        Change::Delete { table, id, expected } => (table, id, Some(expected), None),
    };
    let place = (table, id);
    let found = rows.get(&place).and_then(|history| history.last()).map(|(sequence, _)| *sequence);
    let dead = table == Table::Key && found.is_none() && rows.contains_key(&(Table::Tombstone, place.1.clone()));
    let dug_up = table == Table::Tombstone && value.is_none();
    if found != expected || dead || dug_up {
        return Err(CommitError::Conflict { table, id: place.1 });
    }
    undo.push((place.clone(), rows.get(&place).cloned()));
    toggle(digest, &place, rows.get(&place).and_then(|history| history.last()));
    let Some(value) = value else {
        rows.remove(&place);
        return Ok(());
    };
    let history = rows.entry(place.clone()).or_default();
    if !table.keeps_history() {
        history.clear();
    }
    history.push((found.unwrap_or(0).saturating_add(1), value));
    toggle(digest, &place, history.last());
    Ok(())
}

fn revert(rows: &mut Rows, undo: Undo) {
    for (place, before) in undo.into_iter().rev() {
        match before {
            Some(history) => rows.insert(place, history),
            None => rows.remove(&place),
        };
    }
}

/// Counts a newest row in, or out again.
fn toggle(digest: &mut [u8; 32], (table, id): &(Table, String), row: Option<&(u64, Zeroizing<Vec<u8>>)>) {
    let Some((sequence, value)) = row.filter(|_| table.digested()) else { return };
    let mut hash = Sha256::new_with_prefix([table.number()]);
    hash.update((id.len() as u64).to_be_bytes());
    hash.update(id);
    hash.update(sequence.to_be_bytes());
    hash.update(value.as_slice());
    for (byte, other) in digest.iter_mut().zip(hash.finalize()) {
        *byte ^= other;
    }
}

fn row(id: &str, (sequence, value): &(u64, Zeroizing<Vec<u8>>)) -> Row {
    Row { id: id.to_owned(), sequence: *sequence, value: value.clone() }
}

impl Store for MemoryStore {
    fn commit(&self, work: Work) -> Commit {
        Commit::ready(self.apply(work))
    }

    fn read(&self, table: Table, id: &str) -> Result<Option<Row>, ReadError> {
        let inner = self.lock();
        let history = inner.rows.get(&(table, id.to_owned()));
        Ok(history.and_then(|history| history.last()).map(|newest| row(id, newest)))
    }

    fn scan(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<(), ReadError> {
        // Collected first, so that a visitor may use the store.
        let inner = self.lock();
        let of_table = inner.rows.iter().filter(|((of, _), _)| *of == table);
        let rows: Vec<_> = of_table.filter_map(|((_, id), history)| Some(row(id, history.last()?))).collect();
        drop(inner);
        rows.into_iter().for_each(visit);
        Ok(())
    }

    fn history(&self, table: Table, id: &str) -> Result<Vec<Row>, ReadError> {
        let inner = self.lock();
        let history = inner.rows.get(&(table, id.to_owned()));
        Ok(history.into_iter().flatten().map(|entry| row(id, entry)).collect())
    }

    fn audit(&self, from: u64, limit: usize) -> Result<Vec<AuditRecord>, ReadError> {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(self.lock().records.iter().skip(skip).take(limit).cloned().collect())
    }

    fn head(&self) -> SignedHead {
        self.lock().head
    }

    fn verify(&self) -> Result<Verdict, VerifyError> {
        let inner = self.lock();
        let mut chain = Chain::beginning(&inner.head.head.store);
        for record in &inner.records {
            let next = chain.extended(record.line.as_bytes());
            if (record.sequence, record.previous, record.hash) != (next.length, chain.hash, next.hash) {
                return Err(VerifyError::Record { record: next.length });
            }
            chain = next;
        }
        let head = inner.head.head;
        if chain != (Chain { length: head.length, hash: head.hash }) {
            return Err(VerifyError::Cut { found: chain.length, expected: head.length });
        }
        if !inner.head.verify(&self.signer.public_key()) {
            return Err(VerifyError::Signature);
        }
        Ok(Verdict { records: chain.length, status: Status::Consistent })
    }

    fn health(&self) -> Health {
        let head = self.lock().head.head;
        Health {
            mode: Mode::Normal,
            head_age_millis: 0,
            head_configured: false,
            head_stale: false,
            reserve_left: 0,
            wal_bytes: 0,
            commits: head.commit,
            records: head.length,
            waiting: 0,
            examination: Examination::Sound,
        }
    }

    fn audit_public_key(&self) -> [u8; 32] {
        self.signer.public_key()
    }

    fn close(&self) {
        self.lock().closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HandClock, SeededEntropy};

    #[test]
    fn the_memory_store_conforms() {
        let mut seed = 0;
        let mut fresh = || -> Box<dyn Store> {
            seed += 1;
            Box::new(MemoryStore::new(HandClock::new(), SeededEntropy::new(seed)).unwrap())
        };
        crate::conformance::all(&mut fresh).unwrap();
    }

    #[test]
    fn a_changed_record_is_named() {
        let store = MemoryStore::new(HandClock::new(), SeededEntropy::new(1)).unwrap();
        for user in ["ana", "ben", "eve"] {
            store.commit(Work::record(vec![crate::testing::event(user)])).wait().unwrap();
        }
        store.lock().records[1].line.push(' ');
        assert!(matches!(store.verify(), Err(VerifyError::Record { record: 2 })));
    }
}
