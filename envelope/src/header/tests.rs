//! Headers as an attacker writes them.

use proptest::prelude::*;

use super::*;

fn header() -> Header {
    let stanzas = vec![
        Stanza::new(StanzaKind::KMS, [&[3], b"a/b".as_slice(), &[9; 40]].concat()),
        Stanza::new(StanzaKind(999), vec![1, 2, 3]),
    ];
    Header { form: Form::Envelope, salt: [5; SALT], context: b"visit".to_vec(), stanzas, check: [6; CHECK] }
}

fn read(bytes: &[u8]) -> Result<Header, OpenError> {
    Header::read(Form::Envelope, &mut &*bytes)
}

/// A source that counts what is taken out of it and never ends.
struct Endless {
    start: Vec<u8>,
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        for byte in out.iter_mut() {
            *byte = self.start.get(self.given).copied().unwrap_or(0xff);
            self.given += 1;
        }
        Ok(out.len())
    }
}

#[test]
fn a_header_is_read_as_written_and_not_a_byte_more() {
    let bytes = header().encode();
    assert_eq!(bytes.len(), header().len());
    assert_eq!(read(&bytes).unwrap(), header());
    let mut input = [bytes.as_slice(), b"body"].concat();
    let mut rest = input.as_mut_slice() as &[u8];
    Header::read(Form::Envelope, &mut rest).unwrap();
    assert_eq!(rest, b"body");
}

#[test]
fn other_files_and_versions_are_told_apart() {
    assert!(matches!(read(b""), Err(OpenError::NotAnEnvelope)));
    assert!(matches!(read(b"PK\x03\x04 something else"), Err(OpenError::NotAnEnvelope)));
    assert!(matches!(read(b"WARDKEEPER"), Err(OpenError::UnknownVersion { version: 0x4552 })));
    for version in [0u16, 2, 0xffff] {
        let mut bytes = header().encode();
        bytes[8..10].copy_from_slice(&version.to_be_bytes());
        assert!(matches!(read(&bytes), Err(OpenError::UnknownVersion { version: found }) if found == version));
    }
}

#[test]
fn every_cut_is_an_error() {
    let bytes = header().encode();
    assert!(matches!(read(&bytes[..0]), Err(OpenError::NotAnEnvelope)));
    for end in 1..bytes.len() {
        assert!(matches!(read(&bytes[..end]), Err(OpenError::HeaderTruncated)), "cut at {end}");
    }
}

#[test]
fn claimed_lengths_of_4_gib_take_no_memory() {
    let good = header().encode();
    // The header's own length: refused before anything more is read.
    for claim in [0, PREFIX as u32, MIN_HEADER as u32 - 1, MAX_HEADER as u32 + 1, u32::MAX] {
        let mut input = Endless { start: good.clone(), given: 0 };
        input.start[10..14].copy_from_slice(&claim.to_be_bytes());
        assert!(
            matches!(Header::read(Form::Envelope, &mut input), Err(OpenError::HeaderLength { len }) if len == u64::from(claim))
        );
        assert_eq!(input.given, PREFIX);
    }
    // A length inside: bounded by the header, which is bounded by 256 KiB.
    let context = PREFIX + SALT;
    let stanza = context + 4 + 5 + 2 + 2;
    for (at, part) in [(context, "context"), (stanza, "stanza length")] {
        for claim in [u32::MAX, 0x8000_0000, MAX_STANZA as u32 + 1] {
            let mut input = Endless { start: good.clone(), given: 0 };
            input.start[at..at + 4].copy_from_slice(&claim.to_be_bytes());
            assert!(
                matches!(Header::read(Form::Envelope, &mut input), Err(OpenError::Malformed { part: found }) if found == part)
            );
            assert!(input.given <= MAX_HEADER);
        }
    }
    let count = context + 4 + 5;
    for claim in [33u16, 0xffff] {
        let mut bytes = good.clone();
        bytes[count..count + 2].copy_from_slice(&claim.to_be_bytes());
        assert!(matches!(read(&bytes), Err(OpenError::Malformed { part: "stanza count" })));
    }
}

