//! Each comparison at its boundary, by plain meaning and by labels (`opens` asserts that they agree). Elsewhere a key
//! for {finance, audit} opened `group != finance` (B8), and `dept_finance` was read as `dept` (B6).

use super::*;

fn table(policy: &str, open: &[&str], shut: &[&str]) {
    for attributes in open {
        assert!(opens(policy, attributes), "`{policy}` for `{attributes}`");
    }
    for attributes in shut {
        assert!(!opens(policy, attributes), "`{policy}` for `{attributes}`");
    }
}

#[test]
fn comparisons_hold_up_to_their_boundary_and_not_beyond() {
    table("level < 3", &["level = 0", "level = 2"], &["level = 3", "level = 255", "", "count = 2"]);
    table("level <= 3", &["level = 0", "level = 3"], &["level = 4", "level = 255"]);
    table("level > 3", &["level = 4", "level = 255"], &["level = 3", "level = 0"]);
    table("level >= 3", &["level = 3", "level = 255"], &["level = 2", "level = 0"]);
    table("level = 3", &["level = 3"], &["level = 2", "level = 4", ""]);
    table("level >= 0", &["level = 0", "level = 255"], &["", "count = 0"]);
    table("level <= 255", &["level = 0", "level = 255"], &[""]);
    table(
        "level in [3, 200, 4]",
        &["level = 3", "level = 4", "level = 200"],
        &["level = 2", "level = 5", "level = 199"],
    );
    table("count != 3", &["count = 2", "count = 4", "count = 0", "count = 255"], &["count = 3", ""]);
    table("count != 0", &["count = 1", "count = 255"], &["count = 0", ""]);
    table("count != 255", &["count = 254", "count = 0"], &["count = 255", ""]);
    table("undeclared >= 4294967295", &["undeclared = 4294967295"], &["undeclared = 4294967294", "undeclared = x"]);
}

#[test]
fn signed_numbers_keep_their_order() {
    table("balance < 0", &["balance = -1", "balance = -32768"], &["balance = 0", "balance = 32767"]);
    table("balance >= -1", &["balance = -1", "balance = 32767"], &["balance = -2", "balance = -32768"]);
    table("balance != -1", &["balance = 0", "balance = -2"], &["balance = -1", ""]);
}

#[test]
fn dates_compare_as_days() {
    table(
        "born < 1980-01-01",
        &["born = 1979-12-31", "born = 0001-01-01"],
        &["born = 1980-01-01", "born = 9999-12-31"],
    );
    table("born >= 2000-02-29", &["born = 2000-02-29", "born = 9999-12-31"], &["born = 2000-02-28"]);
    table(
        "born != 2000-02-29",
        &["born = 2000-02-28", "born = 2000-03-01", "born = 9999-12-31"],
        &["born = 2000-02-29", ""],
    );
    table("born = 9999-12-31", &["born = 9999-12-31"], &["born = 9999-12-30"]);
    table("born > 9999-12-30", &["born = 9999-12-31"], &["born = 9999-12-30"]);
    table("born in [2000-01-01, 2000-01-02]", &["born = 2000-01-02"], &["born = 2000-01-03"]);
    // Behind the last day a range may go on to the end of the width, where no date is.
    assert!(formula("born >= 2000-01-01").rows() <= 22);
    assert_eq!(formula("born >= 0001-01-01").rows(), 1);
}

#[test]
fn gates_nest_and_bind() {
    let policy = "role = a or role = b and level = 1";
    table(policy, &["role = a", "role = b, level = 1"], &["role = b", "level = 1"]);
    table("(role = a or role = b) and level = 1", &["role = a, level = 1"], &["role = a", "role = b"]);
    table(
        "2 of (role = a, level = 1, groups = g)",
        &["role = a, level = 1", "level = 1, groups = [g]", "role = a, level = 1, groups = [g]"],
        &["role = a", "groups = [g]", ""],
    );
    table("2 of (role = a, role = a, level = 1)", &["role = a"], &["level = 1"]);
}

#[test]
fn b6_names_are_whole() {
    table(
        "dept = surgery",
        &["dept = surgery"],
        &["dept_surgery = x", "\"dept = surgery\" = x", "role = \"dept = surgery\""],
    );
    table("\"a=b\" = c", &["\"a=b\" = c"], &["a = \"b=c\"", "a = b", "\"a=b=c\" = c"]);
    table("\"a and b\" = \"c or d\"", &["\"a and b\" = \"c or d\""], &["a = c", "b = \"c or d\""]);
    table("role = \"3\"", &["role = \"3\""], &["role = \"3 \"", "level = 3"]);
    table("n = \"3\"", &["n = \"3\""], &["n = 3"]);
    table("role = doctor", &["role = doctor"], &["role = Doctor", "Role = doctor", "role = doctors"]);
    table("caf\u{e9} = \u{c5}", &["cafe\u{301} = A\u{30a}"], &["cafe = \u{c5}"]);
}

