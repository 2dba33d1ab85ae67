//! Sums of points under public exponents. Variable time in the exponents, which is why only [`Public`] ones get here.
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use blst::{blst_p1_affine, limb_t};

use super::point::{G1, g1_to_affine};
use super::scalar::Public;
use super::select::Limbs;

/// Bits of the group order.
const ORDER_BITS: usize = 255;
/// Up to here tables of small multiples, made for the occasion, are faster than buckets.
const TABLES_UP_TO: usize = 32;
/// Window of these tables, in bits.
const TABLE_WINDOW: usize = 5;

/// The sum of points, each to a public power. Exponents of one, which AND and OR have throughout, are plain additions.
pub(super) fn msm(points: &[&G1], scalars: &[Public]) -> G1 {
    let mut total = G1::infinity();
    let mut rest: Vec<&G1> = Vec::new();
    let mut exponents: Vec<[u8; 32]> = Vec::new();
    for (point, scalar) in points.iter().zip(scalars) {
        if scalar.is_one() {
            total.add_assign(point);
        } else if !point.is_infinity() {
            rest.push(point);
            exponents.push(scalar.to_little_endian());
        }
    }
    match (rest.as_slice(), exponents.as_slice()) {
        ([], _) | (_, []) => {}
        ([point], [exponent]) => total.add_assign(&point.mul_bytes(exponent)),
        _ => {
            let mut affine = g1_to_affine(&rest);
            let sum = if affine.len() <= TABLES_UP_TO {
                by_tables(&affine, &exponents)
            } else {
                by_buckets(&affine, &exponents)
            };
            affine.iter_mut().for_each(Limbs::wipe);
            total.add_assign(&sum);
        }
    }
    total
}

fn by_tables(points: &[blst_p1_affine], exponents: &[[u8; 32]]) -> G1 {
    let count = points.len().min(exponents.len());
    let pointers: Vec<_> = points.iter().map(std::ptr::from_ref).collect();
    let scalars: Vec<_> = exponents.iter().map(|exponent| exponent.as_ptr()).collect();
    let mut table = vec![blst_p1_affine::zeroed(); count << (TABLE_WINDOW - 1)];
    // SAFETY: the table has the size that blst_p1s_mult_wbits_precompute_sizeof gives, `count` points of 2^(w-1) entries;
    // as many pointers to points and to 32-byte exponents as `count`; the scratch has the size blst asks for.
    unsafe {
        let mut scratch = scratch(blst::blst_p1s_mult_wbits_scratch_sizeof(count));
        let mut out = G1::infinity();
        blst::blst_p1s_mult_wbits_precompute(table.as_mut_ptr(), TABLE_WINDOW, pointers.as_ptr(), count);
        blst::blst_p1s_mult_wbits(
            &raw mut out.0,
            table.as_ptr(),
            TABLE_WINDOW,
            count,
            scalars.as_ptr(),
            ORDER_BITS,
            scratch.as_mut_ptr(),
        );
        wipe(&mut table, &mut scratch);
        out
    }
}

fn by_buckets(points: &[blst_p1_affine], exponents: &[[u8; 32]]) -> G1 {
    let count = points.len().min(exponents.len());
    let pointers: Vec<_> = points.iter().map(std::ptr::from_ref).collect();
    let scalars: Vec<_> = exponents.iter().map(|exponent| exponent.as_ptr()).collect();
    // SAFETY: as many pointers to points and to 32-byte exponents as `count`; the scratch has the size blst asks for.
    unsafe {
        let mut scratch = scratch(blst::blst_p1s_mult_pippenger_scratch_sizeof(count));
        let mut out = G1::infinity();
        blst::blst_p1s_mult_pippenger(
            &raw mut out.0,
            pointers.as_ptr(),
            count,
            scalars.as_ptr(),
            ORDER_BITS,
            scratch.as_mut_ptr(),
        );
        wipe(&mut [], &mut scratch);
        out
    }
}

/// The exponents are public, the points need not be: an opening sums up points of a user's key here, whose multiples stay
/// behind in tables and buckets.
fn wipe(table: &mut [blst_p1_affine], scratch: &mut [limb_t]) {
    table.iter_mut().for_each(Limbs::wipe);
    zeroize::Zeroize::zeroize(scratch);
}

/// Room for at least so many bytes, aligned for limbs.
fn scratch(bytes: usize) -> Vec<limb_t> {
    vec![0; bytes.div_ceil(size_of::<limb_t>())]
}
