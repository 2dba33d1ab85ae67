//! SIGHUP to the real server: a new listener certificate is served from the next connection on, a broken one changes
//! nothing and is said to be broken.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use serde_json::Value;

use crate::binary::{code, run, run_with, stderr, stdout};
use crate::configured::{Configured, write_key};
use crate::dev::{signal, text};

/// A CA of the test's own for the listeners; clients keep the built-in one.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes a certificate for 127.0.0.1 and its key.
    fn issue(&self, place: &Path) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        write_key(&place.join("tls.key"), &key.serialize_pem());
        std::fs::write(place.join("tls.crt"), certificate).unwrap();
    }
}

struct Site {
    folder: tempfile::TempDir,
    server: Configured,
}

impl Site {
    /// A server under the listener's CA `first`, its administrator enrolled before that.
    fn start(first: &Authority) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let config = place("wardkeep.toml");
        let base = format!(
            "[storage]\ndata = {:?}\nhead = {:?}\naudit_reserve_bytes = 1048576\n[root_key]\nfile = {:?}\n\
             [listen]\napi = \"127.0.0.1:0\"\nenrol = \"127.0.0.1:0\"\nops = \"127.0.0.1:0\"\n",
            place("data"),
            place("head/head"),
            place("root.key")
        );
        std::fs::write(&config, &base).unwrap();
        let made = run(&["server", "init", "--config", text(&config), "--output", "json"]);
        let made: Value = serde_json::from_str(&stdout(&made)).unwrap();
        let server = Configured::start(&config);
        let dir = place("admin");
        let args = ["cert", "enroll", "--address", &server.enrol, "--token", "-", "--dir", text(&dir)];
        assert_eq!(code(&run_with(&args, made["token"].as_str().unwrap().as_bytes(), &[])), 0);
        drop(server);
        first.issue(folder.path());
        let tls = format!("[tls]\ncertificate_file = {:?}\nkey_file = {:?}\n", place("tls.crt"), place("tls.key"));
        std::fs::write(&config, format!("{base}{tls}")).unwrap();
        let server = Configured::start(&config);
        Self { folder, server }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exit code of a call that believes this CA; every call is a connection of its own.
    fn call(&self, ca: &Authority) -> i32 {
        let place = self.place("listener-ca.pem");
        std::fs::write(&place, &ca.pem).unwrap();
        let (cert, key) = (self.place("admin/cert.pem"), self.place("admin/key.pem"));
        let variables = [
            ("WARDKEEP_ADDRESS", self.server.api.as_str()),
            ("WARDKEEP_CA", text(&place)),
            ("WARDKEEP_CERT", text(&cert)),
            ("WARDKEEP_KEY", text(&key)),
        ];
        code(&run_with(&["ring", "list"], b"", &variables))
    }

    /// Tells the server, and waits until it has said so and something of this since.
    #[track_caller]
    fn hang_up(&self, word: &str) {
        let before = self.server.said().len();
        for look in 0..1200 {
            if look % 60 == 0 {
                // More than once: one that comes before the reloader listens is let pass.
                signal(&self.server.child, "-HUP");
            }
            let said = self.server.said();
            let new = said.get(before..).unwrap_or_default();
            if new.find("SIGHUP").is_some_and(|at| new[at..].contains(word)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("a minute went by without `{word}`: {}", self.server.said());
    }
}

#[test]
fn a_new_certificate_is_served_and_a_broken_one_keeps_the_old() {
    let (first, second) = (Authority::new(), Authority::new());
    let mut site = Site::start(&first);
    assert_eq!((site.call(&first), site.call(&second)), (0, 2));

    for (name, broken) in [("tls.crt", "rubbish"), ("tls.crt", ""), ("tls.key", "rubbish")] {
        let good = std::fs::read(site.place(name)).unwrap();
        std::fs::write(site.place(name), broken).unwrap();
        site.hang_up("reload refused");
        assert_eq!(site.call(&first), 0, "{name} {broken:?}: the old one is served");
        assert!(site.server.said().contains("stays in force"), "{}", site.server.said());
        std::fs::write(site.place(name), good).unwrap();
        site.hang_up("\"reloaded\"");
    }
    // Half of a pair: a certificate whose key has not come yet.
    let old_key = std::fs::read(site.place("tls.key")).unwrap();
    second.issue(site.folder.path());
    let new_key = std::fs::read(site.place("tls.key")).unwrap();
    std::fs::write(site.place("tls.key"), old_key).unwrap();
    site.hang_up("reload refused");
    assert_eq!((site.call(&first), site.call(&second)), (0, 2), "half a pair");
    std::fs::write(site.place("tls.key"), new_key).unwrap();
    site.hang_up("\"reloaded\"");
    assert_eq!((site.call(&first), site.call(&second)), (2, 0), "the new one, and it alone");
    assert!(site.server.child.try_wait().unwrap().is_none(), "SIGHUP ends nothing");
}

#[test]
fn a_broken_configuration_keeps_what_is_in_force() {
    let ca = Authority::new();
    let site = Site::start(&ca);
    let config = site.place("wardkeep.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    for broken in ["[", "[limits]\nhandshake_milis = 1\n", "[limits]\nhandshake_millis = \"soon\"\n"] {
        std::fs::write(&config, format!("{good}{broken}")).unwrap();
        site.hang_up("reload refused");
        assert_eq!(site.call(&ca), 0, "{broken:?}");
    }
    std::fs::write(&config, format!("{good}[limits]\nhandshake_millis = 4000\n")).unwrap();
    site.hang_up("\"reloaded\"");
    assert_eq!(site.call(&ca), 0);
    let said = site.server.said();
    assert!(said.contains("handshake_milis"), "the log names the key: {said}");
    let wrong = run(&["ring", "list", "--address", &site.server.api]);
    assert!(stderr(&wrong).contains("--ca"), "{}", stderr(&wrong));
}
