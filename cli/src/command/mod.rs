//! One file a noun. Each takes its arguments, does the work, and shows one answer.

mod completions;

use crate::args::{Cli, Noun};
use crate::demo::input::InputError;
use crate::error::{Blame, FileError};
use crate::output::OutputError;
use crate::secret::SecretError;

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
    /// The demo's input.
    #[error(transparent)]
    Input(#[from] InputError),
}

impl CommandError {
    /// Whose fault it is; the exit code follows.
    pub(crate) fn blame(&self) -> Blame {
        match self {
            Self::Output(_) | Self::File(_) | Self::Secret(_) | Self::Input(_) => Blame::Local,
        }
    }
}

/// Carries out a command line.
pub(crate) fn run(cli: Cli) -> Result<(), CommandError> {
    let Cli { output, noun } = cli;
    match noun {
        Noun::Completions(args) => completions::run(&args),
        _ => Ok(()),
    }
}
