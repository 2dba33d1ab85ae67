//! What can be wrong with a schema, and with a value that is to fit into one.

use super::{MAX_DECLARATIONS, MAX_SCHEMA, declaration::MAX_ENUM};
use crate::label::MAX_UNIT;
use crate::syntax::error::shown;
use crate::syntax::{NameDefect, Position, SyntaxError, TextDefect, render};

/// Why a schema was not read, or a declaration not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text does not split into words, or a word stands where another is needed.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The schema is too long.
    #[error("the schema has {bytes} bytes: at most {MAX_SCHEMA} are allowed")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// Too many declarations.
    #[error("{at}more than {MAX_DECLARATIONS} declarations: leave those out that no policy names")]
    TooMany {
        /// Of the first that is too many.
        at: Position,
    },
    /// A name for the second time.
    #[error("{at}{} is declared twice (names are compared after normalisation, NFC): keep one", shown(name))]
    Duplicate {
        /// Where.
        at: Position,
        /// The name, normalised.
        name: Box<str>,
    },
    /// A type that there is not.
    #[error("{at}unknown type `{found}`: write {}", nearest.map_or("`text`, `enum(a, b)`, `number(8)` or `date`".to_owned(), |near| format!("`{near}`")))]
    UnknownType {
        /// Where.
        at: Position,
        /// What was written.
        found: Box<str>,
        /// The type that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A width that there is not.
    #[error("{at}a number of {found} bits: widths are 1 to 64")]
    Width {
        /// Where.
        at: Position,
        /// The width.
        found: i128,
    },
    /// A word after the type that means nothing there.
    #[error("{at}`{found}` cannot follow: after the type stand `set`, `negatable` or, for numbers, `unit(word)`")]
    Word {
        /// Where.
        at: Position,
        /// The word.
        found: Box<str>,
    },
    /// A word for the second time.
    #[error("{at}`{word}` stands twice: write it once")]
    Repeated {
        /// Where the second stands.
        at: Position,
        /// Which.
        word: &'static str,
    },
    /// `!=` over a set of which nobody knows the other values.
    #[error(
        "{at}{} is an open set, so `negatable` is refused: a key for {{finance, audit}} would open `!= finance`, for one of its elements differs; declare `enum(..) set negatable`",
        shown(name)
    )]
    NegatableSet {
        /// Where.
        at: Position,
        /// The name.
        name: Box<str>,
    },
    /// A unit that cannot be one.
    #[error("{at}the unit has {bytes} bytes: at most {MAX_UNIT} are allowed")]
    UnitTooLong {
        /// Where.
        at: Position,
        /// Its bytes, normalised.
        bytes: usize,
    },
    /// A unit that cannot be one.
    #[error("{at}the unit of {} cannot be a word: {why}", shown(name))]
    Unit {
        /// Where.
        at: Position,
        /// The attribute.
        name: Box<str>,
        /// Why.
        why: NameDefect,
    },
    /// An enumeration of nothing.
    #[error("{at}the enumeration {} has no values: list them, as in `enum(a, b)`", shown(name))]
    EnumEmpty {
        /// Where.
        at: Position,
        /// The attribute.
        name: Box<str>,
    },
    /// Too many values.
    #[error(
        "{at}the enumeration {} has {count} values: at most {MAX_ENUM} are allowed, declare it `text`",
        shown(name)
    )]
    EnumTooLong {
        /// Where.
        at: Position,
        /// The attribute.
        name: Box<str>,
        /// How many.
        count: usize,
    },
    /// A value for the second time.
    #[error("{at}the enumeration {} lists {} twice: keep one", shown(name), shown(value))]
    EnumRepeated {
        /// Where.
        at: Position,
        /// The attribute.
        name: Box<str>,
        /// The value, normalised.
        value: Box<str>,
    },
    /// A value that cannot be one.
    #[error("{at}the enumeration {} lists a value that cannot be one: {why}", shown(name))]
    EnumValue {
        /// Where.
        at: Position,
        /// The attribute.
        name: Box<str>,
        /// Why.
        why: TextDefect,
    },
    /// Bytes that are not the canonical encoding of a schema.
    #[error("the encoded schema cannot be read at byte {offset}: {why}")]
    Encoding {
        /// How far it was read.
        offset: usize,
        /// Why.
        why: EncodingDefect,
    },
}

/// Why bytes are not a schema's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodingDefect {
    /// They end too early, or a length passes its bound.
    #[error("it ends early, or a length is out of bounds")]
    Truncated,
    /// Bytes follow.
    #[error("bytes follow its end")]
    Trailing,
    /// Another version.
    #[error("its version is not 1: use a newer release")]
    Version,
    /// A declaration that would have been written otherwise.
    #[error("it is not in the canonical form")]
    NotCanonical,
}

impl SchemaError {
    /// Where in the text the mistake stands; line 0 if there is no place.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Syntax(error) => error.position(),
            Self::TooLong { .. } | Self::Encoding { .. } => Position::NONE,
            Self::TooMany { at }
            | Self::Duplicate { at, .. }
            | Self::UnknownType { at, .. }
            | Self::Width { at, .. }
            | Self::Word { at, .. }
            | Self::Repeated { at, .. }
            | Self::NegatableSet { at, .. }
            | Self::UnitTooLong { at, .. }
            | Self::Unit { at, .. }
            | Self::EnumEmpty { at, .. }
            | Self::EnumTooLong { at, .. }
            | Self::EnumRepeated { at, .. }
            | Self::EnumValue { at, .. } => *at,
        }
    }

    /// The message with the line it speaks of and a caret below the place.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        render(self, self.position(), text)
    }
}

/// Why a value does not fit into its declaration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueDefect {
    /// Of another type.
    #[error("takes {expected}, and {found} is {kind}: {hint}")]
    Type {
        /// What the declaration takes.
        expected: &'static str,
        /// What was written.
        found: Box<str>,
        /// What that is.
        kind: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A number that the declared width does not hold.
    #[error("takes numbers from {lowest} to {highest}, and {number} is not one: {hint}")]
    Range {
        /// The number.
        number: i128,
        /// The lowest that fits.
        lowest: i128,
        /// The highest that fits.
        highest: i128,
        /// What to do.
        hint: &'static str,
    },
    /// A value that the enumeration does not list.
    #[error("does not list the value {found}: {}", nearest.as_ref().map_or("see its declaration".to_owned(), |near| format!("did you mean {}?", shown(near))))]
    Unknown {
        /// What was written.
        found: Box<str>,
        /// The listed value that was probably meant.
        nearest: Option<Box<str>>,
    },
    /// Text that cannot be a value.
    #[error("cannot hold this: {0}")]
    Text(#[from] TextDefect),
}
