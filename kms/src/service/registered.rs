//! Public keys registered for subjects: what a user key for somebody else is sealed for.
//!
//! A control verb, for whoever registers a key reads what is issued for that subject.

use std::sync::Arc;

use wardkeep_model::action::{ChangeRecipient, DescribeRecipient};
use wardkeep_model::{Action, AuditEvent, EntityUid, EventDetail, Permit, Timestamp};
use wardkeep_store::{Change, CommitError, Table, Work};

use crate::error::KmsError;
use crate::issued::row::{read_recipient, write_recipient};
use crate::recipient::RecipientKey;
use crate::service::guard::fits;
use crate::service::record::check_revision;
use crate::service::{Inner, Kms, Precondition};

/// The part of the installation that these verbs are decided on.
const PART: &str = "recipients";

/// A subject's registered public key.
#[derive(Debug)]
pub struct RegisteredRecipient {
    /// Whose.
    pub subject: EntityUid,
    /// The key.
    pub key: RecipientKey,
    /// When it was registered.
    pub changed: Timestamp,
    /// Grows with every change, removals included.
    pub revision: u64,
}

/// What is registered for a subject.
pub(super) struct Registered {
    pub(super) key: RecipientKey,
    changed: Timestamp,
    pub(super) revision: u64,
}

impl Kms {
    /// Registers a public key for a subject, in place of a former one.
    ///
    /// `hold` is asked right before: whether what the decision rested on still stands, and the subject has an entity. What
    /// it gives is kept until the change is durable, and must keep both from changing.
    ///
    /// # Errors
    /// What `hold` says: [`KmsError::PermitStale`], [`KmsError::SubjectNotFound`]; [`KmsError::PreconditionFailed`], or what
    /// the store says.
    pub async fn register_recipient<H, G>(
        &self,
        permit: Permit<ChangeRecipient>,
        (subject, key): (EntityUid, RecipientKey),
        precondition: Precondition,
        hold: impl FnOnce(AuditEvent) -> H + Send + 'static,
    ) -> Result<RegisteredRecipient, KmsError>
    where
        H: Future<Output = Result<G, KmsError>> + Send,
        G: Send + 'static,
    {
        let (event, checked) = about(&permit, &subject);
        let event = event.with(EventDetail::Recipient, key.fingerprint().to_string());
        let inner = Arc::clone(&self.inner);
        let work = {
            let event = event.clone();
            async move {
                checked?;
                let _held = hold(event.clone()).await?;
                let (former, now) = (inner.recipient_row(&subject)?, inner.clock.now());
                let revision = former.as_ref().map_or(0, |(_, revision)| *revision);
                check_revision(precondition, revision)?;
                let expected = former.map(|(_, revision)| revision);
                inner.put_recipient(event, &subject, (Some(key.spki_der()), now), expected).await?;
                Ok(RegisteredRecipient { subject, key, changed: now, revision: revision + 1 })
            }
        };
        self.inner.carry_out(event, work).await
    }

    /// The public key registered for a subject.
    ///
    /// # Errors
    /// [`KmsError::RecipientNotFound`], or what the store says.
    pub async fn describe_recipient(
        &self,
        permit: Permit<DescribeRecipient>,
        subject: &EntityUid,
    ) -> Result<RegisteredRecipient, KmsError> {
        let (event, checked) = about(&permit, subject);
        let found = checked.and_then(|()| self.inner.registered(subject)?.ok_or(KmsError::RecipientNotFound));
        let named = found.map(|Registered { key, changed, revision }| RegisteredRecipient {
            subject: subject.clone(),
            key,
            changed,
            revision,
        });
        self.inner.record(event, named).await
    }

    /// Removes the public key of a subject: nothing more is issued for them by others. `hold` as in
    /// [`Self::register_recipient`].
    ///
    /// # Errors
    /// What `hold` says; [`KmsError::RecipientNotFound`], [`KmsError::PreconditionFailed`], or what the store says.
    pub async fn remove_recipient<H, G>(
        &self,
        permit: Permit<ChangeRecipient>,
        subject: EntityUid,
        precondition: Precondition,
        hold: impl FnOnce(AuditEvent) -> H + Send + 'static,
    ) -> Result<(), KmsError>
    where
        H: Future<Output = Result<G, KmsError>> + Send,
        G: Send + 'static,
    {
        let (event, checked) = about(&permit, &subject);
        let inner = Arc::clone(&self.inner);
        let work = {
            let event = event.clone();
            async move {
                checked?;
                let _held = hold(event.clone()).await?;
                let found = inner.registered(&subject)?.ok_or(KmsError::RecipientNotFound)?;
                check_revision(precondition, found.revision)?;
                let now = inner.clock.now();
                inner.put_recipient(event, &subject, (None, now), Some(found.revision)).await
            }
        };
        self.inner.carry_out(event, work).await
    }

    /// The public key registered for a subject, for deciding only: the verb reads it once more.
    ///
    /// # Errors
    /// What the store says.
    pub fn registered_recipient(&self, subject: &EntityUid) -> Result<Option<RecipientKey>, KmsError> {
        Ok(self.inner.registered(subject)?.map(|found| found.key))
    }
}

/// The event of a permit, with the subject that it is about; and whether it was decided for these verbs.
fn about<A: Action>(permit: &Permit<A>, subject: &EntityUid) -> (AuditEvent, Result<(), KmsError>) {
    let event = permit.event().clone().with(EventDetail::About, subject.to_string());
    (event, fits(permit.resource(), "Wardkeep::System", PART))
}

impl Inner {
    /// A subject's row, one that says "removed" included: the key and its moment, and the row's sequence.
    #[expect(clippy::type_complexity, reason = "a row as it was read, taken apart by the two callers")]
    fn recipient_row(&self, subject: &EntityUid) -> Result<Option<((Option<Vec<u8>>, Timestamp), u64)>, KmsError> {
        let found = self.store.read(Table::Recipient, &subject.to_string()).map_err(|_| KmsError::StoreUnreadable)?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some((read_recipient(&row.value).ok_or(KmsError::RowUnreadable)?, row.sequence)))
    }

    /// What is registered for a subject.
    pub(super) fn registered(&self, subject: &EntityUid) -> Result<Option<Registered>, KmsError> {
        let Some(((Some(spki), changed), revision)) = self.recipient_row(subject)? else { return Ok(None) };
        let key = RecipientKey::from_spki_der(&spki).map_err(|_| KmsError::RowUnreadable)?;
        Ok(Some(Registered { key, changed, revision }))
    }

    async fn put_recipient(
        &self,
        event: AuditEvent,
        subject: &EntityUid,
        (spki, now): (Option<&[u8]>, Timestamp),
        expected: Option<u64>,
    ) -> Result<(), KmsError> {
        let value = write_recipient(spki, now).ok_or(KmsError::RowUnreadable)?;
        let put = Change::Put { table: Table::Recipient, id: subject.to_string(), expected, value };
        match self.store.commit(Work { changes: vec![put], events: vec![event.with_outcome("ok")] }).await {
            Ok(_) => Ok(()),
            // Nothing of it stands in memory, so that whoever lost the race just asks again.
            Err(CommitError::Conflict { .. }) => Err(KmsError::Contended),
            Err(other) => Err(other.into()),
        }
    }
}
