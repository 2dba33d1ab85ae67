//! Sealing: a header for its recipients, then a body that is a stream or a whole buffer.

use std::io::{self, Write};

use crate::header::{Form, Header};
use crate::key::{BodyKey, SALT};
use crate::stream::{CHUNK, ChunkCipher, Place, SealWriter, TAG};
use crate::{FileKey, Randomness, Recipient, SealError};

/// An envelope whose header stands and whose body comes next. One sealer makes one envelope: it is used up,
/// so that no chunk key meets a second body.
pub struct Sealer {
    header: Vec<u8>,
    key: BodyKey,
}

impl Sealer {
    /// Makes the header: a stanza for every recipient, and the context that an opener must name.
    ///
    /// `file_key` is the data key where a [`crate::DataKey`] is among the recipients, else a
    /// [`FileKey::random`] one. The context is written in clear and authenticated; it may be empty.
    ///
    /// # Errors
    /// [`SealError`]: no recipients or too many, a bound of the header, a recipient that could not be given
    /// the key, no randomness.
    pub fn new(
        file_key: &FileKey,
        recipients: &[&dyn Recipient],
        context: &[u8],
        random: &mut dyn Randomness,
    ) -> Result<Self, SealError> {
        let (header, key) = Header::make(Form::Envelope, file_key, recipients, context, random)?;
        Ok(Self { header: header.encode(), key })
    }

    /// Bytes of the header; with [`sealed_len`] the length of the whole envelope.
    #[must_use]
    pub fn header_len(&self) -> usize {
        self.header.len()
    }

    /// Writes the header and takes plaintext from then on. Memory: one chunk.
    ///
    /// The envelope is whole only after [`SealWriter::finish`]; without it, it will not open.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn writer<W: Write>(self, mut out: W) -> io::Result<SealWriter<W>> {
        out.write_all(&self.header)?;
        Ok(SealWriter::new(out, ChunkCipher::new(&self.key)))
    }

    /// Seals a whole buffer into a new one.
    ///
    /// # Errors
    /// [`SealError::TooLong`] beyond 2^32 chunks.
    pub fn seal(self, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let total = usize::try_from(sealed_len(self.header.len(), plaintext.len() as u64));
        let mut out = Vec::with_capacity(total.map_err(|_| SealError::TooLong)?);
        out.extend_from_slice(&self.header);
        let cipher = ChunkCipher::new(&self.key);
        let mut rest = plaintext;
        for counter in 0.. {
            let (chunk, after) = rest.split_at_checked(CHUNK).unwrap_or((rest, &[]));
            let place = Place::new(counter, after.is_empty()).ok_or(SealError::TooLong)?;
            let start = out.len();
            out.extend_from_slice(chunk);
            let tag = out.get_mut(start..).and_then(|chunk| cipher.seal(place, chunk)).ok_or(SealError::TooLong)?;
            out.extend_from_slice(&tag);
            if after.is_empty() {
                break;
            }
            rest = after;
        }
        Ok(out)
    }

    /// Seals a buffer where it stands: afterwards it holds the envelope and no copy of the plaintext was made.
    ///
    /// It grows by the header and 16 bytes a chunk; give it that much spare capacity ([`sealed_len`]) or it moves,
    /// and the memory it moved from is not zeroed.
    ///
    /// # Errors
    /// [`SealError::TooLong`] beyond 2^32 chunks; the buffer is then empty.
    pub fn seal_in_place(self, buffer: &mut Vec<u8>) -> Result<(), SealError> {
        let done = self.try_in_place(buffer);
        if done.is_none() {
            zeroize::Zeroize::zeroize(buffer);
        }
        done.ok_or(SealError::TooLong)
    }

    /// From the last chunk to the first, so that a chunk moves back onto room that is already free.
    fn try_in_place(self, buffer: &mut Vec<u8>) -> Option<()> {
        let (length, header) = (buffer.len(), self.header.len());
        buffer.resize(usize::try_from(sealed_len(header, length as u64)).ok()?, 0);
        let cipher = ChunkCipher::new(&self.key);
        let chunks = length.div_ceil(CHUNK).max(1);
        for index in (0..chunks).rev() {
            let (from, size) = (index * CHUNK, CHUNK.min(length - index * CHUNK));
            let to = header + index * (CHUNK + TAG);
            buffer.copy_within(from..from + size, to);
            let (chunk, tag) = buffer.get_mut(to..to + size + TAG)?.split_at_mut_checked(size)?;
            let place = Place::new(index as u64, index + 1 == chunks)?;
            tag.copy_from_slice(&cipher.seal(place, chunk)?);
        }
        buffer.get_mut(..header)?.copy_from_slice(&self.header);
        Some(())
    }
}

impl Header {
    /// A header for these recipients, with the key behind its check.
    pub(crate) fn make(
        form: Form,
        file_key: &FileKey,
        recipients: &[&dyn Recipient],
        context: &[u8],
        random: &mut dyn Randomness,
    ) -> Result<(Self, BodyKey), SealError> {
        if recipients.is_empty() {
            return Err(SealError::NoRecipient);
        }
        let mut salt = [0; SALT];
        random.fill(&mut salt)?;
        let stanzas = recipients.iter().map(|one| one.wrap(file_key, random)).collect::<Result<_, _>>()?;
        let mut header = Self { form, salt, context: context.to_vec(), stanzas, check: [0; 32] };
        header.check_bounds()?;
        let (check, key) = file_key.derive(form, &salt).commit(&header.transcript()).ok_or(SealError::Derivation)?;
        header.check = check;
        Ok((header, key))
    }
}

/// Bytes of an envelope with a header of `header` bytes and a plaintext of `plaintext` bytes.
#[must_use]
pub fn sealed_len(header: usize, plaintext: u64) -> u64 {
    let chunks = plaintext.div_ceil(CHUNK as u64).max(1);
    plaintext.saturating_add(chunks.saturating_mul(TAG as u64)).saturating_add(header as u64)
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { header, key: _ } = self;
        f.debug_struct("Sealer").field("header_len", &header.len()).finish_non_exhaustive()
    }
}
