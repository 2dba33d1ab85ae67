//! What a condition costs: rows in the ciphertext and labels in the key. A cover that grows makes every ciphertext
//! longer, and one that shrinks below the least is wrong.

use super::*;

/// Condition, and the labels that a key may hold to satisfy it.
const COVERS: &[(&str, &[&str])] = &[
    ("role = doctor", &["role = doctor"]),
    ("role in [a, \"b c\"]", &["role = a", "role = \"b c\""]),
    ("dept != surgery", &["dept != surgery"]),
    ("tags in [a, b]", &["tags = a", "tags = b"]),
    ("level = 3", &["level: prefix 00000011/8 bits"]),
    ("level >= 0", &["level: any/8 bits"]),
    ("level <= 255", &["level: any/8 bits"]),
    ("level >= 128", &["level: prefix 1/8 bits"]),
    ("level < 128", &["level: prefix 0/8 bits"]),
    ("level <= 15", &["level: prefix 0000/8 bits"]),
    (
        "level >= 3",
        &[
            "level: prefix 00000011/8 bits",
            "level: prefix 000001/8 bits",
            "level: prefix 00001/8 bits",
            "level: prefix 0001/8 bits",
            "level: prefix 001/8 bits",
            "level: prefix 01/8 bits",
            "level: prefix 1/8 bits",
        ],
    ),
    ("level > 251", &["level: prefix 111111/8 bits"]),
    ("level in [4, 6, 5, 7]", &["level: prefix 000001/8 bits"]),
    ("level in [3, 4]", &["level: prefix 00000011/8 bits", "level: prefix 00000100/8 bits"]),
    // Offset-binary: the sign is the first bit, and it is the other way around.
    ("balance >= 0", &["balance: prefix 1/16 bits"]),
    ("balance < 0", &["balance: prefix 0/16 bits"]),
    ("balance = -32768", &["balance: prefix 0000000000000000/16 bits"]),
    ("balance in [-1, 0]", &["balance: prefix 0111111111111111/16 bits", "balance: prefix 1000000000000000/16 bits"]),
    ("undeclared >= 2147483648", &["undeclared: prefix 1/32 bits"]),
    ("born >= 0001-01-01", &["born: any/22 bits"]),
    ("born = 0001-01-01", &["born: prefix 0000000000000000000000/22 bits"]),
    ("born <= 0001-01-02", &["born: prefix 000000000000000000000/22 bits"]),
];

fn described(policy: &str) -> Vec<String> {
    let gate = formula(policy).gate(&schema(), &SCOPE, Namespace::Attribute).unwrap();
    gate.labels().iter().map(|label| label.describe()).collect()
}

#[test]
fn conditions_are_these_labels() {
    for (policy, labels) in COVERS {
        assert_eq!(described(policy), *labels, "{policy}");
        assert_eq!(formula(policy).rows(), labels.len(), "{policy}");
    }
}

#[test]
fn inequalities_of_numbers_leave_out_one_value() {
    // One sibling at every bit of the value's path: as many rows as bits, wherever the value stands.
    for (policy, rows) in
        [("count != 0", 8), ("count != 3", 8), ("count != 255", 8), ("balance != -32768", 16), ("balance != 7", 16)]
    {
        assert_eq!(formula(policy).rows(), rows, "{policy}");
    }
    // Dates end before their width does: the range behind the value goes on where no date is, if that is shorter.
    assert!(formula("born != 2000-02-29").rows() <= 22);
    assert!(formula("born != 9999-12-31").rows() <= 22);
}

#[test]
fn rows_add_up_over_gates() {
    let policy =
        "role = a and (level >= 3 or region != north) or 2 of (ward = a, dept in [cardiology, surgery], count != 3)";
    assert_eq!(formula(policy).rows(), 1 + 7 + 32 + 1 + 2 + 8);
    assert_eq!(described(policy).len(), formula(policy).rows());
    assert_eq!(formula(policy).depth(), 3);
    assert_eq!(formula("level >= 3").depth(), 0, "what a comparison is made of is no gate of the formula");
}

#[test]
fn no_condition_holds_one_label_twice() {
    for (policy, _) in COVERS {
        let mut labels = described(policy);
        let count = labels.len();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), count, "{policy}");
    }
    // Repeats are the formula's own: each is a row, with a random exponent of its own (B3).
    assert_eq!(described("role = a or role = a"), ["role = a", "role = a"]);
}
