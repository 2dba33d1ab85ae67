//! What can go wrong, an enum an operation.

use crate::AuthorityId;
use crate::validity::{Bucket, Serial};

/// Bytes of a key, of parameters, of a ciphertext or of a list that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends early.
    #[error("the input ends before its {part} is complete; it was cut off")]
    Truncated {
        /// What was being read.
        part: &'static str,
    },
    /// There is more than the format says.
    #[error("{count} bytes follow behind the end; this is not one whole object")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// It does not begin as such an object does.
    #[error("this is not {expected}; check that it is the right file")]
    NotOurs {
        /// What was asked for, with its article.
        expected: &'static str,
    },
    /// A format that this software does not know.
    #[error("format version {version} is not known; a newer Wardkeep wrote this")]
    UnknownFormat {
        /// The version.
        version: u8,
    },
    /// A field that is longer than it may be.
    #[error("the {part} has {len} bytes or entries, {max} at most are read")]
    TooLong {
        /// Which field.
        part: &'static str,
        /// Its length.
        len: usize,
        /// Its bound.
        max: usize,
    },
    /// A field that is not of its form.
    #[error("the {part} is malformed")]
    Malformed {
        /// Which field.
        part: &'static str,
    },
    /// A number of elements that does not fit the rest.
    #[error("there are {count} of the {part}, the policy asks for {expected}")]
    Count {
        /// Which elements.
        part: &'static str,
        /// How many there are.
        count: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A point that is not canonical, not on the curve, outside the subgroup or at infinity.
    #[error("the {part} is not a point of its group; the bytes were damaged or made up")]
    BadPoint {
        /// Which point.
        part: &'static str,
    },
    /// A signature that does not verify.
    #[error("the signature over the {part} does not verify; do not use them")]
    BadSignature {
        /// What was signed.
        part: &'static str,
    },
    /// The object belongs to another authority or to other parameters.
    #[error("the {part} belongs to other public parameters; fetch the parameters of its authority and version")]
    OtherParameters {
        /// Which object.
        part: &'static str,
    },
}

/// Why an authority was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The tree of serials is too small or too large.
    #[error("serials of {bits} bits are not possible; choose 1 to 32")]
    SerialBits {
        /// What was asked for.
        bits: u8,
    },
    /// There are no more version numbers.
    #[error("the authority has used up its version numbers; make a new authority")]
    Versions,
}

/// Why a key was not issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Nothing to issue a key for.
    #[error("a key needs one attribute at least")]
    NoAttributes,
    /// More labels than a key may hold.
    #[error("the attributes come to {count} labels, {max} at most fit a key; declare fewer values or narrower numbers")]
    TooManyLabels {
        /// How many.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// The serial lies outside the tree.
    #[error("serial {} is beyond the authority's tree; rotate the authority for a new one", .serial.number())]
    SerialOutOfRange {
        /// The serial.
        serial: Serial,
    },
    /// The time bucket lies outside the range of this authority's buckets.
    #[error("time bucket {} is beyond the range of this authority", .bucket.number())]
    BucketOutOfRange {
        /// The bucket.
        bucket: Bucket,
    },
    /// The attributes were made for another schema.
    #[error(transparent)]
    Attribute(Box<crate::AttributeError>),
    /// The formula of a key of the key-policy scheme.
    #[error(transparent)]
    Policy(Box<crate::PolicyError>),
}

/// Why nothing was sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The formula cannot be sealed under.
    #[error(transparent)]
    Policy(Box<crate::PolicyError>),
    /// The policy was read under other parameters, or the parameters are of the other scheme.
    #[error("the policy belongs to other public parameters; read it anew under these")]
    OtherParameters,
    /// Formula, time bucket and cover together are too large.
    #[error(
        "formula and requirements come to {rows} rows, {max} at most; make the formula smaller, or rotate the authority so that the revocation list starts anew"
    )]
    TooManyRows {
        /// How many.
        rows: usize,
        /// The bound.
        max: usize,
    },
    /// The context is too long.
    #[error("the context has {len} bytes, {max} at most; put its digest in its place")]
    ContextTooLong {
        /// Its length.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// The time bucket lies outside the range of this authority's buckets.
    #[error("time bucket {} is beyond the range of this authority", .bucket.number())]
    BucketOutOfRange {
        /// The bucket.
        bucket: Bucket,
    },
    /// A revocation list must go with a time bucket.
    #[error("a revocation list goes with a time bucket, since expired serials leave the list; ask for one too")]
    CoverWithoutBucket,
    /// The revocation list does not know who was revoked so early.
    #[error(
        "the revocation list leaves out keys that ended before time bucket {}, the policy asks for bucket {}; ask for a later one",
        .first.number(), .bucket.number()
    )]
    BucketBeforeList {
        /// The policy's bucket.
        bucket: Bucket,
        /// The first bucket that the list may go with.
        first: Bucket,
    },
    /// Every serial is revoked.
    #[error("every serial of the authority is revoked; rotate the authority")]
    AllRevoked,
    /// No label to seal under.
    #[error("a record needs one label at least")]
    NoLabels,
    /// More labels than a ciphertext may hold.
    #[error("the labels come to {count}, {max} at most fit a ciphertext")]
    TooManyLabels {
        /// How many.
        count: usize,
        /// The bound.
        max: usize,
    },
}

