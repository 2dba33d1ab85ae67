//! What was issued: listed, from the books. The keys themselves are kept nowhere.

use wardkeep_model::action::DescribeUserKey;
use wardkeep_model::{AuditEvent, EntityUid, EventDetail, KeyFacts, KeyId, KeyVersion, Permit, Timestamp};
use wardkeep_store::Table;

use crate::error::KmsError;
use crate::issued::row::{RowName, read_issued, read_name, serial_row};
use crate::issued::{Entry, Issued};
use crate::service::describe::Page;
use crate::service::guard::fits;
use crate::service::{Inner, Kms, MAX_PAGE};

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
            let mut behind = behind.and_then(|name| name.serial);
            let such = |entry: &Entry| list.subject.as_ref().is_none_or(|subject| *subject == *entry.subject);
            // Until the ledger has no more: rows that were swept meanwhile must not cost the page those behind them.
            loop {
                let found = ledger.entries(behind, list.limit + 1 - items.len(), such);
                let Some((last, _)) = found.last() else { break };
                behind = Some(*last);
                for (serial, _) in found {
                    let name = RowName { key: key.clone(), version, serial: Some(serial) };
                    let Some(issued) = self.issued_row(&key, version, serial)? else { continue };
                    if items.len() == list.limit {
                        return Ok(Page { next: items.last().map(UserKeyInfo::name), items });
                    }
                    items.push(UserKeyInfo::new(name, serial, issued));
                }
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
    pub(super) fn issued_row(&self, key: &KeyId, version: KeyVersion, serial: u32) -> Result<Option<Issued>, KmsError> {
        let found = self.store.read(Table::UserKey, &serial_row(key, version, serial));
        match found.map_err(|_| KmsError::StoreUnreadable)? {
            None => Ok(None),
            Some(row) => read_issued(&row.value).map(Some).ok_or(KmsError::RowUnreadable),
        }
    }
}
