//! Names: validated once where they enter, canonical from then on.
//!
//! Ring and key names allow one spelling only (lower case, no dots at the edges), so that no two
//! different strings can mean one key and no path step (`..`) can widen a rule.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

/// Longest ring or key name, in bytes.
pub const MAX_NAME: usize = 63;
/// Longest entity type, in bytes (`Namespace::Type`).
pub const MAX_ENTITY_TYPE: usize = 128;
/// Longest entity id, in bytes.
pub const MAX_ENTITY_ID: usize = 256;
/// The namespace whose entity types belong to Wardkeep alone.
pub const RESERVED_NAMESPACE: &str = "Wardkeep";

/// Why a name was refused. `what` says which kind of name it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The name is empty or longer than `max` bytes.
    #[error("{what} has {len} bytes: use 1 to {max}")]
    Length { what: &'static str, len: usize, max: usize },
    /// A character that this kind of name does not allow.
    #[error("{what} `{shown}` has a character that is not allowed at byte {at}: use {allowed}")]
    Character { what: &'static str, shown: String, at: usize, allowed: &'static str },
    /// The text as a whole does not have the form of this kind of name.
    #[error("{what} `{shown}` is malformed: write it as {form}")]
    Form { what: &'static str, shown: String, form: &'static str },
}

/// The name of a key ring, such as `payments`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingName(Arc<str>);

/// The name of a key inside its ring, such as `card-data`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(Arc<str>);

/// A key's full name, `ring/key`: unique, and never used again once the key is destroyed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    text: Arc<str>,
    ring: RingName,
}

/// A version of a key, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyVersion(NonZeroU32);

/// One entity, as Cedar names it: `User::"ana"`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityUid {
    kind: Arc<str>,
    id: Arc<str>,
}

/// What a certificate's URI name says: `spiffe://<trust-domain>/<kind>/<name>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    trust_domain: Arc<str>,
    kind: Arc<str>,
    name: Arc<str>,
}

/// A certificate's serial number in lower-case hexadecimal without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateSerial(Arc<str>);

/// Names one request in logs, answers and the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}

fn check_length(what: &'static str, text: &str, max: usize) -> Result<(), IdError> {
    if text.is_empty() || text.len() > max {
        return Err(IdError::Length { what, len: text.len(), max });
    }
    Ok(())
}

fn check_name(what: &'static str, text: &str) -> Result<(), IdError> {
    const ALLOWED: &str = "a-z, 0-9, and `-`, `_`, `.` between them";
    check_length(what, text, MAX_NAME)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let mut last_plain = false;
    for (at, &byte) in bytes.iter().enumerate() {
        let joint = matches!(byte, b'-' | b'_' | b'.') && last_plain && at + 1 < bytes.len();
        if !plain(byte) && !joint {
            return Err(IdError::Character { what, shown: shown(text), at, allowed: ALLOWED });
        }
        last_plain = plain(byte) || matches!(byte, b'-' | b'_');
    }
    Ok(())
}

impl RingName {
    /// Checks and takes a ring name: 1 to 63 bytes of `a-z 0-9 - _ .`, starting and ending with a letter or digit.
    pub fn new(text: &str) -> Result<Self, IdError> {
        check_name("ring name", text)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ring as a Cedar entity, `Wardkeep::Ring::"payments"`.
    #[must_use]
    pub fn entity(&self) -> EntityUid {
        EntityUid { kind: "Wardkeep::Ring".into(), id: self.0.clone() }
    }
}

impl KeyName {
    /// Checks and takes a key name; the rules are those of [`RingName::new`].
    pub fn new(text: &str) -> Result<Self, IdError> {
        check_name("key name", text)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyId {
    /// Joins a ring's and a key's name.
    #[must_use]
    pub fn new(ring: RingName, key: &KeyName) -> Self {
        Self { text: format!("{}/{}", ring.0, key.0).into(), ring }
    }

    /// Reads `ring/key`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let Some((ring, key)) = text.split_once('/') else {
            return Err(IdError::Form { what: "key id", shown: shown(text), form: "`ring/key`" });
        };
        Ok(Self::new(RingName::new(ring)?, &KeyName::new(key)?))
    }

    /// `ring/key`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The ring that its name says.
    #[must_use]
    pub fn ring(&self) -> &RingName {
        &self.ring
    }

    /// The key's own name, without the ring's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.split_once('/').map_or("", |(_, name)| name)
    }

    /// The key as a Cedar entity, `Wardkeep::Key::"payments/card-data"`.
    #[must_use]
    pub fn entity(&self) -> EntityUid {
        EntityUid { kind: "Wardkeep::Key".into(), id: self.text.clone() }
    }
}

