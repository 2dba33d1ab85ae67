//! A schema that reads back otherwise than it was written changes what keys mean.

mod declaring;

use proptest::prelude::*;

use super::*;

const SAMPLE: &str = r#"
# who
role: text
groups: text set                 # several
dept: enum(surgery, cardiology, "Ear, nose # not a comment") negatable

level: number(8)
count: number
balance: number(16, signed) unit(EUR)
born: date
region: text negatable
tags: enum(a, b, c) set negatable
"#;

fn error(text: &str) -> SchemaError {
    Schema::parse(text).expect_err(text)
}

#[test]
fn the_text_form_says_what_it_says() {
    let schema = Schema::parse(SAMPLE).unwrap();
    assert_eq!(schema.len(), 9);
    assert!(!schema.is_empty());
    let number = |bits, signed, unit: Option<&str>| Type::Number { bits, signed, unit: unit.map(Into::into) };
    let expected = [
        ("balance", Declaration::single(number(16, true, Some("EUR")))),
        ("born", Declaration::single(Type::Date)),
        ("count", Declaration::single(number(32, false, None))),
        (
            "dept",
            Declaration {
                negatable: true,
                ..Declaration::single(Type::Enum(
                    ["Ear, nose # not a comment", "cardiology", "surgery"].map(Into::into).to_vec(),
                ))
            },
        ),
        ("groups", Declaration::set(Type::Text)),
        ("level", Declaration::single(number(8, false, None))),
        ("region", Declaration { negatable: true, ..Declaration::single(Type::Text) }),
        ("role", Declaration::single(Type::Text)),
    ];
    for (name, declaration) in &expected {
        assert_eq!(schema.get(name), Some(declaration), "{name}");
    }
    assert_eq!(schema.get("nothing"), None);
    assert_eq!(
        schema.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["balance", "born", "count", "dept", "groups", "level", "region", "role", "tags"]
    );
}

#[test]
fn the_canonical_text_is_one() {
    let schema = Schema::parse(SAMPLE).unwrap();
    let text = schema.to_text();
    assert!(text.starts_with("balance: number(16, signed) unit(EUR)\nborn: date\ncount: number(32)\ndept: enum(\"Ear, nose # not a comment\", cardiology, surgery) negatable\n"), "{text}");
    let again = Schema::parse(&text).unwrap();
    assert_eq!((again.to_text(), &again), (text, &schema));
    let windows = SAMPLE.replace('\n', "\r\n");
    assert_eq!(Schema::parse(&windows).unwrap(), schema);
    assert_eq!(Schema::default().to_text(), "");
    assert_eq!(Schema::parse(" \n# only a comment").unwrap(), Schema::default());
}

