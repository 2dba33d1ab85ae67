//! The key service's stanza: a data key in its wrapped form, opaque to this room, and which key wrapped it.
//!
//! Body: key id length (`u8`), key id (UTF-8 `ring/key`), wrapped data key (the rest). The key id is a hint
//! for people and caches; which key really opens the wrapped bytes is written inside them.

use crate::{FileKey, Randomness, Recipient, Stanza, StanzaKind, Unwrap, UnwrapError, WrapError};

/// Longest wrapped key that is taken, in bytes.
const MAX_WRAPPED: usize = 15_000;

/// A data key as the key service gave it: wrapped, plain, and the name of the key that wrapped it.
///
/// Both ends of the joint: as [`Recipient`] it puts its wrapped form into an envelope under this very key,
/// as [`Unwrap`] it opens the stanza that carries exactly these wrapped bytes. So a client reads the wrapped
/// bytes from a header ([`crate::Opener::wrapped_keys`]), asks the service, and opens with the answer.
pub struct DataKey {
    wrapped: WrappedKey,
    file_key: FileKey,
}

/// What a stanza of the key service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    key: String,
    wrapped: Vec<u8>,
}

impl WrappedKey {
    /// Joins a key's id, `ring/key`, and the bytes that it wrapped.
    ///
    /// # Errors
    /// [`WrapError::KeyId`] unless the id has 1 to 255 bytes, [`WrapError::WrappedLength`] unless the
    /// wrapped bytes are 1 to 15 000.
    pub fn new(key: &str, wrapped: Vec<u8>) -> Result<Self, WrapError> {
        if key.is_empty() || key.len() > usize::from(u8::MAX) {
            return Err(WrapError::KeyId { len: key.len() });
        }
        if wrapped.is_empty() || wrapped.len() > MAX_WRAPPED {
            return Err(WrapError::WrappedLength { len: wrapped.len() });
        }
        Ok(Self { key: key.to_owned(), wrapped })
    }

    /// Reads a stanza: `None` where it is of another kind.
    ///
    /// # Errors
    /// [`UnwrapError::Malformed`] where it is of this kind and not of its form.
    #[must_use]
    pub fn read(stanza: &Stanza) -> Option<Result<Self, UnwrapError>> {
        let malformed = UnwrapError::Malformed { kind: StanzaKind::KMS };
        (stanza.kind() == StanzaKind::KMS).then(|| parse(stanza.body()).ok_or(malformed))
    }

    /// The key's id, as the sealer wrote it.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The wrapped data key.
    #[must_use]
    pub fn wrapped(&self) -> &[u8] {
        &self.wrapped
    }

    /// The stanza that carries it.
    #[must_use]
    pub fn stanza(&self) -> Stanza {
        let length = u8::try_from(self.key.len()).unwrap_or(u8::MAX);
        Stanza::new(StanzaKind::KMS, [&[length], self.key.as_bytes(), &self.wrapped].concat())
    }
}

impl DataKey {
    /// A data key from the key service's answer: the id of the key, the wrapped bytes, the plain key.
    ///
    /// # Errors
    /// Those of [`WrappedKey::new`].
    pub fn new(key: &str, wrapped: Vec<u8>, file_key: FileKey) -> Result<Self, WrapError> {
        Ok(Self { wrapped: WrappedKey::new(key, wrapped)?, file_key })
    }

    /// The plain key, to seal under.
    #[must_use]
    pub fn file_key(&self) -> &FileKey {
        &self.file_key
    }

    /// The wrapped form.
    #[must_use]
    pub fn wrapped(&self) -> &WrappedKey {
        &self.wrapped
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wrapped, file_key: _ } = self;
        f.debug_struct("DataKey").field("key", &wrapped.key).finish_non_exhaustive()
    }
}

impl Recipient for DataKey {
    fn wrap(&self, file_key: &FileKey, _: &mut dyn Randomness) -> Result<Stanza, WrapError> {
        if self.file_key.is_same(file_key) {
            return Ok(self.wrapped.stanza());
        }
        Err(WrapError::OtherKey { key: self.wrapped.key.clone() })
    }

    fn own_key(&self) -> Option<&FileKey> {
        Some(&self.file_key)
    }
}

impl Unwrap for DataKey {
    fn unwrap(&self, stanza: &Stanza) -> Option<Result<FileKey, UnwrapError>> {
        let found = WrappedKey::read(stanza)?.ok()?;
        (found.wrapped == self.wrapped.wrapped).then(|| Ok(FileKey::from_bytes(*self.file_key.expose())))
    }
}

fn parse(body: &[u8]) -> Option<WrappedKey> {
    let (&length, rest) = body.split_first()?;
    let (key, wrapped) = rest.split_at_checked(usize::from(length))?;
    WrappedKey::new(std::str::from_utf8(key).ok()?, wrapped.to_vec()).ok()
}

/// The bytes before the wrapped key; all of them where the body is malformed.
pub(crate) fn checked_part(body: &[u8]) -> &[u8] {
    let end = body.first().map_or(0, |&length| 1 + usize::from(length));
    body.get(..end).unwrap_or(body)
}
