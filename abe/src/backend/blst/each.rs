//! Many points to one secret power, in lock-step.
//!
//! The exponent is cut once ([`split`]); then every point does the same additions at the same time, so that they can be
//! done in affine coordinates, where an addition costs six multiplications instead of eighteen and an inversion, and one
//! inversion serves all of them (Montgomery's trick). A point's own part are its doublings.
//!
//! 1. Tables of odd multiples P, 3P, .. 31P, in five steps of affine additions.
//! 2. For each window, one entry of P's table and one of the endomorphism's are added, all windows of all points at once.
//! 3. Each point walks its 26 sums: five doublings and an addition a window.
//!
//! No step is exceptional, for a point of the subgroup that is not at infinity. A coincidence would be a pair (a, b), not
//! (0, 0), with a + b z^2 = 0 modulo the order; such pairs form a lattice, and its shortest vectors have a coordinate of
//! at least z^2 - 2 > 2^127. Tables: a and b are below 64. Sums of step 2: digits are odd and below 32. Walk: before the
//! last window, a and b are below 2^125 and not zero, since 32 divides what stands there and not the digit that comes. The
//! last addition is blst's complete one: there the sum may be anything, the point at infinity included.
//! For points outside the subgroup the result is without meaning, and everything still comes to an end.

use blst::blst_p1_affine;
use subtle::Choice;

use super::field::Fp;
use super::point::{G1, g1_to_affine};
use super::scalar::Secret;
use super::select::{Choices, Limbs};
use super::split::{ENTRIES, Half, WINDOWS, split};

/// From so many points on, sharing pays.
const WORTH_SHARING: usize = 4;
/// Points at a time: what they need stays within the processor's second cache.
const AT_A_TIME: usize = 16;

/// A cube root of one in the base field: (beta x, -y) is z^2 times (x, y).
const BETA: [u8; 48] = [
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x5f, 0x19, 0x67, 0x2f, 0xdf, 0x76, 0xce, 0x51, 0xba, 0x69, 0xc6,
    0x07, 0x6a, 0x0f, 0x77, 0xea, 0xdd, 0xb3, 0xa9, 0x3b, 0xe6, 0xf8, 0x96, 0x88, 0xde, 0x17, 0xd8, 0x13, 0x62, 0x0a,
    0x00, 0x02, 0x2e, 0x01, 0xff, 0xff, 0xff, 0xfe, 0xff, 0xfe,
];

/// Each point to the same secret power.
pub(super) fn mul_each(points: &[&G1], scalar: &Secret) -> Vec<G1> {
    if points.len() < WORTH_SHARING {
        return points.iter().map(|point| point.mul_secret(scalar)).collect();
    }
    let halves = split(scalar);
    // Shares of one size: a last one of few points would pay for its inversions alone.
    let shares = points.len().div_ceil(AT_A_TIME);
    // The points may become a user's key. A vector that moves while it grows leaves what it held behind.
    let mut out = Vec::with_capacity(points.len());
    points.chunks(points.len().div_ceil(shares)).for_each(|points| out.extend(lock_step(points, &halves)));
    out
}

fn lock_step(points: &[&G1], halves: &(Half, Half)) -> Vec<G1> {
    // Whether a point is at infinity is no secret: neither a hash nor a checked key holds one.
    let finite: Vec<&G1> = points.iter().filter(|point| !point.is_infinity()).copied().collect();
    let mut tables = odd_multiples(g1_to_affine(&finite));
    let mut sums = window_sums(&tables, halves);
    let (rows, _) = sums.as_chunks::<WINDOWS>();
    let mut walked = rows.iter().map(walk);
    let out = points
        .iter()
        .map(|point| if point.is_infinity() { G1::infinity() } else { walked.next().unwrap_or_else(G1::infinity) })
        .collect();
    tables.iter_mut().flatten().for_each(Limbs::wipe);
    sums.iter_mut().for_each(Limbs::wipe);
    out
}

/// The tables of odd multiples of each point. Level by level, with m = 2, 4, 8 and 16: m P is doubled from the level
/// before, and added to the m / 2 odd multiples that there are, which gives as many more.
fn odd_multiples(points: Vec<blst_p1_affine>) -> Vec<[blst_p1_affine; ENTRIES]> {
    let mut tables: Vec<[blst_p1_affine; ENTRIES]> = points
        .iter()
        .map(|point| {
            let mut table = [blst_p1_affine::zeroed(); ENTRIES];
            if let Some(first) = table.first_mut() {
                *first = *point;
            }
            table
        })
        .collect();
    let mut powers = add_all(points.iter().map(Chord::tangent).collect());
    let mut known = 1;
    while known < ENTRIES {
        let last = 2 * known == ENTRIES;
        let mut chords = Vec::with_capacity(points.len() * (known + 1));
        for (table, power) in tables.iter().zip(&powers) {
            chords.extend(table.iter().take(known).map(|entry| Chord::between(entry, power)));
            if !last {
                chords.push(Chord::tangent(power));
            }
        }
        let sums = add_all(chords);
        let width = known + usize::from(!last);
        for ((table, power), sums) in tables.iter_mut().zip(&mut powers).zip(sums.chunks_exact(width)) {
            table.iter_mut().skip(known).zip(sums.iter().take(known)).for_each(|(into, sum)| *into = *sum);
            if let (false, Some(doubled)) = (last, sums.last()) {
                *power = *doubled;
            }
        }
        known *= 2;
    }
    tables
}

