//! Being told to end: Ctrl-C, SIGTERM, and for work without a server also the end of the terminal.
//!
//! Two ways. Whoever runs a server waits for [`Stop`], and ends in good order. Commands that write files are ended by
//! [`sweep_when_told`]: it removes what was not finished and leaves, whatever the command waits for at that moment.
//! SIGKILL leaves what there is; it has the mode of its owner only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use crate::installation::InstallationError;

/// The unfinished files of this process.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Which signal said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The terminal went away.
    HangUp,
}

impl Told {
    /// The exit code that shells give to whoever ends by that signal.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::HangUp => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Listens for the signals from the moment it is made. To be made inside a runtime.
pub(crate) struct Stop {
    #[cfg(unix)]
    signals: unix::Signals,
}

impl Stop {
    /// For whoever runs a server: to it a hang-up means that files are read again.
    pub(crate) fn of_a_server() -> Result<Self, InstallationError> {
        Self::listen(false)
    }

    /// For everybody else.
    pub(crate) fn of_work() -> Result<Self, InstallationError> {
        Self::listen(true)
    }

    #[cfg(unix)]
    fn listen(hang_up: bool) -> Result<Self, InstallationError> {
        Ok(Self { signals: unix::Signals::listen(hang_up).map_err(InstallationError::Signals)? })
    }

    #[cfg(not(unix))]
    fn listen(_: bool) -> Result<Self, InstallationError> {
        Ok(Self {})
    }

    /// Waits for the first of them.
    #[cfg(unix)]
    pub(crate) async fn told(&mut self) -> Told {
        self.signals.next().await
    }

    /// Waits for Ctrl-C; where that cannot be listened to, for ever.
    #[cfg(not(unix))]
    pub(crate) async fn told(&mut self) -> Told {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Told::Interrupt
    }
}

#[cfg(unix)]
mod unix {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Told;

    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
        hang_up: Signal,
        ends_by_hang_up: bool,
    }

    impl Signals {
        /// A server listens for the hang-up too, and lets it pass: unheard, one that comes before the server's own
        /// reloader listens would kill it.
        pub(super) fn listen(ends_by_hang_up: bool) -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hang_up: signal(SignalKind::hangup())?,
                ends_by_hang_up,
            })
        }

        pub(super) async fn next(&mut self) -> Told {
            loop {
                tokio::select! {
                    _ = self.interrupt.recv() => return Told::Interrupt,
                    _ = self.terminate.recv() => return Told::Terminate,
                    _ = self.hang_up.recv() => {
                        if self.ends_by_hang_up {
                            return Told::HangUp;
                        }
                    }
                }
            }
        }
    }
}

/// A passing file that is removed when the process is told to end; until it is dropped.
#[derive(Debug)]
pub(crate) struct Passing(PathBuf);

impl Passing {
    /// Names a file. Waits for ever once the process is ending: nothing new begins then.
    pub(crate) fn of(path: &Path) -> Self {
        unfinished().insert(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        unfinished().remove(&self.0);
    }
}

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on the process ends at the first signal, and takes its unfinished files along.
///
/// On a thread of its own: the command may wait for a disk, a pipe or a server at that moment.
pub(crate) fn sweep_when_told() -> Result<(), InstallationError> {
    static STARTED: Once = Once::new();
    let mut result = Ok(());
    STARTED.call_once(|| result = start_sweeper().map_err(InstallationError::Signals));
    result
}

fn start_sweeper() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Listening begins here and not on the thread: a signal of the next moment must find it.
    let mut stop = {
        let _inside = runtime.enter();
        Stop::of_work().map_err(std::io::Error::other)?
    };
    std::thread::Builder::new().name("sweeper".to_owned()).spawn(move || {
        let told = runtime.block_on(stop.told());
        // Held to the end: no file takes its place under its name meanwhile, and none is begun.
        let unfinished = unfinished();
        for path in unfinished.iter() {
            let _ = std::fs::remove_file(path);
        }
        crate::output::remark("wardkeep: stopped; what was not finished is removed");
        std::process::exit(told.exit_code().into());
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_shells() {
        let codes = [Told::HangUp, Told::Interrupt, Told::Terminate].map(Told::exit_code);
        assert_eq!(codes, [128 + 1, 128 + 2, 128 + 15]);
    }

    #[test]
    fn a_finished_file_is_not_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passing");
        let passing = Passing::of(&path);
        assert!(unfinished().contains(&path));
        drop(passing);
        assert!(!unfinished().contains(&path));
    }
}
