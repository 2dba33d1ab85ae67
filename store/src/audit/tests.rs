//! The audit log as somebody outside reads it: with the exported lines, a signed head and the public key, and with nothing
//! of ours but the bytes described in docs/formats.md.
//!
//! An exported log that only its own server can check is worth what the server says. And a log whose lines can be written
//! in two ways, or made to look like two lines, is read differently by whoever comes after an incident.

use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use wardkeep_model::{AuditEvent, CertificateSerial, Decision, EntityUid, EventDetail, RequestId, Timestamp};

use super::record::RecordedEvent;
use crate::testing::{self, HandClock, SeededEntropy};
use crate::{MemoryStore, Store, Work};

/// What a verifier elsewhere has.
struct Export {
    lines: Vec<String>,
    /// The 185 bytes of the head file.
    head: Vec<u8>,
    key: [u8; 32],
}

/// The first thing that is wrong, by docs/formats.md alone.
fn verify(export: &Export) -> Result<u64, &'static str> {
    let head = &export.head;
    if head.len() != 185 || head[..8] != *b"WKHEAD\0\x01" || head[120] != 0 {
        return Err("no head");
    }
    if UnparsedPublicKey::new(&ED25519, &export.key).verify(&head[..121], &head[121..]).is_err() {
        return Err("signature");
    }
    let number = |at: usize| u64::from_be_bytes(head[at..at + 8].try_into().unwrap());
    let mut hash = Sha256::digest([b"wardkeep audit chain v1".as_slice(), &head[8..24]].concat());
    for line in &export.lines {
        hash = Sha256::digest([hash.as_slice(), line.as_bytes()].concat());
    }
    if number(32) != export.lines.len() as u64 {
        return Err("length");
    }
    if hash[..] != head[40..72] {
        return Err("hash");
    }
    Ok(number(32))
}

fn filled(events: usize) -> (Arc<MemoryStore>, Export) {
    let store = Arc::new(MemoryStore::new(HandClock::new(), SeededEntropy::new(5)).unwrap());
    for at in 0..events {
        store.commit(Work::record(vec![testing::event(&format!("user{at}"))])).wait().unwrap();
    }
    let lines = store.audit(1, usize::MAX).unwrap().into_iter().map(|record| record.line).collect();
    let export = Export { lines, head: store.head().to_bytes(), key: store.audit_public_key() };
    (store, export)
}

#[test]
fn whoever_has_the_key_checks_the_log_without_us() {
    for events in [0, 1, 2, 50] {
        assert_eq!(verify(&filled(events).1), Ok(events as u64));
    }
}

#[test]
fn an_older_head_speaks_of_the_log_as_it_was() {
    let (store, before) = filled(5);
    store.commit(Work::record(vec![testing::denial("eve")])).wait().unwrap();
    let lines: Vec<String> = store.audit(1, usize::MAX).unwrap().into_iter().map(|record| record.line).collect();
    let head = store.head().to_bytes();
    assert_eq!(verify(&Export { lines: lines[..5].to_vec(), head: before.head.clone(), key: before.key }), Ok(5));
    assert_eq!(verify(&Export { lines: lines.clone(), head: before.head, key: before.key }), Err("length"));
    assert_eq!(verify(&Export { lines, head, key: before.key }), Ok(6));
}

#[test]
fn a_log_of_another_store_has_another_beginning() {
    let (_, one) = filled(3);
    let other = MemoryStore::new(HandClock::new(), SeededEntropy::new(6)).unwrap();
    for at in 0..3 {
        other.commit(Work::record(vec![testing::event(&format!("user{at}"))])).wait().unwrap();
    }
    let head = other.head().to_bytes();
    assert_ne!(head[40..72], one.head[40..72], "the very same lines end in another hash");
    let mixed = Export { lines: one.lines.clone(), head: [&head[..24], &one.head[24..]].concat(), key: one.key };
    assert_eq!(verify(&mixed), Err("signature"), "nobody can say that they are another's");
    assert_eq!(verify(&Export { key: other.audit_public_key(), ..one }), Err("signature"));
}

