//! Many small records under the same recipients: one header for all of them, and for each a box of its own.
//!
//! To give a file key to a recipient is dear (a millisecond for a policy over attributes), so a batch does it once. Its
//! header is an envelope's header under another magic: stanzas, context, and the check that commits to the file key. Each
//! record is then a box of [`OVERHEAD`] bytes more than its text, stored wherever records are stored, under a key of its
//! own that is derived from the batch's key and the record's number (HKDF-SHA-256, RFC 5869). The bytes stand in
//! `docs/formats.md`, section *Batch*.
//!
//! One key encrypts one record, so the nonce is fixed and nobody chooses it. What a box says of itself (batch, number)
//! chooses the key, so it needs no other authentication; the record's context is associated data. AES-GCM commits to
//! no key: a box names its batch by 24 bytes of the header's check, which does.
//!
//! ```
//! use wardkeep_envelope::batch::{BatchOpener, BatchSealer};
//! use wardkeep_envelope::{DataKey, FileKey, RandomFailed};
//! # let mut random = |out: &mut [u8]| -> Result<(), RandomFailed> { out.fill(7); Ok(()) };
//! let data_key = DataKey::new("clinic/records", vec![1; 60], FileKey::from_bytes([9; 32]))?;
//! let mut sealer = BatchSealer::new(data_key.file_key(), &[&data_key], b"ward 7", &mut random)?;
//! let boxed = sealer.seal(b"Observation/17", b"potassium 4.1 mmol/l")?;
//!
//! let reader = BatchOpener::from_bytes(sealer.header())?.reader(&[&data_key], b"ward 7")?;
//! assert_eq!(reader.open(&boxed, b"Observation/17")?, b"potassium 4.1 mmol/l");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::cipher::OnceKey;
use crate::header::{Fields, Form, Header};
use crate::key::{BodyKey, CHECK};
use crate::{FileKey, OpenError, Randomness, Recipient, RewrapError, SealError, Stanza, TAG, Unwrap, WrappedKey, ask};

/// Bytes that a box is longer than its record: format, batch, number, tag.
pub const OVERHEAD: usize = PREFIX + TAG;
/// Most records of a batch.
pub const MAX_RECORDS: u64 = 1 << 32;

/// The format that a box begins with.
const FORMAT: u8 = 1;
const ID: usize = 24;
/// Format, batch, number.
const PREFIX: usize = 1 + ID + 4;

/// Which batch a record is of: the first 24 bytes of the header's check.
///
/// Two headers with one name are a collision of 192 bits of HMAC-SHA-256. Rewrapping a header does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchId([u8; ID]);

/// Makes the boxes of one batch. Its numbers run from 0 and none is given twice.
pub struct BatchSealer {
    header: Vec<u8>,
    keys: RecordKeys,
    next: u64,
}

/// A batch's header that was read. What it tells is a *claim* until [`BatchOpener::reader`] was given.
#[derive(Debug)]
pub struct BatchOpener(Header);

/// Opens the boxes of one batch. It may be shared by threads.
pub struct BatchReader(RecordKeys);

/// A box that does not open: altered, cut, of another batch, number or context. Which, is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record does not open: it was altered, or is of another batch, number or context")]
pub struct NotOpened;

/// Why a record was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordSealError {
    /// Every number was given.
    #[error("the batch has its 2^32 records: begin another")]
    Full,
    /// The record is longer than AES-GCM takes (64 GiB), or its key could not be derived.
    #[error("the record cannot be encrypted: seal what is that long as an envelope")]
    TooLong,
}

impl BatchSealer {
    /// Begins a batch: as [`crate::Sealer::new`].
    ///
    /// # Errors
    /// As [`crate::Sealer::new`].
    pub fn new(
        file_key: &FileKey,
        recipients: &[&dyn Recipient],
        context: &[u8],
        random: &mut dyn Randomness,
    ) -> Result<Self, SealError> {
        let (header, key) = Header::make(Form::Batch, file_key, recipients, context, random)?;
        let keys = RecordKeys::new(&key, &header.check).ok_or(SealError::Derivation)?;
        Ok(Self { header: header.encode(), keys, next: 0 })
    }

    /// The header, to be stored once for all records.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The batch's name, to find the header by.
    #[must_use]
    pub fn id(&self) -> BatchId {
        self.keys.id
    }

    /// Seals the next record. `context` is what an opener must name: which record it is, and nothing that two records
    /// share.
    ///
    /// # Errors
    /// [`RecordSealError`].
    pub fn seal(&mut self, context: &[u8], record: &[u8]) -> Result<Vec<u8>, RecordSealError> {
        let mut out = Vec::with_capacity(record.len() + OVERHEAD);
        self.seal_onto(context, record, &mut out)?;
        Ok(out)
    }

    /// Seals the next record onto the end of a buffer; after an error the buffer is as it was.
    ///
    /// # Errors
    /// [`RecordSealError`].
    pub fn seal_onto(&mut self, context: &[u8], record: &[u8], out: &mut Vec<u8>) -> Result<(), RecordSealError> {
        let number = u32::try_from(self.next).map_err(|_| RecordSealError::Full)?;
        let key = self.keys.key(number).ok_or(RecordSealError::TooLong)?;
        // Before the key is used: whatever becomes of this record, its number is gone.
        self.next += 1;
        let start = out.len();
        out.extend_from_slice(&[FORMAT]);
        out.extend_from_slice(&self.keys.id.0);
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(record);
        let sealed = out.get_mut(start + PREFIX..).and_then(|text| key.seal(context, text));
        match sealed {
            Some(tag) => out.extend_from_slice(&tag),
            None => {
                zeroize::Zeroize::zeroize(out.get_mut(start..).unwrap_or_default());
                out.truncate(start);
                return Err(RecordSealError::TooLong);
            }
        }
        Ok(())
    }
}

