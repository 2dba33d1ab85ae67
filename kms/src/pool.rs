//! A bounded pool of worker threads for dear work: RSA private operations, and the making of RSA keys.
//!
//! Such work takes 0.3 ms to seconds; on the threads that serve connections it would stall everybody.
//! The queue is bounded and never waited for: when it is full the answer is [`KmsError::Busy`] at once,
//! because a caller that waits behind a full queue times out anyway, after its work was done for nothing.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::error::KmsError;

/// Work with its answer's way back inside.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The threads and their queue. They end when the pool is dropped and the queue is empty.
pub(crate) struct Pool {
    queue: SyncSender<Job>,
}

impl Pool {
    /// Starts `threads` workers over a queue of `waiting` jobs, both at least 1.
    pub(crate) fn new(name: &str, threads: usize, waiting: usize) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel::<Job>(waiting.max(1));
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new().name(format!("{name}-{number}")).spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// Runs `job` on a worker and gives what it gives.
    ///
    /// # Errors
    /// [`KmsError::Busy`] when the queue is full, [`KmsError::ShuttingDown`] when the job was dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, KmsError> + Send + 'static,
    ) -> Result<T, KmsError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move || {
            // A caller that went away is not worth the work.
            if !answer.is_closed() {
                let _ = answer.send(job());
            }
        });
        self.submit(job)?;
        answered.await.unwrap_or(Err(KmsError::ShuttingDown))
    }

    /// Puts in a job that knows itself where its answer goes.
    ///
    /// # Errors
    /// [`KmsError::Busy`] when the queue is full, [`KmsError::ShuttingDown`] when the workers are gone; the job is then
    /// dropped.
    pub(crate) fn submit(&self, job: Job) -> Result<(), KmsError> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => KmsError::Busy,
            TrySendError::Disconnected(_) => KmsError::ShuttingDown,
        })
    }
}

/// What a worker does until the pool is gone.
fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting, not while working: the next idle worker waits for the lock.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_answers_at_once_and_the_pool_lives_on() {
        let pool = Arc::new(Pool::new("test", 1, 1).unwrap());
        let (gate, wait) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let first = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                pool.run(move || {
                    begun.send(()).unwrap();
                    wait.recv().unwrap();
                    Ok(1)
                })
                .await
            }
        });
        has_begun.await.unwrap();
        let second = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.run(|| Ok(2)).await }
        });
        tokio::task::yield_now().await;
        let mut refused = 0;
        for _ in 0..10 {
            refused += usize::from(pool.run(|| Ok(3)).await == Err(KmsError::Busy));
        }
        assert_eq!(refused, 10);
        gate.send(()).unwrap();
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(1), Ok(2)));
        assert_eq!(pool.run(|| Ok(4)).await, Ok(4));
    }
}
