//! An installation in a temporary folder: made by `wardkeep server init`, run by `wardkeep server --config`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use wardkeep_client::settings::Renewal;
use wardkeep_client::wire::SecretText;
use wardkeep_client::wire::bundle::{LoadBundle, PolicyFile};
use wardkeep_client::{Address, CallError, Client, EnrolFiles, Settings, enrol};
use wardkeep_policy::BundleSource;

use crate::process::{Process, Ready, finish, wardkeep};

/// The trust domain of every test.
pub(crate) const DOMAIN: &str = "faults.example";

/// The folders of an installation.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    logs: AtomicU32,
}

/// Who connects.
#[derive(Clone)]
pub(crate) struct Credential(EnrolFiles);

/// The runtime of a test.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Home {
    /// Folders and a configuration, nothing initialised.
    pub(crate) fn empty() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap(), logs: AtomicU32::new(0) };
        home.configure(&home.data(), &home.root_key());
        home
    }

    /// Writes the configuration with these places.
    pub(crate) fn configure(&self, data: &Path, root_key: &Path) {
        let text = format!(
            "[storage]\ndata = {data:?}\nhead = {:?}\naudit_reserve_bytes = 1048576\n\n[root_key]\nfile = {root_key:?}\n\n\
             [listen]\napi = \"127.0.0.1:0\"\nenrol = \"127.0.0.1:0\"\nops = \"127.0.0.1:0\"\n\n\
             [identity]\ntrust_domain = \"{DOMAIN}\"\n\n[rate_limit]\nenrolments_per_minute = 1000\n",
            self.head()
        );
        std::fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("wardkeep.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn head(&self) -> PathBuf {
        self.path("outside").join("head")
    }

    pub(crate) fn root_key(&self) -> PathBuf {
        self.path("root.key")
    }

    /// A place for the log of one more process.
    pub(crate) fn log(&self) -> PathBuf {
        self.path(&format!("log-{}", self.logs.fetch_add(1, Ordering::Relaxed)))
    }

    /// `wardkeep server init`
    pub(crate) fn init_command(&self) -> Command {
        let mut command = wardkeep();
        command.args(["--output", "json", "server", "init", "--config"]).arg(self.config());
        command
    }

    /// `wardkeep server --config`
    pub(crate) fn command(&self) -> Command {
        let mut command = wardkeep();
        command.args(["server", "--config"]).arg(self.config());
        command
    }

    /// `wardkeep recover`
    pub(crate) fn recover_command(&self, administrator: &str) -> Command {
        let mut command = wardkeep();
        command.args(["--output", "json", "recover", "--config"]).arg(self.config());
        command.args(["--administrator", administrator]);
        command
    }

    /// Initialises; answers the first administrator's token.
    pub(crate) fn init(&self) -> SecretText {
        let (code, said, remarked) = finish(&mut self.init_command());
        assert_eq!(code, Some(0), "{remarked}");
        token_in(&said)
    }

    /// Starts the server; it has to get ready.
    pub(crate) fn start(&self) -> (Process, Ready) {
        let mut server = Process::spawn(&mut self.command(), self.log());
        match server.ready() {
            Ok(ready) => (server, ready),
            Err(status) => panic!("the server did not start, {status}: {}", server.said()),
        }
    }

    /// Starts the server, which must refuse to; answers what it said.
    pub(crate) fn refused(&self, more: &[&str]) -> (Option<i32>, String) {
        let mut server = Process::spawn(self.command().args(more), self.log());
        match server.ready() {
            Ok(_) => panic!("it started: {}", server.said()),
            Err(status) => (status.code(), server.said()),
        }
    }

    /// A new installation that runs, its administrator enrolled, keys free to use for it.
    pub(crate) fn running(runtime: &Runtime) -> (Self, Process, Ready, Credential) {
        let home = Self::empty();
        let token = home.init();
        let (server, ready) = home.start();
        let first = runtime.block_on(async {
            let first = home.enrol(&ready, "first", &token).await;
            open_keys(&first.client(&ready).await).await;
            first
        });
        (home, server, ready, first)
    }

    /// Redeems a token.
    pub(crate) async fn enrol(&self, ready: &Ready, name: &str, token: &SecretText) -> Credential {
        let folder = self.path("people").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let files =
            EnrolFiles { ca: folder.join("ca.pem"), certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        enrol(&Address::parse(&ready.enrol).unwrap(), token, &files).await.unwrap();
        Credential(files)
    }
}

impl Credential {
    /// The credential in a folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        Self(EnrolFiles { ca: file("ca.pem"), certificate: file("cert.pem"), key: file("key.pem") })
    }

    /// A connection pool of its own.
    pub(crate) async fn client(&self, ready: &Ready) -> Client {
        let EnrolFiles { ca, certificate, key } = self.0.clone();
        let mut settings = Settings::new(&ready.api, ca, certificate, key).unwrap();
        settings.renewal = Renewal::Elsewhere;
        settings.timeouts.request = Duration::from_secs(60);
        Client::connect(settings).await.unwrap()
    }
}

/// The token in the answer of `init` and `recover`.
pub(crate) fn token_in(answer: &str) -> SecretText {
    let answer: Value = serde_json::from_str(answer).unwrap_or_else(|_| panic!("no JSON: {answer}"));
    SecretText::new(answer["token"].as_str().unwrap().to_owned())
}

/// Puts the rules of `wardkeep dev` in force, with an attribute on users that the load can change.
pub(crate) async fn open_keys(administrator: &Client) {
    let BundleSource { manifest, policies, .. } = BundleSource::dev();
    let policies = policies.into_iter().map(|(name, text)| PolicyFile { name, text }).collect();
    let schema = "entity User { n?: Long };".to_owned();
    let bundle = LoadBundle { manifest, schema, policies, entities: None, activate: true, dry_run: false };
    let loaded = administrator.bundles().load(&bundle).await.unwrap();
    assert!(loaded.active, "{loaded:?}");
}

/// Whether a call ended without an answer that says what became of it.
pub(crate) fn is_in_doubt(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Connect { .. }
            | CallError::Broken { .. }
            | CallError::Timeout { .. }
            | CallError::Unavailable { .. }
    )
}
