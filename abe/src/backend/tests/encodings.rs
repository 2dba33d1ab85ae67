//! Bytes from outside. What other implementations let through here was: a second spelling of a point (flags, a coordinate
//! above the modulus), the point at infinity as a key, and points outside the subgroup, which leak a secret exponent
//! modulo small numbers.

use super::{MODULUS, g1, g2, infinity, on_both, point, secret, small, wide};
use crate::backend::{Backend, GT_BYTES, Trust};

const BOTH: [Trust; 2] = [Trust::Checked, Trust::OnCurveOnly];

fn points_come_back<B: Backend>() {
    let points: Vec<B::G1> = (0..5).map(|number| point::<B>(&format!("point {number}"))).collect();
    let all: Vec<&B::G1> = points.iter().collect();
    let bytes = B::g1_to_bytes(&all);
    assert_eq!(bytes.len(), 5);
    for (point, bytes) in points.iter().zip(&bytes) {
        assert_eq!(g1::<B>(point), *bytes, "alone as among others");
        for trust in BOTH {
            assert_eq!(g1::<B>(&B::g1_from_bytes(bytes, trust).unwrap()), *bytes);
        }
        let negated = g1::<B>(&B::g1_neg(point));
        assert_eq!(negated[0] ^ bytes[0], 0x20, "the inverse differs in the sign alone");
        assert_eq!(negated[1..], bytes[1..]);
    }
    for number in 1..6 {
        let bytes = g2::<B>(&B::g2_mul_gen_secret(&secret::<B>(&small(number))));
        for trust in BOTH {
            assert_eq!(g2::<B>(&B::g2_from_bytes(&bytes, trust).unwrap()), bytes);
        }
    }
    assert!(B::g1_to_bytes(&[]).is_empty());
    assert!(B::g2_to_bytes(&[]).is_empty());
}

fn the_generators_are_the_standard_ones<B: Backend>() {
    let start = [0x97, 0xf1, 0xd3, 0xa7, 0x31, 0x97, 0xd7, 0x94, 0x26, 0x95, 0x63, 0x8c, 0x4f, 0xa9, 0xac, 0x0f];
    assert_eq!(g1::<B>(&B::g1_generator())[..16], start);
    let start = [0x93, 0xe0, 0x2b, 0x60, 0x52, 0x71, 0x9f, 0x60, 0x7d, 0xac, 0xd3, 0xa0, 0x88, 0x27, 0x4f, 0x65];
    assert_eq!(g2::<B>(&B::g2_generator())[..16], start);
}

/// Written as the draft says, among other points too; refused whenever it is read.
fn the_point_at_infinity_is_written_and_not_read<B: Backend>() {
    let mut expected = [0; 48];
    expected[0] = 0xc0;
    let (before, after) = (point::<B>("before"), point::<B>("after"));
    let written = B::g1_to_bytes(&[&before, &infinity::<B>(), &after]);
    assert_eq!(written, [g1::<B>(&before), expected, g1::<B>(&after)]);
    let zero = B::g2_mul_gen_secret(&secret::<B>(&small(0)));
    let generator = B::g2_generator();
    let mut wide = [0; 96];
    wide[0] = 0xc0;
    assert_eq!(B::g2_to_bytes(&[&zero, &generator, &zero]), [wide, g2::<B>(&generator), wide]);
    for trust in BOTH {
        assert!(B::g1_from_bytes(&expected, trust).is_none());
        assert!(B::g2_from_bytes(&wide, trust).is_none());
    }
}

/// Every other value of the three flag bits, on a good point and on the zeros of the point at infinity.
fn flags_have_one_spelling<B: Backend>() {
    let good = g1::<B>(&point::<B>("flags"));
    let good_g2 = g2::<B>(&B::g2_generator());
    for flags in 0..8u8 {
        for trust in BOTH {
            let mut bytes = good;
            bytes[0] = (bytes[0] & 0x1f) | (flags << 5);
            // 100 and 101 are the point and its inverse.
            assert_eq!(B::g1_from_bytes(&bytes, trust).is_some(), flags == 4 || flags == 5, "{flags:03b}");
            let mut bytes = good_g2;
            bytes[0] = (bytes[0] & 0x1f) | (flags << 5);
            assert_eq!(B::g2_from_bytes(&bytes, trust).is_some(), flags == 4 || flags == 5, "{flags:03b}");
            let mut zeros = [0; 48];
            zeros[0] = flags << 5;
            // Zeros without the flag of infinity are the point with x = 0, which is on the curve.
            let on_curve = (flags == 4 || flags == 5) && trust == Trust::OnCurveOnly;
            assert_eq!(B::g1_from_bytes(&zeros, trust).is_some(), on_curve, "{flags:03b} of zeros");
            let mut zeros = [0; 96];
            zeros[0] = flags << 5;
            assert!(B::g2_from_bytes(&zeros, trust).is_none(), "{flags:03b} of zeros in G2");
        }
    }
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    infinity[47] = 1;
    assert!(B::g1_from_bytes(&infinity, Trust::OnCurveOnly).is_none(), "infinity with a coordinate");
}

