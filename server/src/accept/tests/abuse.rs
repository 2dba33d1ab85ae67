//! HTTP/2 as a weapon: each attack costs its sender a connection and nobody else anything.
//!
//! Broke elsewhere: rapid reset (CVE-2023-44487), endless header blocks (CVE-2024-27316, CVE-2024-24549), floods of
//! pings and settings (CVE-2019-9512, CVE-2019-9515), windows that let one client fill the memory (CVE-2019-9517).

use std::time::Duration;

use super::house::{House, Lines, plan, quick};
use super::wire::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, GET_ROOT, GOAWAY, HEADERS,
    PING, REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, frame, head,
};
use crate::config::Limits;
use crate::tls::forge::Forge;

const LONG: Duration = Duration::from_secs(60);

/// Long timers, so that it is not they who end what is attacked.
async fn house(ca: &Forge, streams: u32) -> House {
    let slow = LONG.as_millis() as u64;
    let limits = Limits { headers_millis: slow, body_millis: slow, request_millis: slow, streams, ..quick() };
    House::open(ca, super::house::Plan { limits, ..plan(ca) }).await
}

#[tokio::test]
async fn the_windows_are_ours_and_not_the_librarys() {
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 128).await;
    let mut wire = Wire::open(&house, &ca.ana()).await;
    let pairs: Vec<(u16, u32)> = wire
        .settings
        .payload
        .chunks(6)
        .map(|pair| (u16::from_be_bytes([pair[0], pair[1]]), u32::from_be_bytes(pair[2..6].try_into().unwrap())))
        .collect();
    let of = |id: u16| pairs.iter().find(|(at, _)| *at == id).map(|(_, value)| *value);
    assert_eq!(of(3), Some(128), "streams: {pairs:?}");
    assert_eq!(of(4), Some(65_536), "window of a stream");
    assert_eq!(of(6), Some(16_384), "list of headers");
    let grown = wire.find(|seen| seen.kind == WINDOW_UPDATE && seen.stream == 0).await.unwrap();
    let by = u32::from_be_bytes(grown.payload.try_into().unwrap());
    assert_eq!(by + 65_535, 262_144, "window of the connection");
}

#[tokio::test]
async fn a_body_that_nobody_reads_ends_at_its_window() {
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 128).await;
    let mut wire = Wire::open(&house, &ca.ana()).await;
    wire.send(&frame(HEADERS, END_HEADERS, 1, &head("POST", "/hold"))).await;
    for _ in 0..4 {
        assert!(wire.send(&frame(DATA, 0, 1, &[0; 16_384])).await);
    }
    wire.send(&frame(PING, 0, 0, &[7; 8])).await;
    let pong = wire.find(|seen| seen.kind == PING || seen.error().is_some()).await.unwrap();
    assert_eq!((pong.kind, pong.payload), (PING, vec![7; 8]), "64 KiB are within the window");
    wire.send(&frame(DATA, 0, 1, &[0])).await;
    assert_eq!(wire.error().await, Some(FLOW_CONTROL_ERROR), "one byte more is not");
}

#[tokio::test]
async fn many_streams_share_the_connections_window() {
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 128).await;
    let mut wire = Wire::open(&house, &ca.ana()).await;
    for stream in 0..4_u32 {
        wire.send(&frame(HEADERS, END_HEADERS, 1 + 2 * stream, &head("POST", "/hold"))).await;
        for _ in 0..4 {
            wire.send(&frame(DATA, 0, 1 + 2 * stream, &[0; 16_384])).await;
        }
    }
    wire.send(&frame(PING, 0, 0, &[7; 8])).await;
    let pong = wire.find(|seen| seen.kind == PING || seen.error().is_some()).await.unwrap();
    assert_eq!(pong.kind, PING, "256 KiB fit: {pong:?}");
    wire.send(&frame(HEADERS, END_HEADERS, 9, &head("POST", "/hold"))).await;
    wire.send(&frame(DATA, 0, 9, &[0])).await;
    let told = wire.find(|seen| seen.error().is_some_and(|code| code != 0)).await.unwrap();
    assert_eq!((told.kind, told.error()), (GOAWAY, Some(FLOW_CONTROL_ERROR)), "the fifth stream's first byte does not");
}

