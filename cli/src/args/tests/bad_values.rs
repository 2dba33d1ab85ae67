//! Every option that reads a value of a form, with values that are not of it: refused before anything is done, by name.

use proptest::prelude::*;

use super::*;

/// Parses a line without anything of the environment's; the refusal's text.
fn refusal(line: &[&str]) -> Option<String> {
    let parsed = Cli::try_parse_from(["wardkeep"].iter().chain(line));
    parsed.err().map(|refusal| refusal.to_string())
}

#[track_caller]
fn assert_refused(line: &[&str], option: &str) {
    let said = refusal(line).unwrap_or_else(|| panic!("{line:?} was taken"));
    assert!(said.contains(option), "{line:?} does not name `{option}`: {said}");
}

#[test]
fn numbers_out_of_their_range() {
    for bad in ["-1", "1.5", "x", "", "99999999999999999999999", "0x10", " 1"] {
        let cases: [(&[&str], &str); 9] = [
            (&["ring", "list", &format!("--limit={bad}")], "--limit"),
            (&["audit", "list", &format!("--from={bad}")], "--from"),
            (&["audit", "tail", &format!("--lines={bad}")], "--lines"),
            (&["cert", "token", "i", &format!("--minutes={bad}")], "--minutes"),
            (&["key", "enable", "r/k", &format!("--key-version={bad}")], "--key-version"),
            (&["key", "update", "r/k", &format!("--rotation-days={bad}")], "--rotation-days"),
            (&["dev", &format!("--port={bad}")], "--port"),
            (&["policy", "activate", bad], "<VERSION>"),
            (&["random", bad], "<COUNT>"),
        ];
        for (line, option) in cases {
            // A positional that begins with a dash is taken for a flag: refused as one.
            let named = if bad == "-1" && !option.starts_with("--") { "-1" } else { option };
            assert_refused(line, named);
        }
    }
    for (line, option) in [
        (["dev", "--port=65536"], "--port"),
        (["demo", "--jobs=0"], "--jobs"),
        (["demo", "--jobs=65"], "--jobs"),
        (["random", "0"], "<COUNT>"),
        (["random", "1025"], "<COUNT>"),
    ] {
        assert_refused(&line, option);
    }
    for days in ["6", "31", "0"] {
        assert_refused(&["key", "schedule-deletion", "r/k", "--days", days], "--days");
    }
    for (line, what) in [
        (&["random", "1"][..], "the least"),
        (&["random", "1024"], "the most"),
        (&["key", "schedule-deletion", "r/k", "--days", "7"], "the least"),
        (&["key", "schedule-deletion", "r/k", "--days", "30"], "the most"),
        (&["demo", "--jobs", "64"], "the most"),
        (&["dev", "--port", "65535"], "the most"),
    ] {
        assert_eq!(refusal(line), None, "{what}");
    }
}

#[test]
fn numbers_and_moments_of_attribute_based_encryption() {
    let issue = ["abe", "local", "issue", "--dir", "d", "--attributes", "a = b", "--out", "k"];
    let setup = ["abe", "local", "setup", "--dir", "d"];
    let list = ["abe", "local", "revocations", "--dir", "d", "--out", "l"];
    let seal = ["abe", "local", "seal", "--dir", "d", "--policy", "a = b", "--in", "i", "--out", "o"];
    let revoke = ["abe", "local", "revoke", "--dir", "d"];
    for (line, option, bad) in [
        (&issue[..], "--serial", "next"),
        (&issue, "--serial", "-1"),
        (&issue, "--serial", "4294967296"),
        (&issue, "--days", "1.5"),
        (&issue, "--days", "-1"),
        (&issue, "--valid-until", "2026-02-30"),
        (&issue, "--valid-until", "31.12.2026"),
        (&issue, "--valid-until", "2026"),
        (&seal, "--not-before", "yesterday"),
        (&setup, "--serial-bits", "0"),
        (&setup, "--serial-bits", "33"),
        (&setup, "--bucket", "week"),
        (&list, "--life-days", "0"),
        (&list, "--life-days", "367"),
        (&revoke, "--serial", "x"),
    ] {
        let flag = format!("{option}={bad}");
        assert_refused(&[line, &[flag.as_str()]].concat(), option);
    }
    for good in [
        "--serial=auto",
        "--serial=0",
        "--serial=4294967295",
        "--days=0",
        "--valid-until=2026-12-31",
        "--valid-until=bucket:7",
    ] {
        assert_eq!(refusal(&[&issue[..], &[good]].concat()), None, "{good}");
    }
    assert!(refusal(&[&issue[..], &["--days=1", "--valid-until=today"]].concat()).is_some(), "one end, not two");
    assert!(refusal(&[&seal[..], &["--parameters", "p"]].concat()).is_some(), "one authority, not two");
    assert_eq!(refusal(&["encrypt", "--in", "f", "--key", "r/k"]), None);
    assert!(refusal(&["encrypt", "f", "--in", "f", "--key", "r/k"]).is_some(), "one input, not two");
}

