//! Opening as a reader, and of a whole buffer.

use std::io::{self, Read};

use zeroize::{Zeroize, Zeroizing};

use super::{CHUNK, ChunkCipher, Place, TAG};
use crate::OpenError;

/// A chunk, and one byte more: whether another chunk follows must be known before this one is opened.
const WINDOW: usize = CHUNK + TAG + 1;

/// Gives the plaintext of an envelope, chunk by chunk, each only after its tag was checked.
///
/// The end (`Ok(0)`) comes only after the last chunk of what was sealed; a body that was cut or altered is
/// an [`io::ErrorKind::InvalidData`] error that holds an [`OpenError`], now and at every later read.
pub struct OpenReader<R> {
    input: R,
    cipher: ChunkCipher,
    counter: u64,
    window: Zeroizing<Vec<u8>>,
    /// Bytes of the window that were read from the input.
    filled: usize,
    /// Plaintext in the window that was not given out yet.
    ready: std::ops::Range<usize>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// More chunks follow; the first byte of the next one, if it was read already.
    Open(Option<u8>),
    Ended,
    Failed(Fault),
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Altered(u64),
    Truncated(u64),
    TooLong,
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Altered(chunk) => Self::ChunkAltered { chunk },
            Fault::Truncated(chunk) => Self::Truncated { chunk },
            Fault::TooLong => Self::TooLong,
        }
    }
}

impl<R: Read> OpenReader<R> {
    pub(crate) fn new(input: R, cipher: ChunkCipher) -> Self {
        let window = Zeroizing::new(vec![0; WINDOW]);
        Self { input, cipher, counter: 0, window, filled: 0, ready: 0..0, state: State::Open(None) }
    }

    /// Reads and opens the next chunk where it stands: the caller's memory sees nothing before its tag was checked.
    /// An error of the input leaves all as it was, so that reading may go on.
    fn advance(&mut self, next: Option<u8>) -> io::Result<()> {
        if let (Some(byte), Some(first)) = (next, self.window.first_mut()) {
            (*first, self.filled, self.state) = (byte, 1, State::Open(None));
        }
        while let Some(free) = self.window.get_mut(self.filled..).filter(|free| !free.is_empty()) {
            match self.input.read(free) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let more = self.filled == WINDOW;
        let sealed = self.window.get_mut(..self.filled - usize::from(more)).unwrap_or_default();
        let opened = open_chunk(&self.cipher, self.counter, sealed, !more);
        let after = self.window.last().copied().filter(|_| more);
        self.filled = 0;
        match opened {
            Ok(length) => {
                self.counter += 1;
                self.ready = 0..length;
                self.state = if more { State::Open(after) } else { State::Ended };
            }
            Err(fault) => self.state = State::Failed(fault),
        }
        Ok(())
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while self.ready.is_empty() {
            match self.state {
                State::Open(next) => self.advance(next)?,
                State::Ended => return Ok(0),
                State::Failed(fault) => return Err(OpenError::from(fault).into()),
            }
        }
        let count = out.len().min(self.ready.len());
        let from = self.ready.start..self.ready.start + count;
        if let (Some(to), Some(from)) = (out.get_mut(..count), self.window.get(from)) {
            to.copy_from_slice(from);
        }
        self.ready.start += count;
        Ok(count)
    }
}

/// Opens a body in memory: the plaintext, or nothing of it.
pub(crate) fn open_whole(cipher: &ChunkCipher, body: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    for counter in 0.. {
        let (sealed, after) = rest.split_at_checked(CHUNK + TAG).unwrap_or((rest, &[]));
        let start = out.len();
        out.extend_from_slice(sealed);
        match open_chunk(cipher, counter, out.get_mut(start..).unwrap_or_default(), after.is_empty()) {
            Ok(length) => out.truncate(start + length),
            Err(fault) => {
                out.zeroize();
                return Err(fault.into());
            }
        }
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    Ok(out)
}

/// Opens a body that begins at `start` of a buffer, within it; on an error the buffer is wiped and empty.
pub(crate) fn open_within(cipher: &ChunkCipher, buffer: &mut Vec<u8>, start: usize) -> Result<(), OpenError> {
    let (mut from, mut to) = (start, 0);
    for counter in 0.. {
        let end = buffer.len().min(from + CHUNK + TAG);
        let last = end == buffer.len();
        match open_chunk(cipher, counter, buffer.get_mut(from..end).unwrap_or_default(), last) {
            Ok(length) => {
                buffer.copy_within(from..from + length, to);
                to += length;
            }
            Err(fault) => {
                buffer.zeroize();
                return Err(fault.into());
            }
        }
        if last {
            break;
        }
        from = end;
    }
    buffer.truncate(to);
    Ok(())
}

/// Opens one sealed chunk in place; the length of its plaintext, which stands at its start.
fn open_chunk(cipher: &ChunkCipher, counter: u64, sealed: &mut [u8], last: bool) -> Result<usize, Fault> {
    let place = Place::new(counter, last).ok_or(Fault::TooLong)?;
    let full = sealed.len() == CHUNK + TAG;
    let Some((chunk, tag)) = sealed.split_last_chunk_mut::<TAG>() else {
        return Err(Fault::Truncated(counter.saturating_sub(1)));
    };
    // An empty chunk is the whole of an empty text; behind others it would be a second way to end.
    if chunk.is_empty() && counter > 0 {
        return Err(Fault::Altered(counter));
    }
    let mut kept = Zeroizing::new(if last && full { chunk.to_vec() } else { Vec::new() });
    if cipher.open(place, chunk, tag) {
        return Ok(chunk.len());
    }
    // A full chunk that fits as one that is not the last: the rest was cut off. Said for people only;
    // the plaintext is wiped and not given out.
    let cut = last && full && Place::new(counter, false).is_some_and(|place| cipher.open(place, &mut kept, tag));
    Err(if cut { Fault::Truncated(counter) } else { Fault::Altered(counter) })
}

impl<R> std::fmt::Debug for OpenReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { input: _, cipher: _, counter, window: _, filled, ready, state: _ } = self;
        let ready = ready.len();
        f.debug_struct("OpenReader").field("counter", counter).field("filled", filled).field("ready", &ready).finish()
    }
}
