//! The attacker rearranges the body. Seen elsewhere: streams whose cut-off end read as a whole file, and
//! formats where a chunk could be moved because its number was not authenticated.

use std::io::Read;

use wardkeep_envelope::{CHUNK, OpenError, Opener, TAG};

use crate::harness::{CONTEXT, KeyService, header_len, sealed, text};

const SERVICE: KeyService = KeyService([1; 32]);
const SEALED: usize = CHUNK + TAG;

/// Header and sealed chunks of an envelope.
fn parts(plaintext: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let envelope = sealed(&SERVICE, &text(plaintext));
    let (header, body) = envelope.split_at(header_len(&envelope));
    (header.to_vec(), body.chunks(SEALED).map(<[u8]>::to_vec).collect())
}

/// Opens both ways; both must refuse, and what the reader gave before must be a prefix of whole true chunks.
fn refused(header: &[u8], chunks: &[Vec<u8>], original: usize) -> OpenError {
    let envelope = [header, &chunks.concat()].concat();
    let whole = Opener::from_bytes(&envelope).unwrap().open(&[&SERVICE], CONTEXT).unwrap_err();
    let mut buffer = envelope.clone();
    let in_place = Opener::open_in_place(&mut buffer, &[&SERVICE], CONTEXT).unwrap_err();
    assert_eq!((in_place.to_string(), buffer.len()), (whole.to_string(), 0), "nothing of it is left");
    let mut reader = Opener::from_bytes(&envelope).unwrap().reader(&[&SERVICE], CONTEXT).unwrap();
    // Once in small steps, once with room for whole chunks, which are opened straight into it.
    let (mut out, mut small) = (Vec::new(), Vec::new());
    let mut part = vec![0; CHUNK + 100];
    let mut stepwise = Opener::from_bytes(&envelope).unwrap().reader(&[&SERVICE], CONTEXT).unwrap();
    while let Ok(count) = stepwise.read(&mut part[..1000]) {
        small.extend_from_slice(&part[..count]);
    }
    let error = loop {
        part.fill(0xee);
        match reader.read(&mut part) {
            Ok(count) => out.extend_from_slice(&part[..count]),
            Err(error) => break error,
        }
    };
    assert!(part.iter().all(|&byte| byte == 0xee), "a refused chunk leaves no byte behind");
    assert!(out == small);
    assert!(text(original).starts_with(&out), "only what was sealed comes out");
    assert_eq!(out.len() % CHUNK, 0, "and only whole chunks that were not the last");
    let again = reader.read(&mut [0; 10]).unwrap_err();
    assert_eq!(again.to_string(), error.to_string(), "a failed reader stays failed");
    assert_eq!(whole.to_string(), error.to_string());
    whole
}

#[test]
fn reordered_chunks() {
    let (header, chunks) = parts(4 * CHUNK);
    for (a, b) in [(0, 1), (1, 2), (0, 3), (2, 3)] {
        let mut swapped = chunks.clone();
        swapped.swap(a, b);
        assert!(
            matches!(refused(&header, &swapped, 4 * CHUNK), OpenError::ChunkAltered { chunk } if chunk == a as u64)
        );
    }
}

#[test]
fn dropped_and_doubled_chunks() {
    let (header, chunks) = parts(3 * CHUNK + 10);
    for at in 0..chunks.len() {
        let mut fewer = chunks.clone();
        fewer.remove(at);
        refused(&header, &fewer, 3 * CHUNK + 10);
        let mut more = chunks.clone();
        more.insert(at, chunks[at].clone());
        refused(&header, &more, 3 * CHUNK + 10);
    }
}

#[test]
fn cut_at_every_border() {
    let (header, chunks) = parts(3 * CHUNK + 10);
    let body = chunks.concat();
    let borders = (0..=3).flat_map(|n| [-17i64, -16, -15, -1, 0, 1, 15, 16, 17].map(|by| (n * SEALED) as i64 + by));
    for end in borders.filter(|&end| end >= 0 && (end as usize) < body.len()) {
        let end = end as usize;
        let error = refused(&header, &[body[..end].to_vec()], 3 * CHUNK + 10);
        if end.is_multiple_of(SEALED) {
            assert!(matches!(error, OpenError::Truncated { .. }), "cut at {end}: {error}");
        }
    }
}

#[test]
fn every_cut_of_a_small_body() {
    let (header, chunks) = parts(40);
    for end in 0..chunks[0].len() {
        refused(&header, &[chunks[0][..end].to_vec()], 40);
    }
}

#[test]
fn appended_bytes_and_chunks() {
    for length in [0, 10, CHUNK, 2 * CHUNK + 5] {
        let (header, chunks) = parts(length);
        for extra in [vec![0], vec![0; TAG], vec![0; SEALED], chunks[0].clone(), chunks[chunks.len() - 1].clone()] {
            let mut longer = chunks.clone();
            longer.push(extra);
            refused(&header, &longer, length);
        }
    }
}

#[test]
fn an_end_of_another_envelope_is_not_an_end_of_this() {
    let (header, mut chunks) = parts(2 * CHUNK + 10);
    // Same data key, other salt: the ends do not fit each other.
    let key = SERVICE.data_key(7, 1);
    let sealer = wardkeep_envelope::Sealer::new(key.file_key(), &[&key], CONTEXT, &mut crate::harness::fixed("other"));
    let other = sealer.unwrap().seal(&text(2 * CHUNK + 10)).unwrap();
    assert_eq!(header_len(&other), header.len());
    chunks[2] = other[header.len() + 2 * SEALED..].to_vec();
    assert!(matches!(refused(&header, &chunks, 2 * CHUNK + 10), OpenError::ChunkAltered { chunk: 2 }));
}

/// Even who holds the key cannot end a text with an empty chunk behind others: there is one encoding of a text.
#[test]
fn an_empty_last_chunk_is_refused_even_if_it_authenticates() {
    use aes_gcm::aead::Aead;
    use aes_gcm::{Aes256Gcm, KeyInit};
    let (header, mut chunks) = parts(2 * CHUNK);
    let salt = &header[14..46];
    let mut body_key = [0; 32];
    hkdf::Hkdf::<sha2::Sha256>::new(Some(salt), &[7; 32]).expand(b"wardkeep envelope 1 body", &mut body_key).unwrap();
    let gcm = Aes256Gcm::new(&body_key.into());
    let nonce = |counter: u8, last: u8| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, counter, last];
    // What the attacker rebuilt is the true thing.
    assert_eq!(gcm.encrypt(&nonce(1, 1).into(), &text(2 * CHUNK)[CHUNK..]).unwrap(), chunks[1]);
    chunks[1] = gcm.encrypt(&nonce(1, 0).into(), &text(2 * CHUNK)[CHUNK..]).unwrap();
    chunks.push(gcm.encrypt(&nonce(2, 1).into(), b"".as_slice()).unwrap());
    assert!(matches!(refused(&header, &chunks, 2 * CHUNK), OpenError::ChunkAltered { chunk: 2 }));
}

#[test]
fn a_writer_that_was_not_finished_left_no_envelope() {
    use std::io::Write;
    let key = SERVICE.data_key(7, 1);
    let sealer = wardkeep_envelope::Sealer::new(key.file_key(), &[&key], CONTEXT, &mut crate::harness::fixed("x"));
    let mut out = Vec::new();
    sealer.unwrap().writer(&mut out).unwrap().write_all(&text(2 * CHUNK)).unwrap();
    let opened = Opener::from_bytes(&out).unwrap().open(&[&SERVICE], CONTEXT);
    assert!(matches!(opened, Err(OpenError::Truncated { chunk: 0 })));
}
