//! Strangers at the door: whoever opens sockets and says nothing takes nobody's place but other strangers'.
//!
//! Broke elsewhere: listeners whose every place was held by handshakes that never came (slow-loris before TLS).

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::house::{House, Kind, Lines, Plan, plan, quick};
use crate::config::Limits;
use crate::tls::forge::Forge;

/// Long enough that no timer ends a stranger while a test looks.
fn patient() -> Limits {
    Limits { handshake_millis: 30_000, first_byte_millis: 30_000, ..quick() }
}

/// Whether the server closes a connection that says nothing, well before any timer.
async fn closed_at_once(stream: &mut TcpStream) -> bool {
    let mut alert = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut alert)).await.is_ok()
}

/// Waits until the counter has the value: a connection is counted by another task.
async fn counted(house: &House, reason: &str, times: u64) {
    let line = format!("wardkeep_connections_ended_total{{listener=\"api\",reason=\"{reason}\"}} {times}");
    for _ in 0..400 {
        if house.guard.metrics.render().contains(&line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no `{line}` in:\n{}", house.guard.metrics.render());
}

#[tokio::test]
async fn a_stranger_too_many_costs_the_oldest_one_and_no_known_caller() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let limits = Limits { handshakes: 3, ..patient() };
    let house = House::open(&ca, Plan { limits, ..plan(&ca) }).await;
    let mut known = house.http2(Some(&ca.ana())).await;
    assert_eq!(known.get("/who").await.unwrap().status(), 200);
    let mut silent = [house.tcp().await, house.tcp().await, house.tcp().await];
    let began = Instant::now();
    // The house is full of strangers, and whoever has a certificate still comes in.
    assert!(house.who(Some(&ca.ana())).await.is_some());
    assert!(closed_at_once(&mut silent[0]).await, "the first that came is the first to go");
    assert!(began.elapsed() < Duration::from_secs(10), "not by a timer");
    counted(&house, "too-many-handshakes", 1).await;
    let line = lines.wait_for("connections closed unheard").await;
    assert!(line.contains("code=\"too-many-handshakes\"") && line.contains("closed=1"), "{line}");
    assert_eq!(known.get("/who").await.unwrap().status(), 200, "who is known keeps its place");
    let mut byte = [0];
    let second = timeout(Duration::from_millis(200), silent[1].read(&mut byte)).await;
    assert!(second.is_err(), "one for one: the second is still there");
}

#[tokio::test]
async fn a_steady_flood_of_silent_sockets_keeps_nobody_out() {
    let ca = Forge::new("Clinic CA");
    let limits = Limits { handshakes: 8, ..patient() };
    let house = House::open(&ca, Plan { limits, ..plan(&ca) }).await;
    let mut flood = Vec::new();
    for round in 0..10 {
        for _ in 0..8 {
            flood.push(house.tcp().await);
        }
        assert!(house.who(Some(&ca.ana())).await.is_some(), "round {round}");
    }
}

#[tokio::test]
async fn a_handshake_that_ends_gives_its_place_back_however_it_ends() {
    let ca = Forge::new("Clinic CA");
    let limits = Limits { handshakes: 1, ..quick() };
    let house = House::open(&ca, Plan { limits, ..plan(&ca) }).await;
    // No certificate, a stranger's, garbage, silence until the timer, an honest one: one after the other.
    let open = || house.guard.metrics.render().contains("wardkeep_connections_open{listener=\"api\"} 0");
    for round in 0..3 {
        assert_eq!(house.who(None).await, None, "{round}");
        again(&house, &ca).await;
        assert_eq!(house.who(Some(&Forge::new("Stranger CA").ana())).await, None, "{round}");
        again(&house, &ca).await;
        let mut garbage = house.tcp().await;
        tokio::io::AsyncWriteExt::write_all(&mut garbage, b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(closed_at_once(&mut garbage).await);
        again(&house, &ca).await;
        assert!(closed_at_once(&mut house.tcp().await).await, "by the handshake's timer");
        again(&house, &ca).await;
    }
    for _ in 0..400 {
        if open() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("connections are left:\n{}", house.guard.metrics.render());
}

/// An honest caller gets through: perhaps not at the first try, for the end of the one before is another task's.
async fn again(house: &House, ca: &Forge) {
    for _ in 0..200 {
        if house.who(Some(&ca.ana())).await.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no place came back");
}

#[tokio::test]
async fn one_address_holds_its_share_and_gets_it_back() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let limits = Limits { connections_per_address: 2, ..patient() };
    let house = House::open(&ca, Plan { limits, ..plan(&ca) }).await;
    let mut first = house.http2(Some(&ca.ana())).await;
    let mut second = house.http2(Some(&ca.ana())).await;
    assert_eq!(first.get("/who").await.unwrap().status(), 200);
    assert_eq!(second.get("/who").await.unwrap().status(), 200);
    assert!(closed_at_once(&mut house.tcp().await).await, "a third, although both are known");
    counted(&house, "too-many-of-address", 1).await;
    lines.wait_for("code=\"too-many-of-address\"").await;
    drop(second);
    again(&house, &ca).await;
    assert_eq!(first.get("/who").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_flood_of_closed_connections_is_no_flood_of_lines() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let limits = Limits { handshakes: 1, ..patient() };
    let house = House::open(&ca, Plan { limits, ..plan(&ca) }).await;
    let began = Instant::now();
    let mut last = house.tcp().await;
    for _ in 0..60 {
        let next = house.tcp().await;
        assert!(closed_at_once(&mut std::mem::replace(&mut last, next)).await);
    }
    counted(&house, "too-many-handshakes", 60).await;
    let told = lines.take().matches("connections closed unheard").count() as u64;
    assert!((1..=began.elapsed().as_secs() + 1).contains(&told), "{told} lines in {:?}", began.elapsed());
}

#[tokio::test]
async fn bounds_are_those_of_the_moment() {
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, Plan { limits: Limits { handshakes: 1, ..patient() }, ..plan(&ca) }).await;
    let mut first = house.tcp().await;
    let mut second = house.tcp().await;
    assert!(closed_at_once(&mut first).await);
    house.guard.limits.store(std::sync::Arc::new(Limits { handshakes: 2, ..patient() }));
    let _third = house.tcp().await;
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(200), second.read(&mut byte)).await.is_err(), "raised without a restart");
}

#[tokio::test]
async fn every_transport_has_its_door() {
    let ca = Forge::new("Clinic CA");
    for kind in [Kind::Mutual, Kind::ServerOnly, Kind::Plain] {
        let limits = Limits { handshakes: 1, ..patient() };
        let house = House::open(&ca, Plan { limits, kind, ..plan(&ca) }).await;
        let mut first = house.tcp().await;
        let _second = house.tcp().await;
        assert!(closed_at_once(&mut first).await);
        counted(&house, "too-many-handshakes", 1).await;
    }
}

#[tokio::test]
async fn without_a_client_certificate_it_is_the_first_byte_that_counts() {
    let ca = Forge::new("Clinic CA");
    let limits = Limits { handshakes: 1, ..patient() };
    let house = House::open(&ca, Plan { limits, kind: Kind::ServerOnly, ..plan(&ca) }).await;
    // A handshake costs nothing to who needs no certificate: it does not make anybody known.
    let mut shaken = house.tls(None, &[b"h2"]).await.unwrap();
    let mut asked = house.http2(None).await;
    let mut alert = Vec::new();
    assert!(timeout(Duration::from_secs(10), shaken.read_to_end(&mut alert)).await.is_ok(), "pushed out");
    assert_eq!(asked.get("/").await.unwrap().status(), 200);
    let _silent = house.tcp().await;
    assert_eq!(asked.get("/").await.unwrap().status(), 200, "who has asked stays");
}

#[tokio::test]
async fn the_trace_of_a_request_stands_on_its_lines() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let limits = Limits { request_millis: 300, ..quick() };
    let house = House::open(&ca, Plan { limits, ..plan(&ca) }).await;
    let ask =
        |trace: &str| format!("GET /slow HTTP/1.1\r\nhost: a\r\ntraceparent: {trace}\r\nconnection: close\r\n\r\n");
    let traced = ask(&format!("00-{TRACE}-00f067aa0ba902b7-01"));
    assert!(house.ask(Some(&ca.ana()), &traced).await.unwrap().contains("408"));
    let line = lines.wait_for("request took too long").await;
    assert!(line.contains(&format!("trace_id=\"{TRACE}\"")), "{line}");
    lines.take();
    let forged = ask("00-\u{1b}[31mroot-00f067aa0ba902b7-01");
    let _answer = house.ask(Some(&ca.ana()), &forged).await;
    let forged = ask("00-WARN-forged-line-00f067aa0ba902b7-01");
    assert!(house.ask(Some(&ca.ana()), &forged).await.unwrap().contains("408"));
    let line = lines.wait_for("request took too long").await;
    assert!(!line.contains("trace_id") && !line.contains("forged"), "{line}");
}
