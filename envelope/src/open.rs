//! Opening: the header first, its check next, and only then a body.

use std::io::{self, Read, Write};

use crate::ask;
use crate::header::{Form, Header};
use crate::key::BodyKey;
use crate::stream::{ChunkCipher, OpenReader, open_whole, open_within};
use crate::{OpenError, RewrapError, Stanza, Unwrap, WrappedKey};

/// An envelope whose header was read. What it tells is a *claim* until the envelope was opened.
#[derive(Debug)]
pub struct Opener<R> {
    header: Header,
    body: R,
}

impl<'a> Opener<&'a [u8]> {
    /// Reads the header of an envelope that is in memory.
    ///
    /// # Errors
    /// [`OpenError`]: not an envelope, another version, a header out of bounds or cut short.
    pub fn from_bytes(sealed: &'a [u8]) -> Result<Self, OpenError> {
        Self::from_reader(sealed)
    }

    /// Opens the whole body at once: all of it or nothing.
    ///
    /// # Errors
    /// Those of [`Opener::reader`], and [`OpenError::ChunkAltered`] or [`OpenError::Truncated`] of the body.
    pub fn open(self, holders: &[&dyn Unwrap], context: &[u8]) -> Result<Vec<u8>, OpenError> {
        let key = self.unlock(holders, context)?;
        open_whole(&ChunkCipher::new(&key), self.body)
    }
}

impl Opener<()> {
    /// Opens an envelope where it stands: afterwards the buffer holds the plaintext, or, after an error of the
    /// body, nothing. Saves the second buffer, whose first touch costs more than its decryption.
    ///
    /// # Errors
    /// All of [`OpenError`].
    pub fn open_in_place(buffer: &mut Vec<u8>, holders: &[&dyn Unwrap], context: &[u8]) -> Result<(), OpenError> {
        let opener = Opener::from_bytes(buffer)?;
        let (key, start) = (opener.unlock(holders, context)?, opener.header.len());
        open_within(&ChunkCipher::new(&key), buffer, start)
    }
}

impl<R: Read> Opener<R> {
    /// Reads the header, and nothing of the body. A file wants no buffering of the caller's: chunks are read whole.
    ///
    /// # Errors
    /// [`OpenError`]: not an envelope, another version, a header out of bounds or cut short, or reading failed.
    pub fn from_reader(mut input: R) -> Result<Self, OpenError> {
        Ok(Self { header: Header::read(Form::Envelope, &mut input)?, body: input })
    }

    /// The context that the envelope claims. Do not act on it: name the expected one to [`Opener::reader`].
    /// To pass it on unread is sound only where unwrapping itself is bound to it, as the key service's is.
    #[must_use]
    pub fn claimed_context(&self) -> &[u8] {
        &self.header.context
    }

    /// All stanzas, unknown kinds included.
    #[must_use]
    pub fn stanzas(&self) -> &[Stanza] {
        &self.header.stanzas
    }

    /// The wrapped data keys to ask a key service about, those of combinations included; malformed stanzas are left
    /// out.
    pub fn wrapped_keys(&self) -> impl Iterator<Item = WrappedKey> {
        ask::wrapped_keys(&self.header.stanzas)
    }

    /// Unwraps the file key, checks the header under it, and gives the plaintext as a reader.
    ///
    /// The reader yields only what was authenticated. An envelope that was cut short is an error where it
    /// ends: whoever stops reading early has not seen a whole one. Memory: one chunk.
    ///
    /// # Errors
    /// [`OpenError::OtherContext`], [`OpenError::NotForUs`], [`OpenError::Unwrap`] of the first stanza that a
    /// holder knows as its own, [`OpenError::HeaderAltered`].
    pub fn reader(self, holders: &[&dyn Unwrap], context: &[u8]) -> Result<OpenReader<R>, OpenError> {
        let key = self.unlock(holders, context)?;
        Ok(OpenReader::new(self.body, ChunkCipher::new(&key)))
    }

    /// Copies the envelope with the key service's newly wrapped form of the same data key, without opening it.
    ///
    /// The header's check leaves the wrapped bytes out (see `docs/formats.md`), so it holds as before. Wrapped
    /// bytes of another data key make an envelope that nobody opens.
    ///
    /// # Errors
    /// [`RewrapError`]: no stanza holds `old`, bounds, or copying failed.
    pub fn rewrap(mut self, old: &WrappedKey, new: Vec<u8>, out: &mut impl Write) -> Result<(), RewrapError> {
        self.header.rewrap(old, new)?;
        out.write_all(&self.header.encode())?;
        io::copy(&mut self.body, out)?;
        Ok(())
    }
}

impl<R> Opener<R> {
    fn unlock(&self, holders: &[&dyn Unwrap], context: &[u8]) -> Result<BodyKey, OpenError> {
        self.header.unlock(holders, context)
    }
}

impl Header {
    /// The key behind the header: the context first, then the file key, then the check under it.
    pub(crate) fn unlock(&self, holders: &[&dyn Unwrap], context: &[u8]) -> Result<BodyKey, OpenError> {
        // Before any key is asked for; what is equal here is authentic once the check below has passed.
        if self.context != context {
            return Err(OpenError::OtherContext);
        }
        let derived = ask::file_key(&self.stanzas, holders)?.derive(self.form, &self.salt);
        derived.check(&self.transcript(), &self.check).ok_or(OpenError::HeaderAltered)
    }

    /// Puts a newly wrapped form of a data key in the place of the old one.
    pub(crate) fn rewrap(&mut self, old: &WrappedKey, new: Vec<u8>) -> Result<(), RewrapError> {
        let new = WrappedKey::new(old.key(), new)?.stanza();
        if !ask::rewrap(&mut self.stanzas, &old.stanza(), &new) {
            return Err(RewrapError::NoSuchStanza);
        }
        Ok(self.check_bounds()?)
    }
}