#[test]
fn every_mistake_has_its_place_and_a_hint() {
    let cases = [
        ("role text", 1, 6, "expected `:` and a type after the name"),
        ("= text", 1, 1, "expected the name of an attribute, found `=`"),
        ("role: txt", 1, 7, "unknown type `txt`: write `text`"),
        ("role: string", 1, 7, "unknown type `string`: write `text`, `enum(a, b)`, `number(8)` or `date`"),
        ("role: 3", 1, 7, "expected a type, such as `text`, found the number 3"),
        ("\n a: number(0)", 2, 12, "a number of 0 bits: widths are 1 to 64"),
        ("a: number(65)", 1, 11, "a number of 65 bits"),
        ("a: number(-1)", 1, 11, "a number of -1 bits"),
        ("a: number(8, 8)", 1, 14, "expected a width and `signed`"),
        ("a: number()", 1, 11, "expected a width and `signed`"),
        ("a: number(8, signed, signed)", 1, 22, "expected a width and `signed`"),
        ("a: number(8", 1, 12, "expected `)` after the width, found the end"),
        ("a: text many", 1, 9, "`many` cannot follow"),
        ("a: text unit(kg)", 1, 9, "`unit` cannot follow"),
        ("a: text, b: text", 1, 8, "expected `set`, `negatable`, `unit(..)` or the end of the line, found `,`"),
        ("a: text set set", 1, 13, "`set` stands twice"),
        ("a: text negatable negatable", 1, 19, "`negatable` stands twice"),
        ("a: number unit(kg) unit(kg)", 1, 20, "`unit` stands twice"),
        ("a: number unit", 1, 15, "expected `(` and the unit"),
        ("a: number unit(3)", 1, 16, "expected a word for the unit"),
        ("a: number unit(\"\")", 1, 1, "the unit of a cannot be a word"),
        (
            "groups: text set negatable",
            1,
            1,
            "groups is an open set, so `negatable` is refused: a key for {finance, audit} would open",
        ),
        ("n: number set negatable", 1, 1, "n is an open set"),
        ("n: date set negatable", 1, 1, "n is an open set"),
        ("a: enum()", 1, 1, "the enumeration a has no values"),
        ("a: enum", 1, 8, "expected `(` and the values"),
        ("a: enum(a b)", 1, 11, "expected `,` or `)` after a value"),
        ("a: enum(a,)", 1, 11, "expected a value: a word, or anything in quotes"),
        ("a: enum(3)", 1, 9, "expected a value: a word, or anything in quotes, found the number 3"),
        ("a: enum(a, a)", 1, 1, "the enumeration a lists a twice"),
        ("a: enum(\"\u{e9}\", \"e\u{301}\")", 1, 1, "the enumeration a lists \"é\" twice"),
        ("a: enum(\"\")", 1, 1, "lists a value that cannot be one: the text is empty"),
        ("a: enum(and)", 1, 9, "`and` is a keyword: as a name or a value write it in quotes, `\"and\"`"),
        ("in: text", 1, 1, "`in` is a keyword"),
        ("\"\": text", 1, 1, "the name of the attribute is empty"),
        ("\"a\\nb\": text", 1, 1, "the name holds the control character U+000A"),
        ("a: text\n\na: date", 3, 1, "a is declared twice"),
        (
            "caf\u{e9}: text\ncafe\u{301}: text",
            2,
            1,
            "\"café\" is declared twice (names are compared after normalisation, NFC)",
        ),
        ("a: text \"", 1, 9, "the quote that begins here does not end"),
    ];
    for (text, line, column, message) in cases {
        let error = error(text);
        assert!(error.to_string().contains(message), "{text}: {error}");
        let at = error.position();
        assert_eq!((at.line, at.column), (line, column), "{text}: {error}");
        assert!(text.is_char_boundary(at.offset));
        assert!(error.render(text).ends_with('^'), "{}", error.render(text));
    }
    assert_eq!(
        error("\n a: number(0)").render("\n a: number(0)"),
        "line 2, column 12: a number of 0 bits: widths are 1 to 64\n  |  a: number(0)\n  |            ^"
    );
}

#[test]
fn bounds_hold_at_the_last_that_fits() {
    let values = |count: usize| (0..count).map(|n| format!("v{n}").into()).collect::<Vec<Box<str>>>();
    let mut schema = Schema::default();
    schema.declare("most", Declaration::single(Type::Enum(values(256)))).unwrap();
    assert_eq!(
        schema.declare("more", Declaration::single(Type::Enum(values(257)))),
        Err(SchemaError::EnumTooLong { at: Position::NONE, name: "more".into(), count: 257 })
    );
    let message = schema.declare("more", Declaration::single(Type::Enum(values(257)))).unwrap_err().to_string();
    assert_eq!(message, "the enumeration more has 257 values: at most 256 are allowed, declare it `text`");
    assert!(Schema::parse(&format!("a: enum(\"{}\")", "x".repeat(4096))).is_ok());
    assert!(error(&format!("a: enum(\"{}\")", "x".repeat(4097))).to_string().contains("4097 bytes"));
    assert!(Schema::parse(&format!("{}: text", "x".repeat(256))).is_ok());
    assert!(error(&format!("{}: text", "x".repeat(257))).to_string().contains("257 bytes"));
    assert!(Schema::parse(&format!("a: number unit({})", "x".repeat(64))).is_ok());
    assert_eq!(
        error(&format!("a: number unit({})", "x".repeat(65))).to_string(),
        "line 1, column 1: the unit has 65 bytes: at most 64 are allowed"
    );
    let many = |count: usize| (0..count).map(|n| format!("a{n}: text\n")).collect::<String>();
    assert_eq!(Schema::parse(&many(1024)).unwrap().len(), 1024);
    let error = error(&many(1025));
    assert!(matches!(error, SchemaError::TooMany { at } if at.line == 1025), "{error}");
    assert!(error.to_string().contains("more than 1024 declarations"));
    let unsound = Declaration::single(Type::Number { bits: 65, signed: false, unit: None });
    assert_eq!(schema.declare("wide", unsound), Err(SchemaError::Width { at: Position::NONE, found: 65 }));
}

