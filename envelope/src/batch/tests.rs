//! What only the inside can reach: the last numbers, the derivation written out, the boxes' fields.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};

use super::*;
use crate::{DataKey, RandomFailed};

fn data_key() -> DataKey {
    DataKey::new("a/b", vec![1; 60], FileKey::from_bytes([9; 32])).unwrap()
}

fn sealer() -> BatchSealer {
    let mut random = |out: &mut [u8]| -> Result<(), RandomFailed> {
        out.fill(7);
        Ok(())
    };
    BatchSealer::new(data_key().file_key(), &[&data_key()], b"ward 7", &mut random).unwrap()
}

fn reader() -> BatchReader {
    BatchOpener::from_bytes(sealer().header()).unwrap().reader(&[&data_key()], b"ward 7").unwrap()
}

#[test]
fn a_batch_ends_after_its_last_number() {
    let mut sealer = sealer();
    sealer.next = MAX_RECORDS - 2;
    for number in [u32::MAX - 1, u32::MAX] {
        let sealed = sealer.seal(b"c", b"last").unwrap();
        assert_eq!(parse(&sealed).unwrap().1, number);
        assert_eq!(reader().open_numbered(number, &sealed, b"c").unwrap(), b"last");
    }
    let mut out = b"before".to_vec();
    for _ in 0..3 {
        assert_eq!(sealer.seal_onto(b"c", b"one more", &mut out), Err(RecordSealError::Full));
    }
    assert_eq!(out, b"before");
    assert!(RecordSealError::Full.to_string().contains("begin another"));
}

#[test]
fn a_box_is_what_the_specification_says() {
    let mut sealer = sealer();
    sealer.seal(b"c", b"first").unwrap();
    let sealed = sealer.seal(b"Observation/17", b"second").unwrap();
    let header = Header::read(Form::Batch, &mut sealer.header()).unwrap();
    // By hand, from the file key and the header's public bytes.
    let mut batch_key = [0; 32];
    Hkdf::<Sha256>::new(Some(&[7; 32]), &[9; 32]).expand(b"wardkeep batch 1 records", &mut batch_key).unwrap();
    let mut key = [0; 32];
    Hkdf::<Sha256>::from_prk(&batch_key).unwrap().expand(&[0, 0, 0, 1], &mut key).unwrap();
    let payload = Payload { msg: b"second", aad: b"Observation/17" };
    let text = Aes256Gcm::new(&key.into()).encrypt(&[0; 12].into(), payload).unwrap();
    assert_eq!(sealed, [&[1], &header.check[..24], &[0, 0, 0, 1], text.as_slice()].concat());
    assert_eq!(sealed.len(), b"second".len() + OVERHEAD);
    const { assert!(OVERHEAD <= 48) };
}

#[test]
fn a_batch_and_an_envelope_of_one_key_and_salt_share_no_key() {
    let mut random = |out: &mut [u8]| -> Result<(), RandomFailed> {
        out.fill(7);
        Ok(())
    };
    let make = |form, random: &mut dyn Randomness| {
        Header::make(form, data_key().file_key(), &[&data_key()], b"ward 7", random).unwrap()
    };
    let ((batch, of_batch), (envelope, of_envelope)) =
        (make(Form::Batch, &mut random), make(Form::Envelope, &mut random));
    assert_eq!(batch.salt, envelope.salt);
    assert_ne!(*of_batch.0, *of_envelope.0);
    assert_ne!(batch.check, envelope.check);
    // Nor does one pass for the other under a magic that was written over.
    let mut forged = batch.encode();
    forged[..8].copy_from_slice(b"WARDKEEP");
    let opened = crate::Opener::from_bytes(&forged).unwrap().open(&[&data_key()], b"ward 7");
    assert!(matches!(opened, Err(OpenError::HeaderAltered)));
}
