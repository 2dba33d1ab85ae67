//! What can be wrong with a word, whatever text it stands in.

use super::normal::{MAX_NAME, MAX_VALUE};
use super::{Position, Quoted};

/// Why a text does not split into words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// A character that begins nothing.
    #[error("{at}`{found}` has no meaning here: {hint}")]
    Character {
        /// Where.
        at: Position,
        /// The character, or the two that belong together.
        found: Box<str>,
        /// What to write.
        hint: &'static str,
    },
    /// A quote without its end.
    #[error("{at}the quote that begins here does not end on its line: close it with `\"`")]
    Unterminated {
        /// Where it begins.
        at: Position,
    },
    /// A backslash before something else than it stands for.
    #[error("{at}unknown escape: inside quotes write `\\\"`, `\\\\`, `\\n`, `\\t` or `\\u{{e9}}`")]
    Escape {
        /// Where the backslash stands.
        at: Position,
    },
    /// A control character that is not written as an escape.
    #[error("{at}the control character U+{:04X} inside quotes: write it as `\\u{{{:x}}}`", u32::from(*found), u32::from(*found))]
    Control {
        /// Where.
        at: Position,
        /// Which.
        found: char,
    },
    /// It begins like a number and goes on otherwise.
    #[error(
        "{at}`{found}` is neither a number nor a date (2026-11-21): quote it if it is text, or put a space after the number"
    )]
    Number {
        /// Where.
        at: Position,
        /// Its beginning.
        found: Box<str>,
    },
    /// A number that begins with a zero, which text such as a postal code does.
    #[error("{at}`{found}` begins with a zero: drop it from a number, quote it if it is text")]
    LeadingZero {
        /// Where.
        at: Position,
        /// The number.
        found: Box<str>,
    },
    /// More digits than any declared width holds.
    #[error("{at}a number of {digits} digits: the widest attribute has 64 bits, 20 digits")]
    NumberTooLong {
        /// Where.
        at: Position,
        /// How many.
        digits: usize,
    },
    /// A date that no calendar has.
    #[error("{at}`{found}` is not a day of the Gregorian calendar, years 0001 to 9999")]
    Date {
        /// Where.
        at: Position,
        /// What was written.
        found: Box<str>,
    },
    /// One of the five keywords as a name or a value.
    #[error("{at}`{found}` is a keyword: as a name or a value write it in quotes, `\"{found}\"`")]
    Keyword {
        /// Where.
        at: Position,
        /// Which.
        found: Box<str>,
    },
    /// A name that cannot be one.
    #[error("{at}{why}")]
    Name {
        /// Where.
        at: Position,
        /// Why.
        why: NameDefect,
    },
    /// Something else was needed.
    #[error("{at}expected {expected}, found {found}")]
    Expected {
        /// Where.
        at: Position,
        /// What was needed.
        expected: &'static str,
        /// What stands there.
        found: Box<str>,
    },
}

impl SyntaxError {
    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Character { at, .. }
            | Self::Unterminated { at }
            | Self::Escape { at }
            | Self::Control { at, .. }
            | Self::Number { at, .. }
            | Self::LeadingZero { at, .. }
            | Self::NumberTooLong { at, .. }
            | Self::Date { at, .. }
            | Self::Keyword { at, .. }
            | Self::Name { at, .. }
            | Self::Expected { at, .. } => *at,
        }
    }
}

/// Why something is not the name of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameDefect {
    /// No character.
    #[error("the name of the attribute is empty: name it")]
    Empty,
    /// Too many bytes.
    #[error("the name has {bytes} bytes: at most {MAX_NAME} are allowed after normalisation")]
    TooLong {
        /// Its bytes, normalised.
        bytes: usize,
    },
    /// A character that a reader does not see, or that turns what he sees around.
    #[error("the name holds the control character U+{:04X}: leave it out", u32::from(*found))]
    Control {
        /// Which.
        found: char,
    },
}

/// Why something is not the text of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextDefect {
    /// No character.
    #[error("the text is empty: leave the attribute out, or name the absence, as in `\"none\"`")]
    Empty,
    /// Too many bytes.
    #[error("the text has {bytes} bytes: at most {MAX_VALUE} are allowed after normalisation")]
    TooLong {
        /// Its bytes, normalised.
        bytes: usize,
    },
}

/// A name as messages show it.
pub(crate) fn shown(name: &str) -> String {
    super::excerpt(&Quoted(name).to_string())
}
