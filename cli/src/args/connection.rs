//! How a remote noun reaches its server.

use std::path::PathBuf;

use clap::Args;

/// The server, and who calls it. What `wardkeep dev` prints, sets all four.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The server, `https://HOST:PORT`.
    #[arg(long, env = "WARDKEEP_ADDRESS", value_name = "URL")]
    pub(crate) address: Option<String>,
    /// PEM file with the certificate authorities that the server's certificate may come from.
    #[arg(long, env = "WARDKEEP_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// PEM file with the caller's certificate and its chain.
    #[arg(long, env = "WARDKEEP_CERT", value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// PEM file with the private key of the caller's certificate.
    #[arg(long = "cert-key", env = "WARDKEEP_KEY", value_name = "FILE")]
    pub(crate) cert_key: Option<PathBuf>,
    /// Act for this entity, `Type::"id"`; policy decides whether the caller may.
    #[arg(long, env = "WARDKEEP_SUBJECT", value_name = "ENTITY")]
    pub(crate) subject: Option<String>,
}
