//! What goes in comes out, by every way in and every way out.

use std::io::{self, Read, Write};

use proptest::prelude::*;
use wardkeep_envelope::{CHUNK, Opener, Sealer, TAG, sealed_len};

use crate::harness::{CONTEXT, KeyService, fixed, sealed, text};

const SERVICE: KeyService = KeyService([1; 32]);

fn by_writer(plaintext: &[u8], step: usize) -> Vec<u8> {
    let key = SERVICE.data_key(7, 1);
    let sealer = Sealer::new(key.file_key(), &[&key], CONTEXT, &mut fixed("seal")).unwrap();
    let mut writer = sealer.writer(Vec::new()).unwrap();
    for part in plaintext.chunks(step.max(1)) {
        writer.write_all(part).unwrap();
    }
    writer.flush().unwrap();
    writer.finish().unwrap()
}

fn in_place(plaintext: &[u8]) -> Vec<u8> {
    let key = SERVICE.data_key(7, 1);
    let sealer = Sealer::new(key.file_key(), &[&key], CONTEXT, &mut fixed("seal")).unwrap();
    let mut buffer = plaintext.to_vec();
    sealer.seal_in_place(&mut buffer).unwrap();
    buffer
}

/// Gives at most `step` bytes at a time, and is interrupted now and then.
struct Slow<'a>(&'a [u8], usize, bool);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.2 = !self.2;
        if self.2 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = self.1.min(out.len());
        self.0.read(&mut out[..count])
    }
}

fn by_reader(envelope: &[u8], step: usize) -> Vec<u8> {
    let opener = Opener::from_reader(Slow(envelope, step.max(1), false)).unwrap();
    let mut out = Vec::new();
    opener.reader(&[&SERVICE], CONTEXT).unwrap().read_to_end(&mut out).unwrap();
    out
}

fn check(length: usize, step: usize) {
    let plaintext = text(length);
    let envelope = sealed(&SERVICE, &plaintext);
    assert_eq!(by_writer(&plaintext, step), envelope, "one envelope, whichever way it was made");
    assert_eq!(in_place(&plaintext), envelope);
    let opener = Opener::from_bytes(&envelope).unwrap();
    assert!(opener.open(&[&SERVICE], CONTEXT).unwrap() == plaintext);
    assert!(by_reader(&envelope, step) == plaintext);
    let mut buffer = envelope.clone();
    Opener::open_in_place(&mut buffer, &[&SERVICE], CONTEXT).unwrap();
    assert!(buffer == plaintext);
    let header = crate::harness::header_len(&envelope);
    assert_eq!(sealed_len(header, length as u64), envelope.len() as u64);
}

#[test]
fn lengths_around_every_border() {
    for length in [0, 1, 15, 16, 17, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - TAG, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK]
    {
        check(length, 10_000);
    }
}

#[test]
fn an_empty_text_is_one_empty_chunk() {
    let envelope = sealed(&SERVICE, b"");
    assert_eq!(envelope.len() - crate::harness::header_len(&envelope), TAG);
}

#[test]
fn byte_by_byte() {
    check(300, 1);
}

#[test]
fn an_input_that_fails_can_be_read_on() {
    struct Flaky<'a>(&'a [u8], u32);
    impl Read for Flaky<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(3) {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                (&mut self.0).take(9_000).read(out)
            }
        }
    }
    let plaintext = text(3 * CHUNK + 5);
    let envelope = sealed(&SERVICE, &plaintext);
    let start = crate::harness::header_len(&envelope);
    let whole = Opener::from_reader(envelope[..start].chain(Flaky(&envelope[start..], 0))).unwrap();
    let mut reader = whole.reader(&[&SERVICE], CONTEXT).unwrap();
    let (mut out, mut part) = (Vec::new(), [0; 5_000]);
    loop {
        match reader.read(&mut part) {
            Ok(0) => break,
            Ok(count) => out.extend_from_slice(&part[..count]),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    assert!(out == plaintext);
}

#[test]
fn a_writer_whose_output_failed_writes_nothing_more() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0 -= 1;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let key = SERVICE.data_key(7, 1);
    let sealer = Sealer::new(key.file_key(), &[&key], CONTEXT, &mut fixed("seal")).unwrap();
    let mut writer = sealer.writer(Full(2)).unwrap();
    assert_eq!(writer.write_all(&text(3 * CHUNK)).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(writer.write_all(&text(CHUNK)).is_err(), "and stays failed");
    assert!(writer.finish().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_length_in_any_steps(chunks in 0usize..4, around in -20i64..=20, step in 1usize..200_000) {
        let length = (chunks * CHUNK).saturating_add_signed(around as isize);
        check(length, step.max(length / 100));
    }

    #[test]
    fn any_small_text(plaintext in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert_eq!(by_reader(&in_place(&plaintext), 97), plaintext);
    }
}
