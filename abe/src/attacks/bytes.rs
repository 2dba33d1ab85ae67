//! Malleability and decoders: every byte of a ciphertext, points that are none, lengths that lie.

use super::*;
use crate::backend::{G1_BYTES, G2_BYTES};

struct Bench {
    authority: Authority,
    key: UserKey,
    ciphertext: Ciphertext,
}

fn bench() -> Bench {
    let (authority, mut fresh) = (authority("level: number(4)"), seeds());
    let (ciphertext, _) = sealed(&authority, "role = doctor and (dept = ent or level >= 3)", fresh());
    let key = key(&authority, "role = doctor, dept = ent", fresh());
    Bench { authority, key, ciphertext }
}

impl Bench {
    fn open(&self, bytes: &[u8]) -> Result<Secret, OpenError> {
        let ciphertext = Ciphertext::from_bytes(bytes)?;
        open(self.authority.parameters(), &self.key, &ciphertext, b"context")
    }
}

/// Where the points begin: behind magic, format, scheme, authority, version, policy and two counts.
fn points_at(ciphertext: &Ciphertext) -> usize {
    7 + 2 + 16 + 4 + 4 + ciphertext.statement().len() + 4
}

#[test]
fn every_flipped_byte_is_refused() {
    let bench = bench();
    let bytes = bench.ciphertext.to_bytes();
    assert!(bench.open(bytes).is_ok());
    for at in 0..bytes.len() {
        for mask in [1, 0x80] {
            let mut changed = bytes.to_vec();
            changed[at] ^= mask;
            let refused = bench.open(&changed).err().unwrap_or_else(|| panic!("byte {at} ^ {mask:#x} goes unnoticed"));
            if at >= points_at(&bench.ciphertext) {
                assert_eq!(
                    refused,
                    OpenError::NotOpened,
                    "byte {at}: a point's value is told by the uniform error alone"
                );
            }
        }
    }
}

#[test]
fn every_cut_and_every_extension_is_a_structural_error() {
    let bench = bench();
    let bytes = bench.ciphertext.to_bytes();
    for cut in 0..bytes.len() {
        assert!(matches!(bench.open(&bytes[..cut]), Err(OpenError::Decode(_))), "cut at {cut}");
    }
    let long = [bytes, b"\0"].concat();
    assert_eq!(bench.open(&long).unwrap_err(), OpenError::Decode(DecodeError::TrailingBytes { count: 1 }));
}

/// A row that no one opens, replaced by other points, or moved by a point of order three, which sums over the whole
/// curve miss one time in three: the comparison of bytes misses nothing. The same for the points in G2.
#[test]
fn unopened_rows_are_compared_too() {
    let bench = bench();
    let points = bench.ciphertext.points().clone();
    let rebuilt = |points: crate::ciphertext::Points| {
        let statement = bench.ciphertext.statement().to_vec();
        Ciphertext::new(Scheme::CiphertextPolicy, *bench.ciphertext.scope(), statement, points)
    };
    assert_eq!(rebuilt(points.clone()), bench.ciphertext, "the attacker's tool is right");
    let last = points.in_g1.len() - 1;
    for row in 0..=last {
        let next = points.in_g1[(row + 1) % (last + 1)];
        let by_three = moved(&points.in_g1[row], 1);
        assert_eq!(moved(&moved(&by_three, 1), 1), points.in_g1[row], "of order three");
        for replaced in [outside_the_subgroup(), INFINITY, [0xff; G1_BYTES], next, by_three] {
            let mut points = points.clone();
            points.in_g1[row] = replaced;
            assert_eq!(bench.open(rebuilt(points).to_bytes()).unwrap_err(), OpenError::NotOpened, "row {row}");
        }
    }
    let (mut first, mut repeat) = (points.clone(), points);
    first.ct1 = outside_the_subgroup_in_g2();
    repeat.in_g2[0] = first.ct1;
    for changed in [first, repeat] {
        assert_eq!(bench.open(rebuilt(changed).to_bytes()).unwrap_err(), OpenError::NotOpened);
    }
}

