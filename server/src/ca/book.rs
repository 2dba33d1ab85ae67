//! The authority's books: walks over everything that it has written down, off the threads that answer requests.
//!
//! A walk opens every row's seal. With a hundred thousand certificates that is a second in which a serving thread
//! would serve nobody.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wardkeep_model::{CertificateSerial, Timestamp};
use wardkeep_store::{Change, CommitError, ReadError, Store, Table, Work};

use super::record::CertificateRow;
use super::{Authority, AuthorityError, CertificateRecord, CertificateState};
use crate::revocation::Revoked;

/// How long an expired certificate stays in the books, in milliseconds: 30 days. The CRL lists nothing expired, so
/// that nobody needs the row any more; the audit log keeps the issue for ever.
pub const KEPT_MILLIS: u64 = 30 * 86_400_000;
/// Rows deleted in one commit.
const AT_ONCE: usize = 256;

impl Authority {
    /// Every certificate with its state at this moment. Walks the whole table: not for a thread that serves.
    pub(super) fn all_certificates(&self) -> Result<Vec<CertificateRecord>, AuthorityError> {
        let own = self.issuer_digest().unwrap_or_default();
        stated(&*self.store, &self.revoked, own, self.clock.now())
    }

    /// The same, from a thread that serves.
    pub(super) async fn walk_certificates(&self) -> Result<Vec<CertificateRecord>, AuthorityError> {
        let (store, revoked, now) = (self.store.clone(), self.revoked.clone(), self.clock.now());
        let own = self.issuer_digest().unwrap_or_default();
        off_thread(move || stated(&*store, &revoked, own, now)).await
    }

    /// Deletes what has been expired for [`KEPT_MILLIS`]; how many rows went. A certificate stays as long as one that
    /// it was renewed from does: the chain that a revocation follows has no gap.
    ///
    /// # Errors
    /// [`AuthorityError`]: unreadable rows, or the store takes no work.
    pub async fn prune(&self) -> Result<usize, AuthorityError> {
        let (store, now) = (self.store.clone(), self.clock.now());
        let mut old = off_thread(move || prunable(&*store, now)).await?;
        let mut count = 0;
        while !old.is_empty() {
            let some = old.split_off(old.len().saturating_sub(AT_ONCE));
            let (some, changes) = (some.len(), some);
            match self.store.commit(Work { changes, events: Vec::new() }).await {
                Ok(_) => count += some,
                // Somebody else changed one of them: the next look sees it.
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.families.tidy(now);
        Ok(count)
    }
}

/// Runs a walk where waiting holds nobody up.
pub(super) async fn off_thread<T: Send + 'static>(
    walk: impl FnOnce() -> Result<T, AuthorityError> + Send + 'static,
) -> Result<T, AuthorityError> {
    tokio::task::spawn_blocking(walk).await.unwrap_or(Err(AuthorityError::Commit(CommitError::Closed)))
}

/// All rows of the table, read, with their sequence.
pub(super) fn rows(store: &dyn Store) -> Result<Vec<(CertificateRecord, u64)>, AuthorityError> {
    let mut rows = Vec::new();
    let walked: Result<(), ReadError> = store.scan(Table::Certificate, &mut |row| {
        rows.push(CertificateRow::read(&row.value).map(|record| (record, row.sequence)));
    });
    walked?;
    rows.into_iter().collect()
}

fn stated(
    store: &dyn Store,
    revoked: &Arc<Revoked>,
    own: [u8; 32],
    now: Timestamp,
) -> Result<Vec<CertificateRecord>, AuthorityError> {
    let stated = |(record, _): (CertificateRecord, u64)| {
        let state = if revoked.contains(&own, &record.serial) {
            CertificateState::Revoked
        } else if now > record.not_after {
            CertificateState::Expired
        } else {
            CertificateState::Valid
        };
        CertificateRecord { state, ..record }
    };
    Ok(rows(store)?.into_iter().map(stated).collect())
}

fn prunable(store: &dyn Store, now: Timestamp) -> Result<Vec<Change>, AuthorityError> {
    let all = rows(store)?;
    let old = |record: &CertificateRecord| record.not_after.plus_millis(KEPT_MILLIS) < now;
    let parents: HashMap<&CertificateSerial, Option<&CertificateSerial>> =
        all.iter().map(|(record, _)| (&record.serial, record.parent.as_ref())).collect();
    let young: HashSet<&CertificateSerial> =
        all.iter().filter(|(record, _)| !old(record)).map(|(record, _)| &record.serial).collect();
    // Nearly every chain is short, for what is older than this look's bound went with an earlier one.
    let kept = |record: &CertificateRecord| {
        let mut at = &record.serial;
        for _ in 0..=parents.len() {
            if young.contains(at) {
                return true;
            }
            let Some(parent) = parents.get(at).copied().flatten() else { break };
            at = parent;
        }
        false
    };
    let gone = all.iter().filter(|(record, _)| !kept(record));
    let delete = |(record, expected): &(CertificateRecord, u64)| Change::Delete {
        table: Table::Certificate,
        id: record.serial.to_string(),
        expected: *expected,
    };
    Ok(gone.map(delete).collect())
}
