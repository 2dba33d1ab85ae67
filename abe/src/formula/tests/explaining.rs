//! Which conditions a key would use or misses. What it names must be enough, and no more than that.

use super::*;

fn explained(policy: &str, attributes: &str) -> Explanation {
    let schema = schema();
    let labels = Attributes::parse(attributes, &schema).unwrap();
    let labels = labels.labels(&schema, &SCOPE, Namespace::Attribute).unwrap();
    formula(policy).explain(&schema, &SCOPE, Namespace::Attribute, &|label| labels.contains(label)).unwrap()
}

#[test]
fn the_tree_in_words() {
    let policy = "role = doctor and (dept in [cardiology, surgery] or level >= 3 and region != north)";
    let opened = explained(policy, "role = doctor, dept = surgery, level = 200, region = south");
    assert!(opened.satisfied() && opened.missing.is_empty());
    assert_eq!(
        opened.to_string(),
        "[x] all of\n\
         \u{20} [x] role = doctor   <- used\n\
         \u{20} [x] one of\n\
         \u{20}   [x] dept in [cardiology, surgery]   <- used\n\
         \u{20}   [x] all of\n\
         \u{20}     [x] level >= 3\n\
         \u{20}     [x] region != north\n"
    );
    let shut = explained(policy, "level = 2, region = south");
    assert!(!shut.satisfied());
    assert_eq!(shut.missing, ["role = doctor", "dept in [cardiology, surgery]"]);
    assert!(shut.to_string().ends_with("missing: role = doctor, dept in [cardiology, surgery]\n"), "{shut}");
    assert!(!shut.to_string().contains("used"));
}

#[test]
fn the_cheapest_way_is_used() {
    let ways = "role = a and level = 3 or ward = a or 2 of (role = a, level = 3, count = 1)";
    let all = explained(ways, "role = a, level = 3, ward = a, count = 1");
    let used: Vec<bool> = all.root.children.iter().map(|child| child.used).collect();
    assert_eq!(used, [false, true, false]);
    // Of equal ways the first.
    let two = explained(ways, "role = a, level = 3, count = 1");
    let used: Vec<bool> = two.root.children.iter().map(|child| child.used).collect();
    assert_eq!(used, [true, false, false]);
    let threshold =
        explained("2 of (role = a and level = 3, ward = a, count = 1)", "role = a, level = 3, ward = a, count = 1");
    let used: Vec<bool> = threshold.root.children.iter().map(|child| child.used).collect();
    assert_eq!(used, [false, true, true]);
    assert_eq!(threshold.root.kind, BranchKind::AtLeast(2));
    assert!(threshold.to_string().starts_with("[x] 2 of\n"), "{threshold}");
}

#[test]
fn the_nearest_way_is_named() {
    let policy = "role = a and level = 3 and ward = a or role = a and count = 1 and born > 2000-01-01 and region = r";
    assert_eq!(explained(policy, "").missing, ["role = a", "level = 3", "ward = a"]);
    assert_eq!(explained(policy, "count = 1, region = r, born = 2001-01-01").missing, ["role = a"]);
    let threshold = "3 of (role = a, level = 3, ward = a, count = 1)";
    assert_eq!(explained(threshold, "count = 1").missing, ["role = a", "level = 3"]);
    // A condition that stands twice is missed once.
    assert_eq!(explained("2 of (role = a, role = a, ward = b) and role = a", "").missing, ["role = a"]);
}

#[test]
fn a_missing_value_and_a_wrong_one_are_both_missing() {
    for attributes in ["", "dept = surgery"] {
        let explained = explained("dept != surgery", attributes);
        assert!(!explained.satisfied());
        assert_eq!(explained.missing, ["dept != surgery"]);
        assert_eq!(explained.root.kind, BranchKind::Condition("dept != surgery".to_owned()));
    }
}

#[test]
fn another_schema_is_said_so() {
    let other = Schema::parse("role: text set").unwrap();
    let error = formula("role = a").explain(&other, &SCOPE, Namespace::Attribute, &|_| true).unwrap_err();
    assert_eq!(error, PolicyError::OtherSchema { name: "role".into() });
    assert_eq!(error.to_string(), "role is declared otherwise in this version of the authority: read the policy again");
    assert_eq!(error.render("role = a"), error.to_string(), "there is no place in the text for it");
}
