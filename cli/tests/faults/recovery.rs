//! The last resort: every administrator is lost, and whoever holds the root key makes a new one.

use wardkeep_client::wire::control_set::ControlSet;

use crate::home::{Credential, Home, runtime, token_in};
use crate::process::{finish, wardkeep};

/// A control set under which only its author counts.
const ONLY_FIRST: &str = r#"@id("only-first") permit (principal == User::"first", action, resource);"#;

#[test]
fn recovery_makes_an_administrator_who_can_change_the_control_set() {
    let runtime = runtime();
    let (home, mut server, ready, first) = Home::running(&runtime);
    let before: ControlSet = runtime.block_on(async {
        let client = first.client(&ready).await;
        let control = client.control_set().describe().await.unwrap();
        client.control_set().put(ONLY_FIRST, Some(control.revision)).await.unwrap()
    });
    server.stop();
    // Every administrator is lost: the one certificate there was.
    std::fs::remove_dir_all(home.path("people")).unwrap();

    let (code, answer, said) = finish(&mut home.recover_command("first"));
    assert_eq!(code, Some(1), "whoever was lost is not made again: {answer}");
    assert!(said.contains("first"), "{said}");
    let (code, answer, said) = finish(&mut home.recover_command("second"));
    assert_eq!(code, Some(0), "{said}");
    let token = token_in(&answer);

    let (_server, ready) = home.start();
    let token_file = home.path("token");
    std::fs::write(&token_file, token.expose()).unwrap();
    let folder = home.path("second");
    let mut enroll = wardkeep();
    enroll.args(["cert", "enroll", "--address", &ready.enrol, "--token", &format!("@{}", token_file.display())]);
    let (code, _, said) = finish(enroll.arg("--dir").arg(&folder));
    assert_eq!(code, Some(0), "{said}");

    runtime.block_on(async {
        let client = Credential::in_folder(&folder).client(&ready).await;
        let control = client.control_set().describe().await.unwrap();
        assert_eq!(control.revision, before.revision + 1, "the former set stays as a version");
        assert!(control.text.contains("security-admin-manages-policies"), "the built-in set is in force again");
        let text = format!("{}\n// By the new administrator.\n", control.text);
        let changed = client.control_set().put(&text, Some(control.revision)).await.unwrap();
        assert_eq!((changed.text, changed.changed_by), (text, "User::\"second\"".to_owned()));
        let log = client.audit().records(&Default::default()).await.unwrap();
        assert!(log.records.iter().any(|record| record.line.contains("\"Recover\"")), "it is recorded");
        client.audit().verify().await.unwrap();
    });

    let mut again = wardkeep();
    again.args(["cert", "enroll", "--address", &ready.enrol, "--token", &format!("@{}", token_file.display())]);
    let (code, _, said) = finish(again.arg("--dir").arg(home.path("third")));
    assert_eq!(code, Some(3), "the token works once: {said}");
}

#[test]
fn recovery_checks_what_a_start_checks() {
    let home = Home::empty();
    let refused = |words: &str| {
        let (code, answer, said) = finish(&mut home.recover_command("second"));
        assert_eq!((code, answer.as_str()), (Some(1), ""), "{said}");
        assert!(said.contains(words), "no `{words}` in: {said}");
    };
    std::fs::write(home.root_key(), [7; 32]).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(home.root_key(), std::fs::Permissions::from_mode(0o600)).unwrap();
    refused("holds no store");
    home.init();
    let head = std::fs::read(home.head()).unwrap();
    std::fs::remove_file(home.head()).unwrap();
    refused("is missing");
    std::fs::write(home.head(), head).unwrap();
    let (code, _, said) = finish(&mut home.recover_command("second"));
    assert_eq!(code, Some(0), "{said}");
}
