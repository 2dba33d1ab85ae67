//! Schemas made by a program, not read from a text: the same rules, and the same one form.

use super::*;

fn listed(values: &[&str]) -> Type {
    Type::Enum(values.iter().map(|value| (*value).into()).collect())
}

#[test]
fn what_is_declared_is_kept_in_its_one_form() {
    let mut schema = Schema::default();
    schema.declare("cafe\u{301}", Declaration::single(listed(&["z", "e\u{301}", "a"]))).unwrap();
    let kept = schema.get("caf\u{e9}").unwrap();
    assert_eq!(kept.kind, listed(&["a", "z", "\u{e9}"]));
    assert_eq!(schema.get("cafe\u{301}"), Some(kept), "any spelling finds it");
    assert_eq!(schema.to_text(), "\"caf\u{e9}\": enum(a, z, \"\u{e9}\")\n");
    assert_eq!(Schema::parse(&schema.to_text()).unwrap(), schema);

    let unit = |unit: &str| Declaration::single(Type::Number { bits: 8, signed: false, unit: Some(unit.into()) });
    schema.declare("length", unit("A\u{30a}")).unwrap();
    assert_eq!(schema.get("length"), Some(&unit("\u{c5}")));
    assert!(schema.to_text().contains("length: number(8) unit(\"\u{c5}\")\n"));
}

#[test]
fn a_refused_declaration_changes_nothing() {
    let mut schema = Schema::parse("a: text").unwrap();
    let before = schema.clone();
    let number = |bits| Type::Number { bits, signed: false, unit: None };
    let wrong: Vec<(&str, Declaration, &str)> = vec![
        ("a", Declaration::single(Type::Date), "a is declared twice"),
        ("", Declaration::single(Type::Text), "the name of the attribute is empty"),
        ("b\u{0}", Declaration::single(Type::Text), "the control character U+0000"),
        ("b", Declaration::single(number(0)), "a number of 0 bits"),
        ("b", Declaration::single(number(65)), "a number of 65 bits"),
        ("b", Declaration::single(listed(&[])), "the enumeration b has no values"),
        ("b", Declaration::single(listed(&["x", "x"])), "lists x twice"),
        ("b", Declaration::single(listed(&["A\u{30a}", "\u{212b}"])), "lists \"\u{c5}\" twice"),
        ("b", Declaration::single(listed(&[""])), "the text is empty"),
        ("b", Declaration { negatable: true, ..Declaration::set(Type::Text) }, "b is an open set"),
        ("b", Declaration { negatable: true, ..Declaration::set(Type::Date) }, "b is an open set"),
        ("b", Declaration { negatable: true, ..Declaration::set(number(8)) }, "b is an open set"),
    ];
    for (name, declaration, message) in wrong {
        let error = schema.declare(name, declaration).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.position(), Position::NONE, "there is no text that it could stand in");
        assert!(!error.to_string().contains("line"), "{error}");
        assert_eq!(schema, before);
    }
    let closed = Declaration { negatable: true, ..Declaration::set(listed(&["x", "y"])) };
    assert_eq!(schema.declare("b", closed), Ok(()));
}

#[test]
fn undeclared_names_are_what_their_value_is_written_as() {
    let schema = Schema::default();
    let number = Type::Number { bits: 32, signed: false, unit: None };
    let day = crate::value::Date::new(2026, 11, 21).unwrap();
    let cases: [(Value, Type); 3] = [("x".into(), Type::Text), (3.into(), number), (day.into(), Type::Date)];
    for (value, kind) in cases {
        assert_eq!(*schema.resolve("anything", &value), Declaration::single(kind));
    }
}

#[test]
fn the_example_of_the_documentation_reads() {
    let page = include_str!("../../schema.rs");
    let example: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "//! ```text")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.trim_start_matches("//! "))
        .collect();
    let schema = Schema::parse(&example.join("\n")).unwrap();
    assert_eq!(schema.len(), 7);
    assert!(schema.get("dept").is_some_and(|dept| dept.negatable));
    assert!(schema.get("groups").is_some_and(|groups| groups.set));
}

#[test]
fn the_bytes_of_every_flag() {
    let flags = |text: &str| -> u8 {
        let bytes = Schema::parse(text).unwrap().to_bytes();
        // Header, length and the one letter of the name, type, width: then the flags.
        bytes[5 + 4 + 1 + 2]
    };
    assert_eq!(flags("n: number(8)"), 0);
    assert_eq!(flags("n: number(8, signed)"), 1);
    assert_eq!(flags("n: number(8) set"), 2);
    assert_eq!(flags("n: number(8) negatable"), 4);
    assert_eq!(flags("n: number(8) unit(kg)"), 8);
    assert_eq!(flags("n: number(8, signed) unit(kg) set"), 11);
    assert_eq!(flags("n: enum(a) set negatable"), 6);
}
