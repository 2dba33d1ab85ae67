//! Hot reload: on SIGHUP and on file change, configuration, certificates, CA and CRLs are read anew.
//!
//! A broken file keeps what was in force, says so in the log and counts in `wardkeep_reloads_total`. Directories are
//! watched, not files: editors and Kubernetes replace a file by renaming another over it, and a watch on the file
//! would stay with the old one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::accept::Guard;
use crate::config::{Config, ConfigError, Limits};
use crate::peer::PeerRules;
use crate::telemetry::Metrics;
use crate::tls::keeper::{Keeper, KeeperError};

/// How often files are looked at without an event: not every file system tells of changes.
const LOOK: Duration = Duration::from_secs(30);
/// Quiet time after the last file event: a renewal writes certificate and key one after the other.
const SETTLE: Duration = Duration::from_millis(200);
/// Largest part of a watched file that counts for "has it changed".
const MAX_DIGESTED: u64 = 64 << 20;

/// Why nothing was reloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificates, keys, CRLs.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
}

/// Reloads on request.
#[derive(Debug)]
pub struct Reloader {
    path: Option<PathBuf>,
    keeper: Arc<Keeper>,
    guard: Arc<Guard>,
    metrics: Arc<Metrics>,
    config: watch::Sender<Arc<Config>>,
}

impl Reloader {
    /// A reloader of the configuration in force, read from `path` if it came from a file.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        path: Option<PathBuf>,
        keeper: Arc<Keeper>,
        guard: Arc<Guard>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { path, keeper, guard, metrics, config: watch::Sender::new(config) }
    }

    /// The configuration in force; wakes when another is.
    #[must_use]
    pub fn config(&self) -> watch::Receiver<Arc<Config>> {
        self.config.subscribe()
    }

    /// Reads everything anew and puts it into force, or keeps everything. Logged and counted either way.
    ///
    /// # Errors
    /// [`ReloadError`], for callers that want to show it.
    pub fn reload(&self) -> Result<(), ReloadError> {
        let outcome = self.try_reload();
        match &outcome {
            Ok(()) => {
                self.metrics.reloads_ok.increment(1);
                tracing::info!("reloaded");
            }
            Err(error) => {
                self.metrics.reloads_kept_old.increment(1);
                tracing::warn!(reason = %error, "reload refused, the former configuration stays in force");
            }
        }
        outcome
    }

    fn try_reload(&self) -> Result<(), ReloadError> {
        let old = self.config.borrow().clone();
        let new = match &self.path {
            Some(path) => Arc::new(at_runtime(Config::load(path)?, &old)),
            None => old.clone(),
        };
        self.keeper.rebuild(Some(&new))?;
        self.guard.limits.store(Arc::new(new.limits.clone()));
        self.guard.rules.store(Arc::new(PeerRules {
            trust_domain: new.identity.trust_domain.clone(),
            longest_life_millis: new.ca.longest_life_millis(),
        }));
        if new != old {
            self.config.send_replace(new);
        }
        Ok(())
    }

    /// Reloads on SIGHUP and on file change until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (sender, mut events) = mpsc::channel::<()>(1);
        let watcher = Watch::start(self.files(), sender);
        let mut hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
        // The first look always reloads: a file may have changed between the start and the watch.
        let mut seen = [0; 32];
        // A look now and then besides: new paths in a reloaded file, and file systems that tell of no changes.
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            let hangup = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                _ = hangup => {
                    tracing::info!("SIGHUP");
                    seen = [0; 32];
                }
                _ = ticks.tick() => {}
                Some(()) = events.recv() => {
                    settle(&mut events).await;
                }
            }
            // Files may be large, or lie on a disk that hangs: no thread that answers requests waits for them.
            let reloader = self.clone();
            let looked = tokio::task::spawn_blocking(move || reloader.look(seen)).await;
            seen = looked.unwrap_or(seen);
        }
        drop(watcher);
    }

    /// Reloads if the files are not what they were. What is read is digested before it is read: a file that changes
    /// meanwhile is read again.
    fn look(&self, seen: [u8; 32]) -> [u8; 32] {
        let now = digest(&self.files());
        if now != seen {
            let _outcome = self.reload();
        }
        now
    }

    fn files(&self) -> Vec<PathBuf> {
        self.path.iter().cloned().chain(self.keeper.files()).collect()
    }
}

