//! `[storage]` and `[root_key]`.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::error::within;

/// Where the state lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The data folder.
    pub data: PathBuf,
    /// The head file, outside the data folder: only what lies elsewhere tells that a folder was put back.
    pub head: Option<PathBuf>,
    /// Bytes set aside for audit records on a full disk.
    pub audit_reserve_bytes: u64,
}

/// Where the root key comes from: a file (mode 0600) or an environment variable, never this configuration itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RootKeySettings {
    /// A file that only the server's user may read.
    pub file: Option<PathBuf>,
    /// The name of an environment variable.
    pub env: Option<String>,
}

impl Default for Storage {
    fn default() -> Self {
        Self { data: "/var/lib/wardkeep/data".into(), head: None, audit_reserve_bytes: 64 * 1024 * 1024 }
    }
}

impl Storage {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        const RESERVE: &str = "1048576 (1 MiB) to 1099511627776 (1 TiB)";
        within("storage.audit_reserve_bytes", self.audit_reserve_bytes, 1 << 20..=1 << 40, RESERVE)?;
        if self.data.as_os_str().is_empty() {
            return Err(ConfigError::Conflict { key: "storage.data", problem: "is empty: name a folder" });
        }
        let inside = |head: &PathBuf| plain(head).starts_with(plain(&self.data));
        if self.head.as_ref().is_some_and(inside) {
            let problem =
                "lies inside `storage.data`, so that it would be put back together with it: choose a path outside";
            return Err(ConfigError::Conflict { key: "storage.head", problem });
        }
        Ok(())
    }
}

/// `a/./b/../c` as `a/c`, without asking the file system: the folders may not exist yet.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

impl RootKeySettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.file.is_some() && self.env.is_some() {
            let problem = "and `root_key.env` are both set: keep one";
            return Err(ConfigError::Conflict { key: "root_key.file", problem });
        }
        Ok(())
    }
}
