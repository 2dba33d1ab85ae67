//! Revoking user keys, by serial or by subject, and sweeping those that expired.
//!
//! Whoever revokes is alone at the authority: no issue is under way meanwhile, so that nothing that was decided before
//! comes to life behind a revocation.

use std::sync::Arc;

use wardkeep_model::action::RevokeUserKey;
use wardkeep_model::{AuditEvent, EntityUid, EventDetail, KeyId, KeyVersion, Permit};
use wardkeep_store::{Change, CommitError, Table, Work};

use crate::error::KmsError;
use crate::issued::row::{read_issued, read_ledger, serial_row};
use crate::issued::{Entry, Ledger};
use crate::keyring::{Key, version_row};
use crate::lifecycle::{Answer, Verb, answer};
use crate::service::authority::{RevocationInfo, ledger_change};
use crate::service::guard::{fits_key, has_verb, version_for};
use crate::service::record::note;
use crate::service::revocation::Chosen;
use crate::service::{Inner, Kms};

/// Most user keys that one request names, and that one commit revokes.
pub const MAX_REVOKED: usize = 10_000;
/// Rows that one commit of a sweep deletes.
const SWEPT: usize = 256;
/// How long a row stays after its key has ended, in seconds: a week. With it goes that the key was revoked, and a clock
/// that is days ahead for the length of one sweep must not have brought it back to life once it is set right.
const GRACE: u64 = 7 * 86_400;

/// Which user keys to revoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoke {
    /// These serials of a version, of the newest where none is named.
    Serials {
        /// The version.
        version: Option<KeyVersion>,
        /// The serials.
        serials: Vec<u32>,
    },
    /// All of a subject's, of every version.
    Subject(EntityUid),
}

/// What a revocation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedUserKeys {
    /// How many user keys were not revoked before.
    pub revoked: usize,
    /// The new list of each version that was touched.
    pub lists: Vec<RevocationInfo>,
}

impl RevokedUserKeys {
    /// What came of a further commit: of each version the newest list.
    fn add(&mut self, more: Self) {
        self.revoked += more.revoked;
        for list in more.lists {
            self.lists.retain(|former| former.version != list.version);
            self.lists.push(list);
        }
    }
}

impl Kms {
    /// Revokes user keys, and signs the list that says so, in one commit; of a subject with more than [`MAX_REVOKED`] in
    /// several. A key that is revoked already stays as it is.
    ///
    /// Offline readers go on until whoever seals has the new list: what was sealed before stays open to them.
    ///
    /// # Errors
    /// [`KmsError::UserKeyNotFound`] for a serial that was never given, [`KmsError::UserKeySwept`] for one that is not in the
    /// books any more; [`KmsError::RevokeCount`]; the errors of state; [`KmsError::RevocationList`]; or what the store says.
    pub async fn revoke_user_keys(
        &self,
        permit: Permit<RevokeUserKey>,
        id: &KeyId,
        which: Revoke,
    ) -> Result<RevokedUserKeys, KmsError> {
        let checked = fits_key(&permit, id);
        let mut event = permit.into_event();
        if let Revoke::Subject(subject) = &which {
            note(&mut event, EventDetail::About, || subject.to_string());
        }
        if let Err(error) = checked {
            return self.inner.record(event, Err(error)).await;
        }
        let inner = Arc::clone(&self.inner);
        let work = {
            let (event, id) = (event.clone(), id.clone());
            async move { inner.revoke(event, id, which).await }
        };
        self.inner.carry_out(event, work).await
    }

    /// Deletes the rows of user keys that expired, in bounded commits; for the scheduler. Gives how many.
    ///
    /// # Errors
    /// What the store says; what was deleted before stays deleted, and the next sweep goes on.
    pub async fn sweep_user_keys(&self) -> Result<usize, KmsError> {
        let mut swept = 0;
        for ((key, version), ledger) in self.inner.issued.from(None) {
            loop {
                let (inner, key, ledger) = (Arc::clone(&self.inner), key.clone(), Arc::clone(&ledger));
                // In a task of its own: a stop between the commit and memory must not leave memory behind the store.
                let task = tokio::spawn(async move { inner.sweep(&key, version, &ledger).await });
                let count = task.await.unwrap_or(Err(KmsError::ShuttingDown))?;
                swept += count;
                if count < SWEPT {
                    break;
                }
            }
        }
        Ok(swept)
    }
}

