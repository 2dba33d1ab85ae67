//! `[authorities."ring/key"]`: which attributes the user keys of an authority carry, and where each comes from.
//!
//! ```toml
//! [authorities."clinic/records"]
//! bucket = "day"                # keys are valid until the end of a day; or "hour"
//! serial_bits = 20              # 2^20 user keys can be issued in one version
//! subjects = ["User"]           # who gets keys; left out: every subject type that has all of the attributes
//!
//! [authorities."clinic/records".attributes]
//! role      = { declare = "text set", ancestors = "Group" }
//! dept      = { declare = "enum(cardiology, surgery) negatable", attribute = "dept" }
//! clearance = { declare = "number(8)", attribute = "clearance" }
//! user      = { declare = "text", id = true }
//! ```
//!
//! Here stands what the file says. Whether it fits the schema of the bundle is checked where a projection is made of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use wardkeep_model::{BucketLength, KeyId};

use super::place::place_of;
use super::{HINT, MANIFEST_FILE};
use crate::error::Findings;
use crate::projection::AuthorityTerms;
use crate::{Finding, FindingKind};

/// The table of the manifest that holds them.
pub(crate) const AUTHORITIES: &str = "authorities";
/// Bits of a serial where the manifest says none.
const SERIAL_BITS: u8 = 20;
/// Fewer would run out in a morning; more is more than an authority's tree has.
const SERIAL_BITS_ALLOWED: std::ops::RangeInclusive<u8> = 8..=32;

/// What the manifest says of one authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRule {
    /// Buckets and serials.
    pub terms: AuthorityTerms,
    /// The entity types that get user keys; `None` for every subject type that has all of the attributes.
    pub subjects: Option<Vec<String>>,
    /// The attributes by name.
    pub attributes: BTreeMap<String, AttributeRule>,
}

/// One attribute of an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeRule {
    /// What it is, in the words of the authority's schema: `enum(cardiology, surgery) negatable`.
    pub declare: String,
    /// Where its values come from.
    pub from: AttributeSource,
}

/// Where the values of an attribute come from. Always from the subject's entity, never from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeSource {
    /// An attribute of the entity.
    Attribute(String),
    /// The ids of the entities of one type above it, at any distance.
    Ancestors(String),
    /// The entity's id.
    Id,
    /// The entity's type and id in Cedar's spelling, `User::"ana"`: one value, one entity, whatever types get keys.
    Uid,
}

/// One `[authorities."ring/key"]`, as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAuthority {
    bucket: Option<String>,
    serial_bits: Option<u8>,
    subjects: Option<Vec<String>>,
    #[serde(default)]
    attributes: BTreeMap<String, FileAttribute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAttribute {
    declare: String,
    attribute: Option<String>,
    ancestors: Option<String>,
    id: Option<bool>,
    uid: Option<bool>,
}

/// Reads all authorities; every fault is a finding at its place in the text.
pub(super) fn read(
    text: &str,
    file: BTreeMap<String, FileAuthority>,
    findings: &mut Findings,
) -> BTreeMap<KeyId, AuthorityRule> {
    let mut rules = BTreeMap::new();
    for (name, authority) in file {
        let mut refuse = |field: &[&str], message: String, hint: &str| {
            let path: Vec<&str> = [AUTHORITIES, name.as_str()].into_iter().chain(field.iter().copied()).collect();
            findings.push(manifest_finding(text, &path, message, hint));
        };
        let key = KeyId::parse(&name).map_err(|error| {
            refuse(&[], format!("`[authorities]` names no key: {error}"), "write it as `[authorities.\"ring/key\"]`");
        });
        let terms = terms(&authority, &mut refuse);
        let FileAuthority { subjects, attributes, .. } = authority;
        let attributes = attributes.into_iter().filter_map(|(attribute, said)| {
            let from = source(&attribute, &said, &mut refuse)?;
            Some((attribute, AttributeRule { declare: said.declare, from }))
        });
        let attributes = attributes.collect();
        if let (Ok(key), Some(terms)) = (key, terms) {
            rules.insert(key, AuthorityRule { terms, subjects, attributes });
        }
    }
    rules
}

/// Buckets and serials; `None` where a finding was made.
fn terms(said: &FileAuthority, refuse: &mut dyn FnMut(&[&str], String, &str)) -> Option<AuthorityTerms> {
    let bucket = match said.bucket.as_deref() {
        None => Some(BucketLength::Day),
        Some(word) => BucketLength::from_word(word).or_else(|| {
            refuse(&["bucket"], format!("`{}` is no length of a bucket", excerpt(word)), "write \"hour\" or \"day\"");
            None
        }),
    };
    let serial_bits = said.serial_bits.unwrap_or(SERIAL_BITS);
    if !SERIAL_BITS_ALLOWED.contains(&serial_bits) {
        let (low, high) = (SERIAL_BITS_ALLOWED.start(), SERIAL_BITS_ALLOWED.end());
        let message = format!("serials of {serial_bits} bits are not possible: use {low} to {high}");
        refuse(&["serial_bits"], message, "20 bits are a million user keys a version");
        return None;
    }
    Some(AuthorityTerms { bucket: bucket?, serial_bits })
}

/// Exactly one source; `None` where a finding was made.
fn source(name: &str, said: &FileAttribute, refuse: &mut dyn FnMut(&[&str], String, &str)) -> Option<AttributeSource> {
    let named = [
        said.attribute.clone().map(AttributeSource::Attribute),
        said.ancestors.clone().map(AttributeSource::Ancestors),
        (said.id == Some(true)).then_some(AttributeSource::Id),
        (said.uid == Some(true)).then_some(AttributeSource::Uid),
    ];
    let mut found = named.into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(source), None) => Some(source),
        (first, _) => {
            let count = if first.is_some() { "more than one source" } else { "no source" };
            let hint =
                "give exactly one of `attribute = \"name\"`, `ancestors = \"Type\"`, `id = true` and `uid = true`";
            refuse(&["attributes", name], format!("the attribute `{}` names {count}", excerpt(name)), hint);
            None
        }
    }
}

/// A finding at the place of a path in the manifest, or of as much of the path as there is.
pub(crate) fn manifest_finding(text: &str, path: &[&str], message: String, hint: &str) -> Finding {
    let hint = if hint.is_empty() { HINT } else { hint };
    Finding {
        kind: FindingKind::Manifest,
        file: MANIFEST_FILE.to_owned(),
        place: place_of(text, path),
        message,
        hint: Some(hint.to_owned()),
    }
}

/// A word of the author's, as messages show it.
fn excerpt(word: &str) -> String {
    word.chars().take(80).flat_map(char::escape_debug).collect()
}
