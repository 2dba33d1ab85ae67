//! The laws of the group, which hold without a second implementation to compare with: sums of exponents, tables against
//! plain multiplication at every boundary, bilinearity, and the point at infinity wherever it may stand.

use super::{around_the_order, exponents, fraction, g1, g2, infinity, on_both, point, secret, small, wide};
use crate::backend::{Backend, PublicScalar, SecretScalar};

fn exponents_are_integers_modulo_the_order<B: Backend>() {
    let reveal = |bytes| secret::<B>(&bytes).reveal();
    assert_eq!(reveal(small(0)), [0; 32]);
    assert_eq!(reveal(around_the_order(0)), [0; 32], "the order is zero");
    assert_eq!(reveal(around_the_order(1)), reveal(small(1)));
    assert_eq!(reveal(around_the_order(-1))[..], around_the_order(-1)[16..]);
    assert_eq!(B::Secret::zero().reveal(), [0; 32]);
    // 2^383 + .. + 1 = 2^384 - 1: reduced over its whole length. (2^384 - 1) + 1 = (2^192)^2.
    let ones = secret::<B>(&[0xff; 48]).add(&secret::<B>(&small(1)));
    let mut power = secret::<B>(&small(1));
    for _ in 0..384 {
        power = power.mul_small(2);
    }
    assert_eq!(ones.reveal(), power.reveal());
}

fn exponents_add_subtract_and_scale<B: Backend>() {
    for pair in exponents().windows(2) {
        let (left, right) = (secret::<B>(&pair[0]), secret::<B>(&pair[1]));
        let sum = left.add(&right);
        assert_eq!(sum.sub(&right).reveal(), left.reveal());
        assert_eq!(left.add(&left).add(&left).reveal(), left.mul_small(3).reveal());
        assert_eq!(left.mul_small(0).reveal(), [0; 32]);
        assert_eq!(left.sub(&left).reveal(), [0; 32]);
        assert_eq!(left.duplicate().reveal(), left.reveal());
        let large = left.mul_small(u32::MAX).add(&left);
        assert_eq!(large.reveal(), left.mul_small(1 << 16).mul_small(1 << 16).reveal());
    }
}

fn public_exponents_are_a_field<B: Backend>() {
    let number = B::Public::from_u64;
    assert_eq!(number(0).invert(), None);
    assert_eq!(number(1).invert(), Some(number(1)));
    for value in [2, 3, 511, u64::MAX] {
        let inverse = number(value).invert().unwrap();
        assert_eq!(inverse.mul(number(value)), number(1));
        assert_eq!(inverse.invert(), Some(number(value)));
        assert_eq!(number(value).sub(number(value)), number(0));
    }
    assert_eq!(number(7).sub(number(4)), number(3));
    // 4 - 7 is below zero: modulo the order, not modulo 2^64.
    assert_eq!(number(0).sub(number(4).sub(number(7))), number(3));
}

/// By repeated addition, up to well beyond a window.
fn powers_are_repeated_addition<B: Backend>() {
    let base = point::<B>("base");
    let table = B::g1_table(&base, 4);
    let mut sum = infinity::<B>();
    for number in 0..=40 {
        let scalar = secret::<B>(&small(number));
        assert_eq!(g1::<B>(&B::g1_mul_secret(&base, &scalar)), g1::<B>(&sum), "{number}");
        assert_eq!(g1::<B>(&B::g1_table_mul_secret(&table, &scalar)), g1::<B>(&sum), "{number}");
        sum = B::g1_add(&sum, &base);
    }
    let last = secret::<B>(&around_the_order(-1));
    assert_eq!(g1::<B>(&B::g1_mul_secret(&base, &last)), g1::<B>(&B::g1_neg(&base)));
    assert_eq!(g1::<B>(&B::g1_mul_secret(&base, &secret::<B>(&around_the_order(0)))), g1::<B>(&infinity::<B>()));
}

fn tables_of_every_window_agree_with_plain_multiplication<B: Backend>() {
    let base = point::<B>("tables");
    let tables = [4, 5, 6].map(|window| (window, B::g1_table(&base, window)));
    for bytes in exponents() {
        let scalar = secret::<B>(&bytes);
        let plain = g1::<B>(&B::g1_mul_secret(&base, &scalar));
        for (window, table) in &tables {
            assert_eq!(g1::<B>(&B::g1_table_mul_secret(table, &scalar)), plain, "window {window}, {bytes:02x?}");
        }
    }
}