/// What each point adds in each window, from the lowest: the first half's entry of its table, and the second half's
/// under the endomorphism.
fn window_sums(tables: &[[blst_p1_affine; ENTRIES]], halves: &(Half, Half)) -> Vec<blst_p1_affine> {
    let beta = Fp::from_bytes(&BETA);
    // Every table is asked for the same entries.
    let choose = |half: &Half| -> Vec<(Choices<ENTRIES>, Choice)> {
        (0..WINDOWS).map(|index| half.digit(index)).map(|digit| (Choices::of(digit.entry), digit.negative)).collect()
    };
    let (first, second) = (choose(&halves.0), choose(&halves.1));
    let mut chords = Vec::with_capacity(tables.len() * WINDOWS);
    for table in tables {
        for ((first, first_negative), (second, second_negative)) in first.iter().zip(&second) {
            let mut left = first.from(table);
            left.y = Fp(left.y).negated_if((*first_negative).into()).0;
            let mut right = second.from(table);
            right.x = Fp(right.x).mul(&beta).0;
            right.y = Fp(right.y).negated_if((!*second_negative).into()).0;
            chords.push(Chord::between(&left, &right));
            left.wipe();
            right.wipe();
        }
    }
    add_all(chords)
}

/// From the highest window: five doublings, one addition.
fn walk(sums: &[blst_p1_affine; WINDOWS]) -> G1 {
    let [lowest, between @ .., highest] = sums;
    let mut sum = G1::from_affine(highest);
    for entry in between.iter().rev() {
        (0..5).for_each(|_| sum.double_assign());
        sum.add_different_affine_assign(entry);
    }
    (0..5).for_each(|_| sum.double_assign());
    sum.add_affine_assign(lowest);
    sum
}

/// A line through two points of the curve, or its tangent at one: what an affine addition starts from.
struct Chord {
    rise: Fp,
    run: Fp,
    left: blst_p1_affine,
    right_x: Fp,
}

impl Chord {
    fn between(left: &blst_p1_affine, right: &blst_p1_affine) -> Self {
        let (rise, run) = (Fp(right.y).sub(&Fp(left.y)), Fp(right.x).sub(&Fp(left.x)));
        Self { rise, run, left: *left, right_x: Fp(right.x) }
    }

    fn tangent(point: &blst_p1_affine) -> Self {
        let square = Fp(point.x).square();
        let y = Fp(point.y);
        Self { rise: square.add(&square).add(&square), run: y.add(&y), left: *point, right_x: Fp(point.x) }
    }

    /// The third point of the line, mirrored; `inverse` is that of the run.
    fn sum(&self, inverse: &Fp) -> blst_p1_affine {
        let slope = self.rise.mul(inverse);
        let left_x = Fp(self.left.x);
        let x = slope.square().sub(&left_x).sub(&self.right_x);
        let y = slope.mul(&left_x.sub(&x)).sub(&Fp(self.left.y));
        blst_p1_affine { x: x.0, y: y.0 }
    }
}

