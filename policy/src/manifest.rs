//! The manifest of a bundle, `wardkeep.toml`: which types are subjects, what protects which records, and what the user
//! keys of which authority say.

mod authority;
mod place;

use std::collections::BTreeMap;

use serde::Deserialize;
use wardkeep_model::KeyId;

pub(crate) use authority::{AUTHORITIES, manifest_finding};
pub use authority::{AttributeRule, AttributeSource, AuthorityRule};
pub(crate) use place::span_of;

use crate::error::Findings;
use crate::{Finding, FindingKind, Place, PolicyErrors};

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "wardkeep.toml";

/// A checked manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// Entity types that the subject header may name, beside those of `[identity]`.
    pub subjects: Vec<String>,
    /// Resource types that a data key may protect.
    pub resources: BTreeMap<String, ResourceRule>,
    /// The authorities that issue user keys, by the key that each is.
    pub authorities: BTreeMap<KeyId, AuthorityRule>,
}

/// How records of one type are protected and released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRule {
    /// Where the record's attributes come from.
    pub source: Source,
    /// The action decided when a data key is made: its id, or Cedar's full spelling.
    pub protect: String,
    /// The action decided when a wrapped data key is opened.
    pub release: String,
}

/// Where the attributes of a record come from. There is no fallback from one to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// From what was bound into the wrapped key when it was made.
    Bound,
    /// From the entity store, at the moment of the decision.
    Stored,
}

const HINT: &str = "known are `subjects = [types]` and, in `[resources.Type]`, `source = \"bound\"` or `\"stored\"`, \
                    `protect`, `release`; in `[authorities.\"ring/key\"]`, `bucket`, `serial_bits`, `subjects` and \
                    `attributes`";

impl ResourceRule {
    /// The protect action's default id.
    pub const PROTECT: &'static str = "create";
    /// The release action's default id.
    pub const RELEASE: &'static str = "read";
}

/// The file's form. The domain type is not read directly: its fields may then change without changing the format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    resources: BTreeMap<String, FileResource>,
    #[serde(default)]
    authorities: BTreeMap<String, authority::FileAuthority>,
}

/// One `[resources.Type]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileResource {
    source: Source,
    protect: Option<String>,
    release: Option<String>,
}

impl Manifest {
    /// Reads a manifest. Whether its types and actions exist is seen when the schema is at hand.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        let file: File = toml::from_str(text).map_err(|error| finding(text, &error))?;
        let resource = |rule: FileResource| ResourceRule {
            source: rule.source,
            protect: rule.protect.unwrap_or_else(|| ResourceRule::PROTECT.to_owned()),
            release: rule.release.unwrap_or_else(|| ResourceRule::RELEASE.to_owned()),
        };
        let resources = file.resources.into_iter().map(|(kind, rule)| (kind, resource(rule))).collect();
        let mut findings = Findings::default();
        let authorities = authority::read(text, file.authorities, &mut findings);
        findings.finish()?;
        Ok(Self { subjects: file.subjects, resources, authorities })
    }
}

/// What the TOML parser says, at its place.
fn finding(text: &str, error: &toml::de::Error) -> Finding {
    let place = error.span().map(|span| Place::of(text, span.start, span.len()));
    Finding {
        kind: FindingKind::Manifest,
        file: MANIFEST_FILE.to_owned(),
        place,
        message: error.message().to_owned(),
        hint: Some(HINT.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        let manifest = Manifest::parse("[resources.Note]\nsource = \"stored\"").unwrap();
        let note = &manifest.resources["Note"];
        assert_eq!((note.source, note.protect.as_str(), note.release.as_str()), (Source::Stored, "create", "read"));
        assert_eq!(Manifest::parse(""), Ok(Manifest::default()));
    }

    #[test]
    fn unknown_fields_are_refused_with_their_place_and_a_hint() {
        let errors =
            Manifest::parse("subjects = []\n\n[resources.Note]\nsource = \"bound\"\nreleases = \"x\"").unwrap_err();
        let finding = &errors.findings()[0];
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(5), "{finding}");
        assert!(finding.hint.as_ref().is_some_and(|hint| hint.contains("release")), "{finding}");
    }
}
