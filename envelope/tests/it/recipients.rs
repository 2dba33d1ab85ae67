//! RSA recipients: their bounds, and that the sealed key opens in another library.

use rsa::pkcs8::EncodePublicKey;
use rsa::{BoxedUint, RsaPublicKey};
use wardkeep_envelope::{
    FileKey, OAEP_LABEL, OpenError, Opener, RandomFailed, Recipient, RsaRecipient, RsaStanza, SealError, Sealer,
    Stanza, StanzaKind, UnwrapError, WrapError,
};

use crate::harness::{CONTEXT, Foreign, KeyService, RsaHolder, fixed};

/// A public key of that size; nobody knows its private half, and its modulus need not be a product of primes.
fn spki(bits: u32, exponent: u64) -> Vec<u8> {
    let mut bytes = vec![0xff; bits.div_ceil(8) as usize];
    bytes[0] = 0xff >> ((8 - bits % 8) % 8);
    let modulus = BoxedUint::from_be_slice(&bytes, bits.next_multiple_of(8)).unwrap();
    let exponent = BoxedUint::from_be_slice(&exponent.to_be_bytes(), 64).unwrap();
    RsaPublicKey::new_unchecked(modulus, exponent).to_public_key_der().unwrap().into_vec()
}

#[test]
fn sealed_here_opened_by_another_library() {
    let holder = RsaHolder::new();
    let mut random = fixed("rsa only");
    let key = FileKey::random(&mut random).unwrap();
    let sealed = Sealer::new(&key, &[&holder.public], CONTEXT, &mut random).unwrap().seal(b"for you").unwrap();
    assert_eq!(Opener::from_bytes(&sealed).unwrap().open(&[&holder], CONTEXT).unwrap(), b"for you");
    // The key service has nothing to do with it.
    let opened = Opener::from_bytes(&sealed).unwrap().open(&[&KeyService([1; 32])], CONTEXT);
    assert!(matches!(opened, Err(OpenError::NotForUs { count: 1 })));
}

#[test]
fn sizes_of_3072_to_8192_bits_are_taken() {
    for bits in [3072, 3073, 4096, 8192] {
        let recipient = RsaRecipient::from_spki_der(&spki(bits, 65_537)).unwrap();
        let stanza = recipient.wrap(&FileKey::from_bytes([1; 32]), &mut fixed("size")).unwrap();
        assert_eq!(stanza.body().len(), 32 + bits.div_ceil(8) as usize);
    }
    for bits in [1024, 2048, 3071, 8193, 16_384] {
        let refused = RsaRecipient::from_spki_der(&spki(bits, 65_537));
        assert!(matches!(refused, Err(WrapError::RsaSize { bits: found }) if found == bits), "{bits}");
    }
}

#[test]
fn exponents_are_odd_and_large_enough() {
    for exponent in [1, 3, 17, 65_535, 65_536, 65_538] {
        let refused = RsaRecipient::from_spki_der(&spki(3072, exponent));
        assert!(matches!(refused, Err(WrapError::RsaExponent)), "{exponent}");
    }
    assert!(RsaRecipient::from_spki_der(&spki(3072, 65_539)).is_ok());
}

#[test]
fn what_is_not_an_rsa_key_is_refused() {
    let good = spki(3072, 65_537);
    assert!(matches!(RsaRecipient::from_spki_der(b""), Err(WrapError::NotRsa)));
    for end in [1, 20, good.len() / 2, good.len() - 1] {
        assert!(matches!(RsaRecipient::from_spki_der(&good[..end]), Err(WrapError::NotRsa)));
    }
    let trailing = [good.as_slice(), &[0]].concat();
    assert!(matches!(RsaRecipient::from_spki_der(&trailing), Err(WrapError::NotRsa)));
    // rsaEncryption to id-RSASSA-PSS: a key that is for signing only.
    let mut pss = good;
    let at = pss.windows(9).position(|oid| oid == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]).unwrap();
    pss[at + 8] = 10;
    assert!(matches!(RsaRecipient::from_spki_der(&pss), Err(WrapError::NotRsa)));
}

#[test]
fn the_label_keeps_other_uses_of_the_same_key_apart() {
    let holder = RsaHolder::new();
    let stanza = holder.public.wrap(&FileKey::from_bytes([1; 32]), &mut fixed("label")).unwrap();
    let found = RsaStanza::read(&stanza).unwrap().unwrap();
    assert_eq!(found.fingerprint, holder.public.fingerprint());
    let bytes = include_bytes!("../../testdata/recipient-rsa3072.pk8");
    let key = aws_lc_rs::rsa::PrivateDecryptingKey::from_pkcs8(bytes).unwrap();
    let key = aws_lc_rs::rsa::OaepPrivateDecryptingKey::new(key).unwrap();
    let mut out = vec![0; key.min_output_size()];
    let algorithm = &aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256;
    assert_eq!(key.decrypt(algorithm, found.ciphertext, &mut out, Some(OAEP_LABEL)).unwrap(), [1; 32]);
    assert!(key.decrypt(algorithm, found.ciphertext, &mut out, None).is_err());
    assert!(key.decrypt(algorithm, found.ciphertext, &mut out, Some(b"another use")).is_err());
}

#[test]
fn malformed_stanzas_are_mine_but_broken() {
    for length in [0, 31, 32, 32 + 383, 32 + 1025] {
        let stanza = Stanza::new(StanzaKind::RSA, vec![0; length]);
        assert!(matches!(RsaStanza::read(&stanza), Some(Err(UnwrapError::Malformed { .. }))), "{length}");
    }
    assert!(RsaStanza::read(&Stanza::new(StanzaKind::KMS, vec![])).is_none());
}

#[test]
fn a_sealer_needs_somebody_a_matching_key_and_randomness() {
    let (service, rsa) = (KeyService([1; 32]), RsaHolder::new());
    let key = service.data_key(7, 1);
    let mut random = fixed("needs");
    assert!(matches!(Sealer::new(key.file_key(), &[], CONTEXT, &mut random), Err(SealError::NoRecipient)));
    let other = Sealer::new(&FileKey::from_bytes([8; 32]), &[&key], CONTEXT, &mut random);
    assert!(matches!(other, Err(SealError::Wrap(WrapError::OtherKey { .. }))));
    let many: Vec<&dyn Recipient> = (0..33).map(|_| &Foreign(9) as &dyn Recipient).collect();
    assert!(matches!(Sealer::new(key.file_key(), &many, b"", &mut random), Err(SealError::TooManyStanzas { .. })));
    // Randomness that fails at once, and one that fails while the RSA recipient draws its seed.
    for after in [0, 1] {
        let mut left = after;
        let mut failing = |out: &mut [u8]| {
            out.fill(1);
            left -= 1;
            if left < 0 { Err(RandomFailed) } else { Ok(()) }
        };
        assert!(Sealer::new(key.file_key(), &[&rsa.public], CONTEXT, &mut failing).is_err());
    }
}

#[test]
fn nothing_secret_is_shown() {
    let service = KeyService([1; 32]);
    let key = service.data_key(0xcd, 1);
    let sealer = Sealer::new(key.file_key(), &[&key], CONTEXT, &mut fixed("shown")).unwrap();
    let shown = format!("{key:?} {:?} {sealer:?}", key.file_key());
    assert!(!shown.contains("205") && !shown.to_lowercase().contains("cdcd"), "{shown}");
}
