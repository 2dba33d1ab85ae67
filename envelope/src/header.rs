//! The header: bytes to parts and back, every length bounded before anything is kept for it.
//!
//! Layout and bounds stand in `docs/formats.md`. All integers are big-endian. There is one encoding of a
//! header only: the length it names must be met exactly, so that no byte can be hidden in it.

use std::borrow::Cow;
use std::io::{self, Read};

use crate::key::{CHECK, SALT};
use crate::{OpenError, SealError, Stanza, StanzaKind};

/// The format version that this software writes, and the only one it reads.
pub const VERSION: u16 = 1;
/// Longest header, in bytes, magic and check included.
pub const MAX_HEADER: usize = 256 * 1024;
/// Most stanzas.
pub const MAX_STANZAS: usize = 32;
/// Longest stanza body, in bytes: room for the largest policy there is (64 KiB of text, 512 rows) beside a wrapped key.
pub const MAX_STANZA: usize = 160 * 1024;
/// Longest context, in bytes.
pub const MAX_CONTEXT: usize = 16 * 1024;

/// Bytes of a magic.
const MAGIC: usize = 8;
/// Magic, version, header length.
const PREFIX: usize = 14;
/// The least a header has: prefix, salt, context length, stanza count, check.
const MIN_HEADER: usize = PREFIX + SALT + 4 + 2 + CHECK;

/// What a header is the header of. Magic and derived keys differ, so that one never passes for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A stream of chunks follows.
    Envelope,
    /// Records stand anywhere, each in a box of its own.
    Batch,
}

/// A header taken apart. Nothing in it is authentic before its check was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) form: Form,
    pub(crate) salt: [u8; SALT],
    pub(crate) context: Vec<u8>,
    pub(crate) stanzas: Vec<Stanza>,
    pub(crate) check: [u8; CHECK],
}

impl Form {
    const fn magic(self) -> &'static [u8; MAGIC] {
        match self {
            Self::Envelope => b"WARDKEEP",
            Self::Batch => b"WKPBATCH",
        }
    }

    /// Of whatever does not begin so.
    const fn not_ours(self) -> OpenError {
        match self {
            Self::Envelope => OpenError::NotAnEnvelope,
            Self::Batch => OpenError::NotABatch,
        }
    }
}

impl Header {
    /// Checks the bounds of what would become a header.
    pub(crate) fn check_bounds(&self) -> Result<(), SealError> {
        if self.stanzas.len() > MAX_STANZAS {
            return Err(SealError::TooManyStanzas { count: self.stanzas.len() });
        }
        if self.context.len() > MAX_CONTEXT {
            return Err(SealError::ContextTooLong { len: self.context.len() });
        }
        if let Some(long) = self.stanzas.iter().find(|stanza| stanza.body().len() > MAX_STANZA) {
            return Err(SealError::StanzaTooLong { kind: long.kind(), len: long.body().len() });
        }
        if self.len() > MAX_HEADER {
            return Err(SealError::HeaderTooLong { len: self.len() });
        }
        Ok(())
    }

    /// Bytes of the encoded header.
    pub(crate) fn len(&self) -> usize {
        let stanzas: usize = self.stanzas.iter().map(|stanza| 6 + stanza.body().len()).sum();
        MIN_HEADER + self.context.len() + stanzas
    }

    /// The bytes that the check covers: everything but the header's length, the check itself and what a
    /// stanza authenticates by other means ([`Stanza::checked`]).
    pub(crate) fn transcript(&self) -> Vec<u8> {
        let mut out = [self.form.magic().as_slice(), &VERSION.to_be_bytes()].concat();
        self.put_parts(&mut out, Stanza::checked);
        out
    }

