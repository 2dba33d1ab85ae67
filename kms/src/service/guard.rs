//! What is checked before anything is done: the permit fits, the key has the verb, the state allows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkeep_model::{
    Action, BindingDigest, EncryptionContext, EntityUid, Fingerprint, KeyId, KeyState, KeyVersion, Permit, RingName,
};

use crate::error::KmsError;
use crate::keyring::{Key, VersionBody};
use crate::lifecycle::{Answer, Verb, answer};
use crate::service::{Inner, MAX_LABEL_NAME, MAX_LABEL_VALUE, MAX_LABELS};

/// Whether the permit was decided for that key.
pub(super) fn fits_key<A: Action>(permit: &Permit<A>, key: &KeyId) -> Result<(), KmsError> {
    fits(permit.resource(), "Wardkeep::Key", key.as_str())
}

/// Whether the permit was decided for that ring.
pub(super) fn fits_ring<A: Action>(permit: &Permit<A>, ring: &RingName) -> Result<(), KmsError> {
    fits(permit.resource(), "Wardkeep::Ring", ring.as_str())
}

/// Whether an event is about what was decided. Compared as text: to build an entity would allocate.
pub(super) fn fits(decided: &EntityUid, kind: &str, id: &str) -> Result<(), KmsError> {
    if decided.kind() == kind && decided.id() == id { Ok(()) } else { Err(KmsError::PermitMismatch) }
}

/// Whether the permit was decided for that context and recipient. A permit without a binding fits none,
/// not even the empty context: a rule that pins a recipient must have seen that there is none.
pub(super) fn fits_binding<A: Action>(
    permit: &Permit<A>,
    context: &EncryptionContext,
    recipient: Option<&Fingerprint>,
) -> Result<(), KmsError> {
    match permit.binding() {
        Some(decided) if *decided == BindingDigest::new(context, recipient) => Ok(()),
        _ => Err(KmsError::PermitMismatch),
    }
}

/// Whether the permit carries the decision on the record that the context names, if it names one.
pub(super) fn releases<A: Action>(permit: &Permit<A>, context: &EncryptionContext) -> Result<(), KmsError> {
    match (context.resource(), permit.release()) {
        (None, _) => Ok(()),
        (Some(named), Some(decided)) if named.entity == decided.record => Ok(()),
        (Some(_), _) => Err(KmsError::ReleaseMissing),
    }
}

/// Refuses a context that names a record, for verbs that take none.
pub(super) fn no_record(verb: Verb, context: &EncryptionContext) -> Result<(), KmsError> {
    match context.resource() {
        None => Ok(()),
        Some(_) => Err(KmsError::ResourceNotAllowed { verb: verb.as_str() }),
    }
}

/// Whether the key as a whole has the verb: its usage, and a scheduled deletion.
pub(super) fn has_verb(key: &Key, verb: Verb) -> Result<(), KmsError> {
    if let Some(usage) = verb.usage().filter(|usage| *usage != key.body.usage) {
        let _ = usage;
        return Err(KmsError::WrongUsage { usage: key.body.usage, verb });
    }
    if key.is_destroyed() && verb != Verb::Describe {
        return Err(KmsError::KeyDestroyed);
    }
    match key.body.deletion {
        Some(_) if !verb.answers_while_pending() => Err(KmsError::PendingDeletion),
        None if !verb.answers_while_not_pending() => Err(KmsError::NoDeletionScheduled),
        _ => Ok(()),
    }
}

/// The newest version, if the verb may use it.
pub(super) fn newest_for(key: &Key, verb: Verb) -> Result<&VersionBody, KmsError> {
    has_verb(key, verb)?;
    let newest = key.newest().ok_or(KmsError::RowUnreadable)?;
    match answer(verb, newest.state) {
        Answer::Yes => Ok(newest),
        _ => Err(KmsError::NotActive { state: newest.state, verb }),
    }
}

/// The version that an input names, if the verb may use it.
pub(super) fn version_for(
    key: &Key,
    verb: Verb,
    version: KeyVersion,
    covers_compromised: bool,
) -> Result<&VersionBody, KmsError> {
    has_verb(key, verb)?;
    let found = key.version(version).ok_or(KmsError::VersionNotFound { version })?;
    match answer(verb, found.state) {
        Answer::Yes => Ok(found),
        Answer::WithRight if covers_compromised => Ok(found),
        Answer::WithRight => Err(KmsError::CompromisedRight { version }),
        Answer::To(_) | Answer::No => Err(KmsError::StateForbids { version, state: found.state, verb }),
    }
}

/// As [`version_for`], for input whose header is not yet authenticated: a version that never existed is the
/// same error as any forgery.
pub(super) fn opening_version(
    key: &Key,
    verb: Verb,
    version: KeyVersion,
    covers_compromised: bool,
) -> Result<&VersionBody, KmsError> {
    version_for(key, verb, version, covers_compromised).map_err(|error| match error {
        KmsError::VersionNotFound { .. } => KmsError::CannotOpen,
        other => other,
    })
}

/// Whether labels are within bounds.
pub(super) fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), KmsError> {
    let fits = |(name, value): (&String, &String)| {
        (1..=MAX_LABEL_NAME).contains(&name.len()) && value.len() <= MAX_LABEL_VALUE
    };
    if labels.len() <= MAX_LABELS && labels.iter().all(fits) {
        return Ok(());
    }
    Err(KmsError::LabelBounds { max_count: MAX_LABELS, max_name: MAX_LABEL_NAME, max_value: MAX_LABEL_VALUE })
}

/// Whether a rotation period is within bounds: 1 to 3650 days.
pub(super) fn check_rotation(days: Option<u32>) -> Result<(), KmsError> {
    const MAX: u32 = 3650;
    match days {
        Some(days) if !(1..=MAX).contains(&days) => Err(KmsError::RotationPeriod { max: MAX }),
        _ => Ok(()),
    }
}

impl Inner {
    /// A key by name.
    pub(super) fn key(&self, id: &KeyId) -> Result<Arc<Key>, KmsError> {
        self.keyring.key(id).ok_or(KmsError::KeyNotFound)
    }

    /// Whether a version may still be used that was before some time passed: what waited for a worker must
    /// not give an answer that a change in the meantime forbids.
    pub(super) fn still_usable(
        &self,
        id: &KeyId,
        verb: Verb,
        version: KeyVersion,
        covers_compromised: bool,
    ) -> Result<(), KmsError> {
        let key = self.key(id)?;
        // A newer version does not take back what was begun under the former one.
        let superseded = verb.needs_newest() && key.newest().is_some_and(|newest| newest.number != version);
        let state = key.version(version).map(|found| found.state);
        if superseded && state == Some(KeyState::Deactivated) && key.body.deletion.is_none() {
            return Ok(());
        }
        version_for(&key, verb, version, covers_compromised).map(|_| ())
    }
}
