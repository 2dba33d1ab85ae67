//! The escrow of an authority: its master key under a fresh key, and that key as shares, of which so many open it.
//!
//! Shamir's scheme over GF(2^8) (How to share a secret, CACM 1979), byte by byte, in the field of FIPS 197. Fewer shares
//! than the threshold say nothing at all about the key: every coefficient is uniform, zero included. Multiplication is
//! without tables and branches, buffers are wiped, the numbers 1 to n are the points. The arithmetic is our own, forty lines:
//! of the libraries at hand some look products up in tables, and the one that does not drew odd coefficients only until
//! its 5.4, wipes nothing, and brings twenty crates.
//!
//! Every custodian gets the sealed authority beside their share (docs/formats.md, *Escrow*), so that so many custodians
//! are enough, whatever else is lost. [`combine`] needs no service, store or permit.

use std::collections::BTreeMap;

use wardkeep_model::{Entropy, KeyId, KeyVersion};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::material::aes::AesKey;
use crate::secret::{SecretBytes, SecretKey32};

/// Fewest shares, and the lowest threshold: one share alone would be a copy.
pub const MIN_SHARES: u8 = 2;
/// Most shares.
pub const MAX_SHARES: u8 = 16;

/// The first bytes of a package.
const MAGIC: &[u8; 8] = b"WKESCROW";
/// Version of the package.
const FORMAT: u8 = 1;
/// Bytes that name a set of shares.
const SET: usize = 16;
/// Bytes of the shared key.
const KEY: usize = 32;
/// Longest sealed authority that is read.
const MAX_SEALED: usize = 4 << 20;

/// Why packages do not give an authority back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EscrowError {
    /// Not a package.
    #[error("package {at} is not one of an escrow, or not a whole one: pass it as its custodian got it")]
    Malformed {
        /// Which of those given, counted from 1.
        at: usize,
    },
    /// A package of another escrow.
    #[error("package {at} belongs to another escrow than the first: collect packages of one escrow")]
    OtherSet {
        /// Which of those given, counted from 1.
        at: usize,
    },
    /// The same share twice.
    #[error("share {number} stands twice: every custodian has a share of their own")]
    Twice {
        /// The share.
        number: u8,
    },
    /// Fewer shares than it takes.
    #[error("{given} shares are not enough: this escrow opens with {threshold}")]
    TooFew {
        /// How many there are.
        given: usize,
        /// How many it takes.
        threshold: u8,
    },
    /// The shares do not give the key that sealed the authority.
    #[error("the shares do not open the authority: one of them is damaged or made up")]
    Refused,
}

/// An authority that came back from its shares.
#[derive(Debug)]
pub struct Recovered {
    /// The key it was.
    pub key: KeyId,
    /// The version it was.
    pub version: KeyVersion,
    /// The master key, as [`wardkeep_abe::Authority::from_bytes`] reads it.
    pub authority: SecretBytes,
}

/// What an escrow is of, and how it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) key: KeyId,
    pub(crate) version: KeyVersion,
    pub(crate) threshold: u8,
}

/// One custodian's package.
pub(crate) struct Package {
    /// Which share, from 1.
    pub(crate) number: u8,
    /// Its bytes.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// A package as it was read.
struct Read<'a> {
    set: &'a [u8; SET],
    terms: Terms,
    number: u8,
    share: &'a [u8; KEY],
    sealed: &'a [u8],
}

/// Gives an authority back from packages of at least as many custodians as its escrow asks for.
///
/// # Errors
/// [`EscrowError`], naming the package that does not belong.
pub fn combine<P: AsRef<[u8]>>(packages: &[P]) -> Result<Recovered, EscrowError> {
    let read = |(index, package): (usize, &'_ P)| -> Result<(), EscrowError> {
        parse(package.as_ref()).map(|_| ()).ok_or(EscrowError::Malformed { at: index + 1 })
    };
    packages.iter().enumerate().try_for_each(read)?;
    let all: Vec<Read<'_>> = packages.iter().filter_map(|package| parse(package.as_ref())).collect();
    let Some(first) = all.first() else { return Err(EscrowError::TooFew { given: 0, threshold: MIN_SHARES }) };
    let mut shares: BTreeMap<u8, &[u8; KEY]> = BTreeMap::new();
    for (index, read) in all.iter().enumerate() {
        if (read.set, &read.terms, read.sealed) != (first.set, &first.terms, first.sealed) {
            return Err(EscrowError::OtherSet { at: index + 1 });
        }
        if shares.insert(read.number, read.share).is_some() {
            return Err(EscrowError::Twice { number: read.number });
        }
    }
    let threshold = first.terms.threshold;
    if shares.len() < usize::from(threshold) {
        return Err(EscrowError::TooFew { given: shares.len(), threshold });
    }
    let key = interpolate(&shares);
    let cipher = AesKey::new(key.as_slice()).ok_or(EscrowError::Refused)?;
    let opened = cipher.open(&bound(first.set, &first.terms), first.sealed).map_err(|_| EscrowError::Refused)?;
    let Terms { key, version, threshold: _ } = first.terms.clone();
    Ok(Recovered { key, version, authority: SecretBytes::new(opened) })
}

