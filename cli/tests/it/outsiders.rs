//! Exit codes, each reached in more than one way: scripts decide on them.

use std::path::PathBuf;

use serde_json::json;

use crate::binary::{code, command, run, run_with, stderr, stdout};
use crate::dev::{Dev, Somebody, text};

const LOCAL: i32 = 1;
const REMOTE: i32 = 2;
const DENIED: i32 = 3;

/// A command line, what is to come of it, and a word that it says.
type Case<'a> = (&'a [&'a str], i32, &'a str);

fn assert_all(dev: &Dev, who: &Somebody, cases: &[Case<'_>]) {
    for (args, exit, word) in cases {
        let output = dev.run_as(who, args);
        let said = stderr(&output);
        assert_eq!(code(&output), *exit, "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: no `{word}` in: {said}");
        assert!(said.starts_with("wardkeep: ") || said.starts_with("error"), "{args:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{args:?}: {said}");
    }
}

#[test]
fn what_is_wrong_here_is_1() {
    let dev = Dev::start();
    let admin = dev.admin();
    let plain = dev.file("plain", "x");
    let noise = dev.file("noise.wk", vec![7; 200]);
    let missing = dev.place("missing");
    let long = dev.file("long", vec![b'x'; 64 * 1024 + 1]);
    let empty = dev.file("empty", "");
    let at_empty = format!("@{}", text(&empty));
    assert_all(
        &dev,
        &admin,
        &[
            (&["encrypt", text(&missing), "--key", "a/b"], LOCAL, "could not read"),
            (&["encrypt", text(dev.folder.path()), "--key", "a/b"], LOCAL, "could not read"),
            (&["encrypt", text(&plain), "--key", "ab"], LOCAL, "--key"),
            (&["encrypt", text(&plain), "--key", "a/b", "--context", "novalue"], LOCAL, "name=value"),
            (&["encrypt", text(&plain), "--key", "a/b", "--resource", "Note"], LOCAL, "Note"),
            (&["encrypt", text(&plain), "--key", "a/b", "--resource-attributes", "x"], LOCAL, "--resource"),
            (&["decrypt", text(&plain)], LOCAL, "does not end in `.wk`"),
            (&["decrypt", text(&noise)], LOCAL, "not a Wardkeep envelope"),
            (&["decrypt", text(&noise), "--to", text(&plain)], LOCAL, "exists already"),
            (&["sign", "a/b", text(&long)], LOCAL, "longer than 64 KiB"),
            (&["sign", "a/b", text(&missing)], LOCAL, "could not read"),
            (&["verify", "a/b", text(&plain), "--key-version", "1", "--signature", "!"], LOCAL, "not base64"),
            (&["verify", "a/b", text(&plain), "--key-version", "x", "--signature", "AA=="], LOCAL, "--key-version"),
            (&["data-key", "unwrap", &at_empty, "--plaintext-file", "p"], LOCAL, "secret is empty"),
            (&["data-key", "unwrap", "@no-such-file", "--plaintext-file", "p"], LOCAL, "could not read the secret"),
            (&["data-key", "unwrap", "-"], LOCAL, "--plaintext-file"),
            (&["cert", "token", "ana"], LOCAL, "ana"),
            (&["cert", "token", "https://x/user/ana"], LOCAL, "spiffe"),
            (&["cert", "revoke", "--serial", "xyz"], LOCAL, "xyz"),
            (&["cert", "revoke", "--serial", "1", "--identity", "spiffe://a/b/c"], LOCAL, "--identity"),
            (&["cert", "enroll", "--address", "http://x:1", "--token", "-", "--dir", "d"], LOCAL, "https://"),
            (&["random", "0"], LOCAL, "0"),
            (&["random", "1025"], LOCAL, "1025"),
            (&["ring", "list", "--address", "https://host/path"], LOCAL, "malformed"),
            (&["ring", "list", "--output", "xml"], LOCAL, "xml"),
            (&["ring", "list", "--limit", "-1"], LOCAL, "-1"),
            (&["audit", "list", "--from", "x"], LOCAL, "x"),
            (&["policy", "set-control", text(&missing)], LOCAL, "could not read"),
            (&["role", "grant", "king", "User::\"a\""], LOCAL, "king"),
            (&["role", "grant", "admin", "User"], LOCAL, "User"),
        ],
    );
}

#[test]
fn what_the_server_refuses_is_2() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/sign", "--spec", "ed25519", "--usage", "sign"]);
    let plain = dev.file("plain", "x");
    let wrapped = dev.file("wrapped", "AQIDBA==");
    let at = format!("@{}", text(&wrapped));
    let place = dev.place("p");
    assert_all(
        &dev,
        &dev.admin(),
        &[
            (&["ring", "create", "notes"], REMOTE, "conflict"),
            (&["ring", "describe", "none"], REMOTE, "not found"),
            (&["ring", "delete", "notes"], REMOTE, "conflict"),
            (&["key", "create", "notes/sign", "--spec", "ed25519", "--usage", "sign"], REMOTE, "conflict"),
            (&["key", "create", "none/k", "--spec", "ed25519", "--usage", "sign"], REMOTE, "no such ring"),
            (&["key", "create", "notes/k", "--spec", "ed25519", "--usage", "wrap"], REMOTE, "invalid"),
            (&["key", "destroy", "notes/sign"], REMOTE, "conflict"),
            (&["key", "enable", "notes/sign", "--key-version", "9"], REMOTE, "9"),
            (&["encrypt", text(&plain), "--key", "notes/sign"], REMOTE, "usage"),
            (&["data-key", "unwrap", &at, "--plaintext-file", text(&place)], REMOTE, "invalid"),
            (&["cert", "token", "spiffe://elsewhere/user/ana"], REMOTE, "[trust-domain"),
            (&["policy", "show", "99"], REMOTE, "not found"),
            (&["ring", "list", "--address", "https://127.0.0.1:1"], REMOTE, "cannot reach"),
            (&["ring", "list", "--address", "https://no-such-host.invalid:1"], REMOTE, "cannot reach"),
        ],
    );
    assert!(!place.exists());
    // Another server's certificate is the way to it, too.
    let other = Dev::start();
    let wrong = dev.run(&["ring", "list", "--address", &other.word("address")]);
    assert!(code(&wrong) == REMOTE && stderr(&wrong).contains("TLS handshake"), "{}", stderr(&wrong));
}

