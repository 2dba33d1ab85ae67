//! HTTP/1.1 that two readers could read in two ways: refused, and never answered as more requests than it is.
//!
//! Broke elsewhere: request smuggling by two lengths (CVE-2021-21295, CVE-2022-24766), by folded or bent headers, by
//! chunks that one side counts otherwise.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::house::{House, plan};
use crate::tls::forge::{ANA, Forge};

/// Everything that comes back for these bytes, until the server closes or has nothing more to say.
async fn said(house: &House, ca: &Forge, bytes: &[u8]) -> String {
    let mut stream = house.tls(Some(&ca.ana()), &[b"http/1.1"]).await.unwrap();
    let _closed = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _timers = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn answers(text: &str) -> Vec<u16> {
    let starts = text.match_indices("HTTP/1.1 ").map(|(at, word)| at + word.len());
    starts.filter_map(|at| text.get(at..at + 3)?.parse().ok()).collect()
}

/// A second request inside what may be the first one's body.
const INNER: &str = "GET /who HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_request_of_two_lengths_is_refused_whole() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let len = INNER.len();
    for (name, head) in [
        ("chunks and a length", format!("transfer-encoding: chunked\r\ncontent-length: {len}")),
        ("a length and chunks", format!("content-length: {len}\r\ntransfer-encoding: chunked")),
        ("two lengths", format!("content-length: 0\r\ncontent-length: {len}")),
        ("two lengths in one", format!("content-length: 0, {len}")),
        ("a signed length", "content-length: +0".to_owned()),
        ("a negative length", "content-length: -1".to_owned()),
        ("a length in hexadecimal", "content-length: 0x10".to_owned()),
        ("a length beyond all bounds", "content-length: 99999999999999999999".to_owned()),
        ("a transfer encoding that is none", "transfer-encoding: chunkedd".to_owned()),
        ("chunks that are not last", "transfer-encoding: chunked, identity".to_owned()),
        ("a space before the colon", format!("content-length : {len}")),
        ("a folded header", format!("x: a\r\n content-length: {len}")),
        ("NUL in a value", "x: a\0b".to_owned()),
        ("NUL in a name", "x\0: b".to_owned()),
        ("a header without a name", ": b".to_owned()),
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n0\r\n\r\n{INNER}");
        let text = said(&house, &ca, request.as_bytes()).await;
        assert!(!text.contains(ANA), "{name}: the inner request was answered: {text}");
        let statuses = answers(&text);
        assert!(statuses.len() <= 1, "{name}: {text}");
        // What is legible in one way only may be answered; what is not is 400.
        assert!(statuses.first().is_none_or(|status| [200, 400, 408, 501].contains(status)), "{name}: {text}");
    }
}

#[tokio::test]
async fn bent_request_lines_are_refused_and_the_listener_lives() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(100_000));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no version", b"GET /who\r\n\r\n".to_vec()),
        ("version 0.9", b"GET /who HTTP/0.9\r\n\r\n".to_vec()),
        ("version 3", b"GET /who HTTP/3.0\r\nhost: a\r\n\r\n".to_vec()),
        ("a space in the path", b"GET /wh o HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("NUL in the path", b"GET /who\0 HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("bytes beyond ASCII", b"GET /\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("a method that is none", b"G(T /who HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        ("HTTP/2's preface on HTTP/1.1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a target that never ends", long.into_bytes()),
        ("another protocol", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
    ];
    for (name, bytes) in cases {
        let text = said(&house, &ca, &bytes).await;
        let statuses = answers(&text);
        let refused = statuses.iter().all(|status| [400, 404, 414, 431, 505].contains(status));
        assert!(refused && statuses.len() <= 1, "{name}: {text}");
        assert!(!text.contains(ANA), "{name}: {text}");
    }
    assert!(house.who(Some(&ca.ana())).await.unwrap().ends_with(ANA));
}

#[tokio::test]
async fn chunks_are_counted_as_they_say() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    for (body, expected) in [
        ("5\r\nhello\r\n0\r\n\r\n", Some("5")),
        ("5;name=value\r\nhello\r\n0\r\n\r\n", Some("5")),
        ("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", Some("5")),
        ("A\r\n0123456789\r\n0\r\n\r\n", Some("10")),
        ("05\r\nhello\r\n0\r\n\r\n", Some("5")),
        ("0\r\n\r\n", Some("0")),
        ("5\r\nhelloX\r\n0\r\n\r\n", None),
        ("g\r\nhello\r\n0\r\n\r\n", None),
        ("-5\r\nhello\r\n0\r\n\r\n", None),
        ("5 5\r\nhello\r\n0\r\n\r\n", None),
        ("ffffffffffffffffff\r\nhello\r\n0\r\n\r\n", None),
        ("5\r\nhello\r\n", None),
    ] {
        let text = said(&house, &ca, format!("{head}{body}").as_bytes()).await;
        match expected {
            Some(length) => {
                assert!(text.starts_with("HTTP/1.1 200") && text.ends_with(&format!("\r\n\r\n{length}")), "{text}")
            }
            None => assert!(answers(&text).iter().all(|status| [400, 408].contains(status)), "{body:?}: {text}"),
        }
    }
}

#[tokio::test]
async fn requests_in_a_row_get_answers_in_a_row() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let last = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    let text = said(&house, &ca, format!("{}{post}{INNER}{last}", INNER.repeat(20)).as_bytes()).await;
    assert_eq!(answers(&text), [200; 23], "{text}");
    assert_eq!(text.matches(ANA).count(), 21);
    assert!(text.ends_with("hello"));
}

#[tokio::test]
async fn whose_certificate_it_is_no_header_says() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let headers = [
        "x-forwarded-client-cert: URI=spiffe://clinic.test/user/root",
        "x-ssl-client-s-dn: CN=root",
        "x-forwarded-for: 127.0.0.1",
        "forwarded: for=127.0.0.1;host=root",
        "authorization: Bearer root",
        "host: clinic.test",
    ];
    for header in headers {
        let request = format!("GET /who HTTP/1.1\r\nhost: a\r\n{header}\r\nconnection: close\r\n\r\n");
        let text = said(&house, &ca, request.as_bytes()).await;
        assert!(text.ends_with(ANA) || answers(&text) == [400], "{header}: {text}");
    }
}

#[tokio::test]
async fn an_upgrade_is_not_taken() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    for upgrade in ["h2c", "websocket", "TLS/1.0"] {
        let request = format!(
            "GET /who HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: {upgrade}\r\nhttp2-settings: AAMAAABk\r\n\r\n"
        );
        let text = said(&house, &ca, request.as_bytes()).await;
        assert_eq!(answers(&text), [200], "answered as it stands, in the version that was agreed: {text}");
        assert!(!text.contains("101"), "{text}");
    }
    let text = said(&house, &ca, b"CONNECT evil.test:443 HTTP/1.1\r\nhost: evil.test:443\r\n\r\n").await;
    assert!(answers(&text).iter().all(|status| *status >= 400), "{text}");
}
