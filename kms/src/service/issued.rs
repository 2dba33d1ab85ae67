//! What was issued: listed, revoked, and swept once it has expired.

use std::sync::Arc;

use wardkeep_model::action::{DescribeUserKey, RevokeUserKey};
use wardkeep_model::{AuditEvent, EntityUid, EventDetail, KeyFacts, KeyId, KeyVersion, Permit, Timestamp};
use wardkeep_store::{Change, Table, Work};

use crate::error::KmsError;
use crate::issued::row::{LedgerBody, RowName, read_issued, read_name, serial_row, write_issued};
use crate::issued::{Entry, Issued, Ledger, List};
use crate::keyring::Key;
use crate::lifecycle::{Answer, Verb, answer};
use crate::service::authority::{RevocationInfo, ledger_change};
use crate::service::describe::Page;
use crate::service::guard::{fits, fits_key, has_verb, version_for};
use crate::service::record::note;
use crate::service::{Inner, Kms, MAX_PAGE};

/// Most user keys that one request revokes.
pub const MAX_REVOKED: usize = 10_000;
/// Rows that one commit of a sweep deletes.
const SWEPT: usize = 256;

/// An issued user key as it is described. Never the key itself, which nobody kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserKeyInfo {
    /// The authority.
    pub key: KeyId,
    /// Its version.
    pub version: KeyVersion,
    /// The serial.
    pub serial: u32,
    /// For whom it was issued.
    pub subject: EntityUid,
    /// Who asked for it.
    pub actor: EntityUid,
    /// The attributes it carries, as canonical text.
    pub attributes: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub valid_until: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// Which user keys to list.
#[derive(Debug, Clone)]
pub struct ListUserKeys {
    /// Only those of this authority.
    pub key: Option<KeyId>,
    /// Only those of this subject.
    pub subject: Option<EntityUid>,
    /// The page starts behind this one, the `next` of the page before.
    pub after: Option<String>,
    /// Most of the page, 1 to 1000.
    pub limit: usize,
}

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

/// What a revocation changes in one authority version.
struct Staged {
    version: KeyVersion,
    ledger: Arc<Ledger>,
    serials: Vec<u32>,
}

impl Kms {
    /// Lists issued user keys of the authorities that `may_see` gives a permit for. One record for the whole list, `event`.
    ///
    /// # Errors
    /// [`KmsError::PageBounds`], or what the store says.
    pub async fn list_user_keys(
        &self,
        list: &ListUserKeys,
        may_see: &mut (dyn FnMut(&KeyFacts) -> Option<Permit<DescribeUserKey>> + Send),
        event: AuditEvent,
    ) -> Result<Page<UserKeyInfo>, KmsError> {
        let page = self.inner.user_key_page(list, may_see).await;
        let shown = page.as_ref().map_or(0, |page| page.items.len());
        let key = list.key.as_ref().map_or("", KeyId::as_str);
        let subject = list.subject.as_ref().map_or_else(String::new, |subject| format!(" {subject}"));
        let event = event.with(EventDetail::Filter, format!("{key}{subject}").trim());
        self.inner.record(event.with(EventDetail::Count, shown.to_string()), page).await
    }

    /// Revokes user keys, and signs the list that says so, in one commit. A key that is revoked already, or that expired,
    /// stays as it is.
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

impl UserKeyInfo {
    fn new(name: RowName, serial: u32, issued: Issued) -> Self {
        let RowName { key, version, serial: _ } = name;
        let Issued { subject, actor, attributes, bucket: _, until, at, revoked } = issued;
        let valid_until = Timestamp::from_millis(until.saturating_mul(1000));
        Self { key, version, serial, subject, actor, attributes, issued: at, valid_until, revoked }
    }

