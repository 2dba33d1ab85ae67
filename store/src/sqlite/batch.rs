//! Audit batches: the records of one commit in one sealed row.
//!
//! A commit is one row, however many works it made durable: one seal and one insert instead of one per
//! record. The batch also carries the XOR of the state digest and the head that the commit signed.

use rusqlite::{Connection, OptionalExtension};

use super::rows::StateXor;
use super::schema::{signed, unsigned};
use super::vault::Vault;
use crate::audit::chain::Chain;
use crate::audit::head::SIGNED_HEAD_LEN;
use crate::sealing::Purpose;
use crate::{AuditRecord, ReadError, SignedHead};

/// Version of the batch's inner form; its first byte.
const VERSION: u8 = 1;

/// A commit's records on their way into the file.
pub(crate) struct Draft {
    before: Chain,
    after: Chain,
    lines: Vec<u8>,
}

/// An opened batch.
pub(crate) struct Batch {
    /// The chain before its first record.
    pub(crate) before: Chain,
    /// How many records it says it holds.
    pub(crate) count: u64,
    /// The XOR of the state after the commit.
    pub(crate) xor: StateXor,
    /// The head that the commit signed.
    pub(crate) head: SignedHead,
    lines: Vec<u8>,
}

/// A batch's row, unopened.
pub(crate) struct Sealed {
    pub(crate) number: u64,
    pub(crate) first: u64,
    pub(crate) count: u64,
    sealed: Vec<u8>,
}

impl Draft {
    /// An empty draft after a chain.
    pub(crate) fn after(before: Chain) -> Self {
        Self { before, after: before, lines: Vec::new() }
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, line: &[u8]) {
        self.after = self.after.extended(line);
        self.lines.extend_from_slice(&u32::try_from(line.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.lines.extend_from_slice(line);
    }

    /// The chain with everything pushed so far.
    pub(crate) fn chain(&self) -> Chain {
        self.after
    }

    /// Seals and writes the batch: `version || first || count || hash before || xor || signed head || lines`.
    pub(crate) fn insert(
        &self,
        connection: &Connection,
        vault: &Vault,
        xor: &StateXor,
        head: &SignedHead,
    ) -> Result<usize, super::writer::Fault> {
        let (first, count) = (self.before.length + 1, self.after.length - self.before.length);
        let mut plain = Vec::with_capacity(81 + SIGNED_HEAD_LEN + self.lines.len());
        plain.push(VERSION);
        plain.extend_from_slice(&first.to_be_bytes());
        plain.extend_from_slice(&count.to_be_bytes());
        plain.extend_from_slice(&self.before.hash);
        plain.extend_from_slice(&xor.0);
        plain.extend_from_slice(&head.to_bytes());
        plain.extend_from_slice(&self.lines);
        let number = head.head.commit;
        let sealed = vault.sealer.seal(Purpose::Audit, &number.to_be_bytes(), &plain)?;
        const SQL: &str = "INSERT INTO audit (number, first, count, sealed) VALUES (?1, ?2, ?3, ?4)";
        let mut statement = connection.prepare_cached(SQL)?;
        statement.execute((signed(number), signed(first), signed(count), &sealed))?;
        Ok(sealed.len())
    }
}

impl Sealed {
    fn from_row(row: &rusqlite::Row<'_>) -> Result<Self, rusqlite::Error> {
        let (number, first, count) = (unsigned(row.get(0)?), unsigned(row.get(1)?), unsigned(row.get(2)?));
        Ok(Self { number, first, count, sealed: row.get(3)? })
    }

    /// Opens it; `None` where it was changed, moved or made by somebody else.
    pub(crate) fn open(&self, vault: &Vault) -> Option<Batch> {
        let plain = vault.sealer.open(Purpose::Audit, &self.number.to_be_bytes(), &self.sealed)?;
        let (version, rest) = plain.split_first()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (xor, rest) = rest.split_first_chunk::<32>()?;
        let (head, lines) = rest.split_at_checked(SIGNED_HEAD_LEN)?;
        let (first, count) = (u64::from_be_bytes(*first), u64::from_be_bytes(*count));
        let head = SignedHead::from_bytes(head)?;
        let fits = *version == VERSION && first == self.first && count == self.count && head.head.commit == self.number;
        let before = Chain { length: first.checked_sub(1)?, hash: *hash };
        fits.then(|| Batch { before, count, xor: StateXor(*xor), head, lines: lines.to_vec() })
    }
}

impl Batch {
    /// Its records, hashed anew; `None` where the lines are not as many as it says, or end in another hash.
    pub(crate) fn records(&self) -> Option<Vec<AuditRecord>> {
        let mut records = Vec::new();
        let mut chain = self.before;
        let mut rest = self.lines.as_slice();
        while let Some((len, after)) = rest.split_first_chunk::<4>() {
            let (line, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
            let next = chain.extended(line);
            let line = std::str::from_utf8(line).ok()?.to_owned();
            records.push(AuditRecord { sequence: next.length, previous: chain.hash, hash: next.hash, line });
            (chain, rest) = (next, after);
        }
        let head = self.head.head;
        let whole = rest.is_empty() && records.len() as u64 == self.count;
        (whole && chain == (Chain { length: head.length, hash: head.hash })).then_some(records)
    }
}

/// The newest batch.
pub(crate) fn newest(connection: &Connection) -> Result<Option<Sealed>, rusqlite::Error> {
    const SQL: &str = "SELECT number, first, count, sealed FROM audit ORDER BY number DESC LIMIT 1";
    connection.prepare_cached(SQL)?.query_row([], Sealed::from_row).optional()
}

/// The batch of a commit.
pub(crate) fn of_commit(connection: &Connection, number: u64) -> Result<Option<Sealed>, rusqlite::Error> {
    const SQL: &str = "SELECT number, first, count, sealed FROM audit WHERE number = ?1";
    connection.prepare_cached(SQL)?.query_row([signed(number)], Sealed::from_row).optional()
}

/// Visits batches from a commit on, until the visitor answers `false`.
pub(crate) fn visit(
    connection: &Connection,
    from: u64,
    each: &mut dyn FnMut(Sealed) -> Result<bool, ReadError>,
) -> Result<(), ReadError> {
    const SQL: &str = "SELECT number, first, count, sealed FROM audit WHERE number >= ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query([signed(from)])?;
    while let Some(row) = rows.next()? {
        if !each(Sealed::from_row(row)?)? {
            break;
        }
    }
    Ok(())
}

/// The commit that holds a record: first records never fall as commits rise, so halving finds it without an
/// index that every commit would pay for.
pub(crate) fn commit_of(connection: &Connection, record: u64, newest: u64) -> Result<u64, ReadError> {
    // Where a batch is gone the one before it answers: the gap is the reader's to name.
    const SQL: &str = "SELECT first FROM audit WHERE number <= ?1 ORDER BY number DESC LIMIT 1";
    let mut statement = connection.prepare_cached(SQL)?;
    let (mut low, mut high) = (1, newest.max(1));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let first: Option<i64> = statement.query_row([signed(middle)], |row| row.get(0)).optional()?;
        if first.is_none_or(|first| unsigned(first) <= record) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}