    /// The header's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        out.extend_from_slice(self.form.magic());
        out.extend_from_slice(&VERSION.to_be_bytes());
        put_length(&mut out, self.len());
        self.put_parts(&mut out, |stanza| Cow::Borrowed(stanza.body()));
        out.extend_from_slice(&self.check);
        out
    }

    fn put_parts(&self, out: &mut Vec<u8>, part: fn(&Stanza) -> Cow<'_, [u8]>) {
        out.extend_from_slice(&self.salt);
        put_length(out, self.context.len());
        out.extend_from_slice(&self.context);
        out.extend_from_slice(&u16::try_from(self.stanzas.len()).unwrap_or(u16::MAX).to_be_bytes());
        for stanza in &self.stanzas {
            put_stanza(out, stanza.kind(), &part(stanza));
        }
    }

    /// Reads a header and not one byte of the body. At most [`MAX_HEADER`] bytes are kept, whatever it claims.
    pub(crate) fn read(form: Form, input: &mut impl Read) -> Result<Self, OpenError> {
        let magic = form.magic();
        let mut prefix = [0; PREFIX];
        let got = read_full(input, &mut prefix)?;
        let start = prefix.get(..got).unwrap_or_default();
        if !start.starts_with(magic) {
            // A cut-off start of ours is told apart from somebody else's file.
            let ours = !start.is_empty() && magic.starts_with(start);
            return Err(if ours { OpenError::HeaderTruncated } else { form.not_ours() });
        }
        let mut fields = Fields(start.get(MAGIC..).unwrap_or_default());
        let version = fields.u16().ok_or(OpenError::HeaderTruncated)?;
        if version != VERSION {
            return Err(OpenError::UnknownVersion { version });
        }
        let length = fields.length().ok_or(OpenError::HeaderTruncated)?;
        if !(MIN_HEADER..=MAX_HEADER).contains(&length) {
            return Err(OpenError::HeaderLength { len: u64::try_from(length).unwrap_or(u64::MAX) });
        }
        let mut rest = vec![0; length - PREFIX];
        if read_full(input, &mut rest)? < rest.len() {
            return Err(OpenError::HeaderTruncated);
        }
        Self::parse(form, &rest)
    }

    /// Takes apart what follows the prefix; all of it must be used up.
    fn parse(form: Form, rest: &[u8]) -> Result<Self, OpenError> {
        let malformed = |part| OpenError::Malformed { part };
        let mut fields = Fields(rest);
        let salt = *fields.array().ok_or(malformed("salt"))?;
        let context = fields.counted(MAX_CONTEXT).ok_or(malformed("context"))?.to_vec();
        let count = usize::from(fields.u16().ok_or(malformed("stanza count"))?);
        if count > MAX_STANZAS {
            return Err(malformed("stanza count"));
        }
        let mut stanzas = Vec::with_capacity(count);
        for _ in 0..count {
            stanzas.push(fields.stanza().map_err(malformed)?);
        }
        let check = *fields.array().ok_or(malformed("check"))?;
        if !fields.0.is_empty() {
            return Err(malformed("length"));
        }
        Ok(Self { form, salt, context, stanzas, check })
    }
}

/// Lengths in a header are bounded far below `u32::MAX` before they come here.
fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// Kind, length, bytes.
pub(crate) fn put_stanza(out: &mut Vec<u8>, kind: StanzaKind, bytes: &[u8]) {
    out.extend_from_slice(&kind.0.to_be_bytes());
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Fills `out` as far as the input goes; how far it went.
pub(crate) fn read_full(input: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(free) = out.get_mut(filled..).filter(|free| !free.is_empty()) {
        match input.read(free) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The bytes of a header that were not looked at yet.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().copied().map(u16::from_be_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        self.array().copied().map(u32::from_be_bytes).and_then(|length| usize::try_from(length).ok())
    }

    /// Bytes behind their own count, which may be `max` at most.
    fn counted(&mut self, max: usize) -> Option<&'a [u8]> {
        let count = self.length().filter(|&count| count <= max)?;
        self.take(count)
    }

    /// A stanza.
    ///
    /// # Errors
    /// Which part of it is out of bounds.
    pub(crate) fn stanza(&mut self) -> Result<Stanza, &'static str> {
        let kind = StanzaKind(self.u16().ok_or("stanza kind")?);
        let body = self.counted(MAX_STANZA).ok_or("stanza length")?;
        Ok(Stanza::new(kind, body.to_vec()))
    }
}

#[cfg(test)]
mod tests;