/// x + p stands for the same number as x, where it fits: nowhere a second spelling.
fn coordinates_above_the_modulus_are_refused<B: Backend>() {
    let mut tried = 0;
    for x in 0..40u8 {
        let mut low = [0; 48];
        low[0] = 0x80;
        low[47] = x;
        let mut high = MODULUS;
        high[0] |= 0x80;
        // The modulus ends in ..aaab: no carry.
        high[47] += x;
        if B::g1_from_bytes(&low, Trust::OnCurveOnly).is_some() {
            tried += 1;
            for trust in BOTH {
                assert!(B::g1_from_bytes(&high, trust).is_none(), "x = p + {x}");
            }
        }
    }
    assert!(tried > 5, "{tried} coordinates on the curve");
    let good = g2::<B>(&B::g2_generator());
    for place in [0, 48] {
        let mut bytes = good;
        bytes[place..place + 48].copy_from_slice(&MODULUS);
        bytes[0] |= 0x80;
        assert!(B::g2_from_bytes(&bytes, Trust::OnCurveOnly).is_none());
        bytes[place..place + 48].fill(0xff);
        bytes[0] = 0x9f;
        assert!(B::g2_from_bytes(&bytes, Trust::OnCurveOnly).is_none());
    }
}

/// About half of all coordinates have no point; of the others next to none is in the subgroup, whose index is 2^125 and more.
fn points_off_the_curve_and_outside_the_subgroup<B: Backend>() {
    let (mut off, mut outside) = (0, 0);
    for number in 0..40 {
        let mut bytes: [u8; 48] = wide(&format!("coordinate {number}"));
        bytes[0] = 0x80 | (bytes[0] & 0x0f);
        match B::g1_from_bytes(&bytes, Trust::OnCurveOnly) {
            None => off += 1,
            Some(point) => {
                outside += 1;
                assert_eq!(g1::<B>(&point), bytes);
            }
        }
        assert!(B::g1_from_bytes(&bytes, Trust::Checked).is_none());
    }
    assert!(off > 8 && outside > 8, "{off} off the curve, {outside} outside the subgroup");
    let (mut off, mut outside) = (0, 0);
    for number in 0..40 {
        let mut bytes = [0; 96];
        bytes[..48].copy_from_slice(&wide(&format!("upper {number}")));
        bytes[48..].copy_from_slice(&wide(&format!("lower {number}")));
        bytes[0] = 0x80 | (bytes[0] & 0x0f);
        bytes[48] &= 0x0f;
        match B::g2_from_bytes(&bytes, Trust::OnCurveOnly) {
            None => off += 1,
            Some(point) => {
                outside += 1;
                assert_eq!(g2::<B>(&point), bytes);
            }
        }
        assert!(B::g2_from_bytes(&bytes, Trust::Checked).is_none());
    }
    assert!(off > 8 && outside > 8, "{off} off the curve, {outside} outside the subgroup");
}

/// (0, 2) and (0, -2) have order three: an aggregated check over them is right one time in three.
fn points_of_order_three<B: Backend>() {
    for sign in [0x80, 0xa0] {
        let mut bytes = [0; 48];
        bytes[0] = sign;
        assert!(B::g1_from_bytes(&bytes, Trust::Checked).is_none());
        let point = B::g1_from_bytes(&bytes, Trust::OnCurveOnly).unwrap();
        assert_eq!(g1::<B>(&point), bytes);
        let twice = B::g1_add(&point, &point);
        assert_eq!(g1::<B>(&twice), g1::<B>(&B::g1_neg(&point)), "the order is three");
        assert_eq!(g1::<B>(&B::g1_add(&twice, &point)), g1::<B>(&infinity::<B>()));
        // A good point made bad by it.
        let mixed = g1::<B>(&B::g1_add(&point, &super::point::<B>("good")));
        assert!(B::g1_from_bytes(&mixed, Trust::Checked).is_none());
        assert!(B::g1_from_bytes(&mixed, Trust::OnCurveOnly).is_some());
    }
}

