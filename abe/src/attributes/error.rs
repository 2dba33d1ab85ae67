//! What can be wrong with a list of attributes.

use super::{MAX_TEXT, MAX_VALUES};
use crate::schema::ValueDefect;
use crate::syntax::error::shown;
use crate::syntax::{Position, SyntaxError, render};

/// Why attributes were not read, or one not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The text does not split into words, or a word stands where another is needed.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The text is too long.
    #[error("the attributes have {bytes} bytes as text: at most {MAX_TEXT} are allowed")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// Too many values.
    #[error("{at}more than {MAX_VALUES} values: a key holds those alone that policies ask for")]
    TooMany {
        /// Of the first that is too many.
        at: Position,
    },
    /// A second value where there is one only.
    #[error("{at}two values of the single-valued attribute {}: keep one, or declare it `set`", shown(name))]
    SecondValue {
        /// Where.
        at: Position,
        /// The attribute.
        name: Box<str>,
    },
    /// A list for an attribute that holds one value.
    #[error("{at}{} holds one value, not a list: leave the brackets out, or declare it `set`", shown(name))]
    NotASet {
        /// Where.
        at: Position,
        /// The attribute.
        name: Box<str>,
    },
    /// A value that does not fit.
    #[error("{at}{} {why}", shown(name))]
    Value {
        /// Where.
        at: Position,
        /// The attribute.
        name: Box<str>,
        /// Why.
        why: ValueDefect,
    },
    /// Attributes that were read under another schema.
    #[error("{} does not fit its declaration in this version of the authority: read the attributes again", shown(name))]
    OtherSchema {
        /// The attribute.
        name: Box<str>,
    },
}

impl AttributeError {
    /// Where in the text the mistake stands; line 0 if there is no place.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Syntax(error) => error.position(),
            Self::TooLong { .. } | Self::OtherSchema { .. } => Position::NONE,
            Self::TooMany { at } | Self::SecondValue { at, .. } | Self::NotASet { at, .. } | Self::Value { at, .. } => {
                *at
            }
        }
    }

    /// The message with the line it speaks of and a caret below the place.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        render(self, self.position(), text)
    }
}
