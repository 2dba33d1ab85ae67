//! `[user_keys]`.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::error::within;

/// How long what authorities issue and sign lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserKeySettings {
    /// Longest life of a user key, and the life of one that asks for none; rounded up to the end of a time bucket. It bounds
    /// how long a change of somebody's attributes takes to reach readers that are off line.
    pub longest_life_hours: u32,
    /// Life of a revocation list: how long somebody who is kept from the newest one goes on sealing under another.
    pub list_life_hours: u32,
}

impl Default for UserKeySettings {
    fn default() -> Self {
        Self { longest_life_hours: 24, list_life_hours: 24 }
    }
}

impl UserKeySettings {
    /// [`UserKeySettings::longest_life_hours`] in seconds.
    #[must_use]
    pub fn longest_life_seconds(&self) -> u64 {
        u64::from(self.longest_life_hours) * 3_600
    }

    /// [`UserKeySettings::list_life_hours`] in seconds.
    #[must_use]
    pub fn list_life_seconds(&self) -> u64 {
        u64::from(self.list_life_hours) * 3_600
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let (key, list) = (self.longest_life_hours.into(), self.list_life_hours.into());
        within("user_keys.longest_life_hours", key, 1..=744, "1 to 744 (31 days)")?;
        within("user_keys.list_life_hours", list, 1..=168, "1 to 168 (a week)")
    }
}
