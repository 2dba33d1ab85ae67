//! Dear work that ends in its record on the worker that did it.
//!
//! A worker that gives its result to the caller's task, which then gives a record to the store and waits once more, wakes
//! that task twice; on a busy machine a wake-up costs a good part of a whole cheap request. So the worker hands the record
//! over itself, and the store's answer is the first that the task hears.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wardkeep_model::AuditEvent;
use wardkeep_store::{Commit, CommitError, Receipt, Work};

use crate::error::KmsError;
use crate::service::Inner;

/// Between worker and task.
enum State<T> {
    /// The worker is not done. Its event, and whom to wake once somebody waits.
    Working(Option<AuditEvent>, Option<Waker>),
    /// The record is on its way to the disk.
    Recording(Commit, Result<T, KmsError>),
    /// The store answered at once.
    Recorded(Result<Receipt, CommitError>, Result<T, KmsError>),
    /// The worker's end is gone without a result; with the event, where it was not used.
    Abandoned(Option<AuditEvent>),
    /// The answer was taken.
    Over,
}

type Shared<T> = Arc<Mutex<State<T>>>;

/// The task's end.
struct Waiting<T>(Shared<T>);

/// The worker's end. Dropped before its time, it ends the waiting too.
struct Doing<T>(Shared<T>);

fn lock<T>(shared: &Shared<T>) -> MutexGuard<'_, State<T>> {
    // Every state is put in place whole, so that a poisoned lock holds one too.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Runs `job` on a worker, records its event with the outcome, and gives what it gave once that is durable.
    ///
    /// # Errors
    /// The job's own; [`KmsError::Busy`], recorded, where the workers' queue is full; what the store says.
    pub(super) async fn end_on_worker<T: Send + 'static>(
        self: &Arc<Self>,
        event: AuditEvent,
        job: impl FnOnce() -> Result<T, KmsError> + Send + 'static,
    ) -> Result<T, KmsError> {
        let shared = Arc::new(Mutex::new(State::Working(Some(event), None)));
        let (doing, store) = (Doing(Arc::clone(&shared)), Arc::clone(&self.store));
        let work = Box::new(move || {
            // A caller that went away is not worth the work.
            if doing.is_awaited() {
                doing.end(job(), |work| store.commit(work));
            }
        });
        let Err(error) = self.rsa.submit(work) else { return Waiting(shared).await };
        // The job was dropped with the refusal, and left its event behind.
        let event = match &mut *lock(&shared) {
            State::Abandoned(event) => event.take(),
            _ => None,
        };
        match event {
            Some(event) => self.record(event, Err(error)).await,
            None => Err(error),
        }
    }
}

impl<T> Doing<T> {
    fn is_awaited(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Hands the record over, and sees to it that its answer wakes the task.
    fn end(&self, result: Result<T, KmsError>, commit: impl FnOnce(Work) -> Commit) {
        let outcome = result.as_ref().err().map_or("ok", KmsError::code);
        let event = match &mut *lock(&self.0) {
            State::Working(event, _) => event.take(),
            _ => None,
        };
        // Without its event nothing is given out; the drop tells the task.
        let Some(event) = event else { return };
        let mut commit = commit(Work::record(vec![event.with_outcome(outcome)]));
        let mut state = lock(&self.0);
        let waker = match &mut *state {
            State::Working(_, waker) => waker.take(),
            _ => None,
        };
        let Some(waker) = waker else {
            // Nobody has asked yet; whoever does asks the store's answer itself.
            *state = State::Recording(commit, result);
            return;
        };
        match Pin::new(&mut commit).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => *state = State::Recording(commit, result),
            Poll::Ready(answer) => {
                *state = State::Recorded(answer, result);
                drop(state);
                waker.wake();
            }
        }
    }
}

