//! A ciphertext: the encapsulation of one secret, with the policy it enforces.
//!
//! ```text
//! WKABECT | format | scheme | authority (16) | version (4) | counted statement | points in G2 (2) | points in G1 (2)
//! ct1 (96) | G2 points, 96 each: ct2, one a copy | G1 points, 48 each: ct3, one a row | masked message (32)
//! ```
//!
//! The statement is the policy as it is bound: canonical text, time bucket, cover. In the key-policy scheme it is the text
//! of the record's labels, there are no further points in G2, and the points in G1 are ct2, one a label in ascending
//! order. Reading allocates for what is there, never for what a count claims.

use crate::DecodeError;
use crate::backend::{G1_BYTES, G2_BYTES};
use crate::encoding::{Reader, put_counted};
use crate::key::MAX_LABELS;
use crate::label::{AuthorityId, Scope};
use crate::parameters::Scheme;
use crate::policy::{MAX_ROWS, MAX_STATEMENT, Statement};
use crate::validity::Bucket;

const MAGIC: &[u8; 7] = b"WKABECT";
const FORMAT: u8 = 1;
/// Longest ciphertext of the ciphertext-policy scheme, in bytes.
pub const MAX_CIPHERTEXT: usize = MAX_STATEMENT + (MAX_ROWS + 2) * (G1_BYTES + G2_BYTES) + 128;

/// A ciphertext whose structure was checked: lengths and counts, not a single point. All of it is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext {
    bytes: Vec<u8>,
    scheme: Scheme,
    scope: Scope,
    statement: Vec<u8>,
    points: Points,
}

/// The points as bytes. Those of G1 are ct3 (a row each) in one scheme, ct2 (a label each) in the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Points {
    pub(crate) ct1: [u8; G2_BYTES],
    pub(crate) in_g2: Vec<[u8; G2_BYTES]>,
    pub(crate) in_g1: Vec<[u8; G1_BYTES]>,
    /// The message of the transform, masked.
    pub(crate) masked: [u8; 32],
}

impl Ciphertext {
    pub(crate) fn new(scheme: Scheme, scope: Scope, statement: Vec<u8>, points: Points) -> Self {
        let mut bytes = [MAGIC.as_slice(), &[FORMAT, scheme as u8], &scope.authority.0].concat();
        bytes.extend_from_slice(&scope.version.to_be_bytes());
        put_counted(&mut bytes, &statement);
        for count in [points.in_g2.len(), points.in_g1.len()] {
            bytes.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        }
        bytes.extend_from_slice(&points.ct1);
        points.in_g2.iter().for_each(|point| bytes.extend_from_slice(point));
        points.in_g1.iter().for_each(|point| bytes.extend_from_slice(point));
        bytes.extend_from_slice(&points.masked);
        Self { bytes, scheme, scope, statement, points }
    }

    /// Reads a ciphertext: bounds, counts and the form of its policy. The points are not looked at: opening makes them
    /// anew and compares.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.begin(MAGIC, FORMAT, "a ciphertext of attribute-based encryption")?;
        let scheme = Scheme::from_number(reader.u8("scheme")?).ok_or(DecodeError::Malformed { part: "scheme" })?;
        let authority = AuthorityId(*reader.array("authority")?);
        let scope = Scope { authority, version: reader.u32("authority version")? };
        let statement = reader.counted(MAX_STATEMENT, "policy")?;
        if scheme == Scheme::CiphertextPolicy {
            Statement::read(statement)?;
        }
        let points = read_points(&mut reader, scheme)?;
        reader.end()?;
        Ok(Self { bytes: bytes.to_vec(), scheme, scope, statement: statement.to_vec(), points })
    }

    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The authority it was sealed for.
    #[must_use]
    pub fn authority(&self) -> AuthorityId {
        self.scope.authority
    }

    /// The authority version it was sealed for.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.scope.version
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The text of its policy, or, in the key-policy scheme, of its labels. Not authentic before it was opened.
    #[must_use]
    pub fn text(&self) -> String {
        match self.scheme {
            Scheme::CiphertextPolicy => self.read_statement().map_or_else(String::new, |read| read.text.to_owned()),
            Scheme::KeyPolicy => String::from_utf8_lossy(&self.statement).into_owned(),
        }
    }

    /// The time bucket that a key must reach. Not authentic before it was opened.
    #[must_use]
    pub fn bucket(&self) -> Option<Bucket> {
        self.read_statement().and_then(|read| read.bucket)
    }

    /// The number and date (seconds since 1970) of the revocation list it was sealed with. Not authentic before it
    /// was opened.
    #[must_use]
    pub fn revocation_list(&self) -> Option<(u64, u64)> {
        let cover = self.read_statement().and_then(|read| read.cover)?;
        Some((cover.list_number, cover.issued_at))
    }

    /// How many rows its span program has, or labels it carries.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.points.in_g1.len()
    }

    #[cfg(test)]
    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn statement(&self) -> &[u8] {
        &self.statement
    }

    pub(crate) fn points(&self) -> &Points {
        &self.points
    }

    fn read_statement(&self) -> Option<Statement<'_>> {
        (self.scheme == Scheme::CiphertextPolicy).then(|| Statement::read(&self.statement).ok()).flatten()
    }
}

fn read_points(reader: &mut Reader<'_>, scheme: Scheme) -> Result<Points, DecodeError> {
    let max = match scheme {
        Scheme::CiphertextPolicy => MAX_ROWS,
        Scheme::KeyPolicy => MAX_LABELS,
    };
    let mut count = || match usize::from(reader.u16("number of points")?) {
        len if len > max => Err(DecodeError::TooLong { part: "points", len, max }),
        count => Ok(count),
    };
    let (in_g2, in_g1) = (count()?, count()?);
    // Bounded by what is there too, before anything is kept for it.
    let expected = G2_BYTES * (in_g2 + 1) + G1_BYTES * in_g1 + 32;
    if reader.left() < expected {
        return Err(DecodeError::Truncated { part: "points" });
    }
    let ct1 = *reader.array("points")?;
    let in_g2: Result<Vec<_>, _> = (0..in_g2).map(|_| reader.array("points").copied()).collect();
    let in_g1: Result<Vec<_>, _> = (0..in_g1).map(|_| reader.array("points").copied()).collect();
    Ok(Points { ct1, in_g2: in_g2?, in_g1: in_g1?, masked: *reader.array("masked message")? })
}
