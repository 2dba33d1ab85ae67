//! RFC 9380 over arkworks' map to the curve. The expansion is ours: arkworks' takes hash functions of another
//! generation of their common trait than the one this workspace has.

use ark_bls12_381::{Fq, G1Affine, G1Projective, g1};
use ark_ec::AffineRepr;
use ark_ec::hashing::curve_maps::wb::WBMap;
use ark_ec::hashing::map_to_curve_hasher::MapToCurve;
use ark_ff::PrimeField;
use sha2::{Digest, Sha256};

/// Bytes of a hash.
const HASH: usize = 32;
/// Bytes of a block of the hash function.
const BLOCK: usize = 64;
/// Bytes from which a coordinate is reduced (L of section 5.1: 381 and 128 bits).
const WIDE: usize = 64;
/// What goes in front of a tag that is itself hashed (section 5.3.3).
const OVERSIZE: &[u8] = b"H2C-OVERSIZE-DST-";

/// hash_to_curve of section 3: two elements of the field, mapped and added, the cofactor cleared.
pub(super) fn to_g1(dst: &[u8], message: &[u8]) -> G1Projective {
    let uniform = expand(dst, message);
    let (elements, _) = uniform.as_chunks::<WIDE>();
    let mut sum = G1Projective::default();
    for element in elements {
        // The map fails for no element of the field; were it to, a sum at infinity would be refused further up.
        let mapped = WBMap::<g1::Config>::map_to_curve(Fq::from_be_bytes_mod_order(element));
        sum += mapped.unwrap_or_else(|_| G1Affine::zero());
    }
    G1Affine::from(sum).clear_cofactor().into()
}

/// expand_message_xmd of section 5.3.1, for two elements.
fn expand(dst: &[u8], message: &[u8]) -> [u8; 2 * WIDE] {
    let short;
    let tag: &[u8] = if dst.len() > 255 {
        short = Sha256::new().chain_update(OVERSIZE).chain_update(dst).finalize();
        &short
    } else {
        dst
    };
    let finish = |hash: Sha256| -> [u8; HASH] {
        hash.chain_update(tag).chain_update([u8::try_from(tag.len()).unwrap_or(u8::MAX)]).finalize().into()
    };
    let length = [0, 2 * WIDE as u8];
    let first =
        finish(Sha256::new().chain_update([0; BLOCK]).chain_update(message).chain_update(length).chain_update([0]));
    let mut out = [0; 2 * WIDE];
    let mut last = [0; HASH];
    let (blocks, _) = out.as_chunks_mut::<HASH>();
    for (number, block) in (1u8..).zip(blocks) {
        let mut mixed = first;
        mixed.iter_mut().zip(last).for_each(|(into, from)| *into ^= from);
        last = finish(Sha256::new().chain_update(mixed).chain_update([number]));
        *block = last;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9380, appendix K.1: expand_message_xmd with SHA-256 for 0x80 bytes.
    #[test]
    fn expansion_of_the_rfc() {
        let dst = b"QUUX-V01-CS02-with-expander-SHA256-128";
        let expected = "af84c27ccfd45d41914fdff5df25293e221afc53d8ad2ac06d5e3e29485dadbe\
                        e0d121587713a3e0dd4d5e69e93eb7cd4f5df4cd103e188cf60cb02edc3edf18\
                        eda8576c412b18ffb658e3dd6ec849469b979d444cf7b26911a08e63cf31f9dc\
                        c541708d3491184472c2c29bb749d4286b004ceb5ee6b9a7fa5b646c993f0ced";
        let found: String = expand(dst, b"").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, expected);
    }

    /// The tag stands behind its length: a byte moved from the message to the tag is another input.
    #[test]
    fn tag_and_message_are_kept_apart() {
        assert_ne!(expand(b"ab", b"c"), expand(b"a", b"bc"));
        // 255 bytes stand as they are, 256 are hashed: no long tag equals its hash as a short one by accident of length.
        let long = [7; 256];
        let hashed: [u8; HASH] = Sha256::new().chain_update(OVERSIZE).chain_update(long).finalize().into();
        assert_eq!(expand(&long, b"m"), expand(&hashed, b"m"), "as section 5.3.3 says");
        assert_ne!(expand(&long[..255], b"m"), expand(&long, b"m"));
    }
}
