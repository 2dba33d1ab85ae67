//! How issued user keys stand in the store: JSON with a version, in structs that nothing else sees.
//!
//! Three kinds of rows. Table `user-key` holds a row a serial (`ring/key#version/serial`) and a ledger an authority version
//! (`ring/key#version`); table `recipient` a row a subject. None of them ever holds a user key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use wardkeep_abe::Dates;
use wardkeep_model::{EntityUid, KeyId, KeyVersion, Timestamp};
use zeroize::Zeroizing;

use crate::issued::{Issued, List};
use crate::keyring::version_row;
use crate::row::write;

/// Version of the rows.
const FORMAT: u8 = 1;

/// One serial.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserKeyRow {
    format: u8,
    /// For whom, as Cedar writes it.
    subject: String,
    /// Who asked.
    actor: String,
    /// Canonical text.
    attributes: String,
    /// The last time bucket it opens anything of.
    bucket: u32,
    /// The end of that bucket, in seconds.
    until: u64,
    /// In milliseconds.
    issued: u64,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<u64>,
}

/// An authority version's ledger.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerRow {
    format: u8,
    /// No serial below was ever free again.
    next: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<ListRow>,
}

/// The newest revocation list.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListRow {
    number: u64,
    issued: u64,
    next_update: u64,
    /// Signed, in base64.
    signed: String,
    cover_rows: usize,
}

/// A subject's public key. A removed one keeps its row, so that revisions never come again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipientRow {
    format: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spki: Option<String>,
    changed: u64,
}

/// What the id of a row of table `user-key` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowName {
    pub(crate) key: KeyId,
    pub(crate) version: KeyVersion,
    /// `None`: the ledger.
    pub(crate) serial: Option<u32>,
}

/// What a ledger's row tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LedgerBody {
    /// The lowest serial that may still be free.
    pub(crate) next: u32,
    /// The newest list.
    pub(crate) list: Option<List>,
}

/// The id of a serial's row.
pub(crate) fn serial_row(key: &KeyId, version: KeyVersion, serial: u32) -> String {
    format!("{}/{serial}", version_row(key, version))
}

/// Reads an id; `None` for any other spelling.
pub(crate) fn read_name(id: &str) -> Option<RowName> {
    let (key, rest) = id.rsplit_once('#')?;
    let (version, serial) = match rest.split_once('/') {
        None => (rest, None),
        Some((version, serial)) => (version, Some(serial.parse().ok()?)),
    };
    let name = RowName { key: KeyId::parse(key).ok()?, version: KeyVersion::new(version.parse().ok()?)?, serial };
    // One name, one spelling: `+1` and `01` are numbers to a parser.
    let again = match name.serial {
        None => version_row(&name.key, name.version),
        Some(serial) => serial_row(&name.key, name.version, serial),
    };
    (again == id).then_some(name)
}

/// A serial's row.
pub(crate) fn write_issued(issued: &Issued) -> Option<Zeroizing<Vec<u8>>> {
    write(&UserKeyRow {
        format: FORMAT,
        subject: issued.subject.to_string(),
        actor: issued.actor.to_string(),
        attributes: issued.attributes.clone(),
        bucket: issued.bucket,
        until: issued.until,
        issued: issued.at.millis(),
        revoked: issued.revoked.map(Timestamp::millis),
    })
}

/// Reads a serial's row; `None` for anything but a row of a known version.
pub(crate) fn read_issued(bytes: &[u8]) -> Option<Issued> {
    let row: UserKeyRow = serde_json::from_slice(bytes).ok().filter(|row: &UserKeyRow| row.format == FORMAT)?;
    Some(Issued {
        subject: EntityUid::parse(&row.subject).ok()?,
        actor: EntityUid::parse(&row.actor).ok()?,
        attributes: row.attributes,
        bucket: row.bucket,
        until: row.until,
        at: Timestamp::from_millis(row.issued),
        revoked: row.revoked.map(Timestamp::from_millis),
    })
}

/// A ledger's row.
pub(crate) fn write_ledger(next: u32, list: Option<&List>) -> Option<Zeroizing<Vec<u8>>> {
    let list = list.map(|list| {
        let Dates { number, issued_at, next_update } = list.dates;
        ListRow {
            number,
            issued: issued_at,
            next_update,
            signed: STANDARD.encode(&list.signed),
            cover_rows: list.cover_rows,
        }
    });
    write(&LedgerRow { format: FORMAT, next, list })
}

/// Reads a ledger's row; `None` for anything but a row of a known version.
pub(crate) fn read_ledger(bytes: &[u8]) -> Option<LedgerBody> {
    let row: LedgerRow = serde_json::from_slice(bytes).ok().filter(|row: &LedgerRow| row.format == FORMAT)?;
    let list = match row.list {
        None => None,
        Some(ListRow { number, issued, next_update, signed, cover_rows }) => Some(List {
            dates: Dates { number, issued_at: issued, next_update },
            signed: STANDARD.decode(signed).ok()?.into(),
            cover_rows,
        }),
    };
    Some(LedgerBody { next: row.next, list })
}

/// A subject's row; `None` removes the key.
pub(crate) fn write_recipient(spki: Option<&[u8]>, changed: Timestamp) -> Option<Zeroizing<Vec<u8>>> {
    write(&RecipientRow { format: FORMAT, spki: spki.map(|der| STANDARD.encode(der)), changed: changed.millis() })
}

/// Reads a subject's row: the key, unless it was removed, and when it was last changed.
pub(crate) fn read_recipient(bytes: &[u8]) -> Option<(Option<Vec<u8>>, Timestamp)> {
    let row: RecipientRow = serde_json::from_slice(bytes).ok().filter(|row: &RecipientRow| row.format == FORMAT)?;
    let spki = match row.spki {
        None => None,
        Some(text) => Some(STANDARD.decode(text).ok()?),
    };
    Some((spki, Timestamp::from_millis(row.changed)))
}

#[cfg(test)]
mod tests;
