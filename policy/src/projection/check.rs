//! What the manifest declares of authorities, against the schema of its bundle.
//!
//! Everything that can be seen without an entity is seen here: that the attribute exists on every type that gets keys, that
//! its type fits what is declared, that no two entities come to share what should name one. What is left for an issue is
//! the value itself.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy_core::validator::ValidatorSchema;
use cedar_policy_core::validator::types::AttributeType;
use wardkeep_abe::{Declaration, Schema, Type};
use wardkeep_model::KeyId;

use super::fit::{self, Misfit};
use super::{Field, Projection};
use crate::error::Findings;
use crate::identity::is_reserved_type;
use crate::manifest::{AUTHORITIES, manifest_finding, span_of};
use crate::{AttributeRule, AttributeSource, AuthorityRule, Finding, IdentityMap, Manifest, Place};

/// A name to parse a single declaration under.
const ANY: &str = "x: ";

/// The projections of a manifest. What is not right is a finding, and makes no projection.
pub(crate) fn projections(
    (manifest, text): (&Manifest, &str),
    schema: &ValidatorSchema,
    identity: &IdentityMap,
    findings: &mut Findings,
) -> BTreeMap<KeyId, Projection> {
    let may_be: BTreeSet<&str> = identity.types().chain(manifest.subjects.iter().map(String::as_str)).collect();
    let mut made = BTreeMap::new();
    for (key, rule) in &manifest.authorities {
        let mut check = Check { text, key, rule, schema, may_be: &may_be, findings };
        if let Some(projection) = check.run() {
            made.insert(key.clone(), projection);
        }
    }
    made
}

/// One authority under examination.
struct Check<'a> {
    /// The manifest as it was written, for places.
    text: &'a str,
    /// The key that the authority is.
    key: &'a KeyId,
    /// What the manifest says of it.
    rule: &'a AuthorityRule,
    /// The bundle's schema, Wardkeep's own types in it.
    schema: &'a ValidatorSchema,
    /// The types that may be a subject at all: those of `[identity]`, and the manifest's own.
    may_be: &'a BTreeSet<&'a str>,
    /// Where faults go.
    findings: &'a mut Findings,
}

