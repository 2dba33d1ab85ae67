//! blst and arkworks, byte by byte: every operation of the trait, on the same inputs. Two independent implementations
//! that agree on random inputs and on every boundary are the best oracle there is; ciphertexts rest on it, since the
//! transform compares what one backend wrote with what another may compute.
#![cfg(feature = "blst")]

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{exponents, g1, g2, infinity, secret, small, wide};
use crate::backend::ark::Ark;
use crate::backend::blst::Blst;
use crate::backend::{Backend, PublicScalar, SecretScalar, Trust, WIDE_BYTES};

/// Runs a property on inputs that are the same in every run.
fn check<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value)) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[0x5a; 32]);
    let mut runner = TestRunner::new_with_rng(Config { cases, failure_persistence: None, ..Config::default() }, rng);
    runner
        .run(strategy, |value| {
            property(value);
            Ok(())
        })
        .unwrap();
}

/// Exponents of full length, and now and then one at a boundary.
fn exponent() -> impl Strategy<Value = [u8; WIDE_BYTES]> {
    prop_oneof![
        3 => proptest::collection::vec(any::<u8>(), WIDE_BYTES).prop_map(|bytes| bytes.try_into().unwrap()),
        1 => proptest::sample::select(exponents()),
    ]
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..300)
}

/// Everything that one backend says about these inputs, as bytes.
fn transcript<B: Backend>(a: &[u8; WIDE_BYTES], b: &[u8; WIDE_BYTES], dst: &[u8], message: &[u8]) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    let (a, b) = (secret::<B>(a), secret::<B>(b));
    for scalar in [a.duplicate(), a.add(&b), a.sub(&b), a.mul_small(3), b.mul_small(u32::MAX), B::Secret::zero()] {
        out.push(scalar.reveal().to_vec());
    }
    let hashed = B::hash_g1(dst, message);
    let raised = B::g1_mul_secret(&hashed, &a);
    let own = B::g1_mul_gen_secret(&b);
    let both = B::g1_add(&raised, &own);
    let mut points = vec![hashed.clone(), raised.clone(), own.clone(), both.clone(), B::g1_neg(&both)];
    points.push(B::g1_sum(&[&hashed, &raised, &own, &hashed]));
    points.push(B::g1_generator());
    points.extend(B::g1_mul_secret_each(&[&hashed, &own, &both], &a));
    points.extend([4, 5, 6].map(|window| B::g1_table_mul_secret(&B::g1_table(&own, window), &a)));
    let number = B::Public::from_u64;
    let powers = [number(1), number(7).mul(number(9)), number(5).sub(number(6)), number(11).invert().unwrap()];
    points.push(B::g1_msm_public(&[&hashed, &raised, &own, &both], &powers));
    out.extend(B::g1_to_bytes(&points.iter().collect::<Vec<_>>()).into_iter().map(|bytes| bytes.to_vec()));
    let (right_a, right_b) = (B::g2_mul_gen_secret(&a), B::g2_mul_gen_secret(&b));
    let sum = B::g2_add(&right_a, &right_b);
    let generator = B::g2_generator();
    out.extend(B::g2_to_bytes(&[&right_a, &right_b, &sum, &generator]).into_iter().map(|bytes| bytes.to_vec()));
    let product = B::multi_pairing(&[(&hashed, &right_a), (&own, &right_b), (&both, &generator)]);
    let power = B::gt_pow_secret(&product, &b);
    let by_table = B::gt_table_pow_secret(&B::gt_table(&product), &a);
    out.extend([&product, &power, &by_table].map(|element| B::gt_to_bytes(element).to_vec()));
    out
}

#[test]
fn every_operation_says_the_same() {
    check(24, &(exponent(), exponent(), message(), message()), |(a, b, dst, message)| {
        let blst = transcript::<Blst>(&a, &b, &dst, &message);
        let ark = transcript::<Ark>(&a, &b, &dst, &message);
        assert_eq!(blst.len(), ark.len());
        for (step, (blst, ark)) in blst.iter().zip(&ark).enumerate() {
            assert_eq!(blst, ark, "step {step}, exponents {a:02x?} and {b:02x?}");
        }
    });
}

