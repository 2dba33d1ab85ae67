//! A derived attribute in its canonical bytes.
//!
//! ```text
//! label = authority id (16) | authority version (u32) | namespace (1) | type tag | name | value
//! ```
//!
//! Every field is preceded by its length (u32, all integers big-endian), so that no separator can be forged
//! into a name; text is NFC. These bytes are hashed to the group: whoever holds the key of a label holds this
//! authority, this version, this declaration and this value, and nothing else.
//!
//! | label | value |
//! |---|---|
//! | equal | the text |
//! | not | the text that the attribute, which is known, does not hold |
//! | prefix | the prefix as a number, 8 bytes |
//! | hash prefix | the same, of the first 32 bits of the value's hash |

mod tag;

use sha2::{Digest, Sha256};

pub(crate) use tag::{DAY, Family, HASH_BITS, Kind, MAX_UNIT, Shape, Tag};

use crate::dyadic::Prefix;
use crate::encoding::{Reader, put_counted as put};
use crate::syntax::{self, MAX_NAME, MAX_VALUE, Quoted};
use crate::value::Date;

/// Domain separation of the hash whose prefixes stand for inequality.
const HASH_DOMAIN: &[u8] = b"wardkeep-abe-v1/hash-prefix";
/// Longest type tag, in bytes.
const MAX_TAG: usize = 128;
/// Longest label, in bytes.
pub(crate) const MAX_LABEL: usize = 6 * 4 + 16 + 4 + 1 + MAX_TAG + MAX_NAME + MAX_VALUE;

/// The name of an authority: random, the same through all its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorityId(pub [u8; 16]);

/// Lower-case hexadecimal.
impl std::fmt::Display for AuthorityId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whose labels these are: keys of another authority, or of another version of it, share none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Scope {
    /// The authority.
    pub(crate) authority: AuthorityId,
    /// Its version, from 1.
    pub(crate) version: u32,
}

/// What a label speaks of. Names of one namespace mean nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Namespace {
    /// Attributes of users.
    Attribute,
    /// Until when a key is valid.
    Validity,
    /// The serial of a key.
    Serial,
    /// Labels of records, for keys that carry the formula.
    Record,
}

impl Namespace {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Attribute, Self::Validity, Self::Serial, Self::Record];

    /// Its byte.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Attribute => 1,
            Self::Validity => 2,
            Self::Serial => 3,
            Self::Record => 4,
        }
    }
}

/// One derived attribute: the canonical TLV of authority, namespace, type tag, name and value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<[u8]>);

/// A label taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    /// Authority and version.
    pub(crate) scope: Scope,
    /// What it speaks of.
    pub(crate) namespace: Namespace,
    /// The type tag's bytes.
    pub(crate) tag: &'a [u8],
    /// The attribute's name.
    pub(crate) name: &'a str,
    /// The value's bytes.
    pub(crate) value: &'a [u8],
}

impl Label {
    /// From its parts. Name and text values are in NFC already.
    pub(crate) fn new(scope: &Scope, namespace: Namespace, tag: &[u8], name: &str, value: &[u8]) -> Self {
        let mut out = Vec::with_capacity(45 + tag.len() + name.len() + value.len());
        put(&mut out, &scope.authority.0);
        put(&mut out, &scope.version.to_be_bytes());
        put(&mut out, &[namespace.code()]);
        put(&mut out, tag);
        put(&mut out, name.as_bytes());
        put(&mut out, value);
        Self(out.into())
    }

    /// The canonical bytes, the input of the hash to the group.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads a label back. `None` unless the bytes are those of a label that this crate makes: every field within
    /// its bound, text in NFC, a tag and a value that fit together, nothing behind.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let parts = Parts::read(bytes)?;
        let tag = Tag::from_bytes(parts.tag)?;
        tag.fits(parts.value).then(|| Self(bytes.into()))
    }

    /// What it speaks of.
    pub(crate) fn namespace(&self) -> Option<Namespace> {
        self.parts().map(|parts| parts.namespace)
    }

    /// The name of its attribute.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.parts().map(|parts| parts.name)
    }

    /// Whether it says that an attribute holds a text.
    pub(crate) fn is_equality(&self) -> bool {
        let tag = self.parts().and_then(|parts| Tag::from_bytes(parts.tag));
        tag.is_some_and(|tag| tag.kind == Kind::Equal)
    }

    /// Its parts; `None` only of bytes that did not come from here.
    pub(crate) fn parts(&self) -> Option<Parts<'_>> {
        Parts::read(&self.0)
    }

    /// What it says, for people: `role = doctor`, `level: prefix 1101/8 bits`, `dept != surgery`.
    #[must_use]
    pub fn describe(&self) -> String {
        let described = self.parts().and_then(|parts| Some((Tag::from_bytes(parts.tag)?, parts)));
        let Some((tag, parts)) = described else { return "a label of another format".to_owned() };
        let name = Quoted(parts.name);
        let text = String::from_utf8_lossy(parts.value);
        let number = <[u8; 8]>::try_from(parts.value).map_or(0, u64::from_be_bytes);
        match tag.kind {
            Kind::Equal => format!("{name} = {}", Quoted(&text)),
            Kind::Not => format!("{name} != {}", Quoted(&text)),
            Kind::Prefix(0) => format!("{name}: any/{} bits", tag.shape.bits),
            Kind::Prefix(len) => {
                format!("{name}: prefix {number:0len$b}/{} bits", tag.shape.bits, len = usize::from(len))
            }
            Kind::HashPrefix(len) => {
                format!("{name}: hash prefix {number:0len$b}/{HASH_BITS} bits", len = usize::from(len))
            }
        }
    }
}

