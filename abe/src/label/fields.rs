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
