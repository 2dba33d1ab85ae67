//! What is to rotate or to destroy: lists only.
//!
//! The server's jobs decide as `Wardkeep::System::"scheduler"` and call the verb with that permit, like
//! anybody else.

use wardkeep_model::{KeyId, KeyState, Timestamp};

use crate::keyring::Key;
use crate::service::Kms;
use crate::service::change::leaked_authority;
use crate::uses::HALF;

/// One thing that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// The key's newest version is as old as its rotation period, or used half as often as it may be.
    Rotate(KeyId),
    /// The day of the key's destruction has come.
    Destroy(KeyId),
}

impl Kms {
    /// Everything that is due at `now`, in the order of key names.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<Due> {
        let keys = self.inner.keyring.keys_after(None, usize::MAX);
        keys.iter().filter_map(|key| due(key, now)).collect()
    }
}

/// What is due of one key; a destruction goes before a rotation.
fn due(key: &Key, now: Timestamp) -> Option<Due> {
    let id = || key.facts.id.clone();
    if key.is_destroyed() {
        return None;
    }
    if let Some(date) = key.body.deletion {
        return (date <= now).then(|| Due::Destroy(id()));
    }
    // A version that somebody suspended, or has not yet enabled, is not rotated over their head.
    let newest = key.newest().filter(|newest| newest.state == KeyState::Active)?;
    // Nor is an authority of which a version leaked: no rotation helps it.
    if leaked_authority(key).is_some() {
        return None;
    }
    let old = next_rotation(key).is_some_and(|date| date <= now);
    let worn = key.slot(newest.number).is_some_and(|slot| slot.uses.used() >= HALF);
    (old || worn).then(|| Due::Rotate(id()))
}

/// When the newest version is due for rotation by its age.
pub(crate) fn next_rotation(key: &Key) -> Option<Timestamp> {
    let newest = key.newest().filter(|newest| newest.state == KeyState::Active)?;
    Some(newest.activated?.plus_days(key.body.rotation_days?))
}
