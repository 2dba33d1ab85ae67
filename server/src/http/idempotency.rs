//! `Idempotency-Key`: a request takes effect once, however often it is sent.
//!
//! For changes the key service keeps the id in the change's own row. For data keys the *wrapped* result is kept here,
//! by one insert after it exists: who loses the race answers with the winner's. Every replay is decided anew before
//! the stored result is looked at, and a plaintext is never stored: a replay that gives one out unwraps the stored
//! wrapped key under unwrap and release permits.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wardkeep_kms::{Idempotency, KmsError};
use wardkeep_model::{Caller, KeyVersion, Timestamp};
use wardkeep_store::{Change, CommitError, ReadError, Store, Table, Work};
use zeroize::Zeroizing;

use super::extract::{HeaderError, KeyedAsker};
use super::problem::Fault;

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// How long a result is kept, in milliseconds: 24 hours.
pub const KEPT_MILLIS: u64 = 24 * 3_600_000;

/// A caller's idempotency key: 1 to 64 of A-Z, a-z, 0-9, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The key of a request, at most once.
///
/// # Errors
/// [`HeaderError::IdempotencyKey`]
pub fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, HeaderError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let plain = |text: &&str| {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let text = value.to_str().ok().filter(plain).filter(|_| values.next().is_none());
    text.map(|text| Some(IdempotencyKey(text.to_owned()))).ok_or(HeaderError::IdempotencyKey)
}

impl KeyedAsker {
    /// What names this request to the key service, if the caller wants it to take effect once. `target` is what the
    /// path names; what only the body names is in the body's hash, so that another name is another body.
    #[must_use]
    pub fn idempotency(&self, route: &str, target: &str, body: [u8; 32]) -> Option<Idempotency> {
        let key = self.key.as_ref()?;
        Some(Idempotency { id: id(self.asker.caller(), route, target, key), body })
    }
}

/// Digest of actor, subject, route, target and key, each with its length: no two requests share an id by moving a byte.
fn id(caller: &Caller, route: &str, target: &str, key: &IdempotencyKey) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"wardkeep idempotency v1");
    for part in [&caller.actor().to_string(), &caller.subject().to_string(), route, target, &key.0] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// A data key that was generated under an idempotency key. It holds what its maker stored anyway, wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its wrapping version.
    pub version: KeyVersion,
    /// The wrapped data key.
    pub wrapped: Vec<u8>,
}

/// The row of a kept result, format 1.
#[derive(Serialize, Deserialize)]
struct Row {
    format: u32,
    body: String,
    version: u32,
    wrapped: String,
    made: u64,
}

const FORMAT: u32 = 1;

/// The result kept for a request, if there is one.
///
/// # Errors
/// [`KmsError::IdempotencyMismatch`] where the id was used with another body.
pub fn kept(store: &dyn Store, asked: &Idempotency, now: Timestamp) -> Result<Option<Kept>, Fault> {
    let Some(found) = store.read(Table::Idempotency, &name(asked))? else { return Ok(None) };
    let row: Row = serde_json::from_slice(&found.value).map_err(|_| KmsError::RowUnreadable)?;
    if row.format != FORMAT {
        return Err(KmsError::RowUnreadable.into());
    }
    if Timestamp::from_millis(row.made).plus_millis(KEPT_MILLIS) < now {
        return Ok(None);
    }
    if row.body != hex(&asked.body) {
        return Err(KmsError::IdempotencyMismatch.into());
    }
    let version = KeyVersion::new(row.version).ok_or(KmsError::RowUnreadable)?;
    Ok(Some(Kept { version, wrapped: unhex(&row.wrapped).ok_or(KmsError::RowUnreadable)? }))
}

