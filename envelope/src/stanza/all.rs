//! The combination: a file key that several parts give together, and none of them alone.
//!
//! Body: salt (32 bytes), wrapped file key (48), number of parts (`u8`), then the parts, each a stanza of its own
//! (kind, length, body). Every part carries a share of 32 bytes in the place of a file key; the shares in their order are
//! the input of HKDF-SHA-256 (RFC 5869), whose output wraps the file key. Who lacks one share knows nothing of that
//! output: HKDF-Extract is a random oracle over all of them. Such is "attributes *and* the key service": a reader opens
//! the one part off line, and the other part asks for a decision every time.
//!
//! The file key is wrapped rather than derived, so that other stanzas may stand beside this one under the same file key.

use std::borrow::Cow;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ask;
use crate::cipher::{OnceKey, WRAPPED};
use crate::header::Fields;
use crate::{FileKey, Randomness, Recipient, Stanza, StanzaKind, Unwrap, UnwrapError, WrapError};

/// Fewest parts: one alone is a stanza without this.
const MIN_PARTS: usize = 2;
/// Most parts.
pub const MAX_PARTS: usize = 4;

const SALT: usize = 32;
const INFO: &[u8] = b"wardkeep envelope 1 all of";

/// Recipients that open together only.
pub struct AllOf<'a>(&'a [&'a dyn Recipient]);

/// What a combination says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllOfStanza {
    salt: [u8; SALT],
    wrapped: [u8; WRAPPED],
    parts: Vec<Stanza>,
}

impl<'a> AllOf<'a> {
    /// Combines recipients. One whose key is given, as a [`crate::DataKey`]'s, has that key as its share; the others are
    /// given a share that is drawn for this envelope.
    ///
    /// # Errors
    /// [`WrapError::Parts`] unless there are 2 to [`MAX_PARTS`].
    pub fn new(parts: &'a [&'a dyn Recipient]) -> Result<Self, WrapError> {
        let count = parts.len();
        if (MIN_PARTS..=MAX_PARTS).contains(&count) { Ok(Self(parts)) } else { Err(WrapError::Parts { count }) }
    }
}

impl Recipient for AllOf<'_> {
    fn wrap(&self, file_key: &FileKey, random: &mut dyn Randomness) -> Result<Stanza, WrapError> {
        // Fresh for every envelope: data keys that come twice as shares make no key that comes twice.
        let mut salt = [0; SALT];
        random.fill(&mut salt)?;
        let (mut shares, mut parts) = (Vec::new(), Vec::new());
        for recipient in self.0 {
            let share = match recipient.own_key() {
                Some(own) => FileKey::from_bytes(*own.expose()),
                None => FileKey::random(random)?,
            };
            let part = recipient.wrap(&share, random)?;
            if part.kind() == StanzaKind::ALL_OF {
                return Err(WrapError::Nested);
            }
            shares.push(share);
            parts.push(part);
        }
        let wrapped = combine(&salt, &shares).and_then(|key| key.wrap(file_key)).ok_or(WrapError::Derivation)?;
        Ok(AllOfStanza { salt, wrapped, parts }.stanza())
    }
}

impl AllOfStanza {
    /// Reads a stanza: `None` where it is of another kind.
    ///
    /// # Errors
    /// [`UnwrapError::Malformed`] where it is of this kind and not of its form; a combination inside a combination is.
    #[must_use]
    pub fn read(stanza: &Stanza) -> Option<Result<Self, UnwrapError>> {
        let malformed = UnwrapError::Malformed { kind: StanzaKind::ALL_OF };
        (stanza.kind() == StanzaKind::ALL_OF).then(|| parse(stanza.body()).ok_or(malformed))
    }

    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> &[Stanza] {
        &self.parts
    }

    fn stanza(&self) -> Stanza {
        Stanza::new(StanzaKind::ALL_OF, self.encode(|part| Cow::Borrowed(part.body())))
    }

    fn encode<'a>(&'a self, body: impl Fn(&'a Stanza) -> Cow<'a, [u8]>) -> Vec<u8> {
        let count = u8::try_from(self.parts.len()).unwrap_or(u8::MAX);
        let mut out = [self.salt.as_slice(), &self.wrapped, &[count]].concat();
        for part in &self.parts {
            crate::header::put_stanza(&mut out, part.kind(), &body(part));
        }
        out
    }

    /// The same with another stanza in the place of one of its parts; `None` where it has no such part.
    pub(crate) fn with_part(mut self, old: &Stanza, new: &Stanza) -> Option<Stanza> {
        let place = self.parts.iter_mut().find(|part| *part == old)?;
        place.clone_from(new);
        Some(self.stanza())
    }
}

/// The combination's file key: every part is asked for its share. `None` where none of them is for these holders.
///
/// An error of a part is the answer whatever the other parts say; a part that nobody here knows is said to be missing
/// only then.
pub(crate) fn open(stanza: &Stanza, holders: &[&dyn Unwrap]) -> Option<Result<FileKey, UnwrapError>> {
    let found = match AllOfStanza::read(stanza)? {
        Ok(found) => found,
        Err(error) => return Some(Err(error)),
    };
    let (mut shares, mut missing) = (Vec::new(), None);
    for part in &found.parts {
        match ask::holders(part, holders) {
            Some(Ok(share)) => shares.push(share),
            Some(Err(error)) => return Some(Err(error)),
            None => missing = missing.or(Some(part.kind())),
        }
    }
    match missing {
        Some(_) if shares.is_empty() => None,
        Some(kind) => Some(Err(UnwrapError::PartMissing { kind })),
        None => {
            let key = combine(&found.salt, &shares).and_then(|key| key.unwrap(&found.wrapped));
            Some(key.ok_or(UnwrapError::Broken { kind: StanzaKind::ALL_OF }))
        }
    }
}

/// The bytes that the header's check covers: all but what a part authenticates by other means; all of a malformed body.
pub(crate) fn checked_part(body: &[u8]) -> Cow<'_, [u8]> {
    parse(body).map_or(Cow::Borrowed(body), |found| Cow::Owned(found.encode(Stanza::checked)))
}

fn combine(salt: &[u8; SALT], shares: &[FileKey]) -> Option<OnceKey> {
    // Room for all at once: a vector that grows leaves what it held behind.
    let mut joined = Zeroizing::new(Vec::with_capacity(32 * MAX_PARTS));
    shares.iter().for_each(|share| joined.extend_from_slice(share.expose()));
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), &joined).expand(INFO, key.as_mut_slice()).ok()?;
    Some(OnceKey(key))
}

fn parse(body: &[u8]) -> Option<AllOfStanza> {
    let mut fields = Fields(body);
    let (salt, wrapped, [count]) = (*fields.array()?, *fields.array()?, *fields.array()?);
    if !(MIN_PARTS..=MAX_PARTS).contains(&usize::from(count)) {
        return None;
    }
    let part = |_| fields.stanza().ok().filter(|part| part.kind() != StanzaKind::ALL_OF);
    let parts = (0..count).map(part).collect::<Option<Vec<Stanza>>>()?;
    fields.0.is_empty().then_some(AllOfStanza { salt, wrapped, parts })
}