fn a_table_of_the_point_at_infinity_stays_there<B: Backend>() {
    for window in [4, 6] {
        let table = B::g1_table(&infinity::<B>(), window);
        for bytes in [small(0), small(5), wide("any")] {
            let found = B::g1_table_mul_secret(&table, &secret::<B>(&bytes));
            assert_eq!(g1::<B>(&found), g1::<B>(&infinity::<B>()));
        }
    }
}

fn the_generators_tables_agree_with_the_generators<B: Backend>() {
    let unit = [(&B::g1_generator(), &B::g2_generator())].map(|(left, right)| B::multi_pairing(&[(left, right)]));
    for bytes in exponents().into_iter().step_by(7).chain([small(0), around_the_order(-1)]) {
        let scalar = secret::<B>(&bytes);
        let left = B::g1_mul_gen_secret(&scalar);
        assert_eq!(g1::<B>(&left), g1::<B>(&B::g1_mul_secret(&B::g1_generator(), &scalar)));
        // Of G2 there is no plain multiplication: the pairing compares.
        let right = B::g2_mul_gen_secret(&scalar);
        let by_right = B::multi_pairing(&[(&B::g1_generator(), &right)]);
        let by_power = B::gt_pow_secret(&unit[0], &scalar);
        assert_eq!(B::gt_to_bytes(&by_right), B::gt_to_bytes(&by_power), "{bytes:02x?}");
    }
    let (one, two) = (secret::<B>(&small(1)), secret::<B>(&small(2)));
    assert_eq!(g2::<B>(&B::g2_mul_gen_secret(&one)), g2::<B>(&B::g2_generator()));
    let doubled = B::g2_add(&B::g2_generator(), &B::g2_generator());
    assert_eq!(g2::<B>(&B::g2_mul_gen_secret(&two)), g2::<B>(&doubled));
}

fn many_points_to_one_power<B: Backend>() {
    let mut points: Vec<B::G1> = (0..21).map(|number| point::<B>(&format!("point {number}"))).collect();
    // Twice the same, its inverse, and the point at infinity, in the middle of the others.
    points[7] = points[3].clone();
    points[8] = B::g1_neg(&points[3]);
    points[12] = infinity::<B>();
    for bytes in exponents().into_iter().step_by(5).chain([small(0), small(1), around_the_order(-1)]) {
        let scalar = secret::<B>(&bytes);
        for count in [0, 1, 2, 3, 9, 21] {
            let some: Vec<&B::G1> = points.iter().take(count).collect();
            let found = B::g1_mul_secret_each(&some, &scalar);
            assert_eq!(found.len(), count);
            for (found, point) in found.iter().zip(some) {
                let plain = B::g1_mul_secret(point, &scalar);
                assert_eq!(g1::<B>(found), g1::<B>(&plain), "{count} points, {bytes:02x?}");
            }
        }
    }
}

fn sums_know_every_exceptional_case<B: Backend>() {
    let (left, right) = (point::<B>("left"), point::<B>("right"));
    let zero = infinity::<B>();
    let bytes = |point: &B::G1| g1::<B>(point);
    assert_eq!(bytes(&B::g1_add(&left, &right)), bytes(&B::g1_add(&right, &left)));
    assert_eq!(bytes(&B::g1_add(&left, &zero)), bytes(&left));
    assert_eq!(bytes(&B::g1_add(&zero, &left)), bytes(&left));
    assert_eq!(bytes(&B::g1_add(&left, &B::g1_neg(&left))), bytes(&zero));
    assert_eq!(bytes(&B::g1_neg(&zero)), bytes(&zero));
    let doubled = B::g1_mul_secret(&left, &secret::<B>(&small(2)));
    assert_eq!(bytes(&B::g1_add(&left, &left)), bytes(&doubled));
    assert_eq!(bytes(&B::g1_sum(&[&left, &left, &zero, &right, &B::g1_neg(&right)])), bytes(&doubled));
    assert_eq!(bytes(&B::g1_sum(&[])), bytes(&zero));
}

