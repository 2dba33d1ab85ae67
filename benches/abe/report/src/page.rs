//! The part of the performance page that a run writes.

use std::path::Path;

const BEGIN: &str = "<!-- bench-abe:begin (written by `make bench-abe`) -->";
const END: &str = "<!-- bench-abe:end -->";

/// Replaces what stands between the marks of a page. A page without marks gets them at its end.
pub(crate) fn write(page: &Path, text: &str) -> Result<(), String> {
    let named = |error| format!("`{}`: {error}", page.display());
    let old = std::fs::read_to_string(page).map_err(named)?;
    std::fs::write(page, between(&old, text)).map_err(named)
}

fn between(old: &str, text: &str) -> String {
    let parts = old.split_once(BEGIN).and_then(|(before, rest)| Some((before.to_owned(), rest.split_once(END)?.1)));
    let (before, after) = parts.unwrap_or_else(|| (format!("{}\n\n", old.trim_end()), "\n"));
    format!("{before}{BEGIN}\n\n{}\n{END}{after}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let once = between("# Page\n", "one\n");
        assert_eq!(once, format!("# Page\n\n{BEGIN}\n\none\n{END}\n"));
        assert_eq!(between(&format!("{once}after\n"), "two"), format!("# Page\n\n{BEGIN}\n\ntwo\n{END}\nafter\n"));
    }

    #[test]
    fn marks_of_another_benchmark_stay() {
        let old = "<!-- bench:begin -->\nx\n<!-- bench:end -->\n";
        assert!(between(old, "one").starts_with(old));
    }
}