impl<T> Drop for Doing<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        let State::Working(event, waker) = &mut *state else { return };
        let (event, waker) = (event.take(), waker.take());
        *state = State::Abandoned(event);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Waiting<T> {
    type Output = Result<T, KmsError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut *state, State::Over) {
            State::Working(event, _) => {
                *state = State::Working(event, Some(context.waker().clone()));
                Poll::Pending
            }
            State::Recording(mut commit, result) => match Pin::new(&mut commit).poll(context) {
                Poll::Ready(answer) => Poll::Ready(ended(answer, result)),
                Poll::Pending => {
                    *state = State::Recording(commit, result);
                    Poll::Pending
                }
            },
            State::Recorded(answer, result) => Poll::Ready(ended(answer, result)),
            State::Abandoned(_) | State::Over => Poll::Ready(Err(KmsError::ShuttingDown)),
        }
    }
}

/// Nothing is answered that is not recorded.
fn ended<T>(answer: Result<Receipt, CommitError>, result: Result<T, KmsError>) -> Result<T, KmsError> {
    answer.map_err(KmsError::from).and(result)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use wardkeep_model::{Decision, EntityUid, RequestId, Timestamp};
    use wardkeep_store::Store;

    use super::*;
    use crate::tests::fixture;

    fn event() -> AuditEvent {
        let app = EntityUid::new("Service", "app").unwrap();
        AuditEvent {
            time: Timestamp::from_millis(1),
            actor: app.clone(),
            subject: app.clone(),
            action: "Sign".to_owned(),
            resource: app,
            record: None,
            decision: Decision::Allow,
            policies: vec![],
            errors: vec![],
            policy_version: 1,
            outcome: "ok",
            request: RequestId::new("r").unwrap(),
            serial: None,
            detail: vec![],
        }
    }

    fn begun(event: AuditEvent) -> (Doing<u8>, Waiting<u8>) {
        let shared = Arc::new(Mutex::new(State::Working(Some(event), None)));
        (Doing(Arc::clone(&shared)), Waiting(shared))
    }

    struct Counting(AtomicUsize);

    impl std::task::Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_worker_that_goes_wakes_whoever_waits_and_gives_nothing_out() {
        let (doing, mut waiting) = begun(event());
        let counting = Arc::new(Counting(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&counting));
        assert!(Pin::new(&mut waiting).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(doing);
        assert_eq!(counting.0.load(Ordering::SeqCst), 1);
        assert_eq!(waiting.await, Err(KmsError::ShuttingDown));
        // The same where nobody had asked yet.
        let (doing, waiting) = begun(event());
        drop(doing);
        assert_eq!(waiting.await, Err(KmsError::ShuttingDown));
    }

    #[tokio::test]
    async fn whether_asked_before_or_after_the_record_is_durable_first() {
        let store = fixture::store();
        for asked_first in [true, false] {
            let (doing, mut waiting) = begun(event());
            let counting = Arc::new(Counting(AtomicUsize::new(0)));
            let waker = Waker::from(Arc::clone(&counting));
            if asked_first {
                assert!(Pin::new(&mut waiting).poll(&mut Context::from_waker(&waker)).is_pending());
            }
            let before = store.head().head.length;
            doing.end(Ok(7), |work| store.commit(work));
            drop(doing);
            assert_eq!(counting.0.load(Ordering::SeqCst), usize::from(asked_first), "the answer woke the task once");
            assert_eq!(waiting.await, Ok(7));
            assert_eq!(store.head().head.length, before + 1);
        }
    }

    #[tokio::test]
    async fn a_record_that_fails_takes_the_result_back() {
        let store = fixture::store();
        store.close();
        let (doing, waiting) = begun(event());
        doing.end(Ok(7), |work| store.commit(work));
        assert_eq!(waiting.await, Err(KmsError::StoreUnavailable));
    }

    #[test]
    fn a_caller_that_went_away_is_noticed() {
        let (doing, waiting) = begun(event());
        assert!(doing.is_awaited());
        drop(waiting);
        assert!(!doing.is_awaited());
    }
}