#[test]
fn what_was_declared_can_be_written_and_read_whatever_its_length() {
    let long = |n: usize| {
        let values = (0..12).map(|v| format!("{v}{}", "x".repeat(4000)).into()).collect();
        (format!("a{n}"), Declaration::single(Type::Enum(values)))
    };
    let mut schema = Schema::default();
    let refused = (0..100).find_map(|n| {
        let (name, declaration) = long(n);
        schema.declare(&name, declaration).err()
    });
    assert!(matches!(refused, Some(SchemaError::TooLong { bytes }) if bytes > MAX_SCHEMA), "{refused:?}");
    assert_eq!(schema.len(), 5);
    assert_eq!(Schema::from_bytes(&schema.to_bytes()).unwrap(), schema);
    assert_eq!(Schema::parse(&schema.to_text()).unwrap(), schema);
}

#[test]
fn hostile_lengths_are_refused_before_anything_is_read() {
    let long = "a".repeat(1 << 20);
    assert_eq!(Schema::parse(&long), Err(SchemaError::TooLong { bytes: 1 << 20 }));
    let message = SchemaError::TooLong { bytes: 1 << 20 }.to_string();
    assert_eq!(message, "the schema has 1048576 bytes: at most 262144 are allowed");
    assert_eq!(Schema::from_bytes(long.as_bytes()), Err(SchemaError::TooLong { bytes: 1 << 20 }));
}

#[test]
fn the_bytes_are_one_encoding() {
    let schema = Schema::parse("level: number(8, signed) unit(kg) set\ndept: enum(a, b) negatable").unwrap();
    let expected = b"\x01\0\0\0\x02\
        \0\0\0\x04dept\x02\0\x04\0\0\0\0\0\0\0\x02\0\0\0\x01a\0\0\0\x01b\
        \0\0\0\x05level\x03\x08\x0b\0\0\0\x02kg\0\0\0\0";
    assert_eq!(schema.to_bytes(), expected);
    assert_eq!(Schema::from_bytes(expected).unwrap(), schema);
}

