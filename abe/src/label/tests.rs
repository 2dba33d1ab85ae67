//! Two meanings with one label is a break: separators (B6), and a type tag that lacks width or unit (B9).

mod golden;

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::attributes::Attributes;
use crate::schema::Schema;

const SCOPE: Scope = Scope { authority: AuthorityId([7; 16]), version: 1 };

fn labels_of(schema: &str, attributes: &str) -> Vec<Label> {
    let schema = Schema::parse(schema).unwrap();
    Attributes::parse(attributes, &schema).unwrap().labels(&schema, &SCOPE, Namespace::Attribute).unwrap()
}

fn shared(left: &[Label], right: &[Label]) -> usize {
    let left: HashSet<&Label> = left.iter().collect();
    right.iter().filter(|label| left.contains(label)).count()
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let tag = Tag { kind: Kind::Equal, shape: Shape::plain(Family::Text, false) };
    let label = Label::new(&SCOPE, Namespace::Attribute, &tag.to_bytes(), "role", b"doctor");
    let mut expected = vec![0, 0, 0, 16];
    expected.extend([7; 16]);
    expected.extend([0, 0, 0, 4, 0, 0, 0, 1]);
    expected.extend([0, 0, 0, 1, 1]);
    expected.extend([0, 0, 0, 6, 1, 0, 1, 0, 0, 0]);
    expected.extend(b"\0\0\0\x04role\0\0\0\x06doctor");
    assert_eq!(label.as_bytes(), expected);
    assert_eq!(labels_of("", "role = doctor"), [label]);
}

#[test]
fn b6_no_separator_is_forged_into_a_name_or_a_value() {
    let lists = [
        "dept_finance = x",
        "dept = finance_x",
        "dept = finance",
        "\"dept = finance\" = x",
        "dept = \"finance = x\"",
        "\"dept=\" = finance",
        "dept = \"=finance\"",
        "\"dept|finance\" = x",
        "dept = \"finance|x\"",
        "dept = \"finance\\u{0}x\"",
        "dept = \"finance x\"",
        "Dept = finance",
        "dept = Finance",
        "dept = \"finance \"",
        "ept = \"dfinance\"",
        "d = \"eptfinance\"",
        "deptf = inance",
    ];
    let all: Vec<Label> = lists.iter().flat_map(|list| labels_of("", list)).collect();
    assert_eq!(all.len(), lists.len());
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), lists.len(), "two of them share a label");
}

#[test]
fn b6_bytes_that_move_over_a_boundary_make_another_label() {
    // The fields, joined, are the same each time; an encoding that only joins them would not tell them apart.
    let tag = Tag { kind: Kind::Equal, shape: Shape::plain(Family::Text, false) }.to_bytes();
    let joined = "aaaaaa";
    let labels: HashSet<Label> = (1..joined.len())
        .map(|cut| {
            let (name, value) = joined.split_at(cut);
            Label::new(&SCOPE, Namespace::Attribute, &tag, name, value.as_bytes())
        })
        .collect();
    assert_eq!(labels.len(), joined.len() - 1);
    // A name that ends in what looks like the length of the value.
    let forged = Label::new(&SCOPE, Namespace::Attribute, &tag, "a\0\0\0\u{1}b", b"c");
    let honest = Label::new(&SCOPE, Namespace::Attribute, &tag, "a", b"b");
    assert_ne!(forged, honest);
}

#[test]
fn b9_declarations_that_differ_in_any_part_share_no_label() {
    let declared = [
        "level: number(8)",
        "level: number(16)",
        "level: number(7)",
        "level: number(64)",
        "level: number(8, signed)",
        "level: number(8) set",
        "level: number(8) unit(kg)",
        "level: number(8) unit(g)",
        "level: number(22) unit(day)",
        "",
    ];
    let keys: Vec<Vec<Label>> = declared.iter().map(|schema| labels_of(schema, "level = 3")).collect();
    for (index, left) in keys.iter().enumerate() {
        for (other, right) in keys.iter().enumerate().skip(index + 1) {
            assert_eq!(shared(left, right), 0, "`{}` and `{}`", declared[index], declared[other]);
        }
    }
    let days = labels_of("level: date", "level = 0001-01-04");
    assert!(keys.iter().all(|key| shared(key, &days) == 0), "a date of day 3 is no number 3");
}