#[test]
fn records_carry_the_chain_that_the_lines_give() {
    let (store, export) = filled(20);
    let mut hash: [u8; 32] =
        Sha256::digest([b"wardkeep audit chain v1".as_slice(), &export.head[8..24]].concat()).into();
    for (at, record) in store.audit(1, usize::MAX).unwrap().iter().enumerate() {
        assert_eq!((record.sequence, record.previous), (at as u64 + 1, hash));
        hash = Sha256::digest([hash.as_slice(), record.line.as_bytes()].concat()).into();
        assert_eq!(record.hash, hash);
    }
}

/// A line written from the table in docs/formats.md, by a JSON library that escapes as it likes.
fn expected(event: &AuditEvent) -> Value {
    let uid = |uid: &EntityUid| serde_json::json!({"type": uid.kind(), "id": uid.id()});
    let mut line = serde_json::json!({
        "v": 1, "time": event.time.to_string(), "actor": uid(&event.actor), "subject": uid(&event.subject),
        "action": event.action, "resource": uid(&event.resource), "decision": event.decision.as_str(),
        "policies": event.policies, "errors": event.errors, "policy_version": event.policy_version,
        "outcome": event.outcome, "request": event.request.as_str(),
    });
    if let Some((record, action)) = &event.record {
        line["record"] = uid(record);
        line["record_action"] = action.as_str().into();
    }
    if let Some(serial) = &event.serial {
        line["serial"] = serial.as_str().into();
    }
    if !event.detail.is_empty() {
        let fields = event.detail.iter().map(|(field, text)| (field.as_str().to_owned(), Value::from(text.as_str())));
        line["detail"] = Value::Object(fields.collect());
    }
    line
}

/// Text with everything in it that a viewer, a shell or a parser could trip over.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,12}",
        "(?s).{0,30}",
        prop::collection::vec(
            prop::sample::select(vec![
                '"',
                '\\',
                '\n',
                '\r',
                '\0',
                '\u{1b}',
                '\u{7f}',
                '\u{2028}',
                '\u{202e}',
                '\u{feff}',
                '{',
                '}',
                ',',
                'u',
                '\u{10ffff}'
            ]),
            0..12
        )
        .prop_map(|chars| chars.into_iter().collect()),
    ]
}

fn uids() -> impl Strategy<Value = EntityUid> {
    ("[A-Z][a-z]{0,5}(::[A-Z][a-z]{0,3})?", "[^\\p{Cc}]{1,12}")
        .prop_map(|(kind, id)| EntityUid::new(&kind, &id).unwrap())
}

fn events() -> impl Strategy<Value = AuditEvent> {
    let who = (uids(), uids(), uids(), prop::option::of((uids(), texts())));
    let what = (
        texts(),
        prop::collection::vec(texts(), 0..4),
        prop::collection::vec(texts(), 0..4),
        any::<u64>(),
        any::<bool>(),
    );
    let detail = prop::collection::vec((prop::sample::select(EventDetail::ALL.to_vec()), texts()), 0..5);
    (who, what, detail, 0_u64..253_402_300_799_999, any::<u128>(), prop::option::of("[1-9a-f][0-9a-f]{0,39}")).prop_map(
        |(
            (actor, subject, resource, record),
            (action, policies, errors, policy_version, allow),
            detail,
            time,
            request,
            serial,
        )| AuditEvent {
            time: Timestamp::from_millis(time),
            actor,
            subject,
            action,
            resource,
            record,
            decision: if allow { Decision::Allow } else { Decision::Deny },
            policies,
            errors,
            policy_version,
            outcome: "ok",
            request: RequestId::from_random(request),
            serial: serial.map(|text| CertificateSerial::parse(&text).unwrap()),
            detail,
        },
    )
}

/// Member names in the order in which they stand.
fn members(line: &str) -> Vec<String> {
    // Names and values alike are strings without a bare quote inside; a name is followed by a colon, at depth one.
    let (mut names, mut depth, mut rest) = (Vec::new(), 0, line);
    while let Some(c) = rest.chars().next() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                let mut end = 1;
                while rest.as_bytes()[end] != b'"' {
                    end += if rest.as_bytes()[end] == b'\\' { 2 } else { 1 };
                }
                if depth == 1 && rest.as_bytes()[end + 1] == b':' {
                    names.push(rest[1..end].to_owned());
                }
                rest = &rest[end..];
            }
            _ => {}
        }
        rest = &rest[1..];
    }
    names
}

