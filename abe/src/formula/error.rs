//! What can be wrong with a policy.

use super::{MAX_DEPTH, MAX_ROWS, MAX_TEXT};
use crate::schema::ValueDefect;
use crate::syntax::error::shown;
use crate::syntax::{Position, SyntaxError, render};

/// Why a policy was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text does not split into words, or a word stands where another is needed.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Nothing but spaces.
    #[error("the policy is empty: write who may open, as in `role = doctor`")]
    Empty,
    /// The text is too long.
    #[error("the policy has {bytes} bytes: at most {MAX_TEXT} are allowed, also in its canonical form")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// Nested too deeply.
    #[error("{at}nested too deeply: at most {MAX_DEPTH} gates or parentheses stand within each other")]
    TooDeep {
        /// Where that shows.
        at: Position,
    },
    /// Too many rows.
    #[error(
        "{at}the policy needs {rows} rows up to here: at most {MAX_ROWS} are allowed, a comparison counts for its labels"
    )]
    TooManyRows {
        /// The condition that is too many.
        at: Position,
        /// Rows up to it.
        rows: usize,
    },
    /// A list of too many values.
    #[error("{at}more than {MAX_ROWS} values in a list: write a range")]
    ListTooLong {
        /// Of the first that is too many.
        at: Position,
    },
    /// A list of none.
    #[error("{at}an empty list holds for nobody: list the values, as in `dept in [cardiology, surgery]`")]
    EmptyList {
        /// Where.
        at: Position,
    },
    /// A keyword in capital letters.
    #[error("{at}write `{keyword}` for `{found}`: keywords are lower-case")]
    KeywordCase {
        /// Where.
        at: Position,
        /// What was written.
        found: Box<str>,
        /// What to write.
        keyword: &'static str,
    },
    /// A negation.
    #[error("{at}there is no `not`: write `name != value` (or `<` for `not >=`) for the single conditions")]
    Not {
        /// Where.
        at: Position,
    },
    /// A word that is compared with nothing.
    #[error("{at}{} alone is no condition: write `name = value`, as in `role = {}`", shown(word), shown(word))]
    BareWord {
        /// Where.
        at: Position,
        /// The word.
        word: Box<str>,
    },
    /// A value that the attribute cannot have.
    #[error("{at}{} {why}", shown(name))]
    Value {
        /// Where the value stands.
        at: Position,
        /// The attribute.
        name: Box<str>,
        /// Why.
        why: ValueDefect,
    },
    /// An order where there is none.
    #[error(
        "{at}`{sign}` needs a number or a date, and {} is text: use `=` or `in [..]`, or declare it `number`",
        shown(name)
    )]
    NotOrdered {
        /// Where the sign stands.
        at: Position,
        /// The attribute.
        name: Box<str>,
        /// The comparison.
        sign: &'static str,
    },
    /// `!=` for an attribute whose keys do not carry it.
    #[error(
        "{at}`!=` needs keys that carry it: declare `{}: {} negatable` in a new version of the authority",
        shown(name),
        shown_type(declared)
    )]
    NotNegatable {
        /// Where the sign stands.
        at: Position,
        /// The attribute.
        name: Box<str>,
        /// Its declaration, as it is.
        declared: Box<str>,
    },
    /// `!=` over a set of which nobody knows the other values.
    #[error(
        "{at}`!=` over the open set {} cannot be: a key for {{finance, audit}} would open `!= finance`, for one of its elements differs; declare `enum(..) set negatable`",
        shown(name)
    )]
    OpenSet {
        /// Where the sign stands.
        at: Position,
        /// The attribute.
        name: Box<str>,
    },
    /// A condition that no value satisfies.
    #[error("{at}no value of {} satisfies this: leave the condition out, or correct the bound", shown(name))]
    Unsatisfiable {
        /// Where the value stands.
        at: Position,
        /// The attribute.
        name: Box<str>,
    },
    /// `k of` fewer than k conditions.
    #[error("{at}{k} of {n} cannot be: the number is 1 to {n}")]
    Threshold {
        /// Where the number stands.
        at: Position,
        /// The number.
        k: i128,
        /// How many conditions follow.
        n: usize,
    },
    /// `0 of`, or fewer.
    #[error("{at}{k} of anything would let everybody open: write 1 or more")]
    ThresholdZero {
        /// Where the number stands.
        at: Position,
        /// The number.
        k: i128,
    },
    /// A formula that was read under another schema.
    #[error("{} is declared otherwise in this version of the authority: read the policy again", shown(name))]
    OtherSchema {
        /// The attribute.
        name: Box<str>,
    },
}

fn shown_type(declared: &str) -> String {
    crate::syntax::excerpt(declared)
}

impl PolicyError {
    /// Where in the text the mistake stands; line 0 if there is no place.
    #[must_use]
    pub fn position(&self) -> Position {
        match self {
            Self::Syntax(error) => error.position(),
            Self::Empty | Self::TooLong { .. } | Self::OtherSchema { .. } => Position::NONE,
            Self::TooDeep { at }
            | Self::TooManyRows { at, .. }
            | Self::ListTooLong { at }
            | Self::EmptyList { at }
            | Self::KeywordCase { at, .. }
            | Self::Not { at }
            | Self::BareWord { at, .. }
            | Self::Value { at, .. }
            | Self::NotOrdered { at, .. }
            | Self::NotNegatable { at, .. }
            | Self::OpenSet { at, .. }
            | Self::Unsatisfiable { at, .. }
            | Self::Threshold { at, .. }
            | Self::ThresholdZero { at, .. } => *at,
        }
    }

    /// The message with the line it speaks of and a caret below the place.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        render(self, self.position(), text)
    }
}
