//! State rows: how one is blinded, sealed, chained and counted in the state digest.

use rusqlite::{CachedStatement, Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::headfile::{FILE_OVERHEAD, MAX_TOMBSTONES};
use super::schema::{signed, unsigned};
use super::vault::Vault;
use crate::sealing::{OVERHEAD, Purpose};
use crate::{ReadError, Row, Table};

/// Where an id's rows stand: its table, and the HMAC that hides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) table: Table,
    pub(crate) tag: [u8; 32],
}

/// A row as it lies in the file.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    /// The hash of the row before it, for tables with history; zeros for the first and for other tables.
    pub(crate) previous: [u8; 32],
    pub(crate) sealed: Vec<u8>,
}

/// The XOR of the HMACs of all newest rows. Never shown: who saw it could solve for rows that cancel out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StateXor(pub(crate) [u8; 32]);

/// What the previous hash of a first row is.
pub(crate) const NO_PREVIOUS: [u8; 32] = [0; 32];

impl Place {
    /// The place of an id.
    pub(crate) fn of(vault: &Vault, table: Table, id: &str) -> Self {
        Self { table, tag: vault.tags.tag(&[&[table.number()], id.as_bytes()]) }
    }

    /// The first bytes of the tag, for messages.
    pub(crate) fn shown(&self) -> String {
        self.tag.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn tampered(&self) -> ReadError {
        ReadError::Tampered { table: self.table, tag: self.shown() }
    }

    fn purpose(&self) -> Purpose {
        if self.table == Table::Material { Purpose::Material } else { Purpose::State }
    }

    /// `table || tag || sequence || previous`: what a row's seal is bound to.
    fn bound_to(&self, sequence: u64, previous: &[u8; 32]) -> Vec<u8> {
        [&[self.table.number()][..], &self.tag, &sequence.to_be_bytes(), previous].concat()
    }
}

impl Stored {
    /// Seals a new row: `id length (2) || id || value`.
    pub(crate) fn seal(
        vault: &Vault,
        place: &Place,
        (sequence, previous): (u64, [u8; 32]),
        id: &str,
        value: &[u8],
    ) -> Result<Self, wardkeep_model::EntropyError> {
        let mut plain = Zeroizing::new(Vec::with_capacity(2 + id.len() + value.len()));
        // Ids are at most MAX_ID bytes, checked where works come in.
        plain.extend_from_slice(&u16::try_from(id.len()).unwrap_or(u16::MAX).to_be_bytes());
        plain.extend_from_slice(id.as_bytes());
        plain.extend_from_slice(value);
        let sealed = vault.sealer.seal(place.purpose(), &place.bound_to(sequence, &previous), &plain)?;
        Ok(Self { sequence, previous, sealed })
    }

    /// Opens a row, and checks that the id inside is the one its place hides.
    pub(crate) fn open(&self, vault: &Vault, place: &Place) -> Result<Row, ReadError> {
        let bound_to = place.bound_to(self.sequence, &self.previous);
        let plain = vault.sealer.open(place.purpose(), &bound_to, &self.sealed).ok_or_else(|| place.tampered())?;
        let parse = || {
            let (len, rest) = plain.split_first_chunk::<2>()?;
            let (id, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
            let id = String::from_utf8(id.to_vec()).ok()?;
            Some(Row { id, sequence: self.sequence, value: Zeroizing::new(value.to_vec()) })
        };
        let row = parse().ok_or_else(|| place.tampered())?;
        if Place::of(vault, place.table, &row.id) != *place {
            return Err(place.tampered());
        }
        Ok(row)
    }

    /// The hash that the next row of a history carries, and that the digest counts.
    pub(crate) fn hash(&self, place: &Place) -> [u8; 32] {
        let bound_to = place.bound_to(self.sequence, &self.previous);
        let hash = Sha256::new().chain_update(b"wardkeep row v1").chain_update(bound_to).chain_update(&self.sealed);
        hash.finalize().into()
    }
}

impl StateXor {
    /// Counts a newest row in, or out again.
    pub(crate) fn toggle(&mut self, vault: &Vault, place: &Place, sequence: u64, hash: &[u8; 32]) {
        if !place.table.digested() {
            return;
        }
        let tag = vault.rows.tag(&[&[place.table.number()], &place.tag, &sequence.to_be_bytes(), hash]);
        for (byte, other) in self.0.iter_mut().zip(tag) {
            *byte ^= other;
        }
    }

