//! The encryption context of a data key, and its one canonical byte form.
//!
//! The context is authenticated, not secret. It stands in every AAD, OAEP label and tag, so the bytes
//! must be the same for everyone who means the same context, whatever order a caller wrote it in:
//! members are sorted, every part carries its length, every alternative its own tag byte.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::attribute::MAX_DEPTH;
use crate::{Attributes, EntityUid, Value};

/// Most plain members a context may have.
pub const MAX_MEMBERS: usize = 64;
/// Longest canonical form, in bytes.
pub const MAX_CANONICAL: usize = 8192;
/// The member that names the record a data key protects.
pub const RESOURCE_MEMBER: &str = "resource";
/// Version of the canonical form; the first byte of it.
const CANONICAL_VERSION: u8 = 1;

/// Why a context was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// More members than allowed.
    #[error("the context has {count} members: use at most {MAX_MEMBERS}")]
    TooManyMembers { count: usize },
    /// Longer than allowed, in canonical bytes.
    #[error("the context takes {len} bytes: use at most {MAX_CANONICAL}")]
    TooLong { len: usize },
    /// A bound attribute nests too deep.
    #[error("a bound attribute nests deeper than {MAX_DEPTH}")]
    TooDeep,
    /// The plain member `resource`, which is reserved for the record.
    #[error("the context member `{RESOURCE_MEMBER}` names a record: write it as an object with `type` and `id`")]
    ReservedMember,
    /// A member without a name.
    #[error("a context member has an empty name")]
    EmptyName,
}

/// The record that a data key protects, as the caller names it.
///
/// `None` and an empty collection differ on purpose: for a *stored* type any attributes or parents at
/// all are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceBinding {
    /// The record's type and id.
    pub entity: EntityUid,
    /// Attributes bound into the wrapped key.
    pub attributes: Option<Attributes>,
    /// Parents bound into the wrapped key.
    pub parents: Option<Vec<EntityUid>>,
}

/// An encryption context: plain members, and possibly the record it protects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionContext {
    members: BTreeMap<String, String>,
    resource: Option<ResourceBinding>,
    canonical: Vec<u8>,
}

/// SHA-256 over what a decision was about beside its resource: context and recipient, or what a user key is issued with.
/// What a permit is bound to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BindingDigest(pub(crate) [u8; 32]);

/// SHA-256 of a recipient's RSA public key (its DER SubjectPublicKeyInfo).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Default for EncryptionContext {
    fn default() -> Self {
        let canonical = canonical_bytes(&BTreeMap::new(), None);
        Self { members: BTreeMap::new(), resource: None, canonical }
    }
}

impl EncryptionContext {
    /// A checked context.
    pub fn new(members: BTreeMap<String, String>, resource: Option<ResourceBinding>) -> Result<Self, ContextError> {
        if members.len() > MAX_MEMBERS {
            return Err(ContextError::TooManyMembers { count: members.len() });
        }
        if members.contains_key(RESOURCE_MEMBER) {
            return Err(ContextError::ReservedMember);
        }
        if members.contains_key("") {
            return Err(ContextError::EmptyName);
        }
        let attributes = resource.iter().filter_map(|r| r.attributes.as_ref()).flat_map(Attributes::values);
        if attributes.map(Value::depth).any(|depth| depth > MAX_DEPTH) {
            return Err(ContextError::TooDeep);
        }
        let canonical = canonical_bytes(&members, resource.as_ref());
        if canonical.len() > MAX_CANONICAL {
            return Err(ContextError::TooLong { len: canonical.len() });
        }
        Ok(Self { members, resource, canonical })
    }

    /// The plain members.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<String, String> {
        &self.members
    }

    /// The record, if one is named.
    #[must_use]
    pub fn resource(&self) -> Option<&ResourceBinding> {
        self.resource.as_ref()
    }

    /// The canonical bytes (docs/formats.md, *Encryption context*).
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }
}

