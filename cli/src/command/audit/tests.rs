//! Records as people read them, and which errors a follower sits out.

use std::sync::Arc;

use serde_json::json;
use wardkeep_client::{Address, Refusal, RequestId};

use super::*;

fn record(line: &Value) -> AuditRecord {
    let (previous, hash) = (String::new(), String::new());
    AuditRecord { sequence: 7, previous, hash, line: line.to_string() }
}

#[test]
fn a_row_says_who_did_what_for_whom_and_why() {
    let ana = json!({"type": "User", "id": "ana"});
    let line = json!({
        "time": "2026-01-01T00:00:00.000Z", "actor": {"type": "Service", "id": "portal"}, "subject": ana,
        "action": "UnwrapDataKey", "resource": {"type": "Wardkeep::Key", "id": "r/k"},
        "record": {"type": "Note", "id": "n\"1"}, "outcome": "denied", "policies": ["a", "b"],
        "detail": {"reason": "no-permit"},
    });
    let shown = row(&record(&line));
    assert_eq!(shown["actor"], "Service::\"portal\" for User::\"ana\"");
    assert_eq!(shown["record"], "Note::\"n\\\"1\"");
    assert_eq!(shown["why"], "no-permit, a, b");
    assert_eq!(
        (&shown["sequence"], &shown["outcome"], &shown["action"]),
        (&json!(7), &json!("denied"), &json!("UnwrapDataKey"))
    );
    let own = row(&record(&json!({"actor": ana, "subject": ana})));
    assert_eq!(own["actor"], "User::\"ana\"", "for oneself is not said");
}

/// A line that is not of the form, from a newer server or a broken one: a row with holes, and no end of the program.
#[test]
fn a_line_of_another_form_is_a_row_with_holes() {
    for line in
        [json!(null), json!([]), json!("x"), json!({"actor": 7, "policies": {}, "detail": [], "record": {"type": 1}})]
    {
        let shown = row(&record(&line));
        assert_eq!(shown["sequence"], 7);
        assert!(COLUMNS.iter().all(|column| shown.get(column).is_some()), "{shown}");
        assert_eq!(shown["why"], "");
    }
    let broken = AuditRecord { line: "{".into(), ..record(&json!(null)) };
    assert_eq!(row(&broken)["action"], "");
}

#[test]
fn a_broken_log_is_named_by_its_first_bad_record() {
    let verdict = |first_bad, detail: Option<&str>| AuditVerdict {
        status: AuditStatus::Broken,
        records: 9,
        first_bad,
        detail: detail.map(str::to_owned),
    };
    assert_eq!(broken(verdict(Some(3), Some("the hash differs"))), " at record 3: the hash differs");
    assert_eq!(broken(verdict(None, None)), "");
}

fn refusal(status: u16) -> Box<Refusal> {
    let (code, title) = ("some-code".to_owned(), "some title".to_owned());
    Box::new(Refusal { code, title, detail: None, status, request: None, findings: Vec::new() })
}

#[test]
fn what_passes_is_waited_for_and_nothing_else() {
    let request = RequestId::new("r-1").unwrap();
    let address = Address::parse("https://h:1").unwrap();
    let source = || Arc::new(std::io::Error::other("x"));
    let connect = |source| CallError::Connect { source, request: request.clone() };
    let passing = [
        connect(ConnectError::Unreachable { address: address.clone(), source: source() }),
        connect(ConnectError::Slow { address: address.clone(), seconds: 5 }),
        CallError::Broken { source: "x".into(), request: request.clone() },
        CallError::Timeout { limit: Duration::from_secs(1), request: request.clone() },
        CallError::Unavailable { refusal: refusal(503), retry_after: None },
        CallError::RateLimited { refusal: refusal(429), retry_after: None },
    ];
    assert!(passing.iter().all(passes), "{passing:?}");
    let staying = [
        connect(ConnectError::Tls { address, source: source() }),
        CallError::Denied(refusal(403)),
        CallError::NotFound(refusal(404)),
        CallError::Invalid(refusal(400)),
        CallError::Failed(refusal(500)),
        CallError::Full(refusal(507)),
        CallError::Unwritable { part: "x" },
    ];
    assert!(!staying.iter().any(passes), "{staying:?}");
}
