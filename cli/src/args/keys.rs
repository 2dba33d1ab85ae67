//! Nouns of the key service: ring, key, data-key.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wardkeep_model::{KeyId, RingName};

use super::connection::Connection;

/// Key rings.
#[derive(Debug, Subcommand)]
pub(crate) enum Ring {
    /// Make a ring.
    Create(RingCreate),
    /// List rings that the caller may see.
    List(ListArgs),
    /// Show one ring.
    Describe(RingName1),
    /// Delete an empty ring.
    Delete(RingName1),
}

/// Make a ring.
#[derive(Debug, Args)]
pub(crate) struct RingCreate {
    /// The ring's name.
    #[arg(value_parser = RingName::new)]
    pub(crate) name: RingName,
    /// A label, `name=value`; may be given again.
    #[arg(long = "label", env = "WARDKEEP_LABELS", value_delimiter = ',', value_parser = pair, value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// One ring.
#[derive(Debug, Args)]
pub(crate) struct RingName1 {
    /// The ring's name.
    #[arg(value_parser = RingName::new)]
    pub(crate) name: RingName,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// A list.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// At most so many; without it all, page by page.
    #[arg(long, env = "WARDKEEP_LIMIT")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key.
    Create(KeyCreate),
    /// List keys that the caller may see.
    List(KeyList),
    /// Show one key: its versions, states and public halves.
    Describe(KeyName1),
    /// Change labels or the rotation period.
    Update(KeyUpdate),
    /// Make a new version.
    Rotate(KeyName1),
    /// Make pre-active or suspended versions active.
    Enable(KeyState1),
    /// Put active versions on hold.
    Suspend(KeyState1),
    /// End the use of versions for protecting.
    Deactivate(KeyState1),
    /// Mark versions as compromised.
    Compromise(KeyState1),
    /// Set the day of a key's destruction.
    ScheduleDeletion(KeyDeletion),
    /// Take a scheduled deletion back.
    CancelDeletion(KeyName1),
    /// Destroy a key whose day has come.
    Destroy(KeyName1),
}

/// Make a key.
#[derive(Debug, Args)]
pub(crate) struct KeyCreate {
    /// The key's name, `ring/key`.
    #[arg(value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// What it is made of.
    #[arg(long, env = "WARDKEEP_SPEC", value_parser = ["aes-256-gcm", "rsa-3072", "rsa-4096", "ec-p256", "ed25519", "fabeo-bls12-381"])]
    pub(crate) spec: String,
    /// The one thing it is for.
    #[arg(long, env = "WARDKEEP_USAGE", value_parser = ["wrap", "encrypt", "sign", "issue"])]
    pub(crate) usage: String,
    /// A label, `name=value`; may be given again.
    #[arg(long = "label", env = "WARDKEEP_LABELS", value_delimiter = ',', value_parser = pair, value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<(String, String)>,
    /// Rotate by itself after so many days.
    #[arg(long, env = "WARDKEEP_ROTATION_DAYS", value_name = "DAYS")]
    pub(crate) rotation_days: Option<u32>,
    /// Leave it in pre-activation until it is enabled.
    #[arg(long, env = "WARDKEEP_INACTIVE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) inactive: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Keys of a ring, or of all.
#[derive(Debug, Args)]
pub(crate) struct KeyList {
    /// Only keys of this ring.
    #[arg(long, env = "WARDKEEP_RING", value_parser = RingName::new)]
    pub(crate) ring: Option<RingName>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

/// One key.
#[derive(Debug, Args)]
pub(crate) struct KeyName1 {
    /// The key's name, `ring/key`.
    #[arg(value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Versions of one key.
#[derive(Debug, Args)]
pub(crate) struct KeyState1 {
    /// Only this version; without it every version in a state that allows it.
    #[arg(long = "key-version", env = "WARDKEEP_KEY_VERSION", value_name = "NUMBER")]
    pub(crate) version: Option<u32>,
    #[command(flatten)]
    pub(crate) key: KeyName1,
}

/// Labels and rotation period of one key.
#[derive(Debug, Args)]
pub(crate) struct KeyUpdate {
    /// The labels that it will have, `name=value`; may be given again.
    #[arg(long = "label", env = "WARDKEEP_LABELS", value_delimiter = ',', value_parser = pair, value_name = "NAME=VALUE")]
    pub(crate) labels: Option<Vec<(String, String)>>,
    /// Rotate by itself after so many days; 0 ends that.
    #[arg(long, env = "WARDKEEP_ROTATION_DAYS", value_name = "DAYS")]
    pub(crate) rotation_days: Option<u32>,
    #[command(flatten)]
    pub(crate) key: KeyName1,
}

/// When one key is to be destroyed.
#[derive(Debug, Args)]
pub(crate) struct KeyDeletion {
    /// Days from now.
    #[arg(long, env = "WARDKEEP_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(7..=30))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) key: KeyName1,
}

/// Data keys.
#[derive(Debug, Subcommand)]
pub(crate) enum DataKey {
    /// Make one: wrapped, and in plain text only where a file for it is named.
    Generate(DataKeyGenerate),
    /// Open a wrapped one into a file.
    Unwrap(DataKeyUnwrap),
    /// Wrap one anew under the newest version, unseen.
    Rewrap(DataKeyRewrap),
}

/// The encryption context, and the record that a data key protects.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Context")]
pub(crate) struct Context {
    /// A member of the encryption context, `name=value`; may be given again.
    #[arg(long = "context", env = "WARDKEEP_CONTEXT", value_delimiter = ',', value_parser = pair, value_name = "NAME=VALUE")]
    pub(crate) members: Vec<(String, String)>,
    /// The record it protects, `Type::"id"`.
    #[arg(long, env = "WARDKEEP_RESOURCE", value_name = "ENTITY")]
    pub(crate) resource: Option<String>,
    /// JSON file with the attributes bound to the record, where its type is declared bound.
    #[arg(long, env = "WARDKEEP_RESOURCE_ATTRIBUTES", value_name = "FILE", requires = "resource")]
    pub(crate) resource_attributes: Option<PathBuf>,
}

/// Make a data key.
#[derive(Debug, Args)]
pub(crate) struct DataKeyGenerate {
    /// The key that wraps it, `ring/key`.
    #[arg(value_parser = KeyId::parse)]
    pub(crate) key: KeyId,
    /// Write the data key itself here, readable by its owner only.
    #[arg(long, env = "WARDKEEP_PLAINTEXT_FILE", value_name = "FILE")]
    pub(crate) plaintext_file: Option<PathBuf>,
    /// File with an RSA public key, PEM or JWK: the data key is then given only wrapped for it.
    #[arg(long, env = "WARDKEEP_RECIPIENT", value_name = "FILE")]
    pub(crate) recipient: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Open a data key.
#[derive(Debug, Args)]
pub(crate) struct DataKeyUnwrap {
    /// The wrapped data key in base64, `-` or `@FILE`.
    #[arg(value_parser = crate::secret::SourceParser)]
    pub(crate) wrapped: crate::secret::Source,
    /// Write the data key itself here, readable by its owner only.
    #[arg(long, env = "WARDKEEP_PLAINTEXT_FILE", value_name = "FILE", required_unless_present = "recipient")]
    pub(crate) plaintext_file: Option<PathBuf>,
    /// File with an RSA public key, PEM or JWK: the data key is then given only wrapped for it.
    #[arg(long, env = "WARDKEEP_RECIPIENT", value_name = "FILE")]
    pub(crate) recipient: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Wrap a data key anew.
#[derive(Debug, Args)]
pub(crate) struct DataKeyRewrap {
    /// The wrapped data key in base64, `-` or `@FILE`.
    #[arg(value_parser = crate::secret::SourceParser)]
    pub(crate) wrapped: crate::secret::Source,
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Reads `name=value`.
pub(crate) fn pair(text: &str) -> Result<(String, String), PairError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(PairError { text: text.to_owned() }),
    }
}

/// What is no `name=value`.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no `name=value`")]
pub(crate) struct PairError {
    text: String,
}
