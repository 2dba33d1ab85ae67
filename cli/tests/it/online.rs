//! The binary against a server of its own: `dev`, the nouns that call it, and the demo on its sample.

use std::path::Path;

use serde_json::Value;

use crate::binary::{code, run, run_with, stderr, stdout};
use crate::configured::Configured;
use crate::dev::{Dev, text};

#[test]
fn an_installation_is_made_served_and_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let config = place("wardkeep.toml");
    let toml = format!(
        "[storage]\ndata = {:?}\nhead = {:?}\naudit_reserve_bytes = 1048576\n[root_key]\nfile = {:?}\n[listen]\napi = \"127.0.0.1:0\"\n\
         enrol = \"127.0.0.1:0\"\nops = \"127.0.0.1:0\"\n",
        place("data"),
        place("head/head"),
        place("root.key")
    );
    std::fs::write(&config, toml).unwrap();
    let too_early = run(&["server", "--config", text(&config)]);
    assert_eq!(code(&too_early), 1, "a server that was never initialised refuses to start");

    let init = ["server", "init", "--config", text(&config), "--output", "json"];
    let made: Value = serde_json::from_str(&stdout(&run(&init))).unwrap();
    assert_eq!(code(&run(&init)), 1, "once");
    let server = Configured::start(&config);
    let enrol = |server: &Configured, token: &str, dir: &Path| {
        let args = ["cert", "enroll", "--address", &server.enrol, "--token", "-", "--dir", text(dir)];
        run_with(&args, token.as_bytes(), &[])
    };
    let token = made["token"].as_str().unwrap();
    let admin = place("admin");
    assert_eq!(code(&enrol(&server, token, &admin)), 0);
    assert_ne!(code(&enrol(&server, token, &place("again"))), 0, "a token works once");

    let call = |server: &Configured, dir: &Path, args: &[&str]| {
        let file = |name: &str| dir.join(name).display().to_string();
        let (ca, cert, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
        let variables = [
            ("WARDKEEP_ADDRESS", server.api.as_str()),
            ("WARDKEEP_CA", &ca),
            ("WARDKEEP_CERT", &cert),
            ("WARDKEEP_KEY", &key),
        ];
        run_with(args, b"", &variables)
    };
    assert_eq!(code(&call(&server, &admin, &["ring", "create", "notes"])), 0);
    let create = ["key", "create", "notes/k", "--spec", "aes-256-gcm", "--usage", "wrap"];
    assert_eq!(code(&call(&server, &admin, &create)), 0);
    let denied = call(&server, &admin, &["data-key", "generate", "notes/k"]);
    assert_eq!(code(&denied), 3, "who makes keys does not use them: {}", stderr(&denied));
    let verified = call(&server, &admin, &["audit", "verify", "--output", "json"]);
    assert!(stdout(&verified).contains("verified"), "{}", stdout(&verified));

    let recover = ["recover", "--config", text(&config), "--administrator", "second", "--output", "json"];
    let busy = run(&recover);
    assert_eq!(code(&busy), 1, "not while the server runs");
    drop(server);
    let recovered = run(&recover);
    assert_eq!(code(&recovered), 0, "{}", stderr(&recovered));
    let made: Value = serde_json::from_str(&stdout(&recovered)).unwrap();
    let server = Configured::start(&config);
    let second = place("second");
    assert_eq!(code(&enrol(&server, made["token"].as_str().unwrap(), &second)), 0);
    assert_eq!(code(&call(&server, &second, &["role", "list"])), 0);
    assert_eq!(code(&call(&server, &second, &["cert", "renew"])), 0);
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
    let sealed = &report["sealed"];
    assert_eq!((&sealed["resources"], &sealed["disagree"], &sealed["different"]), (&33.into(), &0.into(), &0.into()));
    let readers = sealed["readers"].as_array().unwrap();
    assert_eq!(readers.len(), 3);
    for reader in readers {
        let (opened, refused) = (reader["opened"].as_u64().unwrap(), reader["refused"].as_u64().unwrap());
        assert!(opened > 0 && refused > 0 && opened + refused == 33, "{reader}");
    }
    assert_eq!((&sealed["revoked_opens"], &sealed["revoked_tries"]), (&0.into(), &5.into()));
    assert_eq!((&sealed["others_open"], &sealed["last_opens"]), (&15.into(), &15.into()));
    assert_eq!((&sealed["expired_opens"], &sealed["expired_tries"]), (&0.into(), &15.into()));
    assert_eq!(sealed["without_server"], true);
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}
