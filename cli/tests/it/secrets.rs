//! What other users of the machine can see: command lines, environments, outputs, logs, files.
//!
//! Broke elsewhere: tools that took tokens as flags left them in shell histories, in `ps`, and in the logs of the
//! continuous integration that printed their errors.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binary::{code, command, run, run_with, stderr, stdout};
use crate::dev::{Dev, end_of, signal, text, wait_for};

const CANARY: &str = "wk1.canary-hunter2-canary";

/// Every file below a folder that holds these bytes.
fn holding(folder: &Path, needle: &[u8]) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|part| part == needle)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_secret_given_in_place_is_refused_and_repeated_nowhere() {
    let enroll = ["cert", "enroll", "--address", "https://127.0.0.1:1", "--dir", "d"];
    let with_flag = [&enroll[..], &["--token", CANARY]].concat();
    let with_equals = format!("--token={CANARY}");
    let cases = [
        run(&with_flag),
        run(&[&enroll[..], &[&with_equals]].concat()),
        run_with(&enroll, b"", &[("WARDKEEP_TOKEN", CANARY)]),
        run(&["data-key", "unwrap", CANARY, "--plaintext-file", "p"]),
        run(&["data-key", "rewrap", CANARY]),
    ];
    for output in cases {
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert_eq!(code(&output), 1, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(said.contains("standard input") && said.contains("@FILE"), "it says what to do: {said}");
    }
}

#[test]
fn help_does_not_show_what_the_environment_holds_for_a_secret() {
    for args in [&["cert", "enroll", "--help"][..], &["cert", "enroll", "-h"], &["help", "cert", "enroll"]] {
        let said = stdout(&run_with(args, b"", &[("WARDKEEP_TOKEN", CANARY)]));
        assert!(said.contains("WARDKEEP_TOKEN") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_secret_in_a_file_is_not_repeated_where_it_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, CANARY).unwrap();
    let source = format!("@{}", text(&file));
    let dir = folder.path().join("d");
    let args = ["cert", "enroll", "--address", "https://127.0.0.1:1", "--token", &source, "--dir", text(&dir)];
    let output = run(&args);
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(code(&output) == 1 && said.contains("token is malformed") && !said.contains("hunter2"), "{said}");
    let unwrap = ["data-key", "unwrap", &source, "--plaintext-file", "p"];
    let said = stderr(&run(&unwrap));
    assert!(said.contains("not base64") && !said.contains("hunter2"), "{said}");
}

/// `/proc` as another process of the machine reads it, while the real server and the real client work.
#[test]
fn command_lines_and_environments_hold_no_secret() {
    let place = tempfile::tempdir().unwrap();
    let mut child =
        command().arg("demo").env("TMPDIR", place.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let root_key = wait_for("a root key", || {
        let folder = std::fs::read_dir(place.path()).unwrap().flatten().next()?.path();
        std::fs::read(folder.join("root.key")).ok().filter(|key| key.len() == 32)
    });
    let proc = format!("/proc/{}", child.id());
    let mut looks = 0;
    while child.try_wait().unwrap().is_none() && looks < 200 {
        for name in ["cmdline", "environ"] {
            let Ok(seen) = std::fs::read(format!("{proc}/{name}")) else { continue };
            assert!(!seen.windows(32).any(|part| part == root_key), "{name} holds the root key");
            let seen = String::from_utf8_lossy(&seen);
            assert!(!seen.contains("wk1.") && !seen.contains("PRIVATE KEY"), "{name}: {seen}");
        }
        looks += 1;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(looks > 0, "nothing was looked at");
    signal_if_running(&mut child);
}

fn signal_if_running(child: &mut std::process::Child) {
    if child.try_wait().unwrap().is_none() {
        signal(child, "-TERM");
        end_of(child);
    }
}

#[test]
fn data_keys_and_tokens_stand_in_their_own_files_and_nowhere_else() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let plain = dev.place("data-key");
    let made = dev.run(&["data-key", "generate", "notes/first", "--plaintext-file", text(&plain)]);
    let key = std::fs::read(&plain).unwrap();
    assert_eq!(holding(dev.folder.path(), &key), [text(&plain).to_owned()]);
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&key);
    assert!(!stdout(&made).contains(&encoded) && !stderr(&made).contains(&encoded));
    assert_eq!(holding(dev.folder.path(), encoded.as_bytes()), Vec::<String>::new());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&plain).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let token = dev.place("ana.token");
    let entity = r#"[{"uid":{"type":"User","id":"ana"},"attrs":{},"parents":[]}]"#;
    dev.json(&["entity", "put", text(&dev.file("e.json", entity))]);
    let issued = dev.run(&["cert", "token", &Dev::identity("user", "ana"), "--to", text(&token)]);
    let secret = std::fs::read_to_string(&token).unwrap();
    assert!(!stdout(&issued).contains(&secret) && !stderr(&issued).contains(&secret));
    assert_eq!(holding(dev.folder.path(), secret.as_bytes()), [text(&token).to_owned()], "the server keeps a hash");
}

#[test]
fn what_dev_prints_to_paste_holds_paths_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("said");
    let out = std::fs::File::create(&file).unwrap();
    let mut child = Dev::command(folder.path(), 0).stdout(out).spawn().unwrap();
    wait_for("a ready file", || folder.path().join("ready.json").exists().then_some(()));
    signal(&child, "-TERM");
    end_of(&mut child);
    let said = std::fs::read_to_string(&file).unwrap();
    let ready: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("ready.json")).unwrap()).unwrap();
    for name in ["address", "ca", "cert", "key"] {
        assert!(said.contains(ready[name].as_str().unwrap()), "{name}: {said}");
    }
    assert!(!said.contains("wk1.") && !said.contains("PRIVATE KEY"), "{said}");
    let root_key = std::fs::read(folder.path().join("dev/root.key")).unwrap();
    assert_eq!(holding(&folder.path().join("dev"), &root_key).len(), 1, "the root key stands in its own file alone");
}

#[test]
fn files_that_hold_secrets_are_their_owners_whatever_the_umask() {
    let dev = Dev::start();
    let entity = r#"[{"uid":{"type":"User","id":"ana"},"attrs":{},"parents":[]}]"#;
    dev.json(&["entity", "put", text(&dev.file("e.json", entity))]);
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let plain = dev.file("plain", "x");
    dev.json(&["encrypt", text(&plain), "--key", "notes/first"]);
    let (random, opened, token) = (dev.place("random"), dev.place("opened"), dev.place("token"));
    let sealed = dev.place("plain.wk");
    let ana = Dev::identity("user", "ana");
    let lines = [
        vec!["random", "16", "--to", text(&random)],
        vec!["decrypt", text(&sealed), "--to", text(&opened)],
        vec!["cert", "token", &ana, "--to", text(&token)],
    ];
    for args in lines {
        // A shell with the most careless umask there is.
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_wardkeep")]).args(&args);
        for (name, value) in dev.command_as(&dev.admin(), &[]).get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        let output = shell.output().unwrap();
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    }
    for place in [random, opened, token] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&place).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{}", place.display());
    }
}
