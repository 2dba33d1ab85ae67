//! Text for readers: quoting where it is needed, excerpts for messages, the caret below a mistake.

use std::fmt::{self, Write as _};

use unicode_normalization::char::is_combining_mark;

use super::Position;
use super::normal::is_unseen;

/// Words of the language, which names and values are only in quotes.
pub(crate) const KEYWORDS: [&str; 5] = ["and", "or", "of", "in", "not"];

/// Characters of a line that are shown around a mistake.
const SHOWN: usize = 76;
/// Characters of an input that a message repeats.
const EXCERPT: usize = 60;

/// Whether a bare word may begin with it. A combining mark would join what stands before it.
pub(crate) fn is_start(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphabetic() || (letter.is_alphabetic() && !is_combining_mark(letter))
}

/// Whether a bare word may go on with it.
pub(super) fn is_word(letter: char) -> bool {
    is_start(letter) || matches!(letter, '.' | '-') || letter.is_numeric() || is_combining_mark(letter)
}

/// A name or a text value as the canonical forms write it: bare if it is an ASCII word and no keyword, else in quotes.
///
/// What may be typed bare is wider: it follows Unicode's tables, which grow from version to version. Canonical forms
/// are sealed and compared years later, so that they follow none.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.0.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic())
            && self.0.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-'))
            && !KEYWORDS.contains(&self.0);
        if bare {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                unseen if is_unseen(unseen) => write!(f, "\\u{{{:x}}}", u32::from(unseen))?,
                seen => f.write_char(seen)?,
            }
        }
        f.write_char('"')
    }
}

/// A value (or a name) as it is written into a policy or a list of attributes: in quotes and escaped where it has to be.
/// Whoever puts a policy together from values of others takes this, or the values speak the language too.
///
/// ```
/// let patient = r#"7" or role = "anybody"#;
/// let policy = format!("patient = {}", wardkeep_abe::quoted(patient));
/// assert_eq!(policy, r#"patient = "7\" or role = \"anybody""#);
/// ```
#[must_use]
pub fn quoted(value: &str) -> impl fmt::Display + '_ {
    Quoted(value)
}

/// The beginning of an input, for a message.
pub(crate) fn excerpt(input: &str) -> String {
    let mut shown: String = input.chars().take(EXCERPT).map(seen).collect();
    if shown.len() < input.len() && input.chars().nth(EXCERPT).is_some() {
        shown.push('…');
    }
    shown
}

/// A message with the line it speaks of and a caret below the place.
pub(crate) fn render(message: &dyn fmt::Display, at: Position, text: &str) -> String {
    let Some(line) = at.line.checked_sub(1).and_then(|above| text.split('\n').nth(above)) else {
        return message.to_string();
    };
    let column = at.column.saturating_sub(1);
    let first = column.saturating_sub(SHOWN / 2);
    let mut shown: String = line.chars().skip(first).take(SHOWN).map(seen).collect();
    if first > 0 {
        shown.replace_range(..shown.chars().next().map_or(0, char::len_utf8), "…");
    }
    format!("{message}\n  | {}\n  | {}^", shown.trim_end(), " ".repeat(column - first))
}

/// What a terminal may be shown.
fn seen(letter: char) -> char {
    match letter {
        '\t' => ' ',
        unseen if is_unseen(unseen) => '\u{fffd}',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Attributes, Formula, Schema};

    /// Whether a policy that asks for `value` reads as that one condition, and who has the value satisfies it.
    fn stands_for_itself(value: &str) -> bool {
        let text = format!("patient = {}", quoted(value));
        let held = Attributes::parse(&text, &Schema::default()).unwrap();
        let formula = Formula::parse(&text, &Schema::default()).unwrap();
        let others = Attributes::parse("patient = other, role = anybody", &Schema::default()).unwrap();
        formula.rows() == 1 && formula.evaluate(&held) && !formula.evaluate(&others)
    }

    #[test]
    fn a_value_that_speaks_the_language_stays_a_value() {
        for value in [
            r#"7" or role = "anybody"#,
            "7\" or role = anybody or patient = \"8",
            "7 or role = anybody",
            "[other, 7]",
            "\\\"",
            "or",
            "7\nor role = anybody",
            "\u{202e}ydobyna",
            "2 of (role = anybody)",
        ] {
            assert!(stands_for_itself(value), "{value}");
        }
        assert_eq!(quoted("p-1").to_string(), "p-1", "no quotes where none are needed");
    }

    proptest! {
        #[test]
        fn any_text_stays_a_value(value in "[ -~]{1,40}") {
            prop_assume!(value != "other");
            prop_assert!(stands_for_itself(&value));
        }
    }
}
