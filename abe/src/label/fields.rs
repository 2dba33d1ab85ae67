//! Length-prefixed fields: four bytes big-endian, then so many bytes.

/// Appends a field. No field of ours comes near 4 GiB; one that did would not read back.
pub(crate) fn put(out: &mut Vec<u8>, field: &[u8]) {
    out.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(field);
}

/// Takes fields from the front of bytes.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// All of them.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// So many bytes; `None` if fewer are left.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    /// A field of at most `longest` bytes.
    pub(crate) fn field(&mut self, longest: usize) -> Option<&'a [u8]> {
        let len = usize::try_from(u32::from_be_bytes(self.array()?)).ok().filter(|len| *len <= longest)?;
        let (field, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(field)
    }

    /// A field of exactly so many bytes.
    pub(crate) fn exactly<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.field(N)?.try_into().ok()
    }

    /// A field of text.
    pub(crate) fn text(&mut self, longest: usize) -> Option<&'a str> {
        std::str::from_utf8(self.field(longest)?).ok()
    }
}

#[cfg(test)]
mod tests {
    //! Lengths come from strangers.

    use super::*;

    #[test]
    fn fields_read_back_in_order() {
        let mut bytes = Vec::new();
        put(&mut bytes, b"");
        put(&mut bytes, "é".as_bytes());
        put(&mut bytes, &[1, 2, 3]);
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 2, 0xc3, 0xa9, 0, 0, 0, 3, 1, 2, 3]);
        let mut fields = Fields::new(&bytes);
        assert_eq!(fields.field(0), Some(&[][..]));
        assert_eq!(fields.text(2), Some("é"));
        assert_eq!(fields.exactly(), Some([1, 2, 3]));
        assert_eq!(fields.left(), 0);
        assert_eq!(fields.array::<0>(), Some([]));
        assert_eq!(fields.array::<1>(), None);
    }

    #[test]
    fn a_length_beyond_its_bound_or_the_end_is_refused() {
        let field = |bytes: &'static [u8], longest| Fields::new(bytes).field(longest);
        assert_eq!(field(b"\0\0\0\x02ab", 2), Some(&b"ab"[..]));
        assert_eq!(field(b"\0\0\0\x02ab", 1), None);
        assert_eq!(field(b"\0\0\0\x03ab", 9), None);
        assert_eq!(field(b"\xff\xff\xff\xffab", usize::MAX), None);
        assert_eq!(field(b"\0\0\0", 9), None);
        assert_eq!(Fields::new(b"\0\0\0\x02ab").exactly::<1>(), None);
        assert_eq!(Fields::new(b"\0\0\0\x02ab").exactly::<3>(), None);
        assert_eq!(Fields::new(b"\0\0\0\x02\xc3\x28").text(9), None, "not UTF-8");
    }
}
