//! A server's data folder on this machine: making it, opening it, and what surrounds both.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wardkeep_kms::root::{EnvRootKey, FileRootKey, RootKeyError, RootKeySource};
use wardkeep_model::{Clock, Entropy, EntropyError};
use wardkeep_server::admin::AdminError;
use wardkeep_server::admin::provision::Ground;
use wardkeep_server::ca::AuthoritySettings;
use wardkeep_server::config::Config;
use wardkeep_server::system::{SystemClock, SystemEntropy};
use wardkeep_server::{StartError, telemetry};
use wardkeep_store::sqlite::{Options, SqliteStore};
use wardkeep_store::{OpenError, RootKey, Store};
use zeroize::Zeroizing;

use crate::error::FileError;
use crate::whole_file::{self, Readers};

/// Why a data folder could not be made, opened or served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallationError {
    /// The root key.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// No root key is configured.
    #[error("no root key is configured: set `root_key.file` or `root_key.env`")]
    NoRootKey,
    /// A root key could not be drawn.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// A file beside it.
    #[error(transparent)]
    File(#[from] FileError),
    /// Provisioning.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Starting.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The log.
    #[error(transparent)]
    Log(#[from] telemetry::TelemetryError),
    /// Signals cannot be listened to.
    #[error("could not listen for signals: {0}")]
    Signals(#[source] std::io::Error),
    /// An initialisation was cut short.
    #[error(
        "`{}` was left half made by a `wardkeep server init` that was cut short: run it again, it begins anew",
        folder.display()
    )]
    Unfinished { folder: PathBuf },
}

/// The machine's clock and random generator.
pub(crate) struct Machine {
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Chance.
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Default for Machine {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
    }
}

/// Makes a new data folder; its folder above, the head's and the root key's must be writable.
pub(crate) fn create(config: &Config, machine: &Machine) -> Result<Arc<dyn Store>, InstallationError> {
    if let Some(folder) = config.storage.head.as_deref().and_then(Path::parent) {
        std::fs::create_dir_all(folder).map_err(FileError::at("create", folder))?;
    }
    Ok(Arc::new(SqliteStore::create(options(config, machine, false)?)?))
}

/// Opens a data folder with every check of a start. Says what was checked.
pub(crate) fn open(
    config: &Config,
    machine: &Machine,
    accept_rollback: bool,
) -> Result<Arc<dyn Store>, InstallationError> {
    let folder = &config.storage.data;
    if !folder.exists() {
        // Said before the root key is asked for, which is not there yet either.
        return Err(OpenError::NotInitialised { folder: folder.clone() }.into());
    }
    if Beginning::mark_in(folder).exists() {
        return Err(InstallationError::Unfinished { folder: folder.clone() });
    }
    let (store, opened) = SqliteStore::open(options(config, machine, accept_rollback)?)?;
    tracing::info!(status = ?opened.status, rollback_accepted = opened.rollback_accepted, "store opened");
    Ok(Arc::new(store))
}

/// An initialisation under way. Its mark lies in the data folder from before the first row until the token is in the
/// administrator's hands: what is found with it was never served, and the next initialisation begins anew. So a
/// crash between the first commit and the first head leaves no database without its head, nor one without an
/// administrator.
pub(crate) struct Beginning {
    mark: PathBuf,
}

impl Beginning {
    fn mark_in(data: &Path) -> PathBuf {
        data.join("unfinished")
    }

    /// Marks a data folder that holds no store; one that holds a whole store is left to [`create`], which refuses it.
    pub(crate) fn of(config: &Config) -> Result<Self, InstallationError> {
        let data = &config.storage.data;
        let mark = Self::mark_in(data);
        if mark.exists() {
            clear(data, &mark)?;
        } else if data.join(DATABASE).exists() || config.storage.head.as_deref().is_some_and(Path::exists) {
            return Ok(Self { mark });
        }
        folder_of_owner(data)?;
        // What stood at the head's place before is not ours: only what is written here is cleared away again.
        let head = config.storage.head.as_deref().map(|head| head.display().to_string()).unwrap_or_default();
        whole_file::write(&mark, head.as_bytes(), Readers::Owner, true)?;
        Ok(Self { mark })
    }

