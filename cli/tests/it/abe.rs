//! `wardkeep abe local` and its neighbours, as scripts call them: each verb, each exit code.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::binary::{code, command, stderr, stdout};

/// A folder to work in, with an authority in its `authority`.
pub(crate) struct Ground(pub(crate) tempfile::TempDir);

impl Ground {
    /// Without an authority.
    pub(crate) fn bare() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn new() -> Self {
        let ground = Self::bare();
        ground.ok(&["abe", "local", "setup", "--dir", "authority"]);
        ground
    }

    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.place(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.place(name)).unwrap()
    }

    /// Runs a command in the folder.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let mut command = command();
        command.args(args).current_dir(self.0.path()).env("WARDKEEP_OUTPUT", "json").stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Runs one that has to succeed; its answer.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        let answer = stdout(&output);
        if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }
    }

    /// Runs one that has to end so, without a panic; what it said.
    #[track_caller]
    pub(crate) fn refused(&self, expected: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = stderr(&output);
        assert_eq!(code(&output), expected, "{args:?}: {said}");
        assert!(!said.contains("panicked") && !said.is_empty(), "{said}");
        said
    }

    #[track_caller]
    pub(crate) fn issue(&self, attributes: &str, out: &str, more: &[&str]) -> Value {
        let args = ["abe", "local", "issue", "--dir", "authority", "--attributes", attributes, "--out", out];
        self.ok(&[&args, more].concat())
    }

    /// Seals the file `plain`.
    #[track_caller]
    pub(crate) fn seal(&self, policy: &str, out: &str, more: &[&str]) -> Value {
        let args = ["abe", "local", "seal", "--dir", "authority", "--policy", policy, "--in", "plain", "--out", out];
        self.ok(&[&args, more].concat())
    }

    pub(crate) fn open<'a>(key: &'a str, input: &'a str, out: &'a str) -> [&'a str; 9] {
        ["abe", "local", "open", "--key", key, "--in", input, "--out", out]
    }
}

#[test]
fn five_commands_from_nothing_to_an_opened_file() {
    let ground = Ground::bare();
    ground.write("plain", "potassium 4.1 mmol/l");
    let made = ground.ok(&["abe", "local", "setup", "--dir", "authority", "--name", "clinic"]);
    assert_eq!((made["name"].as_str(), made["version"].as_u64()), (Some("clinic"), Some(1)));
    let key = ground.issue("role = doctor, level = 3", "doctor.key", &[]);
    assert_eq!((&key["valid_until"], &key["serial"]), (&Value::Null, &Value::Null));
    ground.issue("role = nurse, level = 5", "nurse.key", &[]);
    let done = ground.seal("role = doctor and level >= 3", "sealed", &[]);
    assert_eq!(done["bytes"], 20);
    ground.ok(&Ground::open("doctor.key", "sealed", "opened"));
    assert_eq!(ground.read("opened"), b"potassium 4.1 mmol/l");
    // The other reader learns what is missing, and nothing is left behind.
    let said = ground.refused(3, &Ground::open("nurse.key", "sealed", "hers"));
    assert!(said.contains("role = doctor"), "{said}");
    assert!(!ground.place("hers").exists());
    // Public parameters are all that sealing takes.
    let args = ["abe", "local", "seal", "--parameters", "authority/parameters.wkpp", "--policy", "role = nurse"];
    ground.ok(&[&args[..], &["--in", "plain", "--out", "for-nurses"]].concat());
    ground.ok(&Ground::open("nurse.key", "for-nurses", "hers"));
    assert_eq!(ground.read("hers"), b"potassium 4.1 mmol/l");
}