impl Inner {
    /// The work of the verb; it records itself where it succeeds.
    async fn revoke(
        self: &Arc<Self>,
        event: AuditEvent,
        id: KeyId,
        which: Revoke,
    ) -> Result<RevokedUserKeys, KmsError> {
        self.key(&id)?;
        let _alone = self.issued.gates().close(&id).await;
        let key = self.key(&id)?;
        let subject = match which {
            Revoke::Serials { version, serials } => {
                let draft = self.draft(&event, vec![self.serials(&key, version, serials)?]).await?;
                return draft.commit(self.store.as_ref(), event).await;
            }
            Revoke::Subject(subject) => subject,
        };
        has_verb(&key, Verb::Revoke)?;
        let mut done = RevokedUserKeys { revoked: 0, lists: Vec::new() };
        loop {
            // In bounded commits: whoever has more than fit one must not be out of reach.
            let chosen = self.of_subject(&key, &subject, MAX_REVOKED);
            let last = chosen.iter().map(|one| one.serials.len()).sum::<usize>() < MAX_REVOKED;
            let draft = self.draft(&event, chosen).await?;
            done.add(draft.commit(self.store.as_ref(), event.clone()).await?);
            if last {
                return Ok(done);
            }
        }
    }

    /// The serials that a request names, of one version.
    fn serials(&self, key: &Arc<Key>, version: Option<KeyVersion>, mut serials: Vec<u32>) -> Result<Chosen, KmsError> {
        let newest = key.newest().ok_or(KmsError::RowUnreadable)?.number;
        let version = version_for(key, Verb::Revoke, version.unwrap_or(newest), false)?.number;
        serials.sort_unstable();
        serials.dedup();
        if !(1..=MAX_REVOKED).contains(&serials.len()) {
            return Err(KmsError::RevokeCount { max: MAX_REVOKED });
        }
        let ledger = self.issued.ledger(&key.facts.id, version);
        if let Some(serial) = serials.iter().copied().find(|serial| !(1..ledger.next()).contains(serial)) {
            return Err(KmsError::UserKeyNotFound { version, serial });
        }
        // No issue is under way, so that one that was given and is not here was swept, or never left.
        match serials.iter().copied().find(|serial| ledger.entry(*serial).is_none()) {
            Some(serial) => Err(KmsError::UserKeySwept { version, serial }),
            None => Ok(Chosen { key: Arc::clone(key), version, ledger, serials }),
        }
    }

    /// What a subject has, of every version that revokes; at most so many.
    pub(super) fn of_subject(&self, key: &Arc<Key>, subject: &EntityUid, most: usize) -> Vec<Chosen> {
        let (mut chosen, mut left) = (Vec::new(), most);
        for version in key.body.versions.iter().filter(|version| answer(Verb::Revoke, version.state) == Answer::Yes) {
            let Some(ledger) = self.issued.find(&key.facts.id, version.number) else { continue };
            let mut serials = ledger.of_subject(subject);
            serials.truncate(left);
            left -= serials.len();
            if !serials.is_empty() {
                chosen.push(Chosen { key: Arc::clone(key), version: version.number, ledger, serials });
            }
        }
        chosen
    }

    /// One commit of a sweep: rows whose bucket passed a while ago go, the ledger remembers how far serials were given.
    async fn sweep(&self, key: &KeyId, version: KeyVersion, ledger: &Ledger) -> Result<usize, KmsError> {
        let _turn = ledger.turn.lock().await;
        let now = self.clock.now().seconds();
        let mut retried = false;
        loop {
            let expired = ledger.entries(None, SWEPT, |entry| entry.until.saturating_add(GRACE) <= now);
            if expired.is_empty() {
                return Ok(0);
            }
            let (put, body) = ledger_change(key, version, ledger, None)?;
            let delete = |(serial, entry): &(u32, Entry)| Change::Delete {
                table: Table::UserKey,
                id: serial_row(key, version, *serial),
                expected: entry.sequence,
            };
            let changes = std::iter::once(put).chain(expired.iter().map(delete)).collect();
            match self.store.commit(Work { changes, events: vec![] }).await {
                Ok(_) => ledger.install_row(ledger.sequence().unwrap_or(0) + 1, body),
                Err(CommitError::Conflict { .. }) if !retried => {
                    retried = true;
                    self.read_again(key, version, ledger, &expired)?;
                    continue;
                }
                Err(other) => return Err(other.into()),
            }
            let serials: Vec<u32> = expired.into_iter().map(|(serial, _)| serial).collect();
            ledger.forget(&serials);
            return Ok(serials.len());
        }
    }

    /// Takes what the store says, where memory stayed behind it: the ledger's row, and those of serials.
    fn read_again(
        &self,
        key: &KeyId,
        version: KeyVersion,
        ledger: &Ledger,
        serials: &[(u32, Entry)],
    ) -> Result<(), KmsError> {
        let read = |id: &str| self.store.read(Table::UserKey, id).map_err(|_| KmsError::StoreUnreadable);
        if let Some(row) = read(&version_row(key, version))? {
            ledger.install_row(row.sequence, read_ledger(&row.value).ok_or(KmsError::RowUnreadable)?);
        }
        for (serial, _) in serials {
            match read(&serial_row(key, version, *serial))? {
                None => ledger.forget(&[*serial]),
                Some(row) => {
                    let issued = read_issued(&row.value).ok_or(KmsError::RowUnreadable)?;
                    ledger.install(*serial, Entry::of(&issued, row.sequence));
                }
            }
        }
        Ok(())
    }
}