#[tokio::test]
async fn rapid_resets_cost_the_connection_and_nobody_else() {
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 128).await;
    let mut honest = house.http2(Some(&ca.ana())).await;
    let mut wire = Wire::open(&house, &ca.ana()).await;
    let mut flood = Vec::new();
    for stream in 0..5_000_u32 {
        flood.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * stream, GET_ROOT));
        flood.extend(frame(RST_STREAM, 0, 1 + 2 * stream, &8_u32.to_be_bytes()));
    }
    // The server may close while the flood is still on its way.
    let _closed = wire.send(&flood).await;
    let told = wire.find(|seen| seen.kind == GOAWAY && seen.error() != Some(0)).await;
    assert!(told.is_none_or(|told| told.error() == Some(ENHANCE_YOUR_CALM)));
    assert!(wire.next().await.is_none(), "the connection is at its end");
    assert_eq!(honest.get("/who").await.unwrap().status(), 200, "others go on");
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused_one_by_one() {
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 4).await;
    let mut wire = Wire::open(&house, &ca.ana()).await;
    for stream in 0..5_u32 {
        wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * stream, &head("GET", "/slow"))).await;
    }
    let told = wire.find(|seen| seen.error().is_some_and(|code| code != 0)).await.unwrap();
    assert_eq!((told.kind, told.stream, told.error()), (RST_STREAM, 9, Some(REFUSED_STREAM)));
    wire.send(&frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())).await;
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 11, GET_ROOT)).await;
    let answer = wire.find(|seen| seen.stream == 11).await.unwrap();
    assert_eq!(answer.kind, HEADERS, "a place that is given back is one");
}

#[tokio::test]
async fn an_endless_header_block_ends() {
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 128).await;
    let mut wire = Wire::open(&house, &ca.ana()).await;
    wire.send(&frame(HEADERS, END_STREAM, 1, GET_ROOT)).await;
    // A literal without indexing, name of one byte and value of a hundred, again and again.
    let field = [&[0x00, 1, b'x', 100][..], &[b'v'; 100]].concat();
    let block = field.repeat(150);
    let mut sent = 0;
    while sent < 64 * 1024 * 1024 && wire.send(&frame(CONTINUATION, 0, 1, &block)).await {
        sent += block.len();
    }
    assert!(sent < 64 * 1024 * 1024, "taken without end");
    let mut next = house.http2(Some(&ca.ana())).await;
    assert_eq!(next.get("/").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_header_list_that_is_too_long_is_answered_431() {
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 128).await;
    let mut client = house.http2(Some(&ca.ana())).await;
    for (len, expected) in [(8_000, 200), (20_000, 431)] {
        let request = http::Request::get("https://localhost/who").header("x", "a".repeat(len));
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer = client.sender.send_request(request).await;
        assert_eq!(answer.map(|answer| answer.status().as_u16()).unwrap_or(431), expected, "{len}");
    }
}

#[tokio::test]
async fn floods_of_pings_and_settings_leave_the_server_answering() {
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 128).await;
    for flood in
        [frame(PING, 0, 0, &[1; 8]), frame(SETTINGS, 0, 0, &[]), frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())]
    {
        let mut wire = Wire::open(&house, &ca.ana()).await;
        // Nobody reads the answers: what the server would hold for them is bounded, or it ends the connection.
        let flood = flood.repeat(20_000);
        let _stuck = tokio::time::timeout(Duration::from_secs(2), wire.send(&flood)).await;
        let mut next = house.http2(Some(&ca.ana())).await;
        assert_eq!(next.get("/").await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn frames_that_are_none_end_the_connection_and_only_it() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let house = house(&ca, 128).await;
    for (name, bytes) in [
        ("a frame longer than agreed", frame(DATA, 0, 1, &[0; 20_000])),
        ("data on a stream that was never opened", frame(DATA, 0, 1, &[0; 10])),
        ("headers on an even stream", frame(HEADERS, END_HEADERS, 2, GET_ROOT)),
        ("headers on stream 0", frame(HEADERS, END_HEADERS, 0, GET_ROOT)),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, GET_ROOT)),
        ("settings of half a pair", frame(SETTINGS, 0, 0, &[0, 3, 0])),
        ("a ping of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("a window that grows by nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a window beyond its bound", frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes())),
        ("header compression that reads no table", frame(HEADERS, END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0x7f])),
    ] {
        let mut wire = Wire::open(&house, &ca.ana()).await;
        wire.send(&bytes).await;
        let told = wire.find(|seen| seen.kind == GOAWAY).await;
        assert!(told.as_ref().is_none_or(|told| told.error() != Some(0)), "{name}: {told:?}");
        assert!(wire.next().await.is_none(), "{name}: the connection lives");
    }
    let mut next = house.http2(Some(&ca.ana())).await;
    assert_eq!(next.get("/").await.unwrap().status(), 200);
    assert!(!lines.take().contains("panicked"));
}