#[test]
fn declarations_are_read_and_their_mistakes_shown_with_their_place() {
    let ground = Ground::bare();
    ground.write("schema", "level: number(8)\ngroups: text set\ndept: enum(a, b) negatable\n");
    ground.write("plain", "x");
    ground.ok(&[
        "abe",
        "local",
        "setup",
        "--dir",
        "authority",
        "--schema",
        "schema",
        "--bucket",
        "hour",
        "--serial-bits",
        "8",
    ]);
    let shown = ground.ok(&["abe", "inspect", "authority/parameters.wkpp"]);
    assert_eq!((&shown["bucket_seconds"], &shown["serial_bits"]), (&3600.into(), &8.into()));
    assert_eq!(shown["declarations"].as_array().unwrap().len(), 3);
    ground.issue("level = 7, groups = [finance, audit], dept = a", "key", &[]);
    ground.seal("groups = audit and level < 9 and dept != b", "sealed", &[]);
    ground.ok(&Ground::open("key", "sealed", "opened"));

    ground.write("broken", "level: number(8)\ndept: enm(a, b)\n");
    let said = ground.refused(1, &["abe", "local", "setup", "--dir", "other", "--schema", "broken"]);
    assert!(said.contains("broken:2:7:") && said.contains("enum") && said.contains('^'), "{said}");
    let args = ["abe", "local", "issue", "--dir", "authority", "--out", "k2", "--attributes"];
    let said = ground.refused(1, &[&args[..], &["level = 256"]].concat());
    assert!(said.contains("255") && said.contains('^'), "{said}");
    let said = ground.refused(1, &[&args[..], &["dept = a, dept = b"]].concat());
    assert!(said.contains("dept") && said.contains('^'), "{said}");
    assert!(!ground.place("k2").exists());
    ground.write("policy", "role = doctor and\nlevel => 3\n");
    let args = ["abe", "local", "seal", "--dir", "authority", "--in", "plain", "--out", "s2", "--policy"];
    let said = ground.refused(1, &[&args[..], &["@policy"]].concat());
    assert!(said.contains("policy:2:7:") && said.contains('^'), "{said}");
    for bad in
        ["", "role", "role = ", "role == x", "not role = x", "0 of (a = b)", "level >= 300", "(", "@no-such-file"]
    {
        ground.refused(1, &[&args[..], &[bad]].concat());
        assert!(!ground.place("s2").exists(), "{bad}");
    }
}

#[test]
fn keys_expire_and_what_was_sealed_earlier_stays_open_to_them() {
    let ground = Ground::new();
    ground.write("plain", "x");
    let key = ground.issue("role = doctor", "short", &["--valid-until", "2030-01-31"]);
    assert_eq!(key["valid_until"], "2030-01-31T23:59:59Z");
    ground.issue("role = doctor", "endless", &[]);
    ground.issue("role = doctor", "days", &["--days", "2"]);
    ground.seal("role = doctor", "same-day", &["--not-before", "2030-01-31"]);
    ground.seal("role = doctor", "day-after", &["--not-before", "2030-02-01"]);
    ground.seal("role = doctor", "today", &["--not-before", "today"]);
    ground.seal("role = doctor", "whenever", &[]);
    for (key, input, expected) in [
        ("short", "same-day", 0),
        ("short", "today", 0),
        ("short", "whenever", 0),
        ("short", "day-after", 3),
        ("days", "today", 0),
        ("days", "day-after", 3),
        ("endless", "whenever", 0),
        // A key that does not expire carries no proof of time at all.
        ("endless", "today", 3),
    ] {
        let out = format!("{key}-{input}");
        let args = Ground::open(key, input, &out);
        if expected == 0 {
            ground.ok(&args);
        } else {
            assert!(ground.refused(expected, &args).contains("validity"), "{out}");
        }
        assert_eq!(ground.place(&out).exists(), expected == 0, "{out}");
    }
    let args =
        ["abe", "local", "issue", "--dir", "authority", "--attributes", "a = b", "--out", "late", "--valid-until"];
    assert!(ground.refused(1, &[&args[..], &["2999-01-01"]].concat()).contains("beyond"));
    ground.refused(1, &[&args[..], &["someday"]].concat());
    // A year is no bucket of 1975.
    for year in ["2026", "20300131"] {
        assert!(ground.refused(1, &[&args[..], &[year]].concat()).contains("bucket:"), "{year}");
    }
    ground.seal("role = doctor", "by-bucket", &["--not-before", "bucket:20780"]);
    assert_eq!(ground.ok(&["abe", "inspect", "by-bucket"])["opened_by_any_of"][0]["not_before_bucket"], 20_780);
    // What ended before it began is issued, for archives, and said to be so.
    let past = ground.run(&[&args[..], &["2020-02-29"]].concat());
    assert!(code(&past) == 0 && stderr(&past).contains("2020-02-29T23:59:59Z, before now"), "{}", stderr(&past));
    let today = ground.run(&[&args[..], &["today", "--force"]].concat());
    assert!(code(&today) == 0 && stderr(&today).is_empty(), "{}", stderr(&today));
}

