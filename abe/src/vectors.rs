//! Known answers: everything that leaves the room, from fixed seeds, on both backends.
//!
//! `testdata/v1/known-answers.json` is what a second implementation checks itself against (docs/abe.md, *Vectors*).
//! `WARDKEEP_WRITE_GOLDEN=1` writes it anew; a reviewer sees it change.

#![cfg(feature = "blst")]

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::backend::Backend;
use crate::backend::ark::Ark;
use crate::backend::blst::Blst;
use crate::label::Namespace;
use crate::*;
use crate::{authority, key, key_policy, parameters};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/v1/known-answers.json");

/// What a case is made of: attributes, policy, and the last bucket of the key.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("one attribute", "", "role = doctor", "role = doctor"),
    ("and, or", "", "role = doctor, dept = cardiology", "role = doctor and (dept = cardiology or clearance >= 3)"),
    (
        "numbers",
        "level: number(8)\nbalance: number(16, signed)",
        "level = 200, balance = -5",
        "level > 100 and balance < 0",
    ),
    ("dates", "born: date", "born = 1980-02-29", "born <= 1999-12-31"),
    ("sets", "wards: enum(ent, icu, er) set negatable", "wards = [ent, icu]", "wards = ent and wards != er"),
    ("open negation", "city: text negatable", "city = Bonn", "city != Ulm"),
    ("threshold", "", "a = x, c = x", "2 of (a = x, b = x, c = x)"),
    ("repeated attribute", "", "a = x, c = x", "a = x and (b = x or (a = x and c = x))"),
    ("quoted, normalised", "", "\"caf\u{e9} no. 1\" = \"cafe\u{301}\"", "\"cafe\u{301} no. 1\" = \"caf\u{e9}\""),
    // Neighbours in a list are one range; a range of dates without an end covers numbers that are no date.
    (
        "lists and open ranges",
        "level: number(8)\nborn: date",
        "level = 9, born = 2001-09-09",
        "level in [9, 3, 2, 8, 200] and born >= 2000-01-01 and born in [2001-09-09, 2001-09-10, 1970-01-01]",
    ),
    // Nothing here stands in its canonical form.
    (
        "written otherwise",
        "",
        "b=\"x\",a = x  ,  \"cafe\u{301}\" = \"A\u{30a}\\u{200b}\\n\"",
        "(a = x and (b = x)) and 1 of (cafe\u{301} = \"\u{212b}\\u{200b}\\n\") and 2 of (a = x, b in [x, \"x\", y])",
    ),
    (
        "thresholds of gates",
        "",
        "b = x, d = x, e = x",
        "2 of (a = x and b = x, 2 of (b = x, c = x and d = x, d = x and e = x), c = x or d = x and e = x)",
    ),
    (
        "units, sets, not a number",
        "balance: number(16, signed) unit(EUR) negatable\nscores: number(4) set\nwards: enum(ent, icu) set negatable\nborn: date negatable",
        "balance = -5, scores = [3, 2, 2], wards = [], born = 1970-01-01",
        "balance != -6 and scores > 2 and wards != icu and born != 1999-12-31",
    ),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn seed(number: u8) -> Seed {
    Seed::new([number; 32])
}

fn case<B: Backend>(index: usize, (name, schema, attributes, policy): (&str, &str, &str, &str)) -> Json {
    let id = [u8::try_from(index).unwrap(); 16];
    let authority = authority::Authority::<B>::generate(
        AuthorityId(id),
        Schema::parse(schema).unwrap(),
        Terms::new(BucketLength::Hour, 8).unwrap(),
        seed(1),
    );
    let public = authority.parameters();
    let held = Attributes::parse(attributes, public.schema()).unwrap();
    let grant = Grant { attributes: &held, valid_until: Some(Bucket::new(500_000)), serial: Some(Serial::new(9)) };
    let key = authority.issue(&grant, seed(2)).unwrap();
    let dates = Dates { number: 4, issued_at: 1_000, next_update: 2_000 };
    let revoked = BTreeMap::from([(Serial::new(3), Bucket::new(600_000))]);
    let list = authority.revocation_list(dates, revoked).unwrap();
    let plain = AccessPolicy::parse(policy, public).unwrap();
    let bounded = plain.clone().valid_from(Bucket::new(499_999)).excluding(&list, public, 1_500).unwrap();
    let sealed = |policy: &AccessPolicy, number| {
        let (ciphertext, secret) = seal(public, policy, b"context", seed(number)).unwrap();
        let opened = open(public, &key, &ciphertext, b"context").unwrap();
        assert!(opened.is_same(&secret), "{name}");
        json!({
            "seed": hex(&[number; 32]), "context": hex(b"context"),
            "bucket": policy.bucket().map(Bucket::number), "revocation_list": policy.revocation_list(),
            "ciphertext": hex(ciphertext.to_bytes()), "secret": hex(secret.expose()),
        })
    };
    let labels = held.labels(public.schema(), public.scope(), Namespace::Attribute).unwrap();
    let labels = labels.iter().map(|label| {
        let point = B::hash_g1(Scheme::CiphertextPolicy.attribute_tag(), label.as_bytes());
        json!({ "means": label.describe(), "bytes": hex(label.as_bytes()), "point": hex(&B::g1_to_bytes(&[&point])[0]) })
    });
    json!({
        "name": name, "authority": hex(&id), "schema": schema, "bucket_length": "hour", "serial_bits": 8,
        "authority_seed": hex(&[1; 32]), "master_key": hex(&authority.to_bytes()), "parameters": hex(public.to_bytes()),
        "fingerprint": hex(public.fingerprint()),
        "written": { "attributes": attributes, "policy": policy }, "attributes": held.to_string(), "labels": labels.collect::<Vec<_>>(), "valid_until": 500_000, "serial": 9,
        "key_seed": hex(&[2; 32]), "key": hex(&key.to_bytes()),
        "revocation_list": hex(list.to_bytes()),
        "policy": plain.formula().to_string(), "rows": plain.formula().rows(),
        "sealed": [sealed(&plain, 3), sealed(&bounded, 4)],
    })
}

