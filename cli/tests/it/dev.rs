//! A running `wardkeep dev`, and people with certificates of its.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use wardkeep_client::settings::Renewal;
use wardkeep_client::{Client, Settings};

use crate::binary::{code, command, stderr, stdout};

/// How long one look takes.
const LOOK: Duration = Duration::from_millis(50);
/// Looks until something is given up: two minutes, for machines that do much else.
const LOOKS: u32 = 2400;

/// A running `wardkeep dev`; ended with the test.
pub(crate) struct Dev {
    child: Child,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ready: Value,
}

/// The three files of somebody.
#[derive(Clone)]
pub(crate) struct Somebody {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Looks until it is there.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(LOOK);
    }
    panic!("two minutes went by without {what}");
}

/// Sends a signal to a process of the test's own.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "kill {name}");
}

/// Waits for the end of a process.
#[track_caller]
pub(crate) fn end_of(child: &mut Child) -> ExitStatus {
    wait_for("its end", || child.try_wait().unwrap())
}

impl Dev {
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), 0)
    }

    /// In a folder of choice, whose sub-folder `dev` it works in, on a port of choice.
    pub(crate) fn start_in(folder: tempfile::TempDir, port: u16) -> Self {
        let file = folder.path().join("ready.json");
        let _ = std::fs::remove_file(&file);
        let mut child = Self::command(folder.path(), port).spawn().unwrap();
        let ready = wait_for("a ready file", || {
            if let Ok(text) = std::fs::read_to_string(&file) {
                return Some(serde_json::from_str(&text).unwrap());
            }
            if let Some(status) = child.try_wait().unwrap() {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("dev ended with {status}: {said}");
            }
            None
        });
        Self { child, folder, ready }
    }

    /// How it is started.
    pub(crate) fn command(folder: &Path, port: u16) -> Command {
        let mut command = command();
        command.args(["dev", "--port", &port.to_string(), "--dir"]).arg(folder.join("dev"));
        command.arg("--ready-file").arg(folder.join("ready.json"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Ends it by SIGTERM, which is an end in good order, and gives its folder.
    pub(crate) fn stop(mut self) -> tempfile::TempDir {
        signal(&self.child, "-TERM");
        let status = end_of(&mut self.child);
        assert!(status.success(), "{status}");
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.word("address").rsplit(':').next().unwrap().parse().unwrap()
    }

    pub(crate) fn word(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap().to_owned()
    }

    pub(crate) fn admin(&self) -> Somebody {
        let path = |name: &str| PathBuf::from(self.word(name));
        Somebody { ca: path("ca"), cert: path("cert"), key: path("key") }
    }

    /// A command of somebody's, not yet run.
    pub(crate) fn command_as(&self, who: &Somebody, args: &[&str]) -> Command {
        let mut command = command();
        command.args(args).env("WARDKEEP_ADDRESS", self.word("address")).env("WARDKEEP_OUTPUT", "json");
        command.env("WARDKEEP_CA", &who.ca).env("WARDKEEP_CERT", &who.cert).env("WARDKEEP_KEY", &who.key);
        command
    }

    pub(crate) fn run_as(&self, who: &Somebody, args: &[&str]) -> Output {
        self.command_as(who, args).output().unwrap()
    }

    /// As the administrator.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.run_as(&self.admin(), args)
    }

    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        match stdout(&output).as_str() {
            "" => Value::Null,
            said => serde_json::from_str(said).unwrap_or_else(|error| panic!("{args:?}: {error}: {said}")),
        }
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `spiffe://..` of this installation.
    pub(crate) fn identity(kind: &str, name: &str) -> String {
        format!("spiffe://dev.wardkeep.internal/{kind}/{name}")
    }

    /// Gives somebody a certificate, by token and enrolment through the binary.
    pub(crate) fn admit(&self, kind: &str, name: &str) -> Somebody {
        let token = self.place(&format!("{name}.token"));
        let _ = std::fs::remove_file(&token);
        self.json(&["cert", "token", &Self::identity(kind, name), "--to", text(&token)]);
        let dir = tempfile::Builder::new().prefix(name).tempdir_in(self.folder.path()).unwrap().keep();
        let source = format!("@{}", token.display());
        self.json(&["cert", "enroll", "--address", &self.word("enrol"), "--token", &source, "--dir", text(&dir)]);
        Somebody { ca: dir.join("ca.pem"), cert: dir.join("cert.pem"), key: dir.join("key.pem") }
    }

    /// A bundle's folder: the one of `dev` with a schema and policies added.
    pub(crate) fn bundle(&self, name: &str, manifest: &str, schema: &str, policies: &str) -> PathBuf {
        let folder = self.place(name);
        std::fs::create_dir_all(folder.join("policies")).unwrap();
        let base = wardkeep_policy::BundleSource::dev();
        std::fs::write(folder.join("wardkeep.toml"), format!("{}\n{manifest}", base.manifest)).unwrap();
        std::fs::write(folder.join("schema.cedarschema"), format!("{}\n{schema}", base.schema)).unwrap();
        for (at, (_, text)) in base.policies.iter().enumerate() {
            std::fs::write(folder.join("policies").join(format!("{at}.cedar")), text).unwrap();
        }
        std::fs::write(folder.join("policies").join("more.cedar"), policies).unwrap();
        folder
    }

    /// The client library, as somebody, by way of another port where one is named.
    pub(crate) async fn client(&self, who: &Somebody, port: Option<u16>) -> Client {
        let address = format!("https://127.0.0.1:{}", port.unwrap_or_else(|| self.port()));
        let mut settings = Settings::new(&address, &who.ca, &who.cert, &who.key).unwrap();
        settings.renewal = Renewal::Elsewhere;
        settings.timeouts.request = Duration::from_secs(60);
        Client::connect(settings).await.unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
