//! Two backends, one scheme: everything that leaves the room is equal byte by byte, in both directions.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::seeds;
use crate::backend::Backend;
use crate::backend::ark::Ark;
use crate::backend::blst::Blst;
use crate::*;
use crate::{authority, key, parameters};

const SCHEMA: &str = "level: number(6)\ndept: enum(ent, icu, er) negatable\ngroups: text set";

struct Made<B: Backend> {
    authority: authority::Authority<B>,
    key: key::UserKey<B>,
    ciphertext: Ciphertext,
    secret: [u8; 32],
}

fn make<B: Backend>(policy: &str, attributes: &str) -> Made<B> {
    let mut fresh = seeds();
    let schema = Schema::parse(SCHEMA).unwrap();
    let authority = authority::Authority::<B>::generate(AuthorityId([8; 16]), schema, Terms::default(), fresh());
    let public = authority.parameters();
    let attributes = Attributes::parse(attributes, public.schema()).unwrap();
    let grant =
        Grant { attributes: &attributes, valid_until: Some(Bucket::new(20_000)), serial: Some(Serial::new(77)) };
    let key = authority.issue(&grant, fresh()).unwrap();
    let dates = Dates { number: 3, issued_at: 5, next_update: 50 };
    let list = authority.revocation_list(dates, BTreeMap::from([(Serial::new(3), Bucket::new(30_000))])).unwrap();
    let policy = AccessPolicy::parse(policy, public).unwrap();
    let policy = policy.valid_from(Bucket::new(19_000)).excluding(&list, public, 10).unwrap();
    let (ciphertext, secret) = seal(public, &policy, b"context", fresh()).unwrap();
    Made { key, ciphertext, secret: *secret.expose(), authority }
}

fn same(policy: &str, attributes: &str) {
    let (blst, ark) = (make::<Blst>(policy, attributes), make::<Ark>(policy, attributes));
    assert_eq!(blst.authority.to_bytes(), ark.authority.to_bytes());
    assert_eq!(blst.authority.parameters().to_bytes(), ark.authority.parameters().to_bytes());
    assert_eq!(blst.key.to_bytes(), ark.key.to_bytes());
    assert_eq!(blst.ciphertext.to_bytes(), ark.ciphertext.to_bytes());
    assert_eq!(blst.secret, ark.secret);
    // Each opens what the other sealed, with a key that the other issued.
    let public = parameters::PublicParameters::<Ark>::from_bytes(blst.authority.parameters().to_bytes()).unwrap();
    let key = key::UserKey::<Ark>::from_bytes(&blst.key.to_bytes(), &public).unwrap();
    let opened = open(&public, &key, &blst.ciphertext, b"context").map(|secret| *secret.expose());
    let public = parameters::PublicParameters::<Blst>::from_bytes(ark.authority.parameters().to_bytes()).unwrap();
    let key = key::UserKey::<Blst>::from_bytes(&ark.key.to_bytes(), &public).unwrap();
    let again = open(&public, &key, &ark.ciphertext, b"context").map(|secret| *secret.expose());
    assert_eq!(opened, again);
    if let Ok(opened) = opened {
        assert_eq!(opened, blst.secret);
    }
}

#[test]
fn both_make_and_open_the_same() {
    for (policy, attributes) in [
        ("role = doctor", "role = doctor"),
        ("role = doctor and (dept = icu or level >= 3)", "role = doctor, level = 17"),
        ("2 of (a = x, groups = b, level < 9)", "groups = [b, c], level = 2"),
        ("a = x and (b = x or (a = x and c = x))", "a = x, c = x"),
        ("dept != er", "dept = ent"),
    ] {
        same(policy, attributes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn both_agree_on_generated_formulas(leaves in prop::collection::vec((0..4u8, any::<bool>()), 1..8), k in 1..4usize) {
        let texts: Vec<String> = leaves.iter().map(|(name, _)| format!("x{name} = y")).collect();
        let k = k.min(texts.len());
        let held: std::collections::BTreeSet<u8> = leaves.iter().filter(|(_, held)| *held).map(|(name, _)| *name).collect();
        let attributes: Vec<String> = held.iter().map(|name| format!("x{name} = y")).chain(["z = y".to_owned()]).collect();
        same(&format!("{k} of ({})", texts.join(", ")), &attributes.join(", "));
    }
}
