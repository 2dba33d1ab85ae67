//! The noun of attribute-based encryption: `local` with files alone, `inspect`, `explain`. What calls a server stands
//! beside `local`.

pub(crate) mod remote;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use wardkeep_model::KeyId;

use super::connection::Connection;
use super::keys::Context;
use crate::command::abe::text::Text;
use crate::command::abe::when::When;

/// Attribute-based encryption.
#[derive(Debug, Subcommand)]
pub(crate) enum Abe {
    /// With files alone, without a server: an authority in a folder, keys and protected files.
    #[command(subcommand)]
    Local(Local),
    /// Authorities of the key service.
    #[command(subcommand)]
    Authority(remote::Authority),
    /// User keys that the key service issues.
    #[command(subcommand)]
    Key(remote::UserKey),
    /// Public keys registered for people, for whom others have user keys issued.
    #[command(subcommand)]
    Recipient(remote::Recipient),
    /// Protect a file under a policy, with what the server publishes of an authority.
    Seal(remote::RemoteSeal),
    /// Open a protected file with a user key; off line, unless the file asks for a decision of the key service.
    Open(remote::RemoteOpen),
    /// Fetch the newest signed list of revoked keys into a file, for whoever seals off line.
    Revocations(remote::Fetch),
    /// Show what a file of attribute-based encryption says; never anything secret.
    Inspect(Inspect),
    /// Show what a policy asks for, and what a holder has of it.
    Explain(Explain),
}

/// An authority in a folder, and what it issues.
#[derive(Debug, Subcommand)]
pub(crate) enum Local {
    /// Make an authority.
    Setup(Setup),
    /// Issue a key for attributes.
    Issue(Issue),
    /// Protect a file under a policy.
    Seal(Seal),
    /// Open a protected file.
    Open(Open),
    /// Revoke a key by its serial.
    Revoke(Revoke),
    /// Write the signed list of revoked keys.
    Revocations(Revocations),
    /// Begin a new version of the authority; the former one stays whole in a folder below.
    Rotate(Rotate),
    /// Derive a weaker key from a key.
    Delegate(Delegate),
}

/// How long a time bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bucket {
    /// A day, for keys that are renewed by the week or the year.
    Day,
    /// An hour.
    Hour,
}

/// Make an authority.
#[derive(Debug, Args)]
pub(crate) struct Setup {
    /// The authority's folder; made if it does not exist.
    #[arg(long, env = "WARDKEEP_ABE_DIR", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    /// File that declares attributes, one a line, as `level: number(8)`; what it does not name is single-valued.
    #[arg(long, env = "WARDKEEP_ABE_SCHEMA", value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// What people call it; without it the folder's name.
    #[arg(long, env = "WARDKEEP_ABE_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How long a time bucket is: the step in which keys expire.
    #[arg(long, env = "WARDKEEP_ABE_BUCKET", value_enum, default_value = "day")]
    pub(crate) bucket: Bucket,
    /// Bits of a serial: how many keys a version can number, as a power of two.
    #[arg(long, env = "WARDKEEP_ABE_SERIAL_BITS", value_name = "BITS", default_value_t = 20,
          value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) serial_bits: u8,
}

/// Issue a key.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// The authority's folder.
    #[arg(long, env = "WARDKEEP_ABE_DIR", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    /// The holder's attributes, as `role = doctor, level = 3`; `@FILE` reads them from a file.
    #[arg(long, env = "WARDKEEP_ABE_ATTRIBUTES", value_name = "TEXT")]
    pub(crate) attributes: Text,
    /// Write the key here, readable by its owner only.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The last day (or moment) that the key is valid in; without this and `--days` it does not expire, and opens
    /// nothing that asks for a time.
    #[arg(long, env = "WARDKEEP_ABE_VALID_UNTIL", value_name = "DATE", conflicts_with = "days")]
    pub(crate) valid_until: Option<When>,
    /// The same as a number of days from now.
    #[arg(long, env = "WARDKEEP_ABE_DAYS", value_name = "NUMBER")]
    pub(crate) days: Option<u32>,
    /// Number the key, so that it can be revoked: `auto`, or a number that was not given yet.
    #[arg(long, env = "WARDKEEP_ABE_SERIAL", value_name = "NUMBER", value_parser = serial)]
    pub(crate) serial: Option<SerialChoice>,
    /// Replace the key file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
}

/// Which serial a key is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SerialChoice {
    /// The next free one.
    Auto,
    /// This one.
    Number(u32),
}

/// Where public parameters come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "authority")]
pub(crate) struct Public {
    /// The authority's folder.
    #[arg(long, env = "WARDKEEP_ABE_DIR", value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// The authority's public parameters, all that sealing needs.
    #[arg(long, env = "WARDKEEP_ABE_PARAMETERS", value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
}

/// Protect a file.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    #[command(flatten)]
    pub(crate) public: Public,
    #[command(flatten)]
    pub(crate) pin: remote::Pin,
    /// Who may open, as `role = doctor and level >= 3`; `@FILE` reads it from a file.
    #[arg(long, env = "WARDKEEP_ABE_POLICY", value_name = "POLICY")]
    pub(crate) policy: Text,
    /// The file to protect; `-` is standard input.
    #[arg(long = "in", env = "WARDKEEP_IN", value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The protected file; `-` is standard output.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) context: Context,
    #[command(flatten)]
    pub(crate) demands: Demands,
    /// Replace the protected file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
}