#[test]
fn words_that_are_none_of_the_list() {
    for (line, option, offers) in [
        (&["--output", "xml", "ring", "list"][..], "--output", "yaml"),
        (&["key", "create", "r/k", "--spec", "AES-256-GCM", "--usage", "wrap"], "--spec", "aes-256-gcm"),
        (&["key", "create", "r/k", "--spec", "ed25519", "--usage", "mac"], "--usage", "sign"),
        (&["role", "grant", "root", "User::\"a\""], "<ROLE>", "security-admin"),
        (&["role", "revoke", "Admin", "User::\"a\""], "<ROLE>", "auditor"),
        (&["completions", "tcsh"], "<TARGET>", "powershell"),
        (&["policy", "decide", "--policies", "p", "--requests", "-", "--on-error", "allow"], "--on-error", "skip"),
    ] {
        let said = refusal(line).unwrap();
        assert!(said.contains(option) && said.contains(offers), "{line:?}: {said}");
    }
}

#[test]
fn names_that_cannot_be() {
    for bad in ["", "r", "/k", "r/", "r/k/k", "R/k", "r/K", "r /k", "r/k\n", "../k", "r/..", "é/k", "r\0/k"] {
        for line in [
            vec!["key", "describe", bad],
            vec!["key", "create", bad, "--spec", "ed25519", "--usage", "sign"],
            vec!["data-key", "generate", bad],
            vec!["sign", bad, "file"],
        ] {
            assert_refused(&line, "<KEY>");
        }
        assert_refused(&["encrypt", "file", "--key", bad], "--key");
    }
    for bad in ["", "R", "a b", "a/b", "..", "é", &"r".repeat(64)] {
        assert_refused(&["ring", "create", bad], "<NAME>");
        assert_refused(&["key", "list", "--ring", bad], "--ring");
    }
    for bad in ["", "User", "User::", "User::ana", "User::\"ana", "::\"a\"", "1User::\"a\"", "User::\"a\"x"] {
        assert_refused(&["entity", "get", bad], "<ENTITY>");
        assert_refused(&["role", "grant", "admin", bad], "<IDENTITY>");
    }
}

#[test]
fn pairs_without_a_name_or_a_value() {
    for bad in ["", "x", "=x", "a=b,c"] {
        assert_refused(&["ring", "create", "r", "--label", bad], "--label");
        assert_refused(&["encrypt", "f", "--key", "r/k", "--context", bad], "--context");
    }
    let Noun::Ring(keys::Ring::Create(made)) =
        Cli::try_parse_from(["wardkeep", "ring", "create", "r", "--label", "a=,b=c=d", "--label", "e=f"]).unwrap().noun
    else {
        panic!("another noun")
    };
    let wanted = [("a", ""), ("b", "c=d"), ("e", "f")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(made.labels, wanted);
}

#[test]
fn flags_that_exclude_or_need_each_other() {
    for (line, names) in [
        (&["policy", "load", "d", "--activate", "--dry-run"][..], "--dry-run"),
        (&["cert", "revoke"], "--serial"),
        (&["cert", "revoke", "--serial", "1", "--identity", "i"], "--identity"),
        (&["encrypt", "f"], "--key"),
        (&["encrypt", "f", "--key", "r/k", "--resource-attributes", "a"], "--resource"),
        (&["data-key", "unwrap", "-"], "--plaintext-file"),
        (&["verify", "r/k", "f", "--signature", "AA=="], "--key-version"),
        (&["config", "check"], "--config"),
        (&["recover", "--config", "c"], "--administrator"),
        (&["policy", "decide", "--requests", "-"], "--policies"),
        (&["server", "--config", "c", "init"], "init"),
        (&["cert", "enroll", "--address", "a", "--dir", "d"], "--token"),
    ] {
        assert_refused(line, names);
    }
}

#[test]
fn twice_is_refused_where_once_is_meant() {
    for line in [
        &["ring", "list", "--limit", "1", "--limit", "2"][..],
        &["ring", "list", "--address", "a", "--address", "b"],
        &["encrypt", "f", "--key", "r/k", "--key", "r/l"],
        &["decrypt", "f", "--to", "a", "--to", "b"],
    ] {
        let said = refusal(line).unwrap();
        assert!(said.contains("multiple times") || said.contains("cannot be used"), "{line:?}: {said}");
    }
}

#[test]
fn switches_take_no_word_from_the_line_and_a_truth_from_the_environment() {
    let parse = |line: &[&str]| Cli::try_parse_from(["wardkeep"].iter().chain(line));
    assert!(parse(&["decrypt", "f.wk", "--force=maybe"]).is_err());
    let Noun::Decrypt(args) = parse(&["decrypt", "f.wk", "--force"]).unwrap().noun else { panic!("another noun") };
    assert!(args.force);
    let Noun::Decrypt(args) = parse(&["decrypt", "f.wk"]).unwrap().noun else { panic!("another noun") };
    assert!(!args.force);
}

proptest! {
    /// A secret in place is refused, and stands nowhere in what is said about it.
    #[test]
    fn no_secret_is_repeated(secret in "[A-Za-z0-9._+/=]{12,80}") {
        for line in [
            vec!["cert", "enroll", "--address", "https://x:1", "--dir", "d", "--token", &secret],
            vec!["data-key", "unwrap", &secret, "--plaintext-file", "p"],
            vec!["data-key", "rewrap", &secret],
        ] {
            let said = refusal(&line).unwrap();
            prop_assert!(!said.contains(&secret), "{}", said);
            prop_assert!(said.contains("standard input"), "{}", said);
        }
    }

    #[test]
    fn no_line_ends_the_program(words in proptest::collection::vec("\\PC{0,12}", 0..6)) {
        let _ = Cli::try_parse_from(std::iter::once("wardkeep".to_owned()).chain(words));
    }
}