#[test]
fn other_bytes_are_refused_each_for_its_reason() {
    let schema = Schema::parse(SAMPLE).unwrap();
    let bytes = schema.to_bytes();
    for cut in 0..bytes.len() {
        let error = Schema::from_bytes(&bytes[..cut]).unwrap_err();
        let why = EncodingDefect::Truncated;
        assert!(matches!(error, SchemaError::Encoding { why: found, .. } if found == why), "{cut}: {error}");
    }
    let defect = |bytes: &[u8]| match Schema::from_bytes(bytes).unwrap_err() {
        SchemaError::Encoding { why, .. } => why,
        other => panic!("{other}"),
    };
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(defect(&longer), EncodingDefect::Trailing);
    let two = b"\x02\0\0\0\0";
    assert_eq!(defect(two), EncodingDefect::Version);
    let message = Schema::from_bytes(two).unwrap_err().to_string();
    assert_eq!(message, "the encoded schema cannot be read at byte 1: its version is not 1: use a newer release");
    // An unknown type, an unknown flag, a width of text, a unit without its flag, values of text, one out of order.
    for other in [
        &b"\x01\0\0\0\x01\0\0\0\x01a\x05\0\0\0\0\0\0\0\0\0\0"[..],
        b"\x01\0\0\0\x01\0\0\0\x01a\x01\0\x10\0\0\0\0\0\0\0\0",
        b"\x01\0\0\0\x01\0\0\0\x01a\x01\x01\0\0\0\0\0\0\0\0\0",
        b"\x01\0\0\0\x01\0\0\0\x01a\x03\x08\0\0\0\0\x01k\0\0\0\0",
        b"\x01\0\0\0\x01\0\0\0\x01a\x01\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01x",
        b"\x01\0\0\0\x01\0\0\0\x01a\x02\0\0\0\0\0\0\0\0\0\x02\0\0\0\x01y\0\0\0\x01x",
        b"\x01\0\0\0\x02\0\0\0\x01b\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x01a\x01\0\0\0\0\0\0\0\0\0\0",
        "\u{1}\0\0\0\u{1}\0\0\0\u{3}e\u{301}\u{1}\0\0\0\0\0\0\0\0\0\0".as_bytes(),
    ] {
        assert_eq!(defect(other), EncodingDefect::NotCanonical, "{other:?}");
    }
    // A count that no bound allows.
    assert_eq!(defect(b"\x01\xff\xff\xff\xff"), EncodingDefect::Truncated);
    // What no text could declare, no bytes can.
    let open_set = b"\x01\0\0\0\x01\0\0\0\x01a\x01\0\x06\0\0\0\0\0\0\0\0";
    assert!(matches!(Schema::from_bytes(open_set), Err(SchemaError::NegatableSet { .. })));
    let twice = b"\x01\0\0\0\x02\0\0\0\x01a\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x01a\x01\0\0\0\0\0\0\0\0\0\0";
    assert!(matches!(Schema::from_bytes(twice), Err(SchemaError::Duplicate { .. })));
    assert_eq!(EncodingDefect::Truncated.to_string(), "it ends early, or a length is out of bounds");
    assert_eq!(EncodingDefect::Trailing.to_string(), "bytes follow its end");
    assert_eq!(EncodingDefect::NotCanonical.to_string(), "it is not in the canonical form");
}

#[test]
fn values_are_admitted_within_their_declaration_alone() {
    let schema = Schema::parse(SAMPLE).unwrap();
    let admit = |name: &str, value: Value| schema.resolve(name, &value).admit(value).map_err(|why| why.to_string());
    let number = |number: i128| Value::Number(number);
    for (name, lowest, highest) in [("level", 0, 255), ("balance", -32768, 32767), ("undeclared", 0, 0xffff_ffff)] {
        assert!(admit(name, number(lowest)).is_ok() && admit(name, number(highest)).is_ok(), "{name}");
        assert!(admit(name, number(lowest - 1)).is_err() && admit(name, number(highest + 1)).is_err(), "{name}");
    }
    assert_eq!(
        admit("level", number(-1)).unwrap_err(),
        "takes numbers from 0 to 255, and -1 is not one: declare it `signed`"
    );
    assert_eq!(
        admit("level", number(256)).unwrap_err(),
        "takes numbers from 0 to 255, and 256 is not one: declare it wider"
    );
    assert_eq!(admit("role", number(3)).unwrap_err(), "takes text, and 3 is a number: quote it");
    assert_eq!(admit("dept", number(3)).unwrap_err(), "takes one of its listed texts, and 3 is a number: quote it");
    assert_eq!(admit("level", "3".into()).unwrap_err(), "takes numbers, and \"3\" is text: write it without quotes");
    assert_eq!(
        admit("level", "high".into()).unwrap_err(),
        "takes numbers, and high is text: write digits, or declare it otherwise"
    );
    assert_eq!(
        admit("born", "2026-11-21".into()).unwrap_err(),
        "takes dates, and \"2026-11-21\" is text: write it without quotes"
    );
    assert_eq!(admit("born", number(3)).unwrap_err(), "takes dates, and 3 is a number: write it as 2026-11-21");
    assert_eq!(admit("dept", "Surgery".into()).unwrap_err(), "does not list the value Surgery: did you mean surgery?");
    assert_eq!(admit("dept", "finance".into()).unwrap_err(), "does not list the value finance: see its declaration");
    assert_eq!(
        admit("role", "".into()).unwrap_err(),
        "cannot hold this: the text is empty: leave the attribute out, or name the absence, as in `\"none\"`"
    );
    assert_eq!(admit("role", "e\u{301}".into()), Ok("\u{e9}".into()));
}

