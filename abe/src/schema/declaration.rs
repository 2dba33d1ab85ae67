//! One declaration: type, valuedness, and whether `!=` may be asked.

use std::fmt;

use super::{SchemaError, ValueDefect};
use crate::dyadic;
use crate::label::{DAY, Family, MAX_UNIT, Shape};
use crate::syntax::error::shown;
use crate::syntax::{self, Position, Quoted, excerpt, nearest};
use crate::value::{Date, Value};

/// Most values of an enumeration: a negatable one gives a key a label for each of the others.
pub(crate) const MAX_ENUM: usize = 256;
/// Width of numbers whose declaration names none, and of undeclared ones.
pub(crate) const DEFAULT_BITS: u8 = 32;

/// What an attribute is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its type.
    pub kind: Type,
    /// Whether it holds several values; a leaf of a formula then holds if some element satisfies it alone.
    pub set: bool,
    /// Whether `!=` may be asked, for which keys become longer.
    pub negatable: bool,
}

/// The types.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// Any text.
    Text,
    /// One of these texts, 1 to 256.
    Enum(Vec<Box<str>>),
    /// A number.
    Number {
        /// Its width, 1 to 64 bits.
        bits: u8,
        /// Whether it may be negative (two's complement's range, offset-binary in labels, so that order is kept).
        signed: bool,
        /// Its unit, which is part of what it is.
        unit: Option<Box<str>>,
    },
    /// A day.
    Date,
}

impl Declaration {
    /// A single-valued one that is not negatable.
    #[must_use]
    pub fn single(kind: Type) -> Self {
        Self { kind, set: false, negatable: false }
    }

    /// A set-valued one that is not negatable.
    #[must_use]
    pub fn set(kind: Type) -> Self {
        Self { kind, set: true, negatable: false }
    }

    /// What an attribute is of which nothing was declared.
    pub(crate) fn undeclared(value: &Value) -> Self {
        Self::single(match value {
            Value::Text(_) => Type::Text,
            Value::Number(_) => Type::Number { bits: DEFAULT_BITS, signed: false, unit: None },
            Value::Date(_) => Type::Date,
        })
    }

    /// The same in its one form, if it can be declared.
    pub(super) fn checked(mut self, at: Position, name: &str) -> Result<Self, SchemaError> {
        let name = || name.into();
        if self.negatable && self.set && !matches!(self.kind, Type::Enum(_)) {
            return Err(SchemaError::NegatableSet { at, name: name() });
        }
        match &mut self.kind {
            Type::Text | Type::Date => {}
            Type::Number { bits, unit, .. } => {
                if !(1..=64).contains(bits) {
                    return Err(SchemaError::Width { at, found: i128::from(*bits) });
                }
                if let Some(unit) = unit {
                    *unit = syntax::name(unit).map_err(|why| SchemaError::Unit { at, name: name(), why })?;
                    if unit.len() > MAX_UNIT {
                        return Err(SchemaError::UnitTooLong { at, bytes: unit.len() });
                    }
                }
            }
            Type::Enum(values) => *values = enumeration(values, at, &name())?,
        }
        Ok(self)
    }

    /// The value in the form in which it is compared, if it fits here.
    pub(crate) fn admit(&self, value: Value) -> Result<Value, ValueDefect> {
        match (&self.kind, value) {
            (Type::Text, Value::Text(text)) => Ok(Value::Text(syntax::text(&text)?)),
            (Type::Enum(values), Value::Text(text)) => {
                let text = syntax::text(&text)?;
                if values.binary_search(&text).is_ok() {
                    return Ok(Value::Text(text));
                }
                let nearest = nearest(&text, values.iter().map(AsRef::as_ref)).map(Into::into);
                Err(ValueDefect::Unknown { found: shown(&text).into(), nearest })
            }
            (Type::Number { bits, signed, .. }, Value::Number(number)) => {
                let (lowest, highest) = bounds(*bits, *signed);
                if (lowest..=highest).contains(&number) {
                    return Ok(Value::Number(number));
                }
                let hint = if number < 0 && !signed { "declare it `signed`" } else { "declare it wider" };
                Err(ValueDefect::Range { number, lowest, highest, hint })
            }
            (Type::Date, Value::Date(date)) => Ok(Value::Date(date)),
            (_, value) => Err(self.misfit(&value)),
        }
    }

