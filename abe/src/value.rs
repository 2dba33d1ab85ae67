//! A single value: text, number or day. Its type shows in how it is written: `doctor`, `3`, `2026-11-21`, `"3"`.

mod date;

use std::fmt;

pub use date::Date;

use crate::syntax::{Quoted, Token};

/// What an attribute holds once, or a formula compares with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Value {
    /// A word or a quotation. Case counts; NFC once it is part of attributes or a formula.
    Text(Box<str>),
    /// A number; which ones fit says the declaration.
    Number(i128),
    /// A day.
    Date(Date),
}

impl Value {
    /// What it is, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Date(_) => "a date",
        }
    }

    /// The value that a token is, if it is one.
    pub(crate) fn of(token: &Token) -> Option<Self> {
        match token {
            Token::Word(text) | Token::Quoted(text) => Some(Self::Text(text.as_str().into())),
            Token::Number(number) => Some(Self::Number(*number)),
            Token::Date(date) => Some(Self::Date(*date)),
            Token::Symbol(_) | Token::End => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<Date> for Value {
    fn from(date: Date) -> Self {
        Self::Date(date)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => Quoted(text).fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Date(date) => date.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    //! How a value is written says what it is, in both directions.

    use super::*;

    #[test]
    fn writing_says_the_type() {
        let day = Date::new(2026, 11, 21).unwrap();
        let cases: [(Value, &str, &str); 6] = [
            ("doctor".into(), "doctor", "text"),
            ("3".into(), "\"3\"", "text"),
            ("2026-11-21".into(), "\"2026-11-21\"", "text"),
            (3.into(), "3", "a number"),
            ((-3).into(), "-3", "a number"),
            (day.into(), "2026-11-21", "a date"),
        ];
        for (value, written, kind) in cases {
            assert_eq!((value.to_string().as_str(), value.kind()), (written, kind));
        }
    }

    #[test]
    fn signs_are_no_values() {
        assert_eq!(Value::of(&Token::End), None);
        assert_eq!(Value::of(&Token::Symbol(crate::syntax::Symbol::Comma)), None);
        assert_eq!(Value::of(&Token::Quoted("3".to_owned())), Some("3".into()));
        assert_eq!(Value::of(&Token::Number(3)), Some(3.into()));
    }
}