/// Every boundary, for the operations whose windows and recodings could trip over one.
#[test]
fn every_boundary_says_the_same() {
    let table = (Blst::g1_table(&Blst::g1_generator(), 4), Ark::g1_table(&Ark::g1_generator(), 4));
    for bytes in exponents() {
        let (blst, ark) = (secret::<Blst>(&bytes), secret::<Ark>(&bytes));
        assert_eq!(blst.reveal(), ark.reveal());
        assert_eq!(g1::<Blst>(&Blst::g1_mul_gen_secret(&blst)), g1::<Ark>(&Ark::g1_mul_gen_secret(&ark)));
        assert_eq!(g2::<Blst>(&Blst::g2_mul_gen_secret(&blst)), g2::<Ark>(&Ark::g2_mul_gen_secret(&ark)));
        let left = Blst::g1_table_mul_secret(&table.0, &blst);
        let right = Ark::g1_table_mul_secret(&table.1, &ark);
        assert_eq!(g1::<Blst>(&left), g1::<Ark>(&right), "{bytes:02x?}");
    }
}

/// Tags at the length beyond which they are hashed, and messages around blocks of the hash function.
#[test]
fn hashes_agree_at_every_length() {
    for dst in [0, 1, 43, 254, 255, 256, 257, 600] {
        for message in [0, 1, 55, 56, 63, 64, 65, 1000] {
            let (dst, message) = (vec![0x61; dst], vec![0x62; message]);
            let (blst, ark) = (Blst::hash_g1(&dst, &message), Ark::hash_g1(&dst, &message));
            assert_eq!(g1::<Blst>(&blst), g1::<Ark>(&ark), "{} and {} bytes", dst.len(), message.len());
        }
    }
}

/// Powers of every number of points, public ones of every kind.
#[test]
fn public_powers_agree() {
    for count in [0, 1, 2, 5, 32, 33, 50] {
        fn of<B: Backend>(count: usize) -> [u8; 48] {
            let points: Vec<B::G1> = (0..count).map(|number| super::point::<B>(&format!("{number}"))).collect();
            let number = B::Public::from_u64;
            let powers: Vec<B::Public> = (0..count as u64)
                .map(|i| match i % 4 {
                    0 => number(1),
                    1 => number(i).sub(number(3 * i)),
                    2 => number(i).invert().unwrap(),
                    _ => number(i - 3),
                })
                .collect();
            g1::<B>(&B::g1_msm_public(&points.iter().collect::<Vec<_>>(), &powers))
        }
        assert_eq!(of::<Blst>(count), of::<Ark>(count), "{count} points");
    }
}

/// Bytes that are a point, nearly one, or nothing of the kind: accepted by both or by neither, and then the same.
#[test]
fn decoders_accept_the_same() {
    let start = prop_oneof![Just(0x80u8), Just(0xa0), Just(0xc0), any::<u8>()];
    let tail = proptest::collection::vec(any::<u8>(), 95);
    let flip = proptest::option::of(0..96 * 8usize);
    check(400, &(start, tail, exponent(), flip), |(start, tail, scalar, flip)| {
        let mut narrow = [0; 48];
        let mut wide = [0; 96];
        if let Some(bit) = flip {
            // A good point with one bit turned.
            narrow = g1::<Blst>(&Blst::g1_mul_gen_secret(&secret::<Blst>(&scalar)));
            wide = g2::<Blst>(&Blst::g2_mul_gen_secret(&secret::<Blst>(&scalar)));
            narrow[bit % 48] ^= 1 << (bit / 96);
            wide[bit % 96] ^= 1 << (bit / 96);
        } else {
            narrow[1..].copy_from_slice(&tail[..47]);
            narrow[0] = start;
            wide[1..].copy_from_slice(&tail);
            wide[0] = start;
            wide[48] &= 0x1f;
        }
        for trust in [Trust::Checked, Trust::OnCurveOnly] {
            let blst = Blst::g1_from_bytes(&narrow, trust).map(|point| g1::<Blst>(&point));
            let ark = Ark::g1_from_bytes(&narrow, trust).map(|point| g1::<Ark>(&point));
            assert_eq!(blst, ark, "{narrow:02x?} {trust:?}");
            assert!(blst.is_none_or(|bytes| bytes == narrow), "one spelling");
            let blst = Blst::g2_from_bytes(&wide, trust).map(|point| g2::<Blst>(&point));
            let ark = Ark::g2_from_bytes(&wide, trust).map(|point| g2::<Ark>(&point));
            assert_eq!(blst, ark, "{wide:02x?} {trust:?}");
            assert!(blst.is_none_or(|bytes| bytes == wide), "one spelling");
        }
    });
}

