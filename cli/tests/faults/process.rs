//! Child processes: each in a group of its own, its log in a file, and gone with its handle.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// How long one look takes.
const LOOK: Duration = Duration::from_millis(20);
/// Looks until a child is given up: two minutes, for machines that do much else.
const LOOKS: u32 = 6000;

/// A running child.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// Where a server listens.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    /// `https://` of the API listener.
    pub(crate) api: String,
    /// `https://` of the enrolment listener.
    pub(crate) enrol: String,
    /// `host:port` of the probes.
    pub(crate) ops: String,
}

/// A program without any `WARDKEEP_*` of the caller's.
pub(crate) fn program(path: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WARDKEEP_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).process_group(0);
    command
}

/// The binary under test.
pub(crate) fn wardkeep() -> Command {
    program(env!("CARGO_BIN_EXE_wardkeep"))
}

/// Runs a command to its end; answers exit code, standard output and standard error.
pub(crate) fn finish(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned())
}

/// Whether a command runs and ends well here; for tools that a machine may not have or not allow.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Process {
    /// Starts a child; whatever it says goes to `log`.
    pub(crate) fn spawn(command: &mut Command, log: PathBuf) -> Self {
        let said = File::create(&log).unwrap();
        let child = command.stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        Self { child, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until the log has what `find` looks for; an error with how it ended where it ends before.
    pub(crate) fn wait_for<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Result<T, ExitStatus> {
        for _ in 0..LOOKS {
            if let Some(found) = find(&self.said()) {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                // It may have said it just before it ended.
                return find(&self.said()).ok_or(status);
            }
            std::thread::sleep(LOOK);
        }
        panic!("two minutes went by without a sign: {}", self.said());
    }

    /// Waits until a server answers.
    pub(crate) fn ready(&mut self) -> Result<Ready, ExitStatus> {
        self.wait_for(|said| said.lines().find_map(ready_line))
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        for _ in 0..LOOKS {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(LOOK);
        }
        panic!("it goes on and on: {}", self.said());
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for an end in good order.
    pub(crate) fn stop(&mut self) {
        let (code, _, said) = finish(program("kill").arg("-TERM").arg(self.id().to_string()));
        assert_eq!(code, Some(0), "{said}");
        let status = self.end();
        assert!(status.success(), "{status}: {}", self.said());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ready_line(line: &str) -> Option<Ready> {
    let fields: Value = serde_json::from_str(line).ok()?;
    let word = |name: &str| fields[name].as_str().map(str::to_owned);
    if word("message")? != "ready" {
        return None;
    }
    Some(Ready {
        api: format!("https://{}", word("api")?),
        enrol: format!("https://{}", word("enrol")?),
        ops: word("ops")?,
    })
}

/// `GET` of a probe over plain HTTP: the status, and the body.
pub(crate) fn probe(address: &str, path: &str) -> (u16, String) {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {answer}")), answer)
}

/// Copies a folder as it stands.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.file_type().unwrap().is_file(), "a data folder holds files alone");
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
