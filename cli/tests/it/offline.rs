//! The binary as scripts call it, where no server is needed.

use crate::binary::{code, run, run_with, stderr, stdout};

const SCHEMA: &str = "entity User { age: Long }; entity Doc; action view appliesTo { principal: User, resource: Doc, context: { n?: Long } };";
const POLICIES: &str = r#"
@id("adults") permit(principal, action == Action::"view", resource) when { principal.age >= 18 };
forbid(principal, action, resource) when { context has n && context.n + 9223372036854775807 > 0 };
"#;
const ENTITIES: &str = r#"[
 {"uid":{"type":"User","id":"ana"},"attrs":{"age":30},"parents":[]},
 {"uid":{"type":"User","id":"kid"},"attrs":{"age":9},"parents":[]},
 {"uid":{"type":"Doc","id":"d"},"attrs":{},"parents":[]}]"#;

fn request(user: &str, context: &str) -> String {
    format!(
        r#"{{"principal":{{"type":"User","id":"{user}"}},"action":{{"type":"Action","id":"view"}},"resource":{{"type":"Doc","id":"d"}},"context":{context}}}"#
    )
}

struct Case(tempfile::TempDir);

impl Case {
    fn new(requests: &str) -> Self {
        let case = Self(tempfile::tempdir().unwrap());
        for (name, text) in
            [("s.cedarschema", SCHEMA), ("p.cedar", POLICIES), ("e.json", ENTITIES), ("r.jsonl", requests)]
        {
            std::fs::write(case.0.path().join(name), text).unwrap();
        }
        case
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn decide(&self, more: &[&str]) -> std::process::Output {
        let file = |name: &str| self.0.path().join(name).display().to_string();
        let (schema, policies, entities, requests) =
            (file("s.cedarschema"), file("p.cedar"), file("e.json"), file("r.jsonl"));
        let mut args = vec!["policy", "decide", "--schema", &schema, "--policies", &policies, "--entities", &entities];
        args.extend(["--requests", &requests, "--output", "json"]);
        args.extend(more);
        run(&args)
    }
}

#[test]
fn every_line_is_answered_in_order() {
    let case =
        Case::new(&format!("{}\n\n{}\n{}", request("ana", "{}"), request("kid", "{}"), request("ana", r#"{"n":0}"#)));
    let output = case.decide(&[]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], serde_json::json!({"decision":"allow","reasons":["adults"],"errors":[]}));
    assert_eq!(lines[1]["decision"], "deny");
    assert_eq!(lines[2], serde_json::json!({"decision":"deny","reasons":["policy1"],"errors":[]}));
}

#[test]
fn an_erring_forbid_counts_unless_told_otherwise() {
    let case = Case::new(&request("ana", r#"{"n":1}"#));
    let denied: serde_json::Value = serde_json::from_str(&stdout(&case.decide(&[]))).unwrap();
    assert_eq!(denied["decision"], "deny");
    assert_eq!(denied["errors"][0]["policy"], "policy1");
    let skipped: serde_json::Value = serde_json::from_str(&stdout(&case.decide(&["--on-error", "skip"]))).unwrap();
    assert_eq!(skipped["decision"], "allow");
    assert_eq!(skipped["errors"][0]["policy"], "policy1");
}

#[test]
fn a_bad_line_is_named_and_what_came_before_stands() {
    for bad in [
        "{",
        "[]",
        r#"{"principal":{"type":"User","id":"ana"}}"#,
        &request("ana", "[]"),
        &request("ana", r#"{"n":"x"}"#),
    ] {
        let case = Case::new(&format!("{}\n{bad}\n{}", request("ana", "{}"), request("kid", "{}")));
        let output = case.decide(&[]);
        assert_eq!(code(&output), 1, "{bad}");
        assert_eq!(stdout(&output).lines().count(), 1, "{bad}");
        assert!(stderr(&output).contains("line 2"), "{bad}: {}", stderr(&output));
    }
}

#[test]
fn requests_are_held_against_the_schema_unless_told_otherwise() {
    let case = Case::new(&request("ana", r#"{"other":1}"#));
    assert_eq!(code(&case.decide(&[])), 1);
    let output = case.decide(&["--no-validate-requests"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn findings_refuse_only_when_strict() {
    let case = Case::new(&request("ana", "{}"));
    case.write("p.cedar", r#"permit(principal, action, resource) when { principal.agee > 1 };"#);
    let lenient = case.decide(&[]);
    assert_eq!(code(&lenient), 0, "{}", stderr(&lenient));
    assert!(stderr(&lenient).contains("agee"), "{}", stderr(&lenient));
    let strict = case.decide(&["--strict"]);
    assert_eq!((code(&strict), stdout(&strict).as_str()), (1, ""));
}

#[test]
fn broken_files_are_local_errors_with_their_place() {
    for (name, text) in
        [("s.cedarschema", "entity ;"), ("p.cedar", "permit("), ("e.json", "{"), ("e.json", r#"[{"uid":7}]"#)]
    {
        let case = Case::new(&request("ana", "{}"));
        case.write(name, text);
        let output = case.decide(&[]);
        assert_eq!((code(&output), stdout(&output).as_str()), (1, ""), "{name}");
        assert!(!stderr(&output).is_empty() && !stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
    let missing = run(&["policy", "decide", "--policies", "no-such-file", "--requests", "-"]);
    assert!(code(&missing) == 1 && stderr(&missing).contains("`no-such-file`"), "{}", stderr(&missing));
}

#[test]
fn requests_may_come_from_standard_input() {
    let case = Case::new("");
    let policies = case.0.path().join("p.cedar").display().to_string();
    let output = run_with(
        &["policy", "decide", "--policies", &policies, "--requests", "-", "--output", "json"],
        request("ana", "{}").as_bytes(),
        &[],
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("deny"), "without entities nobody has an age");
}

#[test]
fn exit_codes_tell_whose_fault_it_is() {
    assert_eq!(code(&run(&["--help"])), 0);
    assert_eq!(code(&run(&["--version"])), 0);
    assert_eq!(code(&run(&[])), 1, "no command");
    assert_eq!(code(&run(&["no-such-noun"])), 1);
    let unset = run(&["ring", "list"]);
    assert!(code(&unset) == 1 && stderr(&unset).contains("WARDKEEP_ADDRESS"), "{}", stderr(&unset));
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("x.pem").display().to_string();
    let no_files = run(&[
        "ring",
        "list",
        "--address",
        "https://127.0.0.1:1",
        "--ca",
        &absent,
        "--cert",
        &absent,
        "--cert-key",
        &absent,
    ]);
    assert!(code(&no_files) == 1 && stderr(&no_files).contains("x.pem"), "{}", stderr(&no_files));
}

#[test]
fn flags_have_twins_in_the_environment() {
    let output = run_with(&["policy", "schema"], b"", &[("WARDKEEP_ADDRESS", "http://not-https:1")]);
    assert!(stderr(&output).contains("WARDKEEP_CA"), "{}", stderr(&output));
    let output = run_with(&["completions", "bash"], b"", &[("WARDKEEP_OUTPUT", "no-such-format")]);
    assert!(code(&output) == 1 && stderr(&output).contains("no-such-format"));
}

#[test]
fn completions_and_man_pages_cover_every_noun() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&run(&["completions", shell]));
        assert!(script.contains("data-key") && script.contains("revocations") && script.contains("doctor"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    assert_eq!(code(&run(&["completions", "man", "--dir", &pages.display().to_string()])), 0);
    for page in ["wardkeep.1", "wardkeep-key-create.1", "wardkeep-abe-local-seal.1", "wardkeep-policy-decide.1"] {
        assert!(pages.join(page).exists(), "{page}");
    }
    assert!(stdout(&run(&["completions", "man"])).contains(".TH wardkeep"));
}

#[test]
fn bad_input_of_the_demo_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "x").unwrap();
    let output = run(&["demo", "--data", &text.display().to_string()]);
    assert!(code(&output) == 1 && stderr(&output).contains(".tar.xz"), "{}", stderr(&output));
    let output = run(&["demo", "--data", &folder.path().join("none").display().to_string()]);
    assert_eq!(code(&output), 1);
}

#[test]
fn configurations_are_checked_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wardkeep.toml");
    std::fs::write(&file, "[storage]\ndata = \"/d\"\nhaed = \"/h\"\n").unwrap();
    let output = run(&["config", "check", "--config", &file.display().to_string()]);
    assert!(code(&output) == 1 && stderr(&output).contains("haed"), "{}", stderr(&output));
    let doctor = run(&["doctor", "--config", &file.display().to_string()]);
    assert!(code(&doctor) == 1 && stdout(&doctor).contains("haed"), "{}", stdout(&doctor));
}
