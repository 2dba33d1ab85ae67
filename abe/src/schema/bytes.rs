//! The canonical bytes, part of an authority's public parameters.
//!
//! ```text
//! schema      = version (1, here 1) | count (u32) | declaration ..        sorted by name, ascending
//! declaration = name | type (1) | width (1) | flags (1) | unit | count (u32) | value ..    values sorted, ascending
//! ```
//!
//! Names, units and values are preceded by their length (u32). Flags: 1 signed, 2 set, 4 negatable, 8 with a unit.

use super::declaration::MAX_ENUM;
use super::{Declaration, EncodingDefect, MAX_DECLARATIONS, MAX_SCHEMA, Schema, SchemaError, Type};
use crate::encoding::{Reader, put_counted as put};
use crate::label::MAX_UNIT;
use crate::syntax::{MAX_NAME, MAX_VALUE};

const VERSION: u8 = 1;
/// Bytes before the first declaration.
pub(super) const HEADER: usize = 5;

const SIGNED: u8 = 1;
const SET: u8 = 2;
const NEGATABLE: u8 = 4;
const UNIT: u8 = 8;

pub(super) fn write(schema: &Schema) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&count(schema.len()));
    for (name, declaration) in schema.iter() {
        put_declaration(&mut out, name, declaration);
    }
    out
}

/// Bytes of one declaration.
pub(super) fn size(name: &str, declaration: &Declaration) -> usize {
    let mut out = Vec::new();
    put_declaration(&mut out, name, declaration);
    out.len()
}

fn put_declaration(out: &mut Vec<u8>, name: &str, declaration: &Declaration) {
    let none: &[Box<str>] = &[];
    let (code, bits, signed, unit, values) = match &declaration.kind {
        Type::Text => (1, 0, false, None, none),
        Type::Enum(values) => (2, 0, false, None, values.as_slice()),
        Type::Number { bits, signed, unit } => (3, *bits, *signed, unit.as_deref(), none),
        Type::Date => (4, 0, false, None, none),
    };
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let flags = flag(signed, SIGNED)
        | flag(declaration.set, SET)
        | flag(declaration.negatable, NEGATABLE)
        | flag(unit.is_some(), UNIT);
    put(out, name.as_bytes());
    out.extend_from_slice(&[code, bits, flags]);
    put(out, unit.unwrap_or_default().as_bytes());
    out.extend_from_slice(&count(values.len()));
    values.iter().for_each(|value| put(out, value.as_bytes()));
}

fn count(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

pub(super) fn read(bytes: &[u8]) -> Result<Schema, SchemaError> {
    if bytes.len() > MAX_SCHEMA {
        return Err(SchemaError::TooLong { bytes: bytes.len() });
    }
    let mut fields = Reader::new(bytes);
    let failed = |left: usize, why| SchemaError::Encoding { offset: bytes.len() - left, why };
    let version = fields.u8("version").map_err(|_| failed(fields.left(), EncodingDefect::Truncated))?;
    if version != VERSION {
        return Err(failed(fields.left(), EncodingDefect::Version));
    }
    let count = number(&mut fields, MAX_DECLARATIONS).ok_or(failed(fields.left(), EncodingDefect::Truncated))?;
    let mut schema = Schema::default();
    for _ in 0..count {
        let start = fields.left();
        let (name, declaration) = declaration(&mut fields)
            .ok_or(failed(start, EncodingDefect::Truncated))?
            .ok_or(failed(start, EncodingDefect::NotCanonical))?;
        schema.declare(name, declaration)?;
    }
    if fields.left() > 0 {
        return Err(failed(fields.left(), EncodingDefect::Trailing));
    }
    // One encoding a schema: whatever is out of order, unnormalised or oddly flagged writes otherwise than it reads.
    if write(&schema) != bytes {
        return Err(failed(bytes.len(), EncodingDefect::NotCanonical));
    }
    Ok(schema)
}

fn number(fields: &mut Reader<'_>, most: usize) -> Option<usize> {
    usize::try_from(fields.u32("count").ok()?).ok().filter(|count| *count <= most)
}

/// The outer `None` for bytes that end or pass a bound, the inner one for a type that there is not.
fn declaration<'a>(fields: &mut Reader<'a>) -> Option<Option<(&'a str, Declaration)>> {
    let name = fields.text(MAX_NAME, "name").ok()?;
    let [code, bits, flags] = *fields.array("declaration").ok()?;
    let unit = fields.text(MAX_UNIT, "unit").ok()?;
    let count = number(fields, MAX_ENUM)?;
    let values: Option<Vec<Box<str>>> =
        (0..count).map(|_| fields.text(MAX_VALUE, "value").map(Into::into).ok()).collect();
    let values = values?;
    let kind = match code {
        1 => Type::Text,
        2 => Type::Enum(values),
        3 => Type::Number { bits, signed: flags & SIGNED != 0, unit: (flags & UNIT != 0).then(|| unit.into()) },
        4 => Type::Date,
        _ => return Some(None),
    };
    Some(Some((name, Declaration { kind, set: flags & SET != 0, negatable: flags & NEGATABLE != 0 })))
}
