//! Stanzas: how a file key travels. One file a mechanism, joined by two traits.

#[cfg(feature = "abe")]
pub(crate) mod abe;
pub(crate) mod all;
pub(crate) mod kms;
pub(crate) mod rsa;

use std::borrow::Cow;

use crate::{FileKey, Randomness, UnwrapError, WrapError};

/// The number of a stanza's mechanism, as it stands in the header.
///
/// 1 is the key service, 2 an RSA public key, 3 attribute-based encryption (with the feature `abe`), 4 a combination of
/// others. A reader skips what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StanzaKind(pub u16);

/// One recipient's part of the header: the file key in a form that only they open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stanza {
    kind: StanzaKind,
    body: Vec<u8>,
}

/// Whoever can be given a file key.
pub trait Recipient {
    /// Puts the file key into a stanza.
    ///
    /// # Errors
    /// [`WrapError`], of the mechanism.
    fn wrap(&self, file_key: &FileKey, random: &mut dyn Randomness) -> Result<Stanza, WrapError>;

    /// The one key that it can be given, where that is not the sealer's choice: a data key is wrapped already.
    fn own_key(&self) -> Option<&FileKey> {
        None
    }
}

/// Whoever holds a key that opens stanzas.
pub trait Unwrap {
    /// `None`: not mine, ask somebody else. `Some(Err)`: mine, but broken or refused; nobody else is asked, but after
    /// [`UnwrapError::NotSatisfied`].
    fn unwrap(&self, stanza: &Stanza) -> Option<Result<FileKey, UnwrapError>>;
}

impl StanzaKind {
    /// A data key wrapped by the key service.
    pub const KMS: Self = Self(1);
    /// The file key under an RSA public key.
    pub const RSA: Self = Self(2);
    /// The file key under a policy over attributes.
    pub const ABE: Self = Self(3);
    /// The file key in parts, all of which are needed.
    pub const ALL_OF: Self = Self(4);
}

impl std::fmt::Display for StanzaKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::KMS => f.write_str("kms"),
            Self::RSA => f.write_str("rsa"),
            Self::ABE => f.write_str("abe"),
            Self::ALL_OF => f.write_str("all-of"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

impl Stanza {
    /// A stanza of a mechanism of one's own. Bounds are checked where it goes into a header.
    #[must_use]
    pub fn new(kind: StanzaKind, body: Vec<u8>) -> Self {
        Self { kind, body }
    }

    /// The mechanism.
    #[must_use]
    pub fn kind(&self) -> StanzaKind {
        self.kind
    }

    /// The mechanism's bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The part of the body that the header's check covers: all of it, but for the key service's wrapped
    /// bytes, in a combination too. Those authenticate themselves and give no other file key than the one the check
    /// commits to; left out, a file can be rewrapped under a newer key version by whoever may not open it.
    pub(crate) fn checked(&self) -> Cow<'_, [u8]> {
        match self.kind {
            StanzaKind::KMS => Cow::Borrowed(kms::checked_part(&self.body)),
            StanzaKind::ALL_OF => all::checked_part(&self.body),
            _ => Cow::Borrowed(&self.body),
        }
    }
}
