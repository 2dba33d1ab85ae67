//! Bytes with lengths in front, written one way and read with bounds. Integers are big-endian.
//!
//! One rule for every format of this room: a field of variable length carries its length in four bytes, a
//! reader says beforehand how long it may be, and what is left over at the end is an error.

use crate::DecodeError;

/// Puts a field behind its length.
pub(crate) fn put_counted(out: &mut Vec<u8>, field: &[u8]) {
    // Fields are bounded far below `u32::MAX` before they come here.
    out.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(field);
}

/// The fields one after the other, each behind its length.
pub(crate) fn fields(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    parts.iter().for_each(|part| put_counted(&mut out, part));
    out
}

/// Bytes that were not looked at yet.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What every format begins with: seven bytes of magic, and the format's number. `expected` names the object, with its
    /// article.
    pub(crate) fn begin(&mut self, magic: &[u8; 7], format: u8, expected: &'static str) -> Result<(), DecodeError> {
        if self.array("magic").map_err(|_| DecodeError::NotOurs { expected })? != magic {
            return Err(DecodeError::NotOurs { expected });
        }
        match self.u8("format version")? {
            version if version == format => Ok(()),
            version => Err(DecodeError::UnknownFormat { version }),
        }
    }

    /// The next `count` bytes; `part` names them in the error.
    pub(crate) fn take(&mut self, count: usize, part: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Truncated { part })?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, part: &'static str) -> Result<&'a [u8; N], DecodeError> {
        self.take(N, part)?.try_into().map_err(|_| DecodeError::Truncated { part })
    }

    pub(crate) fn u8(&mut self, part: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(part).map(|[byte]| *byte)
    }

    pub(crate) fn u16(&mut self, part: &'static str) -> Result<u16, DecodeError> {
        self.array(part).copied().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, part: &'static str) -> Result<u32, DecodeError> {
        self.array(part).copied().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, part: &'static str) -> Result<u64, DecodeError> {
        self.array(part).copied().map(u64::from_be_bytes)
    }

    /// A field behind its length, of `max` bytes at most.
    pub(crate) fn counted(&mut self, max: usize, part: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(self.u32(part)?).unwrap_or(usize::MAX);
        if len > max {
            return Err(DecodeError::TooLong { part, len, max });
        }
        self.take(len, part)
    }

    /// The same as text.
    pub(crate) fn text(&mut self, max: usize, part: &'static str) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.counted(max, part)?).map_err(|_| DecodeError::Malformed { part })
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// That nothing is left.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes { count: self.0.len() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes = fields(&[b"ab", b"", b"c"]);
        assert_eq!(bytes, b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c");
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.counted(2, "first"), Ok(b"ab".as_slice()));
        assert_eq!(reader.counted(0, "second"), Ok(b"".as_slice()));
        assert_eq!(reader.left(), 5);
        assert_eq!(reader.text(9, "third"), Ok("c"));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_length_is_refused_before_anything_is_kept_for_it() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]);
        let long = DecodeError::TooLong { part: "name", len: 0xffff_ffff, max: 8 };
        assert_eq!(reader.counted(8, "name"), Err(long));
        let mut reader = Reader::new(&[0, 0, 0, 2, 1]);
        assert_eq!(reader.counted(8, "name"), Err(DecodeError::Truncated { part: "name" }));
        assert_eq!(Reader::new(&[0, 0, 0]).u32("count"), Err(DecodeError::Truncated { part: "count" }));
        assert_eq!(Reader::new(&[1]).end(), Err(DecodeError::TrailingBytes { count: 1 }));
        let latin = [0, 0, 0, 1, 0xff];
        assert_eq!(Reader::new(&latin).text(8, "name"), Err(DecodeError::Malformed { part: "name" }));
    }
}
