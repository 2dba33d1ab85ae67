//! Starts that must be refused, each with an exit code and a message that says what to do.

use std::fs;

use wardkeep_client::admin::AuditQuery;
use wardkeep_client::wire::audit::AuditStatus;
use wardkeep_client::wire::ring::CreateRing;
use wardkeep_client::{Client, RingName};

use crate::home::{Credential, Home, runtime};
use crate::process::{copy_folder, finish};

/// Exit code of an error on this side.
const LOCAL: Option<i32> = Some(1);

/// The start is refused with all these words, and nothing is written for it.
fn assert_refused(home: &Home, flags: &[&str], words: &[&str]) {
    let (code, said) = home.refused(flags);
    assert_eq!(code, LOCAL, "{said}");
    for word in words {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

async fn ring(client: &Client, name: &str) {
    client.rings().create(&CreateRing { name: name.to_owned(), labels: Default::default() }).await.unwrap();
}

/// An installation that ran and was stopped in good order.
fn stopped(runtime: &tokio::runtime::Runtime) -> (Home, Credential) {
    let (home, mut server, ready, first) = Home::running(runtime);
    runtime.block_on(async { ring(&first.client(&ready).await, "kept").await });
    server.stop();
    (home, first)
}

/// Whether the log speaks of an accepted rollback, and how the log stands.
async fn accepted(client: &Client) -> (usize, AuditStatus) {
    let mut count = 0;
    let mut from = 1;
    loop {
        let page = client.audit().records(&AuditQuery { from: Some(from), limit: Some(500) }).await.unwrap();
        count += page.records.iter().filter(|record| record.line.contains("\"AcceptRollback\"")).count();
        from = page.next;
        if page.records.len() < 500 {
            break;
        }
    }
    (count, client.audit().verify().await.unwrap().status)
}

#[test]
fn a_folder_that_was_never_initialised_is_refused() {
    let home = Home::empty();
    let place = home.data().display().to_string();
    assert_refused(&home, &[], &[&place, "holds no store", "wardkeep server init"]);
    fs::create_dir(home.data()).unwrap();
    assert_refused(&home, &[], &["root.key"]);
    fs::write(home.root_key(), [7; 32]).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(home.root_key(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_refused(&home, &[], &["root.key", "chmod 600"]);
    fs::set_permissions(home.root_key(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_refused(&home, &[], &["holds no store", "wardkeep server init"]);
    assert_refused(&home, &["--accept-rollback"], &["holds no store"]);
}

#[test]
fn initialising_twice_is_refused_and_harms_nothing() {
    let runtime = runtime();
    let (home, first) = stopped(&runtime);
    let (code, _, said) = finish(&mut home.init_command());
    assert_eq!(code, LOCAL, "{said}");
    assert!(said.contains("exists already") || said.contains("holds a store already"), "{said}");
    let (_server, ready) = home.start();
    runtime.block_on(async { first.client(&ready).await.whoami().await.unwrap() });
}

#[test]
fn a_lost_head_is_refused_and_can_be_accepted() {
    let runtime = runtime();
    let (home, first) = stopped(&runtime);
    let place = home.head().display().to_string();
    fs::remove_file(home.head()).unwrap();
    assert_refused(&home, &[], &[&place, "is missing", "--accept-rollback"]);
    assert!(!home.head().exists(), "a refused start makes no head");

    let mut server = crate::process::Process::spawn(home.command().arg("--accept-rollback"), home.log());
    let ready = server.ready().unwrap_or_else(|status| panic!("{status}: {}", server.said()));
    runtime.block_on(async {
        assert_eq!(accepted(&first.client(&ready).await).await, (1, AuditStatus::Verified));
    });
    server.stop();
    let (_server, ready) = home.start();
    runtime.block_on(async {
        assert_eq!(accepted(&first.client(&ready).await).await, (1, AuditStatus::Verified), "once, not at every start");
    });
}

#[test]
fn a_head_that_was_changed_or_is_anothers_is_refused() {
    let runtime = runtime();
    let (home, _) = stopped(&runtime);
    let good = fs::read(home.head()).unwrap();
    for at in [0, 30, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(home.head(), bad).unwrap();
        assert_refused(&home, &[], &["head file"]);
    }
    for cut in [0, 1, good.len() - 1] {
        fs::write(home.head(), &good[..cut]).unwrap();
        assert_refused(&home, &[], &["is not a head", "--accept-rollback"]);
    }
    let (other, _) = stopped(&runtime);
    fs::copy(other.head(), home.head()).unwrap();
    assert_refused(&home, &[], &["another store"]);
    assert_refused(&home, &["--accept-rollback"], &["another store"]);
    fs::write(home.head(), &good).unwrap();
    drop(home.start());
}

#[test]
fn yesterdays_folder_is_refused_and_can_be_accepted() {
    let runtime = runtime();
    let (home, first) = stopped(&runtime);
    let yesterday = home.path("yesterday");
    copy_folder(&home.data(), &yesterday);
    let (mut server, ready) = home.start();
    runtime.block_on(async { ring(&first.client(&ready).await, "of-today").await });
    server.stop();

    fs::rename(home.data(), home.path("today")).unwrap();
    copy_folder(&yesterday, &home.data());
    let head = fs::read(home.head()).unwrap();
    assert_refused(&home, &[], &["it was put back", "--accept-rollback"]);
    assert!(fs::read(home.head()).unwrap() == head, "a refused start changes no head");

    let mut server = crate::process::Process::spawn(home.command().arg("--accept-rollback"), home.log());
    let ready = server.ready().unwrap_or_else(|status| panic!("{status}: {}", server.said()));
    runtime.block_on(async {
        let client = first.client(&ready).await;
        client.rings().describe(&RingName::new("kept").unwrap()).await.unwrap();
        client.rings().describe(&RingName::new("of-today").unwrap()).await.unwrap_err();
        assert_eq!(accepted(&client).await, (1, AuditStatus::Verified));
        // Two histories of one length: going on in the accepted one must not let the other back in.
        for number in 0..5 {
            ring(&client, &format!("new-{number}")).await;
        }
    });
    server.stop();
    fs::rename(home.data(), home.path("accepted")).unwrap();
    fs::rename(home.path("today"), home.data()).unwrap();
    assert_refused(&home, &[], &["--accept-rollback"]);
    fs::rename(home.data(), home.path("today")).unwrap();
    fs::rename(home.path("accepted"), home.data()).unwrap();
    drop(home.start());
}

#[test]
fn a_folder_in_use_is_refused_to_a_second_process() {
    let runtime = runtime();
    let (home, _server, ready, first) = Home::running(&runtime);
    assert_refused(&home, &[], &["in use by another process", "stop it first"]);
    assert_refused(&home, &["--accept-rollback"], &["in use by another process"]);
    let (code, _, said) = finish(&mut home.recover_command("second"));
    assert_eq!(code, LOCAL, "{said}");
    assert!(said.contains("in use by another process"), "{said}");
    runtime.block_on(async { first.client(&ready).await.whoami().await.unwrap() });
}

#[test]
fn another_root_key_is_refused() {
    let runtime = runtime();
    let (home, _) = stopped(&runtime);
    let good = fs::read(home.root_key()).unwrap();
    let mut other = good.clone();
    other[31] ^= 1;
    fs::write(home.root_key(), &other).unwrap();
    assert_refused(&home, &[], &["the root key does not open this store"]);
    assert_refused(&home, &["--accept-rollback"], &["the root key does not open this store"]);
    fs::write(home.root_key(), &good[..31]).unwrap();
    assert_refused(&home, &[], &["the root key is malformed"]);
    fs::write(home.root_key(), &good).unwrap();
    drop(home.start());
}
