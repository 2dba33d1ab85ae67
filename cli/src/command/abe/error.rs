//! Why a command of attribute-based encryption failed.

use std::path::{Path, PathBuf};

use wardkeep_abe::{
    AttributeError, DecodeError, DelegateError, IssueError, PolicyError, RevocationError, SchemaError, SetupError,
};
use wardkeep_client::unwrap::HolderError;
use wardkeep_envelope::{OpenError, RandomFailed, SealError, UnwrapError, WrapError};
use wardkeep_model::EntropyError;

use super::when::moment;
use crate::error::{Blame, FileError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AbeError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A text of the caller's, with the line it speaks of and a caret below the place.
    #[error("{0}")]
    Text(String),
    /// A file that is not what it should be.
    #[error("`{}`: {error}", path.display())]
    Decode { path: PathBuf, error: DecodeError },
    /// A list that is not to be used.
    #[error("`{}`: {error}", path.display())]
    List { path: PathBuf, error: RevocationError },
    /// Parameters of somebody else's.
    #[error(
        "`{}` is signed by {found}, and {pinned} is pinned: it is another authority's, or the wrong key was pinned",
        path.display()
    )]
    OtherSigner { path: PathBuf, found: String, pinned: String },
    /// A file that begins as none of ours does.
    #[error("`{}` is no file of attribute-based encryption and no protected file", path.display())]
    Unknown { path: PathBuf },
    /// A file that says nothing by itself.
    #[error("`{}` is {what}: name its authority's public parameters with `--parameters`", path.display())]
    NeedsParameters { path: PathBuf, what: &'static str },
    /// A name that something else has.
    #[error("`{}` stands there already and {what}: choose another name, or replace it with `--force`", path.display())]
    Taken { path: PathBuf, what: &'static str },
    /// Longer than anything of ours.
    #[error("`{}` is longer than {max} bytes: is this the right file?", path.display())]
    TooLong { path: PathBuf, max: u64 },
    /// A secret that others may read.
    #[error("`{}` has mode {mode:04o}: others could read the key, so make it `chmod 600`", path.display())]
    Mode { path: PathBuf, mode: u32 },
    /// A folder without an authority.
    #[error("`{}` holds no authority: make one with `wardkeep abe local setup --dir`", path.display())]
    NoAuthority { path: PathBuf },
    /// A folder with one.
    #[error("`{}` holds an authority already: choose another folder, or `wardkeep abe local rotate` for a new version", path.display())]
    Exists { path: PathBuf },
    /// The ledger cannot be used.
    #[error("`{}` cannot be used: {error}; put back a copy, for serials must not be given twice", path.display())]
    Ledger { path: PathBuf, error: String },
    /// The ledger of an authority whose master key is not here.
    #[error(
        "`{}` numbers the keys of an authority whose `authority.key` is not here: put that back, or choose another folder",
        path.display()
    )]
    LedgerInUse { path: PathBuf },
    /// A serial that was given before.
    #[error("serial {serial} was given already: the next free one is {next}")]
    SerialUsed { serial: u32, next: u64 },
    /// A serial that was not.
    #[error("serial {serial} was never given to a key of version {version}: see `wardkeep abe inspect` of the key")]
    NotIssued { serial: u32, version: u32 },
    /// Serials of no version.
    #[error(
        "the authority has {newest} versions, and each numbers its keys anew: name the one of these serials with \
         `--key-version` (`wardkeep abe key list` shows it)"
    )]
    WhichVersion { newest: u32 },
    /// An RSA private key.
    #[error("`{}`: {error}; `openssl pkcs8 -topk8 -nocrypt` converts other forms", path.display())]
    Holder { path: PathBuf, error: HolderError },
    /// Shares that cannot be.
    #[error("{given} {what} for {shares} shares: {remedy}")]
    Shares { given: usize, what: &'static str, shares: u8, remedy: &'static str },
    /// A list past its renewal.
    #[error("`{}` was due for renewal at {next_update} and it is {now}: fetch the newest list, or sign one", path.display())]
    Stale { path: PathBuf, next_update: String, now: String },
    /// The same of the list that the server publishes.
    #[error(
        "the newest list that the server publishes was due for renewal at {next_update} and it is {now}: its signing has \
         stopped, or a clock is wrong"
    )]
    StalePublished { next_update: String, now: String },
    /// A moment that no bucket holds.
    #[error("that moment is beyond the time buckets of this authority (or before 1970): name an earlier one")]
    OutOfTime,
    /// Issuing.
    #[error(transparent)]
    Issue(Box<IssueError>),
    /// Setting up or rotating.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Deriving.
    #[error(transparent)]
    Delegate(Box<DelegateError>),
    /// A revocation list.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// Policy and declarations.
    #[error(transparent)]
    Policy(Box<PolicyError>),
    /// Sealing.
    #[error(transparent)]
    Seal(Box<SealError>),
    /// A data key.
    #[error(transparent)]
    Wrap(Box<WrapError>),
    /// Opening.
    #[error(transparent)]
    Open(Box<OpenError>),
    /// An envelope without a policy.
    #[error("the file was not sealed under a policy over attributes: open it with `wardkeep decrypt`")]
    NoPolicy,
    /// A policy, where the key service alone was to open.
    #[error("the file asks for attributes, which the key service does not have: name the key file with `--abe-key`")]
    NeedsKey,
    /// For RSA keys alone.
    #[error(
        "the file is sealed for keys that no command of this program opens with: an application does (`RsaHolder::read`)"
    )]
    NoVerb,
    /// A combination, where no server is asked.
    #[error("the file also asks for a decision of the key service: open it with `wardkeep decrypt --abe-key`")]
    NeedsServer,
    /// The context cannot be written down; only a mistake of ours makes this.
    #[error("the context has no JSON form: {0}")]
    Context(#[source] serde_json::Error),
    /// The server's answer.
    #[error("the server's answer holds no usable data key: client and server may be of different versions")]
    Answer,
    /// The policy is not satisfied, in an explanation.
    #[error("the policy is not satisfied; missing: {}", missing.join(", "))]
    NotSatisfied { missing: Vec<String> },
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomFailed),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl AbeError {
    /// Denied where attributes do not satisfy a policy; everything else is broken here.
    pub(crate) fn blame(&self) -> Blame {
        match self {
            Self::NotSatisfied { .. } => Blame::Denied,
            Self::Open(error) if matches!(**error, OpenError::Unwrap(UnwrapError::NotSatisfied { .. })) => {
                Blame::Denied
            }
            Self::StalePublished { .. } => Blame::Remote,
            _ => Blame::Local,
        }
    }

    /// For `map_err`.
    pub(crate) fn decoding(path: &Path) -> impl FnOnce(DecodeError) -> Self {
        move |error| Self::Decode { path: path.to_owned(), error }
    }

    /// For `map_err`.
    pub(crate) fn list(path: &Path) -> impl FnOnce(RevocationError) -> Self {
        move |error| match error {
            RevocationError::Stale { next_update, now } => {
                Self::Stale { path: path.to_owned(), next_update: moment(next_update), now: moment(now) }
            }
            error => Self::List { path: path.to_owned(), error },
        }
    }
}

