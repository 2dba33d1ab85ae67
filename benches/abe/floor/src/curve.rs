//! G1 and G2 as blst has them.
#![expect(unsafe_code, reason = "the raw interface of blst; every pointer comes from a live reference")]

use blst::*;

const TAG: &[u8] = b"WARDKEEP-FLOOR-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";

/// A point in the form in which it is added to.
#[derive(Clone, Copy)]
pub(crate) struct G1(blst_p1);

/// A point in the form in which it is added to.
#[derive(Clone, Copy)]
pub(crate) struct G2(blst_p2);

/// What a table needs of a group.
pub(crate) trait Group: Copy {
    /// The form in which a point is added most cheaply: words alone.
    type Affine: Copy + Default;
    fn zero() -> Self;
    fn add(&self, other: &Self) -> Self;
    fn double(&self) -> Self;
    fn add_affine(&self, other: &Self::Affine) -> Self;
    fn to_affine(self) -> Self::Affine;
    /// Changes the sign if asked to, in constant time.
    fn negate_if(point: &mut Self::Affine, negative: bool);
    /// The words of a point, for a masked choice.
    fn words(point: &Self::Affine) -> &[u64];
    /// The words of a point, to be written.
    fn words_mut(point: &mut Self::Affine) -> &mut [u64];
}

macro_rules! group {
    ($name:ident, $point:ty, $affine:ty, $bytes:expr, $add:ident, $double:ident, $add_affine:ident, $to_affine:ident,
     $negate:ident, $mul:ident, $compress:ident) => {
        impl $name {
            /// blst's constant-time multiplication.
            pub(crate) fn mul(&self, scalar: &[u8; 32]) -> Self {
                let mut out = <$point>::default();
                // SAFETY: live points and 32 readable bytes, of which 255 bits are read.
                unsafe { $mul(&mut out, &self.0, scalar.as_ptr(), 255) };
                Self(out)
            }

            /// Compressed.
            pub(crate) fn to_bytes(self) -> [u8; $bytes] {
                let mut out = [0; $bytes];
                // SAFETY: a live point and as many writable bytes as its compressed form has.
                unsafe { $compress(out.as_mut_ptr(), &self.0) };
                out
            }
        }

        impl Group for $name {
            type Affine = $affine;

            fn zero() -> Self {
                Self(<$point>::default())
            }

            fn add(&self, other: &Self) -> Self {
                let mut out = <$point>::default();
                // SAFETY: live points.
                unsafe { $add(&mut out, &self.0, &other.0) };
                Self(out)
            }

            fn double(&self) -> Self {
                let mut out = <$point>::default();
                // SAFETY: live points.
                unsafe { $double(&mut out, &self.0) };
                Self(out)
            }

            fn add_affine(&self, other: &$affine) -> Self {
                let mut out = <$point>::default();
                // SAFETY: live points.
                unsafe { $add_affine(&mut out, &self.0, other) };
                Self(out)
            }

            fn to_affine(self) -> $affine {
                let mut out = <$affine>::default();
                // SAFETY: live points.
                unsafe { $to_affine(&mut out, &self.0) };
                out
            }

            fn negate_if(point: &mut $affine, negative: bool) {
                let y = &raw mut point.y;
                // SAFETY: a live coordinate, which may be input and output.
                unsafe { $negate(y, y, negative) };
            }

            fn words(point: &$affine) -> &[u64] {
                let length = size_of::<$affine>() / size_of::<u64>();
                // SAFETY: the type is an array of 64-bit limbs in a C layout, without padding.
                unsafe { std::slice::from_raw_parts(std::ptr::from_ref(point).cast(), length) }
            }

            fn words_mut(point: &mut $affine) -> &mut [u64] {
                let length = size_of::<$affine>() / size_of::<u64>();
                // SAFETY: as above; every value of the words is a value of the type.
                unsafe { std::slice::from_raw_parts_mut(std::ptr::from_mut(point).cast(), length) }
            }
        }
    };
}

group!(
    G1,
    blst_p1,
    blst_p1_affine,
    48,
    blst_p1_add_or_double,
    blst_p1_double,
    blst_p1_add_or_double_affine,
    blst_p1_to_affine,
    blst_fp_cneg,
    blst_p1_mult,
    blst_p1_compress
);
group!(
    G2,
    blst_p2,
    blst_p2_affine,
    96,
    blst_p2_add_or_double,
    blst_p2_double,
    blst_p2_add_or_double_affine,
    blst_p2_to_affine,
    blst_fp2_cneg,
    blst_p2_mult,
    blst_p2_compress
);

impl G1 {
    /// RFC 9380.
    pub(crate) fn hash(message: &[u8]) -> Self {
        let mut out = blst_p1::default();
        let (tag, message_length, tag_length) = (TAG.as_ptr(), message.len(), TAG.len());
        // SAFETY: each pointer with the length of what it points to; nothing is prepended.
        unsafe { blst_hash_to_g1(&mut out, message.as_ptr(), message_length, tag, tag_length, std::ptr::null(), 0) };
        Self(out)
    }
}

impl G2 {
    pub(crate) fn generator() -> Self {
        // SAFETY: a pointer to a constant of the library.
        Self(unsafe { *blst_p2_generator() })
    }
}

/// Affine forms of many points, with one inversion.
pub(crate) fn batch_to_affine(points: &[G1]) -> Vec<blst_p1_affine> {
    let pointers: Vec<*const blst_p1> = points.iter().map(|point| &raw const point.0).collect();
    let mut out = vec![blst_p1_affine::default(); points.len()];
    // SAFETY: as many live points as the length says, on both sides.
    unsafe { blst_p1s_to_affine(out.as_mut_ptr(), pointers.as_ptr(), points.len()) };
    out
}

/// A point on the curve; the subgroup is not looked at.
pub(crate) fn g1_from_bytes(bytes: &[u8; 48]) -> Option<blst_p1_affine> {
    let mut out = blst_p1_affine::default();
    // SAFETY: 48 readable bytes and a live point.
    let result = unsafe { blst_p1_uncompress(&mut out, bytes.as_ptr()) };
    (result == BLST_ERROR::BLST_SUCCESS).then_some(out)
}

/// A point on the curve; the subgroup is not looked at.
pub(crate) fn g2_from_bytes(bytes: &[u8; 96]) -> Option<blst_p2_affine> {
    let mut out = blst_p2_affine::default();
    // SAFETY: 96 readable bytes and a live point.
    let result = unsafe { blst_p2_uncompress(&mut out, bytes.as_ptr()) };
    (result == BLST_ERROR::BLST_SUCCESS).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_from_their_bytes() {
        let p = G1::hash(b"x");
        assert_eq!(g1_from_bytes(&p.to_bytes()), Some(p.to_affine()));
        let q = G2::generator().double();
        assert_eq!(g2_from_bytes(&q.to_bytes()), Some(q.to_affine()));
        assert_eq!(g1_from_bytes(&[0; 48]), None);
        assert_eq!(batch_to_affine(&[p, p.double()]), [p.to_affine(), p.double().to_affine()]);
    }
}