/// Around the sizes at which the way of computing changes, and for the powers that are handled apart.
fn public_powers_of_many_points<B: Backend>() {
    for count in [0, 1, 2, 3, 31, 32, 33, 40] {
        let points: Vec<B::G1> = (0..count).map(|number| point::<B>(&format!("public {number}"))).collect();
        let references: Vec<&B::G1> = points.iter().collect();
        let total = g1::<B>(&B::g1_sum(&references));
        let ones = vec![B::Public::from_u64(1); count];
        assert_eq!(g1::<B>(&B::g1_msm_public(&references, &ones)), total, "{count} powers of one");
        let zeros = vec![B::Public::from_u64(0); count];
        assert_eq!(g1::<B>(&B::g1_msm_public(&references, &zeros)), g1::<B>(&infinity::<B>()));
        // P_i to the power i + 2, to the power 1 / (i + 2).
        let raised: Vec<B::G1> =
            (2..).zip(&points).map(|(power, point)| B::g1_mul_secret(point, &secret::<B>(&small(power)))).collect();
        let raised: Vec<&B::G1> = raised.iter().collect();
        let back: Vec<B::Public> = (2..).take(count).map(|power| fraction::<B>(1, power)).collect();
        assert_eq!(g1::<B>(&B::g1_msm_public(&raised, &back)), total, "{count} fractions");
        let powers: Vec<B::Public> = (2..).take(count).map(B::Public::from_u64).collect();
        assert_eq!(g1::<B>(&B::g1_msm_public(&references, &powers)), g1::<B>(&B::g1_sum(&raised)));
    }
}

fn public_powers_of_points_that_cancel_or_are_none<B: Backend>() {
    let base = point::<B>("cancels");
    let (negated, zero) = (B::g1_neg(&base), infinity::<B>());
    let third = fraction::<B>(1, 3);
    let none = g1::<B>(&zero);
    assert_eq!(g1::<B>(&B::g1_msm_public(&[&base, &negated], &[third, third])), none);
    assert_eq!(g1::<B>(&B::g1_msm_public(&[&zero, &zero], &[third, B::Public::from_u64(1)])), none);
    let thrice = B::g1_msm_public(&[&base, &zero, &base, &base], &[third; 4]);
    assert_eq!(g1::<B>(&thrice), g1::<B>(&base));
}

fn pairings_are_bilinear<B: Backend>() {
    let (a, b) = (secret::<B>(&wide("a")), secret::<B>(&wide("b")));
    let base = point::<B>("bilinear");
    let unit = B::multi_pairing(&[(&base, &B::g2_generator())]);
    let both = B::multi_pairing(&[(&B::g1_mul_secret(&base, &a), &B::g2_mul_gen_secret(&b))]);
    let crossed = B::multi_pairing(&[(&B::g1_mul_secret(&base, &b), &B::g2_mul_gen_secret(&a))]);
    let powers = B::gt_pow_secret(&B::gt_pow_secret(&unit, &a), &b);
    assert_eq!(B::gt_to_bytes(&both), B::gt_to_bytes(&crossed));
    assert_eq!(B::gt_to_bytes(&both), B::gt_to_bytes(&powers));
    assert_ne!(B::gt_to_bytes(&both), B::gt_to_bytes(&unit));
}

/// Of several pairs, up to beyond the sixteen that blst takes at a time: one pairing with the sum.
fn a_product_of_pairings_is_the_pairing_of_the_sum<B: Backend>() {
    let right = B::g2_mul_gen_secret(&secret::<B>(&wide("right")));
    for count in [1, 2, 3, 15, 16, 17, 33] {
        let points: Vec<B::G1> = (0..count).map(|number| point::<B>(&format!("pair {number}"))).collect();
        let references: Vec<&B::G1> = points.iter().collect();
        let pairs: Vec<_> = points.iter().map(|left| (left, &right)).collect();
        let product = B::multi_pairing(&pairs);
        let single = B::multi_pairing(&[(&B::g1_sum(&references), &right)]);
        assert_eq!(B::gt_to_bytes(&product), B::gt_to_bytes(&single), "{count} pairs");
    }
}

