//! The watch over HTTP/2 frames sees what was begun and not ended, however the bytes arrive.
//!
//! Broke elsewhere: a trickled preface or header block that no timer saw (slow-loris over HTTP/2, CVE-2024-27316).

use proptest::prelude::*;

use super::*;

const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

#[test]
fn whole_frames_leave_nothing_pending_however_they_are_cut_up() {
    let stream = [HELLO, &frame(4, 0, &[0; 12]), &frame(HEADERS, END_HEADERS, b"abc"), &frame(6, 0, &[0; 8])].concat();
    assert!(!FrameWatch::new().take(&stream));
    let mut watch = FrameWatch::new();
    let mut pending = false;
    for byte in &stream {
        pending = watch.take(&[*byte]);
    }
    assert!(!pending);
}

#[test]
fn an_unfinished_preface_frame_or_header_block_is_pending() {
    assert!(FrameWatch::new().take(b"PRI"));
    let mut watch = FrameWatch::new();
    assert!(!watch.take(HELLO));
    assert!(watch.take(&[0, 0, 5]));
    assert!(watch.take(&[HEADERS, 0, 0, 0, 0, 1, b'a']));
    assert!(watch.take(b"bcde"), "the frame ended, its block did not");
    assert!(watch.take(&frame(CONTINUATION, 0, b"more")), "a flood of continuations is one block");
    assert!(!watch.take(&frame(CONTINUATION, END_HEADERS, b"")));
}

#[test]
fn a_body_in_the_making_is_not_pending() {
    let mut watch = FrameWatch::new();
    watch.take(HELLO);
    assert!(!watch.take(&[0, 0, 9, DATA, 0, 0, 0, 0, 1, b'x']));
}

/// A frame of a stream of them.
#[derive(Debug, Clone)]
struct Sent {
    kind: u8,
    flags: u8,
    len: usize,
}

fn sent() -> impl Strategy<Value = Sent> {
    (0_u8..12, any::<u8>(), 0_usize..40).prop_map(|(kind, flags, len)| Sent { kind, flags, len })
}

/// What is pending after the first `upto` bytes, told from the whole by walking it from the start.
fn pending(frames: &[Sent], upto: usize) -> bool {
    if upto < HELLO.len() {
        return upto > 0;
    }
    let (mut at, mut block) = (HELLO.len(), false);
    for frame in frames {
        if upto == at {
            break;
        }
        if upto < at + HEADER {
            return true;
        }
        if matches!(frame.kind, HEADERS | CONTINUATION) {
            block = frame.flags & END_HEADERS == 0;
        }
        if upto < at + HEADER + frame.len {
            return block || frame.kind != DATA;
        }
        at += HEADER + frame.len;
    }
    block
}

proptest! {
    #[test]
    fn what_is_pending_depends_on_the_bytes_and_not_on_how_they_are_cut(
        frames in prop::collection::vec(sent(), 0..6),
        cuts in prop::collection::vec(1_usize..30, 1..40),
    ) {
        let stream: Vec<u8> = HELLO
            .iter()
            .copied()
            .chain(frames.iter().flat_map(|sent| frame(sent.kind, sent.flags, &vec![7; sent.len])))
            .collect();
        let (mut watch, mut at) = (FrameWatch::new(), 0);
        for cut in cuts {
            let next = (at + cut).min(stream.len());
            let told = watch.take(&stream[at..next]);
            prop_assert_eq!(told, pending(&frames, next), "after {} of {} bytes", next, stream.len());
            at = next;
        }
        prop_assert_eq!(watch.take(&stream[at..]), pending(&frames, stream.len()));
    }

    /// Whatever is sent instead of HTTP/2, watching it is no work that grows and no place to stumble.
    #[test]
    fn no_bytes_make_the_watch_stumble(junk in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut watch = FrameWatch::new();
        for part in junk.chunks(7) {
            let _pending = watch.take(part);
        }
        prop_assert!(!FrameWatch::new().take(&[]), "nothing has begun");
    }
}

#[test]
fn the_longest_frame_is_followed_to_its_end() {
    let mut watch = FrameWatch::new();
    watch.take(HELLO);
    assert!(watch.take(&[0xff, 0xff, 0xff, 6, 0, 0, 0, 0, 0]));
    let part = vec![0; 65_535];
    for _ in 0..256 {
        assert!(watch.take(&part));
    }
    assert!(watch.take(&vec![0; 254]), "16 777 214 of 16 777 215 bytes");
    assert!(!watch.take(&[0]));
}

#[test]
fn a_block_is_open_until_it_says_otherwise_whatever_stands_between() {
    let mut watch = FrameWatch::new();
    watch.take(HELLO);
    assert!(watch.take(&frame(HEADERS, 0, b"")));
    for between in [frame(6, 0, &[0; 8]), frame(DATA, 0, b"abc"), frame(4, 0, b""), frame(CONTINUATION, 0, b"x")] {
        assert!(watch.take(&between), "the block is not closed by {between:?}");
    }
    assert!(!watch.take(&frame(HEADERS, END_HEADERS, b"")), "another block that is whole");
}
