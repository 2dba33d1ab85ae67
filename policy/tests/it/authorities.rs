//! What an author of `[authorities]` is told: every fault when the bundle is loaded, at its place, with what to write.
//!
//! Elsewhere such faults showed at the first key that was issued, or as a key that opened nothing.

use proptest::prelude::*;
use wardkeep_policy::{AttributeSource, BundleSource, Finding, FindingKind, IdentityMap, Manifest, Snapshot};

use crate::harness::*;

const SCHEMA: &str = r#"
    entity Team; entity Group in [Team];
    entity Grade enum ["junior", "senior"];
    entity User in [Group] = {
        dept?: String, level: Long, active: Bool, born: datetime, net: ipaddr, worth: decimal, address: { street: String },
        tags: Set<String>, ranks: Set<Long>, flags: Set<Bool>, deep: Set<Set<String>>, boss?: User, grade: Grade,
    };
    entity Patient = { level: Long, dept: Long };
    entity Service = { level: Long };
"#;

fn findings(manifest: &str) -> Vec<Finding> {
    match load(&bundle(manifest, SCHEMA, "")) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.findings().to_vec(),
    }
}

/// An authority of one attribute, for users.
fn one(attribute: &str) -> String {
    format!("[authorities.\"r/abe\"]\nsubjects = [\"User\"]\n[authorities.\"r/abe\".attributes]\nx = {attribute}\n")
}

#[test]
fn what_fits_fits() {
    for attribute in [
        r#"{ declare = "text", attribute = "dept" }"#,
        r#"{ declare = "enum(a, b) negatable", attribute = "dept" }"#,
        r#"{ declare = "date", attribute = "dept" }"#,
        r#"{ declare = "number", attribute = "level" }"#,
        r#"{ declare = "number(16, signed) unit(EUR)", attribute = "level" }"#,
        r#"{ declare = "text", attribute = "active" }"#,
        r#"{ declare = "enum(true, false)", attribute = "active" }"#,
        r#"{ declare = "date", attribute = "born" }"#,
        r#"{ declare = "text set", attribute = "tags" }"#,
        r#"{ declare = "date set", attribute = "tags" }"#,
        r#"{ declare = "number(8) set", attribute = "ranks" }"#,
        r#"{ declare = "text", attribute = "boss" }"#,
        r#"{ declare = "enum(junior, senior)", attribute = "grade" }"#,
        r#"{ declare = "text set", ancestors = "Group" }"#,
        r#"{ declare = "text set", ancestors = "Team" }"#,
        r#"{ declare = "enum(a) set negatable", ancestors = "Group" }"#,
        r#"{ declare = "text", id = true }"#,
        r#"{ declare = "text negatable", uid = true, id = false }"#,
    ] {
        let found = findings(&one(attribute));
        assert!(found.is_empty(), "{attribute}: {}", found[0]);
    }
}