    /// What a page that goes on starts behind.
    fn name(&self) -> String {
        serial_row(&self.key, self.version, self.serial)
    }
}

impl Inner {
    /// One page, before it is recorded.
    async fn user_key_page(
        &self,
        list: &ListUserKeys,
        may_see: &mut (dyn FnMut(&KeyFacts) -> Option<Permit<DescribeUserKey>> + Send),
    ) -> Result<Page<UserKeyInfo>, KmsError> {
        let bounds = KmsError::PageBounds { max: MAX_PAGE };
        if !(1..=MAX_PAGE).contains(&list.limit) {
            return Err(bounds);
        }
        let after = match &list.after {
            None => None,
            Some(text) => Some(read_name(text).filter(|name| name.serial.is_some()).ok_or(bounds)?),
        };
        let start = after.as_ref().map(|name| (name.key.clone(), name.version));
        let mut items: Vec<UserKeyInfo> = Vec::new();
        let mut decided: Option<(KeyId, bool)> = None;
        for ((key, version), ledger) in self.issued.from(start.as_ref()) {
            if list.key.as_ref().is_some_and(|only| *only != key) {
                continue;
            }
            let seen = match decided.take_if(|(of, _)| *of == key) {
                Some((_, seen)) => seen,
                None => self.sees(&key, may_see)?,
            };
            decided = Some((key.clone(), seen));
            if !seen {
                continue;
            }
            let behind = after.as_ref().filter(|name| name.key == key && name.version == version);
            let behind = behind.and_then(|name| name.serial);
            let such = |entry: &Entry| list.subject.as_ref().is_none_or(|subject| *subject == *entry.subject);
            for (serial, _) in ledger.entries(behind, list.limit + 1 - items.len(), such) {
                let name = RowName { key: key.clone(), version, serial: Some(serial) };
                // A row that was swept meanwhile is no longer there to be shown.
                let Some(issued) = self.issued_row(&key, version, serial)? else { continue };
                if items.len() == list.limit {
                    return Ok(Page { next: items.last().map(UserKeyInfo::name), items });
                }
                items.push(UserKeyInfo::new(name, serial, issued));
            }
            tokio::task::yield_now().await;
        }
        Ok(Page { items, next: None })
    }

    /// Whether the reader may see what an authority issued: decided once for all of it.
    fn sees(
        &self,
        key: &KeyId,
        may_see: &mut (dyn FnMut(&KeyFacts) -> Option<Permit<DescribeUserKey>> + Send),
    ) -> Result<bool, KmsError> {
        let Some(found) = self.keyring.key(key) else { return Ok(false) };
        let Some(permit) = may_see(&found.facts) else { return Ok(false) };
        fits(permit.resource(), "Wardkeep::Key", key.as_str()).map(|()| true)
    }

    /// A serial's row.
    fn issued_row(&self, key: &KeyId, version: KeyVersion, serial: u32) -> Result<Option<Issued>, KmsError> {
        let found = self.store.read(Table::UserKey, &serial_row(key, version, serial));
        match found.map_err(|_| KmsError::StoreUnreadable)? {
            None => Ok(None),
            Some(row) => read_issued(&row.value).map(Some).ok_or(KmsError::RowUnreadable),
        }
    }

    /// The work of the verb; it records itself where it succeeds.
    async fn revoke(
        self: &Arc<Self>,
        mut event: AuditEvent,
        id: KeyId,
        which: Revoke,
    ) -> Result<RevokedUserKeys, KmsError> {
        let key = self.key(&id)?;
        let staged = self.staged(&key, which)?;
        // Versions come in their order, so that two requests never wait for each other.
        let mut turns = Vec::with_capacity(staged.len());
        for one in &staged {
            turns.push(one.ledger.turn.lock().await);
        }
        let (mut changes, mut count, mut done) = (Vec::new(), 0, Vec::new());
        for Staged { version, ledger, serials } in &staged {
            // Looked at again: another revocation or a sweep may have come first.
            let open = |serial: &u32| ledger.entry(*serial).is_some_and(|entry| !entry.revoked);
            let serials: Vec<u32> = serials.iter().copied().filter(open).collect();
            let (mut rows, entries) = self.revoked_rows(&id, *version, &serials, ledger)?;
            let list = self.next_list(&key, *version, ledger, &serials).await?;
            let (put, body) = ledger_change(&id, *version, ledger, Some(list.clone()))?;
            count += entries.len();
            changes.append(&mut rows);
            changes.push(put);
            done.push((ledger, *version, entries, body, list));
        }
        let versions: Vec<String> = staged.iter().map(|one| one.version.to_string()).collect();
        let serials =
            done.iter().flat_map(|(_, _, entries, _, _)| entries.iter().map(|(serial, _)| serial.to_string()));
        let serials: Vec<String> = serials.take(100).collect();
        note(&mut event, EventDetail::KeyVersion, || versions.join(","));
        note(&mut event, EventDetail::UserKey, || serials.join(","));
        note(&mut event, EventDetail::Count, || count.to_string());
        self.store.commit(Work { changes, events: vec![event.with_outcome("ok")] }).await?;
        let apply = |(ledger, version, entries, body, list): (&Arc<Ledger>, _, Vec<(u32, Entry)>, LedgerBody, List)| {
            for (serial, entry) in entries {
                ledger.install(serial, entry);
            }
            ledger.install_row(ledger.sequence().unwrap_or(0) + 1, body);
            RevocationInfo::new(&id, version, &list)
        };
        let lists = done.into_iter().map(apply).collect();
        Ok(RevokedUserKeys { revoked: count, lists })
    }

