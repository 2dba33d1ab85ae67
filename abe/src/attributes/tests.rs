//! What a key must not get: a second value, a not-label for what it holds or for what nobody knows of it.

use proptest::prelude::*;

use super::*;
use crate::label::AuthorityId;
use crate::value::Date;

const SCHEMA: &str = "
role: text
groups: text set
dept: enum(cardiology, surgery, \"Ear, nose\") negatable
tags: enum(a, b, c) set negatable
open: enum(x, y) set
level: number(8)
scores: number(8, signed) set
born: date
region: text negatable
";
const SCOPE: Scope = Scope { authority: AuthorityId([1; 16]), version: 3 };

fn schema() -> Schema {
    Schema::parse(SCHEMA).unwrap()
}

fn parse(text: &str) -> Attributes {
    Attributes::parse(text, &schema()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn described(text: &str) -> Vec<String> {
    let labels = parse(text).labels(&schema(), &SCOPE, Namespace::Attribute).unwrap();
    let mut described: Vec<String> = labels.iter().map(Label::describe).collect();
    described.sort();
    described
}

#[test]
fn the_canonical_text_is_sorted_and_reads_back() {
    let attributes = parse(
        "tags=[], role = doctor,\n groups = [\"finance\", audit, audit], level=3, dept=\"Ear, nose\", born = 1970-01-01, \
         other = \"3\", n = 3, scores = [5, -128]",
    );
    let text = "born = 1970-01-01, dept = \"Ear, nose\", groups = [audit, finance], level = 3, n = 3, other = \"3\", \
                role = doctor, scores = [-128, 5], tags = []";
    assert_eq!(attributes.to_string(), text);
    assert_eq!(parse(text), attributes);
    assert_eq!(attributes.len(), 9);
    assert_eq!(parse(" \n"), Attributes::new());
    assert!(Attributes::new().is_empty() && !attributes.is_empty());
    assert_eq!(Attributes::new().to_string(), "");
}

#[test]
fn values_are_found_by_any_spelling_of_their_name() {
    let attributes = parse("caf\u{e9} = x, tags = []");
    assert_eq!(attributes.get("cafe\u{301}"), Some(&BTreeSet::from(["x".into()])));
    assert_eq!(attributes.get("tags"), Some(&BTreeSet::new()));
    assert_eq!(attributes.get("missing"), None);
    assert_eq!(attributes.get(""), None);
    assert_eq!(
        attributes.iter().map(|(name, values)| (name, values.len())).collect::<Vec<_>>(),
        [("caf\u{e9}", 1), ("tags", 0)]
    );
}

#[test]
fn inserting_is_what_parsing_does() {
    let schema = schema();
    let mut attributes = Attributes::new();
    attributes.insert(&schema, "groups", "audit").unwrap();
    attributes.insert(&schema, "groups", "audit").unwrap();
    attributes.insert_set(&schema, "groups").unwrap();
    attributes.insert_set(&schema, "tags").unwrap();
    attributes.insert(&schema, "level", 3).unwrap();
    attributes.insert(&schema, "born", Date::new(1970, 1, 1).unwrap()).unwrap();
    assert_eq!(attributes, parse("groups = audit, tags = [], level = 3, born = 1970-01-01"));
    let second = AttributeError::SecondValue { at: Position::NONE, name: "level".into() };
    for value in [3, 4] {
        assert_eq!(attributes.insert(&schema, "level", value), Err(second.clone()));
    }
    assert_eq!(second.to_string(), "two values of the single-valued attribute level: keep one, or declare it `set`");
    assert!(matches!(attributes.insert_set(&schema, "role"), Err(AttributeError::NotASet { .. })));
    assert!(matches!(attributes.insert_set(&schema, "unknown"), Err(AttributeError::NotASet { .. })));
    assert!(matches!(attributes.insert(&schema, "", 3), Err(AttributeError::Syntax(_))));
    assert!(matches!(attributes.insert_set(&schema, ""), Err(AttributeError::Syntax(_))));
    // A value that was refused leaves nothing behind: a set known to be empty would bring not-labels.
    let before = attributes.clone();
    attributes.insert(&schema, "open", "z").unwrap_err();
    assert_eq!(attributes, before);
}

#[test]
fn removing_is_as_if_it_had_never_been_there() {
    let all = ["born = 1970-01-01", "caf\u{e9} = x", "groups = [a, b, \"c d\"]", "tags = []"];
    let whole = parse(&all.join(", "));
    for index in 0..all.len() {
        let mut rest = all.to_vec();
        let name = rest.remove(index).split(' ').next().unwrap();
        let mut without = whole.clone();
        assert!(without.remove(name) && !without.remove(name));
        assert_eq!(without, parse(&rest.join(", ")), "{name}");
    }
    let mut none = whole;
    assert!(all.iter().all(|text| none.remove(text.split(' ').next().unwrap())));
    assert_eq!(none, Attributes::new());
    assert!(!none.remove("") && !none.remove("missing"));
}

#[test]
fn every_mistake_has_its_place_and_a_hint() {
    let cases = [
        ("role", 5, "expected `=` and a value after the name, as in `role = doctor`, found the end"),
        ("= x", 1, "expected the name of an attribute, found `=`"),
        ("role == x", 6, "`==` has no meaning here: write `=`"),
        ("role = ", 8, "expected a value: a word, a number, a date, or \"text\", found the end"),
        ("role = and", 8, "`and` is a keyword"),
        ("in = x", 1, "`in` is a keyword"),
        ("role = a b", 10, "expected `,` before the next attribute, or the end, found `b`"),
        ("role = a,", 10, "expected the name of an attribute, found the end"),
        ("role = a, role = b", 18, "two values of the single-valued attribute role: keep one"),
        ("role = a, role = a", 18, "two values of the single-valued attribute role"),
        ("n = 1, n = x", 12, "two values of the single-valued attribute n"),
        ("role = [a]", 1, "role holds one value, not a list: leave the brackets out"),
        ("undeclared = []", 1, "undeclared holds one value, not a list"),
        ("groups = [a", 12, "expected `,` or `]` after a value, found the end"),
        ("groups = [a b]", 13, "expected `,` or `]` after a value, found `b`"),
        ("groups = [a,]", 13, "expected a value: a word"),
        ("groups = [[a]]", 11, "expected a value: a word, a number, a date, or \"text\", found `[`"),
        ("level = 256", 9, "level takes numbers from 0 to 255, and 256 is not one: declare it wider"),
        ("level = -1", 9, "declare it `signed`"),
        ("level = high", 9, "level takes numbers, and high is text"),
        ("scores = [-129]", 11, "scores takes numbers from -128 to 127"),
        ("dept = surgry", 8, "dept does not list the value surgry: did you mean surgery?"),
        ("dept = x, dept = y", 8, "dept does not list the value x"),
        ("role = \"\"", 8, "role cannot hold this: the text is empty"),
        ("\"\" = x", 1, "the name of the attribute is empty"),
        ("\"a\\u{202e}\" = x", 1, "the name holds the control character U+202E"),
        ("n = 4294967296", 5, "n takes numbers from 0 to 4294967295"),
        ("born = 2026-02-30", 8, "`2026-02-30` is not a day"),
    ];
    for (text, column, message) in cases {
        let error = Attributes::parse(text, &schema()).expect_err(text);
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!((error.position().line, error.position().column), (1, column), "{text}: {error}");
        assert!(error.render(text).ends_with('^'));
    }
}

#[test]
fn spellings_of_one_name_are_one_attribute() {
    let twice = Attributes::parse("caf\u{e9} = x, cafe\u{301} = y", &Schema::default()).unwrap_err();
    assert!(matches!(twice, AttributeError::SecondValue { .. }), "{twice}");
    // Case, width and space make another attribute: nothing is folded.
    let apart = parse("Level2 = 1, level2 = 2, \"level2 \" = 3, ｌevel2 = 4");
    assert_eq!(apart.len(), 4);
}

#[test]
fn bounds_hold_at_the_last_that_fits() {
    let schema = schema();
    let list = |count: usize| (0..count).map(|n| format!("v{n}")).collect::<Vec<_>>().join(",");
    assert!(Attributes::parse(&format!("groups = [{}]", list(1024)), &schema).is_ok());
    assert!(Attributes::parse(&format!("groups = [{}], tags = []", list(1023)), &schema).is_ok());
    assert!(Attributes::parse(&format!("groups = [{}], tags = []", list(1024)), &schema).is_err());
    let error = Attributes::parse(&format!("groups = [{}]", list(1025)), &schema).unwrap_err();
    assert!(matches!(error, AttributeError::TooMany { at } if at.column > 1), "{error}");
    assert!(error.to_string().contains("more than 1024 values: a key holds those alone that policies ask for"));

    let value = |bytes: usize| format!("role = {}", "x".repeat(bytes));
    assert!(Attributes::parse(&value(4096), &schema).is_ok());
    let error = Attributes::parse(&value(4097), &schema).unwrap_err().to_string();
    assert!(error.contains("the text has 4097 bytes: at most 4096"), "{error}");
    // 64 KiB in one value, and 1 MiB of anything.
    let error = Attributes::parse(&value(65_529), &schema).unwrap_err().to_string();
    assert!(error.contains("the text has 65529 bytes"), "{error}");
    let error = Attributes::parse(&value(1 << 20), &schema).unwrap_err();
    assert_eq!(error.to_string(), "the attributes have 1048583 bytes as text: at most 65536 are allowed");
    assert_eq!(error.position(), Position::NONE);
}

#[test]
fn what_was_inserted_can_always_be_written_and_read() {
    let schema = schema();
    let mut attributes = Attributes::new();
    let mut refused = None;
    for n in 0..40 {
        // Escaped characters take eight times their bytes in the text.
        let value = format!("{n}{}", "\u{202e}".repeat(300));
        if let Err(error) = attributes.insert(&schema, "groups", value.as_str()) {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(refused, Some(AttributeError::TooLong { bytes }) if bytes > MAX_TEXT), "{refused:?}");
    let text = attributes.to_string();
    assert!(text.len() <= MAX_TEXT && text.len() == attributes.size);
    assert_eq!(Attributes::parse(&text, &schema).unwrap(), attributes);
}

#[test]
fn labels_of_every_type() {
    assert_eq!(described("role = doctor, other = \"3\""), ["other = \"3\"", "role = doctor"]);
    assert_eq!(described("groups = [finance, audit]"), ["groups = audit", "groups = finance"]);
    assert_eq!(described("level = 3").len(), 9);
    assert_eq!(described("n = 3").len(), 33);
    assert_eq!(described("born = 1970-01-01").len(), 23);
    // Elements that share prefixes share labels: -1 and 0 differ in the first bit of offset-binary, 0 and 1 in the last.
    assert_eq!(described("scores = [0]").len(), 9);
    assert_eq!(described("scores = [0, 1]").len(), 10);
    assert_eq!(described("scores = [-1, 0]").len(), 17);
    assert_eq!(described("scores = []"), Vec::<String>::new());
    assert_eq!(described("region = north").len(), 33);
    let sorted =
        parse("region = north, level = 3, tags = [a]").labels(&schema(), &SCOPE, Namespace::Attribute).unwrap();
    assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]), "sorted, each once");
}

#[test]
fn b8_not_labels_are_for_what_is_absent_from_the_whole_set() {
    assert_eq!(described("tags = [a, b]"), ["tags != c", "tags = a", "tags = b"]);
    assert_eq!(described("tags = [a, b, c]"), ["tags = a", "tags = b", "tags = c"]);
    assert_eq!(described("tags = []"), ["tags != a", "tags != b", "tags != c"]);
    assert_eq!(described("dept = surgery"), ["dept != \"Ear, nose\"", "dept != cardiology", "dept = surgery"]);
    // Not declared negatable: none. Missing: nothing is known, so nothing is denied.
    assert_eq!(described("open = []"), Vec::<String>::new());
    assert_eq!(described("role = doctor"), ["role = doctor"]);
}

#[test]
fn attributes_of_another_schema_give_no_labels() {
    let labels = |attributes: &str, schema: &str| {
        parse(attributes).labels(&Schema::parse(schema).unwrap(), &SCOPE, Namespace::Attribute)
    };
    let cases = [
        ("level = 3", "level: text"),
        ("level = 200", "level: number(4)"),
        ("dept = surgery", "dept: enum(cardiology)"),
        ("groups = [a]", "groups: text"),
        ("groups = [a, b]", ""),
        ("tags = []", ""),
        ("role = a", "role: text set"),
    ];
    for (attributes, schema) in cases {
        let error = labels(attributes, schema).expect_err(attributes);
        assert!(matches!(error, AttributeError::OtherSchema { .. }), "{error}");
        assert!(error.to_string().contains("does not fit its declaration in this version"), "{error}");
        assert_eq!(error.position(), Position::NONE);
    }
    assert!(labels("level = 3, role = a", "level: number(4)").is_ok());
}

proptest! {
    #[test]
    fn the_canonical_text_reads_back(
        singles in proptest::collection::btree_map("[a-zé \"=,\\[\\]]{1,6}", "\\PC{1,6}|and|of|[0-9]{1,3}", 0..5),
        groups in proptest::collection::vec("[ -~é]{1,6}", 0..5),
        scores in proptest::collection::vec(-128i64..128, 0..5)
    ) {
        let schema = schema();
        let mut attributes = Attributes::new();
        for (name, value) in &singles {
            // A name that happens to be declared as something else is not the point here.
            let _ = attributes.insert(&schema, name, value.as_str());
        }
        for group in &groups {
            attributes.insert(&schema, "groups", group.as_str()).unwrap();
        }
        for score in &scores {
            attributes.insert(&schema, "scores", *score).unwrap();
        }
        let text = attributes.to_string();
        prop_assert_eq!(text.len(), attributes.size);
        let back = Attributes::parse(&text, &schema).unwrap();
        prop_assert_eq!(back.to_string(), text);
        prop_assert_eq!(back, attributes);
    }

    #[test]
    fn no_text_ends_the_parser(text in "\\PC{0,60}|[a-c=,\" \\[\\]0-9-]{0,60}|(role|groups|level|tags) ?= ?[\\[\\]a-c0-9,\" ]{0,20}") {
        match Attributes::parse(&text, &schema()) {
            Ok(attributes) => prop_assert_eq!(parse(&attributes.to_string()), attributes),
            Err(error) => prop_assert!(!error.render(&text).is_empty()),
        }
    }
}
