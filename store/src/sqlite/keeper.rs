//! Keeps the head file fresh, on a thread of its own: a head path on slow or hanging media must not hold up
//! commits, only be noticed.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wardkeep_model::{Clock, Timestamp};

use super::headfile;
use crate::SignedHead;

/// How often the head file is written while there are commits.
const INTERVAL: Duration = Duration::from_secs(1);
/// For how long a head may be unwritten before changes are refused, in milliseconds.
const STALE_MILLIS: u64 = 60_000;
/// How long a commit waits for its tombstones to be outside before it answers all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shared by the writer, which brings heads, and the thread that writes them.
pub(crate) struct Keeper {
    path: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    newest: SignedHead,
    tombstones: Option<Arc<Vec<u8>>>,
    /// The commit of the head that the file holds.
    written: u64,
    /// Since when the newest head is not in the file.
    pending: Option<Since>,
    urgent: bool,
    closing: bool,
}

/// A moment by both clocks. The wall's can be set back, and the other one stands still while the machine sleeps: a head
/// is as old as the longer of the two says.
#[derive(Clone, Copy)]
struct Since {
    wall: Timestamp,
    elapsed: u64,
}

impl Since {
    fn now(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), elapsed: clock.elapsed_millis() }
    }

    fn millis(self, clock: &dyn Clock) -> u64 {
        clock.now().millis_since(self.wall).max(clock.elapsed_millis().saturating_sub(self.elapsed))
    }
}

impl Keeper {
    /// A keeper whose file holds the head of commit `written`. `tombstones` are those of the database: a crash
    /// may have come between their commit and their file, and the next head counts on them.
    pub(crate) fn new(
        path: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        (newest, written): (SignedHead, u64),
        tombstones: Option<Vec<u8>>,
    ) -> Arc<Self> {
        // Without a path nothing is ever pending: a head that nobody wants cannot be late.
        let pending = (path.is_some() && newest.head.commit != written).then(|| Since::now(&*clock));
        let urgent = pending.is_some();
        let inner = Inner { newest, tombstones: tombstones.map(Arc::new), written, pending, urgent, closing: false };
        Arc::new(Self { path, clock, inner: Mutex::new(inner), changed: Condvar::new() })
    }

    /// Starts the thread; without a head path there is nothing to do.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<Option<JoinHandle<()>>> {
        let Some(path) = self.path.clone() else { return Ok(None) };
        let keeper = self.clone();
        let thread = std::thread::Builder::new().name("head-keeper".into());
        thread.spawn(move || keeper.run(&path)).map(Some)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the head of a commit. With tombstones it waits, boundedly, until they are outside too: what was
    /// destroyed must not come back with yesterday's database.
    pub(crate) fn note(&self, head: SignedHead, tombstones: Option<Vec<u8>>) {
        let mut inner = self.lock();
        inner.newest = head;
        if self.path.is_none() {
            return;
        }
        if inner.pending.is_none() {
            inner.pending = Some(Since::now(&*self.clock));
        }
        if let Some(bytes) = tombstones {
            inner.tombstones = Some(Arc::new(bytes));
            drop(inner);
            self.flush();
        }
    }

    /// Has the newest head written now; waits for it, but not for ever. Answers whether it is.
    pub(crate) fn flush(&self) -> bool {
        let mut inner = self.lock();
        if self.path.is_none() || inner.pending.is_none() {
            return true;
        }
        let wanted = inner.newest.head.commit;
        inner.urgent = true;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(inner, PATIENCE, |inner| inner.written < wanted && inner.urgent);
        waited.unwrap_or_else(PoisonError::into_inner).0.written >= wanted
    }

    /// For how long the newest head has not been in the file, in milliseconds.
    pub(crate) fn age(&self) -> u64 {
        let pending = self.lock().pending;
        pending.map_or(0, |since| since.millis(&*self.clock))
    }

    /// Whether that is too long.
    pub(crate) fn is_stale(&self) -> bool {
        self.age() > STALE_MILLIS
    }

    /// Whether there is a file to keep.
    pub(crate) fn is_configured(&self) -> bool {
        self.path.is_some()
    }

    /// Ends the thread after one last write.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    fn run(&self, path: &std::path::Path) {
        loop {
            let mut inner = self.lock();
            if !inner.closing && !inner.urgent {
                let quiet = |inner: &mut Inner| !inner.closing && !inner.urgent;
                inner =
                    self.changed.wait_timeout_while(inner, INTERVAL, quiet).unwrap_or_else(PoisonError::into_inner).0;
            }
            let closing = inner.closing;
            let due = inner.pending.is_some().then(|| (inner.newest, inner.tombstones.clone()));
            drop(inner);
            if let Some((head, tombstones)) = due {
                let result = headfile::write(path, &head, tombstones.as_ref().map(|bytes| bytes.as_slice()));
                self.finish(head, tombstones, result);
            }
            if closing {
                return;
            }
        }
    }

    fn finish(&self, head: SignedHead, tombstones: Option<Arc<Vec<u8>>>, result: std::io::Result<()>) {
        let mut inner = self.lock();
        // A newer head that came meanwhile may be the one somebody waits for.
        let newer = inner.newest.head.commit != head.head.commit;
        inner.urgent &= newer && result.is_ok();
        match result {
            Ok(()) => {
                inner.written = head.head.commit;
                inner.pending = newer.then(|| Since::now(&*self.clock));
                if let (Some(written), Some(kept)) = (&tombstones, &inner.tombstones)
                    && Arc::ptr_eq(written, kept)
                {
                    inner.tombstones = None;
                }
            }
            Err(error) => tracing::error!(%error, "the audit head could not be written outside the database"),
        }
        drop(inner);
        self.changed.notify_all();
    }
}
