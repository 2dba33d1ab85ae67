//! Constant memory: 64 MiB go through a sealer and an opener, and neither holds more than a few chunks.
//!
//! In a binary of its own, so that the process' peak is this test's.

#![cfg(test)]

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::rc::Rc;

use wardkeep_envelope::{CHUNK, DataKey, FileKey, Opener, SealWriter, Sealer, TAG};

const LENGTH: u64 = 64 << 20;

/// Where the sealer writes: holds what the opener has not read yet, and remembers the most it ever held.
#[derive(Clone, Default)]
struct Pipe(Rc<RefCell<std::collections::VecDeque<u8>>>, Rc<Cell<usize>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.0.borrow_mut();
        held.extend(bytes);
        self.1.set(self.1.get().max(held.len()));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Seals as it is read from: the envelope never exists as a whole.
struct Sealing {
    pipe: Pipe,
    writer: Option<SealWriter<Pipe>>,
    left: u64,
    total: u64,
}

impl Read for Sealing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.pipe.0.borrow().is_empty() && self.writer.is_some() {
            if self.left == 0 {
                self.writer.take().unwrap().finish()?;
                break;
            }
            let part = [(self.left >> 13) as u8; 8192];
            self.writer.as_mut().unwrap().write_all(&part)?;
            self.left -= part.len() as u64;
        }
        let count = self.pipe.0.borrow_mut().read(out)?;
        self.total += count as u64;
        Ok(count)
    }
}

/// The peak of the process in KiB; `None` where the system does not tell.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn sixty_four_mebibytes_pass_through_a_few_chunks() {
    let key = DataKey::new("a/b", vec![1; 60], FileKey::from_bytes([1; 32])).unwrap();
    let mut random = |out: &mut [u8]| -> Result<(), wardkeep_envelope::RandomFailed> {
        out.fill(3);
        Ok(())
    };
    let pipe = Pipe::default();
    let sealer = Sealer::new(key.file_key(), &[&key], b"", &mut random).unwrap();
    let header = sealer.header_len();
    let writer = sealer.writer(pipe.clone()).unwrap();
    let before = peak();
    let mut input = Sealing { pipe: pipe.clone(), writer: Some(writer), left: LENGTH, total: 0 };
    let mut reader = Opener::from_reader(&mut input).unwrap().reader(&[&key], b"").unwrap();
    let (mut seen, mut part) = (0u64, [0; 8192]);
    loop {
        let count = reader.read(&mut part).unwrap();
        if count == 0 {
            break;
        }
        assert!(part[..count].iter().all(|&byte| byte == ((LENGTH - seen) >> 13) as u8));
        seen += count as u64;
    }
    assert_eq!(seen, LENGTH);
    assert_eq!(input.total, wardkeep_envelope::sealed_len(header, LENGTH));
    assert!(pipe.1.get() <= 2 * (CHUNK + TAG), "the sealer ran ahead by {} bytes", pipe.1.get());
    match (before, peak()) {
        (Some(before), Some(after)) => {
            println!("peak rose by {} KiB for {} MiB", after - before, LENGTH >> 20);
            assert!(after - before < 4096, "the peak rose by {} KiB", after - before);
        }
        _ => println!("SKIPPED the process' peak: this system does not tell it"),
    }
}