#[test]
fn no_byte_hides_in_a_header() {
    let mut bytes = header().encode();
    bytes.push(0);
    let length = (bytes.len() as u32).to_be_bytes();
    bytes[10..14].copy_from_slice(&length);
    assert!(matches!(read(&bytes), Err(OpenError::Malformed { part: "length" })));
}

#[test]
fn bounds_hold_when_sealing() {
    let with = |change: &dyn Fn(&mut Header)| {
        let mut one = header();
        change(&mut one);
        one.check_bounds()
    };
    let stanza = |len| Stanza::new(StanzaKind::RSA, vec![0; len]);
    assert!(with(&|h| h.stanzas = vec![stanza(1); MAX_STANZAS]).is_ok());
    assert!(matches!(with(&|h| h.stanzas = vec![stanza(1); 33]), Err(SealError::TooManyStanzas { count: 33 })));
    assert!(with(&|h| h.context = vec![0; MAX_CONTEXT]).is_ok());
    assert!(matches!(with(&|h| h.context = vec![0; MAX_CONTEXT + 1]), Err(SealError::ContextTooLong { .. })));
    assert!(with(&|h| h.stanzas = vec![stanza(MAX_STANZA)]).is_ok());
    assert!(matches!(with(&|h| h.stanzas = vec![stanza(MAX_STANZA + 1)]), Err(SealError::StanzaTooLong { .. })));
    assert!(matches!(with(&|h| h.stanzas = vec![stanza(MAX_STANZA); 2]), Err(SealError::HeaderTooLong { .. })));
}

#[test]
fn the_transcript_leaves_out_only_wrapped_bytes() {
    let mut other = header();
    other.stanzas[0] = Stanza::new(StanzaKind::KMS, [&[3], b"a/b".as_slice(), &[8; 44]].concat());
    assert_eq!(other.transcript(), header().transcript());
    let changes: [&dyn Fn(&mut Header); 7] = [
        &|h| h.salt[0] ^= 1,
        &|h| h.context[0] ^= 1,
        &|h| h.context.clear(),
        &|h| h.stanzas[0] = Stanza::new(StanzaKind::KMS, [&[3], b"a/c".as_slice(), &[9; 40]].concat()),
        &|h| h.stanzas[1] = Stanza::new(StanzaKind(999), vec![1, 2, 4]),
        &|h| h.stanzas.swap(0, 1),
        &|h| drop(h.stanzas.pop()),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = header();
        change(&mut changed);
        assert_ne!(changed.transcript(), header().transcript(), "change {index}");
    }
}

fn any_header() -> impl Strategy<Value = Header> {
    let stanza = (any::<u16>(), prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(kind, body)| Stanza::new(StanzaKind(kind), body));
    let parts = (any::<[u8; 32]>(), prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(stanza, 0..32));
    (parts, any::<[u8; 32]>()).prop_map(|((salt, context, stanzas), check)| Header {
        form: Form::Envelope,
        salt,
        context,
        stanzas,
        check,
    })
}

proptest! {
    #[test]
    fn headers_survive_the_way_there_and_back(header in any_header()) {
        prop_assert_eq!(read(&header.encode()).unwrap(), header);
    }

    #[test]
    fn no_input_makes_the_reader_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), ours in any::<bool>()) {
        if ours && bytes.len() > 14 {
            bytes[..10].copy_from_slice(b"WARDKEEP\x00\x01");
            let length = (bytes.len() as u32).to_be_bytes();
            bytes[10..14].copy_from_slice(&length);
        }
        // What reads at all is the one encoding of what it says.
        if let Ok(header) = read(&bytes) {
            let length = header.len();
            prop_assert_eq!(header.encode(), &bytes[..length]);
        }
    }
}