#[test]
fn b8_inequality_over_a_set_is_about_all_of_it() {
    table(
        "tags != a",
        &["tags = [b]", "tags = [b, c]", "tags = []"],
        &["tags = [a]", "tags = [a, b]", "tags = [a, b, c]", ""],
    );
    table("tags != a and tags != b", &["tags = [c]", "tags = []"], &["tags = [a, b]", "tags = [a]", "tags = [b]"]);
    table("tags = a and tags != b", &["tags = [a]", "tags = [a, c]"], &["tags = [a, b]", "tags = []"]);
    assert!(matches!(error("groups != finance"), PolicyError::OpenSet { .. }));
    assert!(matches!(error("scores != 3"), PolicyError::OpenSet { .. }));
}

#[test]
fn a_missing_attribute_satisfies_no_inequality() {
    for policy in ["tags != a", "dept != surgery", "region != north", "count != 3", "born != 2000-01-01"] {
        assert!(!opens(policy, ""), "{policy}");
        assert!(!opens(policy, "role = doctor, \"not\" = a"), "{policy}");
    }
}

#[test]
fn inequality_of_single_values() {
    table("dept != surgery", &["dept = cardiology", "dept = \"Ear, nose\""], &["dept = surgery", ""]);
    table("region != north", &["region = south", "region = North", "region = \"north \""], &["region = north", ""]);
    assert_eq!(formula("region != north").rows(), 32);
    assert_eq!(formula("dept != surgery").rows(), 1);
}

#[test]
fn colliding_hashes_fail_closed() {
    // Whoever holds all prefixes of the refused value's own hash, as a colliding value's key does, gets nothing.
    let schema = schema();
    let gate = formula("region != north").gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
    let own = Attributes::parse("region = north", &schema).unwrap();
    let own = own.labels(&schema, &SCOPE, Namespace::Attribute).unwrap();
    assert!(gate.labels().iter().all(|label| !own.contains(label)));
}

#[test]
fn over_a_set_each_leaf_is_satisfied_by_some_element_alone() {
    // Read as one range it would hold for nobody; it holds for whoever has one score above and another below.
    table(
        "scores > 3 and scores < 2",
        &["scores = [1, 4]", "scores = [0, 255, 2]"],
        &["scores = [2, 3]", "scores = [4]", "scores = []"],
    );
    // And a range is one leaf's business: 1 and 9 do not make a value between.
    table("scores >= 3 and scores <= 5", &["scores = [4]", "scores = [1, 9]"], &["scores = [1]", "scores = [9]"]);
    table("scores in [3, 4, 5]", &["scores = [1, 4]"], &["scores = [1, 9]", "scores = []"]);
    let kept = formula("scores > 3 and scores < 2 and scores >= 4").simplify();
    assert_eq!(kept.to_string(), "scores > 3 and scores < 2 and scores >= 4", "ranges over sets are never merged");
}

#[test]
fn b9_a_key_of_another_declaration_opens_nothing() {
    let old = schema();
    let gate = formula("level <= 15").gate(&old, &SCOPE, Namespace::Attribute).unwrap();
    for declared in
        ["level: number(16)", "level: number(8) set", "level: number(8) unit(kg)", "level: number(8, signed)", ""]
    {
        let new = Schema::parse(declared).unwrap();
        for level in [0, 3, 15] {
            let key = Attributes::parse(&format!("level = {level}"), &new).unwrap();
            let key = key.labels(&new, &SCOPE, Namespace::Attribute).unwrap();
            assert!(!gate.satisfied(&|label| key.contains(label)), "{declared}: {level}");
        }
        assert_eq!(
            formula("level <= 15").gate(&new, &SCOPE, Namespace::Attribute),
            Err(PolicyError::OtherSchema { name: "level".into() })
        );
    }
}

#[test]
fn another_scope_or_namespace_opens_nothing() {
    let schema = schema();
    let gate = formula("role = a or level >= 0").gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
    let key = Attributes::parse("role = a, level = 3", &schema).unwrap();
    let others = [
        (SCOPE, Namespace::Record),
        (Scope { version: 2, ..SCOPE }, Namespace::Attribute),
        (Scope { authority: AuthorityId([2; 16]), ..SCOPE }, Namespace::Attribute),
    ];
    for (scope, namespace) in others {
        let labels = key.labels(&schema, &scope, namespace).unwrap();
        assert!(!gate.satisfied(&|label| labels.contains(label)));
    }
}
