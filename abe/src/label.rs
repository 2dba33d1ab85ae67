//! A derived attribute in its canonical bytes.

/// One derived attribute: the canonical TLV of authority, namespace, type tag, name and value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<[u8]>);

impl Label {
    /// The canonical bytes, the input of the hash to the group.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