/// What is asked of a key beside its attributes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Demands {
    /// Ask for keys that are valid then or later: `today`, a date, a moment, or a time bucket as `bucket:20780`; without it
    /// keys are not asked whether they expired.
    #[arg(long, env = "WARDKEEP_ABE_NOT_BEFORE", value_name = "DATE", requires = "policy")]
    pub(crate) not_before: Option<When>,
    /// Shut out the keys of this signed list; asks for keys that are valid now, unless told otherwise.
    #[arg(long, env = "WARDKEEP_ABE_REVOCATIONS", value_name = "FILE", requires = "policy")]
    pub(crate) revocations: Option<PathBuf>,
}

/// Open a protected file.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// The key file.
    #[arg(long, visible_alias = "key-file", env = "WARDKEEP_ABE_KEY", value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The protected file; `-` is standard input.
    #[arg(long = "in", env = "WARDKEEP_IN", value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The opened file; `-` is standard output, whose reader must wait for exit code 0.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) context: Context,
    /// Replace the opened file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
}

/// Revoke a key.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The authority's folder.
    #[arg(long, env = "WARDKEEP_ABE_DIR", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    /// The serial; may be given again.
    #[arg(
        long = "serial",
        env = "WARDKEEP_ABE_SERIALS",
        value_name = "NUMBER",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) serials: Vec<u32>,
}

/// Write the list of revoked keys.
#[derive(Debug, Args)]
pub(crate) struct Revocations {
    /// The authority's folder.
    #[arg(long, env = "WARDKEEP_ABE_DIR", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    /// Write the list here; public. A list that stands there is replaced.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Replace what stands there, although it is no list.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
    /// How many days sealing takes it for new enough.
    #[arg(long, env = "WARDKEEP_ABE_LIFE_DAYS", value_name = "NUMBER", default_value_t = 7,
          value_parser = clap::value_parser!(u32).range(1..=366))]
    pub(crate) life_days: u32,
}

/// Begin a new version.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// The authority's folder.
    #[arg(long, env = "WARDKEEP_ABE_DIR", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    /// File that declares the attributes of the new version; without it they stay as they are.
    #[arg(long, env = "WARDKEEP_ABE_SCHEMA", value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// How long a time bucket is in the new version.
    #[arg(long, env = "WARDKEEP_ABE_BUCKET", value_enum)]
    pub(crate) bucket: Option<Bucket>,
    /// Bits of a serial in the new version.
    #[arg(long, env = "WARDKEEP_ABE_SERIAL_BITS", value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) serial_bits: Option<u8>,
}

/// Derive a weaker key.
#[derive(Debug, Args)]
pub(crate) struct Delegate {
    /// The key file to derive from.
    #[arg(long, visible_alias = "key-file", env = "WARDKEEP_ABE_KEY", value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Write the derived key here, readable by its owner only.
    #[arg(long, env = "WARDKEEP_OUT", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Drop an attribute, all of it; may be given again.
    #[arg(long, env = "WARDKEEP_ABE_WITHOUT", value_name = "NAME", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Drop one value of a set, `name=value`; may be given again.
    #[arg(long, env = "WARDKEEP_ABE_WITHOUT_VALUE", value_name = "NAME=VALUE", value_delimiter = ',', value_parser = super::keys::pair)]
    pub(crate) without_value: Vec<(String, String)>,
    /// End it then or earlier; the answer says when it really ends, for a key reaches some moments only.
    #[arg(long, env = "WARDKEEP_ABE_VALID_UNTIL", value_name = "DATE")]
    pub(crate) valid_until: Option<When>,
    /// Replace the derived key's file if it exists.
    #[arg(long, env = "WARDKEEP_FORCE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) force: bool,
}

/// Show what a file says.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A key, an authority's key, public parameters, a list of revoked keys, a ciphertext, or a protected file.
    pub(crate) file: PathBuf,
    /// The authority's public parameters, under which a list's signature is checked.
    #[arg(long, env = "WARDKEEP_ABE_PARAMETERS", value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
}

/// Show what a policy asks for.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The policy; `@FILE` reads it from a file.
    #[arg(long, env = "WARDKEEP_ABE_POLICY", value_name = "POLICY")]
    pub(crate) policy: Text,
    /// The key file of a holder.
    #[arg(long, visible_alias = "key-file", env = "WARDKEEP_ABE_KEY", value_name = "FILE",
          conflicts_with_all = ["attributes", "schema", "parameters", "authority"])]
    pub(crate) key: Option<PathBuf>,
    /// The attributes of a holder, as `role = doctor, level = 3`; `@FILE` reads them from a file.
    #[arg(long, env = "WARDKEEP_ABE_ATTRIBUTES", value_name = "TEXT")]
    pub(crate) attributes: Option<Text>,
    /// File that declares the attributes.
    #[arg(long, env = "WARDKEEP_ABE_SCHEMA", value_name = "FILE", conflicts_with = "parameters")]
    pub(crate) schema: Option<PathBuf>,
    /// Public parameters of an authority, which hold its declarations.
    #[arg(long, env = "WARDKEEP_ABE_PARAMETERS", value_name = "FILE")]
    pub(crate) parameters: Option<PathBuf>,
    /// The same, of this authority of the key service, `ring/key`.
    #[arg(long, env = "WARDKEEP_ABE_AUTHORITY", value_name = "KEY", value_parser = KeyId::parse,
          conflicts_with_all = ["schema", "parameters"])]
    pub(crate) authority: Option<KeyId>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

fn serial(text: &str) -> Result<SerialChoice, String> {
    if text == "auto" {
        return Ok(SerialChoice::Auto);
    }
    text.parse().map(SerialChoice::Number).map_err(|_| "write `auto`, or a number".to_owned())
}