#[test]
fn what_does_not_fit_says_what_would() {
    for (attribute, said, hint) in [
        (r#"{ declare = "number(8)", attribute = "dept" }"#, "`String`", "`text`"),
        (r#"{ declare = "text", attribute = "level" }"#, "`Long`", "number(8)"),
        (r#"{ declare = "date", attribute = "level" }"#, "`Long`", "number(8)"),
        (r#"{ declare = "number", attribute = "active" }"#, "ool`", "enum(true, false)"),
        (r#"{ declare = "text", attribute = "born" }"#, "`datetime`", "`date`"),
        (r#"{ declare = "text", attribute = "net" }"#, "`ipaddr`", "only String"),
        (r#"{ declare = "number", attribute = "worth" }"#, "`decimal`", "only String"),
        (r#"{ declare = "text", attribute = "address" }"#, "street", "only String"),
        (r#"{ declare = "text", attribute = "tags" }"#, "Set", "`text set`"),
        (r#"{ declare = "text set", attribute = "dept" }"#, "`String`", "leave `set` out"),
        (r#"{ declare = "text set", attribute = "ranks" }"#, "`Long`", "number(8)"),
        (r#"{ declare = "number set", attribute = "tags" }"#, "`String`", "`text`"),
        (r#"{ declare = "text set", attribute = "flags" }"#, "ool", "elements of type"),
        (r#"{ declare = "text set", attribute = "deep" }"#, "Set", "only String"),
        (r#"{ declare = "number", attribute = "boss" }"#, "`User`", "entity's id"),
        (r#"{ declare = "text", ancestors = "Group" }"#, "any number", "`text set`"),
        (r#"{ declare = "number set", ancestors = "Group" }"#, "any number", "`text set`"),
        (r#"{ declare = "text set", id = true }"#, "one text", "`text`"),
        (r#"{ declare = "date", uid = true }"#, "one text", "`text`"),
    ] {
        let found = findings(&one(attribute));
        let finding = found.first().unwrap_or_else(|| panic!("taken: {attribute}"));
        assert_eq!((finding.kind, finding.file.as_str(), found.len()), (FindingKind::Manifest, "wardkeep.toml", 1));
        assert!(finding.message.contains(said) && finding.message.contains("`x`"), "{attribute}: {finding}");
        assert!(finding.hint.as_ref().is_some_and(|found| found.contains(hint)), "{attribute}: {finding}");
        let place = finding.place.as_ref().unwrap_or_else(|| panic!("no place: {finding}"));
        assert_eq!((place.line, place.column), (4, 17), "at what is declared: {finding}");
    }
}

#[test]
fn a_source_that_is_not_there_is_told_with_what_is() {
    for (attribute, said, hint) in [
        (r#"{ declare = "text", attribute = "depp" }"#, "`User` has no attribute `depp`", "`dept`"),
        (r#"{ declare = "text set", ancestors = "Patient" }"#, "`User` cannot be in `Patient`", "subjects"),
        (r#"{ declare = "text set", ancestors = "Ghost" }"#, "no such entity type", "the bundle's schema"),
        (
            r#"{ declare = "text set", ancestors = "Wardkeep::Role" }"#,
            "control roles are no attributes",
            "the bundle's schema",
        ),
        (r#"{ declare = "text set", ancestors = "Wardkeep::Ring" }"#, "reserved", "the bundle's schema"),
        (r#"{ declare = "text" }"#, "no source", "exactly one"),
        (r#"{ declare = "text", id = false }"#, "no source", "exactly one"),
        (r#"{ declare = "text", id = true, attribute = "dept" }"#, "more than one source", "exactly one"),
        (r#"{ declare = "text", id = true, uid = true }"#, "more than one source", "exactly one"),
        (r#"{ declare = "text set", ancestors = "Team", attribute = "tags" }"#, "more than one source", "exactly one"),
    ] {
        let found = findings(&one(attribute));
        let finding = found.first().unwrap_or_else(|| panic!("taken: {attribute}"));
        assert!(finding.message.contains(said), "{attribute}: {finding}");
        assert!(finding.hint.as_ref().is_some_and(|found| found.contains(hint)), "{attribute}: {finding}");
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(4), "{finding}");
    }
}

/// The caret stands under the word of the declaration that is wrong.
#[test]
fn a_declaration_that_does_not_parse_shows_its_word() {
    for (declare, said, column, width) in [
        ("texst", "`texst`", 18, 5),
        ("text sett", "`sett`", 23, 4),
        ("number(65)", "65", 25, 2),
        ("text set negatable", "open set", 0, 0),
        ("enum()", "no values", 0, 0),
        ("enum(a, a)", "twice", 0, 0),
        ("", "expected", 18, 1),
        ("# text", "expected", 18, 0),
    ] {
        let found = findings(&one(&format!("{{ declare = \"{declare}\", attribute = \"dept\" }}")));
        let finding = found.first().unwrap_or_else(|| panic!("taken: {declare}"));
        assert!(finding.message.contains(said), "{declare}: {finding}");
        assert!(!finding.message.contains("line 1"), "the place is the manifest's: {finding}");
        let place = finding.place.as_ref().unwrap();
        assert_eq!(place.line, 4, "{finding}");
        if width > 0 {
            assert_eq!((place.column, place.width), (column, width), "{finding}");
        }
    }
    // An escape in the text moves every byte: then the whole declaration is shown.
    let found = findings(&one(r#"{ declare = "te\u0078st", attribute = "dept" }"#));
    let place = found[0].place.as_ref().unwrap();
    assert_eq!((place.column, place.width), (17, 12), "{}", found[0]);
    let lines = findings(&one("{ declare = \"\"\"text\ny: text\"\"\", attribute = \"dept\" }"));
    assert!(lines[0].message.contains("one line"), "a declaration smuggles no second one: {}", lines[0]);
}

#[test]
fn names_of_attributes_are_checked_as_keys_will_hold_them() {
    for (names, said) in [
        (["\"\"", "y"], "empty"),
        (["\"a\\u0007b\"", "y"], "U+0007"),
        (["\"Ren\u{e9}\"", "\"Rene\u{301}\""], "declared twice"),
    ] {
        let manifest = format!(
            "[authorities.\"r/abe\"]\nsubjects = [\"User\"]\n[authorities.\"r/abe\".attributes]\n\
             {} = {{ declare = \"text\", attribute = \"dept\" }}\n{} = {{ declare = \"text\", id = true }}\n",
            names[0], names[1]
        );
        let found = findings(&manifest);
        assert!(found.first().is_some_and(|finding| finding.message.contains(said)), "{names:?}: {found:?}");
        assert!(found[0].place.as_ref().is_some_and(|place| place.line >= 4), "{}", found[0]);
    }
    let long = format!("\"{}\"", "n".repeat(257));
    let manifest = one(r#"{ declare = "text", id = true }"#).replace("\nx = ", &format!("\n{long} = "));
    assert!(findings(&manifest)[0].message.contains("257"));
}

#[test]
fn terms_and_names_of_authorities_have_their_places() {
    let rest = "[authorities.\"r/abe\".attributes]\nx = { declare = \"text\", attribute = \"dept\" }";
    for (head, line, said) in [
        ("[authorities.\"r/abe\"]\nbucket = \"week\"", 2, "`week`"),
        ("[authorities.\"r/abe\"]\nbucket = 3", 2, "string"),
        ("[authorities.\"r/abe\"]\nserial_bits = 7", 2, "8 to 32"),
        ("[authorities.\"r/abe\"]\nserial_bits = 33", 2, "8 to 32"),
        ("[authorities.\"r/abe\"]\nserial_bits = 300", 2, "300"),
        ("[authorities.\"r/abe\"]\n\nserials = 9", 3, "serials"),
        ("[authorities.\"r/abe\"]\nsubjects = []", 2, "lists nobody"),
        ("[authorities.\"r/abe\"]\nsubjects = [\"Ghost\"]", 2, "`Ghost`, which is no subject"),
        ("[authorities.\"r/abe\"]\nsubjects = [\"Team\"]", 2, "`Team`, which is no subject"),
        ("[authorities.\"r/abe\"]\nsubjects = [\"Wardkeep::System\"]", 2, "no subject"),
    ] {
        let found = findings(&format!("{head}\n{rest}"));
        let finding = found.first().unwrap_or_else(|| panic!("taken: {head}"));
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(line), "{finding}");
        assert!(finding.message.contains(said), "{finding}");
        assert!(finding.hint.is_some(), "{finding}");
    }
    for bits in [8, 32] {
        assert!(
            findings(&format!("[authorities.\"r/abe\"]\nserial_bits = {bits}\nsubjects = [\"User\"]\n{rest}"))
                .is_empty()
        );
    }
    for name in ["abe", "R/abe", "r/../abe", "", "r/a/b"] {
        let found = findings(&format!("[authorities.\"{name}\".attributes]\nx = {{ declare = \"text\", id = true }}"));
        assert!(found.first().is_some_and(|finding| finding.message.contains("names no key")), "{name}: {found:?}");
    }
    let none = findings("[authorities.\"r/abe\"]\n");
    assert!(none[0].message.contains("declares no attributes"), "{}", none[0]);
}

#[test]
fn who_gets_keys_is_who_has_all_of_it() {
    let of = |attributes: &str| format!("subjects = [\"Patient\"]\n[authorities.\"r/abe\".attributes]\n{attributes}");
    let subjects = |manifest: &str| -> Vec<String> {
        let snapshot = load(&bundle(manifest, SCHEMA, "")).unwrap_or_else(|errors| panic!("{errors}"));
        let key = wardkeep_model::KeyId::parse("r/abe").unwrap();
        snapshot.authority(&key).unwrap().subjects().map(ToOwned::to_owned).collect()
    };
    let level = "level = { declare = \"number(8)\", attribute = \"level\" }\n";
    assert_eq!(subjects(&of(level)), ["Patient", "Service", "User"]);
    let team = "team = { declare = \"text set\", ancestors = \"Team\" }\n";
    assert_eq!(subjects(&of(&format!("{level}{team}"))), ["User"]);
    // Found by name on two types, and of a type that fits on one of them only.
    let dept = "dept = { declare = \"text\", attribute = \"dept\" }\n";
    let found = findings(&of(dept));
    assert!(found[0].message.contains("of `Patient` has the type `Long`"), "{}", found[0]);
    // On no type at all; or each on some, and all on none.
    let found = findings(&of("ghost = { declare = \"text\", attribute = \"ghost\" }\n"));
    assert!(found[0].message.contains("no subject type has the attribute `ghost`"), "{}", found[0]);
    let manifest = "[authorities.\"r/abe\".attributes]\na = { declare = \"text\", attribute = \"a\" }\nb = { declare = \"text\", attribute = \"b\" }";
    let errors =
        load(&bundle(manifest, "entity User = { a: String }; entity Service = { b: String };", "")).unwrap_err();
    assert!(errors.to_string().contains("no subject type has all the attributes"), "{errors}");
}

/// An id is a name among entities of one type. As an attribute for two types it would make a service of the name of a
/// patient that patient.
#[test]
fn an_id_is_for_one_type() {
    let both = "[authorities.\"r/abe\".attributes]\nuser = { declare = \"text\", id = true }";
    let found = findings(both);
    assert!(found[0].message.contains("`Service` and `User` would share ids"), "{}", found[0]);
    assert!(found[0].hint.as_ref().is_some_and(|hint| hint.contains("uid = true")), "{}", found[0]);
    assert_eq!(found[0].place.as_ref().map(|place| (place.line, place.column)), Some((2, 33)), "{}", found[0]);
    let listed = format!("[authorities.\"r/abe\"]\nsubjects = [\"User\", \"Service\"]\n{both}");
    assert_eq!(findings(&listed).len(), 1);
    assert!(findings(&both.replace("id = true", "uid = true")).is_empty());
    let one = IdentityMap::new([("user".to_owned(), "User".to_owned())].into()).unwrap();
    assert!(Snapshot::new(one, Snapshot::builtin_control_set(), &bundle(both, "", ""), 1).is_ok(), "one type there is");
}

/// The same through an attribute: the id of a keeper must not pass for the id of a friend.
#[test]
fn an_attribute_means_one_thing_on_all_types() {
    let manifest = "[authorities.\"r/abe\".attributes]\nx = { declare = \"text\", attribute = \"near\" }";
    for (user, service, wanted) in [
        ("User", "User", None),
        ("User", "Service", Some("`near` is `Service` on `Service` and `User` on `User`")),
        ("String", "User", Some("`near` is `User` on `Service` and `String` on `User`")),
        ("String", "Bool", Some("on `User`")),
    ] {
        let schema = format!("entity User = {{ near: {user} }}; entity Service = {{ near?: {service} }};");
        let found = match load(&bundle(manifest, &schema, "")) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.findings().to_vec(),
        };
        assert_eq!(found.len(), usize::from(wanted.is_some()), "{user} {service}: {found:?}");
        let said = found.first().map(ToString::to_string).unwrap_or_default();
        assert!(wanted.is_none_or(|wanted| said.contains(wanted) && said.contains("hint")), "{said}");
        let alone = manifest.replace(
            "[authorities.\"r/abe\".attributes]",
            "[authorities.\"r/abe\"]\nsubjects = [\"User\"]\n[authorities.\"r/abe\".attributes]",
        );
        assert!(load(&bundle(&alone, &schema, "")).is_ok(), "{user} alone");
    }
}

#[test]
fn every_fault_of_every_authority_is_told_at_once() {
    let manifest = r#"
        [authorities."r/one".attributes]
        a = { declare = "texxt", attribute = "dept" }
        b = { declare = "number(0)", attribute = "level" }
        [authorities."r/two"]
        subjects = ["User"]
        [authorities."r/two".attributes]
        c = { declare = "text", attribute = "level" }
        d = { declare = "number", attribute = "dept" }
        e = { declare = "text", attribute = "dept" }
    "#;
    let found = findings(manifest);
    let lines: Vec<usize> = found.iter().filter_map(|finding| finding.place.as_ref()).map(|place| place.line).collect();
    assert_eq!(lines, [3, 4, 8, 9], "{found:?}");
    // And what the manifest itself says wrongly, before any schema is read.
    let errors =
        Manifest::parse("[authorities.\"one\"]\nserial_bits = 1\n[authorities.\"r/b\"]\nbucket = \"\"").unwrap_err();
    assert_eq!(errors.findings().len(), 3, "{errors}");
}

#[test]
fn a_manifest_says_what_it_says_of_authorities() {
    let manifest = Manifest::parse(&BundleSource::clinic().manifest).unwrap();
    let (key, rule) = manifest.authorities.iter().next().unwrap();
    assert_eq!((key.as_str(), rule.subjects.as_deref()), ("clinic/records-abe", Some(&["User".to_owned()][..])));
    let told: Vec<_> =
        rule.attributes.iter().map(|(name, rule)| (name.as_str(), rule.declare.as_str(), &rule.from)).collect();
    let attribute = |name: &str| AttributeSource::Attribute(name.to_owned());
    assert_eq!(
        told,
        [
            ("clearance", "number(8)", &attribute("clearance")),
            ("dept", "text", &attribute("dept")),
            ("patient", "text", &attribute("patient")),
            ("role", "text set", &AttributeSource::Ancestors("Group".to_owned())),
            ("user", "text", &AttributeSource::Id),
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in a manifest: a projection or findings, each with a place that is in the text, and never a panic.
    #[test]
    fn any_declaration_is_taken_or_told(
        declare in prop_oneof!["\\PC{0,24}", "(text|enum|number|date)[ (),a-z0-9\"]{0,16}", Just("\n".to_owned())],
        name in "\\PC{0,12}",
    ) {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let table = format!("{} = {{ declare = {}, attribute = \"dept\" }}", quoted(&name), quoted(&declare));
        let manifest = format!("[authorities.\"r/abe\"]\nsubjects = [\"User\"]\n[authorities.\"r/abe\".attributes]\n{table}\n");
        for finding in findings(&manifest) {
            prop_assert_eq!(finding.kind, FindingKind::Manifest);
            let place = finding.place.as_ref().map(|place| (place.line, place.column, place.width));
            let line = place.and_then(|(line, ..)| manifest.lines().nth(line - 1)).unwrap_or_default();
            let inside = place.is_some_and(|(_, column, width)| column + width <= line.chars().count() + 2);
            prop_assert!(inside, "{}", finding);
        }
        let _taken_or_told = Manifest::parse(&declare);
    }
}
