//! RFC 9380, appendix J.9.1: hashing to G1. A wrong hash is a hash whose discrete logarithms may be known, which broke
//! another library of this kind; it still opens what it sealed, so that only foreign vectors show it.

use std::path::PathBuf;

use serde::Deserialize;

use super::{g1, on_both};
use crate::backend::Backend;

/// (p - 1) / 2: the larger of two roots is above it, and is flagged.
const HALF: &str = "0d0088f51cbff34d258dd3db21a5d66bb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555";

#[derive(Deserialize)]
struct Suite {
    ciphersuite: String,
    dst: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    msg: String,
    #[serde(rename = "P")]
    point: Coordinates,
}

#[derive(Deserialize)]
struct Coordinates {
    x: String,
    y: String,
}

/// The suite's file beside the project, or where `WARDKEEP_TEST_DATA` points.
fn suite() -> Option<Suite> {
    let data = std::env::var_os("WARDKEEP_TEST_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(data.join("hash-to-curve/BLS12381G1_XMD_SHA-256_SSWU_RO.json")) else {
        println!("SKIPPED all 5 cases of RFC 9380, J.9.1: the file is not there; set WARDKEEP_TEST_DATA");
        return None;
    };
    let suite: Suite = serde_json::from_str(&text).unwrap();
    assert_eq!(suite.ciphersuite, "BLS12381G1_XMD:SHA-256_SSWU_RO_");
    assert_eq!(suite.dst, "QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_");
    assert_eq!(suite.vectors.len(), 5, "every vector of the appendix");
    Some(suite)
}

fn compressed(point: &Coordinates) -> [u8; 48] {
    let x = point.x.strip_prefix("0x").unwrap();
    let y = point.y.strip_prefix("0x").unwrap();
    let mut bytes = std::array::from_fn(|i| u8::from_str_radix(&x[2 * i..2 * i + 2], 16).unwrap());
    // Hexadecimal of one length and one case compares like the numbers.
    assert_eq!((x.len(), y.len()), (96, 96));
    bytes[0] |= if y > HALF { 0xa0 } else { 0x80 };
    bytes
}

fn the_vectors_of_the_rfc<B: Backend>() {
    let Some(suite) = suite() else { return };
    for vector in &suite.vectors {
        let found = B::hash_g1(suite.dst.as_bytes(), vector.msg.as_bytes());
        assert_eq!(g1::<B>(&found), compressed(&vector.point), "message `{}`", vector.msg);
    }
}

fn another_tag_or_message_is_another_point<B: Backend>() {
    let base = g1::<B>(&B::hash_g1(b"tag", b"message"));
    assert_eq!(base, g1::<B>(&B::hash_g1(b"tag", b"message")), "and the same is the same");
    for (dst, message) in [(&b"tag2"[..], &b"message"[..]), (b"tag", b"messag"), (b"tagm", b"essage"), (b"tag", b"")] {
        assert_ne!(base, g1::<B>(&B::hash_g1(dst, message)));
    }
}

/// A tag beyond 255 bytes is hashed first (section 5.3.3), not cut: two that agree in 255 bytes differ.
fn long_tags_are_not_cut<B: Backend>() {
    let (mut left, mut right) = (vec![7; 300], vec![7; 300]);
    left[299] = 1;
    right[299] = 2;
    assert_ne!(g1::<B>(&B::hash_g1(&left, b"m")), g1::<B>(&B::hash_g1(&right, b"m")));
}

on_both!(the_vectors_of_the_rfc, another_tag_or_message_is_another_point, long_tags_are_not_cut);
