//! What is wrong with a bundle or a control set, with the place and a hint.
//!
//! A load reports everything it finds, not the first thing: an author fixes a bundle in one round.

use std::fmt;

/// Most findings that are reported of one load; the rest are only counted.
pub const MAX_FINDINGS: usize = 100;

/// Everything that is wrong with a bundle or a control set. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyErrors {
    findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of fault it is.
    pub kind: FindingKind,
    /// The file, as its author named it.
    pub file: String,
    /// Where in the file; `None` where the fault has no place.
    pub place: Option<Place>,
    /// What is wrong, in words.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A place in a file, and the line it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are meant, at least 1, never past the line's end.
    pub width: usize,
    /// The line's text.
    pub text: String,
}

/// The kinds of faults, each with a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The manifest does not parse or says something impossible.
    Manifest,
    /// The schema does not parse or does not hold together.
    Schema,
    /// A policy does not parse.
    Syntax,
    /// A policy does not fit the schema.
    Validation,
    /// Two policies carry one id, or an id is reserved.
    PolicyId,
    /// Something in the namespace that belongs to Wardkeep.
    Reserved,
    /// An entity does not parse or does not fit the schema.
    Entity,
    /// A bound type that is in use was changed beyond adding optional attributes.
    BoundType,
    /// The set is larger than a bound of ours.
    TooLarge,
}

impl FindingKind {
    /// The word used in machine-readable output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Schema => "schema",
            Self::Syntax => "syntax",
            Self::Validation => "validation",
            Self::PolicyId => "policy-id",
            Self::Reserved => "reserved",
            Self::Entity => "entity",
            Self::BoundType => "bound-type",
            Self::TooLarge => "too-large",
        }
    }
}

impl PolicyErrors {
    /// The findings, in the order of manifest, schema, policies, entities. At least one.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl From<Finding> for PolicyErrors {
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding] }
    }
}

/// `policies.cedar:3:9: message`, the line with a caret below, and the hint.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            None => write!(f, "{}: {}", self.file, self.message)?,
            Some(Place { line, column, width, text }) => {
                writeln!(f, "{}:{line}:{column}: {}", self.file, self.message)?;
                let number = line.to_string();
                let pad = " ".repeat(number.len());
                // Tabs stay tabs in the margin, so that the caret stands where the reader's editor shows it.
                let margin: String =
                    text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                writeln!(f, " {number} | {text}")?;
                write!(f, " {pad} | {margin}{}", "^".repeat(*width))?;
            }
        }
        match &self.hint {
            None => Ok(()),
            Some(hint) => write!(f, "\n  hint: {hint}"),
        }
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, finding) in self.findings.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(finding, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyErrors {}

impl Place {
    /// The place of the bytes `start..start + len` in a text. An offset past the end means its last line.
    #[must_use]
    pub fn of(source: &str, start: usize, len: usize) -> Self {
        let mut start = start.min(source.len());
        while !source.is_char_boundary(start) {
            start -= 1;
        }
        let (before, after) = source.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let head = before.get(line_start..).unwrap_or("");
        let tail = after.split('\n').next().unwrap_or("").trim_end_matches('\r');
        let mut end = len.min(tail.len());
        while !tail.is_char_boundary(end) {
            end -= 1;
        }
        let width = tail.get(..end).unwrap_or("").chars().count().max(1);
        Self {
            line: before.matches('\n').count() + 1,
            column: head.chars().count() + 1,
            width,
            text: format!("{head}{tail}"),
        }
    }

    /// The first place where a word stands; how faults without a place of their own get one.
    #[must_use]
    pub fn of_word(source: &str, word: &str) -> Option<Self> {
        if word.is_empty() {
            return None;
        }
        let boundary = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        source
            .match_indices(word)
            .find(|(at, _)| {
                let before = source.get(..*at).and_then(|text| text.chars().next_back());
                let after = source.get(at + word.len()..).and_then(|text| text.chars().next());
                boundary(before) && boundary(after)
            })
            .map(|(at, _)| Self::of(source, at, word.len()))
    }
}

/// Collects findings while a set is loaded.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    left_off: usize,
}

