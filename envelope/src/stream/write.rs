//! Sealing as a writer.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::{CHUNK, ChunkCipher, Place, TAG};

/// Takes plaintext, writes chunks. Without [`SealWriter::finish`] the envelope has no end and does not open.
pub struct SealWriter<W> {
    out: W,
    cipher: ChunkCipher,
    counter: u64,
    /// The chunk that is being filled. A full one waits until it is known whether more follows.
    chunk: Zeroizing<Vec<u8>>,
    /// A failed write may have left half a chunk behind: nothing may follow it.
    broken: bool,
}

impl<W: Write> SealWriter<W> {
    pub(crate) fn new(out: W, cipher: ChunkCipher) -> Self {
        Self { out, cipher, counter: 0, chunk: Zeroizing::new(Vec::with_capacity(CHUNK + TAG)), broken: false }
    }

    /// Writes the last chunk and gives the output back, not flushed.
    ///
    /// # Errors
    /// Whatever writing gives.
    pub fn finish(mut self) -> io::Result<W> {
        self.emit(true)?;
        Ok(self.out)
    }

    fn check_whole(&self) -> io::Result<()> {
        if self.broken { Err(io::Error::other("an earlier write to the envelope failed")) } else { Ok(()) }
    }

    fn emit(&mut self, last: bool) -> io::Result<()> {
        self.check_whole()?;
        self.broken = true;
        let place = self.place(last)?;
        let tag = self.cipher.seal(place, &mut self.chunk).ok_or_else(too_long)?;
        self.put(tag)
    }

    /// Seals a whole chunk from where the caller has it, with more to follow.
    fn emit_from(&mut self, plain: &[u8]) -> io::Result<()> {
        self.broken = true;
        let place = self.place(false)?;
        self.chunk.resize(plain.len(), 0);
        let tag = self.cipher.seal_to(place, plain, &mut self.chunk).ok_or_else(too_long)?;
        self.put(tag)
    }

    fn place(&self, last: bool) -> io::Result<Place> {
        Place::new(self.counter, last).ok_or_else(too_long)
    }

    fn put(&mut self, tag: [u8; TAG]) -> io::Result<()> {
        self.chunk.extend_from_slice(&tag);
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        self.counter += 1;
        self.broken = false;
        Ok(())
    }
}

fn too_long() -> io::Error {
    io::ErrorKind::FileTooLarge.into()
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, plaintext: &[u8]) -> io::Result<usize> {
        self.check_whole()?;
        if plaintext.is_empty() {
            return Ok(0);
        }
        if self.chunk.len() == CHUNK {
            self.emit(false)?;
        }
        // More than a chunk: it is not the last, and needs no copy.
        if self.chunk.is_empty()
            && let Some((whole, _)) = plaintext.split_at_checked(CHUNK).filter(|(_, more)| !more.is_empty())
        {
            self.emit_from(whole)?;
            return Ok(CHUNK);
        }
        let taken = plaintext.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(plaintext.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    /// Flushes the output. A chunk that is not full stays here: to write it out would end the envelope.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W> std::fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { out: _, cipher: _, counter, chunk, broken } = self;
        let held = chunk.len();
        f.debug_struct("SealWriter").field("counter", counter).field("held", &held).field("broken", broken).finish()
    }
}
