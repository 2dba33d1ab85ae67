//! Known answers: stored ciphertexts outlive code, and a second implementation starts here. The bytes were written by
//! hand from the table of `label.rs`, the hash by another SHA-256.

use super::*;

const GOLDEN: Scope =
    Scope { authority: AuthorityId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]), version: 2 };

const SCHEMA: &str = "
région: text negatable
tags: enum(a, b) set negatable
w: number(16, signed) unit(kg)
born: date
";

/// Attributes, the label's description, its bytes, all in the namespace that the second column names.
const ANSWERS: &[(&str, Namespace, &str, &str)] = &[
    (
        "région = Île",
        Namespace::Attribute,
        "\"région\" = \"Île\"",
        "00000010000102030405060708090a0b0c0d0e0f00000004000000020000000101000000060100010000000000000772c3a967696f6e\
         00000004c38e6c65",
    ),
    (
        "tags = [a]",
        Namespace::Record,
        "tags != b",
        "00000010000102030405060708090a0b0c0d0e0f000000040000000200000001040000000603000200000100000004746167730000000162",
    ),
    (
        "w = 5000",
        Namespace::Attribute,
        "w: prefix 10010/16 bits",
        "00000010000102030405060708090a0b0c0d0e0f00000004000000020000000101000000080205031001006b670000000177000000080000\
         000000000012",
    ),
    (
        "born = 1970-01-01",
        Namespace::Attribute,
        "born: prefix 0010101111100100111010/22 bits",
        "00000010000102030405060708090a0b0c0d0e0f000000040000000200000001010000000902160416000064617900000004626f726e0000\
         000800000000000af93a",
    ),
    (
        "région = Île",
        Namespace::Attribute,
        "\"région\": hash prefix 001101100/32 bits",
        "00000010000102030405060708090a0b0c0d0e0f00000004000000020000000101000000060409010000000000000772c3a967696f6e\
         00000008000000000000006c",
    ),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn labels_of_every_kind_have_these_bytes() {
    let schema = Schema::parse(SCHEMA).unwrap();
    for (attributes, namespace, described, bytes) in ANSWERS {
        let attributes = Attributes::parse(attributes, &schema).unwrap();
        let labels = attributes.labels(&schema, &GOLDEN, *namespace).unwrap();
        let label = labels.iter().find(|label| label.describe() == *described);
        let label = label.unwrap_or_else(|| panic!("no label says `{described}`"));
        assert_eq!(hex(label.as_bytes()), *bytes, "{described}");
    }
}

#[test]
fn the_hash_of_a_text_is_this_one() {
    let shape = Shape::plain(Family::Text, false);
    let maker = Maker { scope: &GOLDEN, namespace: Namespace::Attribute, shape: &shape, name: "région" };
    assert_eq!(maker.hash("Île"), 0x3618_db91);
}

#[test]
fn codes_are_those_that_were_given_out() {
    let codes = Namespace::ALL.map(Namespace::code);
    assert_eq!(codes, [1, 2, 3, 4]);
    let tag = |kind| Tag { kind, shape: Shape::number(20) }.to_bytes();
    assert_eq!(tag(Kind::Prefix(7)), [2, 7, 3, 20, 0, 0]);
    let text = Shape::plain(Family::Text, true);
    assert_eq!(Tag { kind: Kind::Equal, shape: text }.to_bytes(), [1, 0, 1, 0, 0, 1]);
}