#[test]
fn what_policy_refuses_is_3_and_tells_nothing() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let entity = json!([{"uid": {"type": "User", "id": "ana"}, "attrs": {}, "parents": []}]);
    dev.json(&["entity", "put", text(&dev.file("e.json", entity.to_string()))]);
    let plain = dev.file("plain", "x");
    dev.json(&["encrypt", text(&plain), "--key", "notes/first"]);
    let ana = dev.admit("user", "ana");
    let control = dev.file("control.cedar", "permit (principal, action, resource);");
    let (sealed, opened) = (dev.place("plain.wk"), dev.place("opened"));
    let spiffe = Dev::identity("user", "ana");
    let bundle = dev.bundle("bundle", "", "", "permit (principal, action, resource);");
    assert_all(
        &dev,
        &ana,
        &[
            (&["ring", "create", "hers"], DENIED, "denied"),
            (&["ring", "describe", "notes"], DENIED, "denied"),
            (&["ring", "describe", "none"], DENIED, "denied"),
            (&["key", "describe", "notes/first"], DENIED, "denied"),
            (&["key", "rotate", "notes/first"], DENIED, "denied"),
            (&["data-key", "generate", "notes/first"], DENIED, "denied"),
            (&["decrypt", text(&sealed), "--to", text(&opened)], DENIED, "denied"),
            (&["encrypt", text(&plain), "--key", "notes/first", "--to", text(&opened)], DENIED, "denied"),
            (&["random", "8"], DENIED, "denied"),
            (&["entity", "list"], DENIED, "denied"),
            (&["role", "grant", "admin", "User::\"ana\""], DENIED, "denied"),
            (&["cert", "token", &spiffe], DENIED, "denied"),
            (&["cert", "revoke", "--identity", &spiffe], DENIED, "denied"),
            (&["policy", "load", text(&bundle), "--activate"], DENIED, "denied"),
            (&["policy", "set-control", text(&control)], DENIED, "denied"),
            (&["audit", "verify"], DENIED, "denied"),
            (&["config", "show"], DENIED, "denied"),
        ],
    );
    assert!(!opened.exists());
    // Missing and forbidden look alike.
    let said = |name: &str| {
        let text = stderr(&dev.run_as(&ana, &["ring", "describe", name]));
        text.split(", request").next().unwrap().replace(name, "")
    };
    assert_eq!(said("notes"), said("none"));
    assert!(dev.run_as(&ana, &["ring", "list"]).stdout.starts_with(b"[]"), "a list shows what one may see");
}

