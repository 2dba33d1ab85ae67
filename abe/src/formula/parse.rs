//! Text to tree, by recursive descent. Every bound is checked before what it bounds is built.
//!
//! ```text
//! policy     = any
//! any        = all { "or" all }
//! all        = primary { "and" primary }
//! primary    = "(" any ")" | number "of" "(" any { "," any } ")" | name test
//! test       = ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value | "in" "[" value { "," value } "]"
//! name       = word | quoted
//! value      = word | quoted | number | date
//! word       = ( letter | "_" ) { letter | digit | mark | "_" | "." | "-" }      no keyword
//! quoted     = `"` { any character but a control character | escape } `"`
//! escape     = `\"` | `\\` | `\n` | `\t` | `\u{` 1 to 6 hexadecimal digits `}`
//! number     = [ "-" ] ( "0" | digit other than 0 { digit } )                     at most 20 digits
//! date       = year "-" month "-" day                                             4, 2 and 2 digits
//! ```
//!
//! The recursion goes through `primary` alone and is as deep as parentheses are, 64 at most: a text of nothing but
//! `(` ends at the 65th. The tree that results is merged as it grows, so that `a and (b and c)` has one gate.

use std::collections::HashSet;
use std::sync::Arc;

use super::node::{Ask, Comparison, Node, Test};
use super::{MAX_DEPTH, MAX_ROWS, MAX_TEXT, PolicyError};
use crate::schema::{Declaration, Schema, Type};
use crate::syntax::{self, Cursor, Position, Spanned, Symbol, SyntaxError, Token, excerpt};
use crate::value::Value;

const CONDITION: &str = "a condition, such as `role = doctor`, or `(`";
const VALUE: &str = "a value: a word, a number, a date, or \"text\"";

pub(super) fn parse(text: &str, schema: &Schema) -> Result<Node, PolicyError> {
    if text.len() > MAX_TEXT {
        return Err(PolicyError::TooLong { bytes: text.len() });
    }
    let mut parser = Parser { cursor: Cursor::new(text, Position::START), schema, rows: 0 };
    if parser.cursor.peek()?.token == Token::End {
        return Err(PolicyError::Empty);
    }
    let root = parser.any(0)?;
    let next = parser.cursor.next()?;
    if next.token != Token::End {
        return Err(stray(&next, "`and`, `or` or the end"));
    }
    if root.depth() > MAX_DEPTH {
        return Err(PolicyError::TooDeep { at: Position::START });
    }
    // Spaces and escapes may make the canonical text longer, and that is what a ciphertext carries.
    let bytes = root.to_string().len();
    if bytes > MAX_TEXT { Err(PolicyError::TooLong { bytes }) } else { Ok(root) }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    schema: &'a Schema,
    /// Rows of the conditions read so far.
    rows: usize,
}