#[test]
fn order_survives_the_encoding_of_numbers() {
    for (bits, signed) in [(1, false), (1, true), (3, true), (8, false), (64, false), (64, true)] {
        let declared = Declaration::single(Type::Number { bits, signed, unit: None });
        let lowest = if signed { -(1i128 << (bits - 1)) } else { 0 };
        let ordinal = |number| declared.ordinal(&Value::Number(number));
        assert_eq!(ordinal(lowest), Some(0));
        assert_eq!(ordinal(lowest + 1), Some(1));
        assert_eq!(ordinal(lowest - 1), None);
        let highest = lowest + (1i128 << bits) - 1;
        assert_eq!(ordinal(highest), Some(dyadic_greatest(bits)));
        assert_eq!(ordinal(highest + 1), None);
    }
}

fn dyadic_greatest(bits: u8) -> u64 {
    crate::dyadic::greatest(u32::from(bits))
}

prop_compose! {
    fn any_declaration()(
        kind in 0..4, bits in 1u8..=64, signed: bool, unit in proptest::option::of("[ -~é]{1,8}"),
        values in proptest::collection::btree_set("[a-zé \"\\\\#]{1,4}", 1..6), set: bool, negatable: bool
    ) -> Declaration {
        let kind = match kind {
            0 => Type::Text,
            1 => Type::Enum(values.into_iter().map(Into::into).collect()),
            2 => Type::Number { bits, signed, unit: unit.map(Into::into) },
            _ => Type::Date,
        };
        let negatable = negatable && (!set || matches!(kind, Type::Enum(_)));
        Declaration { kind, set, negatable }
    }
}

proptest! {
    #[test]
    fn both_forms_read_back(names in proptest::collection::btree_map("[ -~é]{1,9}", any_declaration(), 0..8)) {
        let mut schema = Schema::default();
        for (name, declaration) in names {
            schema.declare(&name, declaration).unwrap();
        }
        let text = schema.to_text();
        prop_assert_eq!(&Schema::parse(&text).unwrap(), &schema, "{}", text);
        prop_assert_eq!(&Schema::from_bytes(&schema.to_bytes()).unwrap(), &schema);
    }

    #[test]
    fn no_text_ends_the_parser(text in "\\PC{0,80}|[a-c:(),\" #\n]{0,60}|a: (enum|number|text|date)[(),a-c0-9 \"]{0,30}") {
        match Schema::parse(&text) {
            Ok(schema) => prop_assert_eq!(Schema::parse(&schema.to_text()).unwrap(), schema),
            Err(error) => prop_assert!(!error.render(&text).is_empty()),
        }
    }

    #[test]
    fn bytes_that_read_are_those_that_are_written(
        at in any::<prop::sample::Index>(), flip in 1u8.., noise in proptest::collection::vec(any::<u8>(), 0..120)
    ) {
        let mut bytes = Schema::parse(SAMPLE).unwrap().to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        for bytes in [bytes, noise] {
            if let Ok(schema) = Schema::from_bytes(&bytes) {
                prop_assert_eq!(schema.to_bytes(), bytes);
            }
        }
    }
}