#[test]
fn b9_the_key_of_a_widened_level_does_not_open_what_was_sealed_before() {
    // The attack in figures: the 4-bit prefix 0 of 8 bits (`level <= 15`) and that of 3 000 in 16 bits.
    let old = labels_of("level: number(8)", "level = 15");
    let new = labels_of("level: number(16)", "level = 3000");
    let (eight, sixteen) = (crate::dyadic::prefixes(15, 8), crate::dyadic::prefixes(3000, 16));
    assert!(eight.iter().any(|prefix| prefix.len == 4 && sixteen.contains(prefix)), "the prefixes alone do collide");
    assert_eq!(shared(&old, &new), 0);
}

#[test]
fn text_enumeration_and_valuedness_are_different_attributes() {
    let keys = [
        labels_of("", "dept = a"),
        labels_of("dept: enum(a, b)", "dept = a"),
        labels_of("dept: text set", "dept = a"),
        labels_of("dept: enum(a, b) set", "dept = a"),
    ];
    let all: HashSet<&Label> = keys.iter().flatten().collect();
    assert_eq!(all.len(), 4);
    // Whether it is negatable adds labels and changes none.
    assert_eq!(
        shared(&labels_of("dept: enum(a, b)", "dept = a"), &labels_of("dept: enum(a, b) negatable", "dept = a")),
        1
    );
    assert_eq!(shared(&labels_of("dept: text", "dept = a"), &labels_of("dept: text negatable", "dept = a")), 1);
}

#[test]
fn scopes_and_namespaces_share_no_label() {
    let schema = Schema::default();
    let attributes = Attributes::parse("role = doctor, level = 3", &schema).unwrap();
    let mut all = HashSet::new();
    let mut count = 0;
    for authority in [[7; 16], [8; 16]] {
        for version in [1, 2] {
            for namespace in Namespace::ALL {
                let scope = Scope { authority: AuthorityId(authority), version };
                let labels = attributes.labels(&schema, &scope, namespace).unwrap();
                count += labels.len();
                all.extend(labels);
            }
        }
    }
    assert_eq!(all.len(), count);
    assert_eq!(count, 16 * 34);
}

#[test]
fn spellings_that_normalise_alike_are_one_label_and_others_are_not() {
    let composed = labels_of("", "caf\u{e9} = \u{212b}");
    assert_eq!(composed, labels_of("", "cafe\u{301} = A\u{30a}"));
    assert_eq!(composed, labels_of("", "\"caf\\u{e9}\" = \"\\u{c5}\""));
    // Compatibility forms, case, and look-alikes stay apart: nothing is folded.
    for other in
        ["cafe = \u{c5}", "caf\u{e9} = a\u{30a}", "Caf\u{e9} = \u{c5}", "caf\u{435}\u{301} = \u{c5}", "ｃafé = Å"]
    {
        assert_eq!(shared(&composed, &labels_of("", other)), 0, "{other}");
    }
}

#[test]
fn describe_reads_as_a_condition() {
    let schema = "dept: enum(a, \"Ear, nose\") negatable\nlevel: number(8)\nregion: text negatable\nborn: date";
    let described =
        |attributes: &str| -> Vec<String> { labels_of(schema, attributes).iter().map(Label::describe).collect() };
    assert_eq!(described("role = doctor"), ["role = doctor"]);
    let mut dept = described("dept = a");
    dept.sort();
    assert_eq!(dept, ["dept != \"Ear, nose\"", "dept = a"]);
    let level = described("level = 208");
    assert_eq!(level.len(), 9);
    assert!(level.contains(&"level: prefix 1101/8 bits".to_owned()), "{level:?}");
    assert!(level.contains(&"level: any/8 bits".to_owned()), "{level:?}");
    assert!(level.contains(&"level: prefix 11010000/8 bits".to_owned()), "{level:?}");
    assert_eq!(described("born = 2026-11-21").len(), 23);
    let region = described("region = north");
    assert_eq!(region.len(), 33);
    assert!(region.iter().any(|text| text.starts_with("region: hash prefix ") && text.ends_with("/32 bits")));
    let opaque = Label::new(&SCOPE, Namespace::Serial, &[9], "x", &[]);
    assert_eq!(opaque.describe(), "a label of another format");
}

#[test]
fn labels_read_back_and_nothing_else_does() {
    let schema = "dept: enum(a, b) negatable\nlevel: number(8) unit(kg)\nregion: text negatable\nborn: date set";
    let labels = labels_of(schema, "dept = a, level = 3, region = n, born = [2026-11-21], role = \"Ä \\n\"");
    for label in &labels {
        assert_eq!(Label::parse(label.as_bytes()).as_ref(), Some(label));
        for cut in 0..label.as_bytes().len() {
            assert_eq!(Label::parse(&label.as_bytes()[..cut]), None, "cut at {cut}: {}", label.describe());
        }
        let mut longer = label.as_bytes().to_vec();
        longer.push(0);
        assert_eq!(Label::parse(&longer), None);
    }
    assert_eq!(Label::parse(&vec![0; MAX_LABEL + 1]), None);
}

