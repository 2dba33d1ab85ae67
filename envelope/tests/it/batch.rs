//! Batches: what somebody can try who may write boxes and headers, and has keys of other batches.

use proptest::prelude::*;
use wardkeep_envelope::batch::{BatchId, BatchOpener, BatchReader, BatchSealer, NotOpened, OVERHEAD};
use wardkeep_envelope::{DataKey, OpenError, Opener, RewrapError, SealError, UnwrapError};

use crate::harness::{CONTEXT, KeyService, RsaHolder, fixed, text};

const SERVICE: KeyService = KeyService([1; 32]);

fn sealer(key: &DataKey, seed: &str) -> BatchSealer {
    BatchSealer::new(key.file_key(), &[key], CONTEXT, &mut fixed(seed)).unwrap()
}

fn reader(header: &[u8]) -> BatchReader {
    BatchOpener::from_bytes(header).unwrap().reader(&[&SERVICE], CONTEXT).unwrap()
}

#[test]
fn records_come_back_in_any_order() {
    let mut sealer = sealer(&SERVICE.data_key(7, 1), "order");
    let lengths: [usize; 7] = [0, 1, 15, 16, 17, 1024, 70_000];
    let boxes: Vec<_> =
        lengths.iter().map(|&length| sealer.seal(&length.to_be_bytes(), &text(length)).unwrap()).collect();
    let reader = reader(sealer.header());
    assert_eq!(reader.id(), sealer.id());
    for (number, (&length, sealed)) in lengths.iter().zip(&boxes).enumerate().rev() {
        assert_eq!(sealed.len(), length + OVERHEAD);
        assert!(reader.open(sealed, &length.to_be_bytes()).unwrap() == text(length));
        assert!(reader.open_numbered(number as u32, sealed, &length.to_be_bytes()).unwrap() == text(length));
        assert_eq!(BatchId::claimed_by(sealed), Some(sealer.id()));
    }
    assert_eq!(BatchOpener::from_bytes(sealer.header()).unwrap().claimed_id(), sealer.id());
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused_alike() {
    let mut sealer = sealer(&SERVICE.data_key(7, 1), "flip");
    let sealed = sealer.seal(b"c", b"all is well").unwrap();
    let reader = reader(sealer.header());
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(reader.open(&flipped, b"c"), Err(NotOpened), "bit {bit}");
    }
    for end in 0..sealed.len() {
        assert_eq!(reader.open(&sealed[..end], b"c"), Err(NotOpened), "cut at {end}");
    }
    assert_eq!(reader.open(&[sealed.as_slice(), &[0]].concat(), b"c"), Err(NotOpened));
    for context in [b"".as_slice(), b"d", b"cc", b"c\0"] {
        assert_eq!(reader.open(&sealed, context), Err(NotOpened));
    }
    assert!(NotOpened.to_string().contains("another batch, number or context"));
}

#[test]
fn a_box_under_another_number_or_in_another_batch_is_refused() {
    let key = SERVICE.data_key(7, 1);
    // One data key, two batches: the salt keeps their keys apart.
    let (mut one, mut two) = (sealer(&key, "one"), sealer(&key, "two"));
    let boxes: Vec<_> = (0..3).map(|_| one.seal(b"same", b"text").unwrap()).collect();
    let other = two.seal(b"same", b"text").unwrap();
    let reader = reader(one.header());
    assert_eq!(reader.open(&other, b"same"), Err(NotOpened));
    // Dressed up as one of ours.
    let dressed = [&boxes[0][..25], &other[25..]].concat();
    assert_eq!(reader.open(&dressed, b"same"), Err(NotOpened));
    // Numbers swapped by hand.
    let mut renumbered = boxes[0].clone();
    renumbered[25..29].copy_from_slice(&boxes[1][25..29]);
    assert_eq!(reader.open(&renumbered, b"same"), Err(NotOpened));
    // Whole boxes swapped: the same context lets them, the number does not.
    assert!(reader.open(&boxes[1], b"same").is_ok());
    assert_eq!(reader.open_numbered(0, &boxes[1], b"same"), Err(NotOpened));
    assert!(reader.open_numbered(1, &boxes[1], b"same").is_ok());
    // Equal records are not seen to be equal.
    assert_ne!(boxes[0][29..], boxes[1][29..]);
    assert_ne!(one.id(), two.id());
}