/// The point and (0, 2), which has order three on y^2 = x^3 + 4.
fn moved(point: &[u8; G1_BYTES], times: i64) -> [u8; G1_BYTES] {
    let mut bytes = [0; G1_BYTES];
    bytes[0] = 0x80;
    let small = Group::g1_from_bytes(&bytes, Trust::OnCurveOnly).unwrap();
    let point = Group::g1_from_bytes(point, Trust::OnCurveOnly).unwrap();
    Group::g1_to_bytes(&[&(0..times).fold(point, |sum, _| plus(&sum, &small))])[0]
}

/// A point of G2's curve that is not in G2.
fn outside_the_subgroup_in_g2() -> [u8; G2_BYTES] {
    let candidate = |x: u8| {
        let mut bytes = [0; G2_BYTES];
        (bytes[0], bytes[G2_BYTES - 1]) = (0x80, x);
        bytes
    };
    let outside = |bytes: &[u8; G2_BYTES]| {
        Group::g2_from_bytes(bytes, Trust::OnCurveOnly).is_some()
            && Group::g2_from_bytes(bytes, Trust::Checked).is_none()
    };
    (1..=255).map(candidate).find(outside).unwrap()
}

/// A point on the curve that lies outside the subgroup: x = 4 is one on y^2 = x^3 + 4, and the cofactor is 2^125.
fn outside_the_subgroup() -> [u8; G1_BYTES] {
    for x in 1u8..=255 {
        let mut bytes = [0; G1_BYTES];
        bytes[0] = 0x80;
        bytes[G1_BYTES - 1] = x;
        let on_curve = Group::g1_from_bytes(&bytes, Trust::OnCurveOnly).is_some();
        if on_curve && Group::g1_from_bytes(&bytes, Trust::Checked).is_none() {
            return bytes;
        }
    }
    unreachable!("half of all x are on the curve, and none of these is in the subgroup")
}

const INFINITY: [u8; G1_BYTES] = {
    let mut bytes = [0; G1_BYTES];
    bytes[0] = 0xc0;
    bytes
};

/// Keys and parameters: every point that is none is a clear error, in every place.
#[test]
fn keys_with_bad_points_are_refused_at_load() {
    let bench = bench();
    let public = bench.authority.parameters();
    let bytes = bench.key.to_bytes();
    let first = bytes.len() - G2_BYTES - G1_BYTES * (bench.key.labels().len() + 1);
    let in_g1 = |at: usize| first + G2_BYTES + at * G1_BYTES;
    let refused = |at: usize, point: &[u8]| {
        let mut changed = bytes.to_vec();
        changed[at..at + point.len()].copy_from_slice(point);
        assert_eq!(
            UserKey::from_bytes(&changed, public).unwrap_err(),
            DecodeError::BadPoint { part: "key" },
            "at {at}"
        );
    };
    let mut uncompressed = outside_the_subgroup();
    uncompressed[0] &= 0x7f;
    for at in 0..=bench.key.labels().len() {
        for point in [outside_the_subgroup(), INFINITY, [0xff; G1_BYTES], uncompressed] {
            refused(in_g1(at), &point);
        }
    }
    let mut infinity = [0; G2_BYTES];
    infinity[0] = 0xc0;
    for point in [infinity, [0xff; G2_BYTES], [0; G2_BYTES]] {
        refused(first, &point);
    }
    for cut in 0..bytes.len() {
        assert!(UserKey::from_bytes(&bytes[..cut], public).is_err(), "cut at {cut}");
    }
    let long = [bytes.as_slice(), b"\0"].concat();
    assert_eq!(UserKey::from_bytes(&long, public).unwrap_err(), DecodeError::TrailingBytes { count: 1 });
}

