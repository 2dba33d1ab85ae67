//! Revoking user keys, by serial or by subject, and sweeping those that expired.
//!
//! Whoever revokes is alone at the authority: no issue is under way meanwhile, so that nothing that was decided before
//! comes to life behind a revocation.

use std::sync::Arc;

use wardkeep_model::action::RevokeUserKey;
use wardkeep_model::{AuditEvent, EntityUid, EventDetail, KeyId, KeyVersion, Permit};
use wardkeep_store::{Change, Table, Work};

use crate::error::KmsError;
use crate::issued::Ledger;
use crate::issued::row::serial_row;
use crate::keyring::Key;
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

impl Kms {
    /// Revokes user keys, and signs the list that says so, in one commit. A key that is revoked already stays as it is.
    ///
    /// Offline readers go on until whoever seals has the new list: what was sealed before stays open to them.
    ///
    /// # Errors
    /// [`KmsError::UserKeyNotFound`] for a serial that was never given; [`KmsError::RevokeCount`]; the errors of state;
    /// [`KmsError::RevocationList`]; or what the store says.
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
                let count = self.inner.sweep(&key, version, &ledger).await?;
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
        let key = self.key(&id)?;
        let _alone = self.issued.gates().close(&id).await;
        let chosen = match &which {
            Revoke::Serials { version, serials } => vec![self.serials(&key, *version, serials.clone())?],
            Revoke::Subject(subject) => self.of_subject(&key, subject)?,
        };
        let draft = self.draft(&event, chosen).await?;
        draft.commit(self.store.as_ref(), event).await
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
        // One that was given and is not here has expired and was swept: there is nothing to take back.
        let given = |serial: &u32| (1..ledger.next()).contains(serial);
        match serials.iter().copied().find(|serial| !given(serial)) {
            Some(serial) => Err(KmsError::UserKeyNotFound { version, serial }),
            None => Ok(Chosen { key: Arc::clone(key), version, ledger, serials }),
        }
    }

    /// What a subject has, of every version that revokes.
    pub(super) fn of_subject(&self, key: &Arc<Key>, subject: &EntityUid) -> Result<Vec<Chosen>, KmsError> {
        has_verb(key, Verb::Revoke)?;
        let mut chosen = Vec::new();
        for version in key.body.versions.iter().filter(|version| answer(Verb::Revoke, version.state) == Answer::Yes) {
            let Some(ledger) = self.issued.find(&key.facts.id, version.number) else { continue };
            let theirs = ledger.entries(None, MAX_REVOKED, |entry| *entry.subject == *subject && !entry.revoked);
            let serials: Vec<u32> = theirs.into_iter().map(|(serial, _)| serial).collect();
            if !serials.is_empty() {
                chosen.push(Chosen { key: Arc::clone(key), version: version.number, ledger, serials });
            }
        }
        Ok(chosen)
    }

    /// One commit of a sweep: rows whose bucket has passed go, the ledger remembers how far serials were given.
    async fn sweep(&self, key: &KeyId, version: KeyVersion, ledger: &Ledger) -> Result<usize, KmsError> {
        let _turn = ledger.turn.lock().await;
        let now = self.clock.now().seconds();
        let expired = ledger.entries(None, SWEPT, |entry| entry.until <= now);
        if expired.is_empty() {
            return Ok(0);
        }
        let (put, body) = ledger_change(key, version, ledger, None)?;
        let delete = |(serial, entry): &(u32, crate::issued::Entry)| Change::Delete {
            table: Table::UserKey,
            id: serial_row(key, version, *serial),
            expected: entry.sequence,
        };
        let changes = std::iter::once(put).chain(expired.iter().map(delete)).collect();
        self.store.commit(Work { changes, events: vec![] }).await?;
        ledger.install_row(ledger.sequence().unwrap_or(0) + 1, body);
        let serials: Vec<u32> = expired.into_iter().map(|(serial, _)| serial).collect();
        ledger.forget(&serials);
        Ok(serials.len())
    }
}