#[test]
fn a_list_replaces_a_list_and_nothing_else() {
    let ground = Ground::new();
    let args = ["abe", "local", "revocations", "--dir", "authority", "--out"];
    let list = |out: &str, more: &[&str]| ground.run(&[&args[..], &[out], more].concat());
    assert_eq!((code(&list("list", &[])), code(&list("list", &[]))), (0, 0));
    ground.write("letter", "dear all");
    ground.write("empty", "");
    std::os::unix::fs::symlink(ground.place("list"), ground.place("link")).unwrap();
    for other in ["authority/authority.key", "authority/parameters.wkpp", "letter", "empty", "link", "authority"] {
        let before = std::fs::read(ground.place(other)).ok();
        let said = ground.refused(1, &[&args[..], &[other]].concat());
        assert!(said.contains("list of revoked keys") && said.contains("--force"), "{said}");
        assert_eq!(std::fs::read(ground.place(other)).ok(), before, "{other}");
    }
    assert_eq!(code(&list("letter", &["--force"])), 0);
    assert!(ground.read("letter").starts_with(b"WKABERL"));
    let numbers = ground.ok(&["abe", "inspect", "letter", "--parameters", "authority/parameters.wkpp"]);
    assert_eq!(numbers["number"], 3, "a refusal numbers no list");
}

#[test]
fn a_revoked_serial_opens_nothing_sealed_with_the_list() {
    let ground = Ground::new();
    ground.write("plain", "x");
    for (name, serial) in [("one", 0), ("two", 1)] {
        let key = ground.issue("role = doctor", name, &["--days", "30", "--serial", "auto"]);
        assert_eq!(key["serial"], serial);
    }
    ground.seal("role = doctor", "before", &[]);
    let list = |out: &str| ground.ok(&["abe", "local", "revocations", "--dir", "authority", "--out", out]);
    assert_eq!(list("empty.list")["revoked"], 0);
    ground.ok(&["abe", "local", "revoke", "--dir", "authority", "--serial", "1"]);
    let shown = list("revoked.list");
    assert_eq!((&shown["number"], &shown["revoked"]), (&2.into(), &1.into()));
    ground.seal("role = doctor", "empty", &["--revocations", "empty.list"]);
    ground.seal("role = doctor", "after", &["--revocations", "revoked.list"]);
    for (key, input, expected) in
        [("one", "after", 0), ("two", "after", 3), ("two", "before", 0), ("two", "empty", 0), ("one", "empty", 0)]
    {
        let args = Ground::open(key, input, "out");
        if expected == 0 {
            ground.ok(&[&args[..], &["--force"]].concat());
        } else {
            let said = ground.refused(expected, &[&args[..], &["--force"]].concat());
            assert!(said.contains("revocation list 2"), "{said}");
        }
    }
    // A key without a serial, or without an expiry, proves nothing against a list.
    ground.issue("role = doctor", "plain.key", &["--days", "30"]);
    ground.refused(3, &Ground::open("plain.key", "after", "out2"));
    // Serials that were never given, given twice, or beyond the tree.
    let said = ground.refused(1, &["abe", "local", "revoke", "--dir", "authority", "--serial", "0,7"]);
    assert!(said.contains("serial 7"), "{said}");
    assert_eq!(list("third.list")["revoked"], 1, "all of them or none");
    let args = ["abe", "local", "issue", "--dir", "authority", "--attributes", "a = b", "--out", "k", "--serial"];
    assert!(ground.refused(1, &[&args[..], &["1"]].concat()).contains("given already"));
    assert!(ground.refused(1, &[&args[..], &["1048576"]].concat()).contains("tree"));
    assert!(!ground.place("k").exists());
    let shown = ground.ok(&["abe", "inspect", "revoked.list", "--parameters", "authority/parameters.wkpp"]);
    assert_eq!(shown["revoked"], serde_json::json!([1]));
    assert!(ground.refused(1, &["abe", "inspect", "revoked.list"]).contains("--parameters"));
}

#[test]
fn a_folder_whose_master_key_is_elsewhere_keeps_its_ledger() {
    let ground = Ground::new();
    let ledger = || ground.read("authority/serials.json");
    std::fs::rename(ground.place("authority/authority.key"), ground.place("safe")).unwrap();
    // Nothing was numbered yet: there is nothing to lose.
    ground.ok(&["abe", "local", "setup", "--dir", "authority"]);
    ground.issue("role = doctor", "key", &["--serial", "auto"]);
    let before = ledger();
    std::fs::rename(ground.place("authority/authority.key"), ground.place("safe-2")).unwrap();
    let said = ground.refused(1, &["abe", "local", "setup", "--dir", "authority"]);
    assert!(said.contains("serials.json") && said.contains("put that back"), "{said}");
    assert_eq!(ledger(), before);
    // A list alone is a number that must not come twice.
    ground.ok(&["abe", "local", "setup", "--dir", "second"]);
    ground.ok(&["abe", "local", "revocations", "--dir", "second", "--out", "list"]);
    std::fs::remove_file(ground.place("second/authority.key")).unwrap();
    ground.refused(1, &["abe", "local", "setup", "--dir", "second"]);
    std::fs::rename(ground.place("safe-2"), ground.place("authority/authority.key")).unwrap();
    assert_eq!(ground.issue("role = doctor", "key-2", &["--serial", "auto"])["serial"], 1);
}