/// Many affine additions with one inversion. A run of zero, which only points outside the subgroup bring, is taken for
/// one, lest it spoil the others.
fn add_all(mut chords: Vec<Chord>) -> Vec<blst_p1_affine> {
    let one = Fp::one();
    let mut product = one;
    let mut products = Vec::with_capacity(chords.len());
    for chord in &mut chords {
        chord.run = chord.run.or_one(&one);
        products.push(product);
        product = product.mul(&chord.run);
    }
    let mut inverse = product.inverse();
    let mut out = vec![blst_p1_affine::zeroed(); chords.len()];
    for ((out, chord), before) in out.iter_mut().zip(&chords).zip(&products).rev() {
        *out = chord.sum(&inverse.mul(before));
        inverse = inverse.mul(&chord.run);
    }
    for chord in &mut chords {
        chord.left.wipe();
        [&mut chord.rise, &mut chord.run, &mut chord.right_x].into_iter().for_each(Fp::wipe);
    }
    products.iter_mut().for_each(Fp::wipe);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::tests::{exponents, g1, point, secret, small};
    use crate::backend::{Backend, SecretScalar, blst::Blst};

    fn points(count: usize) -> Vec<G1> {
        (0..count).map(|number| point::<Blst>(&format!("lock-step {number}"))).collect()
    }

    /// On both sides of what changes the way: sharing at all, and the number of points at a time.
    #[test]
    fn every_size_agrees_with_plain_multiplication() {
        let scalar = secret::<Blst>(&crate::backend::tests::wide("every size"));
        let all = points(2 * AT_A_TIME + 1);
        let counts = [0, 1, WORTH_SHARING - 1, WORTH_SHARING, AT_A_TIME - 1, AT_A_TIME, AT_A_TIME + 1, all.len()];
        for count in counts {
            let some: Vec<&G1> = all.iter().take(count).collect();
            let found = mul_each(&some, &scalar);
            assert_eq!(found.len(), count);
            for (found, point) in found.iter().zip(some) {
                assert_eq!(g1::<Blst>(found), g1::<Blst>(&point.mul_secret(&scalar)), "{count} points");
            }
        }
    }

    /// Every boundary of an exponent, and multiples of z^2 by little, at which one half or the other is next to nothing.
    #[test]
    fn every_exponent_agrees_with_plain_multiplication() {
        let all = points(WORTH_SHARING);
        let some: Vec<&G1> = all.iter().collect();
        let z_squared = {
            let mut bytes = [0; 48];
            bytes[32..].copy_from_slice(&0xac45_a401_0001_a402_0000_0001_0000_0000u128.to_be_bytes());
            secret::<Blst>(&bytes)
        };
        let near = (0..36).flat_map(|number| {
            let (multiple, offset) = (z_squared.mul_small(number), secret::<Blst>(&small(u64::from(number % 7))));
            [multiple.add(&offset), multiple.sub(&offset), offset.sub(&multiple)]
        });
        for scalar in exponents().iter().map(secret::<Blst>).chain(near) {
            for (found, point) in mul_each(&some, &scalar).iter().zip(&all) {
                assert_eq!(g1::<Blst>(found), g1::<Blst>(&point.mul_secret(&scalar)), "{:02x?}", scalar.reveal());
            }
        }
    }

    #[test]
    fn tables_hold_the_odd_multiples() {
        let all = points(3);
        let tables = odd_multiples(g1_to_affine(&all.iter().collect::<Vec<_>>()));
        for (table, point) in tables.iter().zip(&all) {
            for (number, entry) in table.iter().enumerate() {
                let expected = point.mul_secret(&secret::<Blst>(&small(2 * number as u64 + 1)));
                assert_eq!(g1::<Blst>(&G1::from_affine(entry)), g1::<Blst>(&expected), "entry {number}");
            }
        }
    }

    /// The endomorphism is multiplication by z^2, not by its conjugate: the wrong cube root is right in length and order.
    #[test]
    fn the_endomorphism_multiplies_by_z_squared() {
        let point = points(1).remove(0);
        let mut affine = g1_to_affine(&[&point])[0];
        affine.x = Fp(affine.x).mul(&Fp::from_bytes(&BETA)).0;
        affine.y = Fp(affine.y).negated_if(true).0;
        let z = 0xd201_0000_0001_0000u64;
        let twice = point.mul_secret(&secret::<Blst>(&small(z))).mul_secret(&secret::<Blst>(&small(z)));
        assert_eq!(g1::<Blst>(&G1::from_affine(&affine)), g1::<Blst>(&twice));
    }

    /// The same point many times over, its inverses, and the point at infinity: lanes do not touch one another.
    #[test]
    fn lanes_are_independent() {
        let base = points(1).remove(0);
        let (negated, infinity) = (base.negated(), G1::infinity());
        let lanes = [&base, &infinity, &negated, &base, &base, &infinity, &negated];
        let scalar = secret::<Blst>(&[0xff; 48]);
        let expected = base.mul_secret(&scalar);
        let found = mul_each(&lanes, &scalar);
        assert_eq!(found.len(), lanes.len());
        for (lane, found) in found.iter().enumerate() {
            let expected = match lane {
                1 | 5 => G1::infinity(),
                2 | 6 => expected.negated(),
                _ => expected.clone(),
            };
            assert_eq!(g1::<Blst>(found), g1::<Blst>(&expected), "lane {lane}");
        }
        let nothing = [&infinity; WORTH_SHARING];
        assert!(mul_each(&nothing, &scalar).iter().all(G1::is_infinity));
    }

    /// A point of order three makes runs of zero; the good points beside it keep their results.
    #[test]
    fn a_bad_point_spoils_itself_alone() {
        let mut bytes = [0; 48];
        bytes[0] = 0x80;
        let bad = Blst::g1_from_bytes(&bytes, crate::backend::Trust::OnCurveOnly).unwrap();
        let good = points(4);
        let scalar = secret::<Blst>(&crate::backend::tests::wide("beside a bad one"));
        let found = mul_each(&[&good[0], &bad, &good[1], &bad, &good[2], &good[3]], &scalar);
        for (lane, point) in [(0, &good[0]), (2, &good[1]), (4, &good[2]), (5, &good[3])] {
            assert_eq!(g1::<Blst>(&found[lane]), g1::<Blst>(&point.mul_secret(&scalar)), "lane {lane}");
        }
    }
}
