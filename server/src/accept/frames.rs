//! Watches the frames of an HTTP/2 connection (RFC 9113 section 4.1) just enough to see one that never ends.
//!
//! hyper has no timer for a connection preface, a frame or a header block that trickles in. A client may keep a
//! connection idle, so silence is no sign; a frame that was begun and not ended is.

const PREFACE: usize = 24;
const HEADER: usize = 9;
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
const END_HEADERS: u8 = 0x4;

/// Where in the stream of frames a connection is. Constant size, whatever arrives.
#[derive(Debug)]
pub(super) struct FrameWatch {
    place: Place,
    /// A header block is open: HEADERS came without END_HEADERS.
    block: bool,
}

#[derive(Debug)]
enum Place {
    Preface { left: usize },
    Header { bytes: [u8; HEADER], have: usize },
    Payload { left: usize, data: bool },
}

impl FrameWatch {
    pub(super) fn new() -> Self {
        Self { place: Place::Preface { left: PREFACE }, block: false }
    }

    /// Takes plaintext as it arrives; whether something is begun and not ended after it. The rest of a DATA frame
    /// does not count: that is a body, and has the body's time.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            bytes = self.step(bytes);
        }
        self.block
            || match &self.place {
                Place::Preface { left } => *left < PREFACE,
                Place::Header { have, .. } => *have > 0,
                Place::Payload { left, data } => *left > 0 && !data,
            }
    }

    fn step<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match &mut self.place {
            Place::Preface { left } => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                if *left == 0 {
                    self.place = Place::Header { bytes: [0; HEADER], have: 0 };
                }
                bytes.get(taken..).unwrap_or_default()
            }
            Place::Header { bytes: header, have } => {
                let taken = bytes.len().min(HEADER - *have);
                for (to, from) in header.iter_mut().skip(*have).zip(bytes) {
                    *to = *from;
                }
                *have += taken;
                if *have == HEADER {
                    let header = *header;
                    self.begin_payload(header);
                }
                bytes.get(taken..).unwrap_or_default()
            }
            Place::Payload { left, .. } => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                if *left == 0 {
                    self.place = Place::Header { bytes: [0; HEADER], have: 0 };
                }
                bytes.get(taken..).unwrap_or_default()
            }
        }
    }

    fn begin_payload(&mut self, header: [u8; HEADER]) {
        let [a, b, c, kind, flags, ..] = header;
        let left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if matches!(kind, HEADERS | CONTINUATION) {
            self.block = flags & END_HEADERS == 0;
        }
        self.place = match left {
            0 => Place::Header { bytes: [0; HEADER], have: 0 },
            left => Place::Payload { left, data: kind == DATA },
        };
    }
}

#[cfg(test)]
mod tests;