impl Findings {
    /// Adds a finding; beyond [`MAX_FINDINGS`] it is only counted.
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.found.len() < MAX_FINDINGS {
            self.found.push(finding);
        } else {
            self.left_off += 1;
        }
    }

    /// A finding without a place of its own.
    pub(crate) fn add(&mut self, kind: FindingKind, file: &str, message: impl Into<String>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.push(Finding { kind, file: file.to_owned(), place: None, message: message.into(), hint });
    }

    /// A finding at the first occurrence of a word.
    pub(crate) fn add_at(&mut self, kind: FindingKind, at: (&str, &str, &str), message: impl Into<String>, hint: &str) {
        let (file, source, word) = at;
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        let place = Place::of_word(source, word);
        self.push(Finding { kind, file: file.to_owned(), place, message: message.into(), hint });
    }

    /// Whether nothing was found yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `Ok` where nothing was found.
    pub(crate) fn finish(mut self) -> Result<(), PolicyErrors> {
        if self.found.is_empty() {
            return Ok(());
        }
        if self.left_off > 0
            && let Some(last) = self.found.last_mut()
        {
            last.message.push_str(&format!(" (and {} more findings)", self.left_off));
        }
        Err(PolicyErrors { findings: self.found })
    }

    #[cfg(test)]
    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.found
    }
}

impl From<Findings> for PolicyErrors {
    fn from(findings: Findings) -> Self {
        Self { findings: findings.found }
    }
}

/// Turns one of Cedar's diagnostics into a finding of ours: message, first labelled span, help.
pub(crate) fn from_diagnostic(
    kind: FindingKind,
    file: &str,
    source: &str,
    diagnostic: &dyn miette::Diagnostic,
) -> Finding {
    let label = diagnostic.labels().and_then(|mut labels| labels.next());
    let place = label.as_ref().map(|label| Place::of(source, label.offset(), label.len()));
    let said = label.as_ref().and_then(|label| label.label().map(ToOwned::to_owned));
    let hint = diagnostic.help().map(|help| help.to_string()).or(said);
    Finding { kind, file: file.to_owned(), place, message: diagnostic.to_string(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters() {
        let source = "first\n  żółć = bad\r\nlast";
        let place = Place::of(source, source.find("bad").unwrap(), 3);
        assert_eq!((place.line, place.column, place.width), (2, 10, 3));
        assert_eq!(place.text, "  żółć = bad");
        let end = Place::of(source, 10_000, 5);
        assert_eq!((end.line, end.column, end.width), (3, 5, 1));
        let inside = Place::of(source, source.find('ż').unwrap() + 1, 1);
        assert_eq!(inside.column, 3, "an offset inside a character means the character");
    }

    #[test]
    fn words_are_found_whole() {
        let place = Place::of_word("entity Users;\nentity User;", "User").unwrap();
        assert_eq!((place.line, place.column), (2, 8));
        assert_eq!(Place::of_word("entity Users;", "User"), None);
        assert_eq!(Place::of_word("", ""), None);
    }

    #[test]
    fn a_finding_shows_the_line_and_a_caret() {
        let finding = Finding {
            kind: FindingKind::Validation,
            file: "keys.cedar".into(),
            place: Some(Place::of("permit(\n\tprincipal.nam)", 9, 13)),
            message: "attribute `nam` not found".into(),
            hint: Some("did you mean `name`?".into()),
        };
        let shown = finding.to_string();
        assert!(
            shown.starts_with("keys.cedar:2:2: attribute `nam` not found\n 2 | \tprincipal.nam)\n   | \t^^^^^^^^^^^^^")
        );
        assert!(shown.ends_with("hint: did you mean `name`?"), "{shown}");
    }

    #[test]
    fn findings_are_bounded_and_counted() {
        let mut findings = Findings::default();
        for n in 0..MAX_FINDINGS + 7 {
            findings.add(FindingKind::Syntax, "a.cedar", format!("fault {n}"), "");
        }
        let errors = findings.finish().unwrap_err();
        assert_eq!(errors.findings().len(), MAX_FINDINGS);
        assert!(errors.to_string().ends_with("(and 7 more findings)"));
    }
}
