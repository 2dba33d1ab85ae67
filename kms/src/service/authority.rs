//! What an authority shows to everybody who may see it: public parameters, and signed lists of what is revoked.

use std::sync::Arc;

use wardkeep_abe::{Dates, MAX_ROWS};
use wardkeep_model::action::DescribeKey;
use wardkeep_model::{AuditEvent, KeyId, KeyVersion, Permit, Timestamp};
use wardkeep_store::{Change, CommitError, Table, Work};

use crate::error::KmsError;
use crate::issued::row::{LedgerBody, write_ledger};
use crate::issued::{Ledger, List, cover_rows};
use crate::keyring::{Key, version_row};
use crate::lifecycle::Verb;
use crate::material::abe::Published;
use crate::service::guard::{fits_key, version_for};
use crate::service::record::note_version;
use crate::service::{Inner, Kms};

/// Rows that the cover of a revocation list may take before it is reported: three quarters of those that a formula has
/// with its cover, so that there is time to rotate before nobody can seal.
pub const COVER_ROWS: usize = MAX_ROWS / 4 * 3;

/// The public parameters of an authority version.
#[derive(Debug, Clone)]
pub struct PublishedParameters {
    /// The authority.
    pub key: KeyId,
    /// The version.
    pub version: KeyVersion,
    /// What it publishes.
    pub published: Arc<Published>,
}

/// A signed list of the serials that are revoked and have not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationInfo {
    /// The authority.
    pub key: KeyId,
    /// The version.
    pub version: KeyVersion,
    /// Grows with every list.
    pub number: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// From when on nobody seals under it.
    pub next_update: Timestamp,
    /// Rows that it adds to a formula.
    pub cover_rows: usize,
    /// The list, signed by the authority.
    pub signed: Arc<[u8]>,
}

/// The authority whose newest version has the widest cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WidestCover {
    /// The authority.
    pub key: KeyId,
    /// Rows of its cover.
    pub rows: usize,
}

impl Kms {
    /// The public parameters of an authority version; of the newest where none is named.
    ///
    /// # Errors
    /// [`KmsError::WrongUsage`], [`KmsError::VersionNotFound`], [`KmsError::StateForbids`] in pre-activation,
    /// [`KmsError::KeyDestroyed`]; or what the store says.
    pub async fn parameters(
        &self,
        permit: Permit<DescribeKey>,
        id: &KeyId,
        version: Option<KeyVersion>,
    ) -> Result<PublishedParameters, KmsError> {
        let checked = fits_key(&permit, id);
        let mut event = permit.into_event();
        let found = match checked {
            Ok(()) => self.inner.published(&mut event, id, version).await,
            Err(error) => Err(error),
        };
        self.inner.record(event, found).await
    }

    /// The newest revocation list of an authority version, at least half of its life ahead of it; of the newest version
    /// where none is named.
    ///
    /// A list past its half is signed anew here, where somebody asks for it: an authority that nobody asks costs nothing.
    /// While the store takes no changes the former list is given out as long as it lives.
    ///
    /// # Errors
    /// As [`Kms::parameters`], and [`KmsError::RevocationList`].
    pub async fn revocations(
        &self,
        permit: Permit<DescribeKey>,
        id: &KeyId,
        version: Option<KeyVersion>,
    ) -> Result<RevocationInfo, KmsError> {
        let checked = fits_key(&permit, id).and_then(|()| self.inner.publishing(id, version));
        let mut event = permit.into_event();
        let (key, version) = match checked {
            Ok(found) => found,
            Err(error) => return self.inner.record(event, Err(error)).await,
        };
        note_version(&mut event, version);
        let ledger = self.inner.issued.ledger(id, version);
        if let Some(list) = self.inner.fresh_list(&ledger) {
            return self.inner.record(event, Ok(RevocationInfo::new(id, version, &list))).await;
        }
        let inner = Arc::clone(&self.inner);
        let work = {
            let event = event.clone();
            async move { inner.signed_anew(event, key, version, ledger).await }
        };
        self.inner.carry_out(event, work).await
    }

    /// The widest cover among the newest versions of all authorities, for metrics and readiness.
    #[must_use]
    pub fn widest_cover(&self) -> Option<WidestCover> {
        let ledgers = self.inner.issued.from(None).into_iter();
        let newest = ledgers.filter(|((key, version), _)| {
            let key = self.inner.keyring.key(key);
            key.is_some_and(|key| !key.is_destroyed() && key.newest().is_some_and(|newest| newest.number == *version))
        });
        let covers = newest.filter_map(|((key, _), ledger)| Some(WidestCover { key, rows: ledger.list()?.cover_rows }));
        covers.max_by_key(|cover| cover.rows)
    }
}

impl RevocationInfo {
    pub(super) fn new(key: &KeyId, version: KeyVersion, list: &List) -> Self {
        let moment = |seconds: u64| Timestamp::from_millis(seconds.saturating_mul(1000));
        let Dates { number, issued_at, next_update } = list.dates;
        Self {
            key: key.clone(),
            version,
            number,
            issued: moment(issued_at),
            next_update: moment(next_update),
            cover_rows: list.cover_rows,
            signed: Arc::clone(&list.signed),
        }
    }
}

