//! The group commit: many waiting works, one transaction, one fsync.
//!
//! Works go into a queue; one writer thread takes whatever waits, makes all of it durable at once and
//! answers everybody. While it waits for the disk the next batch gathers, so that the slower the disk,
//! the bigger the batches. While requests that will end in a work are under way, a small batch waits a moment for
//! their company: a commit costs the processor some 80 us, whatever it holds. Lines of audit records are written by the callers' threads, not the writer's.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::oneshot;
use wardkeep_model::Decision;

use crate::audit::record::write_line;
use crate::{Change, CommitError, MAX_ID, MAX_VALUE, Receipt, Work};

/// Most works of one batch.
const MAX_BATCH: usize = 1024;
/// A batch is closed once its lines have so many bytes.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// Most works that wait: while a disk hangs, callers are told so instead of filling the memory.
const MAX_WAITING: usize = 16 * 1024;
/// Most bytes of lines and values that wait.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Requests under way from which on a batch waits for company; fewer would only be made late.
const COMPANY: usize = 4;
/// A batch of so many works waits for no more.
const ENOUGH: usize = 8;
/// How long a batch waits for company at most.
const GATHER: Duration = Duration::from_millis(1);

/// The answer to a work, once it is durable or refused. A future; or wait for it on a plain thread.
#[must_use = "a work is not durable before its answer came"]
pub struct Commit(State);

enum State {
    Ready(Option<Result<Receipt, CommitError>>),
    Waiting(oneshot::Receiver<Result<Receipt, CommitError>>),
}

/// That a work is on its way. While it lives, the writer counts on company.
#[derive(Debug, Default)]
pub struct Coming(Option<Arc<AtomicUsize>>);

/// One work on its way to the writer.
pub(crate) struct Job {
    /// The changes, as given.
    pub(crate) changes: Vec<Change>,
    /// The lines of its events, one after the other.
    pub(crate) lines: Lines,
    /// Who was denied, where all events are denials: such works are held to a share of the reserve.
    pub(crate) denied: Option<String>,
    answer: oneshot::Sender<Result<Receipt, CommitError>>,
}

/// Audit lines, back to back.
#[derive(Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// The queue between callers and the writer.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    arrived: Condvar,
    coming: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    /// Of all that wait.
    bytes: usize,
    /// How many works the writer wants to be woken for.
    awaited: usize,
    closed: Option<CommitError>,
}

