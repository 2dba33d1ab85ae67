//! The configuration: one TOML file, environment twins, and refusal of whatever is not understood.
//!
//! A key `[section] key` is overridden by `WARDKEEP__SECTION__KEY`, and by the content of a file that
//! `WARDKEEP__SECTION__KEY_FILE` names, which is how secrets come in without standing in a process list.
//!
//! The sample parses, checks and is what the defaults are:
//!
//! ```
//! use wardkeep_server::config::{Config, SAMPLE};
//! let config = Config::from_toml(SAMPLE)?;
//! assert_eq!(config.listen.api.port(), 8443);
//! assert_eq!(config.identity.kinds["user"], "User");
//! # Ok::<(), wardkeep_server::config::ConfigError>(())
//! ```
//!
//! | section | file |
//! |---|---|
//! | `[storage]`, `[root_key]` | [`storage`] |
//! | `[listen]`, `[tls]`, `[ca]` | [`wire`] |
//! | `[identity]` | [`identity`] |
//! | `[limits]`, `[rate_limit]`, `[pools]` | [`limits`] |
//! | `[log]` | [`log`] |
//! | `[user_keys]` | [`user_keys`] |

pub mod error;
pub mod identity;
pub mod limits;
pub mod log;
mod source;
pub mod storage;
pub mod user_keys;
pub mod wire;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use error::ConfigError;
pub use identity::IdentitySettings;
pub use limits::{Limits, Pools, RateLimit};
pub use log::{LogFormat, LogSettings};
pub use storage::{RootKeySettings, Storage};
pub use user_keys::UserKeySettings;
pub use wire::{CaSettings, Listen, RevocationMode, TlsSettings};

/// A commented configuration file with every key.
pub const SAMPLE: &str = include_str!("sample.toml");

/// Everything a server is told. Checked as a whole: a value of this type has passed [`Config::check`].
///
/// It holds no secret (the root key is named, not contained), so that it may be shown to who may read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the state lives.
    pub storage: Storage,
    /// Where the root key comes from.
    pub root_key: RootKeySettings,
    /// The listeners' addresses.
    pub listen: Listen,
    /// The listeners' certificate.
    pub tls: TlsSettings,
    /// Who issues callers' certificates, and how they are revoked.
    pub ca: CaSettings,
    /// Which identities there are.
    pub identity: IdentitySettings,
    /// Timers and sizes.
    pub limits: Limits,
    /// Requests per identity.
    pub rate_limit: RateLimit,
    /// What is written to stderr.
    pub log: LogSettings,
    /// How much work runs at a time.
    pub pools: Pools,
    /// How long user keys and revocation lists live.
    pub user_keys: UserKeySettings,
}

impl Config {
    /// Reads a file and the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`]: unreadable, not TOML, an unknown key or a wrong value (with its path), a contradiction.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_with(
            path,
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// Reads a file and the given environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text = source::read_bounded(path)?;
        Self::assemble(&text, env)
    }

    /// Reads text alone, without any environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::assemble(text, [])
    }

    /// Defaults and the given environment, for a server without a file.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn assemble(text: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut table = source::parse(text)?;
        source::overlay(&mut table, env)?;
        let config = source::typed(table)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses contradictions between values that are each well-formed.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.storage.check()?;
        self.root_key.check()?;
        self.listen.check()?;
        self.tls.check()?;
        self.ca.check()?;
        self.identity.check()?;
        self.limits.check()?;
        self.rate_limit.check()?;
        self.pools.check()?;
        self.user_keys.check()
    }
}

#[cfg(test)]
mod tests;