/// blst's loop over many pairs takes the zeros of a point at infinity for coordinates: such pairs must not reach it.
fn the_point_at_infinity_contributes_one<B: Backend>() {
    let left = point::<B>("left");
    let right = B::g2_mul_gen_secret(&secret::<B>(&wide("right")));
    let (left_zero, right_zero) = (infinity::<B>(), B::g2_mul_gen_secret(&secret::<B>(&small(0))));
    let one = B::gt_to_bytes(&B::multi_pairing(&[]));
    assert_eq!(one[..48], {
        let mut one = [0; 48];
        one[47] = 1;
        one
    });
    assert!(one[48..].iter().all(|byte| *byte == 0));
    for pairs in [
        vec![(&left_zero, &right)],
        vec![(&left, &right_zero)],
        vec![(&left_zero, &right_zero)],
        vec![(&left_zero, &right), (&left, &right_zero)],
        vec![(&left, &right), (&B::g1_neg(&left), &right)],
    ] {
        assert_eq!(B::gt_to_bytes(&B::multi_pairing(&pairs)), one);
    }
    let alone = B::gt_to_bytes(&B::multi_pairing(&[(&left, &right)]));
    for pairs in [
        [(&left_zero, &right), (&left, &right), (&left, &right_zero)],
        [(&left, &right), (&left_zero, &right_zero), (&left_zero, &right)],
    ] {
        assert_eq!(B::gt_to_bytes(&B::multi_pairing(&pairs)), alone);
    }
}

fn powers_in_gt_agree_with_their_table<B: Backend>() {
    let unit = B::multi_pairing(&[(&point::<B>("gt"), &B::g2_generator())]);
    let table = B::gt_table(&unit);
    for bytes in exponents() {
        let scalar = secret::<B>(&bytes);
        let power = B::gt_to_bytes(&B::gt_pow_secret(&unit, &scalar));
        assert_eq!(power, B::gt_to_bytes(&B::gt_table_pow_secret(&table, &scalar)), "{bytes:02x?}");
    }
    let one = B::gt_to_bytes(&B::multi_pairing(&[]));
    for bytes in [small(0), around_the_order(0)] {
        assert_eq!(B::gt_to_bytes(&B::gt_pow_secret(&unit, &secret::<B>(&bytes))), one);
    }
    let same = B::gt_pow_secret(&unit, &secret::<B>(&small(1)));
    assert_eq!(B::gt_to_bytes(&same), B::gt_to_bytes(&unit));
}

fn powers_in_gt_add_in_the_exponent<B: Backend>() {
    // Without a product in the trait: g^(a + b) is the product of pairings to a and to b.
    let base = point::<B>("gt sum");
    let unit = B::multi_pairing(&[(&base, &B::g2_generator())]);
    let (a, b) = (secret::<B>(&wide("gt a")), secret::<B>(&wide("gt b")));
    let (right_a, right_b) = (B::g2_mul_gen_secret(&a), B::g2_mul_gen_secret(&b));
    let product = B::multi_pairing(&[(&base, &right_a), (&base, &right_b)]);
    let power = B::gt_pow_secret(&unit, &a.add(&b));
    assert_eq!(B::gt_to_bytes(&product), B::gt_to_bytes(&power));
    let sum = B::g2_add(&right_a, &right_b);
    assert_eq!(g2::<B>(&sum), g2::<B>(&B::g2_mul_gen_secret(&a.add(&b))));
}

fn zeroized_points_hold_nothing<B: Backend>() {
    use zeroize::Zeroize;
    let mut left = point::<B>("left");
    left.zeroize();
    // Zeroed limbs are no longer the point; what they are is the backend's affair, as long as it is always the same.
    let mut other = point::<B>("other");
    other.zeroize();
    assert_eq!(g1::<B>(&left), g1::<B>(&other));
    assert_ne!(g1::<B>(&left), g1::<B>(&point::<B>("left")));
}

on_both!(
    exponents_are_integers_modulo_the_order,
    exponents_add_subtract_and_scale,
    public_exponents_are_a_field,
    powers_are_repeated_addition,
    tables_of_every_window_agree_with_plain_multiplication,
    a_table_of_the_point_at_infinity_stays_there,
    the_generators_tables_agree_with_the_generators,
    many_points_to_one_power,
    sums_know_every_exceptional_case,
    public_powers_of_many_points,
    public_powers_of_points_that_cancel_or_are_none,
    pairings_are_bilinear,
    a_product_of_pairings_is_the_pairing_of_the_sum,
    the_point_at_infinity_contributes_one,
    powers_in_gt_agree_with_their_table,
    powers_in_gt_add_in_the_exponent,
    zeroized_points_hold_nothing,
);