/// What the writer got.
pub(crate) enum Taken {
    /// Works to do.
    Jobs(Vec<Job>),
    /// Nothing came in the given time.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

impl Coming {
    fn counted(coming: &Arc<AtomicUsize>) -> Self {
        coming.fetch_add(1, Ordering::Relaxed);
        Self(Some(Arc::clone(coming)))
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if let Some(coming) = &self.0 {
            coming.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Commit {
    /// An answer that is known already.
    pub(crate) fn ready(result: Result<Receipt, CommitError>) -> Self {
        Self(State::Ready(Some(result)))
    }

    /// Blocks this thread until the answer is there; for callers that are not async.
    pub fn wait(self) -> Result<Receipt, CommitError> {
        // Not `blocking_recv`: that panics when some caller is on an async worker after all.
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut this = self;
        loop {
            match Pin::new(&mut this).poll(&mut context) {
                Poll::Ready(result) => return result,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Future for Commit {
    type Output = Result<Receipt, CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(result) => Poll::Ready(result.take().unwrap_or(Err(CommitError::Closed))),
            // A sender that is dropped without an answer belongs to a writer that ended badly.
            State::Waiting(receiver) => {
                Pin::new(receiver).poll(context).map(|got| got.unwrap_or(Err(CommitError::Failed)))
            }
        }
    }
}

impl Lines {
    /// The lines of a work's events.
    pub(crate) fn of(work: &Work) -> Self {
        let mut lines = Self { bytes: Vec::with_capacity(768 * work.events.len()), ends: Vec::new() };
        for event in &work.events {
            write_line(&mut lines.bytes, event);
            lines.ends.push(lines.bytes.len());
        }
        lines
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.ends.len() as u64
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// One after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default())
    }
}

impl Job {
    /// The job of a work, and where its answer will come.
    pub(crate) fn new(work: Work) -> (Self, Commit) {
        let (answer, receiver) = oneshot::channel();
        let lines = Lines::of(&work);
        let all_denied = work.changes.is_empty() && work.events.iter().all(|event| event.decision == Decision::Deny);
        let denied = work.events.first().filter(|_| all_denied).map(|event| event.actor.to_string());
        (Self { changes: work.changes, lines, denied, answer }, Commit(State::Waiting(receiver)))
    }

    /// What it takes in memory while it waits, near enough.
    fn bytes(&self) -> usize {
        let values = self.changes.iter().map(|change| match change {
            Change::Put { value, .. } => value.len(),
            Change::Delete { .. } => 0,
        });
        values.sum::<usize>().saturating_add(self.lines.bytes())
    }

    /// Whether it changes state.
    pub(crate) fn changes_state(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Answers. Nobody may be listening any more, which takes nothing back.
    pub(crate) fn answer(self, result: Result<Receipt, CommitError>) {
        let _ = self.answer.send(result);
    }
}

/// Whether a work is within the bounds that the format has.
pub(crate) fn within_bounds(work: &Work) -> bool {
    work.changes.iter().all(|change| match change {
        Change::Put { id, value, .. } => !id.is_empty() && id.len() <= MAX_ID && value.len() <= MAX_VALUE,
        Change::Delete { id, .. } => !id.is_empty() && id.len() <= MAX_ID,
    })
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { inner: Mutex::new(Inner::default()), arrived: Condvar::new(), coming: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing here can panic half-way, so that a poisoned lock still holds a whole queue.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that will end in a work.
    pub(crate) fn coming(&self) -> Coming {
        Coming::counted(&self.coming)
    }

    /// Puts a work in.
    pub(crate) fn push(&self, work: Work) -> Commit {
        if !within_bounds(&work) {
            tracing::error!("a work with an id or a value longer than the store takes was refused");
            return Commit::ready(Err(CommitError::Failed));
        }
        let (job, commit) = Job::new(work);
        let mut inner = self.lock();
        if let Some(error) = &inner.closed {
            return Commit::ready(Err(error.clone()));
        }
        let bytes = inner.bytes.saturating_add(job.bytes());
        if inner.jobs.len() >= MAX_WAITING || (bytes > MAX_WAITING_BYTES && !inner.jobs.is_empty()) {
            return Commit::ready(Err(CommitError::Busy));
        }
        inner.bytes = bytes;
        inner.jobs.push_back(job);
        // The writer takes all there is, so that only the first of a batch, or the last that it awaits, has to wake it.
        let wakes = inner.jobs.len() == inner.awaited.max(1);
        drop(inner);
        if wakes {
            self.arrived.notify_one();
        }
        commit
    }

    /// Takes whatever waits; waits itself for at most `patience` where nothing does.
    pub(crate) fn take(&self, patience: Duration) -> Taken {
        let mut inner = self.lock();
        if inner.jobs.is_empty() && inner.closed.is_none() {
            inner = self.arrived.wait_timeout(inner, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        if inner.jobs.is_empty() {
            return if inner.closed.is_some() { Taken::Closed } else { Taken::Nothing };
        }
        inner = self.gather(inner);
        let mut bytes = 0_usize;
        let fits = |job: &Job| {
            bytes = bytes.saturating_add(job.lines.bytes());
            bytes <= MAX_BATCH_BYTES
        };
        let count = inner.jobs.iter().take(MAX_BATCH).map(fits).take_while(|fits| *fits).count().max(1);
        let jobs: Vec<Job> = inner.jobs.drain(..count).collect();
        inner.bytes = inner.bytes.saturating_sub(jobs.iter().map(Job::bytes).sum());
        Taken::Jobs(jobs)
    }

    /// Waits a moment for company, where there is some on its way.
    fn gather<'a>(&self, mut inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        let lonely = |inner: &mut Inner| {
            let coming = self.coming.load(Ordering::Relaxed);
            inner.awaited = coming.min(ENOUGH);
            coming >= COMPANY && inner.jobs.len() < inner.awaited && inner.closed.is_none()
        };
        if lonely(&mut inner) {
            inner = self.arrived.wait_timeout_while(inner, GATHER, lonely).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.awaited = 0;
        inner
    }

    /// How many works wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.lock().jobs.len() as u64
    }

    /// Takes no more; what waits is still done.
    pub(crate) fn close(&self) {
        self.lock().closed.get_or_insert(CommitError::Closed);
        self.arrived.notify_all();
    }

    /// Takes no more, and answers what waits with the same error.
    pub(crate) fn fail(&self, error: &CommitError) {
        let mut inner = self.lock();
        inner.closed = Some(error.clone());
        let jobs = std::mem::take(&mut inner.jobs);
        inner.bytes = 0;
        drop(inner);
        self.arrived.notify_all();
        for job in jobs {
            job.answer(Err(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::testing;

    const NOW: Duration = Duration::ZERO;

    fn receipt() -> Receipt {
        Receipt { first_record: 1, records: 1 }
    }

    #[test]
    fn one_take_gets_whatever_waits_in_order() {
        let queue = Queue::new();
        let commits: Vec<_> = (0..5).map(|_| queue.push(Work::record(vec![testing::event("ana")]))).collect();
        assert_eq!(queue.waiting(), 5);
        let Taken::Jobs(jobs) = queue.take(NOW) else { panic!("nothing taken") };
        assert_eq!((jobs.len(), queue.waiting()), (5, 0));
        for job in jobs {
            job.answer(Ok(receipt()));
        }
        for commit in commits {
            assert_eq!(commit.wait(), Ok(receipt()));
        }
        assert!(matches!(queue.take(NOW), Taken::Nothing));
    }

    #[test]
    fn a_batch_is_bounded_and_yet_a_huge_work_passes() {
        let queue = Queue::new();
        for _ in 0..MAX_BATCH + 1 {
            drop(queue.push(Work::default()));
        }
        let Taken::Jobs(jobs) = queue.take(NOW) else { panic!("nothing taken") };
        assert_eq!((jobs.len(), queue.waiting()), (MAX_BATCH, 1));
        let queue = Queue::new();
        let mut huge = testing::event("ana");
        huge.action = "x".repeat(MAX_BATCH_BYTES);
        drop(queue.push(Work::record(vec![huge])));
        drop(queue.push(Work::default()));
        let Taken::Jobs(jobs) = queue.take(NOW) else { panic!("nothing taken") };
        assert_eq!(jobs.len(), 1);
    }

    #[test]
    fn a_batch_waits_for_company_that_is_on_its_way_and_no_longer_than_it_may() {
        let queue = Arc::new(Queue::new());
        let coming: Vec<_> = (0..COMPANY).map(|_| queue.coming()).collect();
        let first = queue.push(Work::default());
        let late = Arc::clone(&queue);
        let others = std::thread::spawn(move || (1..COMPANY).map(|_| late.push(Work::default())).collect::<Vec<_>>());
        let mut taken = 0;
        while taken < COMPANY {
            let Taken::Jobs(jobs) = queue.take(Duration::from_secs(5)) else { panic!("nothing taken") };
            taken += jobs.len();
        }
        drop((first, others.join().unwrap(), coming));
        assert_eq!(queue.coming.load(Ordering::Relaxed), 0, "whoever has gone no longer counts");
        // Company that never comes holds nobody up for ever, and a queue that closes waits for nobody.
        let coming: Vec<_> = (0..100).map(|_| queue.coming()).collect();
        drop(queue.push(Work::default()));
        assert!(matches!(queue.take(NOW), Taken::Jobs(jobs) if jobs.len() == 1));
        drop(queue.push(Work::default()));
        queue.close();
        assert!(matches!(queue.take(NOW), Taken::Jobs(jobs) if jobs.len() == 1));
        drop(coming);
    }

    #[test]
    fn what_waits_is_bounded_by_number_and_by_bytes() {
        let queue = Queue::new();
        let waiting: Vec<_> = (0..MAX_WAITING).map(|_| queue.push(Work::default())).collect();
        assert_eq!(queue.push(Work::default()).wait(), Err(CommitError::Busy));
        assert!(matches!(queue.take(NOW), Taken::Jobs(_)));
        drop(queue.push(Work::default()));
        assert_eq!(queue.waiting(), (MAX_WAITING - MAX_BATCH + 1) as u64, "there is room again");
        drop(waiting);

        let queue = Queue::new();
        let put = || {
            let value = Zeroizing::new(vec![0; MAX_VALUE]);
            let change = Change::Put { table: crate::Table::Bundle, id: "a".into(), expected: None, value };
            Work { changes: vec![change], events: vec![] }
        };
        let fit = MAX_WAITING_BYTES / MAX_VALUE;
        let waiting: Vec<_> = (0..fit).map(|_| queue.push(put())).collect();
        assert_eq!(queue.push(put()).wait(), Err(CommitError::Busy));
        while queue.waiting() > 0 {
            assert!(matches!(queue.take(NOW), Taken::Jobs(_)));
        }
        assert_eq!(queue.lock().bytes, 0, "what was taken no longer counts");
        drop(waiting);
    }

    #[test]
    fn a_closed_queue_finishes_and_a_failed_one_does_not() {
        let queue = Queue::new();
        let waiting = queue.push(Work::default());
        queue.close();
        assert_eq!(queue.push(Work::default()).wait(), Err(CommitError::Closed));
        assert!(matches!(queue.take(NOW), Taken::Jobs(_)));
        assert!(matches!(queue.take(NOW), Taken::Closed));
        assert_eq!(waiting.wait(), Err(CommitError::Failed), "a job dropped without an answer is no success");

        let queue = Queue::new();
        let waiting = queue.push(Work::default());
        queue.fail(&CommitError::Failed);
        assert_eq!(waiting.wait(), Err(CommitError::Failed));
        assert_eq!(queue.push(Work::default()).wait(), Err(CommitError::Failed));
    }

    #[test]
    fn waiting_works_inside_an_async_runtime_too() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let answer = runtime.block_on(async { Commit::ready(Ok(receipt())).wait() });
        assert_eq!(answer, Ok(receipt()));
    }

    #[test]
    fn only_works_that_are_nothing_but_denials_count_as_denials() {
        let denied = |events, changes| Job::new(Work { changes, events }).0.denied;
        let delete = || Change::Delete { table: crate::Table::Ring, id: "a".into(), expected: 1 };
        assert_eq!(denied(vec![testing::denial("eve")], vec![]).as_deref(), Some("User::\"eve\""));
        assert_eq!(denied(vec![testing::denial("eve"), testing::event("eve")], vec![]), None);
        assert_eq!(denied(vec![testing::denial("eve")], vec![delete()]), None);
        assert_eq!(denied(vec![], vec![]), None);
    }
}
