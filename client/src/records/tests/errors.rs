//! Every way to fail with a record: the words, and on which side it lies.

use wardkeep_model::RequestId;

use super::*;
use crate::connect::ConnectError;
use crate::settings::Address;
use crate::{CredentialError, EnrolError, Refusal, RenewError};

fn refusal(status: u16) -> CallError {
    let (code, title, detail) = ("some-code".to_owned(), "some title".to_owned(), Some("this occurrence".to_owned()));
    let request = Some(RequestId::new("r-1").unwrap());
    CallError::from_refusal(Refusal { code, title, detail, status, request, findings: Vec::new() }, None)
}

/// Lower case, no full stop, and something to do or to look at.
#[track_caller]
fn assert_said(error: &dyn std::error::Error, words: &[&str]) {
    let said = error.to_string();
    assert!(words.iter().all(|word| said.contains(word)), "no {words:?} in: {said}");
    assert!(!said.ends_with('.') && said.starts_with(|c: char| c.is_lowercase() || c == '`'), "{said}");
}

#[test]
fn records_fail_in_words() {
    let io = || std::io::Error::other("the disk is gone");
    let cases: Vec<(RecordError, &[&str], Side)> = vec![
        (refusal(403).into(), &["denied", "this occurrence", "some-code", "r-1"], Side::Denied),
        (refusal(503).into(), &["unavailable", "this occurrence"], Side::Remote),
        (SealError::NoRecipient.into(), &["at least one recipient"], Side::Local),
        (WrapError::KeyId { len: 0 }.into(), &["0 bytes", "use 1 to 255"], Side::Local),
        (OpenError::NotAnEnvelope.into(), &["not a Wardkeep envelope"], Side::Local),
        (RewrapError::NoSuchStanza.into(), &["no stanza"], Side::Local),
        (WireContextError::Json.into(), &["the envelope's context cannot be used"], Side::Local),
        (KeyId::parse("x").unwrap_err().into(), &["the envelope's key cannot be used"], Side::Local),
        (RecordError::Unexpected, &["another record's"], Side::Local),
        (RecordError::NoServerKey, &["the private key that it was sealed for"], Side::Local),
        (RecordError::Answer, &["different versions"], Side::Remote),
        (io().into(), &["reading or writing failed", "the disk is gone"], Side::Local),
        (RecordError::Stopped, &["before it was done"], Side::Local),
        (
            RecordError::TooManyKeys { left: 3, first: Box::new(refusal(403).into()) },
            &["first 4", "other 3", "sealed for fewer keys", "denied"],
            Side::Denied,
        ),
        (
            RecordError::TooManyKeys { left: 1, first: Box::new(RecordError::Answer) },
            &["other 1", "no usable data key"],
            Side::Remote,
        ),
    ];
    for (error, words, side) in cases {
        assert_said(&error, words);
        assert_eq!((error.side(), error.is_denied()), (side, side == Side::Denied), "{error}");
        let from_server = matches!(error, RecordError::Call(_))
            || matches!(&error, RecordError::TooManyKeys { first, .. } if matches!(**first, RecordError::Call(_)));
        assert_eq!(error.call().is_some(), from_server, "{error}");
    }
}

#[test]
fn calls_fail_in_words() {
    let request = || RequestId::new("r-1").unwrap();
    let address = Address::parse("https://keys.example:9443").unwrap();
    let source = || Arc::new(std::io::Error::other("x"));
    let connect = |source| CallError::Connect { source, request: request() };
    let cases: Vec<(CallError, &[&str], Side)> = vec![
        (refusal(404), &["not found", "some-code"], Side::Remote),
        (refusal(409), &["conflict"], Side::Remote),
        (refusal(412), &["precondition failed"], Side::Remote),
        (refusal(422), &["invalid request"], Side::Remote),
        (refusal(429), &["rate limited"], Side::Remote),
        (refusal(507), &["no room"], Side::Remote),
        (refusal(500), &["the server failed"], Side::Remote),
        (
            connect(ConnectError::Unreachable { address: address.clone(), source: source() }),
            &["cannot reach", "keys.example:9443", "check the address", "r-1"],
            Side::Remote,
        ),
        (connect(ConnectError::Slow { address: address.clone(), seconds: 5 }), &["within 5 s"], Side::Remote),
        (connect(ConnectError::Tls { address, source: source() }), &["check the CA file", "r-1"], Side::Remote),
        (CallError::Broken { source: "x".into(), request: request() }, &["before the answer", "r-1"], Side::Remote),
        (
            CallError::Timeout { limit: Duration::from_millis(1500), request: request() },
            &["1.5 s", "r-1"],
            Side::Remote,
        ),
        (
            CallError::Protocol { fault: ProtocolFault::BatchLength { asked: 3, answered: 2 }, request: request() },
            &["batch of 3 items was answered with 2", "r-1"],
            Side::Remote,
        ),
        (CallError::Unwritable { part: "the path" }, &["the path is out of bounds"], Side::Local),
        (wardkeep_model::EntropyError.into(), &["random generator failed"], Side::Local),
    ];
    for (error, words, side) in cases {
        assert_said(&error, words);
        assert_eq!(error.side(), side, "{error}");
        assert_eq!(error.refusal().is_some(), error.to_string().contains("some-code"), "{error}");
        assert_eq!(error.request_id().is_some(), error.to_string().contains("r-1"), "{error}");
    }
}

#[test]
fn credentials_fail_in_words_and_on_this_side_unless_the_server_spoke() {
    let path = || std::path::PathBuf::from("my.pem");
    let credentials: Vec<(CredentialError, &[&str])> = vec![
        (CredentialError::Pem { what: "CA file", path: path() }, &["CA file `my.pem`", "no usable PEM"]),
        (CredentialError::Certificate { what: "CA file", path: path() }, &["cannot be parsed"]),
        (CredentialError::Key { path: path() }, &["RSA, ECDSA or Ed25519"]),
        (
            CredentialError::Mismatch { certificate: path(), key: "k.pem".into() },
            &["my.pem", "k.pem", "does not belong"],
        ),
        (CredentialError::Foreign { certificate: path() }, &["my.pem", "replace all three"]),
    ];
    for (error, words) in credentials {
        assert_said(&error, words);
        let renewing = RenewError::from(error);
        assert_eq!(renewing.side(), Side::Local);
    }
    assert_eq!(RenewError::from(refusal(403)).side(), Side::Denied);
    assert_said(&RenewError::from(refusal(403)), &["the certificate was not renewed", "denied"]);
    assert_said(&RenewError::Busy, &["another process"]);
    assert_said(&RenewError::Application(crate::certify::ApplicationFailed), &["could not make a key"]);
    assert_eq!(EnrolError::from(refusal(403)).side(), Side::Denied);
    assert_said(&EnrolError::Token, &["as `wardkeep cert token` printed it"]);
    assert_said(&EnrolError::Exists { path: path() }, &["`my.pem` exists"]);
    assert_said(&EnrolError::Write(std::io::Error::other("x")), &["cannot be written"]);
    assert_said(&crate::enrol::NotPinned, &["wrong server, or somebody between"]);
}
