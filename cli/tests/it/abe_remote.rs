//! Attribute-based encryption with a server, as scripts call it: each verb, each exit code, and opening when the server
//! has gone.

use std::process::Output;

use serde_json::Value;

use crate::abe::Ground;
use crate::binary::{code, stderr, stdout};
use crate::dev::{Dev, text};

/// What the bundle of `dev` lets its administrator's keys say.
const MINE: &str = r#"user = "User::\"admin\"""#;
const ANAS: &str = r#"user = "User::\"ana\"""#;

/// A server with the authority `dev/abe`, and a folder to work in.
struct Scene {
    dev: Dev,
    ground: Ground,
}

impl Scene {
    fn start() -> Self {
        let (dev, ground) = (Dev::start(), Ground::bare());
        dev.json(&["ring", "create", "dev"]);
        let made = dev.json(&["abe", "authority", "create", "dev/abe"]);
        assert_eq!((made["spec"].as_str(), made["usage"].as_str()), (Some("fabeo-bls12-381"), Some("issue")));
        ground.write("plain", "potassium 4.1 mmol/l");
        Self { dev, ground }
    }

    fn run(&self, args: &[&str]) -> Output {
        self.dev.command_as(&self.dev.admin(), args).current_dir(self.ground.0.path()).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap_or(Value::Null)
    }

    #[track_caller]
    fn refused(&self, expected: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(code(&output), expected, "{args:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
        stderr(&output)
    }

    #[track_caller]
    fn issue(&self, out: &str, more: &[&str]) -> Value {
        self.ok(&[&["abe", "key", "issue", "--key", "dev/abe", "--out", out], more].concat())
    }

    #[track_caller]
    fn seal(&self, policy: &str, out: &str, more: &[&str]) {
        let args = ["abe", "seal", "--key", "dev/abe", "--policy", policy, "--in", "plain", "--out", out];
        self.ok(&[&args, more].concat());
    }
}

fn open<'a>(key: &'a str, input: &'a str, out: &'a str) -> [&'a str; 8] {
    ["abe", "open", "--key-file", key, "--in", input, "--out", out]
}

fn mode(scene: &Scene, name: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(scene.ground.place(name)).unwrap().permissions().mode() & 0o777
}

/// An RSA key pair's files, made by the machine's own tool as a custodian would.
fn custodian(scene: &Scene, name: &str) {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
    use base64::Engine as _;
    let key = PrivateDecryptingKey::generate(KeySize::Rsa3072).unwrap();
    let (private, public): (Pkcs8V1Der<'_>, PublicKeyX509Der<'_>) =
        (key.as_der().unwrap(), key.public_key().as_der().unwrap());
    let pem = |kind: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
    };
    scene.ground.write(&format!("{name}.pem"), pem("PRIVATE KEY", private.as_ref()));
    scene.ground.write(&format!("{name}.pub"), pem("PUBLIC KEY", public.as_ref()));
}

