//! One policy, one text: the canonical text goes into the hash that a ciphertext is made from.

use super::*;

fn canonical(text: &str, expected: &str) {
    let read = formula(text);
    assert_eq!(read.to_string(), expected, "{text}");
    assert_eq!(formula(expected), read, "{text}");
}

#[test]
fn the_examples_of_the_documentation_read() {
    let page = include_str!("../../formula.rs");
    let example = page.lines().skip_while(|line| *line != "//! ```text").skip(1).take_while(|line| *line != "//! ```");
    let policies: Vec<&str> = example.map(|line| line.trim_start_matches("//! ")).collect();
    assert_eq!(policies.len(), 2);
    for policy in policies {
        canonical(policy, policy);
    }
}

#[test]
fn spaces_quotes_and_parentheses_that_say_nothing_go() {
    canonical("role=a", "role = a");
    canonical("\n role\t=\r\n\"a\" ", "role = a");
    canonical("((role = a))", "role = a");
    canonical("(role = a and level = 3) and (ward = a)", "role = a and level = 3 and ward = a");
    canonical("role = a or (role = b or (role = c))", "role = a or role = b or role = c");
    canonical("(role = a and level = 3) or ward = a", "role = a and level = 3 or ward = a");
    canonical("(role = a or level = 3) and ward = a", "(role = a or level = 3) and ward = a");
    canonical("2 of ((role = a or role = b), (level=3), ward = a)", "2 of (role = a or role = b, level = 3, ward = a)");
    canonical(
        "(2 of (role = a, level = 3, ward = a)) and role = b",
        "2 of (role = a, level = 3, ward = a) and role = b",
    );
}

#[test]
fn quotes_that_say_something_stay() {
    canonical("\"a b\" = \"c \\\"d\\\" \\\\\"", "\"a b\" = \"c \\\"d\\\" \\\\\"");
    canonical("\"and\" = \"or\"", "\"and\" = \"or\"");
    canonical("role = \"3\" or role = \"2026-11-21\"", "role = \"3\" or role = \"2026-11-21\"");
    canonical("role = \"\\u{61}\\n\\u{202e}\"", "role = \"a\\n\\u{202e}\"");
    canonical("dept = \"Ear, nose\"", "dept = \"Ear, nose\"");
    canonical("And = OR", "And = OR");
    canonical("größe = straße", "\"größe\" = \"straße\"");
}

#[test]
fn spellings_that_normalise_alike_are_one_text() {
    canonical("cafe\u{301} = A\u{30a}", "\"caf\u{e9}\" = \"\u{c5}\"");
    canonical("\"cafe\\u{301}\" = \"\u{212b}\"", "\"caf\u{e9}\" = \"\u{c5}\"");
    // A mark at the beginning joins nothing before it: it stays inside its quotes.
    canonical("role = \"\u{338}x\"", "role = \"\u{338}x\"");
}

#[test]
fn degenerate_gates_and_lists_have_one_form() {
    canonical("1 of (role = a, role = b)", "role = a or role = b");
    canonical("2 of (role = a, role = b)", "role = a and role = b");
    canonical("1 of (role = a)", "role = a");
    canonical("1 of (role = a or role = b, role = c)", "role = a or role = b or role = c");
    canonical("role in [a]", "role = a");
    canonical("role in [b, a, b, \"b\"]", "role in [b, a]");
    canonical("role in [a, a]", "role = a");
    canonical("level in [3, 2]", "level in [3, 2]");
    canonical("2 of (role = a, role = a, role = b)", "2 of (role = a, role = a, role = b)");
}

#[test]
fn gates_are_gates() {
    let schema = schema();
    let gate = formula("2 of (level >= 3, role in [a, b], ward = a) and dept != surgery or count != 0");
    let gate = gate.gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
    let Gate::Any(children) = &gate else { panic!("{gate:?}") };
    // The eight prefixes of `count != 0` stand beside the conjunction: no "or" within an "or".
    assert_eq!(children.len(), 9);
    assert!(matches!(&children[0], Gate::All(parts) if matches!(parts[0], Gate::AtLeast(2, _))));
    let described: Vec<String> = gate.labels().iter().map(|label| label.describe()).collect();
    assert!(described.contains(&"dept != surgery".to_owned()), "{described:?}");
    assert!(described.contains(&"level: prefix 00000011/8 bits".to_owned()), "{described:?}");
    assert!(described.contains(&"count: prefix 1/8 bits".to_owned()), "{described:?}");
}
