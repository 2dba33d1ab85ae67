//! A revocation that is worked out and not yet made: rows, lists and events of every authority version it touches, for
//! one commit.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use wardkeep_model::{AuditEvent, EventDetail, KeyVersion};
use wardkeep_store::{Change, Store, Table, Work};

use crate::error::KmsError;
use crate::issued::row::{LedgerBody, serial_row, write_issued};
use crate::issued::{Entry, Issued, Ledger, List};
use crate::keyring::{Key, version_row};
use crate::service::Inner;
use crate::service::authority::{RevocationInfo, ledger_change};
use crate::service::guard::fits;
use crate::service::record::note;
use crate::service::revoke::RevokedUserKeys;

/// Most runs of serials that one event names: a record stays a line that somebody can read.
const RUNS: usize = 500;

/// Serials of one authority version that are to be revoked.
pub(super) struct Chosen {
    pub(super) key: Arc<Key>,
    pub(super) version: KeyVersion,
    pub(super) ledger: Arc<Ledger>,
    /// Ascending.
    pub(super) serials: Vec<u32>,
}

/// What is to be made durable. The turns of the ledgers are held until it is dropped.
pub(super) struct Draft {
    pub(super) changes: Vec<Change>,
    pub(super) events: Vec<AuditEvent>,
    versions: Vec<Version>,
    _turns: Vec<OwnedMutexGuard<()>>,
}

/// What memory takes of one version once the draft is durable.
struct Version {
    key: Arc<Key>,
    version: KeyVersion,
    ledger: Arc<Ledger>,
    entries: Vec<(u32, Entry)>,
    body: LedgerBody,
    list: List,
}

impl Inner {
    /// Works out a revocation; `event` is what each of its events begins as.
    ///
    /// Versions come in the order of keys and numbers, so that two of these never wait for each other.
    pub(super) async fn draft(self: &Arc<Self>, event: &AuditEvent, chosen: Vec<Chosen>) -> Result<Draft, KmsError> {
        let (mut changes, mut events) = (Vec::new(), Vec::new());
        let (mut versions, mut turns) = (Vec::with_capacity(chosen.len()), Vec::with_capacity(chosen.len()));
        for Chosen { key, version, ledger, serials } in chosen {
            turns.push(Arc::clone(&ledger.turn).lock_owned().await);
            let (inner, of, books) = (Arc::clone(self), Arc::clone(&key), Arc::clone(&ledger));
            // Beside the threads that serve connections: ten thousand rows are read and written anew here.
            let rows = tokio::task::spawn_blocking(move || inner.revoked_rows(&of, version, &serials, &books));
            let (mut rows, entries) = rows.await.unwrap_or(Err(KmsError::ShuttingDown))?;
            let serials: Vec<u32> = entries.iter().map(|(serial, _)| *serial).collect();
            let list = self.next_list(&key, version, &ledger, serials.clone()).await?;
            let (put, body) = ledger_change(&key.facts.id, version, &ledger, Some(list.clone()))?;
            changes.append(&mut rows);
            changes.push(put);
            events.extend(told(event, &word(event, &key, version), &serials));
            versions.push(Version { key, version, ledger, entries, body, list });
        }
        Ok(Draft { changes, events, versions, _turns: turns })
    }

    /// The rows of serials with the moment of their revocation, and what memory keeps of them then.
    #[expect(clippy::type_complexity, reason = "the two halves of one change, taken apart by the only caller")]
    fn revoked_rows(
        &self,
        key: &Key,
        version: KeyVersion,
        serials: &[u32],
        ledger: &Ledger,
    ) -> Result<(Vec<Change>, Vec<(u32, Entry)>), KmsError> {
        let (id, now) = (&key.facts.id, self.clock.now());
        let (mut changes, mut entries) = (Vec::new(), Vec::new());
        for serial in serials.iter().copied() {
            // Looked at under the turn: another revocation or a sweep may have come first.
            let Some(entry) = ledger.entry(serial).filter(|entry| !entry.revoked) else { continue };
            let Some(former) = self.issued_row(id, version, serial)? else { continue };
            let value = write_issued(&Issued { revoked: Some(now), ..former }).ok_or(KmsError::RowUnreadable)?;
            let expected = Some(entry.sequence);
            changes.push(Change::Put { table: Table::UserKey, id: serial_row(id, version, serial), expected, value });
            entries.push((serial, Entry { revoked: true, sequence: entry.sequence + 1, ..entry }));
        }
        Ok((changes, entries))
    }
}

impl Draft {
    /// Makes it durable and puts it in force. Where it touches nothing, that it was asked for is recorded.
    pub(super) async fn commit(mut self, store: &dyn Store, asked: AuditEvent) -> Result<RevokedUserKeys, KmsError> {
        let (changes, mut events) = (std::mem::take(&mut self.changes), std::mem::take(&mut self.events));
        if events.is_empty() {
            events.push(asked.with(EventDetail::Count, "0").with_outcome("ok"));
        }
        store.commit(Work { changes, events }).await?;
        Ok(self.install())
    }

    /// Takes into memory what is durable.
    pub(super) fn install(self) -> RevokedUserKeys {
        let (mut revoked, mut lists) = (0, Vec::with_capacity(self.versions.len()));
        for Version { key, version, ledger, entries, body, list } in self.versions {
            revoked += entries.len();
            for (serial, entry) in entries {
                ledger.install(serial, entry);
            }
            ledger.install_row(ledger.sequence().unwrap_or(0) + 1, body);
            lists.push(RevocationInfo::new(&key.facts.id, version, &list));
        }
        RevokedUserKeys { revoked, lists }
    }
}

/// The version as an event names it: with its key, where the event is not about that.
fn word(event: &AuditEvent, key: &Key, version: KeyVersion) -> String {
    let id = &key.facts.id;
    if fits(&event.resource, "Wardkeep::Key", id.as_str()).is_ok() {
        version.to_string()
    } else {
        version_row(id, version)
    }
}

/// The events of one version: every serial stands in one of them, as runs.
fn told(event: &AuditEvent, version: &str, serials: &[u32]) -> Vec<AuditEvent> {
    let runs = runs(serials);
    let event = |runs: &[(u32, u32)]| {
        let mut event = event.clone().with_outcome("ok");
        let word = |(first, last): &(u32, u32)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        let count: u64 = runs.iter().map(|(first, last)| u64::from(last - first) + 1).sum();
        note(&mut event, EventDetail::KeyVersion, || version.to_owned());
        note(&mut event, EventDetail::UserKey, || runs.iter().map(word).collect::<Vec<_>>().join(","));
        note(&mut event, EventDetail::Count, || count.to_string());
        event
    };
    if runs.is_empty() { vec![event(&[])] } else { runs.chunks(RUNS).map(event).collect() }
}

/// Runs of numbers that follow each other, first and last; `serials` ascend.
fn runs(serials: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for serial in serials.iter().copied() {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(serial) => *last = serial,
            _ => runs.push((serial, serial)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_name_every_serial_once() {
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[7]), [(7, 7)]);
        assert_eq!(runs(&[1, 2, 3, 5, 8, 9]), [(1, 3), (5, 5), (8, 9)]);
        assert_eq!(runs(&[u32::MAX - 1, u32::MAX]), [(u32::MAX - 1, u32::MAX)]);
    }
}
