//! Policies, entities, roles and certificates through the binary: what a command does, the next one feels.

use serde_json::json;

use crate::binary::{code, stderr, stdout};
use crate::dev::{Dev, Somebody, text};

/// Whoever is in the group may draw random bytes.
const SCHEMA: &str = "entity Group; entity User in [Group]; entity Service;";
const DRAWERS: &str = r#"
@id("drawers-draw")
permit (principal in Group::"drawers", action == Wardkeep::Action::"GenerateRandom", resource);
"#;

fn entity(kind: &str, id: &str, groups: &[&str]) -> serde_json::Value {
    let parents: Vec<_> = groups.iter().map(|id| json!({"type": "Group", "id": id})).collect();
    json!({"uid": {"type": kind, "id": id}, "attrs": {}, "parents": parents})
}

fn put(dev: &Dev, entities: &[serde_json::Value]) -> serde_json::Value {
    dev.json(&["entity", "put", text(&dev.file("entities.json", json!(entities).to_string()))])
}

fn draws(dev: &Dev, who: &Somebody) -> i32 {
    code(&dev.run_as(who, &["random", "8"]))
}

#[test]
fn a_bundle_counts_from_the_command_after_it() {
    let dev = Dev::start();
    put(&dev, &[entity("User", "ana", &[])]);
    let ana = dev.admit("user", "ana");
    assert_eq!(draws(&dev, &ana), 3);
    let before = dev.json(&["policy", "show"])["version"].as_u64().unwrap();

    let bundle = dev.bundle("good", "", SCHEMA, DRAWERS);
    let dry = dev.json(&["policy", "load", text(&bundle), "--dry-run"]);
    assert_eq!(dry["active"], false);
    assert_eq!(dev.json(&["policy", "list"]).as_array().unwrap().len(), 1, "nothing was kept");
    let loaded = dev.json(&["policy", "load", text(&bundle)]);
    let version = loaded["version"].as_u64().unwrap();
    assert_eq!(
        (loaded["active"].as_bool(), dev.json(&["policy", "show"])["version"].as_u64()),
        (Some(false), Some(before))
    );
    dev.json(&["policy", "activate", &version.to_string()]);
    assert_eq!(dev.json(&["policy", "show"])["version"].as_u64(), Some(version));
    assert!(stdout(&dev.run(&["policy", "schema"])).contains("Group"));
    assert_eq!(draws(&dev, &ana), 3, "she is not in the group");
    put(&dev, &[entity("Group", "drawers", &[]), entity("User", "ana", &["drawers"])]);
    assert_eq!(draws(&dev, &ana), 0, "and now she is");
    // The former bundle knows no groups: as long as there are any, it does not fit what is stored.
    let refused = dev.run(&["policy", "activate", &before.to_string()]);
    assert!(code(&refused) == 2 && stderr(&refused).contains("refused"), "{}", stderr(&refused));
    put(&dev, &[entity("User", "ana", &[])]);
    dev.json(&["entity", "delete", "Group::\"drawers\""]);
    dev.json(&["policy", "activate", &before.to_string()]);
    assert_eq!(draws(&dev, &ana), 3, "the former bundle is in force again");
}

#[test]
fn a_bundle_that_does_not_hold_together_changes_nothing_and_says_where() {
    let dev = Dev::start();
    for (name, schema, policies, says) in [
        ("broken-policy", SCHEMA, "permit (", "more.cedar"),
        ("broken-schema", "entity ;", DRAWERS, "schema"),
        ("unknown-type", SCHEMA, "permit (principal is Robot, action, resource);", "Robot"),
        ("unknown-action", SCHEMA, "permit (principal, action == Action::\"fly\", resource);", "fly"),
    ] {
        let folder = dev.bundle(name, "", schema, policies);
        let refused = dev.run(&["policy", "load", text(&folder), "--activate"]);
        assert_eq!(code(&refused), 2, "{name}: {}", stderr(&refused));
        let offline = dev.run(&["policy", "check", text(&folder)]);
        assert_eq!(code(&offline), 1, "{name}: {}", stderr(&offline));
        assert!(stderr(&offline).contains(says), "{name}: no `{says}` in {}", stderr(&offline));
    }
    assert_eq!(dev.json(&["policy", "list"]).as_array().unwrap().len(), 1);
    let nothing = dev.place("empty");
    std::fs::create_dir(&nothing).unwrap();
    let refused = dev.run(&["policy", "load", text(&nothing)]);
    assert!(code(&refused) == 1 && stderr(&refused).contains(".cedarschema"), "{}", stderr(&refused));
    assert_eq!(code(&dev.run(&["policy", "activate", "77"])), 2, "no such version");
}