impl BindingDigest {
    /// The digest for a context and, where the answer is sealed for one, a recipient.
    #[must_use]
    pub fn new(context: &EncryptionContext, recipient: Option<&Fingerprint>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"wardkeep binding v1");
        match recipient {
            None => hash.update([0]),
            Some(fingerprint) => {
                hash.update([1]);
                hash.update(fingerprint.0);
            }
        }
        hash.update(&context.canonical);
        Self(hash.finalize().into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Fingerprint {
    /// The fingerprint of a DER-encoded SubjectPublicKeyInfo.
    #[must_use]
    pub fn of_spki(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for BindingDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Appends lengths as 32-bit big-endian numbers, so that no two different contexts share their bytes.
struct Writer(Vec<u8>);

impl Writer {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn entity(&mut self, uid: &EntityUid) {
        self.bytes(uid.kind().as_bytes());
        self.bytes(uid.id().as_bytes());
    }

    fn fields<'a>(&mut self, fields: impl ExactSizeIterator<Item = (&'a String, &'a Value)>) {
        self.count(fields.len());
        for (name, value) in fields {
            self.bytes(name.as_bytes());
            self.value(value);
        }
    }

    /// Sets are written as the caller ordered them: "the context byte for byte" is what a rewrap keeps.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(truth) => {
                self.tag(1);
                self.tag(u8::from(*truth));
            }
            Value::Long(number) => {
                self.tag(2);
                self.0.extend_from_slice(&number.to_be_bytes());
            }
            Value::String(text) => {
                self.tag(3);
                self.bytes(text.as_bytes());
            }
            Value::Entity(uid) => {
                self.tag(4);
                self.entity(uid);
            }
            Value::Set(items) => {
                self.tag(5);
                self.count(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Record(fields) => {
                self.tag(6);
                self.fields(fields.iter());
            }
            Value::Extension { function, argument } => {
                self.tag(7);
                self.bytes(function.as_bytes());
                self.bytes(argument.as_bytes());
            }
        }
    }
}

fn canonical_bytes(members: &BTreeMap<String, String>, resource: Option<&ResourceBinding>) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(128));
    out.tag(CANONICAL_VERSION);
    out.count(members.len());
    for (name, value) in members {
        out.bytes(name.as_bytes());
        out.bytes(value.as_bytes());
    }
    let Some(resource) = resource else {
        out.tag(0);
        return out.0;
    };
    out.tag(1);
    out.entity(&resource.entity);
    match &resource.attributes {
        None => out.tag(0),
        Some(attributes) => {
            out.tag(1);
            out.fields(attributes.iter());
        }
    }
    match &resource.parents {
        None => out.tag(0),
        Some(parents) => {
            out.tag(1);
            out.count(parents.len());
            parents.iter().for_each(|parent| out.entity(parent));
        }
    }
    out.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(members: &[(&str, &str)]) -> EncryptionContext {
        let members = members.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        EncryptionContext::new(members, None).unwrap()
    }

    fn record(attributes: Option<Attributes>, parents: Option<Vec<EntityUid>>) -> EncryptionContext {
        let entity = EntityUid::new("Record", "1").unwrap();
        EncryptionContext::new(BTreeMap::new(), Some(ResourceBinding { entity, attributes, parents })).unwrap()
    }

    #[test]
    fn moving_a_byte_between_members_changes_the_form() {
        assert_ne!(context(&[("ab", "c")]).canonical(), context(&[("a", "bc")]).canonical());
        assert_ne!(context(&[("a", "b")]).canonical(), context(&[("a", "b"), ("c", "")]).canonical());
        assert_eq!(context(&[("a", "1"), ("b", "2")]), context(&[("b", "2"), ("a", "1")]));
    }

    #[test]
    fn absent_and_empty_attributes_differ() {
        let none = record(None, None);
        let empty = record(Some(Attributes::new()), None);
        let parents = record(None, Some(vec![]));
        assert_ne!(none.canonical(), empty.canonical());
        assert_ne!(none.canonical(), parents.canonical());
        assert_ne!(empty.canonical(), parents.canonical());
    }

    #[test]
    fn values_of_different_kinds_never_share_bytes() {
        let forms = [
            Value::String("1".into()),
            Value::Long(1),
            Value::Bool(true),
            Value::Set(vec![Value::Long(1)]),
            Value::Record([("1".to_owned(), Value::Long(1))].into()),
            Value::Extension { function: "decimal".into(), argument: "1".into() },
            Value::Entity(EntityUid::new("A", "1").unwrap()),
        ];
        let bytes: std::collections::BTreeSet<_> = forms
            .iter()
            .map(|value| record(Some([("a".to_owned(), value.clone())].into()), None).canonical().to_vec())
            .collect();
        assert_eq!(bytes.len(), forms.len());
    }

    #[test]
    fn bounds_hold() {
        let many = (0..65).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(EncryptionContext::new(many, None), Err(ContextError::TooManyMembers { count: 65 }));
        let long = [("a".to_owned(), "x".repeat(MAX_CANONICAL))].into();
        assert!(matches!(EncryptionContext::new(long, None), Err(ContextError::TooLong { .. })));
        let reserved = [(RESOURCE_MEMBER.to_owned(), "x".to_owned())].into();
        assert_eq!(EncryptionContext::new(reserved, None), Err(ContextError::ReservedMember));
    }

    #[test]
    fn a_permit_for_one_recipient_does_not_fit_another() {
        let context = context(&[]);
        let (a, b) = (Fingerprint::of_spki(b"a"), Fingerprint::of_spki(b"b"));
        assert!(BindingDigest::new(&context, Some(&a)) != BindingDigest::new(&context, Some(&b)));
        assert!(BindingDigest::new(&context, Some(&a)) != BindingDigest::new(&context, None));
    }
}
