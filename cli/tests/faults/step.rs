//! One change of a key: how it is asked for, and what it must have done.

use std::collections::BTreeMap;

use wardkeep_client::wire::key::{CreateKey, Key, KeySpec, KeyState, KeyUsage, UpdateKey};
use wardkeep_client::{CallError, Client, KeyId};

use crate::chance::Chance;

/// Versions beyond which a key is not rotated: answers stay short.
const MAX_VERSIONS: usize = 12;

/// A change of a key.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Create { spec: KeySpec },
    Rotate,
    Enable(u32),
    Suspend(u32),
    Deactivate(u32),
    Compromise(u32),
    Schedule,
    Cancel,
    Label(BTreeMap<String, String>),
}

impl Step {
    /// One that is legal for a key as it stands.
    pub(crate) fn draw(chance: &mut Chance, key: &Key) -> Self {
        if key.destroy_after.is_some() {
            return Self::Cancel;
        }
        let version = chance.below(key.versions.len());
        let (number, state) = (key.versions[version].version, key.versions[version].state);
        // A rotation does not go round a suspension.
        let held = [Some(KeyState::Suspended), Some(KeyState::PreActivation)];
        let rotates = !held.contains(&key.versions.last().map(|newest| newest.state));
        match chance.below(20) {
            0 => Self::Schedule,
            1..=3 => Self::Label(BTreeMap::from([("n".to_owned(), chance.below(1000).to_string())])),
            4..=9 if key.versions.len() < MAX_VERSIONS && rotates => Self::Rotate,
            10 if state != KeyState::Compromised => Self::Compromise(number),
            _ => match state {
                KeyState::Active if chance.once_in(2) => Self::Suspend(number),
                KeyState::Active => Self::Deactivate(number),
                KeyState::Suspended | KeyState::PreActivation => Self::Enable(number),
                _ => Self::Schedule,
            },
        }
    }

    /// A key to make: mostly AES, for RSA keys take their time.
    pub(crate) fn creation(chance: &mut Chance) -> Self {
        Self::Create { spec: if chance.once_in(15) { KeySpec::Rsa3072 } else { KeySpec::Aes256Gcm } }
    }

    /// Sends it.
    pub(crate) async fn ask(&self, client: &Client, id: &KeyId, before: Option<&Key>) -> Result<Key, CallError> {
        let keys = client.keys();
        match self {
            Self::Create { spec } => {
                let (key, labels) = (id.to_string(), BTreeMap::new());
                let (spec, usage) = (*spec, KeyUsage::Wrap);
                keys.create(&CreateKey { key, spec, usage, labels, rotation_days: None, activate: true }).await
            }
            Self::Rotate => keys.rotate(id, None).await,
            Self::Enable(version) => keys.enable(id, Some(*version), None).await,
            Self::Suspend(version) => keys.suspend(id, Some(*version), None).await,
            Self::Deactivate(version) => keys.deactivate(id, Some(*version), None).await,
            Self::Compromise(version) => keys.compromise(id, Some(*version), None).await,
            Self::Schedule => keys.schedule_deletion(id, 7, None).await,
            Self::Cancel => keys.cancel_deletion(id, None).await,
            Self::Label(labels) => {
                let revision = before.map_or(0, |key| key.revision);
                let change = UpdateKey { labels: Some(labels.clone()), rotation_days: None };
                keys.update(id, &change, revision).await
            }
        }
    }

    /// Whether `after` is `before` with exactly this step taken, once.
    pub(crate) fn led(&self, before: Option<&Key>, after: &Key) -> bool {
        let states = |key: &Key| key.versions.iter().map(|version| version.state).collect::<Vec<_>>();
        let Some(before) = before else {
            return matches!(self, Self::Create { spec } if *spec == after.spec)
                && (after.revision, states(after)) == (1, vec![KeyState::Active]);
        };
        let mut expected = states(before);
        let mut set = |version: &u32, state| expected[*version as usize - 1] = state;
        match self {
            Self::Enable(version) => set(version, KeyState::Active),
            Self::Suspend(version) => set(version, KeyState::Suspended),
            Self::Deactivate(version) => set(version, KeyState::Deactivated),
            Self::Compromise(version) => set(version, KeyState::Compromised),
            Self::Rotate => {
                let active = expected.iter_mut().filter(|state| **state == KeyState::Active);
                active.for_each(|state| *state = KeyState::Deactivated);
                expected.push(KeyState::Active);
            }
            Self::Create { .. } => return false,
            Self::Schedule | Self::Cancel | Self::Label(_) => {}
        }
        let labels = if let Self::Label(labels) = self { labels } else { &before.labels };
        let dated = match self {
            Self::Schedule => true,
            Self::Cancel => false,
            _ => before.destroy_after.is_some(),
        };
        (&after.key, after.spec, after.usage, &after.created)
            == (&before.key, before.spec, before.usage, &before.created)
            && after.revision == before.revision + 1
            && states(after) == expected
            && (&after.labels, after.destroy_after.is_some()) == (labels, dated)
    }
}