#[test]
fn a_role_counts_from_the_command_after_it_and_ends_what_was_issued_before() {
    let dev = Dev::start();
    put(&dev, &[entity("User", "ana", &[])]);
    let ana = dev.admit("user", "ana");
    assert_eq!(code(&dev.run_as(&ana, &["audit", "head"])), 3);
    let granted = dev.json(&["role", "grant", "auditor", "User::\"ana\""]);
    let ended = granted["certificates_revoked"].as_array().unwrap();
    assert_eq!(ended.len(), 1, "{granted}");
    let cut = dev.run_as(&ana, &["audit", "head"]);
    assert_eq!(code(&cut), 2, "her certificate of before is no auditor's: {}", stderr(&cut));

    let fresh = dev.admit("user", "ana");
    assert_eq!(code(&dev.run_as(&fresh, &["audit", "head"])), 0);
    let members = dev.json(&["role", "list"]);
    let auditors = members.as_array().unwrap().iter().find(|role| role["role"] == "auditor").unwrap();
    assert!(auditors["members"].as_array().unwrap().iter().any(|member| member["id"] == "ana"), "{members}");

    // A certificate that is kept by its serial stays good.
    let certificates = dev.json(&["cert", "list"]);
    let hers = certificates
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["identity"] == Dev::identity("user", "ana").as_str() && one["state"] == "valid");
    let serial = hers.unwrap()["serial"].as_str().unwrap();
    let kept = dev.json(&["role", "grant", "operator", "User::\"ana\"", "--keep", serial]);
    assert_eq!(kept["certificates_revoked"].as_array().unwrap().len(), 0, "{kept}");
    assert_eq!(code(&dev.run_as(&fresh, &["ring", "create", "hers"])), 0);
    dev.json(&["role", "revoke", "auditor", "User::\"ana\""]);
    assert_eq!(code(&dev.run_as(&fresh, &["audit", "head"])), 3);
}

#[test]
fn the_last_administrator_cannot_be_taken_away() {
    let dev = Dev::start();
    let refused = dev.run(&["role", "revoke", "security-admin", "User::\"admin\""]);
    let other = dev.run(&["entity", "delete", "User::\"admin\""]);
    for output in [&refused, &other] {
        assert_eq!(code(output), 2, "{}", stderr(output));
    }
    assert_eq!(code(&dev.run(&["role", "list"])), 0);
}

#[test]
fn a_revoked_caller_is_cut_by_serial_and_by_identity() {
    let dev = Dev::start();
    let folder = dev.bundle("good", "", SCHEMA, DRAWERS);
    dev.json(&["policy", "load", text(&folder), "--activate"]);
    put(&dev, &[entity("Group", "drawers", &[]), entity("User", "ana", &["drawers"])]);
    for way in ["--serial", "--identity"] {
        let ana = dev.admit("user", "ana");
        assert_eq!(draws(&dev, &ana), 0);
        let renewed = dev.run_as(&ana, &["cert", "renew"]);
        assert_eq!(code(&renewed), 0, "{}", stderr(&renewed));
        let listed = dev.json(&["cert", "list"]);
        let hers: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["identity"] == Dev::identity("user", "ana").as_str() && one["state"] == "valid")
            .collect();
        assert_eq!(hers.len(), 2, "the first and the renewed one: {listed}");
        let first = hers.iter().find(|one| one.get("parent").is_none()).unwrap()["serial"].as_str().unwrap().to_owned();
        let identity = Dev::identity("user", "ana");
        let value = if way == "--serial" { first.as_str() } else { identity.as_str() };
        let revoked = dev.json(&["cert", "revoke", way, value]);
        assert_eq!(revoked["serials"].as_array().unwrap().len(), 2, "{way}: descendants too: {revoked}");
        let cut = dev.run_as(&ana, &["random", "8"]);
        assert_eq!(code(&cut), 2, "{way}: {}", stderr(&cut));
        assert!(stderr(&cut).contains("TLS handshake") || stderr(&cut).contains("connection"), "{}", stderr(&cut));
        let again = dev.run_as(&ana, &["cert", "renew"]);
        assert_ne!(code(&again), 0, "{way}: nobody renews what was revoked");
    }
    let fresh = dev.admit("user", "ana");
    assert_eq!(draws(&dev, &fresh), 0, "a token makes her somebody again");
}

