//! A text, a token ahead.

use super::{Lexer, Position, Spanned, Symbol, SyntaxError, Token};

/// What the parsers read from.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    lexer: Lexer<'a>,
    ahead: Option<Spanned>,
}

impl<'a> Cursor<'a> {
    /// Reads a text whose first character stands at a place.
    pub(crate) fn new(text: &'a str, at: Position) -> Self {
        Self { lexer: Lexer::new(text, at), ahead: None }
    }

    /// The next token, which stays.
    pub(crate) fn peek(&mut self) -> Result<&Spanned, SyntaxError> {
        let next = self.next()?;
        Ok(self.ahead.insert(next))
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Spanned, SyntaxError> {
        match self.ahead.take() {
            Some(next) => Ok(next),
            None => self.lexer.next(),
        }
    }

    /// Takes the next token if it is this sign.
    pub(crate) fn has(&mut self, symbol: Symbol) -> Result<bool, SyntaxError> {
        let found = self.peek()?.token == Token::Symbol(symbol);
        if found {
            self.ahead = None;
        }
        Ok(found)
    }

    /// Takes the next token if it is this keyword.
    pub(crate) fn has_keyword(&mut self, keyword: &str) -> Result<bool, SyntaxError> {
        let found = self.peek()?.token.is_keyword(keyword);
        if found {
            self.ahead = None;
        }
        Ok(found)
    }

    /// Takes this sign.
    pub(crate) fn need(&mut self, symbol: Symbol, expected: &'static str) -> Result<(), SyntaxError> {
        let next = self.next()?;
        if next.token == Token::Symbol(symbol) { Ok(()) } else { Err(next.expected(expected)) }
    }

    /// Takes a word or a quotation.
    pub(crate) fn text(&mut self, expected: &'static str) -> Result<(Position, String), SyntaxError> {
        let next = self.next()?;
        match next.word()? {
            Some(word) => Ok((next.at, word.to_owned())),
            None => Err(next.expected(expected)),
        }
    }
}
