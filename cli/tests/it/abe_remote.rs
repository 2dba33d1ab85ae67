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
const ANA: &str = r#"User::"ana""#;
/// Ana may have keys, and the administrator may have them issued for her.
const FOR_ANA: &str = r#"
    permit (principal == User::"ana", action == Wardkeep::Action::"IssueUserKey", resource);
    permit (principal == User::"admin", action == Wardkeep::Action::"IssueUserKeyFor", resource);
    permit (principal == User::"admin", action == Wardkeep::Action::"actFor", resource == User::"ana");
"#;

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

fn set_mode(scene: &Scene, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(scene.ground.place(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

/// An RSA key pair's files, in the forms that `openssl genpkey` and `openssl pkey -pubout` write.
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
    set_mode(scene, &format!("{name}.pem"), 0o600);
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

    // Each replaces its own kind, and nothing else without `--force`.
    for (verb, other) in [(&["abe", "authority", "parameters"][..], "list"), (&["abe", "revocations"], "parameters")] {
        let own = if other == "list" { "parameters" } else { "list" };
        let fetch = |out: &'static str| [verb, &["--key", "dev/abe", "--out", out]].concat();
        scene.ok(&fetch(own));
        let before = (scene.ground.read(other), scene.ground.read("one.key"));
        assert!(scene.refused(1, &fetch(other)).contains("--force"));
        assert!(scene.refused(1, &fetch("one.key")).contains("--force"));
        assert_eq!((scene.ground.read(other), scene.ground.read("one.key")), before);
    }
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
    scene.seal(MINE, "both", &["--online-key", "dev/wrap"]);
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
}

#[test]
fn what_cannot_be_issued_or_exported_is_refused_before_it_costs_anything() {
    let scene = Scene::start();
    scene.issue("mine.key", &[]);
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
        &[
            "abe",
            "authority",
            "escrow",
            "--key",
            "dev/abe",
            "--threshold",
            "1",
            "--shares",
            "2",
            "--dir",
            "d",
            "--plain",
        ],
        &[
            "abe",
            "authority",
            "escrow",
            "--key",
            "dev/abe",
            "--threshold",
            "2",
            "--shares",
            "17",
            "--dir",
            "d",
            "--plain",
        ],
        &[
            "abe",
            "authority",
            "escrow",
            "--key",
            "dev/abe",
            "--threshold",
            "3",
            "--shares",
            "2",
            "--dir",
            "d",
            "--plain",
        ],
        &["abe", "authority", "combine", "--dir", "d"],
        &["abe", "open", "--key-file", "plain", "--in", "plain", "--out", "x"],
        &["abe", "recipient", "get", "nobody"],
    ] {
        scene.refused(1, bad);
    }
    let few = ["abe", "authority", "escrow", "--key", "dev/abe", "--threshold", "2", "--shares", "3", "--dir", "d"];
    assert!(scene.refused(1, &[&few[..], &["--recipient", "plain"]].concat()).contains("1 recipients for 3 shares"));
    assert!(!scene.ground.place("d").exists(), "nothing was asked, nothing made");
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
    // In the clear on purpose alone.
    scene.refused(1, &[&escrow[..], &["--dir", "plain-shares"]].concat());
    scene.refused(1, &[&escrow[..], &recipients, &["--plain", "--dir", "plain-shares"]].concat());
    assert!(!scene.ground.place("plain-shares").exists());
    scene.ok(&[&escrow[..], &["--plain", "--dir", "plain-shares"]].concat());
    assert_eq!(mode(&scene, "plain-shares/share-2"), 0o600);
    scene.refused(1, &[&escrow[..], &["--plain", "--dir", "plain-shares"]].concat());

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
    // A key that the service issued, and that this folder has never seen.
    scene.issue("other.key", &[]);
    scene.seal(MINE, "before", &["--without-revocations"]);
    scene.ground.ok(&["abe", "local", "revoke", "--dir", "back", "--serial", "2"]);
    let list = scene.ground.ok(&["abe", "local", "revocations", "--dir", "back", "--out", "list-3"]);
    assert_eq!((list["number"].as_u64(), list["revoked"].as_u64()), (Some(3), Some(2)));
    let seal = ["abe", "local", "seal", "--dir", "back", "--policy", MINE, "--in", "plain", "--out", "after"];
    scene.ground.ok(&[&seal[..], &["--revocations", "list-3"]].concat());
    assert!(scene.ground.refused(3, &open("other.key", "after", "x")).contains("revocation list 3"));
    scene.ground.ok(&open("other.key", "before", "still-open"));
    // With a serial that is known to be free; what lies beyond it was given to nobody.
    let rest = ["plain-shares/share-2", "plain-shares/share-3", "--next-serial", "7"];
    assert_eq!(code(&scene.ground.run(&of("free", &rest))), 0);
    let issue =
        ["abe", "local", "issue", "--dir", "free", "--attributes", MINE, "--out", "free.key", "--serial", "auto"];
    assert_eq!(scene.ground.ok(&issue)["serial"], 7);
    scene.ground.ok(&["abe", "local", "revoke", "--dir", "free", "--serial", "2,6,7"]);
    let said = scene.ground.refused(1, &["abe", "local", "revoke", "--dir", "free", "--serial", "8"]);
    assert!(said.contains("serial 8 was never given"), "{said}");
    scene.ground.refused(1, &of("free", &rest));
}

/// An entity for Ana, and her public key registered where `register`.
fn ana(scene: &Scene, register: bool) {
    scene.ground.write("ana.json", r#"[{"uid":{"type":"User","id":"ana"},"attrs":{},"parents":[],"tags":{}}]"#);
    scene.ok(&["entity", "put", text(&scene.ground.place("ana.json"))]);
    custodian(scene, "ana");
    if register {
        scene.ok(&["abe", "recipient", "put", ANA, "--recipient", "ana.pub"]);
    }
}

#[test]
fn a_registered_key_is_put_shown_and_removed() {
    let scene = Scene::start();
    custodian(&scene, "early");
    scene.refused(2, &["abe", "recipient", "put", ANA, "--recipient", "early.pub"]);
    ana(&scene, false);
    let put = scene.ok(&["abe", "recipient", "put", ANA, "--recipient", "ana.pub"]);
    assert_eq!(scene.ok(&["abe", "recipient", "get", ANA])["fingerprint"], put["fingerprint"]);
    scene.refused(1, &["abe", "recipient", "put", ANA, "--recipient", "plain"]);
    scene.ok(&["abe", "recipient", "delete", ANA]);
    scene.refused(2, &["abe", "recipient", "get", ANA]);
}

#[test]
fn a_key_for_somebody_else_is_opened_by_them_alone() {
    let scene = Scene::start();
    scene.dev.json(&["policy", "load", text(&scene.dev.bundle("bundle", "", "", FOR_ANA)), "--activate"]);
    ana(&scene, true);
    custodian(&scene, "jan");
    let issued = scene.issue("for-ana", &["--subject", ANA]);
    let registered = scene.ok(&["abe", "recipient", "get", ANA]);
    assert_eq!((&issued["sealed_for"], &issued["serial"]), (&registered["fingerprint"], &1.into()));
    assert!(issued["attributes"].as_str().unwrap().contains("ana"), "{issued}");
    scene.seal(ANAS, "anas", &[]);
    // What whoever asked for it holds, is no key.
    scene.ground.refused(1, &open("for-ana", "anas", "x"));

    let shown = scene.ok(&["abe", "authority", "parameters", "--key", "dev/abe", "--out", "parameters"]);
    let (right, wrong) = (shown["signing_key"].as_str().unwrap(), "0".repeat(64));
    let unseal = |key: &'static str, more: &[&str]| {
        let args = ["abe", "key", "unseal", "--in", "for-ana", "--private-key", key, "--out", "x"];
        scene.ground.run(&[&args, more].concat())
    };
    for refused in [unseal("jan.pem", &[]), unseal("ana.pem", &["--signing-key", &wrong])] {
        assert!(code(&refused) == 1 && !scene.ground.place("x").exists(), "{}", stderr(&refused));
    }
    // A private key that others can read, or in another form, with the remedy.
    set_mode(&scene, "ana.pem", 0o640);
    let said = stderr(&unseal("ana.pem", &[]));
    assert!(said.contains("ana.pem") && said.contains("chmod 600"), "{said}");
    set_mode(&scene, "ana.pem", 0o600);
    scene.ground.write("other.pem", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
    set_mode(&scene, "other.pem", 0o600);
    let said = stderr(&unseal("other.pem", &[]));
    assert!(said.contains("other.pem") && said.contains("openssl pkcs8 -topk8"), "{said}");

    let opened = unseal("ana.pem", &["--signing-key", right]);
    assert_eq!(code(&opened), 0, "{}", stderr(&opened));
    assert_eq!(mode(&scene, "x"), 0o600);
    scene.ground.ok(&open("x", "anas", "opened"));
    assert_eq!(scene.ground.read("opened"), b"potassium 4.1 mmol/l");
    scene.seal(MINE, "mine", &[]);
    scene.ground.refused(3, &open("x", "mine", "y"));
    // An envelope that holds no user key.
    let protected = ["encrypt", "plain", "--policy", "a = b", "--parameters", "parameters", "--to", "no-key"];
    scene.ground.ok(&protected);
    scene.ground.refused(1, &["abe", "key", "unseal", "--in", "no-key", "--private-key", "ana.pem", "--out", "y"]);
    assert!(!scene.ground.place("y").exists());

    // What cannot be done for another is not passed over in silence.
    let issue = ["abe", "key", "issue", "--key", "dev/abe", "--out", "y", "--subject", ANA];
    scene.refused(1, &[&issue[..], &["--sealed"]].concat());
    scene.refused(1, &[&issue[..], &["--private-key", "jan.pem"]].concat());
    assert!(scene.refused(2, &[&issue[..], &["--signing-key", &wrong]].concat()).contains("pinned"));
    assert_eq!(scene.ok(&["abe", "key", "list"]).as_array().unwrap().len(), 1, "none of them cost a serial");
}

#[test]
fn a_key_for_oneself_comes_as_it_was_asked_for() {
    let scene = Scene::start();
    custodian(&scene, "own");
    scene.seal(MINE, "mine", &[]);
    scene.issue("by-own", &["--private-key", "own.pem"]);
    scene.issue("by-passing", &["--sealed"]);
    // Named as the subject, as a variable of the shell may, one is still oneself.
    let issued = scene.issue("by-name", &["--subject", r#"User::"admin""#]);
    assert!(issued.get("sealed_for").is_none(), "{issued}");
    for (name, out) in [("by-own", "1"), ("by-passing", "2"), ("by-name", "3")] {
        assert_eq!(mode(&scene, name), 0o600);
        scene.ground.ok(&open(name, "mine", out));
    }
}

#[test]
fn serials_of_several_versions_are_not_mistaken_for_one_another() {
    let scene = Scene::start();
    scene.issue("old.key", &[]);
    let revoke = ["abe", "key", "revoke", "--key", "dev/abe", "--serial", "1"];
    scene.ok(&["abe", "authority", "rotate", "dev/abe"]);
    scene.issue("new.key", &[]);
    let said = scene.refused(1, &revoke);
    assert!(said.contains("--key-version") && said.contains("2 versions"), "{said}");
    let listed = scene.ok(&["abe", "key", "list"]);
    assert!(listed.as_array().unwrap().iter().all(|key| key["revoked"].is_null()), "{listed}");
    let done = scene.ok(&[&revoke[..], &["--key-version", "1"]].concat());
    assert_eq!((&done["revoked"], &done["lists"][0]["version"]), (&1.into(), &1.into()));
    let expected = serde_json::json!([{"version": 1, "serial": 1, "holder": r#"User::"admin""#}]);
    assert_eq!(done["keys"], expected);
    scene.seal(MINE, "sealed", &[]);
    scene.ground.ok(&open("new.key", "sealed", "opened"));
}

#[test]
fn an_authority_s_declarations_explain_a_policy() {
    let scene = Scene::start();
    let explain = ["abe", "explain", "--authority", "dev/abe", "--policy"];
    assert_eq!(scene.ok(&[&explain[..], &[MINE, "--attributes", MINE]].concat())["satisfied"], true);
    scene.refused(3, &[&explain[..], &[ANAS, "--attributes", MINE]].concat());
    scene.refused(1, &[&explain[..], &["role = "]].concat());
    scene.refused(1, &[&explain[..], &[MINE, "--schema", "plain"]].concat());
    scene.refused(2, &["abe", "explain", "--authority", "dev/none", "--policy", MINE]);
}