fn twin<B: Backend>() -> Json {
    let schema = "year: number(12)\nkinds: text set";
    let authority =
        key_policy::Authority::<B>::generate(AuthorityId([0x70; 16]), Schema::parse(schema).unwrap(), seed(1));
    let public = authority.parameters();
    let formula =
        Formula::parse("kinds = visit and (year >= 2030 or kinds = lab and kinds = visit)", public.schema()).unwrap();
    let key = authority.issue(&formula, seed(2)).unwrap();
    let record = Attributes::parse("kinds = [lab, visit], year = 2024", public.schema()).unwrap();
    let (ciphertext, secret) = key_policy::seal(public, &record, b"context", seed(3)).unwrap();
    assert!(key_policy::open(public, &key, &ciphertext, b"context").unwrap().is_same(&secret));
    json!({
        "schema": schema, "authority": hex(&[0x70; 16]), "authority_seed": hex(&[1; 32]),
        "master_key": hex(&authority.to_bytes()), "parameters": hex(public.to_bytes()),
        "formula": formula.to_string(), "key_seed": hex(&[2; 32]), "key": hex(&key.to_bytes()),
        "record": record.to_string(), "seed": hex(&[3; 32]), "context": hex(b"context"),
        "ciphertext": hex(ciphertext.to_bytes()), "secret": hex(secret.expose()),
    })
}

fn all<B: Backend>() -> Json {
    let cases: Vec<Json> = CASES.iter().enumerate().map(|(at, made)| case::<B>(at + 1, *made)).collect();
    json!({ "format": 1, "ciphertext_policy": cases, "key_policy": twin::<B>() })
}

fn known() -> Json {
    if std::env::var_os("WARDKEEP_WRITE_GOLDEN").is_some() {
        std::fs::write(FILE, format!("{:#}\n", all::<Blst>())).unwrap();
    }
    serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap()
}

#[test]
fn both_backends_give_the_known_answers() {
    let known = known();
    // Not `assert_eq`: both sides are a hundred kilobytes.
    assert!(all::<Blst>() == known, "blst gives other answers");
    assert!(all::<Ark>() == known, "arkworks gives other answers");
}

/// What was written yesterday is read today, from its bytes alone.
#[test]
fn known_bytes_are_read_and_opened() {
    let known = known();
    for case in known["ciphertext_policy"].as_array().unwrap() {
        let bytes = |value: &Json| unhex(value.as_str().unwrap());
        let authority = authority::Authority::<Blst>::from_bytes(&bytes(&case["master_key"])).unwrap();
        let public = parameters::PublicParameters::<Blst>::from_bytes(&bytes(&case["parameters"])).unwrap();
        assert_eq!(authority.parameters().to_bytes(), public.to_bytes());
        let key = key::UserKey::<Blst>::from_bytes(&bytes(&case["key"]), &public).unwrap();
        assert_eq!((key.valid_until(), key.serial()), (Some(Bucket::new(500_000)), Some(Serial::new(9))));
        let list = RevocationList::from_bytes(&bytes(&case["revocation_list"]), &public).unwrap();
        assert_eq!(list.number(), 4);
        for sealed in case["sealed"].as_array().unwrap() {
            let ciphertext = Ciphertext::from_bytes(&bytes(&sealed["ciphertext"])).unwrap();
            assert_eq!(ciphertext.text(), case["policy"].as_str().unwrap());
            let secret = open(&public, &key, &ciphertext, &bytes(&sealed["context"])).unwrap();
            assert_eq!(hex(secret.expose()), sealed["secret"].as_str().unwrap(), "{}", case["name"]);
        }
        let file = to_key_file(&public, &key);
        let (again, held) = from_key_file::<Blst>(&file).unwrap();
        assert_eq!((again.to_bytes(), held.labels()), (public.to_bytes(), key.labels()));
        // Every part's end, and some places within.
        for cut in (0..64).chain((64..file.len()).step_by(997)) {
            assert!(from_key_file::<Blst>(&file[..cut]).is_err(), "cut at {cut}");
        }
    }
}

/// The sizes that the product promises: ten string attributes, names and policy text not counted.
#[test]
fn ten_attributes_are_small() {
    let authority =
        authority::Authority::<Blst>::generate(AuthorityId([1; 16]), Schema::default(), Terms::default(), seed(1));
    let public = authority.parameters();
    let leaf = |at: u8| format!("a{at} = x");
    let all: Vec<String> = (0..10).map(leaf).collect();
    let held = Attributes::parse(&all.join(", "), public.schema()).unwrap();
    let key = authority.issue(&Grant { attributes: &held, valid_until: None, serial: None }, seed(2)).unwrap();
    let names: usize = key.labels().iter().map(|label| label.as_bytes().len() + 4).sum();
    let size = key.to_bytes().len() - names;
    assert_eq!(size, 96 + 48 * 11 + 53, "points, and a header of 53 bytes");
    assert!(size <= 700, "{size}");
    let policy = AccessPolicy::parse(&all.join(" and "), public).unwrap();
    let (ciphertext, _) = seal(public, &policy, b"", seed(3)).unwrap();
    let size = ciphertext.to_bytes().len() - policy.statement().len();
    assert_eq!(size, 96 + 96 + 48 * 10 + 32 + 37, "points, masked message, and a header of 37 bytes");
    assert!(size <= 750, "{size}");
}
