//! The manifest of a bundle, `wardkeep.toml`: which types are subjects, and what protects which records.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "wardkeep.toml";

/// A checked manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// Entity types that the subject header may name, beside those of `[identity]`.
    pub subjects: Vec<String>,
    /// Resource types that a data key may protect.
    pub resources: BTreeMap<String, ResourceRule>,
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

impl ResourceRule {
    /// The protect action's default id.
    pub const PROTECT: &'static str = "create";
    /// The release action's default id.
    pub const RELEASE: &'static str = "read";
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default)]
    resources: BTreeMap<String, FileResource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileResource {
    source: Source,
    protect: Option<String>,
    release: Option<String>,
}

impl Manifest {
    /// Reads a manifest. Whether its types and actions exist is seen when the schema is at hand.
    pub fn parse(text: &str) -> Result<Self, crate::PolicyErrors> {
        let file: File = toml::from_str(text).map_err(|error| finding(text, &error))?;
        let resource = |rule: FileResource| ResourceRule {
            source: rule.source,
            protect: rule.protect.unwrap_or_else(|| ResourceRule::PROTECT.to_owned()),
            release: rule.release.unwrap_or_else(|| ResourceRule::RELEASE.to_owned()),
        };
        let resources = file.resources.into_iter().map(|(kind, rule)| (kind, resource(rule))).collect();
        Ok(Self { subjects: file.subjects, resources })
    }
}

fn finding(text: &str, error: &toml::de::Error) -> crate::error::Finding {
    let place = error.span().map(|span| crate::error::Place::of(text, span.start, span.len()));
    crate::error::Finding {
        kind: crate::error::FindingKind::Manifest,
        file: MANIFEST_FILE.to_owned(),
        place,
        message: error.message().to_owned(),
        hint: Some(
            "known fields: `subjects = [types]`, and in `[resources.Type]` `source = \"bound\" | \"stored\"`, `protect`, `release`"
                .to_owned(),
        ),
    }
}
