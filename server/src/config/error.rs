//! Why a configuration was refused, in words that name the key.

use std::path::PathBuf;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration `{path}` cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than any honest one.
    #[error("the configuration `{path}` has more than {most} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        most: u64,
    },
    /// The text is not TOML.
    #[error("the configuration is not TOML: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A key or section that does not exist.
    #[error("unknown key `{path}`: {hint}")]
    UnknownKey {
        /// `section.key`
        path: String,
        /// What may have been meant.
        hint: String,
    },
    /// A value of the wrong form.
    #[error("`{path}` is wrong: {reason}")]
    Value {
        /// `section` or `section.key`
        path: String,
        /// What the reader says.
        reason: String,
    },
    /// A value that is out of bounds.
    #[error("`{key}` is {value}: use {allowed}")]
    Range {
        /// The key.
        key: &'static str,
        /// What it is.
        value: u64,
        /// What it may be.
        allowed: &'static str,
    },
    /// Values that do not fit each other.
    #[error("`{key}` {problem}")]
    Conflict {
        /// The key to change.
        key: &'static str,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// An environment variable that names no key.
    #[error("the environment variable `{name}` names no key: {hint}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// Both a variable and its `_FILE` twin are set.
    #[error("`{name}` and `{name}_FILE` are both set: keep one")]
    SetTwice {
        /// The variable without `_FILE`.
        name: String,
    },
}

/// Refuses a number outside `range`.
pub(super) fn within(
    key: &'static str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
    allowed: &'static str,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Range { key, value, allowed })
}