/// Keeps a result, or gives the one that was kept first.
///
/// # Errors
/// The store's; then the caller learns nothing and may send the request again.
pub async fn keep(store: &dyn Store, asked: &Idempotency, made: Kept, now: Timestamp) -> Result<Kept, Fault> {
    let row = Row {
        format: FORMAT,
        body: hex(&asked.body),
        version: made.version.get(),
        wrapped: hex(&made.wrapped),
        made: now.millis(),
    };
    let value = Zeroizing::new(serde_json::to_vec(&row).map_err(|_| Fault::Unexpected)?);
    let put = |expected, value| Change::Put { table: Table::Idempotency, id: name(asked), expected, value };
    let stale =
        store.read(Table::Idempotency, &name(asked))?.filter(|_| kept(store, asked, now).is_ok_and(|k| k.is_none()));
    let work = Work { changes: vec![put(stale.map(|row| row.sequence), value)], events: vec![] };
    match store.commit(work).await {
        Ok(_) => Ok(made),
        Err(CommitError::Conflict { .. }) => kept(store, asked, now)?.ok_or(Fault::Kms(KmsError::Contended)),
        Err(error) => Err(error.into()),
    }
}

/// Deletes what was kept long enough; for the scheduler. Gives how many rows went.
///
/// # Errors
/// The store's.
pub async fn sweep(store: &Arc<dyn Store>, now: Timestamp) -> Result<usize, Fault> {
    // The walk opens the seal of every row: not on a thread that answers requests.
    let walked = store.clone();
    let walk = tokio::task::spawn_blocking(move || old_rows(&*walked, now)).await;
    let mut old = walk.map_err(|_| CommitError::Closed)??;
    let count = old.len();
    while !old.is_empty() {
        let changes = old.split_off(old.len().saturating_sub(256));
        match store.commit(Work { changes, events: vec![] }).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

fn old_rows(store: &dyn Store, now: Timestamp) -> Result<Vec<Change>, ReadError> {
    let mut old = Vec::new();
    store.scan(Table::Idempotency, &mut |row| {
        let made = serde_json::from_slice::<Row>(&row.value).map_or(0, |row| row.made);
        if Timestamp::from_millis(made).plus_millis(KEPT_MILLIS) < now {
            old.push(Change::Delete { table: Table::Idempotency, id: row.id, expected: row.sequence });
        }
    })?;
    Ok(old)
}

fn name(asked: &Idempotency) -> String {
    hex(&asked.id)
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use wardkeep_model::{EntityUid, RequestId};

    use super::*;

    fn caller(subject: Option<&str>) -> Caller {
        let app = EntityUid::new("Service", "app").unwrap();
        let caller = Caller::itself(app, None, RequestId::new("r").unwrap());
        match subject {
            Some(subject) => caller.on_behalf_of(EntityUid::new("User", subject).unwrap()),
            None => caller,
        }
    }

    #[test]
    fn a_replay_for_another_subject_is_another_request() {
        let key = IdempotencyKey("k".into());
        let ids = [
            id(&caller(None), "generate", "a/b", &key),
            id(&caller(Some("ana")), "generate", "a/b", &key),
            id(&caller(Some("bob")), "generate", "a/b", &key),
            id(&caller(None), "rotate", "a/b", &key),
            id(&caller(None), "generate", "a/bk", &IdempotencyKey("".into())),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn a_key_stands_once_and_is_plain() {
        let read = |values: &[&str]| key(&values.iter().map(|v| (HEADER, v.parse().unwrap())).collect());
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["a-B_9"]), Ok(Some(IdempotencyKey("a-B_9".into()))));
        for bad in [&["a", "b"][..], &[""], &["a b"], &["\"a\""], &[&"a".repeat(65)]] {
            assert_eq!(read(bad), Err(HeaderError::IdempotencyKey), "{bad:?}");
        }
    }

    #[test]
    fn hexadecimal_round_trips() {
        assert_eq!(hex(&[0, 0xAB, 0xFF]), "00abff");
        assert_eq!(unhex("00abff"), Some(vec![0, 0xAB, 0xFF]));
        assert_eq!((unhex("0"), unhex("zz")), (None, None));
    }
}