    /// Which serials of which versions a request names.
    fn staged(&self, key: &Arc<Key>, which: Revoke) -> Result<Vec<Staged>, KmsError> {
        let id = &key.facts.id;
        let count = |count: usize, least: usize| {
            if (least..=MAX_REVOKED).contains(&count) {
                Ok(())
            } else {
                Err(KmsError::RevokeCount { max: MAX_REVOKED })
            }
        };
        let subject = match which {
            Revoke::Serials { version, mut serials } => {
                let newest = key.newest().ok_or(KmsError::RowUnreadable)?.number;
                let version = version_for(key, Verb::Revoke, version.unwrap_or(newest), false)?.number;
                serials.sort_unstable();
                serials.dedup();
                count(serials.len(), 1)?;
                let ledger = self.issued.ledger(id, version);
                // One that was given and is not here has expired and was swept: there is nothing to take back.
                let given = |serial: &u32| (1..ledger.next()).contains(serial);
                if let Some(serial) = serials.iter().copied().find(|serial| !given(serial)) {
                    return Err(KmsError::UserKeyNotFound { version, serial });
                }
                return Ok(vec![Staged { version, ledger, serials }]);
            }
            Revoke::Subject(subject) => subject,
        };
        has_verb(key, Verb::Revoke)?;
        let mut staged = Vec::new();
        for version in key.body.versions.iter().filter(|version| answer(Verb::Revoke, version.state) == Answer::Yes) {
            let Some(ledger) = self.issued.find(id, version.number) else { continue };
            let theirs = ledger.entries(None, MAX_REVOKED + 1, |entry| *entry.subject == subject && !entry.revoked);
            let serials: Vec<u32> = theirs.into_iter().map(|(serial, _)| serial).collect();
            if !serials.is_empty() {
                staged.push(Staged { version: version.number, ledger, serials });
            }
        }
        count(staged.iter().map(|one| one.serials.len()).sum(), 0)?;
        Ok(staged)
    }

    /// The rows of serials with the moment of their revocation, and what memory keeps of them then.
    #[expect(clippy::type_complexity, reason = "the two halves of one change, taken apart by the only caller")]
    fn revoked_rows(
        &self,
        id: &KeyId,
        version: KeyVersion,
        serials: &[u32],
        ledger: &Ledger,
    ) -> Result<(Vec<Change>, Vec<(u32, Entry)>), KmsError> {
        let now = self.clock.now();
        let (mut changes, mut entries) = (Vec::new(), Vec::new());
        for serial in serials.iter().copied() {
            let (Some(former), Some(entry)) = (self.issued_row(id, version, serial)?, ledger.entry(serial)) else {
                continue;
            };
            let value = write_issued(&Issued { revoked: Some(now), ..former }).ok_or(KmsError::RowUnreadable)?;
            let expected = Some(entry.sequence);
            changes.push(Change::Put { table: Table::UserKey, id: serial_row(id, version, serial), expected, value });
            entries.push((serial, Entry { revoked: true, sequence: entry.sequence + 1, ..entry }));
        }
        Ok((changes, entries))
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
        let delete = |(serial, entry): &(u32, Entry)| Change::Delete {
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
