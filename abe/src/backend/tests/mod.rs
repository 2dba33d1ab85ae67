//! Both backends, operation by operation. What is true of the group is asked of each by the same generic test
//! ([`laws`], [`encodings`], [`vectors`]); what has one right answer in bytes is compared between the two ([`equal`]).

mod encodings;
mod equal;
mod laws;
mod vectors;

use sha2::{Digest, Sha256};

use super::{Backend, PublicScalar, SecretScalar, WIDE_BYTES};

/// The group order r, big-endian.
pub(super) const ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53, 0xbd, 0xa4,
    0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];

/// The field's modulus p, big-endian.
pub(super) const MODULUS: [u8; 48] = [
    0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7, 0x64, 0x77, 0x4b,
    0x84, 0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24, 0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53,
    0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab,
];

/// Runs generic tests on each backend, as tests of their own.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        #[cfg(feature = "blst")]
        mod on_blst {
            $(#[test] fn $name() { super::$name::<crate::backend::blst::Blst>(); })+
        }
        mod on_ark {
            $(#[test] fn $name() { super::$name::<crate::backend::ark::Ark>(); })+
        }
    };
}
pub(crate) use on_both;

/// A domain separation tag of the tests' own.
const DST: &[u8] = b"WARDKEEP-TEST-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";

/// 48 bytes that follow from a name.
pub(super) fn wide(name: &str) -> [u8; WIDE_BYTES] {
    let first = Sha256::digest(name);
    let second = Sha256::digest(first);
    std::array::from_fn(|i| if i < 32 { first[i] } else { second[i - 32] })
}

/// 48 bytes of a small number.
pub(super) fn small(number: u64) -> [u8; WIDE_BYTES] {
    let mut bytes = [0; WIDE_BYTES];
    bytes[WIDE_BYTES - 8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The group order plus a small number, which may be negative.
pub(super) fn around_the_order(offset: i8) -> [u8; WIDE_BYTES] {
    let mut bytes = [0; WIDE_BYTES];
    bytes[16..].copy_from_slice(&ORDER);
    // The order ends in ..00000001: one borrow reaches no further than the bytes below.
    let tail = i64::from(u32::from_be_bytes([0, 0, 0, 1])) + i64::from(offset) + (0xffff_ffff_i64 << 32);
    bytes[WIDE_BYTES - 8..].copy_from_slice(&(tail as u64).to_be_bytes());
    bytes
}

/// Exponents at every boundary: small ones, the order and its neighbours, single bits at the edges of windows and of
/// limbs, all ones; and some from the middle.
pub(super) fn exponents() -> Vec<[u8; WIDE_BYTES]> {
    let mut all: Vec<_> = (0..=33).map(small).collect();
    all.extend((-34..=3).map(around_the_order));
    for bit in [4, 5, 6, 31, 32, 63, 64, 65, 127, 128, 129, 191, 192, 252, 253, 254, 255, 256, 383] {
        let mut bytes = [0; WIDE_BYTES];
        bytes[WIDE_BYTES - 1 - bit / 8] = 1 << (bit % 8);
        all.push(bytes);
        // And one less: ones throughout.
        let mut ones = [0; WIDE_BYTES];
        ones[WIDE_BYTES - bit / 8..].fill(0xff);
        ones[WIDE_BYTES - 1 - bit / 8] = (1 << (bit % 8)) - 1;
        all.push(ones);
    }
    all.push([0xff; WIDE_BYTES]);
    all.extend((0..8).map(|number| wide(&format!("exponent {number}"))));
    all
}

pub(super) fn secret<B: Backend>(bytes: &[u8; WIDE_BYTES]) -> B::Secret {
    B::Secret::from_wide(bytes)
}

pub(super) fn point<B: Backend>(name: &str) -> B::G1 {
    B::hash_g1(DST, name.as_bytes())
}

/// The point at infinity, by way of the sum of none.
pub(super) fn infinity<B: Backend>() -> B::G1 {
    B::g1_sum(&[])
}

pub(super) fn g1<B: Backend>(point: &B::G1) -> [u8; 48] {
    B::g1_to_bytes(&[point])[0]
}

pub(super) fn g2<B: Backend>(point: &B::G2) -> [u8; 96] {
    B::g2_to_bytes(&[point])[0]
}

/// The number `number / divisor`, as a public exponent: as long as any.
pub(super) fn fraction<B: Backend>(number: u64, divisor: u64) -> B::Public {
    B::Public::from_u64(number).mul(B::Public::from_u64(divisor).invert().unwrap())
}
