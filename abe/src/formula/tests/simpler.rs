//! Less text, the same meaning: a branch dropped too much opens or shuts.

use super::*;

fn simple(text: &str, expected: &str) {
    let before = formula(text);
    let after = before.simplify();
    assert_eq!(after.to_string(), expected, "{text}");
    assert!(after.rows() <= before.rows());
    assert_eq!(after.simplify(), after);
}

#[test]
fn repeated_and_absorbed_branches_go() {
    simple("role = a and role = a", "role = a");
    simple("role = a or role = a or role = b", "role = a or role = b");
    simple("role = a or (role = a and level = 3)", "role = a");
    simple("(role = a and level = 3) or role = a", "role = a");
    simple("role = a and (role = a or level = 3)", "role = a");
    simple("(role = a or level = 3) and role = a", "role = a");
    simple("role = a and level = 3 or level = 3 and role = a", "role = a and level = 3");
    simple("(role = a or role = b) and (role = b or role = a or role = c)", "role = a or role = b");
    simple("role = a and level = 3 and ward = a or role = a and ward = a", "role = a and ward = a");
    simple("role = a or role = b and level = 3", "role = a or role = b and level = 3");
    simple("role = x and (role = a or (role = a and level = 3))", "role = x and role = a");
}

#[test]
fn up_to_sixteen_duplicates_go() {
    for count in 1..=16 {
        let all = |between: &str| vec!["role = a"; count].join(between);
        simple(&all(" and "), "role = a");
        simple(&all(" or "), "role = a");
        for k in 1..=count {
            simple(&format!("{k} of ({})", all(", ")), "role = a");
        }
    }
}

#[test]
fn thresholds_with_a_heavy_branch() {
    simple("2 of (role = a, role = a, role = b)", "role = a");
    simple("2 of (role = a, role = a, role = b, role = c)", "role = a or role = b and role = c");
    simple(
        "2 of (role = a, role = a, role = b, role = c, role = d)",
        "role = a or 2 of (role = b, role = c, role = d)",
    );
    simple("3 of (role = a, role = a, role = b, role = c)", "3 of (role = a, role = a, role = b, role = c)");
    simple("2 of (role = a, role = b, role = c)", "2 of (role = a, role = b, role = c)");
    simple(
        "2 of (role = a, role = b, role = c) or 3 of (role = a, role = b, role = c, role = d)",
        "2 of (role = a, role = b, role = c) or 3 of (role = a, role = b, role = c, role = d)",
    );
    simple(
        "2 of (role = a, role = b, role = c, role = d) or 3 of (role = a, role = b, role = c, role = d)",
        "2 of (role = a, role = b, role = c, role = d)",
    );
}

#[test]
fn a_threshold_is_not_split_beyond_the_depth_that_reads_back() {
    let heavy = "2 of (role = a, role = a, role = b, role = c, role = d)";
    let nested = |depth: usize| {
        (0..depth).fold(heavy.to_owned(), |inner, n| format!("2 of (role = x{n}, role = y{n}, {inner})"))
    };
    for depth in [61, 62, 63] {
        let before = formula(&nested(depth));
        assert_eq!(before.depth(), depth + 1);
        let after = before.simplify();
        assert_eq!(Formula::parse(&after.to_string(), &schema()).unwrap(), after);
        assert_eq!(after.rows() < before.rows(), depth < 63);
    }
}

#[test]
fn comparisons_of_single_values_absorb_each_other() {
    simple("level >= 3 or level >= 5", "level >= 3");
    simple("level >= 3 and level >= 5", "level >= 5");
    simple("level = 4 or level >= 3", "level >= 3");
    simple("level < 4 or level <= 3", "level < 4");
    simple("level in [3, 4] or level in [4, 3, 5]", "level in [4, 3, 5]");
    simple("role in [a, b] and role = a", "role = a");
    simple("role in [a, b] or role = a", "role in [a, b]");
    simple("born >= 2000-01-01 and born > 1999-12-31", "born >= 2000-01-01");
    simple("region != north and region = south", "region = south");
    simple("region != north or region = south", "region != north");
    simple("region != north or region != south", "region != north or region != south");
    simple("dept != surgery and dept = cardiology", "dept = cardiology");
    simple("dept != surgery or dept in [cardiology, \"Ear, nose\"]", "dept != surgery");
    simple("count != 3 and count < 3", "count < 3");
    // Nothing is lost where they only overlap.
    simple("level >= 3 and level <= 5", "level >= 3 and level <= 5");
    simple("level in [1, 2] or level in [2, 3]", "level in [1, 2] or level in [2, 3]");
    simple("level >= 3 or count >= 5", "level >= 3 or count >= 5");
}

#[test]
fn sets_are_compared_for_equality_alone() {
    for text in [
        "scores >= 3 and scores >= 5",
        "scores >= 3 or scores >= 5",
        "scores > 3 and scores < 2",
        "tags in [a, b] or tags = a",
        "tags != a and tags = b",
        "groups in [a, b] and groups = a",
    ] {
        simple(text, text);
    }
    simple("scores >= 3 and scores >= 3", "scores >= 3");
    simple("tags != a or tags != a", "tags != a");
}

#[test]
fn undeclared_values_of_different_types_are_different_conditions() {
    simple("n = 3 or n = \"3\"", "n = 3 or n = \"3\"");
    simple("n >= 3 or n = \"5\"", "n >= 3 or n = \"5\"");
}
