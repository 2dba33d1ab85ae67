//! Nouns that work on content: encrypt, decrypt, sign, verify, random.

use std::path::PathBuf;

use clap::Args;
use wardkeep_model::KeyId;

use super::connection::Connection;
use super::keys::Context;

/// Protect a file.
#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    /// The file to protect.
    pub(crate) input: PathBuf,
    /// The key that wraps the file's data key, `ring/key`.
    #[arg(long, env = "WARDKEEP_WRAP_KEY", value_name = "KEY", value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// The protected file; without it the input's name with `.wk` added.
    #[arg(long = "to", short = 'o', env = "WARDKEEP_TO", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Replace the protected file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Open a protected file.
#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    /// The protected file.
    pub(crate) input: PathBuf,
    /// The opened file; without it the input's name without `.wk`.
    #[arg(long = "to", short = 'o', env = "WARDKEEP_TO", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Replace the opened file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Sign a file.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The key, `ring/key`.
    #[arg(value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// The file; `-` is standard input.
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Verify a signature.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The key, `ring/key`.
    #[arg(value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// The file; `-` is standard input.
    pub(crate) input: PathBuf,
    /// The signature in base64, as `sign` gave it.
    #[arg(long, env = "WARDKEEP_SIGNATURE", value_name = "BASE64")]
    pub(crate) signature: String,
    /// The key version that signed, as `sign` gave it.
    #[arg(long = "key-version", env = "WARDKEEP_KEY_VERSION", value_name = "NUMBER")]
    pub(crate) version: u32,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Draw random bytes.
#[derive(Debug, Args)]
pub(crate) struct Random {
    /// How many bytes.
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) count: u32,
    /// Write them here, readable by its owner only; without it they are printed in base64.
    #[arg(long = "to", short = 'o', env = "WARDKEEP_TO", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
