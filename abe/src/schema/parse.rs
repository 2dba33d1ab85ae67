//! The text form: one declaration a line.

use super::{Declaration, MAX_SCHEMA, Schema, SchemaError, Type, declaration};
use crate::syntax::{Cursor, Position, Symbol, Token, excerpt, nearest};

/// The names of the types.
const TYPES: [&str; 4] = ["text", "enum", "number", "date"];

pub(super) fn parse(text: &str) -> Result<Schema, SchemaError> {
    if text.len() > MAX_SCHEMA {
        return Err(SchemaError::TooLong { bytes: text.len() });
    }
    let mut schema = Schema::default();
    let mut at = Position::START;
    for line in text.split('\n') {
        let mut line_of = Line(Cursor::new(uncommented(line), at));
        if line_of.0.peek()?.token != Token::End {
            let (name_at, name, declaration) = line_of.declaration()?;
            schema.declare_at(name_at, &name, declaration)?;
        }
        at = Position { offset: at.offset + line.len() + 1, line: at.line + 1, column: 1 };
    }
    Ok(schema)
}

/// The line up to a `#` that stands outside of quotes.
fn uncommented(line: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (index, letter) in line.char_indices() {
        match letter {
            '#' if !quoted => return line.get(..index).unwrap_or(line),
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && letter == '\\' && !escaped;
    }
    line
}

/// One line.
struct Line<'a>(Cursor<'a>);

impl Line<'_> {
    fn declaration(&mut self) -> Result<(Position, String, Declaration), SchemaError> {
        let (name_at, name) = self.0.text("the name of an attribute")?;
        self.0.need(Symbol::Colon, "`:` and a type after the name, as in `role: text`")?;
        let kind = self.kind()?;
        let mut declaration = Declaration::single(kind);
        loop {
            let next = self.0.next()?;
            let Token::Word(word) = &next.token else {
                if next.token == Token::End {
                    return Ok((name_at, name, declaration));
                }
                return Err(next.expected("`set`, `negatable`, `unit(..)` or the end of the line").into());
            };
            let repeated = |word| SchemaError::Repeated { at: next.at, word };
            match (word.as_str(), &mut declaration.kind) {
                ("set", _) if declaration.set => return Err(repeated("set")),
                ("set", _) => declaration.set = true,
                ("negatable", _) if declaration.negatable => return Err(repeated("negatable")),
                ("negatable", _) => declaration.negatable = true,
                ("unit", Type::Number { unit: Some(_), .. }) => return Err(repeated("unit")),
                ("unit", Type::Number { unit, .. }) => {
                    self.0.need(Symbol::Open, "`(` and the unit, as in `unit(kg)`")?;
                    *unit = Some(self.0.text("a word for the unit")?.1.into());
                    self.0.need(Symbol::Close, "`)` after the unit")?;
                }
                _ => return Err(SchemaError::Word { at: next.at, found: excerpt(word).into() }),
            }
        }
    }

    fn kind(&mut self) -> Result<Type, SchemaError> {
        let next = self.0.next()?;
        let Token::Word(word) = &next.token else { return Err(next.expected("a type, such as `text`").into()) };
        match word.as_str() {
            "text" => Ok(Type::Text),
            "date" => Ok(Type::Date),
            "number" => self.number(),
            "enum" => self.enumeration(),
            other => Err(SchemaError::UnknownType {
                at: next.at,
                found: excerpt(other).into(),
                nearest: TYPES.into_iter().find(|known| nearest(other, [*known]).is_some()),
            }),
        }
    }

    fn number(&mut self) -> Result<Type, SchemaError> {
        let (mut width, mut sign) = (None, None);
        if self.0.has(Symbol::Open)? {
            loop {
                let next = self.0.next()?;
                match &next.token {
                    Token::Number(found) if width.is_none() => {
                        let bits = u8::try_from(*found).ok().filter(|bits| (1..=64).contains(bits));
                        width = Some(bits.ok_or(SchemaError::Width { at: next.at, found: *found })?);
                    }
                    Token::Word(word) if sign.is_none() && matches!(word.as_str(), "signed" | "unsigned") => {
                        sign = Some(word == "signed");
                    }
                    _ => return Err(next.expected("a width and `signed`, as in `number(16, signed)`").into()),
                }
                if !self.0.has(Symbol::Comma)? {
                    break;
                }
            }
            self.0.need(Symbol::Close, "`)` after the width")?;
        }
        Ok(Type::Number { bits: width.unwrap_or(declaration::DEFAULT_BITS), signed: sign.unwrap_or(false), unit: None })
    }

    fn enumeration(&mut self) -> Result<Type, SchemaError> {
        self.0.need(Symbol::Open, "`(` and the values, as in `enum(a, b)`")?;
        let mut values = Vec::new();
        if !self.0.has(Symbol::Close)? {
            loop {
                values.push(self.0.text("a value: a word, or anything in quotes")?.1.into());
                if !self.0.has(Symbol::Comma)? {
                    break;
                }
            }
            self.0.need(Symbol::Close, "`,` or `)` after a value")?;
        }
        Ok(Type::Enum(values))
    }
}
