//! HTTP/2 frames by hand (RFC 9113 section 4.1): what no honest client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::house::House;
use crate::tls::forge::Holder;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

/// HPACK of `GET / https` with the authority `a` (RFC 7541, indexed fields and one literal).
pub(super) const GET_ROOT: &[u8] = &[0x82, 0x84, 0x87, 0x41, 1, b'a'];

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET` or `POST` of a path, as a literal without Huffman coding.
pub(super) fn head(method: &str, path: &str) -> Vec<u8> {
    let literal = |index: u8, text: &str| [&[index, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [literal(0x42, method), literal(0x44, path), vec![0x87], literal(0x41, "a")].concat()
}

/// A frame that the server sent.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Seen {
    /// The error code of a RST_STREAM or GOAWAY.
    pub(super) fn error(&self) -> Option<u32> {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        Some(u32::from_be_bytes(self.payload.get(at..at + 4)?.try_into().ok()?))
    }
}

/// A connection that has said hello, and agreed to the server's settings: only then do these count.
pub(super) struct Wire {
    stream: TlsStream<TcpStream>,
    pub(super) settings: Seen,
}

impl Wire {
    pub(super) async fn open(house: &House, holder: &Holder) -> Self {
        let mut stream = house.tls(Some(holder), &[b"h2"]).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        let nothing = Seen { kind: SETTINGS, flags: 0, stream: 0, payload: Vec::new() };
        let mut wire = Self { stream, settings: nothing };
        wire.settings = wire.find(|seen| seen.kind == SETTINGS && seen.flags == 0).await.unwrap();
        assert!(wire.send(&frame(SETTINGS, 1, 0, &[])).await);
        wire
    }

    /// Writes; a server that has closed already is no failure of the test.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// The next frame; `None` once the server has closed.
    pub(super) async fn next(&mut self) -> Option<Seen> {
        let mut header = [0_u8; 9];
        let read = tokio::time::timeout(Duration::from_secs(20), self.stream.read_exact(&mut header)).await;
        read.expect("the server says nothing").ok()?;
        let [a, b, c, kind, flags, s1, s2, s3, s4] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(Seen { kind, flags, stream: u32::from_be_bytes([s1, s2, s3, s4]), payload })
    }

    /// The next frame that fits; `None` if the server closes first.
    pub(super) async fn find(&mut self, fits: impl Fn(&Seen) -> bool) -> Option<Seen> {
        while let Some(seen) = self.next().await {
            if fits(&seen) {
                return Some(seen);
            }
        }
        None
    }

    /// The first error that the server tells, of a stream or of the connection.
    pub(super) async fn error(&mut self) -> Option<u32> {
        self.find(|seen| seen.error().is_some_and(|code| code != 0)).await.and_then(|seen| seen.error())
    }
}