    /// The digest that heads carry.
    pub(crate) fn digest(&self, vault: &Vault, commit: u64, length: u64) -> [u8; 32] {
        vault.state.tag(&[vault.store.as_bytes(), &commit.to_be_bytes(), &length.to_be_bytes(), &self.0])
    }
}

fn stored(row: &rusqlite::Row<'_>, from: usize) -> Result<Stored, rusqlite::Error> {
    Ok(Stored { sequence: unsigned(row.get(from)?), previous: row.get(from + 1)?, sealed: row.get(from + 2)? })
}

/// The newest row of a place.
pub(crate) fn newest(connection: &Connection, place: &Place) -> Result<Option<Stored>, rusqlite::Error> {
    const SQL: &str =
        "SELECT sequence, previous, sealed FROM state WHERE kind = ?1 AND tag = ?2 ORDER BY sequence DESC LIMIT 1";
    let mut statement = connection.prepare_cached(SQL)?;
    statement.query_row((place.table.number(), place.tag), |row| stored(row, 0)).optional()
}

/// All rows of a place, oldest first.
pub(crate) fn all_of(connection: &Connection, place: &Place) -> Result<Vec<Stored>, rusqlite::Error> {
    const SQL: &str = "SELECT sequence, previous, sealed FROM state WHERE kind = ?1 AND tag = ?2 ORDER BY sequence";
    let mut statement = connection.prepare_cached(SQL)?;
    statement.query_map((place.table.number(), place.tag), |row| stored(row, 0))?.collect()
}

/// Writes a row; for a table without history instead of the one before.
pub(crate) fn insert(connection: &Connection, place: &Place, row: &Stored) -> Result<(), rusqlite::Error> {
    if !place.table.keeps_history() && row.sequence > 1 {
        delete(connection, place)?;
    }
    const SQL: &str = "INSERT INTO state (kind, tag, sequence, previous, sealed) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = connection.prepare_cached(SQL)?;
    statement.execute((place.table.number(), place.tag, signed(row.sequence), row.previous, &row.sealed))?;
    Ok(())
}

/// Whether one more tombstone fits into the file of them, which is written whole and read within a bound. Rows count as
/// they are sealed, which is longer than they stand in the file: what is refused here is refused too early, never too late.
pub(crate) fn has_room_for_tombstone(connection: &Connection, id: &str, value: &[u8]) -> Result<bool, rusqlite::Error> {
    let mut statement =
        connection.prepare_cached("SELECT COALESCE(SUM(LENGTH(sealed)), 0) FROM state WHERE kind = ?1")?;
    let held: i64 = statement.query_row([Table::Tombstone.number()], |row| row.get(0))?;
    let added = (OVERHEAD + 2 + id.len() + value.len()) as u64;
    Ok(unsigned(held).saturating_add(added) <= MAX_TOMBSTONES - FILE_OVERHEAD)
}

/// Deletes all rows of a place.
pub(crate) fn delete(connection: &Connection, place: &Place) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached("DELETE FROM state WHERE kind = ?1 AND tag = ?2")?;
    statement.execute((place.table.number(), place.tag))?;
    Ok(())
}

/// Visits the stored rows of a table, or of all tables, by place and sequence.
pub(crate) fn visit(
    connection: &Connection,
    table: Option<Table>,
    each: &mut dyn FnMut(Place, Stored) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    const ALL: &str = "SELECT kind, tag, sequence, previous, sealed FROM state ORDER BY kind, tag, sequence";
    const ONE: &str = "SELECT kind, tag, sequence, previous, sealed FROM state WHERE kind = ?1 ORDER BY tag, sequence";
    let mut statement: CachedStatement<'_> = connection.prepare_cached(if table.is_some() { ONE } else { ALL })?;
    let mut rows = match table {
        Some(table) => statement.query([table.number()])?,
        None => statement.query([])?,
    };
    while let Some(row) = rows.next()? {
        let kind: u8 = row.get(0)?;
        let table = Table::from_number(kind);
        let table = table.ok_or_else(|| ReadError::Corrupt { finding: format!("a row of unknown table {kind}") })?;
        each(Place { table, tag: row.get(1)? }, stored(row, 2)?)?;
    }
    Ok(())
}

/// Walks rows that come by place and sequence, checks the chain of every history, and hands over the newest
/// row of each place.
pub(crate) struct Newest<F: FnMut(&Place, &Stored, [u8; 32]) -> Result<(), ReadError>> {
    current: Option<(Place, Stored, [u8; 32])>,
    done: F,
}

impl<F: FnMut(&Place, &Stored, [u8; 32]) -> Result<(), ReadError>> Newest<F> {
    pub(crate) fn new(done: F) -> Self {
        Self { current: None, done }
    }

    /// Takes the next row.
    pub(crate) fn next(&mut self, place: Place, row: Stored) -> Result<(), ReadError> {
        let follows = match &self.current {
            Some((before, last, hash)) if *before == place => {
                let history = place.table.keeps_history();
                history && last.sequence.checked_add(1) == Some(row.sequence) && *hash == row.previous
            }
            // A table without history holds one row, whatever its sequence.
            _ => row.previous == NO_PREVIOUS && (row.sequence == 1 || !place.table.keeps_history()),
        };
        if !follows {
            return Err(place.tampered());
        }
        let hash = row.hash(&place);
        if let Some((before, last, hash)) = self.current.replace((place, row, hash))
            && before != place
        {
            (self.done)(&before, &last, hash)?;
        }
        Ok(())
    }

    /// Hands over the last one.
    pub(crate) fn finish(mut self) -> Result<(), ReadError> {
        match self.current.take() {
            Some((place, row, hash)) => (self.done)(&place, &row, hash),
            None => Ok(()),
        }
    }
}

/// The XOR over the rows as they lie in the file, histories checked on the way. Opens no seal.
pub(crate) fn recount(connection: &Connection, vault: &Vault) -> Result<StateXor, ReadError> {
    let mut xor = StateXor::default();
    let mut walk = Newest::new(|place: &Place, row: &Stored, hash| {
        xor.toggle(vault, place, row.sequence, &hash);
        Ok(())
    });
    visit(connection, None, &mut |place, row| walk.next(place, row))?;
    walk.finish()?;
    Ok(xor)
}