/// Whatever an attacker puts in the place of a point, everything done with one comes to an end.
fn bad_points_do_no_harm<B: Backend>() {
    let mut bytes = [0; 48];
    bytes[0] = 0x80;
    let bad = B::g1_from_bytes(&bytes, Trust::OnCurveOnly).unwrap();
    let good = point::<B>("good");
    let scalar = secret::<B>(&wide("scalar"));
    let many = B::g1_mul_secret_each(&[&bad, &bad, &bad], &scalar);
    assert_eq!(many.len(), 3);
    let powers = [super::fraction::<B>(1, 3), super::fraction::<B>(2, 3), super::fraction::<B>(5, 3)];
    B::g1_msm_public(&[&bad, &good, &bad], &powers);
    let unit = B::multi_pairing(&[(&bad, &B::g2_generator()), (&good, &B::g2_generator())]);
    B::gt_pow_secret(&unit, &scalar);
    B::g1_table_mul_secret(&B::g1_table(&bad, 4), &scalar);
}

fn elements_of_gt_come_back<B: Backend>() {
    for number in 1..4 {
        let scalar = secret::<B>(&small(number));
        let element = B::multi_pairing(&[(&point::<B>("gt"), &B::g2_mul_gen_secret(&scalar))]);
        let bytes = B::gt_to_bytes(&element);
        assert_eq!(B::gt_to_bytes(&B::gt_from_bytes(&bytes).unwrap()), bytes);
    }
}

/// One, minus one, zero, an element of Fp, an element of the wrong order, and a good one moved in any coordinate.
fn elements_outside_gt_are_refused<B: Backend>() {
    let with_lowest = |lowest: &[u8; 48]| {
        let mut bytes = [0; GT_BYTES];
        bytes[..48].copy_from_slice(lowest);
        bytes
    };
    let mut minus_one = MODULUS;
    minus_one[47] -= 1;
    let mut one_and_modulus = MODULUS;
    one_and_modulus[47] += 1;
    for lowest in [small(0), small(1), small(2), minus_one, MODULUS, one_and_modulus, [0xff; 48]] {
        assert!(B::gt_from_bytes(&with_lowest(&lowest)).is_none(), "{lowest:02x?}");
    }
    let good = B::gt_to_bytes(&B::multi_pairing(&[(&point::<B>("gt"), &B::g2_generator())]));
    for coordinate in 0..12 {
        let mut bytes = good;
        bytes[coordinate * 48 + 47] ^= 1;
        assert!(B::gt_from_bytes(&bytes).is_none(), "coordinate {coordinate} moved");
        let mut bytes = good;
        bytes[coordinate * 48] |= 0x80;
        assert!(B::gt_from_bytes(&bytes).is_none(), "coordinate {coordinate} above the modulus");
    }
    // The inverse is the conjugate: minus in the upper half. Minus in one coordinate of it is no element.
    assert!(B::gt_from_bytes(&[0xff; GT_BYTES]).is_none());
}

/// x + p in one coordinate, where it fits into 48 bytes, is a second spelling of a good element.
fn coordinates_of_gt_have_one_spelling<B: Backend>() {
    let mut refused = 0;
    for number in 0..8 {
        let element = B::multi_pairing(&[(&point::<B>(&format!("gt {number}")), &B::g2_generator())]);
        let good = B::gt_to_bytes(&element);
        let (places, _) = good.as_chunks::<48>();
        for (index, place) in places.iter().enumerate() {
            let mut carry = 0;
            let mut sum = [0u8; 48];
            for i in (0..48).rev() {
                let value = u16::from(place[i]) + u16::from(MODULUS[i]) + carry;
                sum[i] = value as u8;
                carry = value >> 8;
            }
            assert_eq!(carry, 0, "p has 381 bits: it always fits");
            let mut bytes = good;
            bytes[index * 48..(index + 1) * 48].copy_from_slice(&sum);
            assert!(B::gt_from_bytes(&bytes).is_none());
            refused += 1;
        }
    }
    assert_eq!(refused, 96);
}

on_both!(
    points_come_back,
    the_generators_are_the_standard_ones,
    the_point_at_infinity_is_written_and_not_read,
    flags_have_one_spelling,
    coordinates_above_the_modulus_are_refused,
    points_off_the_curve_and_outside_the_subgroup,
    points_of_order_three,
    bad_points_do_no_harm,
    elements_of_gt_come_back,
    elements_outside_gt_are_refused,
    coordinates_of_gt_have_one_spelling,
);
