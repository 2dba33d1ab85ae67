//! HTTP/2 connections: revocation cuts them, age and shutdown end them, unfinished frames do not hold them open.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use wardkeep_model::CertificateSerial;

use super::house::{House, Lines, plan, quick};
use crate::config::Limits;
use crate::peer::issuer_digest;
use crate::tls::forge::Forge;

fn issuer(ca: &Forge) -> [u8; 32] {
    let (_, parsed) = x509_parser::parse_x509_certificate(&ca.der).unwrap();
    issuer_digest(parsed.subject().as_raw())
}

#[tokio::test]
async fn revocation_cuts_an_open_stream_within_a_second() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let limits = Limits { request_millis: 60_000, ..quick() };
    let house = House::open(&ca, super::house::Plan { limits, ..plan(&ca) }).await;
    let mut client = house.http2(Some(&ca.ana())).await;
    assert_eq!(client.get("/who").await.unwrap().status(), 200);
    let mut sender = client.sender.clone();
    let open = tokio::spawn(async move {
        let request = http::Request::get("https://localhost/slow").body(axum::body::Body::empty()).unwrap();
        sender.send_request(request).await.is_err()
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!open.is_finished(), "the stream is open");
    let start = Instant::now();
    house.guard.revoked.add_serials([(issuer(&ca), CertificateSerial::parse("1122").unwrap())]);
    assert!(open.await.unwrap(), "the open stream ends in an error");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let line = lines.wait_for("connection cut").await;
    assert!(line.contains("certificate-revoked") && line.contains("user/ana"), "{line}");
    assert!(client.get("/who").await.is_err(), "nothing gets through afterwards");
}

#[tokio::test]
async fn others_go_on_when_one_is_revoked() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let mut client = house.http2(Some(&ca.ana())).await;
    assert_eq!(client.get("/who").await.unwrap().status(), 200);
    house.guard.revoked.add_serials([(issuer(&ca), CertificateSerial::parse("99").unwrap())]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.get("/who").await.unwrap().status(), 200);
}

#[tokio::test]
async fn age_ends_a_connection_in_good_order() {
    let ca = Forge::new("Clinic CA");
    let limits = Limits { connection_age_millis: 400, ..quick() };
    let house = House::open(&ca, super::house::Plan { limits, ..plan(&ca) }).await;
    let mut client = house.http2(Some(&ca.ana())).await;
    assert_eq!(client.get("/who").await.unwrap().status(), 200);
    let ended = tokio::time::timeout(Duration::from_secs(5), client.driver).await.unwrap().unwrap();
    assert_eq!(ended, Ok(()), "GOAWAY, not a reset");
}

#[tokio::test]
async fn an_unfinished_frame_is_cut() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    // A preface, a frame header and a header block (HEADERS without END_HEADERS), each begun and not ended.
    let begun: [&[u8]; 3] =
        [&hello[..10], &[&hello[..], &[0, 0]].concat(), &[&hello[..], &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]].concat()];
    for bytes in begun {
        lines.take();
        let mut stream = house.tls(Some(&ca.ana()), &[b"h2"]).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let start = Instant::now();
        let mut sink = Vec::new();
        let _reset =
            tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut sink)).await.expect("never cut");
        assert!(start.elapsed() < Duration::from_millis(1_900), "{:?}", start.elapsed());
        lines.wait_for("reason=\"headers\"").await;
    }
}

#[tokio::test]
async fn shutdown_lets_a_request_finish_and_drops_what_does_not() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let mut client = house.http2(Some(&ca.ana())).await;
    assert_eq!(client.get("/who").await.unwrap().status(), 200);
    let mut sender = client.sender.clone();
    let open = tokio::spawn(async move {
        let request = http::Request::get("https://localhost/slow").body(axum::body::Body::empty()).unwrap();
        sender.send_request(request).await.is_err()
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    house.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), house.done).await.unwrap().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(400), "the drain was waited for");
    assert!(open.await.unwrap());
    lines.wait_for("end of the drain").await;
    assert!(tokio::net::TcpStream::connect(house.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn shutdown_of_an_idle_house_is_quick() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let mut client = house.http2(Some(&ca.ana())).await;
    assert_eq!(client.get("/who").await.unwrap().status(), 200);
    house.stop.cancel();
    tokio::time::timeout(Duration::from_millis(450), house.done).await.expect("no drain needed").unwrap();
}
