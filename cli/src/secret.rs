//! Secrets come from standard input or a file, never from the command line: other users of the machine
//! read command lines, and shells keep them.

use std::ffi::OsStr;
use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use zeroize::Zeroizing;

/// Longest secret that is read, in bytes.
const MAX_SECRET: u64 = 64 * 1024;

/// Where a secret stands: `-` for standard input, `@FILE` for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// Given in place; the text is not repeated, for it may be the secret.
    #[error("a secret does not belong on the command line: write `-` to read it from standard input, or `@FILE`")]
    InPlace,
    /// The file or standard input failed.
    #[error("could not read the secret from {from}: {error}")]
    Read { from: String, error: std::io::Error },
    /// Too long to be a secret.
    #[error("the secret is longer than {MAX_SECRET} bytes: is this the right file?")]
    TooLong,
    /// Nothing there.
    #[error("the secret is empty")]
    Empty,
    /// Not text where text is needed.
    #[error("the secret is not UTF-8 text")]
    NotText,
}

impl FromStr for Source {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.strip_prefix('@') {
            Some(path) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            None if text == "-" => Ok(Self::Stdin),
            _ => Err(SecretError::InPlace),
        }
    }
}

/// Reads a [`Source`] from a flag. What is none may be the secret itself: unlike the library's own refusal, this one
/// does not repeat it, for standard error ends up in logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceParser;

impl TypedValueParser for SourceParser {
    type Value = Source;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Source, clap::Error> {
        let read = value.to_str().ok_or(SecretError::NotText).and_then(str::parse);
        read.map_err(|error| {
            let name = arg.map(ToString::to_string).unwrap_or_default();
            clap::Error::raw(ErrorKind::ValueValidation, format!("`{name}`: {error}\n")).with_cmd(command)
        })
    }
}

impl Source {
    /// The secret's bytes, as they stand.
    pub(crate) fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        match self {
            Self::Stdin => bounded(std::io::stdin().lock(), "standard input"),
            Self::File(path) => {
                let from = format!("`{}`", path.display());
                let file =
                    std::fs::File::open(path).map_err(|error| SecretError::Read { from: from.clone(), error })?;
                bounded(file, &from)
            }
        }
    }

    /// The secret as text, without the line break that editors add.
    pub(crate) fn text(&self) -> Result<Zeroizing<String>, SecretError> {
        let bytes = self.bytes()?;
        let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotText)?.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err(SecretError::Empty) } else { Ok(Zeroizing::new(text.to_owned())) }
    }
}

fn bounded(input: impl Read, from: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    // Room for all of it at once: a growing buffer would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_SECRET).unwrap_or(usize::MAX) + 1));
    let read = input.take(MAX_SECRET + 1).read_to_end(&mut bytes);
    read.map_err(|error| SecretError::Read { from: from.to_owned(), error })?;
    match bytes.len() as u64 {
        0 => Err(SecretError::Empty),
        len if len > MAX_SECRET => Err(SecretError::TooLong),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_place_is_refused_and_not_repeated() {
        for bad in ["hunter2", "", "@", "--"] {
            let error = bad.parse::<Source>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"));
        }
        assert_eq!("-".parse::<Source>().unwrap(), Source::Stdin);
        assert_eq!("@a b".parse::<Source>().unwrap(), Source::File("a b".into()));
    }

    #[test]
    fn line_breaks_are_cut_and_bounds_hold() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "abc\r\n").unwrap();
        assert_eq!(*Source::File(file.clone()).text().unwrap(), "abc");
        std::fs::write(&file, "\n").unwrap();
        assert!(matches!(Source::File(file.clone()).text(), Err(SecretError::Empty)));
        std::fs::write(&file, vec![b'a'; 64 * 1024 + 1]).unwrap();
        assert!(matches!(Source::File(file.clone()).text(), Err(SecretError::TooLong)));
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(matches!(Source::File(file).text(), Err(SecretError::NotText)));
        assert!(matches!(Source::File(folder.path().join("none")).text(), Err(SecretError::Read { .. })));
    }
}