#[test]
fn a_token_works_once_and_a_voided_one_never() {
    let dev = Dev::start();
    put(&dev, &[entity("User", "ana", &[])]);
    let (token, dir) = (dev.place("t"), dev.place("ana"));
    dev.json(&["cert", "token", &Dev::identity("user", "ana"), "--to", text(&token), "--minutes", "5"]);
    let source = format!("@{}", text(&token));
    let enrol = |dir: &std::path::Path| {
        dev.run(&["cert", "enroll", "--address", &dev.word("enrol"), "--token", &source, "--dir", text(dir)])
    };
    assert_eq!(code(&enrol(&dir)), 0);
    let again = enrol(&dir);
    assert!(code(&again) == 1 && stderr(&again).contains("exists"), "{}", stderr(&again));
    assert_eq!(code(&enrol(&dev.place("other"))), 3, "spent");
    assert!(!dev.place("other").join("key.pem").exists(), "a key without a certificate is not kept");

    std::fs::remove_file(&token).unwrap();
    dev.json(&["cert", "token", &Dev::identity("user", "ana"), "--to", text(&token)]);
    dev.json(&["cert", "revoke", "--identity", &Dev::identity("user", "ana")]);
    dev.json(&["role", "grant", "auditor", "User::\"ana\""]);
    assert_eq!(code(&enrol(&dev.place("third"))), 3, "a role voids what was issued before it");
}

#[test]
fn the_control_set_is_put_by_revision_and_locks_nobody_out() {
    let dev = Dev::start();
    let now = dev.json(&["policy", "control"]);
    let revision = now["revision"].as_u64().unwrap();
    let text_now = now["text"].as_str().unwrap();
    let file = dev.file("control.cedar", format!("{text_now}\n// once more\n"));
    let put = dev.json(&["policy", "set-control", text(&file)]);
    assert_eq!(put["revision"].as_u64(), Some(revision + 1), "{put}");
    let locking = dev.file("none.cedar", "forbid (principal, action, resource);");
    let refused = dev.run(&["policy", "set-control", text(&locking)]);
    assert_eq!(code(&refused), 2, "{}", stderr(&refused));
    assert_eq!(dev.json(&["policy", "control"])["revision"].as_u64(), Some(revision + 1));
    let table = dev.command_as(&dev.admin(), &["policy", "control"]).env("WARDKEEP_OUTPUT", "table").output().unwrap();
    assert!(stdout(&table).contains("// once more"));
}

#[test]
fn entities_come_back_as_they_were_written() {
    let dev = Dev::start();
    let written = put(&dev, &[entity("User", "ana", &[]), entity("Service", "batch", &[])]);
    assert_eq!(written["count"], 2);
    let shown = dev.json(&["entity", "get", "User::\"ana\""]);
    assert_eq!(shown["uid"], json!({"type": "User", "id": "ana"}));
    let listed = dev.json(&["entity", "list"]);
    assert!(listed.as_array().unwrap().len() >= 3, "{listed}");
    assert_eq!(dev.json(&["entity", "list", "--limit", "1"]).as_array().unwrap().len(), 1);
    assert_eq!(dev.json(&["entity", "list", "--limit", "0"]).as_array().unwrap().len(), 0);
    dev.json(&["entity", "delete", "Service::\"batch\""]);
    assert_eq!(code(&dev.run(&["entity", "get", "Service::\"batch\""])), 2);
    for (what, content, exit) in [
        ("no JSON", "{", 1),
        ("no list", "{}", 1),
        (
            "a role as parent",
            r#"[{"uid":{"type":"User","id":"x"},"attrs":{},"parents":[{"type":"Wardkeep::Role","id":"admin"}]}]"#,
            2,
        ),
        ("a type nobody declared", r#"[{"uid":{"type":"Robot","id":"x"},"attrs":{},"parents":[]}]"#, 2),
        ("a control character", "[{\"uid\":{\"type\":\"User\",\"id\":\"a\\u0000b\"},\"attrs\":{},\"parents\":[]}]", 2),
    ] {
        let output = dev.run(&["entity", "put", text(&dev.file("bad.json", content))]);
        assert_eq!(code(&output), exit, "{what}: {}", stderr(&output));
    }
    let log = stdout(&dev.run(&["audit", "list"]));
    assert!(log.contains("batch") && log.contains("Entit"), "{log}");
}
