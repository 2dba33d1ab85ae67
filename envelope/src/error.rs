//! What can go wrong, an enum per operation group.

use std::io;

use crate::header::{MAX_CONTEXT, MAX_HEADER, MAX_STANZA, MAX_STANZAS};
use crate::stanza::all::MAX_PARTS;
use crate::{RandomFailed, StanzaKind};

/// Why an envelope could not be begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Nobody could ever open it.
    #[error("an envelope needs at least one recipient")]
    NoRecipient,
    /// More recipients than a header holds.
    #[error("{count} recipients are too many: at most {MAX_STANZAS} go into one envelope")]
    TooManyStanzas {
        /// How many there were.
        count: usize,
    },
    /// The context is too long.
    #[error("the context has {len} bytes: at most {MAX_CONTEXT} go into an envelope")]
    ContextTooLong {
        /// Its bytes.
        len: usize,
    },
    /// One stanza is too long.
    #[error("a stanza of kind {kind} has {len} bytes: at most {MAX_STANZA} are allowed")]
    StanzaTooLong {
        /// The stanza's kind.
        kind: StanzaKind,
        /// Its bytes.
        len: usize,
    },
    /// All of it together is too long.
    #[error("the header has {len} bytes: at most {MAX_HEADER} are allowed, so seal to fewer recipients")]
    HeaderTooLong {
        /// The header's bytes.
        len: usize,
    },
    /// A recipient could not be given the file key.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomFailed),
    /// The keys could not be derived; the lengths in use rule it out.
    #[error("the envelope's keys could not be derived")]
    Derivation,
    /// A chunk could not be encrypted: the body is longer than the format allows (256 TiB).
    #[error("the body is longer than 2^32 chunks of 64 KiB: split it over several envelopes")]
    TooLong,
}