impl Check<'_> {
    /// The projection; `None` where something was found.
    fn run(&mut self) -> Option<Projection> {
        let AuthorityRule { attributes, terms, .. } = self.rule;
        if attributes.is_empty() {
            let message = format!("the authority `{}` declares no attributes", self.key);
            let hint = "a key needs one at least, as in `role = { declare = \"text set\", ancestors = \"Group\" }`";
            self.refuse(&[], message, hint);
            return None;
        }
        // Whatever can still be checked is, so that an author sees all faults at once.
        let schema = self.declarations();
        let sources = attributes.iter().filter(|(name, rule)| !self.source_stands(name, &rule.from)).count();
        let subjects = self.subjects().filter(|_| sources == 0)?;
        let schema = schema?;
        let mut sound = true;
        for (name, rule) in attributes {
            let Some(declared) = schema.get(name) else { continue };
            // All of them are asked, so that each is told.
            let misfits = subjects.iter().filter(|kind| !self.fits(name, rule, declared, kind)).count();
            sound &= misfits == 0 && self.means_one_thing(name, rule, &subjects);
        }
        let field = |(name, rule): (&String, &AttributeRule)| Field { name: name.clone(), from: rule.from.clone() };
        let fields = attributes.iter().map(field).collect();
        sound.then_some(Projection { terms: *terms, schema, subjects, fields })
    }

    /// The schema of the authority, declaration by declaration, so that each fault has its place.
    fn declarations(&mut self) -> Option<Schema> {
        let mut schema = Schema::default();
        let mut sound = true;
        for (name, rule) in &self.rule.attributes {
            let declared = match declaration(&rule.declare) {
                Ok(declared) => declared,
                Err((message, offset)) => {
                    self.misdeclared(name, message, offset);
                    sound = false;
                    continue;
                }
            };
            if let Err(error) = schema.declare(name, declared) {
                let message = bare(&error.to_string(), &error.position().to_string());
                self.refuse(&["attributes", name], format!("attribute `{name}`: {message}"), "");
                sound = false;
            }
        }
        sound.then_some(schema)
    }

    /// A declaration that does not parse, at its word where the manifest has it as it was parsed.
    fn misdeclared(&mut self, name: &str, message: String, offset: usize) {
        let path = [AUTHORITIES, self.key.as_str(), "attributes", name, "declare"];
        let hint = "as in `text`, `text set`, `enum(a, b) negatable`, `number(8)`, `date`";
        let mut finding = manifest_finding(self.text, &path, format!("attribute `{name}`: {message}"), hint);
        let declare = self.rule.attributes.get(name).map_or("", |rule| rule.declare.as_str());
        if let Some(span) = span_of(self.text, &path)
            && self.text.get(span.start + 1..span.end.saturating_sub(1)) == Some(declare)
        {
            let rest = declare.get(offset..).unwrap_or("");
            let width = rest.find([' ', ',', ')', '(']).unwrap_or(rest.len());
            finding.place = Some(Place::of(self.text, span.start + 1 + offset, width.max(1)));
        }
        self.findings.push(finding);
    }

    /// That what a source names can be a source at all.
    fn source_stands(&mut self, name: &str, from: &AttributeSource) -> bool {
        let AttributeSource::Ancestors(above) = from else { return true };
        let problem = if is_reserved_type(above) {
            "the namespace `Wardkeep` is reserved: control roles are no attributes"
        } else if self.schema.entity_types().all(|declared| declared.name().to_string() != *above) {
            "the schema declares no such entity type"
        } else {
            return true;
        };
        let message = format!("attribute `{name}` comes from ancestors of type `{above}`: {problem}");
        self.refuse(&["attributes", name, "ancestors"], message, "name an entity type of the bundle's schema");
        false
    }

    /// The types that get keys: those listed, each with all of the attributes, or every subject type that has them.
    fn subjects(&mut self) -> Option<BTreeSet<String>> {
        let Some(listed) = &self.rule.subjects else { return self.all_subjects() };
        let mut sound = !listed.is_empty();
        if listed.is_empty() {
            self.refuse(&["subjects"], "`subjects` lists nobody".to_owned(), "leave it out, or name a subject type");
        }
        for kind in listed {
            if !self.may_be.contains(kind.as_str()) {
                let message = format!("`subjects` of `{}` names `{kind}`, which is no subject", self.key);
                let hint = "name a type of `[identity]`, or one of the manifest's own `subjects`";
                self.refuse(&["subjects"], message, hint);
                sound = false;
                continue;
            }
            for (name, rule) in &self.rule.attributes {
                if let Some(problem) = self.missing(&rule.from, kind) {
                    let hint = self.known(kind);
                    self.refuse(&["attributes", name], format!("attribute `{name}`: {problem}"), &hint);
                    sound = false;
                }
            }
        }
        sound.then(|| listed.iter().cloned().collect())
    }

    /// Every subject type that has all of the attributes; where none has, what is missing.
    fn all_subjects(&mut self) -> Option<BTreeSet<String>> {
        let rules = &self.rule.attributes;
        let has_all = |kind: &&&str| rules.values().all(|rule| self.missing(&rule.from, kind).is_none());
        let found: BTreeSet<String> = self.may_be.iter().filter(has_all).map(|kind| (*kind).to_owned()).collect();
        if !found.is_empty() {
            return Some(found);
        }
        let nowhere = |rule: &AttributeRule| self.may_be.iter().all(|kind| self.missing(&rule.from, kind).is_some());
        let lost: Vec<(String, String)> = rules
            .iter()
            .filter(|(_, rule)| nowhere(rule))
            .map(|(name, rule)| (name.clone(), described(&rule.from)))
            .collect();
        for (name, source) in &lost {
            let message = format!("attribute `{name}`: no subject type has {source}");
            self.refuse(&["attributes", name], message, "declare it in the bundle's schema, or correct its name");
        }
        if lost.is_empty() {
            let message = format!("no subject type has all the attributes of `{}`", self.key);
            self.refuse(&["attributes"], message, "declare them all on one type, or make two authorities");
        }
        None
    }

    /// What a type lacks to be the source of an attribute.
    fn missing(&self, from: &AttributeSource, kind: &str) -> Option<String> {
        match from {
            AttributeSource::Id | AttributeSource::Uid => None,
            AttributeSource::Attribute(name) if self.attribute(kind, name).is_some() => None,
            AttributeSource::Attribute(name) => Some(format!("`{kind}` has no attribute `{name}`")),
            AttributeSource::Ancestors(above) => {
                let found = self.schema.entity_types().find(|declared| declared.name().to_string() == *above);
                let holds = found.is_some_and(|found| found.descendants.iter().any(|below| below.to_string() == kind));
                (!holds).then(|| format!("`{kind}` cannot be in `{above}`"))
            }
        }
    }

    /// What the schema declares of one attribute of a type. Attributes are looked up where they are declared: a type
    /// inherits none, its groups' are not its own.
    fn attribute(&self, kind: &str, name: &str) -> Option<&AttributeType> {
        self.schema.entity_types().find(|declared| declared.name().to_string() == kind)?.attr(name)
    }

    /// The attributes of a type, as a hint.
    fn known(&self, kind: &str) -> String {
        let found = self.schema.entity_types().find(|declared| declared.name().to_string() == kind);
        let names: Vec<String> =
            found.iter().flat_map(|found| found.attributes().iter()).map(|(n, _)| format!("`{n}`")).collect();
        match names.as_slice() {
            [] => format!("`{kind}` has no attributes: declare them in the bundle's schema, or list other `subjects`"),
            names => format!("`{kind}` has {}; or list other `subjects`", names.join(", ")),
        }
    }

    /// Whether the declaration takes what the source gives. Types alone are looked at here: which text, and how large a
    /// number, shows only when a key is issued.
    fn fits(&mut self, name: &str, rule: &AttributeRule, declared: &Declaration, kind: &str) -> bool {
        let outcome = match &rule.from {
            AttributeSource::Attribute(attribute) => match self.attribute(kind, attribute) {
                Some(found) => fit::of_type(&found.attr_type, declared),
                None => return false,
            },
            AttributeSource::Ancestors(_) => fit::of_ids(declared),
            AttributeSource::Id | AttributeSource::Uid => fit::of_id(declared),
        };
        let Err(Misfit { problem, hint }) = outcome else { return true };
        let source = described(&rule.from);
        let message = format!("attribute `{name}` is declared `{declared}`, and {source} of `{kind}` {problem}");
        self.refuse(&["attributes", name, "declare"], message, hint);
        false
    }

    /// That a value means the same on all types that get keys. An id names one entity among those of its type only:
    /// `User::"x"` must not pass for `Service::"x"`, neither as itself nor as what an attribute refers to.
    fn means_one_thing(&mut self, name: &str, rule: &AttributeRule, subjects: &BTreeSet<String>) -> bool {
        if let AttributeSource::Attribute(attribute) = &rule.from {
            let mut found = subjects.iter().filter_map(|kind| Some((kind, self.attribute(kind, attribute)?)));
            let Some((first, one)) = found.next() else { return false };
            let Some((other, another)) = found.find(|(_, another)| another.attr_type != one.attr_type) else {
                return true;
            };
            let (one, another) = (&one.attr_type, &another.attr_type);
            let message =
                format!("attribute `{name}`: `{attribute}` is `{one}` on `{first}` and `{another}` on `{other}`");
            let hint = "give it one type in the bundle's schema, or list one type in `subjects`";
            self.refuse(&["attributes", name, "attribute"], message, hint);
            return false;
        }
        if rule.from != AttributeSource::Id || subjects.len() < 2 {
            return true;
        }
        let types: Vec<String> = subjects.iter().map(|kind| format!("`{kind}`")).collect();
        let message = format!("attribute `{name}` is the subject's id, and {} would share ids", types.join(" and "));
        let hint = "list one type in `subjects`, or use `uid = true`, which says the type as well";
        self.refuse(&["attributes", name, "id"], message, hint);
        false
    }

    /// A finding at a field of this authority.
    fn refuse(&mut self, field: &[&str], message: String, hint: &str) {
        let path: Vec<&str> = [AUTHORITIES, self.key.as_str()].into_iter().chain(field.iter().copied()).collect();
        let finding: Finding = manifest_finding(self.text, &path, message, hint);
        self.findings.push(finding);
    }
}