#[test]
fn every_option_of_the_connection_has_a_twin_that_it_overrides() {
    let dev = Dev::start();
    let Somebody { ca, cert, key } = dev.admin();
    let address = dev.word("address");
    let good: [(&str, &str, String); 4] = [
        ("--address", "WARDKEEP_ADDRESS", address),
        ("--ca", "WARDKEEP_CA", ca.display().to_string()),
        ("--cert", "WARDKEEP_CERT", cert.display().to_string()),
        ("--cert-key", "WARDKEEP_KEY", key.display().to_string()),
    ];
    for (flag, twin, value) in &good {
        let others = || good.iter().filter(|(other, ..)| other != flag);
        let call = |set: Option<&str>, flags: &[&str]| {
            let mut command = command();
            command.args(["ring", "list"]).args(flags);
            command.envs(others().map(|(_, twin, value)| (*twin, value)));
            command.envs(set.map(|value| (*twin, value)));
            command.output().unwrap()
        };
        let unset = call(None, &[]);
        assert_eq!(code(&unset), LOCAL, "{flag}");
        assert!(stderr(&unset).contains(flag) && stderr(&unset).contains(twin), "{}", stderr(&unset));
        assert_eq!(code(&call(Some(value), &[])), 0, "{twin} alone");
        assert_eq!(code(&call(None, &[flag, value])), 0, "{flag} alone");
        assert_eq!(code(&call(Some("/nowhere"), &[flag, value])), 0, "{flag} before {twin}");
        assert_ne!(code(&call(Some("/nowhere"), &[])), 0);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let dev = Dev::start();
    let mut child = dev
        .command_as(&dev.admin(), &["audit", "list"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn secrets_come_from_standard_input_too() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    let made = dev.json(&["data-key", "generate", "notes/first"]);
    let Somebody { ca, cert, key } = dev.admin();
    let variable = |path: &PathBuf| path.display().to_string();
    let (address, ca, cert, key) = (dev.word("address"), variable(&ca), variable(&cert), variable(&key));
    let variables =
        [("WARDKEEP_ADDRESS", &*address), ("WARDKEEP_CA", &*ca), ("WARDKEEP_CERT", &*cert), ("WARDKEEP_KEY", &*key)];
    let place = dev.place("plain");
    let wrapped = format!("{}\r\n", made["wrapped"].as_str().unwrap());
    let output =
        run_with(&["data-key", "unwrap", "-", "--plaintext-file", text(&place)], wrapped.as_bytes(), &variables);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(std::fs::read(&place).unwrap().len(), 32);
    assert!(!stdout(&output).contains("plaintext"));
    assert_eq!(code(&run(&["cert", "enroll", "--address", "https://x:1", "--token", "abc", "--dir", "d"])), LOCAL);
}

/// The findings about this, by level.
fn findings(dev: &Dev, who: &Somebody, more: &[&str]) -> (i32, Vec<serde_json::Value>) {
    let output = dev.run_as(who, &[&["doctor"][..], more].concat());
    let found: Vec<serde_json::Value> = serde_json::from_str(&stdout(&output)).unwrap();
    (code(&output), found)
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let dev = Dev::start();
    let admin = dev.admin();
    let (exit, found) = findings(&dev, &admin, &[]);
    assert_eq!(exit, 0, "{found:?}");
    assert!(found.iter().all(|finding| finding["level"] == "good"), "{found:?}");
    let level = |found: &[serde_json::Value], what: &str| {
        let of = found.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("{what}: {found:?}"));
        assert!(of["level"] == "good" || !of["advice"].as_str().unwrap().is_empty(), "{of}");
        of["level"].as_str().unwrap().to_owned()
    };
    let (exit, found) = findings(&dev, &admin, &["--address", "https://127.0.0.1:1"]);
    assert_eq!((exit, level(&found, "server").as_str(), level(&found, "certificate").as_str()), (1, "fault", "good"));
    let broken = Somebody { key: dev.file("key.pem", "rubbish"), ..admin.clone() };
    let (exit, found) = findings(&dev, &broken, &[]);
    assert_eq!((exit, level(&found, "certificate").as_str()), (LOCAL, "fault"));

    let data = dev.place("dev/data");
    let config_of = |head: &std::path::Path| {
        let toml = format!("[storage]\ndata = {data:?}\nhead = {head:?}\n[root_key]\nfile = {:?}\n", dev.place("none"));
        dev.file("wardkeep.toml", toml)
    };
    let (exit, found) = findings(&dev, &admin, &["--config", text(&config_of(&dev.place("no-head")))]);
    assert_eq!(exit, LOCAL, "{found:?}");
    assert_eq!(level(&found, "audit head"), "fault", "it is missing");
    assert_eq!(level(&found, "root key"), "fault", "it is missing");
    assert_eq!(level(&found, "data folder"), "good");
    let (exit, found) = findings(&dev, &admin, &["--config", text(&config_of(&data.join("head")))]);
    assert_eq!((exit, level(&found, "configuration").as_str()), (LOCAL, "fault"), "a head in the data folder");
}