#[test]
fn every_flipped_byte_of_a_header_is_refused() {
    let key = SERVICE.data_key(7, 1);
    let sealer = sealer(&key, "header");
    for at in 0..sealer.header().len() {
        let mut flipped = sealer.header().to_vec();
        flipped[at] ^= 0x20;
        let opened = BatchOpener::from_bytes(&flipped).and_then(|opener| opener.reader(&[&SERVICE], CONTEXT));
        assert!(opened.is_err(), "byte {at}");
    }
    for end in 0..sealer.header().len() {
        assert!(BatchOpener::from_bytes(&sealer.header()[..end]).is_err(), "cut at {end}");
    }
    let longer = [sealer.header(), &[0]].concat();
    assert!(matches!(BatchOpener::from_bytes(&longer), Err(OpenError::Malformed { part: "end" })));
}

#[test]
fn headers_ask_for_their_context_and_their_holder() {
    let rsa = RsaHolder::new();
    let key = SERVICE.data_key(7, 1);
    let mut batch = BatchSealer::new(key.file_key(), &[&key, &rsa.public], CONTEXT, &mut fixed("two")).unwrap();
    let sealed = batch.seal(b"c", b"text").unwrap();
    let opener = BatchOpener::from_bytes(batch.header()).unwrap();
    assert_eq!((opener.claimed_context(), opener.stanzas().len()), (CONTEXT, 2));
    for holder in [&SERVICE as &dyn wardkeep_envelope::Unwrap, &rsa] {
        assert_eq!(opener.reader(&[holder], CONTEXT).unwrap().open(&sealed, b"c").unwrap(), b"text");
    }
    assert!(matches!(opener.reader(&[&SERVICE], b"other"), Err(OpenError::OtherContext)));
    assert!(matches!(opener.reader(&[], CONTEXT), Err(OpenError::NotForUs { count: 2 })));
    let wrong = opener.reader(&[&KeyService([2; 32])], CONTEXT);
    assert!(matches!(wrong, Err(OpenError::Unwrap(UnwrapError::Broken { .. }))));
    let nobody = BatchSealer::new(key.file_key(), &[], CONTEXT, &mut fixed("none"));
    assert!(matches!(nobody, Err(SealError::NoRecipient)));
}

#[test]
fn a_batch_is_no_envelope_and_an_envelope_no_batch() {
    let batch = sealer(&SERVICE.data_key(7, 1), "kinds");
    assert!(matches!(Opener::from_bytes(batch.header()), Err(OpenError::NotAnEnvelope)));
    let envelope = crate::harness::sealed(&SERVICE, b"");
    let refused = BatchOpener::from_bytes(&envelope).unwrap_err();
    assert!(matches!(refused, OpenError::NotABatch) && refused.to_string().contains("batch"));
}

#[test]
fn a_header_is_rewrapped_and_its_boxes_stay() {
    let mut batch = sealer(&SERVICE.data_key(7, 1), "rewrap");
    let sealed = batch.seal(b"c", b"text").unwrap();
    let opener = || BatchOpener::from_bytes(batch.header()).unwrap();
    let old = opener().wrapped_keys().next().unwrap();
    let new = SERVICE.data_key(7, 2);
    let header = opener().rewrap(&old, new.wrapped().wrapped().to_vec()).unwrap();
    assert_ne!(header, batch.header());
    assert_eq!(BatchOpener::from_bytes(&header).unwrap().claimed_id(), batch.id());
    assert_eq!(reader(&header).open(&sealed, b"c").unwrap(), b"text");
    assert!(matches!(opener().rewrap(new.wrapped(), vec![1]), Err(RewrapError::NoSuchStanza)));
}

#[test]
fn nothing_secret_is_shown() {
    let batch = sealer(&SERVICE.data_key(0xcd, 1), "shown");
    let shown = format!("{batch:?} {:?}", reader(batch.header()));
    assert!(shown.starts_with("BatchSealer") && !shown.contains("205, 205"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), ours in any::<bool>()) {
        let batch = sealer(&SERVICE.data_key(7, 1), "noise");
        let mut bytes = bytes;
        if ours {
            bytes.splice(0..0, [[1].as_slice(), batch.id().as_bytes()].concat());
        }
        prop_assert_eq!(reader(batch.header()).open(&bytes, b""), Err(NotOpened));
        let _ = BatchOpener::from_bytes(&bytes);
    }
}
