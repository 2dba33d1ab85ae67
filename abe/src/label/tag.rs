//! The type tag: everything of a declaration that gives a label its meaning.
//!
//! Without it the 4-bit prefix of an 8-bit `level <= 15` is also that of 3 000 in 16 bits: whoever got a key after
//! the attribute was widened would open what was sealed before. A declaration that changes any part of its tag
//! shares no label with its former self.
//!
//! ```text
//! tag = kind (1) | prefix length (1) | type (1) | width in bits (1) | signed (1) | set-valued (1) | unit (the rest)
//! ```

use crate::syntax;

/// Bits of the hash whose prefixes stand for inequality.
pub(crate) const HASH_BITS: u8 = 32;
/// Longest unit, in bytes after normalisation.
pub(crate) const MAX_UNIT: usize = 64;
/// The unit of dates.
pub(crate) const DAY: &str = "day";

/// A label's type tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    /// How the label relates to the attribute.
    pub(crate) kind: Kind,
    /// What the attribute is.
    pub(crate) shape: Shape,
}

/// How a label relates to its attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It holds the value.
    Equal,
    /// Its number begins with so many bits.
    Prefix(u8),
    /// It is known and does not hold the value.
    Not,
    /// The hash of its value begins with so many bits.
    HashPrefix(u8),
}

/// What of a declaration goes into the tag. Whether it is negatable does not: it adds labels and changes none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The declared type.
    pub(crate) family: Family,
    /// Width of numbers and dates; 0 for others.
    pub(crate) bits: u8,
    /// Whether numbers are signed.
    pub(crate) signed: bool,
    /// Whether it is set-valued.
    pub(crate) set: bool,
    /// The unit of numbers and dates; empty for none.
    pub(crate) unit: Box<str>,
}

/// The declared types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Open text.
    Text,
    /// One of the listed texts. Another list is the same type: it adds values and changes none.
    Enum,
    /// A number.
    Number,
    /// A day, as a number of [`crate::value::Date::BITS`] bits.
    Date,
}

impl Tag {
    /// Canonical bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Shape { family, bits, signed, set, unit } = &self.shape;
        let (kind, len) = match self.kind {
            Kind::Equal => (1, 0),
            Kind::Prefix(len) => (2, len),
            Kind::Not => (3, 0),
            Kind::HashPrefix(len) => (4, len),
        };
        let mut out = vec![kind, len, family.code(), *bits, u8::from(*signed), u8::from(*set)];
        out.extend_from_slice(unit.as_bytes());
        out
    }

    /// Reads a tag; `None` unless it is one that [`Tag::to_bytes`] makes of a declaration that can be made.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([kind, len, family, bits, signed, set], unit) = bytes.split_first_chunk::<6>()?;
        let (signed, set) = (flag(*signed)?, flag(*set)?);
        let unit = std::str::from_utf8(unit).ok()?;
        let family = match family {
            1 => Family::Text,
            2 => Family::Enum,
            3 => Family::Number,
            4 => Family::Date,
            _ => return None,
        };
        let kind = match (kind, len) {
            (1, 0) => Kind::Equal,
            (2, len) => Kind::Prefix(*len),
            (3, 0) => Kind::Not,
            (4, len) => Kind::HashPrefix(*len),
            _ => return None,
        };
        let shape = Shape { family, bits: *bits, signed, set, unit: unit.into() };
        (shape.is_sound() && kind.suits(&shape)).then_some(Self { kind, shape })
    }

    /// Whether such a label can have this value.
    pub(crate) fn fits(&self, value: &[u8]) -> bool {
        match self.kind {
            Kind::Equal | Kind::Not => {
                std::str::from_utf8(value).is_ok_and(|text| syntax::text(text).is_ok_and(|normal| *normal == *text))
            }
            Kind::Prefix(len) | Kind::HashPrefix(len) => <[u8; 8]>::try_from(value)
                .is_ok_and(|bytes| u64::from_be_bytes(bytes).checked_shr(u32::from(len)).unwrap_or(0) == 0),
        }
    }
}

impl Kind {
    /// Whether attributes of this shape have such labels.
    fn suits(self, shape: &Shape) -> bool {
        match self {
            Self::Equal => matches!(shape.family, Family::Text | Family::Enum),
            Self::Prefix(len) => shape.bits > 0 && len <= shape.bits,
            Self::Not => shape.family == Family::Enum,
            // Over a set every element would bring its own prefixes, and one element's would speak for another (B8).
            Self::HashPrefix(len) => shape.family == Family::Text && !shape.set && (1..=HASH_BITS).contains(&len),
        }
    }
}

impl Shape {
    /// Text or an enumeration.
    pub(crate) fn plain(family: Family, set: bool) -> Self {
        Self { family, bits: 0, signed: false, set, unit: "".into() }
    }

    /// An unsigned single number of a width, which is what validity and serials are.
    pub(crate) fn number(bits: u8) -> Self {
        Self { family: Family::Number, bits, signed: false, set: false, unit: "".into() }
    }

    /// Whether a declaration can have this shape: a tag that none can is not read.
    fn is_sound(&self) -> bool {
        match self.family {
            Family::Text | Family::Enum => self.bits == 0 && !self.signed && self.unit.is_empty(),
            Family::Number => {
                let unit = self.unit.len() <= MAX_UNIT
                    && (self.unit.is_empty() || syntax::name(&self.unit).is_ok_and(|normal| normal == self.unit));
                (1..=64).contains(&self.bits) && unit
            }
            Family::Date => self.bits == crate::value::Date::BITS && !self.signed && *self.unit == *DAY,
        }
    }
}

impl Family {
    fn code(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Enum => 2,
            Self::Number => 3,
            Self::Date => 4,
        }
    }
}

fn flag(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
