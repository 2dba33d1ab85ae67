//! The binary against a server of its own: `dev`, the nouns that call it, and the demo on its sample.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use crate::binary::{code, command, run, stderr, stdout};
use serde_json::Value;

/// A running `wardkeep dev`; ended with the test.
struct Dev {
    child: Child,
    folder: tempfile::TempDir,
    ready: Value,
}

impl Dev {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ready.json");
        let mut child = command()
            .args(["dev", "--dir"])
            .arg(folder.path().join("dev"))
            .arg("--ready-file")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        for _ in 0..600 {
            if let Ok(text) = std::fs::read_to_string(&file) {
                let ready = serde_json::from_str(&text).unwrap();
                return Self { child, folder, ready };
            }
            if let Some(status) = child.try_wait().unwrap() {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("dev ended with {status}: {said}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("dev was not ready within a minute");
    }

    fn run(&self, args: &[&str]) -> Output {
        let word = |name: &str| self.ready[name].as_str().unwrap().to_owned();
        command()
            .args(args)
            .env("WARDKEEP_ADDRESS", word("address"))
            .env("WARDKEEP_CA", word("ca"))
            .env("WARDKEEP_CERT", word("cert"))
            .env("WARDKEEP_KEY", word("key"))
            .env("WARDKEEP_OUTPUT", "json")
            .output()
            .unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_newcomer_gets_from_dev_to_a_file_read_back() {
    let dev = Dev::start();
    assert!(dev.ready["address"].as_str().unwrap().starts_with("https://127.0.0.1:"));

    dev.json(&["ring", "create", "notes", "--label", "team=x"]);
    let key = dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    assert_eq!(key["versions"][0]["state"], "active");
    assert_eq!(dev.json(&["key", "list"]).as_array().unwrap().len(), 1);

    let secret = vec![b'x'; 300_000];
    let plain = dev.file("plain", &secret);
    dev.json(&["encrypt", text(&plain), "--key", "notes/first", "--context", "purpose=test"]);
    let sealed = dev.folder.path().join("plain.wk");
    let opened = dev.folder.path().join("opened");
    dev.json(&["decrypt", text(&sealed), "--to", text(&opened)]);
    assert!(std::fs::read(&opened).unwrap() == secret);

    let again = dev.run(&["decrypt", text(&sealed), "--to", text(&opened)]);
    assert!(code(&again) == 1 && stderr(&again).contains("exists already"), "{}", stderr(&again));

    let mut cut = std::fs::read(&sealed).unwrap();
    cut.truncate(cut.len() - 70_000);
    let cut = dev.file("cut.wk", &cut);
    let partial = dev.folder.path().join("partial");
    let refused = dev.run(&["decrypt", text(&cut), "--to", text(&partial)]);
    assert_eq!(code(&refused), 1, "{}", stderr(&refused));
    assert!(!partial.exists(), "a file that was cut off leaves nothing behind");

    let tail = dev.run(&["audit", "tail", "--lines", "50"]);
    assert!(stdout(&tail).contains("UnwrapDataKey"), "{}", stdout(&tail));
    assert_ne!(dev.json(&["audit", "verify"])["status"], "broken");
}

#[test]
fn a_denial_is_exit_code_3_and_a_missing_server_2() {
    let dev = Dev::start();
    let denied = dev.run(&["--output", "json", "ring", "describe", "nothing-here", "--subject", "User::\"nobody\""]);
    assert_eq!(code(&denied), 3, "{}", stderr(&denied));
    let away = dev.run(&["ring", "list", "--address", "https://127.0.0.1:1"]);
    assert_eq!(code(&away), 2, "{}", stderr(&away));
    let missing = dev.run(&["key", "describe", "no/such"]);
    assert_eq!(code(&missing), 2, "404: {}", stderr(&missing));
}

#[test]
fn signatures_random_and_data_keys_work_and_show_no_secret() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "r"]);
    dev.json(&["key", "create", "r/sign", "--spec", "ed25519", "--usage", "sign"]);
    dev.json(&["key", "create", "r/wrap", "--spec", "rsa-3072", "--usage", "wrap"]);
    let message = dev.file("message", b"hello");
    let signed = dev.json(&["sign", "r/sign", text(&message)]);
    let signature = signed["signature"].as_str().unwrap();
    let verify = ["verify", "r/sign", text(&message), "--key-version", "1", "--signature", signature];
    assert_eq!(dev.json(&verify)["valid"], true);
    let other = dev.file("other", b"hullo");
    let refused = dev.run(&["verify", "r/sign", text(&other), "--key-version", "1", "--signature", signature]);
    assert_eq!(code(&refused), 1);

    let place = dev.folder.path().join("data-key");
    let made = dev.json(&["data-key", "generate", "r/wrap", "--plaintext-file", text(&place)]);
    assert_eq!(std::fs::read(&place).unwrap().len(), 32);
    assert!(made.get("plaintext").is_none());
    let wrapped = dev.file("wrapped", made["wrapped"].as_str().unwrap().as_bytes());
    dev.json(&["key", "rotate", "r/wrap"]);
    let rewrapped = dev.json(&["data-key", "rewrap", &format!("@{}", text(&wrapped))]);
    assert_eq!(rewrapped["version"], 2);
    let wrapped = dev.file("rewrapped", rewrapped["wrapped"].as_str().unwrap().as_bytes());
    let again = dev.folder.path().join("again");
    dev.json(&["data-key", "unwrap", &format!("@{}", text(&wrapped)), "--plaintext-file", text(&again)]);
    assert_eq!(std::fs::read(&place).unwrap(), std::fs::read(&again).unwrap());
}

#[test]
fn the_demo_reads_back_every_record_of_its_sample() {
    let output = run(&["demo", "--output", "json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let resources = report["resources"].as_u64().unwrap();
    assert_eq!(resources, 33);
    assert_eq!(report["equal"], resources);
    assert_eq!(report["audit_verified"], true);
    for role in ["doctor", "patient", "pharmacy", "admin"] {
        let (allowed, denied) = (report["allowed"][role].as_u64().unwrap(), report["denied"][role].as_u64().unwrap());
        assert_eq!(allowed + denied, resources, "{role}");
        assert!(denied > 0 && allowed > 0, "{role}");
    }
    assert_eq!(report["denials"].as_array().unwrap().len(), 4);
    assert_eq!(report["rewrapped"], resources);
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}
