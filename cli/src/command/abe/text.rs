//! Policies and attributes: on the command line itself, or in a file that is named with `@`.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use crate::bundle_folder;
use crate::error::FileError;

/// A text or where it is. No policy and no list of attributes begins with an `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// Itself.
    Here(String),
    /// `@FILE`; for those that are longer than a command line takes.
    File(PathBuf),
}

impl FromStr for Text {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix('@') {
            Some(path) if !path.is_empty() => Self::File(PathBuf::from(path)),
            _ => Self::Here(text.to_owned()),
        })
    }
}

impl Text {
    /// The text, and the file it is from.
    pub(crate) fn read(&self) -> Result<(String, Option<&PathBuf>), FileError> {
        match self {
            Self::Here(text) => Ok((text.clone(), None)),
            Self::File(path) => Ok((bundle_folder::text(path)?, Some(path))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_at_sign_names_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy");
        std::fs::write(&path, "role = doctor\n").unwrap();
        let text: Text = format!("@{}", path.display()).parse().unwrap();
        assert_eq!(text.read().unwrap(), ("role = doctor\n".to_owned(), Some(&path)));
        let text: Text = "role = doctor".parse().unwrap();
        assert_eq!(text.read().unwrap(), ("role = doctor".to_owned(), None));
        assert_eq!("@".parse::<Text>().unwrap(), Text::Here("@".to_owned()));
        assert!("@no-such-file".parse::<Text>().unwrap().read().is_err());
    }
}