impl BatchOpener {
    /// Reads a header; nothing may follow it.
    ///
    /// # Errors
    /// [`OpenError`]: not a batch's header, another version, out of bounds, cut short or extended.
    pub fn from_bytes(mut header: &[u8]) -> Result<Self, OpenError> {
        let read = Header::read(Form::Batch, &mut header)?;
        if header.is_empty() { Ok(Self(read)) } else { Err(OpenError::Malformed { part: "end" }) }
    }

    /// The name that the header claims.
    #[must_use]
    pub fn claimed_id(&self) -> BatchId {
        BatchId::of(&self.0.check)
    }

    /// The context that the header claims. Do not act on it: name the expected one to [`BatchOpener::reader`].
    #[must_use]
    pub fn claimed_context(&self) -> &[u8] {
        &self.0.context
    }

    /// All stanzas, unknown kinds included.
    #[must_use]
    pub fn stanzas(&self) -> &[Stanza] {
        &self.0.stanzas
    }

    /// The wrapped data keys to ask a key service about, those of combinations included; malformed stanzas are left
    /// out.
    pub fn wrapped_keys(&self) -> impl Iterator<Item = WrappedKey> {
        ask::wrapped_keys(&self.0.stanzas)
    }

    /// Unwraps the file key and checks the header under it.
    ///
    /// # Errors
    /// As [`crate::Opener::reader`].
    pub fn reader(&self, holders: &[&dyn Unwrap], context: &[u8]) -> Result<BatchReader, OpenError> {
        let key = self.0.unlock(holders, context)?;
        RecordKeys::new(&key, &self.0.check).map(BatchReader).ok_or(OpenError::HeaderAltered)
    }

    /// The header with the key service's newly wrapped form of the same data key: as [`crate::Opener::rewrap`]. No box
    /// changes with it.
    ///
    /// # Errors
    /// [`RewrapError`]: no stanza holds `old`, or bounds.
    pub fn rewrap(mut self, old: &WrappedKey, new: Vec<u8>) -> Result<Vec<u8>, RewrapError> {
        self.0.rewrap(old, new)?;
        Ok(self.0.encode())
    }
}

impl BatchReader {
    /// The batch's name.
    #[must_use]
    pub fn id(&self) -> BatchId {
        self.0.id
    }

    /// Opens a box that was sealed for this context, whatever its number: boxes that share a context can take each
    /// other's place. Where they do, [`BatchReader::open_numbered`].
    ///
    /// # Errors
    /// [`NotOpened`], whatever is wrong with it.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, NotOpened> {
        self.try_open(None, sealed, context).ok_or(NotOpened)
    }

    /// Opens the box of this number, counted from 0 in the order of sealing.
    ///
    /// # Errors
    /// [`NotOpened`], whatever is wrong with it.
    pub fn open_numbered(&self, number: u32, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, NotOpened> {
        self.try_open(Some(number), sealed, context).ok_or(NotOpened)
    }

    fn try_open(&self, expected: Option<u32>, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (id, number, text) = parse(sealed)?;
        let (text, tag) = text.split_last_chunk::<TAG>()?;
        if id != self.0.id || expected.is_some_and(|expected| expected != number) {
            return None;
        }
        let mut out = text.to_vec();
        self.0.key(number)?.open(context, &mut out, tag).then_some(out)
    }
}

impl BatchId {
    fn of(check: &[u8; CHECK]) -> Self {
        let mut id = [0; ID];
        id.iter_mut().zip(check).for_each(|(to, from)| *to = *from);
        Self(id)
    }

    /// The batch that a box claims to be of; `None` where it is no box.
    #[must_use]
    pub fn claimed_by(sealed: &[u8]) -> Option<Self> {
        parse(sealed).map(|(id, ..)| id)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Batch, number, and what was encrypted with its tag.
fn parse(sealed: &[u8]) -> Option<(BatchId, u32, &[u8])> {
    let mut fields = Fields(sealed);
    let ([FORMAT], id, number) = (fields.array()?, *fields.array()?, *fields.array()?) else { return None };
    (fields.0.len() >= TAG).then_some((BatchId(id), u32::from_be_bytes(number), fields.0))
}

/// The keys of a batch's records.
struct RecordKeys {
    id: BatchId,
    root: Hkdf<Sha256>,
}

impl RecordKeys {
    fn new(key: &BodyKey, check: &[u8; CHECK]) -> Option<Self> {
        Some(Self { id: BatchId::of(check), root: Hkdf::from_prk(key.0.as_slice()).ok()? })
    }

    /// The key of one record; `None` never happens, see [`crate::key::Derived`].
    fn key(&self, number: u32) -> Option<OnceKey> {
        let mut key = Zeroizing::new([0; 32]);
        self.root.expand(&number.to_be_bytes(), key.as_mut_slice()).ok()?;
        Some(OnceKey(key))
    }
}

impl std::fmt::Debug for BatchSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { header, keys: RecordKeys { id, root: _ }, next } = self;
        let header = header.len();
        f.debug_struct("BatchSealer").field("id", id).field("header_len", &header).field("next", next).finish()
    }
}

impl std::fmt::Debug for BatchReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(RecordKeys { id, root: _ }) = self;
        f.debug_tuple("BatchReader").field(id).finish()
    }
}

#[cfg(test)]
mod tests;