impl KeyVersion {
    /// The first version of every key.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// A version number; `None` for 0.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number, 1 or more.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The version after this one; `None` past the last `u32`.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl EntityUid {
    /// An entity from its type (`User`, `Clinic::User`) and its id.
    ///
    /// The type is a path of identifiers; the id is 1 to 256 bytes without control characters.
    pub fn new(kind: &str, id: &str) -> Result<Self, IdError> {
        check_entity_type(kind)?;
        check_length("entity id", id, MAX_ENTITY_ID)?;
        if let Some((at, _)) = id.char_indices().find(|(_, c)| c.is_control()) {
            let allowed = "no control characters";
            return Err(IdError::Character { what: "entity id", shown: shown(id), at, allowed });
        }
        Ok(Self { kind: kind.into(), id: id.into() })
    }

    /// One of Wardkeep's own entities, such as `Wardkeep::System::"scheduler"`, from the constants that name it.
    ///
    /// Not for anything that came from outside: both parts are taken unchecked, which `'static` is there to remind of.
    #[must_use]
    pub fn builtin(kind: &'static str, id: &'static str) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }

    /// Reads Cedar's own spelling, `User::"ana"`, with the escapes `\"`, `\\` and `\u{..}`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let malformed = || IdError::Form { what: "entity", shown: shown(text), form: "`Type::\"id\"`" };
        let (kind, rest) = text.split_once("::\"").ok_or_else(malformed)?;
        let quoted = rest.strip_suffix('"').ok_or_else(malformed)?;
        Self::new(kind, &unescape(quoted).ok_or_else(malformed)?)
    }

    /// The type, `User`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The id, `ana`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the type stands in the namespace that only Wardkeep uses.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.kind.split("::").next() == Some(RESERVED_NAMESPACE)
    }
}

/// Checks an entity type: identifiers joined by `::`, at most 128 bytes.
pub fn check_entity_type(kind: &str) -> Result<(), IdError> {
    check_length("entity type", kind, MAX_ENTITY_TYPE)?;
    let identifier = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if kind.split("::").all(identifier) {
        return Ok(());
    }
    Err(IdError::Form { what: "entity type", shown: shown(kind), form: "`Type` or `Namespace::Type`" })
}

fn unescape(quoted: &str) -> Option<String> {
    let mut out = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return None,
            '\\' => match rest.next()? {
                '"' => out.push('"'),
                '\\' => out.push('\\'),
                'u' => out.push(unescape_code_point(&mut rest)?),
                _ => return None,
            },
            plain => out.push(plain),
        }
    }
    Some(out)
}

fn unescape_code_point(rest: &mut std::str::Chars<'_>) -> Option<char> {
    if rest.next()? != '{' {
        return None;
    }
    let mut digits = String::new();
    loop {
        match rest.next()? {
            '}' => break,
            // `from_str_radix` would take a sign as well.
            digit if digits.len() < 6 && digit.is_ascii_hexdigit() => digits.push(digit),
            _ => return None,
        }
    }
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

impl Identity {
    /// Longest identity, in bytes: the bound of SPIFFE-ID section 2.3.
    pub const MAX: usize = 2048;

    /// Reads `spiffe://<trust-domain>/<kind>/<name>`: exactly two path segments, no dots-only segment, no
    /// port, user, query, fragment or percent sign (SPIFFE-ID sections 2.1 to 2.3).
    pub fn parse(uri: &str) -> Result<Self, IdError> {
        const FORM: &str = "`spiffe://<trust-domain>/<kind>/<name>`";
        check_length("identity", uri, Self::MAX)?;
        let malformed = || IdError::Form { what: "identity", shown: shown(uri), form: FORM };
        let rest = uri.strip_prefix("spiffe://").ok_or_else(malformed)?;
        let mut parts = rest.split('/');
        let (Some(domain), Some(kind), Some(name), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        Self::new(domain, kind, name)
    }

    /// An identity from its three parts.
    pub fn new(trust_domain: &str, kind: &str, name: &str) -> Result<Self, IdError> {
        let domain_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        check_length("trust domain", trust_domain, 255)?;
        if let Some(at) = trust_domain.bytes().position(|b| !domain_byte(b)) {
            let allowed = "a-z, 0-9, `-`, `_` and `.`";
            return Err(IdError::Character { what: "trust domain", shown: shown(trust_domain), at, allowed });
        }
        check_segment("identity kind", kind)?;
        check_segment("identity name", name)?;
        Ok(Self { trust_domain: trust_domain.into(), kind: kind.into(), name: name.into() })
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The first path segment, which `[identity]` maps to a Cedar entity type.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The second path segment, the entity's id.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn check_segment(what: &'static str, segment: &str) -> Result<(), IdError> {
    check_length(what, segment, 128)?;
    let allowed_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if let Some(at) = segment.bytes().position(|b| !allowed_byte(b)) {
        let allowed = "a-z, A-Z, 0-9, `-`, `_` and `.`";
        return Err(IdError::Character { what, shown: shown(segment), at, allowed });
    }
    if segment.bytes().all(|b| b == b'.') {
        return Err(IdError::Form { what, shown: shown(segment), form: "a name that is not only dots" });
    }
    Ok(())
}

impl CertificateSerial {
    /// A serial from its big-endian bytes (at most 20 by RFC 5280, section 4.1.2.2).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
        let significant = bytes.iter().skip_while(|byte| **byte == 0);
        let hex: String = significant.map(|byte| format!("{byte:02x}")).collect();
        Self::parse(if hex.is_empty() { "0" } else { &hex })
    }

    /// Reads hexadecimal in either case, with or without colons and leading zeros.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let digits: String = text.chars().filter(|c| *c != ':').collect::<String>().to_ascii_lowercase();
        check_length("certificate serial", &digits, 40)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(IdError::Form { what: "certificate serial", shown: shown(text), form: "hexadecimal" });
        }
        let trimmed = digits.trim_start_matches('0');
        Ok(Self(if trimmed.is_empty() { "0".into() } else { trimmed.into() }))
    }

    /// Lower-case hexadecimal without leading zeros.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RequestId {
    /// Takes a caller's `X-Request-Id`: 1 to 64 bytes of `A-Z a-z 0-9 - _ .`; anything else is refused.
    pub fn new(text: &str) -> Result<Self, IdError> {
        check_length("request id", text, 64)?;
        let allowed_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if let Some(at) = text.bytes().position(|b| !allowed_byte(b)) {
            let allowed = "a-z, A-Z, 0-9, `-`, `_` and `.`";
            return Err(IdError::Character { what: "request id", shown: shown(text), at, allowed });
        }
        Ok(Self(text.into()))
    }

    /// A fresh id from 128 random bits.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}").into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntityUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::\"", self.kind)?;
        for c in self.id.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                plain => fmt::Write::write_char(f, plain)?,
            }
        }
        f.write_str("\"")
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/{}/{}", self.trust_domain, self.kind, self.name)
    }
}

