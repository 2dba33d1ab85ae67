//! Names and values in the one form in which they are compared: NFC, bounded, visible.

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{NameDefect, TextDefect};

/// Longest name of an attribute, in bytes after normalisation.
pub(crate) const MAX_NAME: usize = 256;
/// Longest text value, in bytes after normalisation.
pub(crate) const MAX_VALUE: usize = 4096;

/// Whether a text is in NFC.
fn is_normal(text: &str) -> bool {
    text.is_ascii() || is_nfc(text)
}

/// NFC. Whether it is there already is asked first, since nearly everything is: ASCII needs no table, and the quick
/// check of UAX 15 (section 9) settles most of the rest.
fn normal(text: &str) -> Box<str> {
    if is_normal(text) { text.into() } else { text.nfc().collect::<String>().into() }
}

/// The one spelling of a name.
///
/// # Errors
/// If it is empty, longer than [`MAX_NAME`], or holds what is not seen.
pub(crate) fn name(written: &str) -> Result<Box<str>, NameDefect> {
    // NFC never makes a text shorter than a third: what is far too long is not worth normalising.
    if written.len() > 8 * MAX_NAME {
        return Err(NameDefect::TooLong { bytes: written.len() });
    }
    let name = normal(written);
    if name.is_empty() {
        return Err(NameDefect::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(NameDefect::TooLong { bytes: name.len() });
    }
    match name.chars().find(|&found| is_unseen(found)) {
        Some(found) => Err(NameDefect::Control { found }),
        None => Ok(name),
    }
}

/// The one spelling of a text value.
///
/// # Errors
/// If it is empty or longer than [`MAX_VALUE`].
pub(crate) fn text(written: &str) -> Result<Box<str>, TextDefect> {
    if written.len() > 8 * MAX_VALUE {
        return Err(TextDefect::TooLong { bytes: written.len() });
    }
    let text = normal(written);
    if text.is_empty() {
        return Err(TextDefect::Empty);
    }
    if text.len() > MAX_VALUE {
        return Err(TextDefect::TooLong { bytes: text.len() });
    }
    Ok(text)
}

/// What a reader does not see, or sees in another order than it stands: a policy must not read otherwise than it means.
/// Control characters, line separators, and the code points that Unicode calls default-ignorable
/// (DerivedCoreProperties.txt, Unicode 16; marks of direction, UAX 9, among them). Two of those are left, since scripts
/// need them inside words: the joiners U+200C and U+200D. The list is part of the canonical form (docs/abe.md, *Texts*): it
/// does not follow later versions.
pub(super) fn is_unseen(found: char) -> bool {
    found.is_control()
        || matches!(found, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}')
        || matches!(found, '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(found, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}')
        || matches!(found, '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(found, '\u{e0000}'..='\u{e0fff}')
}