/// What one backend wrote the other reads, in every group.
#[test]
fn bytes_cross_over() {
    let scalar = wide("crossing");
    let blst = Blst::g1_mul_gen_secret(&secret::<Blst>(&scalar));
    let crossed = Ark::g1_from_bytes(&g1::<Blst>(&blst), Trust::Checked).unwrap();
    let right = Ark::g2_from_bytes(&g2::<Blst>(&Blst::g2_generator()), Trust::Checked).unwrap();
    let element = Ark::multi_pairing(&[(&crossed, &right)]);
    let back = Blst::gt_from_bytes(&Ark::gt_to_bytes(&element)).unwrap();
    assert_eq!(Blst::gt_to_bytes(&back), Blst::gt_to_bytes(&Blst::multi_pairing(&[(&blst, &Blst::g2_generator())])));
    assert!(Ark::gt_from_bytes(&Blst::gt_to_bytes(&back)).is_some());
}

/// Elements of the cyclotomic subgroup that are not of the group's order, which cheap checks take for good: made of any
/// element by the easy part of the final exponentiation.
#[test]
fn cyclotomic_is_not_enough() {
    use ark_bls12_381::{Fq2, Fq6, Fq12};
    use ark_ff::Field;
    for number in 1..8u64 {
        let part = |offset: u64| Fq2::new((number + offset).into(), (number * number + offset).into());
        let any = Fq12::new(Fq6::new(part(1), part(2), part(3)), Fq6::new(part(4), part(5), part(6)));
        // any^(p^6 - 1), then to the power p^2 + 1.
        let unitary = any.frobenius_map(6) * any.inverse().unwrap();
        let cyclotomic = unitary.frobenius_map(2) * unitary;
        assert_eq!(cyclotomic.frobenius_map(4) * cyclotomic, cyclotomic.frobenius_map(2));
        let bytes = crate::backend::ark::gt_bytes(&cyclotomic);
        assert!(Blst::gt_from_bytes(&bytes).is_none());
        assert!(Ark::gt_from_bytes(&bytes).is_none());
    }
}

/// A point of small order in G2 can make the loop of the pairing end in zero: both come to an end with it.
#[test]
fn bad_points_of_g2_do_no_harm() {
    let mut tried = 0;
    for number in 0..20 {
        let mut bytes = [0; 96];
        bytes[0] = 0x80;
        bytes[95] = number;
        let (Some(blst), Some(ark)) =
            (Blst::g2_from_bytes(&bytes, Trust::OnCurveOnly), Ark::g2_from_bytes(&bytes, Trust::OnCurveOnly))
        else {
            continue;
        };
        tried += 1;
        let scalar = small(5);
        let element = Blst::multi_pairing(&[(&Blst::g1_generator(), &blst), (&infinity::<Blst>(), &blst)]);
        Blst::gt_pow_secret(&element, &secret::<Blst>(&scalar));
        let element = Ark::multi_pairing(&[(&Ark::g1_generator(), &ark), (&infinity::<Ark>(), &ark)]);
        Ark::gt_pow_secret(&element, &secret::<Ark>(&scalar));
    }
    assert!(tried > 3, "{tried} points outside the subgroup");
}