#[test]
fn a_rotation_begins_anew_and_leaves_the_former_version_whole() {
    let ground = Ground::new();
    ground.write("plain", "x");
    ground.issue("role = doctor", "old.key", &["--serial", "auto", "--days", "9"]);
    ground.seal("role = doctor", "old", &[]);
    ground.write("schema", "role: text set\n");
    let rotated = ground.ok(&["abe", "local", "rotate", "--dir", "authority", "--schema", "schema"]);
    assert_eq!((&rotated["version"], &rotated["former"]), (&2.into(), &"authority/former-1".into()));
    let new = ground.issue("role = [doctor]", "new.key", &["--serial", "auto", "--days", "9"]);
    assert_eq!((&new["version"], &new["serial"]), (&2.into(), &0.into()));
    ground.seal("role = doctor", "new", &[]);
    ground.ok(&Ground::open("old.key", "old", "1"));
    ground.ok(&Ground::open("new.key", "new", "2"));
    for (key, input) in [("old.key", "new"), ("new.key", "old")] {
        let said = ground.refused(1, &Ground::open(key, input, "3"));
        assert!(said.contains("version 1") && said.contains("version 2"), "{said}");
    }
    // What a list of one version says is nothing to the other.
    ground.ok(&["abe", "local", "revocations", "--dir", "authority/former-1", "--out", "former.list"]);
    let args = ["abe", "local", "seal", "--dir", "authority", "--policy", "role = x", "--in", "plain", "--out", "s"];
    assert!(ground.refused(1, &[&args[..], &["--revocations", "former.list"]].concat()).contains("another authority"));
    // The former version goes on where it was.
    let args =
        ["abe", "local", "issue", "--dir", "authority/former-1", "--attributes", "role = doctor", "--out", "late.key"];
    assert_eq!(ground.ok(&[&args[..], &["--serial", "auto"]].concat())["serial"], 1);
    ground.ok(&Ground::open("late.key", "old", "4"));
    assert_eq!(ground.ok(&["abe", "local", "rotate", "--dir", "authority"])["version"], 3);
}

#[test]
fn a_derived_key_opens_less() {
    let ground = Ground::bare();
    ground.write("schema", "groups: text set\n");
    ground.ok(&["abe", "local", "setup", "--dir", "authority", "--schema", "schema"]);
    ground.write("plain", "x");
    ground.issue(
        "role = doctor, dept = heart, groups = [a, b]",
        "parent",
        &["--valid-until", "2040-06-30", "--serial", "auto"],
    );
    let args = ["abe", "local", "delegate", "--key", "parent", "--out", "child", "--without", "dept"];
    let child = ground.ok(&[&args[..], &["--without-value", "groups=b", "--valid-until", "2039-12-31"]].concat());
    assert_eq!(child["attributes"].as_array().unwrap().len(), 2, "{child}");
    assert!(child["valid_until"].as_str().unwrap() <= "2039-12-31T23:59:59Z", "{child}");
    assert_eq!(child["serial"], 0);
    for (policy, expected) in [("role = doctor and groups = a", 0), ("dept = heart", 3), ("groups = b", 3)] {
        ground.seal(policy, "sealed", &["--force"]);
        ground.ok(&[&Ground::open("parent", "sealed", "out")[..], &["--force"]].concat());
        let args = [&Ground::open("child", "sealed", "out")[..], &["--force"]].concat();
        if expected == 0 { drop(ground.ok(&args)) } else { drop(ground.refused(expected, &args)) }
    }
    let args = ["abe", "local", "delegate", "--key", "parent", "--out", "none"];
    for (more, word) in [
        (&["--without", "salary"][..], "salary"),
        (&["--without", "role,dept,groups"], "nothing would be left"),
        (&["--valid-until", "2041-01-01"], "expires earlier"),
        (&["--without-value", "groups=c"], "groups = c"),
    ] {
        let said = ground.refused(1, &[&args[..], more].concat());
        assert!(said.contains(word), "{said}");
    }
    assert!(!ground.place("none").exists());
}

