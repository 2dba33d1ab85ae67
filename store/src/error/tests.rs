//! Every error of the room in words: lower case, in backticks what it is about, and what to do.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::path::PathBuf;

use super::*;
use crate::RecordError;

/// The house rules of a message.
fn house(said: &str) {
    assert!(!said.is_empty() && said.len() < 400, "{said}");
    assert!(!said.starts_with(|c: char| c.is_uppercase()), "upper case: {said}");
    assert!(!said.ends_with('.') && !said.contains("  "), "{said}");
    assert_eq!(said.matches('`').count() % 2, 0, "a lone backtick: {said}");
}

fn path() -> PathBuf {
    "data/head".into()
}

fn commits() -> Vec<CommitError> {
    vec![
        CommitError::Conflict { table: Table::Key, id: "r/k".into() },
        CommitError::Full,
        CommitError::ReserveSpent,
        CommitError::HeadStale,
        CommitError::TombstonesFull,
        CommitError::Closed,
        CommitError::Failed,
    ]
}

fn reads() -> Vec<ReadError> {
    vec![
        ReadError::Engine(rusqlite::Error::QueryReturnedNoRows),
        ReadError::Tampered { table: Table::Role, tag: "00ff".into() },
        ReadError::History { table: Table::Key, id: "r/k".into(), sequence: 3 },
        ReadError::Audit { record: 7 },
        ReadError::Corrupt { finding: "a page".into() },
        ReadError::Closed,
    ]
}

fn heads() -> Vec<HeadError> {
    let source = || io::Error::from(io::ErrorKind::PermissionDenied);
    vec![
        HeadError::Missing { path: path() },
        HeadError::Unreadable { path: path(), source: source() },
        HeadError::Malformed { path: path() },
        HeadError::BadSignature { path: path() },
        HeadError::Foreign { path: path() },
        HeadError::Tombstones { path: path() },
        HeadError::RolledBack { head: 5, database: 3 },
        HeadError::Diverged { commit: 4 },
    ]
}

fn verifications() -> Vec<VerifyError> {
    let source = RecordError::Version { found: 9 };
    let mut all = vec![
        VerifyError::Record { record: 4 },
        VerifyError::Malformed { record: 4, source },
        VerifyError::Cut { found: 3, expected: 5 },
        VerifyError::Signature,
    ];
    all.extend(heads().into_iter().map(VerifyError::Head));
    all
}

fn openings() -> Vec<OpenError> {
    vec![
        OpenError::NotInitialised { folder: path() },
        OpenError::AlreadyInitialised { folder: path() },
        OpenError::HeadExists { path: path() },
        OpenError::Locked { folder: path() },
        OpenError::WrongRootKey,
        OpenError::NewerFormat { found: 2, known: 1 },
        OpenError::Tampered { table: Table::Role, tag: "00ff".into() },
        OpenError::StateDigest,
        OpenError::Meta { name: "keys" },
        OpenError::NewestBatch,
        OpenError::Corrupt { finding: "a page".into() },
        OpenError::NotWal { mode: "delete".into() },
        OpenError::Engine(rusqlite::Error::QueryReturnedNoRows),
        OpenError::File { path: path(), source: io::Error::from(io::ErrorKind::NotFound) },
        OpenError::Entropy(wardkeep_model::EntropyError),
        OpenError::Commit(CommitError::Full),
        OpenError::SigningKey,
    ]
}

#[test]
fn every_message_keeps_the_house_rules_and_is_told_from_the_others() {
    fn told<E: Error>(all: Vec<E>) {
        let words: Vec<String> = all.iter().map(ToString::to_string).collect();
        words.iter().for_each(|said| house(said));
        let distinct: BTreeSet<&String> = words.iter().collect();
        // The head's own words come under one heading, with the source behind it.
        assert!(
            distinct.len() == words.len() || words.iter().any(|said| said.contains("does not fit the log")),
            "{words:?}"
        );
    }
    told(commits());
    told(reads());
    told(heads());
    told(verifications());
    told(openings());
}

#[test]
fn what_can_be_done_is_said() {
    for (said, words) in [
        (OpenError::NotInitialised { folder: path() }.to_string(), "wardkeep server init"),
        (OpenError::WrongRootKey.to_string(), "configure the key"),
        (OpenError::Locked { folder: path() }.to_string(), "stop it first"),
        (OpenError::NewerFormat { found: 2, known: 1 }.to_string(), "newer version"),
        (OpenError::StateDigest.to_string(), "old rows were put back"),
        (OpenError::NotWal { mode: "delete".into() }.to_string(), "local disk"),
        (OpenError::from(HeadError::Missing { path: path() }).to_string(), "--accept-rollback"),
        (CommitError::Full.to_string(), "free space"),
        (CommitError::HeadStale.to_string(), "check the head path"),
        (CommitError::Failed.to_string(), "restart"),
        (ReadError::Audit { record: 7 }.to_string(), "record 7"),
        (VerifyError::Cut { found: 3, expected: 5 }.to_string(), "ends at record 3, its head says 5"),
    ] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn causes_stand_behind_what_they_caused() {
    let denied = HeadError::Unreadable { path: path(), source: io::Error::from(io::ErrorKind::PermissionDenied) };
    assert!(denied.source().is_some_and(|cause| cause.to_string().contains("denied")));
    let verify = VerifyError::Head(HeadError::RolledBack { head: 5, database: 3 });
    assert!(verify.source().is_some_and(|cause| cause.to_string().contains("commit 5")), "{verify}");
    let read = VerifyError::from(ReadError::Closed);
    assert_eq!(read.to_string(), ReadError::Closed.to_string(), "passed through in its own words");
    let open = OpenError::from(CommitError::Full);
    assert!(open.source().is_some_and(|cause| cause.to_string().contains("disk is full")));
}
