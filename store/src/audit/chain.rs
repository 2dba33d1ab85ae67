//! The hash chain: every record's hash covers all records before it.
//!
//! `hash(n) = SHA-256(hash(n-1) || line(n))`; `hash(0) = SHA-256("wardkeep audit chain v1" || store id)`,
//! so that two stores never share a beginning. A Merkle tree over the same lines can be added beside it.

use sha2::{Digest, Sha256};

use super::head::StoreId;

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// How many records it holds.
    pub length: u64,
    /// The hash of the last one; of the store's id where there is none.
    pub hash: [u8; 32],
}

impl Chain {
    /// The chain of a store without records.
    #[must_use]
    pub fn beginning(store: &StoreId) -> Self {
        let hash = Sha256::new().chain_update(b"wardkeep audit chain v1").chain_update(store.as_bytes()).finalize();
        Self { length: 0, hash: hash.into() }
    }

    /// The chain with one more record.
    #[must_use]
    pub fn extended(self, line: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(self.hash).chain_update(line).finalize();
        Self { length: self.length.saturating_add(1), hash: hash.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edit_changes_the_end() {
        let start = Chain::beginning(&StoreId::from_bytes([7; 16]));
        let end = |lines: &[&str]| lines.iter().fold(start, |chain, line| chain.extended(line.as_bytes())).hash;
        let honest = end(&["one", "two", "three"]);
        for forged in [&["one", "two"][..], &["two", "one", "three"], &["one", "twO", "three"], &["two", "three"]] {
            assert_ne!(end(forged), honest);
        }
        assert_ne!(Chain::beginning(&StoreId::from_bytes([8; 16])).hash, start.hash);
    }

    #[test]
    fn the_first_link_is_the_documented_one() {
        let store = StoreId::from_bytes([0; 16]);
        let mut input = b"wardkeep audit chain v1".to_vec();
        input.extend([0; 16]);
        assert_eq!(Chain::beginning(&store).hash, <[u8; 32]>::from(Sha256::digest(&input)));
        let mut next = Chain::beginning(&store).hash.to_vec();
        next.extend(b"{}");
        assert_eq!(Chain::beginning(&store).extended(b"{}").hash, <[u8; 32]>::from(Sha256::digest(&next)));
    }
}