/// One declaration by itself; else what is wrong, and at which byte of it.
fn declaration(declare: &str) -> Result<Declaration, (String, usize)> {
    if let Some(at) = declare.find(['\n', '\r']) {
        return Err(("a declaration stands on one line".to_owned(), at));
    }
    let schema = Schema::parse(&format!("{ANY}{declare}")).map_err(|error| {
        let at = error.position();
        (bare(&error.to_string(), &at.to_string()), at.offset.saturating_sub(ANY.len()))
    })?;
    let found = schema.iter().next().map(|(_, declared)| declared.clone());
    found.ok_or_else(|| ("nothing is declared".to_owned(), 0))
}

/// A message without the position that it begins with: that is one of the text we made, not of the manifest.
fn bare(message: &str, position: &str) -> String {
    message.strip_prefix(position).unwrap_or(message).to_owned()
}

/// A source in words.
fn described(from: &AttributeSource) -> String {
    match from {
        AttributeSource::Attribute(name) => format!("the attribute `{name}`"),
        AttributeSource::Ancestors(above) => format!("ancestors of type `{above}`"),
        AttributeSource::Id => "the id".to_owned(),
        AttributeSource::Uid => "type and id".to_owned(),
    }
}

/// Whether a declaration takes text.
pub(super) fn takes_text(declared: &Declaration) -> bool {
    matches!(declared.kind, Type::Text | Type::Enum(_))
}