    /// Why a value of another type is refused; what looks like the right one in quotes gets a hint of its own.
    fn misfit(&self, value: &Value) -> ValueDefect {
        let (expected, hint) = match (&self.kind, value) {
            (Type::Text, _) => ("text", "quote it"),
            (Type::Enum(_), _) => ("one of its listed texts", "quote it"),
            (Type::Number { .. }, Value::Text(text)) if text.parse::<i128>().is_ok() => {
                ("numbers", "write it without quotes")
            }
            (Type::Number { .. }, _) => ("numbers", "write digits, or declare it otherwise"),
            (Type::Date, Value::Text(text)) if Date::parse(text).is_some() => ("dates", "write it without quotes"),
            (Type::Date, _) => ("dates", "write it as 2026-11-21"),
        };
        ValueDefect::Type { expected, found: excerpt(&value.to_string()).into(), kind: value.kind(), hint }
    }

    /// The number of bits of a number or a date.
    pub(crate) fn bits(&self) -> Option<u8> {
        match self.kind {
            Type::Number { bits, .. } => Some(bits),
            Type::Date => Some(Date::BITS),
            Type::Text | Type::Enum(_) => None,
        }
    }

    /// The lowest and the highest number of labels: of an 8-bit number 0 and 255, of dates the first and last day.
    pub(crate) fn ends(&self) -> (u64, u64) {
        match self.kind {
            Type::Date => (0, u64::from(Date::LAST.days())),
            _ => (0, self.bits().map_or(0, |bits| dyadic::greatest(u32::from(bits)))),
        }
    }

    /// The number that stands for a number or a date in labels, in the same order; `None` of whatever does not fit.
    pub(crate) fn ordinal(&self, value: &Value) -> Option<u64> {
        match (&self.kind, value) {
            (Type::Number { bits, signed, .. }, Value::Number(number)) => {
                let (lowest, highest) = bounds(*bits, *signed);
                (lowest..=highest).contains(number).then(|| u64::try_from(number - lowest).ok()).flatten()
            }
            (Type::Date, Value::Date(date)) => Some(u64::from(date.days())),
            _ => None,
        }
    }

    /// What of it goes into type tags.
    pub(crate) fn shape(&self) -> Shape {
        match &self.kind {
            Type::Text => Shape::plain(Family::Text, self.set),
            Type::Enum(_) => Shape::plain(Family::Enum, self.set),
            Type::Number { bits, signed, unit } => {
                Shape { signed: *signed, set: self.set, unit: unit.clone().unwrap_or_default(), ..Shape::number(*bits) }
            }
            Type::Date => Shape { family: Family::Date, set: self.set, unit: DAY.into(), ..Shape::number(Date::BITS) },
        }
    }
}

/// The lowest and the highest number of a width, the latter of 64 bits too: hence the wider type.
fn bounds(bits: u8, signed: bool) -> (i128, i128) {
    let count = 1i128 << bits.min(64);
    if signed { (-count / 2, count / 2 - 1) } else { (0, count - 1) }
}

/// The values of an enumeration in their one form: normalised, sorted, each once.
fn enumeration(values: &[Box<str>], at: Position, name: &str) -> Result<Vec<Box<str>>, SchemaError> {
    let name = || name.into();
    if values.is_empty() {
        return Err(SchemaError::EnumEmpty { at, name: name() });
    }
    if values.len() > MAX_ENUM {
        return Err(SchemaError::EnumTooLong { at, name: name(), count: values.len() });
    }
    let normal: Result<Vec<_>, _> = values.iter().map(|value| syntax::text(value)).collect();
    let mut normal = normal.map_err(|why| SchemaError::EnumValue { at, name: name(), why })?;
    normal.sort_unstable();
    match normal.iter().zip(normal.iter().skip(1)).find(|(value, next)| value == next) {
        Some((value, _)) => Err(SchemaError::EnumRepeated { at, name: name(), value: value.clone() }),
        None => Ok(normal),
    }
}

impl fmt::Display for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Type::Text => f.write_str("text")?,
            Type::Enum(values) => {
                let values: Vec<String> = values.iter().map(|value| Quoted(value).to_string()).collect();
                write!(f, "enum({})", values.join(", "))?;
            }
            Type::Number { bits, signed, unit } => {
                write!(f, "number({bits}{})", if *signed { ", signed" } else { "" })?;
                if let Some(unit) = unit {
                    write!(f, " unit({})", Quoted(unit))?;
                }
            }
            Type::Date => f.write_str("date")?,
        }
        f.write_str(if self.set { " set" } else { "" })?;
        f.write_str(if self.negatable { " negatable" } else { "" })
    }
}
