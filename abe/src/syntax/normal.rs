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

/// Control characters, line separators, byte order marks, and the marks that reorder what a reader sees
/// (UAX 9): a policy must not read otherwise than it means. Joiners, which scripts need, are not among them.
pub(super) fn is_unseen(found: char) -> bool {
    found.is_control()
        || matches!(found, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
