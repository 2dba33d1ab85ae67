//! What is printed, by every verb that shows something: JSON that parses and keeps its fields, YAML that says the same,
//! tables without empty columns, and not a byte beside the answer.

use serde_json::{Value, json};

use crate::binary::{code, run, stderr, stdout};
use crate::dev::{Dev, text};

/// A verb that shows something, and the members that every row of it keeps.
type Shown<'a> = (&'a [&'a str], &'a [&'a str]);

/// A server with one of everything.
fn furnished() -> Dev {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes", "--label", "team=x"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap", "--label", "team=x"]);
    dev.json(&["key", "create", "notes/sign", "--spec", "ed25519", "--usage", "sign", "--rotation-days", "30"]);
    let people = json!([{"uid": {"type": "User", "id": "ana"}, "attrs": {}, "parents": []}]);
    dev.json(&["entity", "put", text(&dev.file("people.json", people.to_string()))]);
    let place = dev.place("open.token");
    dev.json(&["cert", "token", &Dev::identity("user", "ana"), "--to", text(&place)]);
    dev
}

const LISTS: &[Shown<'_>] = &[
    (&["ring", "list"], &["name", "labels", "created", "revision"]),
    (&["key", "list"], &["key", "spec", "usage", "labels", "created", "revision", "versions"]),
    (&["entity", "list"], &["uid", "attrs", "parents"]),
    (&["role", "list"], &["role", "members"]),
    (&["cert", "list"], &["serial", "identity", "issued", "not_after", "state"]),
    (&["cert", "tokens"], &["id", "identity", "state", "issued_by", "issued", "expires"]),
    (&["policy", "list"], &["version", "active", "loaded", "loaded_by"]),
    (&["audit", "list"], &["sequence", "previous", "hash", "line"]),
    (&["audit", "tail", "--lines", "3"], &["sequence", "previous", "hash", "line"]),
];

const SINGLE: &[Shown<'_>] = &[
    (&["ring", "describe", "notes"], &["name", "labels", "created", "revision"]),
    (&["key", "describe", "notes/first"], &["key", "spec", "usage", "labels", "created", "revision", "versions"]),
    (&["entity", "get", "User::\"ana\""], &["uid", "attrs", "parents"]),
    (&["policy", "show"], &["version", "active", "loaded", "loaded_by", "manifest", "schema", "policies"]),
    (&["policy", "schema"], &["text"]),
    (&["policy", "control"], &["text", "revision", "changed", "changed_by"]),
    (&["audit", "head"], &["records", "hash", "time", "signed", "public_key"]),
    (&["audit", "verify"], &["status", "records"]),
    (&["config", "show"], &["toml"]),
    (&["data-key", "generate", "notes/first"], &["key", "version", "wrapped"]),
    (&["random", "8"], &["bytes"]),
];

/// The value under another format; YAML is read by the same library family that wrote it.
fn in_format(dev: &Dev, args: &[&str], format: &str) -> String {
    let output = dev.command_as(&dev.admin(), args).env("WARDKEEP_OUTPUT", format).output().unwrap();
    assert_eq!(code(&output), 0, "{args:?} as {format}: {}", stderr(&output));
    stdout(&output)
}

fn assert_members(row: &Value, members: &[&str], args: &[&str]) {
    for member in members {
        assert!(row.get(member).is_some(), "{args:?} lost `{member}`: {row}");
    }
}

#[test]
fn every_list_is_an_array_whose_rows_keep_their_members() {
    let dev = furnished();
    for (args, members) in LISTS {
        let found = dev.json(args);
        let rows = found.as_array().unwrap_or_else(|| panic!("{args:?} is no list: {found}"));
        assert!(!rows.is_empty(), "{args:?} shows nothing, so that nothing was shown");
        rows.iter().for_each(|row| assert_members(row, members, args));
        let yaml: Value = serde_norway::from_str(&in_format(&dev, args, "yaml")).unwrap();
        let names = |rows: &Value| {
            let names = rows.as_array().unwrap()[0].as_object().unwrap().keys().cloned();
            names.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(&yaml), names(&found), "{args:?} as YAML");
    }
}

#[test]
fn every_single_answer_keeps_its_members() {
    let dev = furnished();
    for (args, members) in SINGLE {
        let found = dev.json(args);
        assert!(found.is_object(), "{args:?}: {found}");
        assert_members(&found, members, args);
        let yaml: Value = serde_norway::from_str(&in_format(&dev, args, "yaml")).unwrap();
        assert_members(&yaml, members, args);
    }
}

#[test]
fn json_is_one_line_and_nothing_stands_beside_it() {
    let dev = furnished();
    for (args, _) in LISTS.iter().chain(SINGLE) {
        let output = dev.run(args);
        let said = stdout(&output);
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        assert!(said.ends_with('\n') && !said.contains('\u{1b}'), "{args:?}: {said}");
        let remarks = stderr(&output);
        let only = remarks.is_empty() || remarks.starts_with("consistent; rollback not checkable");
        assert!(only && !remarks.contains('\u{1b}'), "{args:?}: {remarks}");
    }
}