/// Why a revocation list was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// Not a list.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The list is of another authority or version.
    #[error("the revocation list belongs to another authority or authority version")]
    OtherAuthority,
    /// The list is too old to seal under.
    #[error(
        "the revocation list was due for renewal at {next_update} and it is {now} (seconds since 1970); fetch the newest list"
    )]
    Stale {
        /// When it should have been renewed.
        next_update: u64,
        /// The time it was compared with.
        now: u64,
    },
    /// The list is dated in the future.
    #[error("the revocation list is dated {issued_at} and it is {now} (seconds since 1970); check the clock")]
    FromTheFuture {
        /// Its date.
        issued_at: u64,
        /// The time it was compared with.
        now: u64,
    },
    /// A serial outside the authority's tree.
    #[error("serial {} is beyond the authority's tree; check which version it is of", .serial.number())]
    SerialOutOfRange {
        /// The serial.
        serial: Serial,
    },
    /// Too many serials.
    #[error("{count} serials are revoked, {max} at most stand in a list; rotate the authority")]
    TooMany {
        /// How many.
        count: usize,
        /// The bound.
        max: usize,
    },
}

/// Why a ciphertext was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The structure is broken: told from lengths and counts, before any algebra.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The policy text does not stand in its canonical form or is none.
    #[error("the ciphertext's policy cannot be read: {0}")]
    Policy(Box<crate::PolicyError>),
    /// Sealed for another authority.
    #[error("sealed under authority {found}, the key is of {held}; use a key of that authority")]
    OtherAuthority {
        /// The ciphertext's.
        found: AuthorityId,
        /// The key's.
        held: AuthorityId,
    },
    /// Sealed under another version of the authority.
    #[error(
        "sealed under version {found} of the authority, the key is of version {held}; ask for a key of that version"
    )]
    OtherVersion {
        /// The ciphertext's.
        found: u32,
        /// The key's.
        held: u32,
    },
    /// The key's attributes do not satisfy the policy: public data alone says so.
    #[error("the key does not satisfy the policy; it lacks {}", missing.join(", "))]
    NotSatisfied {
        /// What the cheapest way to satisfy it would need.
        missing: Vec<String>,
    },
    /// Everything else, without detail: damaged, of another context, or made up.
    #[error("the ciphertext could not be opened: it was changed, or belongs to another context")]
    NotOpened,
}

/// Why a key was not narrowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelegateError {
    /// The key was issued under other parameters.
    #[error("the key belongs to other public parameters; use those of its authority and version")]
    OtherParameters,
    /// The key has no such attribute.
    #[error("the key holds no attribute `{name}`; see `inspect` for what it holds")]
    NotHeld {
        /// The attribute.
        name: String,
    },
    /// Nothing would be left.
    #[error("nothing would be left of the key; keep one attribute at least")]
    NothingLeft,
    /// The key has no expiry, or expires before that.
    #[error("the key cannot be shortened to time bucket {}: {reason}", .wanted.number())]
    Expiry {
        /// What was asked for.
        wanted: Bucket,
        /// Why not.
        reason: &'static str,
    },
}

// Boxed, since their places and words make them large.
macro_rules! boxed {
    ($($error:ty, $variant:ident: $inner:ty;)+) => {$(
        impl From<$inner> for $error {
            fn from(inner: $inner) -> Self {
                Self::$variant(Box::new(inner))
            }
        }
    )+};
}

boxed! {
    IssueError, Policy: crate::PolicyError;
    IssueError, Attribute: crate::AttributeError;
    SealError, Policy: crate::PolicyError;
    OpenError, Policy: crate::PolicyError;
}