const ORDER: [&str; 15] = [
    "v",
    "time",
    "actor",
    "subject",
    "action",
    "resource",
    "record",
    "record_action",
    "decision",
    "policies",
    "errors",
    "policy_version",
    "outcome",
    "request",
    "serial",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_line_is_the_documented_one(event in events()) {
        let line = crate::audit::record::line_of(&event);
        prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected(&event));
        prop_assert!(line.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{}", &line);
        let names = members(&line);
        let wanted: Vec<&str> = ORDER.iter().copied().chain(["detail"]).filter(|name| names.iter().any(|found| found == name)).collect();
        prop_assert_eq!(names, wanted, "in the fixed order, none twice");
        prop_assert!(!line.contains(": ") || line.contains("\"") , "no spaces between members");
    }

    #[test]
    fn a_line_reads_back_whole(event in events()) {
        let read = RecordedEvent::parse(&crate::audit::record::line_of(&event)).unwrap();
        prop_assert_eq!((read.time, read.actor, read.subject, read.resource), (event.time, event.actor, event.subject, event.resource));
        prop_assert_eq!((read.action, read.record, read.decision), (event.action, event.record, event.decision));
        prop_assert_eq!((read.policies, read.errors, read.policy_version), (event.policies, event.errors, event.policy_version));
        prop_assert_eq!(read.serial.as_deref(), event.serial.as_ref().map(CertificateSerial::as_str));
        prop_assert_eq!(read.request.as_str(), event.request.as_str());
        for (field, _) in &event.detail {
            let last = event.detail.iter().rev().find(|(other, _)| other == field).map(|(_, text)| text);
            prop_assert_eq!(read.detail.get(field.as_str()), last);
        }
    }

    #[test]
    fn an_edited_export_is_noticed(at in any::<prop::sample::Index>(), edit in 0..5_u8, other in any::<prop::sample::Index>()) {
        let (_, good) = filled(12);
        let mut lines = good.lines.clone();
        let (at, other) = (at.index(lines.len()), other.index(lines.len()));
        match edit {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other].clone()),
            2 => lines.swap(at, other),
            3 => lines[at].push(' '),
            _ => lines[at] = lines[at].replacen("allow", "deny", 1),
        }
        let said = verify(&Export { lines: lines.clone(), ..good });
        prop_assert_eq!(said.is_ok(), lines == filled(12).1.lines, "{:?}", said);
    }

    #[test]
    fn an_edited_head_is_noticed(at in 0..185_usize, bit in 0_u8..8) {
        let (_, mut export) = filled(3);
        export.head[at] ^= 1 << bit;
        prop_assert!(verify(&export).is_err());
    }

    #[test]
    fn no_text_makes_the_reader_fail(text in "(?s).{0,80}") {
        let _ = RecordedEvent::parse(&text);
    }
}

#[test]
fn a_time_is_read_in_its_one_spelling() {
    let line = crate::audit::record::line_of(&testing::event("ana"));
    let at = |time: &str| RecordedEvent::parse(&line.replacen("2026-11-21T12:00:00.123Z", time, 1));
    assert!(at("2026-11-21T12:00:00.123Z").is_ok() && at("1970-01-01T00:00:00.000Z").is_ok());
    for bad in [
        "2026-11-21T12:00:00.123z",
        "2026-11-21 12:00:00.123Z",
        "2026-11-21T12:00:00.123+00:00",
        "2026-11-21T12:00:00.12Z",
        "2026-11-21T12:00:00.1234Z",
        "2026-11-21T12:00:60.000Z",
        "2026-11-31T12:00:00.000Z",
        "2026-02-29T12:00:00.000Z",
        "2026-13-01T12:00:00.000Z",
        "2026-00-01T12:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "+2026-11-21T12:00:00.123Z",
        "2026-11-21T24:00:00.000Z",
        "2026-11-21T12:00:00.-23Z",
        "99999999999999999999-01-01T00:00:00.000Z",
    ] {
        assert!(at(bad).is_err(), "{bad}");
    }
}