impl Inner {
    /// The version that is asked for, if it publishes.
    fn publishing(&self, id: &KeyId, version: Option<KeyVersion>) -> Result<(Arc<Key>, KeyVersion), KmsError> {
        let key = self.key(id)?;
        let newest = key.newest().ok_or(KmsError::RowUnreadable)?.number;
        let found = version_for(&key, Verb::Publish, version.unwrap_or(newest), false)?.number;
        Ok((key, found))
    }

    /// Public parameters, read once a version.
    async fn published(
        self: &Arc<Self>,
        event: &mut AuditEvent,
        id: &KeyId,
        version: Option<KeyVersion>,
    ) -> Result<PublishedParameters, KmsError> {
        let (key, version) = self.publishing(id, version)?;
        note_version(event, version);
        let slot = Arc::clone(key.slot(version).ok_or(KmsError::VersionNotFound { version })?);
        if let Some(published) = slot.published.get() {
            return Ok(PublishedParameters { key: id.clone(), version, published: Arc::clone(published) });
        }
        let bytes = key.version(version).and_then(|found| found.public.clone()).ok_or(KmsError::RowUnreadable)?;
        let read = self.rsa.run(move || Published::read(&bytes)).await?;
        let published = Arc::clone(slot.published.get_or_init(|| Arc::new(read)));
        Ok(PublishedParameters { key: id.clone(), version, published })
    }

    /// The newest list, if it is not past the half of its life.
    fn fresh_list(&self, ledger: &Ledger) -> Option<Arc<List>> {
        let now = self.clock.now().seconds();
        ledger.list().filter(|list| {
            let Dates { issued_at, next_update, .. } = list.dates;
            // A clock that was put back makes a list of tomorrow: no reader takes that, so it is signed anew.
            (issued_at..issued_at + next_update.saturating_sub(issued_at) / 2).contains(&now)
        })
    }

    /// Signs the next list and makes it durable; gives the former one where the store takes no changes.
    async fn signed_anew(
        self: &Arc<Self>,
        event: AuditEvent,
        key: Arc<Key>,
        version: KeyVersion,
        ledger: Arc<Ledger>,
    ) -> Result<RevocationInfo, KmsError> {
        let id = &key.facts.id;
        let _turn = ledger.turn.lock().await;
        if let Some(list) = self.fresh_list(&ledger) {
            // Somebody else signed it while this one waited.
            return self.record(event, Ok(RevocationInfo::new(id, version, &list))).await;
        }
        let list = self.next_list(&key, version, &ledger, Vec::new()).await?;
        let (put, body) = ledger_change(id, version, &ledger, Some(list.clone()))?;
        let work = Work { changes: vec![put], events: vec![event.clone().with_outcome("ok")] };
        match self.store.commit(work).await {
            Ok(_) => {
                ledger.install_row(ledger.sequence().unwrap_or(0) + 1, body);
                Ok(RevocationInfo::new(id, version, &list))
            }
            Err(CommitError::Full | CommitError::HeadStale) => {
                let now = self.clock.now().seconds();
                let former = ledger.list().filter(|list| (list.dates.issued_at..list.dates.next_update).contains(&now));
                let former = former.ok_or(KmsError::StoreFull)?;
                self.record(event, Ok(RevocationInfo::new(id, version, &former))).await
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Signs the list that follows, of what is revoked and of `also`. Its turn is the caller's.
    ///
    /// Beside the threads that serve connections: sixty thousand serials are sorted and counted here.
    pub(super) async fn next_list(
        self: &Arc<Self>,
        key: &Arc<Key>,
        version: KeyVersion,
        ledger: &Arc<Ledger>,
        also: Vec<u32>,
    ) -> Result<List, KmsError> {
        let material = self.material(key, version).await?;
        let (ledger, issued, life) = (Arc::clone(ledger), self.clock.now().seconds(), self.list_seconds);
        let sign = move || {
            let authority = material.authority()?;
            let number = ledger.list().map_or(0, |list| list.dates.number) + 1;
            let dates = Dates { number, issued_at: issued, next_update: issued.saturating_add(life) };
            let revoked = ledger.revoked(issued, &also);
            let bits = authority.plan().terms.serial_bits();
            let rows = cover_rows(revoked.keys().map(|serial| serial.number()), bits);
            let signed = authority.revocation_list(dates, revoked)?;
            Ok(List { dates, signed: signed.to_bytes().into(), cover_rows: rows })
        };
        tokio::task::spawn_blocking(sign).await.unwrap_or(Err(KmsError::ShuttingDown))
    }
}

/// The next row of a ledger: how far serials were given, and its list; without a new one the list it has.
pub(crate) fn ledger_change(
    key: &KeyId,
    version: KeyVersion,
    ledger: &Ledger,
    list: Option<List>,
) -> Result<(Change, LedgerBody), KmsError> {
    let list = list.or_else(|| ledger.list().map(|list| (*list).clone()));
    let body = LedgerBody { next: ledger.next(), list };
    let value = write_ledger(body.next, body.list.as_ref()).ok_or(KmsError::RowUnreadable)?;
    let id = version_row(key, version);
    Ok((Change::Put { table: Table::UserKey, id, expected: ledger.sequence(), value }, body))
}