    /// The administrator has what it needs.
    pub(crate) fn end(self) -> Result<(), FileError> {
        match std::fs::remove_file(&self.mark) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(FileError::at("remove", &self.mark)(error))
            }
            _ => Ok(()),
        }
    }
}

/// The store's database, as its room names it.
const DATABASE: &str = "state.db";

/// Takes the store's lock, so that nobody is at work in a data folder while it is cleared away.
pub(crate) fn alone_in(data: &Path) -> Result<File, InstallationError> {
    let lock = data.join("lock");
    let held = File::options().create(true).append(true).open(&lock).map_err(FileError::at("open", &lock))?;
    match held.try_lock() {
        Ok(()) => Ok(held),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { folder: data.to_owned() }.into()),
        Err(TryLockError::Error(error)) => Err(FileError::at("lock", &lock)(error).into()),
    }
}

/// Removes what a cut-off initialisation left. The mark stays until the next one has ended.
fn clear(data: &Path, mark: &Path) -> Result<(), InstallationError> {
    let _alone = alone_in(data)?;
    let head = std::fs::read_to_string(mark).map_err(FileError::at("read", mark))?;
    let mut left: Vec<PathBuf> =
        ["state.db", "state.db-wal", "state.db-shm", "reserve"].map(|name| data.join(name)).into();
    if !head.is_empty() {
        left.push(PathBuf::from(&head));
        left.push(PathBuf::from(format!("{head}.tombstones")));
    }
    for place in left {
        match std::fs::remove_file(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(FileError::at("remove", place)(error).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes a folder that only its owner may look into.
pub(crate) fn folder_of_owner(folder: &Path) -> Result<(), FileError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(FileError::at("create", folder))
}

/// What provisioning works on.
pub(crate) fn ground(config: &Config, store: Arc<dyn Store>, machine: &Machine) -> Ground {
    Ground {
        store,
        clock: machine.clock.clone(),
        entropy: machine.entropy.clone(),
        kinds: config.identity.kinds.clone(),
        authority: AuthoritySettings { trust_domain: config.identity.trust_domain.clone(), ca: config.ca.clone() },
    }
}

/// Exit code of a server whose disk failed it (`EX_SOFTWARE` of sysexits).
const FATAL: i32 = 70;

/// Draws a root key into a file that only its owner may read, unless one stands there.
pub(crate) fn root_key_file(place: &Path, machine: &Machine) -> Result<(), InstallationError> {
    if place.exists() {
        return Ok(());
    }
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).map_err(FileError::at("create", folder))?;
    }
    let mut key = Zeroizing::new([0; 32]);
    machine.entropy.fill(key.as_mut_slice())?;
    Ok(whole_file::write(place, key.as_slice(), Readers::Owner, false)?)
}

fn options(config: &Config, machine: &Machine, accept_rollback: bool) -> Result<Options, InstallationError> {
    Ok(Options {
        folder: config.storage.data.clone(),
        root_key: root_key(config)?,
        head: config.storage.head.clone(),
        accept_rollback,
        clock: machine.clock.clone(),
        entropy: machine.entropy.clone(),
        reserve_bytes: config.storage.audit_reserve_bytes,
        on_fatal: Arc::new(|reason| {
            // The same pages must never be written again: nothing is saved by going on. Not `abort`: a core dump
            // would hold the root key.
            crate::output::remark(&format!("wardkeep: {reason}: the process ends"));
            std::process::exit(FATAL);
        }),
    })
}

fn root_key(config: &Config) -> Result<RootKey, InstallationError> {
    match (&config.root_key.file, &config.root_key.env) {
        (Some(file), _) => Ok(FileRootKey::new(file).load()?),
        (None, Some(variable)) => Ok(EnvRootKey::new(variable.clone()).load()?),
        (None, None) => Err(InstallationError::NoRootKey),
    }
}
