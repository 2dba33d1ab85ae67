//! Log lines on their way out: a bounded queue and a thread that writes it.
//!
//! stderr may be a pipe that nobody reads. Who writes to it directly then stands still, and with it the threads that
//! answer requests. So while a server runs, lines are queued, and what does not fit is dropped and counted. Before and
//! after, lines are written at once: there is no request to hold up, and a start that fails must not lose its reason.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;
use wardkeep_model::Clock;

use crate::config::LogFormat;

/// Lines that wait at most.
pub(super) const MOST: usize = 4_096;

enum Message {
    Line(Vec<u8>),
    /// Answered once everything before it is written.
    Flushed(SyncSender<()>),
}

/// Where log lines go; a handle.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    queue: SyncSender<Message>,
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    /// Servers that run: with none, lines are written at once.
    servers: AtomicUsize,
    dropped: Arc<Dropped>,
}

#[derive(Default)]
struct Dropped {
    all: AtomicU64,
    untold: AtomicU64,
}

impl Lines {
    /// A queue of at most `most` lines before `out`, and its thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        out: Box<dyn Write + Send>,
        most: usize,
        format: LogFormat,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(most);
        let (out, dropped) = (Arc::new(Mutex::new(out)), Arc::new(Dropped::default()));
        let writer = Writer { waiting, out: out.clone(), dropped: dropped.clone(), format, clock };
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run())?;
        Ok(Self(Arc::new(Shared { queue, out, servers: AtomicUsize::new(0), dropped })))
    }

    /// A server runs from now on: no line holds anybody up.
    pub(super) fn queue(&self) {
        self.0.servers.fetch_add(1, Ordering::AcqRel);
    }

    /// A server has ended. Waits until what was queued is written, for `most` at most; whether it was. If it was not,
    /// nobody reads, and lines go on being queued.
    pub(super) fn settle(&self, most: Duration) -> bool {
        let (flushed, heard) = sync_channel(1);
        let written = self.ask_flush(flushed, most) && heard.recv_timeout(most).is_ok();
        if written {
            let left = |servers: usize| servers.checked_sub(1);
            let _none = self.0.servers.fetch_update(Ordering::AcqRel, Ordering::Acquire, left);
        }
        written
    }

    /// How many lines were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.all.load(Ordering::Relaxed)
    }

    /// The queue may be full for a while: asks again until it takes the question.
    fn ask_flush(&self, flushed: SyncSender<()>, most: Duration) -> bool {
        const PAUSE: Duration = Duration::from_millis(10);
        let mut message = Message::Flushed(flushed);
        for _ in 0..=most.as_millis() / PAUSE.as_millis() {
            match self.0.queue.try_send(message) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) => message = back,
                Err(TrySendError::Disconnected(_)) => return false,
            }
            std::thread::sleep(PAUSE);
        }
        false
    }

    fn take(&self, line: &[u8]) -> io::Result<()> {
        let Shared { queue, out, servers, dropped } = &*self.0;
        if servers.load(Ordering::Acquire) == 0 {
            return out.lock().unwrap_or_else(PoisonError::into_inner).write_all(line);
        }
        if queue.try_send(Message::Line(line.to_vec())).is_err() {
            dropped.count(1);
        }
        Ok(())
    }
}

impl Dropped {
    fn count(&self, lines: u64) {
        self.all.fetch_add(lines, Ordering::Relaxed);
        self.untold.fetch_add(lines, Ordering::Relaxed);
    }
}

/// The formatter hands over each line whole, in one call.
pub(super) struct Line(Lines);

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.take(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.clone())
    }
}

struct Writer {
    waiting: Receiver<Message>,
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    dropped: Arc<Dropped>,
    format: LogFormat,
    clock: Arc<dyn Clock>,
}

impl Writer {
    fn run(self) {
        while let Ok(message) = self.waiting.recv() {
            let asked = match message {
                Message::Line(line) => {
                    self.write(&line);
                    None
                }
                Message::Flushed(asked) => Some(asked),
            };
            // Something was taken out, so there is room again: the moment to say what is missing.
            let untold = self.dropped.untold.swap(0, Ordering::Relaxed);
            if untold > 0 {
                self.write(self.notice(untold).as_bytes());
            }
            if let Some(asked) = asked {
                let _gone = asked.try_send(());
            }
        }
    }

    /// A line that cannot be written is lost; it is counted, and the next one is tried.
    fn write(&self, line: &[u8]) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.write_all(line).and_then(|()| out.flush()).is_err() {
            self.dropped.all.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// In the form of the lines around it. Not by way of the subscriber: its line would queue behind what is full.
    fn notice(&self, lines: u64) -> String {
        let now = self.clock.now();
        let text = format!("{lines} log lines were dropped: whatever reads stderr is too slow");
        match self.format {
            LogFormat::Json => {
                format!("{{\"timestamp\":\"{now}\",\"level\":\"WARN\",\"message\":\"{text}\",\"dropped\":{lines}}}\n")
            }
            LogFormat::Pretty => format!("{now}  WARN {text} dropped={lines}\n"),
        }
    }
}

#[cfg(test)]
mod tests;
