//! A server that runs under a configuration file.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::binary::command;
use crate::dev::text;

/// Writes a private key as the server wants to find it: for its owner's eyes only.
pub(crate) fn write_key(path: &Path, pem: &str) {
    std::fs::write(path, pem).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A configured server, told by its log where it listens.
pub(crate) struct Configured {
    pub(crate) child: Child,
    pub(crate) api: String,
    pub(crate) enrol: String,
    said: Arc<Mutex<String>>,
}

impl Configured {
    pub(crate) fn start(config: &Path) -> Self {
        let mut child = command()
            .args(["server", "--config", text(config)])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while log.read_line(&mut line).unwrap() > 0 {
            if let Ok(Value::Object(fields)) = serde_json::from_str(&line)
                && fields["message"] == "ready"
            {
                let at = |name: &str| format!("https://{}", fields[name].as_str().unwrap());
                let (api, enrol) = (at("api"), at("enrol"));
                let said = Arc::new(Mutex::new(String::new()));
                let heard = said.clone();
                // Somebody has to read the rest, or the server would wait for its log.
                std::thread::spawn(move || {
                    let mut line = String::new();
                    while log.read_line(&mut line).is_ok_and(|read| read > 0) {
                        heard.lock().unwrap().push_str(&std::mem::take(&mut line));
                    }
                });
                return Self { child, api, enrol, said };
            }
            line.clear();
        }
        let _ = child.kill();
        let status = child.wait().unwrap();
        panic!("the server ended before it was ready: {status}");
    }

    /// What it logged since it was ready.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
