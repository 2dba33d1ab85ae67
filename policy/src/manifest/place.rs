//! Where something stands in the manifest. Looked up only once there is a finding: what a manifest means does not depend
//! on where it says so, and the types that hold its meaning carry no places.

use toml::de::{DeTable, DeValue};

use crate::Place;

/// The place of a path of names, or of the longest part of it that the text has. A value if the path ends at one, a name
/// where it ends at a table. `None` where the text is no TOML, or has not even the first name.
pub(crate) fn place_of(text: &str, path: &[&str]) -> Option<Place> {
    let span = span_of(text, path)?;
    Some(Place::of(text, span.start, span.len()))
}

/// The same as bytes of the text.
pub(crate) fn span_of(text: &str, path: &[&str]) -> Option<std::ops::Range<usize>> {
    let parsed = DeTable::parse(text).ok()?;
    let mut table = parsed.get_ref();
    let mut found = None;
    for name in path {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
        match value.get_ref() {
            DeValue::Table(inner) => {
                found = Some(key.span());
                table = inner;
            }
            _ => return Some(value.span()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "subjects = []\n\n[authorities.\"a/b\"]\nserial_bits = 20\n\n[authorities.\"a/b\".attributes]\n\
                        \"żółć\" = { declare = \"text\", id = true }\n";

    fn at(path: &[&str]) -> Option<(usize, usize, usize)> {
        place_of(TEXT, path).map(|place| (place.line, place.column, place.width))
    }

    #[test]
    fn a_path_ends_at_a_value_or_at_the_name_of_a_table() {
        assert_eq!(at(&["authorities", "a/b", "serial_bits"]), Some((4, 15, 2)));
        assert_eq!(at(&["authorities", "a/b", "attributes", "żółć", "declare"]), Some((7, 22, 6)));
        assert_eq!(at(&["authorities", "a/b", "attributes", "żółć"]), Some((7, 1, 6)));
        assert_eq!(at(&["subjects"]), Some((1, 12, 2)));
    }

    #[test]
    fn what_is_not_there_has_the_place_of_what_it_would_stand_in() {
        assert_eq!(at(&["authorities", "a/b", "attributes", "żółć", "unit"]), Some((7, 1, 6)));
        assert_eq!(at(&["authorities", "a/c"]).map(|(line, ..)| line), Some(3));
        assert_eq!(at(&["resources", "a"]), None);
        assert_eq!(place_of("no = toml = at all", &["no"]), None);
        assert_eq!(place_of("", &[]), None);
    }
}