/// A column that is empty in every row is one that was renamed on the wire and not here.
#[test]
fn no_column_of_a_table_is_empty_in_every_row() {
    let dev = furnished();
    // Shown where there is one, and here there is none: no renewed certificate, no parents.
    let may_be_empty = ["parent", "parents", "attrs", "record", "why"];
    for (args, _) in LISTS {
        let said = in_format(&dev, args, "table");
        let mut lines = said.lines();
        let header = lines.next().unwrap();
        let rows: Vec<&str> = lines.collect();
        assert!(!rows.is_empty(), "{args:?}: {said}");
        let mut starts: Vec<usize> = Vec::new();
        let bytes: Vec<char> = header.chars().collect();
        for at in 0..bytes.len() {
            let begins = bytes[at] != ' ' && (at == 0 || bytes[at - 1] == ' ') && (at < 2 || bytes[at - 2] == ' ');
            if begins {
                starts.push(at);
            }
        }
        for (number, start) in starts.iter().enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(usize::MAX);
            let cell = |line: &str| line.chars().skip(*start).take(end - start).collect::<String>().trim().to_owned();
            let name = cell(header);
            let filled = rows.iter().any(|row| !cell(row).is_empty());
            assert!(filled || may_be_empty.contains(&name.as_str()), "{args:?}: `{name}` is always empty:\n{said}");
        }
    }
}

#[test]
fn limits_cut_lists_to_the_very_number() {
    let dev = furnished();
    for (args, _) in LISTS.iter().filter(|(args, _)| !matches!(args[0], "role" | "policy") && args[1] != "tail") {
        let all = dev.json(args).as_array().unwrap().len();
        for limit in [0, 1, all, all + 1, 1000] {
            let limit_text = limit.to_string();
            let cut = dev.json(&[args, &["--limit", &limit_text][..]].concat()).as_array().unwrap().len();
            // Looking is recorded: the audit log grows from call to call.
            let growing = args[0] == "audit";
            assert!(cut == limit.min(all) || (growing && cut > all && cut <= limit), "{args:?} --limit {limit}: {cut}");
        }
    }
}

#[test]
fn a_list_longer_than_a_page_is_whole_and_in_order() {
    let dev = Dev::start();
    let entities: Vec<_> = (0..230)
        .map(|at| json!({"uid": {"type": "User", "id": format!("u{at:03}")}, "attrs": {}, "parents": []}))
        .collect();
    dev.json(&["entity", "put", text(&dev.file("many.json", json!(entities).to_string()))]);
    let listed = dev.json(&["entity", "list"]);
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entity| entity["uid"]["id"].as_str())
        .filter(|id| id.len() == 4 && id.starts_with('u'))
        .collect();
    let wanted: Vec<_> = (0..230).map(|at| format!("u{at:03}")).collect();
    assert_eq!(names, wanted);
    assert_eq!(dev.json(&["entity", "list", "--limit", "150"]).as_array().unwrap().len(), 150);
}

#[test]
fn bars_are_drawn_for_nobody_but_a_terminal() {
    let dev = Dev::start();
    dev.json(&["ring", "create", "notes"]);
    dev.json(&["key", "create", "notes/first", "--spec", "aes-256-gcm", "--usage", "wrap"]);
    // Longer than what is done before a bar is drawn.
    let plain = dev.file("long", vec![b'x'; 9 * 1024 * 1024]);
    let encrypted = dev.run(&["encrypt", text(&plain), "--key", "notes/first"]);
    assert_eq!((code(&encrypted), stderr(&encrypted).as_str()), (0, ""));
    let (sealed, opened) = (dev.place("long.wk"), dev.place("opened"));
    let decrypted = dev.run(&["decrypt", text(&sealed), "--to", text(&opened)]);
    assert_eq!((code(&decrypted), stderr(&decrypted).as_str()), (0, ""));
    assert_eq!(dev.json(&["audit", "tail", "--lines", "1"]).as_array().unwrap().len(), 1);

    // `script` gives it a terminal, where the machine has it.
    let shell = format!("{} decrypt {} --force --to {}", env!("CARGO_BIN_EXE_wardkeep"), text(&sealed), text(&opened));
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &shell, "/dev/null"]).stdin(std::process::Stdio::null());
    for (name, value) in dev.command_as(&dev.admin(), &[]).get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    match command.env("TERM", "xterm").output() {
        Ok(output) if output.status.success() => {
            let said = stdout(&output);
            assert!(said.contains("decrypting") && said.contains('\u{1b}'), "{said:?}");
        }
        _ => println!("SKIPPED 1 case: no `script` here"),
    }
}

#[test]
fn completions_speak_the_shells_own_words() {
    for (shell, word) in [
        ("bash", "complete -F"),
        ("elvish", "edit:completion"),
        ("fish", "complete -c wardkeep"),
        ("powershell", "Register-ArgumentCompleter"),
        ("zsh", "#compdef wardkeep"),
    ] {
        let output = run(&["completions", shell]);
        let said = stdout(&output);
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{shell}");
        assert!(said.contains(word) && said.len() > 10_000, "{shell}: {} bytes", said.len());
        for noun in ["server", "dev", "demo", "ring", "key", "data-key", "policy", "entity", "role", "cert", "audit"] {
            assert!(said.contains(noun), "{shell} leaves out `{noun}`");
        }
    }
    assert_eq!(code(&run(&["completions", "tcsh"])), 1);
    assert_eq!(code(&run(&["completions"])), 1);
}

#[test]
fn a_name_does_not_move_the_cursor() {
    let dev = Dev::start();
    let evil = "x\u{1b}[2J\u{7}\r\n";
    let entity = json!([{"uid": {"type": "User", "id": "evil"}, "attrs": {}, "parents": []}]);
    dev.json(&["entity", "put", text(&dev.file("e.json", entity.to_string()))]);
    dev.json(&["ring", "create", "notes"]);
    let label = format!("note={evil}");
    let made = dev.run(&["ring", "create", "evil", "--label", &label]);
    if code(&made) == 0 {
        let shown = in_format(&dev, &["ring", "list"], "table");
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}') && !shown.contains('\r'), "{shown:?}");
    } else {
        let said = stderr(&made);
        assert!(!said.contains('\u{1b}') && !said.contains('\u{7}'), "{said:?}");
    }
}
