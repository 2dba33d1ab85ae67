//! Outputs that people review: written by a test, compared with the committed copy in `tests/output`.
//!
//! `WARDKEEP_BLESS=1` writes the copy anew; the change then shows in the diff that is reviewed.

use std::fmt::Write;

/// Compares a text with its committed copy.
///
/// # Panics
/// Where they differ, naming the first lines that do.
#[track_caller]
pub fn compare(name: &str, text: &str) {
    let path = crate::tree::root().join("tests").join("output").join(name);
    if std::env::var_os("WARDKEEP_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed == text {
        return;
    }
    let mut differences = String::new();
    let mut lines = (committed.lines(), text.lines());
    for at in 1.. {
        let (one, other) = (lines.0.next(), lines.1.next());
        if one.is_none() && other.is_none() || differences.lines().count() > 40 {
            break;
        }
        if one != other {
            writeln!(differences, "line {at}\n  committed: {}\n  now:       {}", shown(one), shown(other)).unwrap();
        }
    }
    panic!("tests/output/{name} is not what it is now (WARDKEEP_BLESS=1 writes it anew):\n{differences}");
}

fn shown(line: Option<&str>) -> &str {
    line.unwrap_or("(nothing)")
}