/// The large ones are boxed: most functions return one of them, and few ever make it.
macro_rules! boxed {
    ($($variant:ident($error:ty)),*) => {$(
        impl From<$error> for AbeError {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        }
    )*};
}

boxed!(
    Issue(IssueError),
    Policy(PolicyError),
    Seal(SealError),
    Wrap(WrapError),
    Open(OpenError),
    Delegate(DelegateError)
);

/// An error in a text, as an editor understands it: `file:line:column: message`, then the line and a caret. Without a
/// file the message alone.
pub(crate) trait InText {
    /// Line and column, both from 1; 0 where there is no place.
    fn place(&self) -> (usize, usize);
    /// Message, line and caret.
    fn shown(&self, text: &str) -> String;

    /// The whole.
    fn in_text(&self, text: &str, file: Option<&Path>) -> AbeError {
        let shown = self.shown(text);
        AbeError::Text(match (file, self.place()) {
            (None, _) => shown,
            (Some(file), (0, _)) => format!("{}: {shown}", file.display()),
            (Some(file), (line, column)) => format!("{}:{line}:{column}: {shown}", file.display()),
        })
    }
}

macro_rules! in_text {
    ($($error:ty),*) => {$(
        impl InText for $error {
            fn place(&self) -> (usize, usize) {
                (self.position().line, self.position().column)
            }

            fn shown(&self, text: &str) -> String {
                self.render(text)
            }
        }
    )*};
}

in_text!(SchemaError, AttributeError, PolicyError);
