//! A disk that refuses to make writes durable.
//!
//! After a failed fsync the kernel may take the pages for clean: trying again would call them durable that are not.
//! So one failure ends the process, and nobody is told that the change was made.

use std::process::Command;
use std::time::Duration;

use wardkeep_client::RingName;
use wardkeep_client::wire::ring::CreateRing;

use crate::chance::{self, Chance};
use crate::crash::Load;
use crate::home::{Home, is_in_doubt, runtime};
use crate::process::{Process, program, works};

/// A system call tracer that makes every fsync from the `first` on fail, or that one alone.
fn saboteur(home: &Home, first: u32, all: bool) -> Command {
    let mut command = program("strace");
    let more = if all { "+" } else { "" };
    command.args(["-f", "-e", "trace=fsync,fdatasync", "-e"]);
    command.arg(format!("inject=fsync,fdatasync:error=EIO:when={first}{more}"));
    command.arg("-o").arg(home.log());
    command
}

/// Whether such a tracer can be had here.
fn can_sabotage(test: &str) -> bool {
    let home = Home::empty();
    // `-D` makes the traced program our own child, so that killing and waiting are about it.
    if works(saboteur(&home, 1, true).args(["-D", "true"])) {
        return true;
    }
    println!("SKIPPED: {test}: strace cannot be had, or may not trace here");
    false
}

fn assert_says_why(said: &str) {
    assert!(said.contains("the state database could not be written: nothing more is taken"), "{said}");
    assert!(said.contains("disk I/O error") && said.contains("the process ends"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn one_failed_fsync_ends_the_server() {
    if !can_sabotage("one_failed_fsync_ends_the_server") {
        return;
    }
    let runtime = runtime();
    let (home, mut server, ready, first) = Home::running(&runtime);
    let ring = |name: &str| CreateRing { name: name.to_owned(), labels: Default::default() };
    let client = runtime.block_on(first.client(&ready));
    let kept = runtime.block_on(client.rings().create(&ring("kept"))).unwrap();
    // The head outside is written a second later at most, by an fsync that is not the one to fail.
    std::thread::sleep(Duration::from_millis(2500));

    let pid = server.id().to_string();
    let mut strace = Process::spawn(saboteur(&home, 1, false).args(["-p", &pid]), home.log());
    strace.wait_for(|said| said.contains("attached").then_some(())).unwrap();
    let error = runtime.block_on(client.rings().create(&ring("lost"))).unwrap_err();
    assert!(is_in_doubt(&error), "an answer claims to know: {error}");
    let status = server.end();
    assert!(!status.success(), "{status}");
    assert_says_why(&server.said());

    let (_server, ready) = home.start();
    runtime.block_on(async {
        let client = first.client(&ready).await;
        assert_eq!(client.rings().describe(&RingName::new("kept").unwrap()).await.unwrap(), kept);
        client.rings().create(&ring("after")).await.unwrap();
        client.audit().verify().await.unwrap();
    });
}

#[test]
fn a_disk_that_fails_from_some_moment_on_loses_nothing_acknowledged() {
    if !can_sabotage("a_disk_that_fails_from_some_moment_on_loses_nothing_acknowledged") {
        return;
    }
    let seed = chance::seed("WARDKEEP_FSYNC_SEED");
    println!("fsync: WARDKEEP_FSYNC_SEED={seed}");
    let mut chance = Chance::of(seed);
    let runtime = runtime();
    let (home, mut server, mut ready, first) = Home::running(&runtime);
    let mut load = Load::new(&mut chance);
    for moment in [1, 2, 4, 9, 30, 100] {
        let client = runtime.block_on(first.client(&ready));
        runtime.block_on(load.prepare(&home, &client, &ready));
        server.stop();

        let real = home.command();
        let mut command = saboteur(&home, moment, true);
        command.arg("-D").arg(real.get_program()).args(real.get_args());
        let mut failing = Process::spawn(&mut command, home.log());
        let started = failing.ready();
        if let Ok(ready) = &started {
            load.run(&runtime, ready, &first, || {
                let status = failing.end();
                assert!(!status.success(), "fsync {moment}: {status}");
            });
            assert_says_why(&failing.said());
        }
        assert!(!failing.end().success(), "fsync {moment}: {}", failing.said());
        println!("fsync: failing from the {moment}th on, started: {}", started.is_ok());

        (server, ready) = home.start();
        let client = runtime.block_on(first.client(&ready));
        runtime.block_on(load.check(&client, &ready));
    }
    assert!(load.acknowledged() > 50, "{} requests are no load", load.acknowledged());
    server.stop();
}