/// Why a file key could not be put into a stanza.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// The key service wrapped another key than the envelope's.
    #[error("the wrapped data key `{key}` holds another key than the envelope's: seal under that data key itself")]
    OtherKey {
        /// The hint of the wrapped key.
        key: String,
    },
    /// The key id is not 1 to 255 bytes.
    #[error("the key id has {len} bytes: use 1 to 255")]
    KeyId {
        /// Its bytes.
        len: usize,
    },
    /// The wrapped key is empty or too long.
    #[error("the wrapped key has {len} bytes: 1 to 15 000 are taken")]
    WrappedLength {
        /// Its bytes.
        len: usize,
    },
    /// The bytes are not the DER of an RSA public key.
    #[error("the recipient's key is not an RSA public key in SPKI DER form (RFC 5280, rsaEncryption)")]
    NotRsa,
    /// The modulus is too short or too long.
    #[error("the recipient's RSA key has {bits} bits: use 3072 to 8192")]
    RsaSize {
        /// Bits of the modulus.
        bits: u32,
    },
    /// The exponent is even or below 65537.
    #[error("the recipient's RSA key has an exponent that is not allowed: use an odd one of at least 65537")]
    RsaExponent,
    /// RSA encryption failed.
    #[error("the file key could not be encrypted to the recipient's RSA key")]
    Rsa,
    /// A combination of one part, or of too many.
    #[error("a combination has {count} parts: use 2 to {MAX_PARTS}")]
    Parts {
        /// How many there were.
        count: usize,
    },
    /// A combination inside a combination.
    #[error("a combination cannot be part of another: name all parts in one")]
    Nested,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomFailed),
    /// A key could not be derived; the lengths in use rule it out.
    #[error("the stanza's key could not be derived")]
    Derivation,
    /// The file key could not be sealed under a policy.
    #[cfg(feature = "abe")]
    #[error(transparent)]
    Abe(#[from] wardkeep_abe::SealError),
    /// A mechanism outside this room failed.
    #[error("the recipient could not be given the file key")]
    Holder(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a stanza that is ours did not give its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnwrapError {
    /// The stanza's bytes do not have the form of its kind.
    #[error("the stanza of kind {kind} is malformed: the envelope was altered")]
    Malformed {
        /// The stanza's kind.
        kind: StanzaKind,
    },
    /// The holder's key does not open it.
    #[error("the stanza of kind {kind} does not open: the envelope was altered")]
    Broken {
        /// The stanza's kind.
        kind: StanzaKind,
    },
    /// The key's attributes do not satisfy the policy: public data alone says so.
    #[error("the key does not satisfy the policy; it lacks {}", missing.join(", "))]
    NotSatisfied {
        /// What the cheapest way to satisfy it would need.
        missing: Vec<String>,
    },
    /// Some parts of a combination opened, and one is for none of the holders.
    #[error("the envelope asks for several keys together, and none at hand opens its part of kind {kind}")]
    PartMissing {
        /// The kind of the first such part.
        kind: StanzaKind,
    },
    /// Whoever holds the key refused or could not be reached.
    #[error("the holder of the key did not open the stanza")]
    Holder(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl UnwrapError {
    /// Whether another holder or another stanza may still open the envelope: a no that everybody could have told
    /// beforehand, and no sign of damage.
    pub(crate) fn leaves_it_to_others(&self) -> bool {
        matches!(self, Self::NotSatisfied { .. } | Self::PartMissing { .. })
    }
}

/// Why an envelope did not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The first bytes are not ours.
    #[error("this is not a Wardkeep envelope")]
    NotAnEnvelope,
    /// The same where a batch's header was asked for.
    #[error("this is not the header of a Wardkeep batch")]
    NotABatch,
    /// A version that this software does not know.
    #[error("the envelope has format version {version}: this software reads version 1, use a newer one")]
    UnknownVersion {
        /// The version it names.
        version: u16,
    },
    /// The header claims a length out of bounds.
    #[error("the envelope's header claims {len} bytes: at most {MAX_HEADER} are allowed")]
    HeaderLength {
        /// The claimed length.
        len: u64,
    },
    /// The header contradicts itself.
    #[error("the envelope's header is malformed: its {part} is out of bounds")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
    /// The input ends inside the header.
    #[error("the envelope ends inside its header: it was cut short")]
    HeaderTruncated,
    /// None of the stanzas is for any of the given holders.
    #[error("none of the envelope's {count} stanzas is for the keys at hand")]
    NotForUs {
        /// How many stanzas it has.
        count: usize,
    },
    /// One is, and it does not open.
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
    /// The header's check fails under the unwrapped key.
    #[error("the envelope's header fails its check: it was altered, or its key is another")]
    HeaderAltered,
    /// The envelope was sealed for another context.
    #[error("the envelope was sealed for another context")]
    OtherContext,
    /// A chunk is not what was sealed at its place.
    #[error("chunk {chunk} fails its check: the envelope was altered or cut short")]
    ChunkAltered {
        /// Counted from 0.
        chunk: u64,
    },
    /// The body ends before its last chunk.
    #[error("the envelope ends after chunk {chunk}, before its end: it was cut short")]
    Truncated {
        /// The last chunk that was there, counted from 0; 0 also where there was none.
        chunk: u64,
    },
    /// More bytes than the format allows.
    #[error("the body is longer than 2^32 chunks")]
    TooLong,
    /// Reading failed.
    #[error("the envelope could not be read")]
    Read(#[from] io::Error),
}

/// Why an envelope could not be given a newly wrapped key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RewrapError {
    /// The new wrapped key is out of bounds.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// Copying the body failed.
    #[error("the envelope could not be copied")]
    Copy(#[from] io::Error),
    /// The envelope has no stanza with that wrapped key.
    #[error("the envelope has no stanza with that wrapped key")]
    NoSuchStanza,
    /// The new header would be out of bounds.
    #[error(transparent)]
    Bounds(#[from] SealError),
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Read(inner) => inner,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}
