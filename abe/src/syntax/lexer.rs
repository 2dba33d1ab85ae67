//! One word after the other. Nothing is kept but the place, so that a hostile text costs what was read of it.

use super::quote::is_word;
use super::{KEYWORDS, Position, SyntaxError, excerpt, is_start};
use crate::value::Date;

/// Digits of the widest number, 2^64 - 1 (sign aside).
const MAX_DIGITS: usize = 20;

/// A word or a sign. Text is as written, escapes undone, not yet normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// Bare: a name, a value or a keyword.
    Word(String),
    /// In quotes: never a keyword.
    Quoted(String),
    /// A number.
    Number(i128),
    /// A day.
    Date(Date),
    /// A sign.
    Symbol(Symbol),
    /// Nothing more.
    End,
}

/// The signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenList,
    /// `]`
    CloseList,
    /// `,`
    Comma,
    /// `:`, in schemas alone.
    Colon,
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// A token and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) at: Position,
}

impl Token {
    /// As messages show it.
    pub(crate) fn shown(&self) -> Box<str> {
        match self {
            Self::Word(word) => format!("`{}`", excerpt(word)),
            Self::Quoted(text) => format!("the text `{}`", excerpt(text)),
            Self::Number(number) => format!("the number {number}"),
            Self::Date(date) => format!("the date {date}"),
            Self::Symbol(symbol) => format!("`{}`", symbol.sign()),
            Self::End => "the end".to_owned(),
        }
        .into()
    }

    /// Whether it is this keyword, bare.
    pub(crate) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word == keyword)
    }
}

impl Spanned {
    /// What else was needed here.
    pub(crate) fn expected(&self, expected: &'static str) -> SyntaxError {
        SyntaxError::Expected { at: self.at, expected, found: self.token.shown() }
    }

