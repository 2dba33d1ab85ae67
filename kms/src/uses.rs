//! How often an AES key version was used to protect something.
//!
//! Uses are counted in memory and reserved in the store in blocks, ahead of use: after a crash the count
//! starts at the end of the last block. It is never too low, and a use costs no write.

use std::sync::atomic::{AtomicU64, Ordering};

use wardkeep_model::KeyVersion;
use wardkeep_store::{Change, CommitError, Store, Table, Work};
use zeroize::Zeroizing;

use crate::error::KmsError;

/// Most uses of a version: 2^40, where random 192-bit nonces still collide with negligible probability and
/// no derived key sees more than a few messages (C2SP XAES-256-GCM).
pub(crate) const BOUND: u64 = 1 << 40;
/// From here on a version is due for rotation.
pub(crate) const HALF: u64 = BOUND / 2;
/// Uses reserved at a time. A restart wastes at most so many: 16 million restarts empty a version.
pub(crate) const BLOCK: u64 = 1 << 16;
/// Version of the row: a byte, then the end of the reserved block as eight bytes, big-endian.
const FORMAT: u8 = 1;
/// How often a lost race for a block is run again.
const ATTEMPTS: usize = 8;

/// The count of one version.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    used: AtomicU64,
    reserved: AtomicU64,
    reserving: tokio::sync::Mutex<()>,
}

impl Uses {
    /// Uses so far, rounded up at the last start; 0 while this process has not used the version.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Counts one use, reserving the next block where this one is spent.
    ///
    /// # Errors
    /// [`KmsError::Exhausted`] at the bound; what the store says where a block cannot be reserved.
    pub(crate) async fn take(
        &self,
        store: &dyn Store,
        row: impl Fn() -> String,
        version: KeyVersion,
    ) -> Result<(), KmsError> {
        while !self.take_reserved() {
            let _one_at_a_time = self.reserving.lock().await;
            if self.take_reserved() {
                return Ok(());
            }
            self.reserve(store, &row(), version).await?;
        }
        Ok(())
    }

    /// Counts one use if the block has room.
    fn take_reserved(&self) -> bool {
        let reserved = self.reserved.load(Ordering::Acquire);
        let next = |used: u64| (used < reserved).then_some(used + 1);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    /// Reserves the next block. Another process may have reserved meanwhile: then this one's begins behind it.
    async fn reserve(&self, store: &dyn Store, row: &str, version: KeyVersion) -> Result<(), KmsError> {
        for _ in 0..ATTEMPTS {
            let found = store.read(Table::Uses, row).map_err(|_| KmsError::StoreUnreadable)?;
            let (expected, start) = match &found {
                None => (None, 0),
                Some(found) => (Some(found.sequence), decode(&found.value)?),
            };
            if start >= BOUND {
                return Err(KmsError::Exhausted { version });
            }
            let end = BOUND.min(start + BLOCK);
            let id = row.to_owned();
            let change = Change::Put { table: Table::Uses, id, expected, value: encode(end) };
            match store.commit(Work { changes: vec![change], events: vec![] }).await {
                Ok(_) => {
                    // In this order: whoever sees the new end must see the new start as well.
                    self.used.store(start, Ordering::Relaxed);
                    self.reserved.store(end, Ordering::Release);
                    return Ok(());
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(KmsError::Contended)
    }
}

/// The row for a reserved end.
fn encode(end: u64) -> Zeroizing<Vec<u8>> {
    let mut row = Zeroizing::new(vec![FORMAT]);
    row.extend_from_slice(&end.to_be_bytes());
    row
}

/// The reserved end that a row tells.
fn decode(row: &[u8]) -> Result<u64, KmsError> {
    match row.split_first_chunk::<1>() {
        Some(([FORMAT], end)) => Ok(u64::from_be_bytes(end.try_into().map_err(|_| KmsError::RowUnreadable)?)),
        _ => Err(KmsError::RowUnreadable),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tests::fixture;

    const ROW: &str = "ring/key#1";

    async fn take(uses: &Uses, store: &dyn Store) -> Result<(), KmsError> {
        uses.take(store, || ROW.to_owned(), KeyVersion::FIRST).await
    }

    fn reserved(store: &dyn Store) -> u64 {
        decode(&store.read(Table::Uses, ROW).unwrap().unwrap().value).unwrap()
    }

    async fn put(store: &dyn Store, end: u64) {
        let change = Change::Put { table: Table::Uses, id: ROW.to_owned(), expected: None, value: encode(end) };
        store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
    }

    #[tokio::test]
    async fn the_store_is_always_ahead_of_the_count() {
        let store = fixture::store();
        let uses = Uses::default();
        for _ in 0..3 {
            take(&uses, store.as_ref()).await.unwrap();
            assert!(reserved(store.as_ref()) >= uses.used());
        }
        assert_eq!((uses.used(), reserved(store.as_ref())), (3, BLOCK));
        let restarted = Uses::default();
        take(&restarted, store.as_ref()).await.unwrap();
        assert_eq!((restarted.used(), reserved(store.as_ref())), (BLOCK + 1, 2 * BLOCK), "rounded up after a crash");
    }

    #[tokio::test]
    async fn at_the_bound_a_version_is_exhausted_and_stays_so() {
        let store = fixture::store();
        put(store.as_ref(), BOUND - 2).await;
        let uses = Uses::default();
        assert!(take(&uses, store.as_ref()).await.is_ok());
        assert!(take(&uses, store.as_ref()).await.is_ok());
        let exhausted = Err(KmsError::Exhausted { version: KeyVersion::FIRST });
        assert_eq!(take(&uses, store.as_ref()).await, exhausted);
        assert_eq!(take(&Uses::default(), store.as_ref()).await, exhausted);
        assert_eq!(uses.used(), BOUND);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_processes_never_share_a_block() {
        let store = fixture::store();
        let (one, two) = (Arc::new(Uses::default()), Arc::new(Uses::default()));
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let (store, uses) = (store.clone(), if n % 2 == 0 { one.clone() } else { two.clone() });
                tokio::spawn(async move {
                    for _ in 0..1000 {
                        take(&uses, store.as_ref()).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut ends = [one.used(), two.used()];
        ends.sort_unstable();
        assert_eq!(ends, [4000, BLOCK + 4000]);
        assert_eq!(reserved(store.as_ref()), 2 * BLOCK);
    }

    #[test]
    fn a_row_of_another_version_is_refused() {
        assert_eq!(decode(&encode(7)), Ok(7));
        for bad in [&[][..], &[2, 0, 0, 0, 0, 0, 0, 0, 1], &[1], &[1, 0, 0]] {
            assert_eq!(decode(bad), Err(KmsError::RowUnreadable));
        }
    }
}
