//! How a verb ends: its event made durable, alone or with a change, and only then the answer.

use std::future::Future;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wardkeep_model::{AuditEvent, EncryptionContext, EventDetail, Fingerprint, KeyId, KeyVersion, Timestamp};
use wardkeep_store::{Change, CommitError, Table, Work};

use crate::error::KmsError;
use crate::keyring::{Key, KeyBody, Replay};
use crate::row;
use crate::service::{Idempotency, Inner, Precondition, REPLAY_MILLIS};

/// How often a change that lost a race is run again on what the winner left.
pub(super) const ATTEMPTS: usize = 8;
/// Most replays that a row remembers; the oldest is forgotten first.
const MAX_REPLAYS: usize = 64;

/// The next state of a key, as one attempt of a change sees it.
pub(super) struct Edit {
    /// What the key becomes.
    pub(super) body: KeyBody,
    /// Changes of other rows in the same commit.
    pub(super) others: Vec<Change>,
    /// Facts for the event.
    pub(super) details: Vec<(EventDetail, String)>,
}

impl Edit {
    /// An edit of nothing yet.
    pub(super) fn of(key: &Key) -> Self {
        Self { body: key.body.clone(), others: vec![], details: vec![] }
    }
}

/// What a change is asked for with.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    /// The caller's `If-Match`.
    pub(super) precondition: Precondition,
    /// The caller's idempotency key.
    pub(super) idempotency: Option<Idempotency>,
}

impl Inner {
    /// Ends a verb that changes nothing: records its event with the outcome, then answers.
    pub(super) async fn record<T>(&self, event: AuditEvent, result: Result<T, KmsError>) -> Result<T, KmsError> {
        let outcome = result.as_ref().err().map_or("ok", KmsError::code);
        self.store.commit(Work::record(vec![event.with_outcome(outcome)])).await?;
        result
    }

    /// Ends a verb that changes something and records by itself where it succeeds; an error is recorded here.
    ///
    /// The work runs in a task of its own: a caller that goes away must not leave a change durable in the
    /// store and unknown in memory.
    pub(super) async fn carry_out<T: Send + 'static>(
        self: &Arc<Self>,
        event: AuditEvent,
        work: impl Future<Output = Result<T, KmsError>> + Send + 'static,
    ) -> Result<T, KmsError> {
        let inner = Arc::clone(self);
        let task = tokio::spawn(async move {
            match work.await {
                Ok(done) => Ok(done),
                Err(error) => inner.record(event, Err(error)).await,
            }
        });
        task.await.unwrap_or(Err(KmsError::ShuttingDown))
    }

    /// Changes a key: `edit` says what it becomes, and runs again when another change came first.
    pub(super) async fn change_key(
        &self,
        event: AuditEvent,
        id: KeyId,
        asked: Asked,
        edit: impl Fn(&Key, Timestamp) -> Result<Edit, KmsError>,
    ) -> Result<Arc<Key>, KmsError> {
        for _ in 0..ATTEMPTS {
            let key = self.keyring.key(&id).ok_or(KmsError::KeyNotFound)?;
            let now = self.clock.now();
            if let Some(sequence) = replayed(&key.body.replays, asked.idempotency, now)? {
                return self.replay(event, &id, sequence).await;
            }
            check_revision(asked.precondition, key.facts.revision)?;
            let mut edit = edit(&key, now)?;
            let sequence = key.facts.revision + 1;
            remember(&mut edit.body.replays, asked.idempotency, now, sequence);
            let value = row::write_key(&edit.body).ok_or(KmsError::RowUnreadable)?;
            let put = Change::Put { table: Table::Key, id: id.to_string(), expected: Some(key.facts.revision), value };
            let mut event = event.clone().with_outcome("ok");
            event.detail.append(&mut edit.details);
            let changes = std::iter::once(put).chain(edit.others).collect();
            match self.store.commit(Work { changes, events: vec![event] }).await {
                Ok(_) => return Ok(self.keyring.install_key(id, sequence, edit.body)),
                Err(CommitError::Conflict { .. }) => drop(self.keyring.refresh_key(self.store.as_ref(), &id)?),
                Err(other) => return Err(other.into()),
            }
        }
        Err(KmsError::Contended)
    }

    /// Answers a change that was made before: the key as it was then.
    pub(super) async fn replay(&self, event: AuditEvent, id: &KeyId, sequence: u64) -> Result<Arc<Key>, KmsError> {
        let rows = self.store.history(Table::Key, id.as_str()).map_err(|_| KmsError::StoreUnreadable)?;
        let then = rows.iter().find(|row| row.sequence == sequence).ok_or(KmsError::StoreUnreadable)?;
        let body = row::read_key(&then.value).ok_or(KmsError::RowUnreadable)?;
        let event = event.with(EventDetail::Reason, "replay");
        self.record(event, Ok(Arc::new(self.keyring.past_key(id, sequence, body)))).await
    }
}

/// Compares an `If-Match` with the newest revision.
pub(super) fn check_revision(precondition: Precondition, actual: u64) -> Result<(), KmsError> {
    match precondition.revision {
        Some(wanted) if wanted != actual => Err(KmsError::PreconditionFailed { actual }),
        _ => Ok(()),
    }
}

/// The sequence of the row that answers a request made before; an error where its body was another.
pub(super) fn replayed(
    replays: &[Replay],
    asked: Option<Idempotency>,
    now: Timestamp,
) -> Result<Option<u64>, KmsError> {
    let Some(asked) = asked else { return Ok(None) };
    let fresh = |replay: &&Replay| replay.id == asked.id && now.millis_since(replay.at) < REPLAY_MILLIS;
    match replays.iter().find(fresh) {
        None => Ok(None),
        Some(replay) if replay.body == asked.body => Ok(Some(replay.sequence)),
        Some(_) => Err(KmsError::IdempotencyMismatch),
    }
}

/// Remembers a request in the row it makes, and forgets those older than a day.
pub(super) fn remember(replays: &mut Vec<Replay>, asked: Option<Idempotency>, now: Timestamp, sequence: u64) {
    replays.retain(|replay| now.millis_since(replay.at) < REPLAY_MILLIS);
    let Some(Idempotency { id, body }) = asked else { return };
    if replays.len() >= MAX_REPLAYS {
        replays.remove(0);
    }
    replays.push(Replay { id, body, at: now, sequence });
}

/// Adds a fact, unless the decision already recorded it.
pub(super) fn note(event: &mut AuditEvent, field: EventDetail, value: impl FnOnce() -> String) {
    if event.detail.iter().all(|(present, _)| *present != field) {
        event.detail.push((field, value()));
    }
}

/// Adds the version that was used.
pub(super) fn note_version(event: &mut AuditEvent, version: KeyVersion) {
    note(event, EventDetail::KeyVersion, || version.to_string());
}

/// Adds the digest of the context, and the recipient's fingerprint.
pub(super) fn note_binding(event: &mut AuditEvent, context: &EncryptionContext, recipient: Option<&Fingerprint>) {
    note(event, EventDetail::ContextDigest, || hex(&Sha256::digest(context.canonical())));
    if let Some(recipient) = recipient {
        note(event, EventDetail::Recipient, || recipient.to_string());
    }
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
