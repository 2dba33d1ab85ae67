//! What keeps an issue and a revocation apart.
//!
//! A revocation takes back what is in the books, and an issue stands there only at its end. One that was decided before a
//! subject lost its attributes, and that still waits for a worker, would come to life behind the revocation that was meant
//! for it. So every issue holds a gate shared, from before its decision until its serial is in the books, and whoever
//! revokes holds it alone: then nothing is under way. The wait is bounded by the workers' queue, and a revocation that
//! waits lets no further issue in before it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use wardkeep_model::KeyId;

type Gate = Arc<RwLock<()>>;

/// A gate for each authority, and one before all of them.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    /// Of whoever revokes in every authority at once.
    all: Gate,
    each: Mutex<BTreeMap<KeyId, Gate>>,
}

/// That an issue is under way: taken before the decision, given up once its serial is in the books.
#[derive(Debug)]
pub struct IssueTurn {
    key: KeyId,
    gate: Gate,
    _all: OwnedRwLockReadGuard<()>,
    _held: OwnedRwLockReadGuard<()>,
}

/// That no issue is under way.
#[derive(Debug)]
pub(crate) struct Alone {
    _held: OwnedRwLockWriteGuard<()>,
}

impl Gates {
    /// Enters for an issue. `known`: there is such a key; names that anybody makes up get no gate that stays.
    pub(crate) async fn enter(&self, key: &KeyId, known: bool) -> IssueTurn {
        // The one before all first: whoever holds it alone waits for those inside, and lets nobody in meanwhile.
        let all = Arc::clone(&self.all).read_owned().await;
        let gate = if known { self.of(key) } else { Gate::default() };
        let held = Arc::clone(&gate).read_owned().await;
        IssueTurn { key: key.clone(), gate, _all: all, _held: held }
    }

    /// Waits until no issue of an authority is under way, and keeps it so.
    pub(crate) async fn close(&self, key: &KeyId) -> Alone {
        Alone { _held: self.of(key).write_owned().await }
    }

    /// Waits until no issue of any authority is under way, and keeps it so.
    pub(crate) async fn close_all(&self) -> Alone {
        Alone { _held: Arc::clone(&self.all).write_owned().await }
    }

    /// Whether a turn is one at this authority.
    pub(crate) fn fits(&self, turn: &IssueTurn, key: &KeyId) -> bool {
        turn.key == *key && Arc::ptr_eq(&turn.gate, &self.of(key))
    }

    fn of(&self, key: &KeyId) -> Gate {
        let mut gates = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        match gates.get(key) {
            Some(gate) => Arc::clone(gate),
            None => Arc::clone(gates.entry(key.clone()).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).unwrap()
    }

    /// Whether something is ready at once.
    async fn at_once<T>(what: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(Duration::from_millis(20), what).await.ok()
    }

    #[tokio::test]
    async fn whoever_revokes_waits_for_issues_of_that_authority_alone() {
        let gates = Gates::default();
        let issue = gates.enter(&id("ring/a"), true).await;
        assert!(at_once(gates.enter(&id("ring/a"), true)).await.is_some(), "issues do not wait for each other");
        assert!(at_once(gates.close(&id("ring/b"))).await.is_some());
        assert!(at_once(gates.close(&id("ring/a"))).await.is_none());
        assert!(at_once(gates.close_all()).await.is_none());
        drop(issue);
        let alone = at_once(gates.close(&id("ring/a"))).await.unwrap();
        assert!(at_once(gates.enter(&id("ring/a"), true)).await.is_none());
        assert!(at_once(gates.enter(&id("ring/b"), true)).await.is_some());
        drop(alone);
        let _alone = at_once(gates.close_all()).await.unwrap();
        assert!(at_once(gates.enter(&id("ring/b"), true)).await.is_none(), "closed for every authority");
    }

    /// Issues that keep coming must not keep a revocation out for ever.
    #[tokio::test]
    async fn a_revocation_that_waits_lets_no_further_issue_in_before_it() {
        let gates = Arc::new(Gates::default());
        let first = gates.enter(&id("ring/a"), true).await;
        let revocation = tokio::spawn({
            let gates = Arc::clone(&gates);
            async move { gates.close(&id("ring/a")).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(at_once(gates.enter(&id("ring/a"), true)).await.is_none());
        drop(first);
        let alone = at_once(revocation).await.unwrap().unwrap();
        drop(alone);
        assert!(at_once(gates.enter(&id("ring/a"), true)).await.is_some());
    }

    #[tokio::test]
    async fn a_turn_is_one_at_its_authority_and_a_made_up_name_gets_no_gate() {
        let gates = Gates::default();
        let turn = gates.enter(&id("ring/a"), true).await;
        assert!(gates.fits(&turn, &id("ring/a")) && !gates.fits(&turn, &id("ring/b")));
        let before = gates.each.lock().unwrap().len();
        let stray = gates.enter(&id("ring/none"), false).await;
        assert_eq!(gates.each.lock().unwrap().len(), before);
        assert!(!gates.fits(&stray, &id("ring/none")), "a key that came after the turn was taken is another");
    }
}