impl fmt::Debug for EntityUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for RingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for CertificateSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl FromStr for EntityUid {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl FromStr for Identity {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_widen_a_rule_are_refused() {
        for bad in ["", ".", "..", "a/b", "A", "a..b", "-a", "a-", "a.", "a b", "a%2e", "é", "a\0", &"a".repeat(64)] {
            assert!(RingName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "payments", "card-data", "v1.2", "a_b", "0"] {
            assert!(RingName::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_key_id_has_exactly_one_slash() {
        assert_eq!(KeyId::parse("payments/card-data").unwrap().name(), "card-data");
        for bad in ["payments", "a/b/c", "/b", "a/", "a/../b"] {
            assert!(KeyId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn entities_round_trip_through_cedar_spelling() {
        for id in ["ana", "a\"b", "back\\slash", "Patient/123", "żółć"] {
            let uid = EntityUid::new("Clinic::User", id).unwrap();
            assert_eq!(EntityUid::parse(&uid.to_string()).unwrap(), uid);
        }
        for bad in ["User", "User::ana", "User::\"a", "User::\"a\"b\"", "::\"a\"", "1User::\"a\"", "User::\"\\x41\""] {
            assert!(EntityUid::parse(bad).is_err(), "{bad:?}");
        }
        assert!(EntityUid::parse("Wardkeep::Role::\"admin\"").unwrap().is_reserved());
        assert!(!EntityUid::parse("Wardkeeper::Role::\"admin\"").unwrap().is_reserved());
    }

    #[test]
    fn identities_have_two_segments_and_nothing_clever() {
        let good = Identity::parse("spiffe://clinic.example/user/ana").unwrap();
        assert_eq!((good.trust_domain(), good.kind(), good.name()), ("clinic.example", "user", "ana"));
        for bad in [
            "spiffe://clinic.example",
            "spiffe://clinic.example/",
            "spiffe://clinic.example/user",
            "spiffe://clinic.example/user/",
            "spiffe://clinic.example/user/..",
            "spiffe://clinic.example/./ana",
            "spiffe://clinic.example/user/ana/more",
            "spiffe://clinic.example:443/user/ana",
            "spiffe://u@clinic.example/user/ana",
            "spiffe://clinic.example/user/ana?x",
            "spiffe://clinic.example/user/an%61",
            "spiffe://clinic.example/user/an\0a",
            "SPIFFE://clinic.example/user/ana",
            "spiffe://Clinic.example/user/ana",
            "https://clinic.example/user/ana",
        ] {
            assert!(Identity::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn serials_have_one_spelling() {
        let serial = CertificateSerial::from_bytes(&[0, 0xAB, 0x01]).unwrap();
        assert_eq!(serial.as_str(), "ab01");
        assert_eq!(CertificateSerial::parse("00:AB:01").unwrap(), serial);
        assert!(CertificateSerial::parse("xyz").is_err());
    }
}
