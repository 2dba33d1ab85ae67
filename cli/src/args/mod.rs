//! The command line: `wardkeep <noun> <verb>`.
//!
//! Every flag has a twin in the environment (`--address` is `WARDKEEP_ADDRESS`); a test walks the whole
//! tree and holds that. Secrets are no flags: they come as `-` or `@FILE` (see [`crate::secret`]).
//!
//! | file | nouns |
//! |---|---|
//! | [`connection`] | how a remote noun reaches its server |
//! | [`local`] | server, dev, demo, doctor, recover, config, completions |
//! | [`keys`] | ring, key, data-key |
//! | [`abe`] | abe |
//! | [`content`] | encrypt, decrypt, sign, verify, random |
//! | [`rules`] | policy, entity, role |
//! | [`admin`] | cert, audit |

pub(crate) mod abe;
pub(crate) mod admin;
pub(crate) mod connection;
pub(crate) mod content;
pub(crate) mod keys;
pub(crate) mod local;
pub(crate) mod rules;

use clap::{Parser, Subcommand};

use crate::output::Format;

/// Guards sensitive records: one policy decides who may do what, and with which key.
#[derive(Debug, Parser)]
#[command(name = "wardkeep", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// How answers are written to standard output.
    #[arg(long, global = true, env = "WARDKEEP_OUTPUT", value_enum, default_value = "table")]
    pub(crate) output: Format,
    /// What to do.
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 an error here, 2 an error of the server or on the way to it, 3 denied by policy;\n\
                          128 and the signal's number where a signal ended it.\n\
                          Every flag can be set by its WARDKEEP_* variable. Secrets are read from `-` (standard input) or `@FILE`.";

/// What a command is about.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Run the server, or prepare its data folder.
    Server(local::Server),
    /// Run a throw-away server on loopback, ready to use.
    Dev(local::Dev),
    /// Watch Wardkeep guard patient records, end to end.
    Demo(local::Demo),
    /// Key rings.
    #[command(subcommand)]
    Ring(keys::Ring),
    /// Keys: create, rotate, and the rest of their life.
    #[command(subcommand)]
    Key(keys::Key),
    /// Data keys, wrapped by a key.
    #[command(subcommand)]
    DataKey(keys::DataKey),
    /// Protect a file under a data key of its own.
    Encrypt(content::Encrypt),
    /// Open a protected file.
    Decrypt(content::Decrypt),
    /// Attribute-based encryption: files that only matching attributes open, off line.
    #[command(subcommand)]
    Abe(abe::Abe),
    /// Sign a file.
    Sign(content::Sign),
    /// Verify a file's signature.
    Verify(content::Verify),
    /// Draw random bytes.
    Random(content::Random),
    /// Policies: decide off line, load, activate, look.
    #[command(subcommand)]
    Policy(rules::Policy),
    /// Entities that policies decide about.
    #[command(subcommand)]
    Entity(rules::Entity),
    /// Who holds the control roles.
    #[command(subcommand)]
    Role(rules::Role),
    /// Certificates and enrolment tokens.
    #[command(subcommand)]
    Cert(admin::Cert),
    /// The audit log.
    #[command(subcommand)]
    Audit(admin::Audit),
    /// The server's configuration.
    #[command(subcommand)]
    Config(local::Config),
    /// Look for trouble, and say what to do about it.
    Doctor(local::Doctor),
    /// Last resort: make a new administrator on a stopped server's data folder.
    Recover(local::Recover),
    /// Completions for a shell, or man pages.
    Completions(local::Completions),
}

#[cfg(test)]
mod tests;
