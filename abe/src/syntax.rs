//! What the three text forms (schemas, attribute lists, policies) have in common: tokens, positions, quoting.
//!
//! A name or a value is one token, and it is normalised (NFC, UAX 15) as a token: two spellings of one word are
//! one word, and nothing outside a token's quotes can become part of it. Case is kept: nothing is folded.

mod cursor;
pub(crate) mod error;
mod lexer;
mod nearest;
mod normal;
mod quote;

use std::fmt;

pub(crate) use cursor::Cursor;
pub use error::{NameDefect, SyntaxError, TextDefect};
pub(crate) use lexer::{Lexer, Spanned, Symbol, Token};
pub(crate) use nearest::nearest;
pub(crate) use normal::{MAX_NAME, MAX_VALUE, name, text};
pub use quote::quoted;
pub(crate) use quote::{KEYWORDS, Quoted, excerpt, is_start, render};

/// Where in a text something stands. Its `Display` is a prefix for messages, empty if there is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Bytes before it.
    pub offset: usize,
    /// Its line, from 1; 0 where something was not read from a text.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The first character of a text.
    pub(crate) const START: Self = Self { offset: 0, line: 1, column: 1 };
    /// For what was not read from a text.
    pub(crate) const NONE: Self = Self { offset: 0, line: 0, column: 0 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return Ok(());
        }
        write!(f, "line {}, column {}: ", self.line, self.column)
    }
}

#[cfg(test)]
mod tests;
