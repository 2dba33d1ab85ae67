//! How a command ends: an exit code, and a message that says what to do.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::command::CommandError;
use crate::output::OutputError;
use crate::stop::Told;

/// Exit code of an error on this side.
const LOCAL: u8 = 1;
/// Exit code of an error of the server, or on the way to it.
const REMOTE: u8 = 2;
/// Exit code of a denial.
const DENIED: u8 = 3;

/// Whose fault an error is; the exit code tells scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// Something here: arguments, files, the machine.
    Local,
    /// The server, or the way to it.
    Remote,
    /// Nobody's: policy said no.
    Denied,
    /// Nobody's: a signal ended the command.
    Signal(Told),
}

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} `{}`: {error}", path.display())]
pub(crate) struct FileError {
    /// `read`, `write`, `create`, `rename`.
    pub(crate) doing: &'static str,
    /// Which.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) error: std::io::Error,
}

impl FileError {
    /// For `map_err`.
    pub(crate) fn at(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self { doing, path, error }
    }
}

impl From<Blame> for ExitCode {
    fn from(blame: Blame) -> Self {
        Self::from(match blame {
            Blame::Local => LOCAL,
            Blame::Remote => REMOTE,
            Blame::Denied => DENIED,
            Blame::Signal(told) => told.exit_code(),
        })
    }
}

/// Ends the program: prints an error with its causes, and turns it into an exit code.
pub(crate) fn finish(result: Result<(), CommandError>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if matches!(error, CommandError::Output(OutputError::Closed)) {
        return ExitCode::SUCCESS;
    }
    let blame = error.blame();
    crate::output::remark(&format!("wardkeep: {}", with_causes(&error)));
    blame.into()
}

/// Ends the program on a command line that says nothing, or asks for help. Clap would use 2, which here
/// means the server.
pub(crate) fn usage(refusal: &clap::Error) -> ExitCode {
    let _ = refusal.print();
    let _ = std::io::stderr().flush();
    if refusal.use_stderr() { Blame::Local.into() } else { ExitCode::SUCCESS }
}

/// The message and those of its causes that it does not already hold.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
