//! Entities in Cedar's spelling: one text an entity, one entity a text, and nothing that escapes into another.

use proptest::prelude::*;
use wardkeep_model::id::{MAX_ENTITY_ID, MAX_ENTITY_TYPE, check_entity_type};
use wardkeep_model::{EntityUid, IdError};

/// `Type` or `Namespace::Type`, by words.
fn is_type(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let later = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let part = |part: &str| part.starts_with(first) && part.chars().all(later);
    (1..=128).contains(&text.len()) && text.split("::").all(part)
}

fn near_types() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z_][A-Za-z0-9_]{0,8}(::[A-Za-z_][A-Za-z0-9_]{0,5}){0,3}",
        "[A-Za-z0-9_:. ]{0,20}",
        ".{0,20}",
        "[A-Z]{120,135}"
    ]
}

fn ids() -> impl Strategy<Value = String> {
    prop_oneof![".{0,40}", "[\"\\\\:a-z{}u]{0,20}", "\\PC{0,90}", "[a-z]{250,260}", "[\u{e9}]{120,130}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_type_is_what_the_words_say(text in near_types()) {
        prop_assert_eq!(check_entity_type(&text).is_ok(), is_type(&text), "{:?}", text);
    }

    #[test]
    fn an_entity_is_what_the_words_say_and_reads_back(kind in near_types(), id in ids()) {
        let fits = (1..=256).contains(&id.len()) && !id.chars().any(char::is_control);
        let made = EntityUid::new(&kind, &id);
        prop_assert_eq!(made.is_ok(), is_type(&kind) && fits, "{:?} {:?}", &kind, &id);
        if let Ok(uid) = made {
            let text = uid.to_string();
            let again: EntityUid = text.parse().unwrap();
            prop_assert_eq!((again.kind(), again.id()), (&*kind, &*id));
            prop_assert_eq!(format!("{again:?}"), text);
            prop_assert_eq!(again.is_reserved(), kind == "Wardkeep" || kind.starts_with("Wardkeep::"));
        }
    }

    #[test]
    fn two_entities_never_share_their_text(one in (near_types(), ids()), other in (near_types(), ids())) {
        if let (Ok(a), Ok(b)) = (EntityUid::new(&one.0, &one.1), EntityUid::new(&other.0, &other.1)) {
            prop_assert_eq!(a.to_string() == b.to_string(), a == b);
        }
    }

    #[test]
    fn no_text_makes_the_reader_fail(text in prop_oneof![".{0,60}", "[A-Za-z]{1,3}::\"[\\\\u{}0-9a-fA-F\"x]{0,20}\""]) {
        if let Ok(uid) = EntityUid::parse(&text) {
            prop_assert_eq!(EntityUid::parse(&uid.to_string()).unwrap(), uid);
        }
    }
}

#[test]
fn escapes_are_those_of_cedar_and_no_others() {
    for (text, id) in [
        (r#"U::"\u{41}""#, "A"),
        (r#"U::"\u{1F600}""#, "\u{1F600}"),
        (r#"U::"\u{000041}""#, "A"),
        (r#"U::"\"\\""#, "\"\\"),
        (r#"U::"a::b""#, "a::b"),
        (r#"U::"::\"""#, "::\""),
        ("U::\"\u{17c}\"", "\u{17c}"),
    ] {
        assert_eq!(EntityUid::parse(text).unwrap().id(), id, "{text}");
    }
    for bad in [
        r#"U::"\n""#,
        r#"U::"\u{}""#,
        r#"U::"\u{0000041}""#,
        r#"U::"\u{d800}""#,
        r#"U::"\u{110000}""#,
        r#"U::"\u{+41}""#,
        r#"U::"\u{4 1}""#,
        r#"U::"\u41""#,
        r#"U::"\u{41""#,
        r#"U::"\""#,
        r#"U::"a"b""#,
        r#"U::"""#,
        r#"U::"a" "#,
        r#" U::"a""#,
        r#"U :: "a""#,
        r#"U::'a'"#,
        r#"U::"\u{a}""#,
        r#"U::"\u{0}""#,
        r#"::"a""#,
        r#"U"a""#,
    ] {
        assert!(EntityUid::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn lengths_end_where_they_are_said_to() {
    for (len, good) in
        [(0, false), (1, true), (MAX_ENTITY_ID - 1, true), (MAX_ENTITY_ID, true), (MAX_ENTITY_ID + 1, false)]
    {
        assert_eq!(EntityUid::new("U", &"i".repeat(len)).is_ok(), good, "{len} bytes of an id");
    }
    // Bytes, not characters: what is stored is bytes.
    assert!(EntityUid::new("U", &"\u{e9}".repeat(128)).is_ok() && EntityUid::new("U", &"\u{e9}".repeat(129)).is_err());
    for (len, good) in [(1, true), (MAX_ENTITY_TYPE, true), (MAX_ENTITY_TYPE + 1, false)] {
        assert_eq!(EntityUid::new(&"T".repeat(len), "i").is_ok(), good, "{len} bytes of a type");
    }
}

#[test]
fn the_reserved_namespace_is_the_first_part_and_no_beginning() {
    for (kind, reserved) in [
        ("Wardkeep", true),
        ("Wardkeep::Role", true),
        ("Wardkeep::A::B", true),
        ("Wardkeeper", false),
        ("wardkeep::Role", false),
        ("My::Wardkeep", false),
        ("My::Wardkeep::Role", false),
        ("_Wardkeep", false),
    ] {
        assert_eq!(EntityUid::new(kind, "x").unwrap().is_reserved(), reserved, "{kind}");
    }
}

#[test]
fn an_error_says_what_is_wrong_and_shows_no_control_character() {
    let error = EntityUid::new("U", "a\u{7}b").unwrap_err();
    assert!(matches!(error, IdError::Character { what: "entity id", at: 1, .. }), "{error:?}");
    assert!(!error.to_string().contains('\u{7}'), "{error}");
    let error = EntityUid::new("1U", "a").unwrap_err().to_string();
    assert!(error.contains("entity type `1U`") && error.contains("`Namespace::Type`"), "{error}");
    let error = EntityUid::parse("nothing").unwrap_err().to_string();
    assert!(error.contains("`nothing`") && error.contains("`Type::\"id\"`"), "{error}");
}