#[test]
fn parameters_are_signed_whole_and_read_whole() {
    let bench = bench();
    let public = bench.authority.parameters();
    let bytes = public.to_bytes();
    let again = PublicParameters::from_bytes(bytes).unwrap();
    assert_eq!((again.to_bytes(), again.fingerprint()), (bytes, public.fingerprint()));
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        assert!(PublicParameters::from_bytes(&changed).is_err(), "byte {at}");
    }
    assert!((0..bytes.len()).all(|cut| PublicParameters::from_bytes(&bytes[..cut]).is_err()));
    let long = [bytes, b"\0"].concat();
    assert_eq!(PublicParameters::from_bytes(&long).unwrap_err(), DecodeError::TrailingBytes { count: 1 });
    // Somebody else's parameters are whole too; the pinned signing key tells them apart.
    let other = Authority::generate(AuthorityId([3; 16]), Schema::default(), Terms::default(), Seed::new([1; 32]));
    assert_eq!(public.verify(public.signing_key()), Ok(()));
    let foreign = DecodeError::OtherParameters { part: "parameters" };
    assert_eq!(other.parameters().verify(public.signing_key()), Err(foreign));
}

/// Elements of GT that are none, under a valid signature: one, outside the subgroup, not canonical.
#[test]
fn parameters_whose_pairing_is_none_are_refused() {
    use ed25519_dalek::{Signer, SigningKey};
    let public = bench().authority.parameters().clone();
    let signing = SigningKey::from_bytes(&[5; 32]);
    let sign = |pairing: [u8; crate::backend::GT_BYTES]| {
        let (scope, terms, schema) = (*public.scope(), *public.terms(), public.schema().clone());
        let signer = signing.verifying_key().to_bytes();
        let body = crate::parameters::Body { scheme: Scheme::CiphertextPolicy, scope, terms, schema, pairing, signer };
        let unsigned = body.encode();
        let signature = signing.sign(&unsigned).to_bytes();
        PublicParameters::from_bytes(&[unsigned.as_slice(), &signature].concat())
    };
    assert!(sign(*public.pairing()).is_ok(), "the attacker's tool is right");
    let one = Group::gt_to_bytes(&Group::multi_pairing(&[]));
    let mut two = one;
    two.iter_mut().for_each(|byte| *byte *= 2);
    for pairing in [one, two, [0; 576], [0xff; 576]] {
        assert_eq!(sign(pairing).unwrap_err(), DecodeError::BadPoint { part: "pairing" });
    }
}

/// A key without a serial that claims one beyond the tree, whose path is empty and therefore held by everybody.
#[test]
fn a_key_cannot_claim_a_serial_beyond_the_tree() {
    let bench = bench();
    let mut bytes = key(&bench.authority, "role = doctor", Seed::new([6; 32])).to_bytes().to_vec();
    let at = 7 + 2 + 32 + 5;
    bytes[at..at + 5].copy_from_slice(&[1, 0xff, 0xff, 0xff, 0xff]);
    let refused = UserKey::from_bytes(&bytes, bench.authority.parameters()).unwrap_err();
    assert_eq!(refused, DecodeError::Malformed { part: "serial" });
}

/// A file that claims a longer life or another serial than its labels give.
#[test]
fn a_key_cannot_lie_about_itself() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    let attributes = Attributes::parse("role = doctor", public.schema()).unwrap();
    let grant = Grant { attributes: &attributes, valid_until: Some(Bucket::new(20_000)), serial: Some(Serial::new(7)) };
    let bytes = authority.issue(&grant, fresh()).unwrap().to_bytes();
    assert_eq!(UserKey::from_bytes(&bytes, public).unwrap().valid_until(), Some(Bucket::new(20_000)));
    let at = 7 + 2 + 32;
    for (place, part) in [(at, "validity"), (at + 4, "validity"), (at + 5, "serial"), (at + 9, "serial")] {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1;
        assert_eq!(UserKey::from_bytes(&changed, public).unwrap_err(), DecodeError::Malformed { part }, "at {place}");
    }
}
