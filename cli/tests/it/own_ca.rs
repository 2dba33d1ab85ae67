//! With a CA of the operator's own: who initialises and who recovers gets no token, but is told what to have issued, and
//! a certificate from before a recovery is not the new administrator's.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::Value;

use crate::binary::{code, run, run_with, stderr, stdout};
use crate::configured::{Configured, write_key};
use crate::dev::text;

struct Site {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).unwrap().pem();
        let site = Self { folder, issuer: Issuer::new(params, key) };
        std::fs::write(site.place("ca.pem"), pem).unwrap();
        let mut listener = CertificateParams::default();
        listener.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        site.sign("tls", listener);
        let toml = format!(
            "[storage]\ndata = {:?}\nhead = {:?}\naudit_reserve_bytes = 1048576\n[root_key]\nfile = {:?}\n\
             [listen]\napi = \"127.0.0.1:0\"\nops = \"127.0.0.1:0\"\n\
             [tls]\ncertificate_file = {:?}\nkey_file = {:?}\n[ca]\ncertificate_file = {:?}\nrevocation = \"short-lived\"\n",
            site.place("data"),
            site.place("head/head"),
            site.place("root.key"),
            site.place("tls/cert.pem"),
            site.place("tls/key.pem"),
            site.place("ca.pem"),
        );
        std::fs::write(site.config(), toml).unwrap();
        site
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.place("wardkeep.toml")
    }

    fn sign(&self, name: &str, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        std::fs::create_dir_all(self.place(name)).unwrap();
        std::fs::write(self.place(name).join("cert.pem"), params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        write_key(&self.place(name).join("key.pem"), &key.serialize_pem());
        std::fs::copy(self.place("ca.pem"), self.place(name).join("ca.pem")).unwrap();
    }

    /// A certificate for an administrator whose life begins now.
    fn issue(&self, folder: &str, identity: &str) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(identity.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        #[expect(clippy::disallowed_methods, reason = "a CA of the test's own looks at the real clock")]
        let now = SystemTime::now();
        params.not_before = now.into();
        params.not_after = (now + Duration::from_secs(12 * 3600)).into();
        self.sign(folder, params);
    }

    fn call(&self, server: &Configured, folder: &str) -> std::process::Output {
        let file = |name: &str| self.place(folder).join(name).display().to_string();
        let (ca, cert, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
        let variables = [
            ("WARDKEEP_ADDRESS", &*server.api),
            ("WARDKEEP_CA", &ca),
            ("WARDKEEP_CERT", &cert),
            ("WARDKEEP_KEY", &key),
        ];
        run_with(&["role", "list"], b"", &variables)
    }
}

fn next_of(output: &std::process::Output) -> (String, String) {
    assert_eq!(code(output), 0, "nothing failed: {}", stderr(output));
    let made: Value = serde_json::from_str(&stdout(output)).unwrap();
    assert!(made.get("token").is_none() && made.get("expires").is_none(), "{made}");
    (made["administrator"].as_str().unwrap().to_owned(), made["next"].as_str().unwrap().to_owned())
}

fn start(config: &Path) -> Configured {
    Configured::start(config)
}

#[test]
fn initialising_and_recovering_say_what_to_have_issued() {
    let site = Site::new();
    let config = site.config();
    let (first, next) = next_of(&run(&["server", "init", "--config", text(&config), "--output", "json"]));
    assert_eq!(first, "spiffe://wardkeep.internal/user/first");
    assert!(next.contains(&first) && !next.contains("newer"), "{next}");
    site.issue("first", &first);
    // Somebody of the name that the next administrator will have, once.
    site.issue("former", "spiffe://wardkeep.internal/user/second");
    let server = start(&config);
    let listed = site.call(&server, "first");
    assert_eq!(code(&listed), 0, "{}", stderr(&listed));
    assert_eq!(code(&site.call(&server, "former")), 3, "nobody yet");
    drop(server);

    // Certificates count whole seconds: the recovery is of a later one.
    std::thread::sleep(Duration::from_millis(2100));
    let recover = ["recover", "--config", text(&config), "--administrator", "second", "--output", "json"];
    let (second, next) = next_of(&run(&recover));
    assert!(next.contains(&second) && next.contains("newer than this recovery"), "{next}");
    std::thread::sleep(Duration::from_millis(2100));
    site.issue("second", &second);
    let server = start(&config);
    let refused = site.call(&server, "former");
    assert_eq!(code(&refused), 2, "what was issued before is revoked: {}", stderr(&refused));
    let listed = site.call(&server, "second");
    assert_eq!(code(&listed), 0, "{}", stderr(&listed));
}
