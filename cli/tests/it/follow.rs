//! `wardkeep audit tail --follow`: a log that goes on, over a server that does not.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::binary::{code, stderr};
use crate::dev::{Dev, end_of, signal};

/// Somebody who follows the log, and the records that came, one at a time.
struct Follower {
    child: Child,
    records: Receiver<Value>,
    remarks: Receiver<String>,
}

impl Follower {
    fn start(dev: &Dev) -> Self {
        let mut command = dev.command_as(&dev.admin(), &["audit", "tail", "--follow", "--lines", "1"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (BufReader::new(child.stdout.take().unwrap()), BufReader::new(child.stderr.take().unwrap()));
        let ((send, records), (tell, remarks)) = (channel(), channel());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // A line is a page: an array of records.
                let page: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                for record in page.as_array().unwrap() {
                    let _ = send.send(record.clone());
                }
            }
        });
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self { child, records, remarks }
    }

    /// The next record that speaks of this, and the sequence of every one before it.
    fn until(&self, word: &str) -> Vec<u64> {
        let mut seen = Vec::new();
        loop {
            let record =
                self.records.recv_timeout(Duration::from_secs(120)).unwrap_or_else(|_| panic!("no `{word}` came"));
            seen.push(record["sequence"].as_u64().unwrap());
            if record["line"].as_str().unwrap().contains(word) {
                return seen;
            }
        }
    }

    fn remark(&self, word: &str) -> String {
        loop {
            let line =
                self.remarks.recv_timeout(Duration::from_secs(120)).unwrap_or_else(|_| panic!("no `{word}` was said"));
            if line.contains(word) {
                return line;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_follower_sees_each_record_once_and_ends_in_good_order() {
    for (at, name) in ["-INT", "-TERM"].into_iter().enumerate() {
        let dev = Dev::start();
        let mut follower = Follower::start(&dev);
        dev.json(&["ring", "create", "ring-one"]);
        let mut seen = follower.until("ring-one");
        dev.json(&["ring", "create", "ring-two"]);
        seen.extend(follower.until("ring-two"));
        assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "none twice, none left out: {seen:?}");
        signal(&follower.child, name);
        assert_eq!(end_of(&mut follower.child).code(), Some(0), "{at}: whoever follows ends it so: nothing failed");
    }
}

#[test]
fn a_restart_of_the_server_is_outlived_without_a_gap() {
    let dev = Dev::start();
    let port = dev.port();
    let mut follower = Follower::start(&dev);
    dev.json(&["ring", "create", "before"]);
    let mut seen = follower.until("before");
    let folder = dev.stop();
    let away = follower.remark("asking again");
    assert!(away.contains(&port.to_string()), "it says which server: {away}");
    let dev = Dev::start_in(folder, port);
    follower.remark("answers again");
    dev.json(&["ring", "create", "after"]);
    seen.extend(follower.until("after"));
    assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
    assert!(follower.remarks.try_recv().is_err(), "one remark for one absence");
    signal(&follower.child, "-INT");
    assert_eq!(end_of(&mut follower.child).code(), Some(0));
}

#[test]
fn a_follower_can_be_ended_while_its_server_is_away() {
    let dev = Dev::start();
    let mut follower = Follower::start(&dev);
    dev.json(&["ring", "create", "before"]);
    follower.until("before");
    let _folder = dev.stop();
    follower.remark("asking again");
    signal(&follower.child, "-INT");
    assert_eq!(end_of(&mut follower.child).code(), Some(0));
}

/// Waiting is for what passes. A follower whose right is gone is told so, with the exit code of a denial.
#[test]
fn a_follower_who_loses_the_right_ends() {
    let dev = Dev::start();
    let entities = dev.file("e.json", r#"[{"uid":{"type":"User","id":"eve"},"attrs":{},"parents":[]}]"#);
    dev.json(&["entity", "put", entities.to_str().unwrap()]);
    dev.json(&["role", "grant", "auditor", "User::\"eve\""]);
    let eve = dev.admit("user", "eve");
    let mut command = dev.command_as(&eve, &["audit", "tail", "--follow"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(child.try_wait().unwrap().is_none(), "it follows");
    dev.json(&["role", "revoke", "auditor", "User::\"eve\""]);
    let status = end_of(&mut child);
    let said = stderr(&child.wait_with_output().unwrap());
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("denied"), "{said}");
}

#[test]
fn a_server_that_was_never_there_is_an_error_at_once() {
    let dev = Dev::start();
    let away = dev.run(&["audit", "tail", "--follow", "--address", "https://127.0.0.1:1"]);
    assert_eq!(code(&away), 2, "{}", stderr(&away));
}
