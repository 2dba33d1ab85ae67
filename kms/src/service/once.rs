//! Making something once: an idempotency key that comes again with another name asks for something else.
//!
//! A change of what exists finds its former answer in the thing's own row. What is to be made has no row yet, so that the
//! requests remembered in all rows are looked through; and of two that are under way at once one waits for the other.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use wardkeep_model::Timestamp;

use crate::error::KmsError;
use crate::keyring::Replay;
use crate::service::{Idempotency, Inner, REPLAY_MILLIS};

/// Idempotency ids of what is being made at the moment.
#[derive(Debug, Default)]
pub(crate) struct Making {
    ids: Mutex<HashSet<[u8; 32]>>,
    freed: Notify,
}

/// One of them; it ends with this.
#[derive(Debug)]
pub(super) struct Turn<'a>(Option<(&'a Making, [u8; 32])>);

impl Making {
    /// Begins to make something, once no other request with the same idempotency key is under way. Without a key
    /// nothing stands in the way.
    pub(super) async fn begin(&self, asked: Option<Idempotency>) -> Turn<'_> {
        let Some(Idempotency { id, .. }) = asked else { return Turn(None) };
        loop {
            // Enlisted before the look, so that no end in between is missed.
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
                return Turn(Some((self, id)));
            }
            freed.await;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some((making, id)) = self.0.take() {
            making.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            making.freed.notify_waiters();
        }
    }
}

impl Inner {
    /// Refuses a request that is new by its name and old by its idempotency key.
    ///
    /// # Errors
    /// [`KmsError::IdempotencyMismatch`]
    pub(super) fn check_new_request(&self, asked: Option<Idempotency>, now: Timestamp) -> Result<(), KmsError> {
        let Some(Idempotency { id, .. }) = asked else { return Ok(()) };
        let same = |replay: &Replay| replay.id == id && now.millis_since(replay.at) < REPLAY_MILLIS;
        if self.keyring.any_replay(same) { Err(KmsError::IdempotencyMismatch) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    #[tokio::test]
    async fn of_two_at_once_one_waits_for_the_other() {
        let making = Making::default();
        let asked = |id| Some(Idempotency { id: [id; 32], body: [0; 32] });
        let first = making.begin(asked(1)).await;
        let mut second = std::pin::pin!(making.begin(asked(1)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(second.as_mut().poll(&mut context).is_pending());
        let others = (making.begin(asked(2)).await, making.begin(None).await, making.begin(None).await);
        assert!(second.as_mut().poll(&mut context).is_pending(), "the end of another is not the end of this");
        drop(first);
        drop(second.await);
        drop(others);
        assert!(making.ids.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
