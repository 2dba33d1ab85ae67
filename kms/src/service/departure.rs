//! What goes with subjects whose entities go: the public keys registered for them, and the user keys they were issued.
//!
//! Whoever is given the name later must not have keys sealed for the one before them, and the one before them must not go
//! on opening what is sealed. Worked out here for the commit that removes the entities, so that there is no moment between.

use wardkeep_model::{AuditEvent, EntityUid, Fingerprint};
use wardkeep_store::{Change, Table};

use crate::error::KmsError;
use crate::issued::Alone;
use crate::issued::row::write_recipient;
use crate::lifecycle::{Answer, Verb, answer};
use crate::service::revocation::{Chosen, Draft};
use crate::service::{Inner, Kms};

/// Who goes.
pub enum Gone<'a> {
    /// This one.
    One(&'a EntityUid),
    /// Everybody of whom this is true.
    All(&'a (dyn Fn(&EntityUid) -> bool + Sync)),
}

/// What goes with them: to be made durable with their going. Until it is dropped no authority issues anything: drop it once
/// the entities are gone from what decides.
pub struct Departure {
    changes: Vec<Change>,
    removed: Vec<Fingerprint>,
    draft: Option<Draft>,
    _alone: Alone,
}

impl Kms {
    /// Works out what goes with subjects; `event` is what each event of it begins as. Waits for the issues under way.
    ///
    /// # Errors
    /// [`KmsError::RevocationList`], [`KmsError::Busy`], or what the store says: then nobody goes.
    pub async fn departure(&self, event: &AuditEvent, gone: Gone<'_>) -> Result<Departure, KmsError> {
        let alone = self.inner.issued.gates().close_all().await;
        let (mut changes, mut removed) = (Vec::new(), Vec::new());
        for subject in self.inner.registered_of(&gone)? {
            // A row that says "removed" already stays as it is.
            let Some(found) = self.inner.registered(&subject)? else { continue };
            let value = write_recipient(None, self.inner.clock.now()).ok_or(KmsError::RowUnreadable)?;
            let (id, expected) = (subject.to_string(), Some(found.revision));
            changes.push(Change::Put { table: Table::Recipient, id, expected, value });
            removed.push(found.key.fingerprint());
        }
        let mut draft = self.inner.draft(event, self.inner.issued_to(&gone)).await?;
        changes.append(&mut draft.changes);
        Ok(Departure { changes, removed, draft: Some(draft), _alone: alone })
    }
}

impl Departure {
    /// What is to be committed.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What is to be recorded beside: an event for each authority version that lost user keys.
    pub fn take_events(&mut self) -> Vec<AuditEvent> {
        self.draft.as_mut().map_or_else(Vec::new, |draft| std::mem::take(&mut draft.events))
    }

    /// The registered public keys that go.
    #[must_use]
    pub fn removed(&self) -> &[Fingerprint] {
        &self.removed
    }

    /// Takes into memory what is durable now. Gives how many user keys were revoked.
    pub fn install(&mut self) -> usize {
        self.draft.take().map_or(0, |draft| draft.install().revoked)
    }
}

impl Inner {
    /// Who of them may have a public key registered.
    fn registered_of(&self, gone: &Gone<'_>) -> Result<Vec<EntityUid>, KmsError> {
        let such = match gone {
            Gone::One(subject) => return Ok(vec![(*subject).clone()]),
            Gone::All(such) => such,
        };
        let mut found = Vec::new();
        let mut take =
            |row: wardkeep_store::Row| found.extend(EntityUid::parse(&row.id).ok().filter(|name| such(name)));
        self.store.scan(Table::Recipient, &mut take).map_err(|_| KmsError::StoreUnreadable)?;
        found.sort_unstable();
        Ok(found)
    }

    /// The serials that they have and that are not revoked, of every version that revokes.
    fn issued_to(&self, gone: &Gone<'_>) -> Vec<Chosen> {
        let mut chosen = Vec::new();
        for ((id, version), ledger) in self.issued.from(None) {
            let Some(key) = self.keyring.key(&id) else { continue };
            let state = key.version(version).map(|found| found.state);
            if state.is_none_or(|state| answer(Verb::Revoke, state) != Answer::Yes) {
                continue;
            }
            let mut serials = match gone {
                Gone::One(subject) => ledger.of_subject(subject),
                Gone::All(such) => {
                    let theirs = ledger.subjects().into_iter().filter(|name| such(name));
                    theirs.flat_map(|name| ledger.of_subject(&name)).collect()
                }
            };
            serials.sort_unstable();
            if !serials.is_empty() {
                chosen.push(Chosen { key, version, ledger, serials });
            }
        }
        chosen
    }
}

impl std::fmt::Debug for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Departure").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}
