//! Nouns of the rules: policy, entity, role.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wardkeep_model::EntityUid;

use super::connection::Connection;

/// Policies.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Decide requests off line, with the server's own engine.
    Decide(Decide),
    /// Check a bundle's folder without a server.
    Check(BundleFolder),
    /// Load a bundle's folder into a server; `--activate` puts it in force.
    Load(BundleLoad),
    /// List bundles.
    List(Connection),
    /// Show the bundle in force, or one version.
    Show(BundleShow),
    /// Put a loaded version in force.
    Activate(BundleVersion),
    /// Print the schema in force.
    Schema(Connection),
    /// Print the control set in force.
    Control(Connection),
    /// Put another control set in force.
    SetControl(SetControl),
}

/// Decide requests off line.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The schema, in Cedar's own syntax or in JSON.
    #[arg(long, env = "WARDKEEP_POLICY_SCHEMA", value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// The policies, in Cedar's own syntax; may be given again.
    #[arg(long, env = "WARDKEEP_POLICY_POLICIES", value_name = "FILE", required = true)]
    pub(crate) policies: Vec<PathBuf>,
    /// The entities, as JSON.
    #[arg(long, env = "WARDKEEP_POLICY_ENTITIES", value_name = "FILE")]
    pub(crate) entities: Option<PathBuf>,
    /// The requests, one JSON object a line; `-` is standard input.
    #[arg(long, env = "WARDKEEP_POLICY_REQUESTS", value_name = "FILE")]
    pub(crate) requests: PathBuf,
    /// Refuse to decide where the policies do not pass validation.
    #[arg(long, env = "WARDKEEP_POLICY_STRICT", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) strict: bool,
    /// Do not hold requests against the schema.
    #[arg(long, env = "WARDKEEP_POLICY_NO_VALIDATE_REQUESTS", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) no_validate_requests: bool,
    /// What a policy means whose evaluation errors: an erring `forbid` counts (`deny`), or is passed over as Cedar does (`skip`).
    #[arg(long, env = "WARDKEEP_POLICY_ON_ERROR", value_enum, default_value = "deny")]
    pub(crate) on_error: OnError,
}

/// What a policy means whose evaluation errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OnError {
    /// An erring `forbid` counts as satisfied.
    Deny,
    /// It is passed over.
    Skip,
}

/// A bundle's folder.
#[derive(Debug, Args)]
pub(crate) struct BundleFolder {
    /// The folder: `wardkeep.toml`, a `.cedarschema`, `.cedar` files, perhaps `entities.json`.
    pub(crate) folder: PathBuf,
    /// The server's configuration file, for its `[identity]`; without it the defaults hold.
    #[arg(long, env = "WARDKEEP_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Load a bundle.
#[derive(Debug, Args)]
pub(crate) struct BundleLoad {
    /// The folder: `wardkeep.toml`, a `.cedarschema`, `.cedar` files, perhaps `entities.json`.
    pub(crate) folder: PathBuf,
    /// Put it in force at once.
    #[arg(long, env = "WARDKEEP_ACTIVATE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) activate: bool,
    /// Validate only; nothing is kept.
    #[arg(long, env = "WARDKEEP_DRY_RUN", value_parser = clap::builder::BoolishValueParser::new(), conflicts_with = "activate")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Which bundle to show.
#[derive(Debug, Args)]
pub(crate) struct BundleShow {
    /// Its version; without it the bundle in force.
    pub(crate) version: Option<u64>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// A version of a bundle.
#[derive(Debug, Args)]
pub(crate) struct BundleVersion {
    /// Its version, as `policy load` gave it.
    pub(crate) version: u64,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Another control set.
#[derive(Debug, Args)]
pub(crate) struct SetControl {
    /// The control policies, in Cedar's own syntax.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Entities.
#[derive(Debug, Subcommand)]
pub(crate) enum Entity {
    /// Write entities from a JSON file.
    Put(EntityPut),
    /// Show one.
    Get(EntityOne),
    /// List all.
    List(super::keys::ListArgs),
    /// Delete one.
    Delete(EntityOne),
}

/// Write entities.
#[derive(Debug, Args)]
pub(crate) struct EntityPut {
    /// A JSON array in Cedar's entity format; `-` is standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// One entity.
#[derive(Debug, Args)]
pub(crate) struct EntityOne {
    /// The entity, `Type::"id"`.
    #[arg(value_parser = EntityUid::parse)]
    pub(crate) entity: EntityUid,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Control roles.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Who holds which role.
    List(Connection),
    /// Give a role to an identity. Its earlier certificates and open tokens end, but for those kept by serial.
    Grant(RoleGrant),
    /// Take a role from an identity.
    Revoke(RoleRevoke),
}

/// Give a role.
#[derive(Debug, Args)]
pub(crate) struct RoleGrant {
    /// admin, security-admin, operator or auditor.
    #[arg(value_parser = ["admin", "security-admin", "operator", "auditor"])]
    pub(crate) role: String,
    /// Who, `Type::"id"`.
    #[arg(value_parser = EntityUid::parse)]
    pub(crate) identity: EntityUid,
    /// Serials of certificates that stay good.
    #[arg(long = "keep", env = "WARDKEEP_KEEP_SERIALS", value_delimiter = ',', value_name = "SERIAL")]
    pub(crate) keep: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Take a role.
#[derive(Debug, Args)]
pub(crate) struct RoleRevoke {
    /// admin, security-admin, operator or auditor.
    #[arg(value_parser = ["admin", "security-admin", "operator", "auditor"])]
    pub(crate) role: String,
    /// From whom, `Type::"id"`.
    #[arg(value_parser = EntityUid::parse)]
    pub(crate) identity: EntityUid,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