#[test]
fn inspect_shows_every_kind_of_file_and_no_secret() {
    let ground = Ground::new();
    ground.write("plain", "x");
    ground.issue("role = doctor", "key", &["--days", "3", "--serial", "auto"]);
    ground.seal("role = doctor and level >= 3", "sealed", &["--context", "visit=7", "--not-before", "today"]);
    let authority = ground.ok(&["abe", "inspect", "authority/authority.key"]);
    let parameters = ground.ok(&["abe", "inspect", "authority/parameters.wkpp"]);
    assert_eq!((&authority["kind"], &parameters["kind"]), (&"authority key".into(), &"public parameters".into()));
    assert_eq!(authority["fingerprint"], parameters["fingerprint"]);
    let key = ground.ok(&["abe", "inspect", "key"]);
    assert_eq!((&key["kind"], &key["attributes"]), (&"key".into(), &serde_json::json!(["role = doctor"])));
    let sealed = ground.ok(&["abe", "inspect", "sealed"]);
    let by = &sealed["opened_by_any_of"][0];
    assert_eq!((&by["by"], &by["policy"]), (&"abe".into(), &"role = doctor and level >= 3".into()));
    assert!(sealed["context"].to_string().contains("visit"), "{sealed}");
    for format in ["table", "yaml"] {
        let output = ground.run(&["abe", "inspect", "sealed", "--output", format]);
        assert!(stdout(&output).contains("role = doctor and level >= 3"), "{format}");
    }
    // The master key and the key's points are in no answer: neither as bytes nor as digits.
    let secret = ground.read("authority/authority.key");
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(!authority.to_string().contains(&digits(&secret[8..24])));
    let secret = ground.read("key");
    assert!(!key.to_string().contains(&digits(&secret[secret.len() - 32..])));
    ground.write("other", "something else entirely");
    ground.write("nothing", "");
    for file in ["other", "nothing"] {
        assert!(ground.refused(1, &["abe", "inspect", file]).contains("no file of attribute-based"));
    }
    ground.refused(1, &["abe", "inspect", "no-such-file"]);
    ground.refused(1, &["abe", "inspect", "."]);
}

#[test]
fn explain_shows_the_tree_and_what_is_missing() {
    let ground = Ground::new();
    let policy = "role = doctor and (dept = heart or level >= 3) and role = doctor";
    let bare = ground.ok(&["abe", "explain", "--policy", policy]);
    assert_eq!(bare["simplified"], "role = doctor and (dept = heart or level >= 3)");
    assert!(bare.get("satisfied").is_none() && bare["rows"].as_u64() > bare["rows_simplified"].as_u64(), "{bare}");
    let has = ground.ok(&["abe", "explain", "--policy", policy, "--attributes", "role = doctor, level = 7"]);
    assert_eq!((&has["satisfied"], &has["missing"]), (&true.into(), &serde_json::json!([])));
    let args = ["abe", "explain", "--policy", policy, "--attributes", "role = nurse, level = 7"];
    let output = ground.run(&args);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let lacks: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&lacks["satisfied"], &lacks["missing"]), (&false.into(), &serde_json::json!(["role = doctor"])));
    let page = stdout(&ground.run(&[&args[..], &["--output", "table"]].concat()));
    assert!(
        page.contains("[ ] role = doctor") && page.contains("[x] level >= 3") && page.contains("missing"),
        "{page}"
    );
    ground.issue("role = doctor, dept = heart", "key", &[]);
    let key = ground.ok(&["abe", "explain", "--policy", policy, "--key", "key"]);
    assert_eq!(key["satisfied"], true);
    // Declarations decide what may be asked.
    ground.write("schema", "dept: enum(heart, lung) negatable\n");
    ground.ok(&["abe", "explain", "--policy", "dept != lung", "--schema", "schema", "--attributes", "dept = heart"]);
    let said =
        ground.refused(1, &["abe", "explain", "--policy", "dept != lung", "--parameters", "authority/parameters.wkpp"]);
    assert!(said.contains("negatable"), "{said}");
    assert!(ground.refused(1, &["abe", "explain", "--policy", "role = "]).contains('^'));
    ground.refused(1, &["abe", "explain", "--policy", "a = b", "--key", "key", "--attributes", "a = b"]);
}