/// What a running server cannot change stays as it was, with a word in the log.
fn at_runtime(mut new: Config, old: &Config) -> Config {
    let other_ca = new.ca.certificate_file.is_some() != old.ca.certificate_file.is_some();
    let fixed = new.storage != old.storage
        || new.root_key != old.root_key
        || new.listen != old.listen
        || new.identity != old.identity
        || new.pools != old.pools
        || new.rate_limit != old.rate_limit
        || new.log != old.log
        || other_ca;
    if fixed {
        let sections = "storage, root_key, listen, identity, pools, rate_limit, log, own or built-in ca";
        tracing::warn!(sections, "changes of these need a restart and are not in force");
        new.storage = old.storage.clone();
        new.root_key = old.root_key.clone();
        new.listen = old.listen.clone();
        new.identity = old.identity.clone();
        new.pools = old.pools.clone();
        new.rate_limit = old.rate_limit.clone();
        new.log = old.log.clone();
        if other_ca {
            new.ca = old.ca.clone();
        }
    }
    for Fixed { setting, was, asked } in keep_sizes(&mut new.limits, &old.limits) {
        tracing::warn!(setting, was, asked, "this size needs a restart: the former one stays in force");
    }
    new
}

/// A size of `[limits]` that only a restart takes.
#[derive(Debug, PartialEq, Eq)]
struct Fixed {
    setting: &'static str,
    was: u64,
    asked: u64,
}

/// Sizes that were built into a running server: its places, and the bounds of its routes' bodies.
fn keep_sizes(new: &mut Limits, old: &Limits) -> Vec<Fixed> {
    let mut kept = Vec::new();
    let mut keep = |setting: &'static str, (was, asked): (u64, u64)| {
        if was != asked {
            kept.push(Fixed { setting, was, asked });
        }
    };
    let size = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
    keep("limits.connections", (old.connections.into(), new.connections.into()));
    keep("limits.body_bytes", (size(old.body_bytes), size(new.body_bytes)));
    keep("limits.large_body_bytes", (size(old.large_body_bytes), size(new.large_body_bytes)));
    keep("limits.json_depth", (size(old.json_depth), size(new.json_depth)));
    keep("limits.strings", (size(old.strings), size(new.strings)));
    keep("limits.large_strings", (size(old.large_strings), size(new.large_strings)));
    *new = Limits {
        connections: old.connections,
        body_bytes: old.body_bytes,
        large_body_bytes: old.large_body_bytes,
        json_depth: old.json_depth,
        strings: old.strings,
        large_strings: old.large_strings,
        ..new.clone()
    };
    kept
}

async fn settle(events: &mut mpsc::Receiver<()>) {
    // Not for ever: a file that is written all the time must not put the reload off for good.
    for _ in 0..10 {
        if tokio::time::timeout(SETTLE, events.recv()).await.is_err() {
            return;
        }
    }
}

/// Names, presence and content of the files: reading a file is an event too, and must not reload.
fn digest(files: &[PathBuf]) -> [u8; 32] {
    use std::io::Read;
    let mut hash = Sha256::new();
    for path in files {
        hash.update(path.as_os_str().as_encoded_bytes());
        let mut content = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(MAX_DIGESTED).read_to_end(&mut content));
        hash.update([u8::from(read.is_ok())]);
        hash.update(Sha256::digest(&content));
    }
    hash.finalize().into()
}

/// A watch on the folders of some files.
struct Watch {
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Without a watch SIGHUP still works, so that a failure is a warning.
    fn start(files: Vec<PathBuf>, sender: mpsc::Sender<()>) -> Self {
        let names: BTreeSet<_> = files.iter().filter_map(|path| path.file_name().map(OsStr::to_owned)).collect();
        let folders: BTreeSet<PathBuf> = files.iter().map(|path| folder(path)).collect();
        let ours = move |path: &PathBuf| {
            path.file_name().is_some_and(|name| names.contains(name) || name.as_encoded_bytes().starts_with(b".."))
        };
        let handler = move |event: notify::Result<notify::Event>| {
            let relevant =
                event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(&ours));
            if relevant {
                // A full channel already holds the news.
                let _full = sender.try_send(());
            }
        };
        let started = notify::recommended_watcher(handler).and_then(|mut watcher| {
            folders.iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
            Ok(watcher)
        });
        if let Err(error) = &started {
            tracing::warn!(reason = %error, "files are not watched: send SIGHUP after a change");
        }
        Self { _watcher: started.ok() }
    }
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests;
