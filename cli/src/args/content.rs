//! Nouns that work on content: encrypt, decrypt, sign, verify, random.

use std::path::PathBuf;

use clap::Args;
use wardkeep_model::KeyId;

use super::abe::Demands;
use super::abe::remote::signing_key;
use super::connection::Connection;
use super::keys::Context;
use crate::command::abe::text::Text;

/// The file to work on.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// The file; `-` is standard input.
    #[arg(value_name = "INPUT", required_unless_present = "named")]
    pub(crate) place: Option<PathBuf>,
    /// The file, named by a flag.
    #[arg(long = "in", id = "named", env = "WARDKEEP_IN", value_name = "FILE", conflicts_with = "place")]
    pub(crate) named: Option<PathBuf>,
}

/// Protect a file.
#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    #[command(flatten)]
    pub(crate) input: Input,
    /// The key that wraps the file's data key, `ring/key`.
    #[arg(long, env = "WARDKEEP_WRAP_KEY", value_name = "KEY", value_parser = KeyId::parse, required_unless_present = "policy")]
    pub(crate) key: Option<KeyId>,
    #[command(flatten)]
    pub(crate) under: UnderPolicy,
    /// The protected file, `-` for standard output; without it the input's name with `.wk` added.
    #[arg(long = "to", visible_alias = "out", short = 'o', env = "WARDKEEP_TO", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Replace the protected file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// A policy over attributes in the place of a key, or beside it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy over attributes")]
pub(crate) struct UnderPolicy {
    /// Who may open off line, as `role = doctor and level >= 3`; `@FILE` reads it from a file. With `--key` either opens.
    #[arg(long, env = "WARDKEEP_ABE_POLICY", value_name = "POLICY", requires = "parameters")]
    pub(crate) policy: Option<Text>,
    /// The authority's public parameters.
    #[arg(long, env = "WARDKEEP_ABE_PARAMETERS", value_name = "FILE", requires = "policy")]
    pub(crate) parameters: Option<PathBuf>,
    /// The key that the authority signs with, in hexadecimal: parameters that another key signed are not taken.
    #[arg(long, env = "WARDKEEP_ABE_SIGNING_KEY", value_name = "HEX", value_parser = signing_key, requires = "policy")]
    pub(crate) signing_key: Option<[u8; 32]>,
    /// Ask for both: attributes that satisfy the policy, and a decision of the key service every time.
    #[arg(long, env = "WARDKEEP_ABE_REQUIRE_ONLINE", requires_all = ["policy", "key"],
          value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) require_online: bool,
    #[command(flatten)]
    pub(crate) demands: Demands,
}

/// Open a protected file.
#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Open with this key file for attributes, off line where the file allows it.
    #[arg(long, visible_alias = "key-file", env = "WARDKEEP_ABE_KEY", value_name = "FILE")]
    pub(crate) abe_key: Option<PathBuf>,
    /// The opened file, `-` for standard output, whose reader must wait for exit code 0; without it the input's name
    /// without `.wk`.
    #[arg(long = "to", visible_alias = "out", short = 'o', env = "WARDKEEP_TO", value_name = "FILE")]
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