    /// The text of a word or a quotation; a bare keyword is refused.
    pub(crate) fn word(&self) -> Result<Option<&str>, SyntaxError> {
        match &self.token {
            Token::Word(word) if KEYWORDS.contains(&word.as_str()) => {
                Err(SyntaxError::Keyword { at: self.at, found: word.as_str().into() })
            }
            Token::Word(text) | Token::Quoted(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    }
}

impl Symbol {
    /// As it is written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Open => "(",
            Self::Close => ")",
            Self::OpenList => "[",
            Self::CloseList => "]",
            Self::Comma => ",",
            Self::Colon => ":",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// Reads a text from left to right.
#[derive(Debug, Clone)]
pub(crate) struct Lexer<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Lexer<'a> {
    /// From a place on: the first of `text`.
    pub(crate) fn new(text: &'a str, at: Position) -> Self {
        Self { rest: text, at }
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Spanned, SyntaxError> {
        while self.rest.starts_with([' ', '\t', '\r', '\n']) {
            self.take();
        }
        let at = self.at;
        let token = match self.rest.chars().next() {
            None => Token::End,
            Some('"') => self.quoted(at)?,
            Some(digit) if digit.is_ascii_digit() => self.number(at)?,
            Some('-') if self.rest.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) => {
                self.number(at)?
            }
            Some(letter) if is_start(letter) => Token::Word(self.run()),
            Some(sign) => Token::Symbol(self.symbol(sign, at)?),
        };
        Ok(Spanned { token, at })
    }

    /// The next character, whatever it is.
    fn take(&mut self) -> Option<char> {
        let mut letters = self.rest.chars();
        let letter = letters.next()?;
        self.rest = letters.as_str();
        self.at.offset += letter.len_utf8();
        if letter == '\n' {
            self.at.line += 1;
            self.at.column = 1;
        } else {
            self.at.column += 1;
        }
        Some(letter)
    }

    /// Everything that could belong to one bare word.
    fn run(&mut self) -> String {
        let end = self.rest.find(|letter| !is_word(letter)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        self.at.offset += run.len();
        self.at.column += run.chars().count();
        run.to_owned()
    }

    /// What begins with a digit or a sign is a number, a date, or a mistake: never the beginning of a word, or `3rd`
    /// would be text and `3` none.
    fn number(&mut self, at: Position) -> Result<Token, SyntaxError> {
        let minus = if self.rest.starts_with('-') { self.take() } else { None };
        let run = self.run();
        let found = || -> Box<str> { excerpt(&format!("{}{run}", minus.map_or("", |_| "-"))).into() };
        if run.bytes().all(|digit| digit.is_ascii_digit()) {
            if run.len() > MAX_DIGITS {
                return Err(SyntaxError::NumberTooLong { at, digits: run.len() });
            }
            if run.starts_with('0') && (run.len() > 1 || minus.is_some()) {
                return Err(SyntaxError::LeadingZero { at, found: found() });
            }
            let number = run.parse::<i128>().map_err(|_| SyntaxError::Number { at, found: found() })?;
            return Ok(Token::Number(if minus.is_some() { -number } else { number }));
        }
        let shape =
            |(index, byte): (usize, u8)| if matches!(index, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
        if minus.is_none() && run.len() == 10 && run.bytes().enumerate().all(shape) {
            return Date::parse(&run).map(Token::Date).ok_or_else(|| SyntaxError::Date { at, found: found() });
        }
        Err(SyntaxError::Number { at, found: found() })
    }

    /// Text up to the closing quote, on one line, so that a forgotten quote is reported where it was opened.
    fn quoted(&mut self, at: Position) -> Result<Token, SyntaxError> {
        self.take();
        let mut text = String::new();
        loop {
            let here = self.at;
            match self.take() {
                None | Some('\n' | '\r') => return Err(SyntaxError::Unterminated { at }),
                Some('"') => return Ok(Token::Quoted(text)),
                Some('\\') => text.push(self.escape().ok_or(SyntaxError::Escape { at: here })?),
                Some(found) if found.is_control() => return Err(SyntaxError::Control { at: here, found }),
                Some(letter) => text.push(letter),
            }
        }
    }

    /// The character of an escape, after its backslash.
    fn escape(&mut self) -> Option<char> {
        match self.take()? {
            'n' => Some('\n'),
            't' => Some('\t'),
            same @ ('"' | '\\') => Some(same),
            'u' => {
                let (digits, _) = self.rest.strip_prefix('{')?.split_once('}')?;
                let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let letter = plain.then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)).flatten()?;
                for _ in 0..digits.len() + 2 {
                    self.take();
                }
                Some(letter)
            }
            _ => None,
        }
    }

    fn symbol(&mut self, sign: char, at: Position) -> Result<Symbol, SyntaxError> {
        let second = self.rest.chars().nth(1).unwrap_or(' ');
        let (symbol, signs) = match (sign, second) {
            ('!', '=') => (Symbol::NotEqual, 2),
            ('<', '=') => (Symbol::AtMost, 2),
            ('>', '=') => (Symbol::AtLeast, 2),
            ('=', '=') | ('<', '>') | ('=', '<' | '>') => return Err(refused(sign, second, at)),
            ('(', _) => (Symbol::Open, 1),
            (')', _) => (Symbol::Close, 1),
            ('[', _) => (Symbol::OpenList, 1),
            (']', _) => (Symbol::CloseList, 1),
            (',', _) => (Symbol::Comma, 1),
            (':', _) => (Symbol::Colon, 1),
            ('=', _) => (Symbol::Equal, 1),
            ('<', _) => (Symbol::Less, 1),
            ('>', _) => (Symbol::More, 1),
            _ => return Err(refused(sign, second, at)),
        };
        for _ in 0..signs {
            self.take();
        }
        Ok(symbol)
    }
}

/// What people write who know another language.
fn refused(sign: char, second: char, at: Position) -> SyntaxError {
    let (double, hint) = match (sign, second) {
        ('=', '=') => (true, "write `=`"),
        ('=', '<') => (true, "write `<=`"),
        ('=', '>') => (true, "write `>=`"),
        ('<', '>') => (true, "write `!=`"),
        ('&', '&') => (true, "write `and`"),
        ('|', '|') => (true, "write `or`"),
        ('&', _) => (false, "write `and`"),
        ('|', _) => (false, "write `or`"),
        ('!' | '~' | '¬', _) => (false, "there is no negation of a whole formula: write `name != value`"),
        ('≠', _) => (false, "write `!=`"),
        ('≤', _) => (false, "write `<=`"),
        ('≥', _) => (false, "write `>=`"),
        ('\'' | '`' | '“' | '”' | '„' | '‘' | '’', _) => (false, "quote with `\"`"),
        ('{' | '}', _) => (false, "lists stand in `[` and `]`, formulas in `(` and `)`"),
        (';', _) => (false, "separate with `,`"),
        ('-' | '+', _) => (false, "a sign stands directly before the digits of a negative number alone"),
        (unseen, _) if unseen.is_whitespace() => (false, "separate words with plain spaces"),
        _ => (false, "quote whatever holds more than letters, digits, `_`, `.` and `-`"),
    };
    let mut found = String::from(sign);
    if double {
        found.push(second);
    }
    let found = if sign.is_control() { format!("U+{:04X}", u32::from(sign)) } else { found };
    SyntaxError::Character { at, found: found.into(), hint }
}
