//! One file a noun. Each takes its arguments, does the work, and shows one answer.

pub(crate) mod abe;
mod audit;
mod cert;
mod completions;
mod config;
mod context;
mod data_key;
mod dev;
mod doctor;
mod entity;
mod file;
mod key;
pub(crate) mod policy;
pub(crate) mod remote;
mod ring;
pub(crate) mod server;
mod signature;

use std::path::PathBuf;

use wardkeep_client::{CallError, CredentialError, EnrolError, RecordError, SettingsError, Side};
use wardkeep_model::IdError;
use wardkeep_model::context::ContextError;
use wardkeep_server::config::ConfigError;

use crate::args::{Cli, Noun};
use crate::bundle_folder::BundleFolderError;
use crate::demo::{self, input::InputError};
use crate::error::{Blame, FileError};
use crate::installation::InstallationError;
use crate::output::OutputError;
use crate::secret::SecretError;
use crate::stop::Told;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The answer could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A file of the caller's.
    #[error(transparent)]
    File(#[from] FileError),
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A name that cannot be.
    #[error(transparent)]
    Name(#[from] IdError),
    /// An encryption context that cannot be.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// A word of the command line that the wire does not know; only a mistake of ours makes this.
    #[error("the command line knows a word that the API does not: {0}")]
    Word(#[source] serde_json::Error),
    /// Not the JSON that it should be.
    #[error("`{}` cannot be used: {error}", path.display())]
    JsonFile { path: PathBuf, error: serde_json::Error },
    /// Not base64.
    #[error("{what} is not base64 (RFC 4648, with padding)")]
    NotBase64 { what: &'static str },
    /// Not an RSA public key in PEM or JWK.
    #[error("`{}` is no public key in PEM (`BEGIN PUBLIC KEY`) and no JSON Web Key", path.display())]
    NotAPublicKey { path: PathBuf },
    /// Longer than what is signed as it is.
    #[error("`{}` is longer than 64 KiB: sign its SHA-256 through the API", path.display())]
    MessageTooLong { path: PathBuf },
    /// The signature does not fit.
    #[error("the signature does not fit this file under this key")]
    BadSignature,
    /// No output was named, and none follows from the input.
    #[error("`{}` does not end in `.wk`: name the output with `--to`", path.display())]
    NoName { path: PathBuf },
    /// Standard input, and no output was named.
    #[error("standard input has no name to make another of: name the output with `--to`, `-` for standard output")]
    Nameless,
    /// Two flags that exclude each other, or none of both.
    #[error("give exactly one of {flags}")]
    OneOf { flags: &'static str },
    /// Settings of the connection.
    #[error(transparent)]
    Connection(#[from] remote::ConnectionError),
    /// An address or other setting that cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The certificate's files.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The server refused, failed, or could not be reached.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Protecting or opening content failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Enrolment failed.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// Renewal failed.
    #[error(transparent)]
    Renew(#[from] wardkeep_client::RenewError),
    /// The audit log is not what it was.
    #[error("the audit log is broken{detail}: keep the data folder as it is and restore from a backup")]
    AuditBroken { detail: String },
    /// `wardkeep server` without a configuration.
    #[error("no configuration is given: set `--config` or `WARDKEEP_CONFIG`, or try `wardkeep dev`")]
    NoConfig,
    /// A data folder, or the server on it.
    #[error(transparent)]
    Installation(#[from] InstallationError),
    /// No temporary folder.
    #[error("could not make a temporary folder: {0}")]
    Temporary(#[source] std::io::Error),
    /// The doctor found something that keeps Wardkeep from working.
    #[error("{count} of the findings need a remedy")]
    Findings { count: usize },
    /// The demo did not come out as it must.
    #[error(transparent)]
    Demo(Box<crate::demo::DemoError>),
    /// The server's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A folder that is no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleFolderError),
    /// A bundle that does not hold together.
    #[error(transparent)]
    Policies(#[from] wardkeep_policy::PolicyErrors),
    /// `[identity]` does not hold together.
    #[error(transparent)]
    Identities(#[from] wardkeep_policy::IdentityMapError),
    /// Deciding off line failed.
    #[error(transparent)]
    Decide(#[from] policy::decide::DecideError),
    /// The demo's input.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Attribute-based encryption.
    #[error(transparent)]
    Abe(#[from] abe::AbeError),
    /// Sealing under a policy, with a server.
    #[error(transparent)]
    Seal(#[from] wardkeep_client::AbeError),
    /// What an authority publishes.
    #[error(transparent)]
    Authority(#[from] wardkeep_client::AuthorityError),
    /// A user key of the key service.
    #[error(transparent)]
    UserKey(#[from] wardkeep_client::UserKeyError),
    /// An RSA private key.
    #[error(transparent)]
    Holder(#[from] wardkeep_client::unwrap::HolderError),
    /// Shares that do not give an authority.
    #[error(transparent)]
    Escrow(#[from] wardkeep_kms::escrow::EscrowError),
    /// A signal ended it before it was done.
    #[error("stopped before it was done; what was temporary is removed")]
    Stopped(Told),
    /// A folder of `wardkeep dev` whose administrator's certificate is gone.
    #[error(
        "`{}` holds an installation but not its administrator's certificate (`people/{name}`): put that folder back, \
         or remove all of it and start anew",
        folder.display()
    )]
    NoAdministrator { folder: PathBuf, name: String },
    /// No threads to run on.
    #[error("could not start: {0}")]
    Runtime(#[source] std::io::Error),
}

impl CommandError {
    /// Whose fault it is; the exit code follows.
    pub(crate) fn blame(&self) -> Blame {
        match self {
            Self::Call(error) => error.side().into(),
            Self::Record(error) => error.side().into(),
            Self::Enrol(error) => error.side().into(),
            Self::Renew(error) => error.side().into(),
            Self::Abe(error) => error.blame(),
            Self::Seal(error) => error.side().into(),
            Self::Authority(error) => error.side().into(),
            Self::UserKey(error) => error.side().into(),
            Self::AuditBroken { .. } => Blame::Remote,
            Self::Stopped(told) => Blame::Signal(*told),
            _ => Blame::Local,
        }
    }
}

impl From<crate::demo::DemoError> for CommandError {
    fn from(error: crate::demo::DemoError) -> Self {
        Self::Demo(Box::new(error))
    }
}

impl From<Side> for Blame {
    fn from(side: Side) -> Self {
        match side {
            Side::Local => Self::Local,
            Side::Remote => Self::Remote,
            Side::Denied => Self::Denied,
        }
    }
}

/// Carries out a command line.
pub(crate) fn run(cli: Cli) -> Result<(), CommandError> {
    let Cli { output: format, noun } = cli;
    match noun {
        Noun::Server(args) => server::run(format, args),
        Noun::Dev(args) => dev::run(format, args),
        Noun::Demo(args) => demo::run(format, &args),
        Noun::Recover(args) => server::recover(format, args),
        Noun::Doctor(args) => doctor::run(format, &args),
        Noun::Ring(verb) => ring::run(format, verb),
        Noun::Key(verb) => key::run(format, verb),
        Noun::DataKey(verb) => data_key::run(format, verb),
        Noun::Encrypt(args) => file::encrypt(format, args),
        Noun::Decrypt(args) => file::decrypt(format, args),
        Noun::Abe(verb) => abe::run(format, verb),
        Noun::Sign(args) => signature::sign(format, args),
        Noun::Verify(args) => signature::verify(format, args),
        Noun::Random(args) => signature::random(format, args),
        Noun::Policy(verb) => policy::run(format, verb),
        Noun::Entity(verb) => entity::run(format, verb),
        Noun::Role(verb) => entity::role(format, verb),
        Noun::Cert(verb) => cert::run(format, verb),
        Noun::Audit(verb) => audit::run(format, verb),
        Noun::Config(verb) => config::run(format, verb),
        Noun::Completions(args) => completions::run(&args),
    }
}