#[test]
fn labels_that_nobody_makes_are_refused() {
    let refused = |tag: &[u8], name: &str, value: &[u8]| {
        let label = Label::new(&SCOPE, Namespace::Attribute, tag, name, value);
        assert_eq!(Label::parse(label.as_bytes()), None, "{tag:?} {name:?} {value:?}");
    };
    let text: &[u8] = &[1, 0, 1, 0, 0, 0];
    assert!(Label::parse(Label::new(&SCOPE, Namespace::Attribute, text, "a", b"x").as_bytes()).is_some());
    refused(text, "", b"x");
    refused(text, "a\u{7}", b"x");
    refused(text, "cafe\u{301}", b"x");
    refused(text, &"a".repeat(257), b"x");
    refused(text, "a", b"");
    refused(text, "a", b"\xff");
    refused(text, "a", "e\u{301}".as_bytes());
    refused(text, "a", &[b'a'; 4097]);
    // Tags: unknown kind, type, flags; a length where there is none; a width where there is none, or none where there is.
    for tag in [
        &[5, 0, 1, 0, 0, 0][..],
        &[1, 0, 5, 0, 0, 0],
        &[1, 0, 1, 0, 0, 2],
        &[1, 0, 1, 0, 2, 0],
        &[1, 1, 1, 0, 0, 0],
        &[1, 0, 1, 8, 0, 0],
        &[1, 0, 1, 0, 1, 0],
        &[1, 0, 1, 0, 0, 0, b'k'],
        &[3, 0, 1, 0, 0, 0],
        &[1, 0, 3, 8, 0, 0],
        &[1, 0, 1, 0, 0],
        &[],
    ] {
        refused(tag, "a", b"x");
    }
    let one = 1u64.to_be_bytes();
    let prefix = |len, bits| [2, len, 3, bits, 0, 0];
    assert!(Label::parse(Label::new(&SCOPE, Namespace::Attribute, &prefix(1, 8), "a", &one).as_bytes()).is_some());
    refused(&prefix(0, 8), "a", &one);
    refused(&prefix(9, 8), "a", &one);
    refused(&prefix(1, 0), "a", &one);
    refused(&prefix(1, 65), "a", &one);
    refused(&prefix(1, 8), "a", &one[1..]);
    refused(&prefix(1, 8), "a", &2u64.to_be_bytes());
    // Hash prefixes: of single-valued text alone, 1 to 32 bits.
    for tag in [[4, 0, 1, 0, 0, 0], [4, 33, 1, 0, 0, 0], [4, 1, 1, 0, 0, 1], [4, 1, 2, 0, 0, 0]] {
        refused(&tag, "a", &0u64.to_be_bytes());
    }
    // Dates: their width and unit are fixed.
    for tag in
        [&[2, 1, 4, 21, 0, 0, b'd', b'a', b'y'][..], &[2, 1, 4, 22, 0, 0], &[2, 1, 4, 22, 1, 0, b'd', b'a', b'y']]
    {
        refused(tag, "a", &one);
    }
}

#[test]
fn hash_prefixes_are_bound_to_everything_that_the_label_is() {
    let shape = Shape::plain(Family::Text, false);
    let other = Scope { version: 2, ..SCOPE };
    let maker = Maker { scope: &SCOPE, namespace: Namespace::Attribute, shape: &shape, name: "a" };
    let hashes = [
        maker.hash("x"),
        maker.hash("y"),
        Maker { name: "b", ..maker }.hash("x"),
        Maker { scope: &other, ..maker }.hash("x"),
        Maker { namespace: Namespace::Record, ..maker }.hash("x"),
    ];
    assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), hashes.len());
    assert!(hashes.iter().all(|hash| *hash < 1 << HASH_BITS));
}

proptest! {
    #[test]
    fn bytes_never_end_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(label) = Label::parse(&bytes) {
            prop_assert_eq!(label.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn a_changed_byte_is_another_label_or_none(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let label = labels_of("", "role = doctor").remove(0);
        let mut bytes = label.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_ne!(Label::parse(&bytes), Some(label));
    }
}
