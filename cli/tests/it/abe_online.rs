//! Policies beside the key service: `encrypt --policy` with and without `--key`, `decrypt --abe-key`.

use std::process::{Output, Stdio};

use crate::abe::Ground;
use crate::binary::{code, stderr};
use crate::dev::{Dev, text};

/// A server with a key, and an authority in files with a doctor's and a nurse's key.
struct Both {
    dev: Dev,
    ground: Ground,
}

impl Both {
    fn start() -> Self {
        let dev = Dev::start();
        dev.json(&["ring", "create", "notes"]);
        dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
        let ground = Ground::new();
        ground.issue("role = doctor", "doctor", &[]);
        ground.issue("role = nurse", "nurse", &[]);
        ground.write("plain", "potassium 4.1 mmol/l");
        Self { dev, ground }
    }

    /// As the administrator of the server.
    fn run(&self, args: &[&str]) -> Output {
        let mut command = self.dev.command_as(&self.dev.admin(), args);
        command.current_dir(self.ground.0.path()).output().unwrap()
    }

    #[track_caller]
    fn encrypt(&self, out: &str, more: &[&str]) {
        let args =
            ["encrypt", "plain", "--policy", "role = doctor", "--parameters", "authority/parameters.wkpp", "--to", out];
        let done = self.run(&[&args[..], more].concat());
        assert_eq!(code(&done), 0, "{}", stderr(&done));
    }
}

#[test]
fn a_policy_alone_asks_no_server() {
    let ground = Ground::new();
    ground.issue("role = doctor", "doctor", &[]);
    ground.issue("role = nurse", "nurse", &[]);
    ground.write("plain", "potassium 4.1 mmol/l");
    let policy = ["--policy", "role = doctor", "--parameters", "authority/parameters.wkpp"];
    ground.ok(&[&["encrypt", "--in", "plain", "--out", "sealed"][..], &policy].concat());
    ground.ok(&["decrypt", "--in", "sealed", "--out", "opened", "--abe-key", "doctor"]);
    assert_eq!(ground.read("opened"), b"potassium 4.1 mmol/l");
    let said = ground.refused(3, &["decrypt", "sealed", "--to", "hers", "--abe-key", "nurse"]);
    assert!(said.contains("role = doctor") && !ground.place("hers").exists(), "{said}");
    // The same files as those of `abe local`, both ways.
    ground.ok(&Ground::open("doctor", "sealed", "again"));
    ground.seal("role = doctor", "local", &["--context", "visit=7"]);
    ground.ok(&["decrypt", "local", "--to", "third", "--abe-key", "doctor"]);
    // The context is asked for where one is named.
    let open = |more: &[&str]| ground.run(&[&Ground::open("doctor", "local", "x")[..], more].concat());
    assert_eq!(code(&open(&["--context", "visit=8"])), 1);
    assert_eq!(code(&open(&["--context", "visit=7"])), 0);
    // Without the key file it is named, whether a server is known or not.
    let said = ground.refused(1, &["decrypt", "sealed", "--to", "never"]);
    assert!(said.contains("--abe-key") && !said.contains("--address"), "{said}");
    // The authority that is meant, by its signing key.
    let shown = ground.ok(&["abe", "inspect", "authority/parameters.wkpp"]);
    let (signer, wrong) = (shown["signing_key"].as_str().unwrap(), "0".repeat(64));
    let local = ["abe", "local", "seal", "--dir", "authority", "--policy", "a = b", "--in", "plain", "--out"];
    let beside = [&["encrypt", "plain"][..], &policy, &["--to"]].concat();
    for (args, out) in [(&beside[..], "p1"), (&local[..], "p2")] {
        let said = ground.refused(1, &[args, &[out, "--signing-key", &wrong]].concat());
        assert!(said.contains(signer) && said.contains(&wrong) && !ground.place(out).exists(), "{said}");
        ground.ok(&[args, &[out, "--signing-key", signer]].concat());
    }
    // What is asked of keys beside their attributes is asked on purpose, or remarked on.
    for (more, remarked) in [(&[][..], true), (&["--not-before", "today"], false)] {
        let done = ground.run(&[&local[..], &["p3", "--force"], more].concat());
        assert_eq!((code(&done), stderr(&done).contains("--revocations")), (0, remarked), "{}", stderr(&done));
    }
    // Flags that need each other.
    for bad in [
        &["encrypt", "plain", "--policy", "a = b"][..],
        &["encrypt", "plain"],
        &["encrypt", "--policy", "a = b", "--parameters", "authority/parameters.wkpp"],
        &["encrypt", "plain", "--policy", "a = b", "--parameters", "authority/parameters.wkpp", "--require-online"],
        &["decrypt", "--abe-key", "doctor"],
        // A policy that was forgotten: nothing is sealed without it.
        &["encrypt", "plain", "--key", "a/b", "--parameters", "authority/parameters.wkpp"],
        &["encrypt", "plain", "--key", "a/b", "--revocations", "list"],
        &["encrypt", "plain", "--key", "a/b", "--not-before", "today"],
        &["encrypt", "plain", "--key", "a/b", "--signing-key", signer],
    ] {
        ground.refused(1, bad);
    }
}

