//! The text form: `name = value` and `name = [value, ..]`, separated by commas.

use super::{AttributeError, Attributes, MAX_TEXT};
use crate::schema::Schema;
use crate::syntax::{self, Cursor, Position, Symbol, SyntaxError, Token};
use crate::value::Value;

pub(super) fn parse(text: &str, schema: &Schema) -> Result<Attributes, AttributeError> {
    if text.len() > MAX_TEXT {
        return Err(AttributeError::TooLong { bytes: text.len() });
    }
    let mut cursor = Cursor::new(text, Position::START);
    let mut attributes = Attributes::default();
    if cursor.peek()?.token == Token::End {
        return Ok(attributes);
    }
    loop {
        let (at, name) = cursor.text("the name of an attribute")?;
        syntax::name(&name).map_err(|why| SyntaxError::Name { at, why })?;
        cursor.need(Symbol::Equal, "`=` and a value after the name, as in `role = doctor`")?;
        if cursor.has(Symbol::OpenList)? {
            attributes.insert_set_at(at, schema, &name)?;
            list(&mut cursor, &mut attributes, schema, &name)?;
        } else {
            value(&mut cursor, &mut attributes, schema, &name)?;
        }
        if cursor.peek()?.token == Token::End {
            return Ok(attributes);
        }
        cursor.need(Symbol::Comma, "`,` before the next attribute, or the end")?;
    }
}

/// The values after `[`.
fn list(
    cursor: &mut Cursor<'_>,
    attributes: &mut Attributes,
    schema: &Schema,
    name: &str,
) -> Result<(), AttributeError> {
    if cursor.has(Symbol::CloseList)? {
        return Ok(());
    }
    loop {
        value(cursor, attributes, schema, name)?;
        if !cursor.has(Symbol::Comma)? {
            break;
        }
    }
    Ok(cursor.need(Symbol::CloseList, "`,` or `]` after a value")?)
}

fn value(
    cursor: &mut Cursor<'_>,
    attributes: &mut Attributes,
    schema: &Schema,
    name: &str,
) -> Result<(), AttributeError> {
    let next = cursor.next()?;
    // A keyword is a value in quotes only.
    next.word()?;
    let value =
        Value::of(&next.token).ok_or_else(|| next.expected("a value: a word, a number, a date, or \"text\""))?;
    attributes.insert_at(next.at, schema, name, value)
}
