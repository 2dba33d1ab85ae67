//! Bodies that are small and become large, and bodies that never end.
//!
//! Broke elsewhere: JSON bombs (CVE-2025-6203, 59043, 12044; CVE-2023-6337).

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wardkeep_tests::{Ask, House, bundle};

const JSON: &str = "application/json";

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_strings_and_size_are_bounded_on_every_route() {
    let house = House::new().await;
    let eve = house.user("eve", &[]).await;
    let texts = |count: usize| format!("[{}]", vec!["\"\""; count].join(","));
    let usual = [
        (nested("[", "]", 33), 400, "body-bounds"),
        (nested("[", "]", 500_000), 400, "body-bounds"),
        (nested("{\"a\":", "}", 33), 400, "body-bounds"),
        (texts(1_001), 400, "body-bounds"),
        (format!("{{{}}}", vec!["\"a\":1"; 1_001].join(",")), 400, "body-bounds"),
        (" ".repeat((1 << 20) + 1), 413, "body-too-large"),
        (format!("[{}]", vec!["0"; 400_000].join(",")), 400, "body-bounds"),
        (format!("{{\"key\":{}}}", "9".repeat(500_000)), 400, "malformed-body"),
        (format!("{{\"key\":\"{}\"}}", "a".repeat(1_000_000)), 400, ""),
    ];
    for path in ["/v1/data-keys", "/v1/rings", "/v1/random", "/v1/tokens"] {
        for (body, status, code) in &usual {
            let answer = house.ask(&eve, Ask::new(Method::POST, path).raw(JSON, body.clone())).await;
            assert_eq!(answer.status, *status, "{path} {:.40}: {}", body, answer.text());
            assert!(code.is_empty() || answer.code() == *code, "{path} {:.40}: {}", body, answer.text());
            assert!(answer.bytes.len() < 2_000, "{path}: the answer echoes");
        }
    }
    for path in ["/v1/entities", "/v1/bundles", "/v1/data-keys/batch"] {
        let large = [
            (nested("[", "]", 33), 400, "body-bounds"),
            (texts(100_001), 400, "body-bounds"),
            (" ".repeat((8 << 20) + 1), 413, "body-too-large"),
        ];
        for (body, status, code) in large {
            let answer = house.ask(&eve, Ask::new(Method::POST, path).raw(JSON, body)).await;
            assert_eq!(answer.said(), (status, code), "{path}: {}", answer.text());
        }
    }
    assert_eq!(house.get(&eve, "/v1/whoami").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_a_certificate_makes_the_server_read_much() {
    let house = House::new().await;
    let enrol = house.running().enrol.unwrap();
    for (body, status) in [(nested("[", "]", 40), 400), (" ".repeat((1 << 20) + 1), 413), ("x".to_owned(), 400)] {
        let answer =
            house.nobody().send_anew(enrol, &Ask::new(Method::POST, "/v1/enrol").raw(JSON, body)).await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    for token in ["", "wk1", "wk1..", &format!("wk1.{}.{}", "A".repeat(43), "A".repeat(43)), &"w".repeat(10_000)] {
        let ask = Ask::post("/v1/enrol", json!({"token": token, "csr_pem": "x"}));
        let answer = house.nobody().send_anew(enrol, &ask).await.unwrap();
        assert!(matches!(answer.status, 400 | 403), "{token:.20}: {}", answer.text());
        assert!(!answer.text().contains("AAAA"), "a token is not echoed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_repeated_members_are_refused_on_every_route() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let bodies: Vec<(&str, Value)> = vec![
        ("/v1/data-keys", json!({"key": "mine/wrap"})),
        ("/v1/data-keys/unwrap", json!({"wrapped": "AA=="})),
        ("/v1/data-keys/rewrap", json!({"wrapped": "AA=="})),
        ("/v1/data-keys/batch", json!({"items": [{"key": "mine/wrap"}]})),
        ("/v1/encrypt", json!({"key": "mine/seal", "plaintext": "AA=="})),
        ("/v1/decrypt", json!({"ciphertext": "AA=="})),
        ("/v1/sign", json!({"key": "mine/sign", "message": "AA=="})),
        ("/v1/random", json!({"length": 1})),
        ("/v1/keys", json!({"key": "mine/new", "spec": "ed25519", "usage": "sign"})),
        ("/v1/keys/mine/wrap/rotate", json!({})),
        ("/v1/keys/mine/wrap/suspend", json!({})),
        ("/v1/rings", json!({"name": "new"})),
        ("/v1/tokens", json!({"identity": "spiffe://house.test/user/ann"})),
        ("/v1/bundles", bundle::activation(&bundle::tested())),
        ("/v1/entities", json!({"entities": []})),
        ("/v1/certificates/renew", json!({"csr_pem": ""})),
        ("/v1/audit/verify", json!({})),
    ];
    for (path, body) in bodies {
        let mut more = body.clone();
        more["canary-member"] = json!(true);
        let answer = house.post(&ann, path, more).await;
        assert_eq!(answer.said(), (400, "malformed-body"), "{path}: {}", answer.text());
        assert!(!answer.text().contains("canary-member"), "{path}: what a caller wrote is not echoed");
        if let Some((name, value)) = body.as_object().and_then(|members| members.iter().next()) {
            let inner = &body.to_string()[1..];
            let twice = format!("{{{}:{value},{inner}", json!(name));
            let answer = house.ask(&ann, Ask::new(Method::POST, path).raw(JSON, twice)).await;
            assert_eq!(answer.said(), (400, "malformed-body"), "{path}: {}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_that_says_so_is_read() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    let body = json!({"key": "mine/wrap"}).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json5", ""] {
        let ask = Ask::new(Method::POST, "/v1/data-keys").raw(kind, body.clone());
        assert_eq!(house.ask(&ann, ask).await.said(), (415, "unsupported-media-type"), "{kind}");
    }
    for bad in [
        &b"\xff\xfe{}"[..],
        b"\xef\xbb\xbf{\"key\":\"mine/wrap\"}",
        b"{\"key\":\"\xff\"}",
        b"{\"key\":\"mine/wrap\"}x",
        b"NaN",
    ] {
        let ask = Ask::new(Method::POST, "/v1/data-keys").raw(JSON, Bytes::copy_from_slice(bad));
        assert_eq!(house.ask(&ann, ask).await.said(), (400, "malformed-body"), "{bad:?}");
    }
    let ask = Ask::new(Method::POST, "/v1/data-keys").raw("application/json; charset=utf-8", body.clone());
    assert_eq!(house.ask(&ann, ask).await.status, 200);
    let zipped = Ask::new(Method::POST, "/v1/data-keys").raw(JSON, body).header("content-encoding", "gzip");
    assert!(matches!(house.ask(&ann, zipped).await.status, 200 | 400 | 415), "never unpacked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_ends_the_request_on_time() {
    let house = House::with(bundle::tested(), |config| config.limits.body_millis = 300).await;
    let eve = house.user("eve", &[]).await;
    let mut stream = eve.dial(house.api(), b"http/1.1").await.unwrap();
    let head =
        "POST /v1/rings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server waits");
    let text = String::from_utf8_lossy(&answer);
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    // Length and transfer coding that contradict each other are no request at all.
    let mut stream = eve.dial(house.api(), b"http/1.1").await.unwrap();
    let smuggled = "POST /v1/rings HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}{}{}";
    stream.write_all(smuggled.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok() && String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 400"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_paths_are_bounded() {
    let house = House::new().await;
    let eve = house.user("eve", &[]).await;
    let long = Ask::get("/v1/whoami").header("x-long", "a".repeat(20_000));
    let many = (0..200).fold(Ask::get("/v1/whoami"), |ask, n| ask.header(&format!("x-{n}"), "a"));
    let path = Ask::get(format!("/v1/keys/{}/k", "a".repeat(10_000)));
    for ask in [long, many, path] {
        // The connection may be ended with the answer, or instead of one.
        if let Ok(answer) = eve.send_anew(house.api(), &ask).await {
            assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text());
        }
    }
    assert_eq!(house.get(&eve, "/v1/whoami").await.status, 200);
}
