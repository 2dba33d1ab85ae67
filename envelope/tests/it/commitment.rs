//! Two keys, one file. AES-GCM commits to no key: who knows two keys makes a ciphertext that opens under
//! both, to two texts (Dodis, Grubbs, Ristenpart, Woodage, "Fast Message Franking: From Invisible Salamanders
//! to Encryptment", CRYPTO 2018). CVE-2020-8897 was this in an envelope library: two recipients of one file
//! read different things. Here the attack on GCM is carried out, and the header's check stops it.

use std::io::{self, Read};

use aes_gcm::aead::Aead;
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;
use wardkeep_envelope::{DataKey, FileKey, OpenError, Opener, Sealer, TAG};

use crate::harness::{CONTEXT, KEY, fixed, header_len};

/// GF(2^128) as GCM has it: the first bit of a block is the coefficient of x^0 (SP 800-38D, 6.3).
fn multiply(a: u128, b: u128) -> u128 {
    let (mut product, mut shifted) = (0, b);
    for bit in (0..128).rev() {
        if a >> bit & 1 == 1 {
            product ^= shifted;
        }
        shifted = if shifted & 1 == 1 { shifted >> 1 ^ 0xe1 << 120 } else { shifted >> 1 };
    }
    product
}

/// a^(2^128 - 2).
fn invert(a: u128) -> u128 {
    let (mut result, mut power) = (1 << 127, a);
    for _ in 1..128 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}

fn block(key: &[u8; 32], input: u128) -> u128 {
    let mut block = input.to_be_bytes().into();
    Aes256::new(key.into()).encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

/// A two-block ciphertext with a tag that fits under both keys at once, with that nonce.
fn salamander(keys: [&[u8; 32]; 2], nonce: [u8; 12]) -> Vec<u8> {
    let first = u128::from_be_bytes(*b"any first block!");
    let mut counter = [0; 16];
    counter[..12].copy_from_slice(&nonce);
    counter[15] = 1;
    let counter = u128::from_be_bytes(counter);
    let lengths = 256u128;
    // tag = first h^3 + second h^2 + lengths h + E(counter), for both keys; the second block is free.
    let [one, two] = keys.map(|key| {
        let h = block(key, 0);
        let square = multiply(h, h);
        (square, multiply(first, multiply(square, h)) ^ multiply(lengths, h) ^ block(key, counter))
    });
    let second = multiply(one.1 ^ two.1, invert(one.0 ^ two.0));
    let tag = one.1 ^ multiply(second, one.0);
    [first.to_be_bytes(), second.to_be_bytes(), tag.to_be_bytes()].concat()
}

fn body_key(file_key: [u8; 32], salt: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), &file_key).expand(b"wardkeep envelope 1 body", &mut out).unwrap();
    out
}

/// Refuses to give a byte of the body.
struct HeaderOnly<'a>(&'a [u8]);

impl Read for HeaderOnly<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        assert!(!self.0.is_empty(), "a chunk was read before the header's check");
        self.0.read(out)
    }
}

#[test]
fn a_body_that_opens_under_two_keys_opens_for_one_only() {
    let (anna, ben) = ([0xa; 32], [0xb; 32]);
    let data_key = |key: [u8; 32], wrapped: u8| DataKey::new(KEY, vec![wrapped; 60], FileKey::from_bytes(key)).unwrap();
    let (for_anna, for_ben) = (data_key(anna, 1), data_key(ben, 2));

    // An honest header for Anna, into which the attacker puts a stanza for Ben that holds another file key.
    let key_of_ben = data_key(anna, 2);
    let recipients: [&dyn wardkeep_envelope::Recipient; 2] = [&for_anna, &key_of_ben];
    let honest =
        Sealer::new(for_anna.file_key(), &recipients, CONTEXT, &mut fixed("two")).unwrap().seal(&[0; 32]).unwrap();
    let header = honest[..header_len(&honest)].to_vec();
    let salt = header[14..46].to_vec();
    let keys = [body_key(anna, &salt), body_key(ben, &salt)];
    let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let body = salamander([&keys[0], &keys[1]], nonce);
    assert_eq!(body.len(), 32 + TAG);

    // The attack on the cipher works: both keys open it, to two texts.
    let texts = keys.map(|key| Aes256Gcm::new(&key.into()).decrypt(&nonce.into(), body.as_slice()).unwrap());
    assert_ne!(texts[0], texts[1]);

    // On the envelope it does not: Anna reads, Ben is refused, and not one chunk was looked at.
    let envelope = [header.as_slice(), &body].concat();
    assert_eq!(Opener::from_bytes(&envelope).unwrap().open(&[&for_anna], CONTEXT).unwrap(), texts[0]);
    let opener = Opener::from_reader(HeaderOnly(&header)).unwrap();
    assert!(matches!(opener.reader(&[&for_ben], CONTEXT), Err(OpenError::HeaderAltered)));
}

#[test]
fn the_attacker_s_field_arithmetic_is_gcm_s() {
    let a = 0x66e9_4bd4_ef8a_2c3b_884c_fa59_ca34_2b2e; // H of GCM test case 2
    let c = 0x0388_dace_60b6_a392_f328_c2b9_71b2_fe78; // its ciphertext block
    assert_eq!(multiply(c, a), 0x5e2e_c746_9170_6288_2c85_b068_5353_deb7);
    assert_eq!(multiply(a, invert(a)), 1 << 127);
}

#[test]
fn a_wrong_key_is_refused_before_any_chunk() {
    let right = DataKey::new(KEY, vec![1; 60], FileKey::from_bytes([1; 32])).unwrap();
    let sealed = Sealer::new(right.file_key(), &[&right], CONTEXT, &mut fixed("k")).unwrap().seal(b"x").unwrap();
    let header = &sealed[..header_len(&sealed)];
    for byte in [0u8, 2, 255] {
        let wrong = DataKey::new(KEY, vec![1; 60], FileKey::from_bytes([byte; 32])).unwrap();
        let opened = Opener::from_reader(HeaderOnly(header)).unwrap().reader(&[&wrong], CONTEXT);
        assert!(matches!(opened, Err(OpenError::HeaderAltered)));
    }
}