#[test]
fn either_opens_unless_both_are_asked_for() {
    let both = Both::start();
    both.encrypt("either", &["--key", "notes/first"]);
    both.encrypt("both", &["--key", "notes/first", "--require-online"]);

    // Either: the server alone, and the doctor off line.
    assert_eq!(code(&both.run(&["decrypt", "either", "--to", "by-server"])), 0);
    both.ground.ok(&["decrypt", "either", "--to", "by-doctor", "--abe-key", "doctor"]);
    both.ground.ok(&Ground::open("doctor", "either", "by-doctor-2"));
    both.ground.refused(3, &["decrypt", "either", "--to", "x", "--abe-key", "nurse"]);

    // Both: neither alone.
    let asked = || {
        let all = both.dev.json(&["audit", "list"]);
        all.as_array().unwrap().iter().filter(|record| record.to_string().contains("UnwrapDataKey")).count()
    };
    let before = asked();
    let server_alone = both.run(&["decrypt", "both", "--to", "x"]);
    assert!(code(&server_alone) == 1 && stderr(&server_alone).contains("--abe-key"), "{}", stderr(&server_alone));
    // A name that is taken costs no decision either.
    let taken = both.run(&["decrypt", "both", "--to", "by-server", "--abe-key", "doctor"]);
    assert!(code(&taken) == 1 && stderr(&taken).contains("--force"), "{}", stderr(&taken));
    assert_eq!(asked(), before, "no data key was released for nothing");
    assert!(both.ground.refused(1, &Ground::open("doctor", "both", "x")).contains("decision of the key service"));
    let said = both.ground.refused(1, &["decrypt", "both", "--to", "x", "--abe-key", "doctor"]);
    assert!(said.contains("WARDKEEP_ADDRESS"), "the server has to be asked: {said}");
    let together = both.run(&["decrypt", "both", "--to", "together", "--abe-key", "doctor"]);
    assert_eq!(code(&together), 0, "{}", stderr(&together));
    for name in ["by-server", "by-doctor", "by-doctor-2", "together"] {
        assert_eq!(both.ground.read(name), b"potassium 4.1 mmol/l", "{name}");
    }
    // Who lacks the attributes is told so, and the server is not even asked: the log shows no further unwrapping.
    let before = asked();
    let nurse = both.run(&["decrypt", "both", "--to", "x", "--abe-key", "nurse"]);
    assert_eq!((code(&nurse), asked()), (3, before), "{}", stderr(&nurse));
    assert!(!both.ground.place("x").exists());

    // On-line revocation: the key is suspended, and the doctor is shut out at once; the alternative is not.
    both.dev.json(&["key", "suspend", "notes/first"]);
    let refused = both.run(&["decrypt", "both", "--to", "x", "--abe-key", "doctor"]);
    assert!(code(&refused) != 0 && !both.ground.place("x").exists(), "{}", stderr(&refused));
    both.ground.ok(&["decrypt", "either", "--to", "still", "--abe-key", "doctor"]);
    let shown = both.ground.ok(&["abe", "inspect", text(&both.ground.place("both"))]);
    assert_eq!(shown["opened_by_any_of"][0]["by"], "all-of");
    assert_eq!(shown["opened_by_any_of"][0]["parts"][1]["key"], "notes/first");
}

#[test]
fn standard_streams_are_a_dash_with_a_key_of_the_server_too() {
    let both = Both::start();
    let pass = |args: &[&str], input: &[u8]| {
        use std::io::Write as _;
        let mut command = both.dev.command_as(&both.dev.admin(), args);
        command.current_dir(both.ground.0.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    };
    let sealed = pass(&["encrypt", "-", "--key", "notes/first", "--to", "-"], b"potassium 4.1 mmol/l");
    assert_eq!(code(&sealed), 0, "{}", stderr(&sealed));
    let opened = pass(&["decrypt", "-", "--to", "-"], &sealed.stdout);
    assert_eq!((code(&opened), opened.stdout.as_slice()), (0, &b"potassium 4.1 mmol/l"[..]), "{}", stderr(&opened));
    for verb in [&["encrypt", "-", "--key", "notes/first"][..], &["decrypt", "-"]] {
        let nameless = pass(verb, &[]);
        assert!(code(&nameless) == 1 && stderr(&nameless).contains("--to"), "{}", stderr(&nameless));
    }
}