impl Parser<'_> {
    /// `all or all ..`, inside so many parentheses.
    fn any(&mut self, depth: usize) -> Result<Node, PolicyError> {
        let mut children = vec![self.all(depth)?];
        while self.cursor.has_keyword("or")? {
            children.push(self.all(depth)?);
        }
        Ok(Node::any(children))
    }

    fn all(&mut self, depth: usize) -> Result<Node, PolicyError> {
        let mut children = vec![self.primary(depth)?];
        while self.cursor.has_keyword("and")? {
            children.push(self.primary(depth)?);
        }
        Ok(Node::all(children))
    }

    fn primary(&mut self, depth: usize) -> Result<Node, PolicyError> {
        let next = self.cursor.next()?;
        match &next.token {
            Token::Symbol(Symbol::Open) => {
                let depth = deeper(depth, next.at)?;
                let inner = self.any(depth)?;
                self.close("`and`, `or` or `)`")?;
                Ok(inner)
            }
            Token::Number(k) => self.threshold(*k, next.at, depth),
            Token::Word(word) if word == "not" => Err(PolicyError::Not { at: next.at }),
            Token::Word(word) if matches!(word.as_str(), "and" | "or") => Err(next.expected(CONDITION).into()),
            _ => match next.word()? {
                Some(name) => self.test(next.at, name).map(Node::Leaf),
                None => Err(next.expected(CONDITION).into()),
            },
        }
    }

    fn close(&mut self, expected: &'static str) -> Result<(), PolicyError> {
        let next = self.cursor.next()?;
        if next.token == Token::Symbol(Symbol::Close) { Ok(()) } else { Err(stray(&next, expected)) }
    }

    /// `k of (..)`, after the number.
    fn threshold(&mut self, k: i128, at: Position, depth: usize) -> Result<Node, PolicyError> {
        let of = self.cursor.next()?;
        if !of.token.is_keyword("of") {
            return Err(stray(&of, "`of` after the number, as in `2 of (..)`; a comparison begins with its name"));
        }
        if k < 1 {
            return Err(PolicyError::ThresholdZero { at, k });
        }
        let open = self.cursor.next()?;
        if open.token != Token::Symbol(Symbol::Open) {
            return Err(open.expected("`(` and the conditions, separated by `,`").into());
        }
        let depth = deeper(depth, open.at)?;
        let mut children = Vec::new();
        if !self.cursor.has(Symbol::Close)? {
            loop {
                children.push(self.any(depth)?);
                if !self.cursor.has(Symbol::Comma)? {
                    break;
                }
            }
            self.close("`and`, `or`, `,` or `)`")?;
        }
        match usize::try_from(k) {
            Ok(fits) if fits <= children.len() => Ok(Node::at_least(fits, children)),
            _ => Err(PolicyError::Threshold { at, k, n: children.len() }),
        }
    }

    /// What follows the name of an attribute.
    fn test(&mut self, at: Position, word: &str) -> Result<Test, PolicyError> {
        let name = syntax::name(word).map_err(|why| SyntaxError::Name { at, why })?;
        let next = self.cursor.next()?;
        let test = match (comparison(&next.token), &next.token) {
            (Some(comparison), _) => self.comparison(name, comparison, next.at)?,
            (None, Token::Word(keyword)) if keyword == "in" => self.list(name)?,
            (None, Token::Word(keyword)) if keyword.eq_ignore_ascii_case("in") => {
                return Err(PolicyError::KeywordCase { at: next.at, found: keyword.as_str().into(), keyword: "in" });
            }
            _ if word.eq_ignore_ascii_case("not") => return Err(PolicyError::Not { at }),
            _ => return Err(PolicyError::BareWord { at, word: name }),
        };
        self.rows = self.rows.saturating_add(test.rows());
        if self.rows > MAX_ROWS {
            return Err(PolicyError::TooManyRows { at, rows: self.rows });
        }
        Ok(test)
    }

    fn comparison(&mut self, name: Box<str>, comparison: Comparison, sign: Position) -> Result<Test, PolicyError> {
        let next = self.cursor.next()?;
        if next.token == Token::Symbol(Symbol::OpenList) {
            return Err(next.expected("one value; for a list write `name in [..]`").into());
        }
        let value = value(&next)?;
        let declared = self.schema.resolve(&name, &value);
        if comparison.is_ordered() && declared.bits().is_none() {
            return Err(PolicyError::NotOrdered { at: sign, name, sign: comparison.sign() });
        }
        if comparison == Comparison::NotEqual && !declared.negatable {
            return Err(not_negatable(sign, name, &declared));
        }
        let value = match declared.admit(value) {
            Ok(value) => value,
            Err(why) => return Err(PolicyError::Value { at: next.at, name, why }),
        };
        let test = Test { name, declared, ask: Ask::Compare(comparison, value) };
        if test.is_unsatisfiable() {
            return Err(PolicyError::Unsatisfiable { at: next.at, name: test.name });
        }
        Ok(test)
    }

    /// The list after `in`.
    fn list(&mut self, name: Box<str>) -> Result<Test, PolicyError> {
        let open = self.cursor.next()?;
        if open.token != Token::Symbol(Symbol::OpenList) {
            return Err(open.expected("`[` and the values, as in `dept in [cardiology, surgery]`").into());
        }
        if self.cursor.has(Symbol::CloseList)? {
            return Err(PolicyError::EmptyList { at: open.at });
        }
        let mut declared: Option<Arc<Declaration>> = None;
        let mut values = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let next = self.cursor.next()?;
            let value = value(&next)?;
            if values.len() >= MAX_ROWS {
                return Err(PolicyError::ListTooLong { at: next.at });
            }
            // What the first value is, all are: an undeclared name has no other way to say it.
            let declared = declared.get_or_insert_with(|| self.schema.resolve(&name, &value));
            match declared.admit(value) {
                Ok(value) if seen.insert(value.clone()) => values.push(value),
                Ok(_) => {}
                Err(why) => return Err(PolicyError::Value { at: next.at, name, why }),
            }
            if !self.cursor.has(Symbol::Comma)? {
                break;
            }
        }
        self.cursor.need(Symbol::CloseList, "`,` or `]` after a value")?;
        let Some(declared) = declared else { return Err(PolicyError::EmptyList { at: open.at }) };
        let ask = match <[Value; 1]>::try_from(values) {
            Ok([only]) => Ask::Compare(Comparison::Equal, only),
            Err(values) => Ask::In(values),
        };
        Ok(Test { name, declared, ask })
    }
}

fn deeper(depth: usize, at: Position) -> Result<usize, PolicyError> {
    if depth >= MAX_DEPTH { Err(PolicyError::TooDeep { at }) } else { Ok(depth + 1) }
}

fn value(next: &Spanned) -> Result<Value, SyntaxError> {
    next.word()?;
    Value::of(&next.token).ok_or_else(|| next.expected(VALUE))
}

fn comparison(token: &Token) -> Option<Comparison> {
    let Token::Symbol(symbol) = token else { return None };
    match symbol {
        Symbol::Equal => Some(Comparison::Equal),
        Symbol::NotEqual => Some(Comparison::NotEqual),
        Symbol::Less => Some(Comparison::Less),
        Symbol::AtMost => Some(Comparison::AtMost),
        Symbol::More => Some(Comparison::More),
        Symbol::AtLeast => Some(Comparison::AtLeast),
        _ => None,
    }
}

fn not_negatable(at: Position, name: Box<str>, declared: &Declaration) -> PolicyError {
    if declared.set && !matches!(declared.kind, Type::Enum(_)) {
        return PolicyError::OpenSet { at, name };
    }
    PolicyError::NotNegatable { at, name, declared: declared.to_string().into() }
}

/// What stands where a condition has ended. A keyword in capitals is the commonest reason, and without this it would be
/// reported as a word that nobody expected.
fn stray(next: &Spanned, expected: &'static str) -> PolicyError {
    if let Token::Word(word) = &next.token {
        let meant =
            ["and", "or", "of"].into_iter().find(|keyword| word.eq_ignore_ascii_case(keyword) && word != keyword);
        if let Some(keyword) = meant {
            return PolicyError::KeywordCase { at: next.at, found: excerpt(word).into(), keyword };
        }
    }
    next.expected(expected).into()
}