impl Label {
    /// What its holder has, for people: as [`Label::describe`], but a number or a date for the longest of its prefixes.
    /// `None` for the shorter ones, and for those of a hash, which say nothing of their own.
    pub(crate) fn held(&self) -> Option<String> {
        let parts = self.parts()?;
        let tag = Tag::from_bytes(parts.tag)?;
        let len = match tag.kind {
            Kind::Equal | Kind::Not => return Some(self.describe()),
            Kind::HashPrefix(_) => return None,
            Kind::Prefix(len) => len,
        };
        let ordinal = <[u8; 8]>::try_from(parts.value).map_or(0, u64::from_be_bytes);
        let value = match tag.shape.family {
            Family::Date => u32::try_from(ordinal).ok().and_then(Date::from_days)?.to_string(),
            // Signed numbers are counted from the lowest of their width.
            _ if tag.shape.signed => (i128::from(ordinal) - (1_i128 << tag.shape.bits.checked_sub(1)?)).to_string(),
            _ => ordinal.to_string(),
        };
        (len == tag.shape.bits).then(|| format!("{} = {value}", Quoted(parts.name)))
    }
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAX_LABEL {
            return None;
        }
        let mut fields = Reader::new(bytes);
        let authority = AuthorityId(exactly(&mut fields)?);
        let version = u32::from_be_bytes(exactly(&mut fields)?);
        let [code] = exactly(&mut fields)?;
        let namespace = Namespace::ALL.into_iter().find(|namespace| namespace.code() == code)?;
        let tag = fields.counted(MAX_TAG, "type tag").ok()?;
        let name = fields.text(MAX_NAME, "name").ok()?;
        let value = fields.counted(MAX_VALUE, "value").ok()?;
        let normal = syntax::name(name).is_ok_and(|normal| *normal == *name);
        let parts = Self { scope: Scope { authority, version }, namespace, tag, name, value };
        (normal && fields.left() == 0).then_some(parts)
    }
}

/// A field of exactly so many bytes.
fn exactly<const N: usize>(fields: &mut Reader<'_>) -> Option<[u8; N]> {
    fields.counted(N, "label").ok()?.try_into().ok()
}

/// Makes the labels of one attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maker<'a> {
    /// Authority and version.
    pub(crate) scope: &'a Scope,
    /// What they speak of.
    pub(crate) namespace: Namespace,
    /// What the attribute is, for the tag.
    pub(crate) shape: &'a Shape,
    /// Its name, NFC.
    pub(crate) name: &'a str,
}

impl Maker<'_> {
    fn label(&self, kind: Kind, value: &[u8]) -> Label {
        let tag = Tag { kind, shape: self.shape.clone() };
        Label::new(self.scope, self.namespace, &tag.to_bytes(), self.name, value)
    }

    /// It holds this text.
    pub(crate) fn equal(&self, text: &str) -> Label {
        self.label(Kind::Equal, text.as_bytes())
    }

    /// It is known and does not hold this text.
    pub(crate) fn not(&self, text: &str) -> Label {
        self.label(Kind::Not, text.as_bytes())
    }

    /// Its number begins with these bits.
    pub(crate) fn prefix(&self, prefix: Prefix) -> Label {
        self.label(Kind::Prefix(bits(prefix.len)), &prefix.value.to_be_bytes())
    }

    /// The hash of its text begins with these bits.
    pub(crate) fn hash_prefix(&self, prefix: Prefix) -> Label {
        self.label(Kind::HashPrefix(bits(prefix.len)), &prefix.value.to_be_bytes())
    }

    /// The hash that stands for a text in inequalities: 32 bits, bound to everything that its label is.
    pub(crate) fn hash(&self, text: &str) -> u64 {
        let mut input = Vec::new();
        put(&mut input, HASH_DOMAIN);
        put(&mut input, self.equal(text).as_bytes());
        let digest = Sha256::digest(&input);
        digest.iter().take(4).fold(0, |bits, byte| (bits << 8) | u64::from(*byte))
    }
}

fn bits(len: u32) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests;
