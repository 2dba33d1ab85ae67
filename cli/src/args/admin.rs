//! Nouns of administration: cert, audit.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::connection::Connection;
use super::keys::ListArgs;

/// Certificates and enrolment tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Issue a one-time enrolment token for an identity.
    Token(CertToken),
    /// Turn a token into a certificate.
    Enroll(CertEnroll),
    /// Renew the caller's own certificate, in its files.
    Renew(Connection),
    /// Revoke a certificate and all that were renewed from it, or all of an identity.
    Revoke(CertRevoke),
    /// List certificates.
    List(ListArgs),
    /// List open tokens.
    Tokens(ListArgs),
}

/// Issue a token.
#[derive(Debug, Args)]
pub(crate) struct CertToken {
    /// For whom, `spiffe://<trust-domain>/<kind>/<name>`.
    pub(crate) identity: String,
    /// Write the token here, readable by its owner only; without it it is printed.
    #[arg(long = "to", short = 'o', env = "WARDKEEP_TO", value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// How many minutes it may be used.
    #[arg(long, env = "WARDKEEP_TOKEN_MINUTES", value_name = "MINUTES")]
    pub(crate) minutes: Option<u32>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Turn a token into a certificate.
#[derive(Debug, Args)]
pub(crate) struct CertEnroll {
    /// The server's enrolment listener, `https://HOST:PORT`.
    #[arg(long, env = "WARDKEEP_ENROL_ADDRESS", value_name = "URL")]
    pub(crate) address: String,
    /// The token: `-` or `@FILE`.
    #[arg(long, env = "WARDKEEP_TOKEN", hide_env_values = true, value_name = "-|@FILE", value_parser = crate::secret::SourceParser)]
    pub(crate) token: crate::secret::Source,
    /// The folder that key.pem, cert.pem and ca.pem are written to.
    #[arg(long, env = "WARDKEEP_ENROL_DIR", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
}

/// Revoke certificates.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what", args = ["serial", "identity"])]
pub(crate) struct CertRevoke {
    /// One certificate and all renewed from it.
    #[arg(long, env = "WARDKEEP_SERIAL")]
    pub(crate) serial: Option<String>,
    /// Every certificate of this identity that was issued before now.
    #[arg(long, env = "WARDKEEP_IDENTITY")]
    pub(crate) identity: Option<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// The audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List records.
    List(AuditList),
    /// Show the newest records; with `--follow` go on as they come.
    Tail(AuditTail),
    /// Have the server walk the whole chain.
    Verify(Connection),
    /// Show the newest signed head.
    Head(Connection),
}

/// Which records.
#[derive(Debug, Args)]
pub(crate) struct AuditList {
    /// From this record on; the first is 1.
    #[arg(long, env = "WARDKEEP_FROM", default_value_t = 1)]
    pub(crate) from: u64,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

/// The newest records.
#[derive(Debug, Args)]
pub(crate) struct AuditTail {
    /// How many.
    #[arg(long, env = "WARDKEEP_LINES", default_value_t = 20)]
    pub(crate) lines: u64,
    /// Go on as new ones come.
    #[arg(long, env = "WARDKEEP_FOLLOW", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