/// Seals an authority under a fresh key and splits that into shares.
pub(crate) fn split(
    terms: &Terms,
    shares: u8,
    authority: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<Package>, KmsError> {
    check(terms.threshold, shares)?;
    let key = SecretKey32::random(entropy)?;
    let mut set = [0; SET];
    entropy.fill(&mut set)?;
    let cipher = AesKey::new(key.expose()).ok_or(KmsError::Cryptography)?;
    let mut sealed = Vec::new();
    cipher.seal(entropy, &bound(&set, terms), authority, &mut sealed)?;
    let coefficients = coefficients(terms.threshold, entropy)?;
    let package = |number: u8| {
        let share = evaluate(key.expose(), &coefficients, number);
        Some(Package { number, bytes: write(&set, terms, (number, &share), &sealed)? })
    };
    (1..=shares).map(package).collect::<Option<_>>().ok_or(KmsError::Cryptography)
}

/// Whether an escrow may have that threshold and so many shares.
pub(crate) fn check(threshold: u8, shares: u8) -> Result<(), KmsError> {
    let fits = (MIN_SHARES..=MAX_SHARES).contains(&shares) && (MIN_SHARES..=shares).contains(&threshold);
    if fits { Ok(()) } else { Err(KmsError::EscrowShares { min: MIN_SHARES, max: MAX_SHARES }) }
}

/// The coefficients of x, x^2, ..: for each as many as the key has bytes, uniform over the field.
fn coefficients(threshold: u8, entropy: &dyn Entropy) -> Result<Vec<Zeroizing<[u8; KEY]>>, KmsError> {
    let draw = |_| {
        let mut drawn = Zeroizing::new([0; KEY]);
        entropy.fill(drawn.as_mut_slice()).map(|()| drawn)
    };
    Ok((1..threshold).map(draw).collect::<Result<_, _>>()?)
}

/// The polynomials of all bytes at one point, by Horner's rule.
fn evaluate(key: &[u8; KEY], coefficients: &[Zeroizing<[u8; KEY]>], point: u8) -> Zeroizing<[u8; KEY]> {
    let mut out = Zeroizing::new([0; KEY]);
    let highest_first = coefficients.iter().rev().map(|coefficient| &**coefficient).chain([key]);
    for coefficient in highest_first {
        for (sum, byte) in out.iter_mut().zip(coefficient) {
            *sum = multiply(*sum, point) ^ byte;
        }
    }
    out
}

/// The polynomials of all bytes at zero, by Lagrange's formula. No share has number zero, and none stands twice.
fn interpolate(shares: &BTreeMap<u8, &[u8; KEY]>) -> Zeroizing<[u8; KEY]> {
    let mut out = Zeroizing::new([0; KEY]);
    for (number, share) in shares {
        let others = shares.keys().filter(|other| *other != number);
        let weight = others.fold(1, |weight, other| multiply(multiply(weight, *other), inverse(*other ^ *number)));
        for (sum, byte) in out.iter_mut().zip(share.iter()) {
            *sum ^= multiply(*byte, weight);
        }
    }
    out
}

/// The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, section 4.2), in the same steps for all values.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & 0_u8.wrapping_sub(b >> bit & 1);
        let carried = 0_u8.wrapping_sub(a >> 7);
        a = a << 1 ^ carried & 0x1B;
    }
    product
}

/// The inverse, as the power of 254; zero for zero.
fn inverse(a: u8) -> u8 {
    // 254 = 2 + 4 + .. + 128.
    let (mut square, mut product) = (a, 1);
    for _ in 1..8 {
        square = multiply(square, square);
        product = multiply(product, square);
    }
    product
}

/// `magic || format || set || threshold || length of the key's name || name || version`: what the seal is bound to, and
/// how a package begins.
fn bound(set: &[u8; SET], terms: &Terms) -> Vec<u8> {
    let name = terms.key.as_str().as_bytes();
    let mut out = Vec::with_capacity(MAGIC.len() + SET + 7 + name.len());
    out.extend_from_slice(MAGIC);
    out.push(FORMAT);
    out.extend_from_slice(set);
    out.push(terms.threshold);
    // Names have at most 127 bytes.
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name);
    out.extend_from_slice(&terms.version.get().to_be_bytes());
    out
}

/// `bound || number || share || length of the sealed authority || nonce || ciphertext || tag`.
fn write(
    set: &[u8; SET],
    terms: &Terms,
    (number, share): (u8, &[u8; KEY]),
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let len = u32::try_from(sealed.len()).ok().filter(|_| sealed.len() <= MAX_SEALED)?;
    let head = bound(set, terms);
    // All at once: a vector that grows leaves the share behind in the memory it moved from.
    let mut out = Zeroizing::new(Vec::with_capacity(head.len() + 1 + KEY + 4 + sealed.len()));
    out.extend_from_slice(&head);
    out.push(number);
    out.extend_from_slice(share);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(sealed);
    Some(out)
}

fn parse(bytes: &[u8]) -> Option<Read<'_>> {
    let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&[FORMAT])?;
    let (set, rest) = rest.split_first_chunk::<SET>()?;
    let ([threshold, len], rest) = rest.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(*len))?;
    let key = KeyId::parse(std::str::from_utf8(name).ok()?).ok()?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let version = KeyVersion::new(u32::from_be_bytes(*version))?;
    let ([number], rest) = rest.split_first_chunk::<1>()?;
    let (share, rest) = rest.split_first_chunk::<KEY>()?;
    let (len, sealed) = rest.split_first_chunk::<4>()?;
    let whole = usize::try_from(u32::from_be_bytes(*len)).ok()? == sealed.len() && sealed.len() <= MAX_SEALED;
    let numbered = (1..=MAX_SHARES).contains(number) && (MIN_SHARES..=MAX_SHARES).contains(threshold);
    let terms = Terms { key, version, threshold: *threshold };
    (whole && numbered).then_some(Read { set, terms, number: *number, share, sealed })
}

#[cfg(test)]
mod tests;