#[test]
fn a_newcomer_seals_with_a_server_and_opens_without() {
    let scene = Scene::start();
    let issued = scene.issue("mine.key", &["--valid-for", "8h"]);
    assert_eq!((issued["serial"].as_u64(), issued["version"].as_u64()), (Some(1), Some(1)));
    assert!(issued["attributes"].as_str().unwrap().contains("admin"), "{issued}");
    assert_eq!(mode(&scene, "mine.key"), 0o600);
    scene.seal(MINE, "mine", &["--context", "visit=7"]);
    scene.seal(ANAS, "anas", &[]);

    // Without a server, and without a word of where one is.
    scene.ground.ok(&open("mine.key", "mine", "opened"));
    assert_eq!(scene.ground.read("opened"), b"potassium 4.1 mmol/l");
    scene.ground.ok(&Ground::open("mine.key", "mine", "opened-by-local"));
    let said = scene.ground.refused(3, &open("mine.key", "anas", "x"));
    assert!(said.contains("ana") && !scene.ground.place("x").exists(), "{said}");
    scene.ground.refused(1, &[&open("mine.key", "mine", "x")[..], &["--context", "visit=8"]].concat());
    scene.ground.ok(&[&open("mine.key", "mine", "y")[..], &["--context", "visit=7"]].concat());
    scene.ground.refused(1, &open("mine.key", "mine", "y"));
    let seen = scene.ground.ok(&["abe", "inspect", "mine.key"]);
    assert_eq!((seen["serial"].as_u64(), seen["version"].as_u64()), (Some(1), Some(1)));

    // What is in force, and what the list says.
    assert_eq!(scene.ok(&["abe", "authority", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(scene.ok(&["abe", "authority", "get", "dev/abe"])["key"], "dev/abe");
    let listed = scene.ok(&["abe", "key", "list", "--key", "dev/abe", "--of", r#"User::"admin""#]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(scene.ok(&["abe", "key", "list", "--of", r#"User::"ana""#]).as_array().unwrap().len(), 0);
}

#[test]
fn revoked_keys_open_nothing_more_with_a_server_or_its_list() {
    let scene = Scene::start();
    scene.issue("one.key", &["--sealed"]);
    scene.issue("other.key", &[]);
    let done = scene.ok(&["abe", "key", "revoke", "--key", "dev/abe", "--serial", "1"]);
    assert_eq!(done["revoked"], 1);
    scene.seal(MINE, "after", &[]);
    assert!(scene.ground.refused(3, &open("one.key", "after", "x")).contains("revocation list"));
    scene.ground.ok(&open("other.key", "after", "opened"));
    scene.seal(MINE, "lenient", &["--without-revocations"]);
    scene.seal(MINE, "timeless", &["--without-time"]);
    scene.ground.ok(&open("one.key", "lenient", "opened-2"));
    scene.ground.ok(&open("one.key", "timeless", "opened-3"));

    // The same off line, with what was fetched before.
    let shown = scene.ok(&["abe", "authority", "parameters", "--key", "dev/abe", "--out", "parameters"]);
    let list = scene.ok(&["abe", "revocations", "--key", "dev/abe", "--out", "list"]);
    assert_eq!((list["number"].as_u64(), list["revoked"].as_u64()), (Some(1), Some(1)));
    let local = ["abe", "local", "seal", "--parameters", "parameters", "--revocations", "list", "--policy", MINE];
    scene.ground.ok(&[&local[..], &["--in", "plain", "--out", "local"]].concat());
    scene.ground.refused(3, &open("one.key", "local", "x"));
    scene.ground.ok(&open("other.key", "local", "opened-4"));

    // A signing key that is not the authority's: the server is not what it should be.
    let right = shown["signing_key"].as_str().unwrap();
    let wrong = "0".repeat(64);
    for verb in [
        &["abe", "authority", "parameters", "--key", "dev/abe", "--out", "x"][..],
        &["abe", "revocations", "--key", "dev/abe", "--out", "x"],
        &["abe", "key", "issue", "--key", "dev/abe", "--out", "x"],
        &["abe", "seal", "--key", "dev/abe", "--policy", MINE, "--in", "plain", "--out", "x"],
    ] {
        let said = scene.refused(2, &[verb, &["--signing-key", &wrong]].concat());
        assert!(said.contains("pinned") && said.contains(right) && !scene.ground.place("x").exists(), "{said}");
    }
    scene.seal(MINE, "pinned", &["--signing-key", right]);
    // Everything of a holder, of every version.
    scene.ok(&["abe", "authority", "rotate", "dev/abe"]);
    let all = scene.ok(&["abe", "key", "revoke", "--key", "dev/abe", "--of", r#"User::"admin""#]);
    assert!(all["revoked"].as_u64().unwrap() >= 1, "{all}");
    scene.seal(MINE, "second", &[]);
    let said = scene.ground.refused(1, &open("other.key", "second", "x"));
    assert!(said.contains("version 2") && said.contains("version 1"), "{said}");
}

#[test]
fn attributes_and_a_decision_of_the_server() {
    let scene = Scene::start();
    scene.ok(&["key", "create", "dev/wrap", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    scene.issue("mine.key", &[]);
    scene.seal(MINE, "both", &["--require-online", "dev/wrap"]);
    let said = scene.ground.refused(1, &open("mine.key", "both", "x"));
    assert!(said.contains("WARDKEEP_ADDRESS"), "the server has to be asked: {said}");
    scene.ok(&open("mine.key", "both", "opened"));
    assert_eq!(scene.ground.read("opened"), b"potassium 4.1 mmol/l");
    scene.ok(&["key", "suspend", "dev/wrap"]);
    scene.refused(2, &open("mine.key", "both", "x"));
    scene.refused(
        2,
        &[
            "abe",
            "seal",
            "--key",
            "dev/abe",
            "--policy",
            MINE,
            "--in",
            "plain",
            "--out",
            "x",
            "--require-online",
            "dev/none",
        ],
    );
    assert!(!scene.ground.place("x").exists());
}

#[test]
fn exit_codes_tell_a_denial_from_a_mistake_and_from_the_server() {
    let scene = Scene::start();
    scene.issue("mine.key", &[]);
    let seal = |policy: &'static str, more: &[&'static str]| {
        [&["abe", "seal", "--policy", policy, "--in", "plain", "--out", "x"][..], more].concat()
    };
    let said = scene.refused(1, &seal("role = doctor and", &["--key", "dev/abe"]));
    assert!(said.contains('^') && said.contains("role = doctor and"), "{said}");
    scene.refused(2, &seal(MINE, &["--key", "dev/none"]));
    scene.refused(2, &seal(MINE, &["--key", "dev/abe", "--address", "https://127.0.0.1:1"]));
    scene.refused(1, &seal(MINE, &["--key", "no-slash"]));
    assert!(!scene.ground.place("x").exists());
    // Nobody acts for who is not there; and a life that is no life.
    let issue = ["abe", "key", "issue", "--key", "dev/abe", "--out", "x"];
    scene.refused(3, &[&issue[..], &["--subject", r#"User::"nobody""#]].concat());
    scene.refused(1, &[&issue[..], &["--valid-for", "soon"]].concat());
    scene.refused(2, &[&issue[..], &["--valid-for", "400d"]].concat());
    scene.refused(2, &[&issue[..], &["--key-version", "2"]].concat());
    scene.refused(1, &["abe", "key", "issue", "--key", "dev/abe", "--out", "mine.key"]);
    assert_eq!(scene.ok(&["abe", "key", "list"]).as_array().unwrap().len(), 1, "a place that is taken costs no serial");
    for bad in [
        &["abe", "key", "revoke", "--key", "dev/abe"][..],
        &["abe", "key", "revoke", "--key", "dev/abe", "--serial", "1", "--of", r#"User::"a""#],
        &["abe", "key", "revoke", "--key", "dev/abe", "--key-version", "1", "--of", r#"User::"a""#],
        &["abe", "authority", "escrow", "--key", "dev/abe", "--threshold", "1", "--shares", "2", "--dir", "d"],
        &["abe", "authority", "escrow", "--key", "dev/abe", "--threshold", "2", "--shares", "17", "--dir", "d"],
        &["abe", "authority", "combine", "--dir", "d"],
        &["abe", "open", "--key-file", "plain", "--in", "plain", "--out", "x"],
        &["abe", "recipient", "get", "nobody"],
    ] {
        scene.refused(1, bad);
    }
    scene.refused(2, &["abe", "recipient", "get", r#"User::"nobody""#]);
}

#[test]
fn shares_make_a_folder_that_issues() {
    let scene = Scene::start();
    for name in ["ida", "jan", "kim"] {
        custodian(&scene, name);
    }
    scene.issue("mine.key", &[]);
    scene.ok(&["abe", "key", "revoke", "--key", "dev/abe", "--serial", "1"]);
    scene.ok(&["abe", "revocations", "--key", "dev/abe", "--out", "list"]);
    let escrow = ["abe", "authority", "escrow", "--key", "dev/abe", "--threshold", "2", "--shares", "3"];
    let recipients = ["--recipient", "ida.pub", "--recipient", "jan.pub", "--recipient", "kim.pub"];
    let shares = scene.ok(&[&escrow[..], &recipients, &["--dir", "sealed"]].concat());
    assert_eq!(shares.as_array().unwrap().len(), 3);
    scene.ok(&[&escrow[..], &["--dir", "plain-shares"]].concat());
    assert_eq!(mode(&scene, "plain-shares/share-2"), 0o600);
    scene.refused(1, &[&escrow[..], &["--dir", "plain-shares"]].concat());

    let combine = ["abe", "authority", "combine", "--dir"];
    let of = |dir: &'static str, rest: &[&'static str]| [&combine[..], &[dir], rest].concat();
    // Too few; without the key; one of another escrow; the same twice; what is no share.
    for rest in [
        &["plain-shares/share-1"][..],
        &["sealed/share-1", "sealed/share-2"],
        &["sealed/share-1", "sealed/share-2", "--private-key", "ida.pem"],
        &["plain-shares/share-1", "sealed/share-2", "--private-key", "jan.pem"],
        &["plain-shares/share-1", "plain-shares/share-1"],
        &["plain-shares/share-1", "plain"],
    ] {
        scene.ground.refused(1, &of("none", rest));
        assert!(!scene.ground.place("none/authority.key").exists(), "{rest:?}");
    }
    let keys = ["--private-key", "ida.pem", "--private-key", "kim.pem", "--revocations", "list"];
    let made = scene.ground.ok(&of("back", &[&["sealed/share-3", "sealed/share-1"][..], &keys].concat()));
    assert_eq!((made["key"].as_str(), made["version"].as_u64()), (Some("dev/abe"), Some(1)));
    assert_eq!(mode(&scene, "back/authority.key"), 0o600);

    // It issues keys that open what is sealed with the server; no serial, for the service may have given any of them.
    let issue = ["abe", "local", "issue", "--dir", "back", "--attributes", MINE, "--days", "1", "--out"];
    scene.ground.ok(&[&issue[..], &["back.key"]].concat());
    scene.seal(MINE, "sealed-file", &["--without-revocations"]);
    scene.ground.ok(&open("back.key", "sealed-file", "opened"));
    let said = scene.ground.refused(1, &[&issue[..], &["numbered.key", "--serial", "auto"]].concat());
    assert!(said.contains("rotate"), "{said}");
    // What was revoked stays revoked, and list numbers go on.
    let list = scene.ground.ok(&["abe", "local", "revocations", "--dir", "back", "--out", "list-2"]);
    assert_eq!((list["number"].as_u64(), list["revoked"].as_u64()), (Some(2), Some(1)));
    // With a serial that is known to be free.
    let rest = ["plain-shares/share-2", "plain-shares/share-3", "--next-serial", "7"];
    assert_eq!(code(&scene.ground.run(&of("free", &rest))), 0);
    let issue =
        ["abe", "local", "issue", "--dir", "free", "--attributes", MINE, "--out", "free.key", "--serial", "auto"];
    assert_eq!(scene.ground.ok(&issue)["serial"], 7);
    scene.ground.refused(1, &of("free", &rest));
}

#[test]
fn a_registered_key_is_put_shown_and_removed_and_sealed_keys_are_opened() {
    let scene = Scene::start();
    custodian(&scene, "ana");
    let ana = r#"User::"ana""#;
    scene.refused(2, &["abe", "recipient", "put", ana, "--recipient", "ana.pub"]);
    scene.ground.write("ana.json", r#"[{"uid":{"type":"User","id":"ana"},"attrs":{},"parents":[],"tags":{}}]"#);
    scene.ok(&["entity", "put", text(&scene.ground.place("ana.json"))]);
    let put = scene.ok(&["abe", "recipient", "put", ana, "--recipient", "ana.pub"]);
    assert_eq!(scene.ok(&["abe", "recipient", "get", ana])["fingerprint"], put["fingerprint"]);
    scene.refused(1, &["abe", "recipient", "put", ana, "--recipient", "plain"]);
    scene.ok(&["abe", "recipient", "delete", ana]);
    scene.refused(2, &["abe", "recipient", "get", ana]);

    // A key for oneself, sealed for a private key of one's own.
    scene.issue("mine.key", &["--private-key", "ana.pem"]);
    scene.seal(MINE, "mine", &[]);
    scene.ground.ok(&open("mine.key", "mine", "opened"));
    let protected = ["encrypt", "plain", "--policy", "a = b", "--parameters"];
    scene.ok(&["abe", "authority", "parameters", "--key", "dev/abe", "--out", "parameters"]);
    scene.ground.ok(&[&protected[..], &["parameters", "--to", "no-key"]].concat());
    let unseal = ["abe", "key", "unseal", "--in", "no-key", "--private-key", "ana.pem", "--out", "x"];
    scene.ground.refused(1, &unseal);
    assert!(!text(&scene.ground.place("x")).is_empty() && !scene.ground.place("x").exists());
}
