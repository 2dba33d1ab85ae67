//! Slow-loris: whoever dawdles on the handshake, the first byte, the headers or the body is cut; who does not, is not.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::house::{House, Kind, Lines, plan, quick, read_answer};
use crate::config::Limits;
use crate::tls::forge::Forge;

/// Waits until the server closes and says how long that took. Reads may end in an error: a cut is a reset.
async fn cut_after(stream: &mut (impl AsyncReadExt + Unpin)) -> Duration {
    let start = Instant::now();
    let mut sink = Vec::new();
    let _reset = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut sink)).await.expect("never cut");
    start.elapsed()
}

/// Cut by its own timer, and not by the next longer one.
fn in_time(took: Duration) {
    assert!(took >= Duration::from_millis(150) && took < Duration::from_millis(1_900), "{took:?}");
}

#[tokio::test]
async fn silence_and_half_a_hello_end_with_the_handshake_timer() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    in_time(cut_after(&mut house.tcp().await).await);
    lines.wait_for("handshake-timeout").await;
    let mut half = house.tcp().await;
    half.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    in_time(cut_after(&mut half).await);
}

#[tokio::test]
async fn a_handshake_without_a_first_byte_is_cut_whatever_version_was_agreed() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    for alpn in [&b"h2"[..], b"http/1.1"] {
        lines.take();
        let mut stream = house.tls(Some(&ca.ana()), &[alpn]).await.unwrap();
        in_time(cut_after(&mut stream).await);
        lines.wait_for("first-byte-timeout").await;
    }
}

#[tokio::test]
async fn a_dripping_head_is_cut_on_every_transport() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    for kind in [Kind::Mutual, Kind::ServerOnly] {
        let house = House::open(&ca, super::house::Plan { kind, ..plan(&ca) }).await;
        let stream = house.tls(Some(&ca.ana()), &[b"http/1.1"]).await.unwrap();
        drip(stream, b"GET / HTTP/1.1\r\nx: ").await;
        lines.wait_for("reason=\"headers\"").await;
        lines.take();
    }
    let house = House::open(&ca, super::house::Plan { kind: Kind::Plain, ..plan(&ca) }).await;
    drip(house.tcp().await, b"GET / HTTP/1.1\r\nx: ").await;
    lines.wait_for("reason=\"headers\"").await;
}

/// Sends a byte every 40 ms, which would keep any timer alive that starts anew with each byte.
async fn drip(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite, begin: &[u8]) {
    let (mut reading, mut writing) = tokio::io::split(stream);
    writing.write_all(begin).await.unwrap();
    let dripping = async {
        loop {
            tokio::time::sleep(Duration::from_millis(40)).await;
            if writing.write_all(b"a").await.is_err() || writing.flush().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        took = cut_after(&mut reading) => in_time(took),
        () = dripping => {}
    }
}

#[tokio::test]
async fn the_second_head_of_a_connection_is_timed_too() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let mut stream = house.tls(Some(&ca.ana()), &[b"http/1.1"]).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
    tokio::time::sleep(Duration::from_millis(700)).await;
    drip(stream, b"GET / HTTP").await;
    lines.wait_for("reason=\"headers\"").await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_timer_and_not_the_idle_one() {
    let ca = Forge::new("Clinic CA");
    let limits = Limits { idle_millis: 900, ..quick() };
    let house = House::open(&ca, super::house::Plan { limits, ..plan(&ca) }).await;
    let mut stream = house.tls(Some(&ca.ana()), &[b"http/1.1"]).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 200");
        let mut rest = vec![0; 4096];
        let _rest = stream.read(&mut rest).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let took = cut_after(&mut stream).await;
    assert!(took < Duration::from_millis(1_500), "{took:?}");
}

#[tokio::test]
async fn a_dripping_body_is_answered_408_and_a_whole_one_200() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\n";
    let whole = house.ask(Some(&ca.ana()), &format!("{head}hello")).await.unwrap();
    assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with('5'), "{whole}");
    let start = Instant::now();
    let half = house.ask(Some(&ca.ana()), &format!("{head}he")).await.unwrap();
    assert!(half.starts_with("HTTP/1.1 408") && half.contains("did not arrive in time"), "{half}");
    in_time(start.elapsed());
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_408() {
    let ca = Forge::new("Clinic CA");
    let limits = Limits { request_millis: 300, ..quick() };
    let house = House::open(&ca, super::house::Plan { limits, ..plan(&ca) }).await;
    let request = "GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = house.ask(Some(&ca.ana()), request).await.unwrap();
    assert!(answer.contains("408") && answer.contains("urn:wardkeep:problem:request-timeout"), "{answer}");
}

#[tokio::test]
async fn nobody_reads_the_answer_and_the_connection_is_cut() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let limits = Limits { request_millis: 400, idle_millis: 800, ..quick() };
    let house = House::open(&ca, super::house::Plan { limits, ..plan(&ca) }).await;
    let mut stream = house.tls(Some(&ca.ana()), &[b"http/1.1"]).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    lines.wait_for("connection cut").await;
    drop(stream);
}

#[tokio::test]
async fn heads_are_bounded_in_size() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let request = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(64 * 1024));
    let answer = house.ask(Some(&ca.ana()), &request).await;
    assert!(answer.is_none_or(|answer| answer.starts_with("HTTP/1.1 431")));
}

#[tokio::test]
async fn a_full_house_serves_the_next_when_a_place_is_free() {
    let ca = Forge::new("Clinic CA");
    let limits = Limits { connections: 2, ..quick() };
    let house = House::open(&ca, super::house::Plan { limits, ..plan(&ca) }).await;
    let silent = (house.tcp().await, house.tcp().await);
    let start = Instant::now();
    assert!(house.who(Some(&ca.ana())).await.is_some());
    assert!(start.elapsed() >= Duration::from_millis(150), "had to wait for a place");
    drop(silent);
}

#[tokio::test]
async fn plain_listeners_answer_probes() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, super::house::Plan { kind: Kind::Plain, ..plan(&ca) }).await;
    let mut stream = house.tcp().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut stream).await.unwrap().ends_with("hello"));
    in_time(cut_after(&mut house.tcp().await).await);
}
