//! Nouns that work on this machine: server, dev, demo, config, doctor, recover, completions.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::connection::Connection;

/// Run the server.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Server {
    /// The configuration file.
    #[arg(long, env = "WARDKEEP_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Start although the database is older than its head; the audit log will say so.
    #[arg(long, env = "WARDKEEP_ACCEPT_ROLLBACK", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) accept_rollback: bool,
    /// Something other than running.
    #[command(subcommand)]
    pub(crate) verb: Option<ServerVerb>,
}

/// What else can be done with a server.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerVerb {
    /// Prepare a data folder: CA, root key, first administrator, starter bundle, one enrolment token.
    Init(ServerInit),
}

/// Prepare a data folder.
#[derive(Debug, Args)]
pub(crate) struct ServerInit {
    /// The configuration file; written where it does not exist yet.
    #[arg(long, env = "WARDKEEP_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where keys, policies and the audit log will be kept, sealed.
    #[arg(long, env = "WARDKEEP_DATA_FOLDER", value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Where the audit head is written: outside the data folder, best on another disk.
    #[arg(long, env = "WARDKEEP_HEAD", value_name = "FILE")]
    pub(crate) head: Option<PathBuf>,
    /// Where the root key is written: outside the data folder.
    #[arg(long, env = "WARDKEEP_ROOT_KEY_FILE", value_name = "FILE")]
    pub(crate) root_key: Option<PathBuf>,
    /// The trust domain of the identities in certificates.
    #[arg(long, env = "WARDKEEP_TRUST_DOMAIN", default_value = "wardkeep.internal")]
    pub(crate) trust_domain: String,
    /// The first administrator's name.
    #[arg(long, env = "WARDKEEP_ADMINISTRATOR", default_value = "first")]
    pub(crate) administrator: String,
    /// Write the enrolment token here, readable by its owner only; without it it is printed.
    #[arg(long = "to", short = 'o', env = "WARDKEEP_TO", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

/// A throw-away server.
#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Keep everything in this folder instead of a temporary one.
    #[arg(long, env = "WARDKEEP_DEV_DIR", value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// Once the server answers, write its address and the paths of the administrator's files here, as JSON.
    #[arg(long, env = "WARDKEEP_DEV_READY_FILE", value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, env = "WARDKEEP_DEV_PORT", default_value_t = 0)]
    pub(crate) port: u16,
}

/// The demonstration.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// FHIR R4 bundles: a folder, or a .json, .tar.xz, .tar.gz or .zip file. Without it, a built-in sample.
    #[arg(long, env = "WARDKEEP_DEMO_DATA", value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Keep the demo's folder (records, policies, server state) here.
    #[arg(long, env = "WARDKEEP_DEMO_KEEP", value_name = "FOLDER")]
    pub(crate) keep: Option<PathBuf>,
    /// How many requests are under way at once.
    #[arg(long, env = "WARDKEEP_DEMO_JOBS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) jobs: u16,
}

/// The server's configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check a configuration file without starting anything.
    Check(ConfigCheck),
    /// Show the configuration in force on a running server.
    Show(Connection),
}

/// Check a configuration file.
#[derive(Debug, Args)]
pub(crate) struct ConfigCheck {
    /// The configuration file.
    #[arg(long, env = "WARDKEEP_CONFIG", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Look for trouble.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The server's configuration file, where this machine runs one.
    #[arg(long, env = "WARDKEEP_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The server to reach, and the certificate to look at.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Make a new administrator.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// The server's configuration file.
    #[arg(long, env = "WARDKEEP_CONFIG", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The new administrator's name; one that was never used.
    #[arg(long, env = "WARDKEEP_ADMINISTRATOR", value_name = "NAME")]
    pub(crate) administrator: String,
    /// Write the enrolment token here, readable by its owner only; without it it is printed.
    #[arg(long = "to", short = 'o', env = "WARDKEEP_TO", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Put the starter bundle in force too: where the bundle in force demands attributes of every identity.
    #[arg(long, env = "WARDKEEP_STARTER_BUNDLE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) starter_bundle: bool,
    /// Go on although the database is older than its head; the audit log will say so.
    #[arg(long, env = "WARDKEEP_ACCEPT_ROLLBACK", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) accept_rollback: bool,
}

/// Completions and man pages.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell, or `man` for man pages.
    #[arg(value_enum)]
    pub(crate) target: CompletionTarget,
    /// The folder that man pages are written to; without it the main page goes to standard output.
    #[arg(long, env = "WARDKEEP_COMPLETIONS_DIR", value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

/// What completions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CompletionTarget {
    /// Bourne-again shell.
    Bash,
    /// Elvish.
    Elvish,
    /// Fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// Z shell.
    Zsh,
    /// Man pages in roff.
    Man,
}
