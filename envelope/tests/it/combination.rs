//! "All of": two keys together open, neither alone, whatever the attacker does with the parts.

use wardkeep_envelope::{
    AllOf, AllOfStanza, FileKey, MAX_PARTS, OpenError, Opener, Randomness, Recipient, RewrapError, Sealer, Stanza,
    StanzaKind, Unwrap, UnwrapError, WrapError,
};

use crate::harness::{CONTEXT, Foreign, KeyService, RsaHolder, fixed, header_len};

const SERVICE: KeyService = KeyService([1; 32]);

/// For the key service and the RSA recipient together.
fn for_both(rsa: &RsaHolder, seed: &str, byte: u8) -> Vec<u8> {
    let key = SERVICE.data_key(byte, 1);
    let both: [&dyn Recipient; 2] = [&key, &rsa.public];
    let mut random = fixed(seed);
    let file_key = FileKey::random(&mut random).unwrap();
    let sealer = Sealer::new(&file_key, &[&AllOf::new(&both).unwrap()], CONTEXT, &mut random).unwrap();
    sealer.seal(b"all is well").unwrap()
}

fn open(envelope: &[u8], holders: &[&dyn Unwrap]) -> Result<Vec<u8>, OpenError> {
    Opener::from_bytes(envelope).and_then(|opener| opener.open(holders, CONTEXT))
}

/// The envelope with another body in its only stanza, lengths set right.
fn with_body(envelope: &[u8], body: &[u8]) -> Vec<u8> {
    let start = 14 + 32 + 4 + CONTEXT.len() + 2 + 2;
    let end = header_len(envelope) - 32;
    let length = (body.len() as u32).to_be_bytes();
    let mut out = [&envelope[..start], &length, body, &envelope[end..]].concat();
    let header = (out.len() - (envelope.len() - header_len(envelope))) as u32;
    out[10..14].copy_from_slice(&header.to_be_bytes());
    out
}

fn body(envelope: &[u8]) -> Vec<u8> {
    let start = 14 + 32 + 4 + CONTEXT.len() + 2 + 2 + 4;
    envelope[start..header_len(envelope) - 32].to_vec()
}

/// Salt and wrapped key of a body, and its parts as bytes.
fn taken_apart(body: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut parts, mut at) = (Vec::new(), 81);
    while at < body.len() {
        let length = u32::from_be_bytes(body[at + 2..at + 6].try_into().unwrap()) as usize;
        parts.push(body[at..at + 6 + length].to_vec());
        at += 6 + length;
    }
    assert_eq!(parts.len(), usize::from(body[80]));
    (body[..80].to_vec(), parts)
}

fn put_together(start: &[u8], parts: &[Vec<u8>]) -> Vec<u8> {
    [start, &[parts.len() as u8], &parts.concat()].concat()
}

#[test]
fn both_open_and_neither_alone() {
    let rsa = RsaHolder::new();
    let envelope = for_both(&rsa, "both", 7);
    for holders in [[&SERVICE as &dyn Unwrap, &rsa], [&rsa, &SERVICE]] {
        assert_eq!(open(&envelope, &holders).unwrap(), b"all is well");
    }
    let missing = |holder: &dyn Unwrap, kind| {
        let refused = open(&envelope, &[holder]).unwrap_err();
        let found = matches!(refused, OpenError::Unwrap(UnwrapError::PartMissing { kind: found }) if found == kind);
        assert!(found && refused.to_string().contains("several keys together"), "{refused}");
    };
    missing(&rsa, StanzaKind::KMS);
    missing(&SERVICE, StanzaKind::RSA);
    assert!(matches!(open(&envelope, &[]), Err(OpenError::NotForUs { count: 1 })));
}

#[test]
fn what_one_part_gives_is_not_the_file_key() {
    let rsa = RsaHolder::new();
    let envelope = for_both(&rsa, "shares", 7);
    let (_, parts) = taken_apart(&body(&envelope));
    // The attacker has one share, and tries it where the file key goes: as the only stanza, the check unchanged.
    for part in &parts {
        let kind = u16::from_be_bytes([part[0], part[1]]);
        let mut alone = with_body(&envelope, &part[6..]);
        let at = 14 + 32 + 4 + CONTEXT.len() + 2;
        alone[at..at + 2].copy_from_slice(&kind.to_be_bytes());
        let holder: &dyn Unwrap = if kind == 1 { &SERVICE } else { &rsa };
        assert!(matches!(open(&alone, &[holder]), Err(OpenError::HeaderAltered)), "kind {kind}");
    }
    // The share of the key service is the data key, which may seal other files: it opens none of this one.
    let data_key = SERVICE.data_key(7, 1);
    let sealed = Sealer::new(data_key.file_key(), &[&data_key], CONTEXT, &mut fixed("x")).unwrap().seal(b"x").unwrap();
    let mixed = [&sealed[..header_len(&sealed)], &envelope[header_len(&envelope)..]].concat();
    assert!(matches!(open(&mixed, &[&SERVICE]), Err(OpenError::ChunkAltered { chunk: 0 })));
}

#[test]
fn every_flipped_byte_is_refused() {
    let rsa = RsaHolder::new();
    let envelope = for_both(&rsa, "flip", 7);
    for at in 0..envelope.len() {
        let mut flipped = envelope.clone();
        flipped[at] ^= 0x20;
        assert!(open(&flipped, &[&SERVICE, &rsa]).is_err(), "byte {at}");
    }
}

#[test]
fn parts_left_out_doubled_swapped_or_taken_from_elsewhere_are_refused() {
    let rsa = RsaHolder::new();
    let (envelope, other) = (for_both(&rsa, "one", 7), for_both(&rsa, "two", 8));
    let (start, parts) = taken_apart(&body(&envelope));
    let (other_start, others) = taken_apart(&body(&other));
    assert_eq!(with_body(&envelope, &put_together(&start, &parts)), envelope, "the attacker's tool works");
    let bodies = [
        ("rsa left out", put_together(&start, &parts[..1])),
        ("kms left out", put_together(&start, &parts[1..])),
        ("both left out", put_together(&start, &[])),
        ("swapped", put_together(&start, &[parts[1].clone(), parts[0].clone()])),
        ("kms doubled", put_together(&start, &[parts[0].clone(), parts[0].clone()])),
        ("one more", put_together(&start, &[parts[0].clone(), parts[1].clone(), parts[0].clone()])),
        ("kms of another", put_together(&start, &[others[0].clone(), parts[1].clone()])),
        ("rsa of another", put_together(&start, &[parts[0].clone(), others[1].clone()])),
        ("salt and key of another", put_together(&other_start, &parts)),
        ("all of another", body(&other)),
    ];
    for (name, body) in bodies {
        let changed = with_body(&envelope, &body);
        let refused = open(&changed, &[&SERVICE, &rsa]);
        assert!(matches!(refused, Err(OpenError::Unwrap(_) | OpenError::HeaderAltered)), "{name}: {refused:?}");
        // Nor does it help to hold one key alone.
        assert!(open(&changed, &[&SERVICE]).is_err() && open(&changed, &[&rsa]).is_err(), "{name}");
    }
}

#[test]
fn combinations_do_not_nest() {
    let rsa = RsaHolder::new();
    let (one, two) = (SERVICE.data_key(7, 1), SERVICE.data_key(8, 1));
    let inner: [&dyn Recipient; 2] = [&one, &rsa.public];
    let inner = AllOf::new(&inner).unwrap();
    let outer: [&dyn Recipient; 2] = [&two, &inner];
    let outer = AllOf::new(&outer).unwrap();
    let refused = outer.wrap(&FileKey::from_bytes([1; 32]), &mut fixed("nest"));
    assert!(matches!(refused, Err(WrapError::Nested)));
    // Written by hand it is malformed, and who holds all keys is told so.
    let mut random = fixed("nest");
    let file_key = FileKey::random(&mut random).unwrap();
    let nested = inner.wrap(&file_key, &mut random).unwrap();
    let mut part =
        [StanzaKind::ALL_OF.0.to_be_bytes().as_slice(), &(nested.body().len() as u32).to_be_bytes()].concat();
    part.extend_from_slice(nested.body());
    let body = put_together(&[0; 80], &[part.clone(), part]);
    let found = AllOfStanza::read(&Stanza::new(StanzaKind::ALL_OF, body.clone())).unwrap();
    assert!(matches!(found, Err(UnwrapError::Malformed { kind: StanzaKind::ALL_OF })));
    let envelope = with_body(&for_both(&rsa, "nested", 7), &body);
    let refused = open(&envelope, &[&SERVICE, &rsa]);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::Malformed { kind: StanzaKind::ALL_OF }))));
}

#[test]
fn a_combination_has_two_to_four_parts() {
    let foreign = Foreign(9);
    for count in 0..7 {
        let parts: Vec<&dyn Recipient> = (0..count).map(|_| &foreign as &dyn Recipient).collect();
        match AllOf::new(&parts) {
            Ok(all) => {
                assert!((2..=MAX_PARTS).contains(&count));
                let stanza = all.wrap(&FileKey::from_bytes([1; 32]), &mut fixed("count")).unwrap();
                assert_eq!(AllOfStanza::read(&stanza).unwrap().unwrap().parts().len(), count);
            }
            Err(error) => assert!(!(2..=MAX_PARTS).contains(&count) && error.to_string().contains("2 to 4"), "{error}"),
        }
    }
    // A count that the bytes do not bear out, or that nobody writes.
    let part = [0, 9, 0, 0, 0, 1, 42];
    for count in [0u8, 1, 3, 5, 255] {
        let mut body = put_together(&[0; 80], &[part.to_vec(), part.to_vec()]);
        body[80] = count;
        let read = AllOfStanza::read(&Stanza::new(StanzaKind::ALL_OF, body)).unwrap();
        assert!(matches!(read, Err(UnwrapError::Malformed { .. })), "{count}");
    }
    for length in [0, 31, 32, 79, 80, 81] {
        let read = AllOfStanza::read(&Stanza::new(StanzaKind::ALL_OF, vec![2; length])).unwrap();
        assert!(read.is_err(), "{length}");
    }
    assert!(AllOfStanza::read(&Stanza::new(StanzaKind::RSA, vec![])).is_none());
}

#[test]
fn alternatives_stand_beside_a_combination() {
    let rsa = RsaHolder::new();
    let (inside, beside) = (SERVICE.data_key(7, 1), SERVICE.data_key(8, 1));
    let both: [&dyn Recipient; 2] = [&inside, &rsa.public];
    let all = AllOf::new(&both).unwrap();
    let recipients: [&dyn Recipient; 3] = [&Foreign(99), &all, &beside];
    let sealed = Sealer::new(beside.file_key(), &recipients, CONTEXT, &mut fixed("beside")).unwrap();
    let envelope = sealed.seal(b"all is well").unwrap();
    // The service alone, by the stanza beside; a part that is missing does not stand in its way.
    assert_eq!(open(&envelope, &[&beside]).unwrap(), b"all is well");
    assert_eq!(open(&envelope, &[&SERVICE]).unwrap(), b"all is well");
    // Both together, by the combination.
    assert_eq!(open(&envelope, &[&inside, &rsa]).unwrap(), b"all is well");
    assert!(matches!(open(&envelope, &[&inside]), Err(OpenError::Unwrap(UnwrapError::PartMissing { .. }))));
    let named: Vec<_> = Opener::from_bytes(&envelope).unwrap().wrapped_keys().collect();
    assert_eq!(named, [inside.wrapped().clone(), beside.wrapped().clone()]);
}

#[test]
fn an_unknown_part_is_for_nobody_here() {
    let rsa = RsaHolder::new();
    let parts: [&dyn Recipient; 2] = [&Foreign(77), &rsa.public];
    let mut random = fixed("unknown part");
    let file_key = FileKey::random(&mut random).unwrap();
    let recipients: [&dyn Recipient; 1] = [&AllOf::new(&parts).unwrap()];
    let envelope = Sealer::new(&file_key, &recipients, CONTEXT, &mut random).unwrap().seal(b"x").unwrap();
    let refused = open(&envelope, &[&rsa]);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::PartMissing { kind: StanzaKind(77) }))));
    assert!(matches!(open(&envelope, &[&SERVICE]), Err(OpenError::NotForUs { count: 1 })));
}

#[test]
fn a_broken_part_decides() {
    let rsa = RsaHolder::new();
    let envelope = for_both(&rsa, "broken", 7);
    let refused = open(&envelope, &[&KeyService([2; 32]), &rsa]);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::Broken { kind: StanzaKind::KMS }))));
    let both = open(&envelope, &[&KeyService([2; 32])]);
    assert!(matches!(both, Err(OpenError::Unwrap(UnwrapError::Broken { kind: StanzaKind::KMS }))));
}

#[test]
fn the_key_service_s_part_is_rewrapped_by_whoever_may_not_open() {
    let rsa = RsaHolder::new();
    let envelope = for_both(&rsa, "rewrap", 7);
    let opener = Opener::from_bytes(&envelope).unwrap();
    let old = opener.wrapped_keys().next().unwrap();
    let new = SERVICE.data_key(7, 2).wrapped().wrapped().to_vec();
    let mut out = Vec::new();
    opener.rewrap(&old, new.clone(), &mut out).unwrap();
    assert_eq!(Opener::from_bytes(&out).unwrap().wrapped_keys().next().unwrap().wrapped(), new);
    assert_eq!(open(&out, &[&SERVICE, &rsa]).unwrap(), b"all is well");
    assert!(open(&out, &[&rsa]).is_err() && open(&out, &[&SERVICE]).is_err());
    // Another data key opens for nobody, and an old key that is not there is said.
    let other = SERVICE.data_key(8, 1);
    let mut spoilt = Vec::new();
    let opener = Opener::from_bytes(&envelope).unwrap();
    opener.rewrap(&old, other.wrapped().wrapped().to_vec(), &mut spoilt).unwrap();
    let refused = open(&spoilt, &[&SERVICE, &rsa]);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::Broken { kind: StanzaKind::ALL_OF }))));
    let absent = Opener::from_bytes(&envelope).unwrap().rewrap(other.wrapped(), vec![1], &mut Vec::new());
    assert!(matches!(absent, Err(RewrapError::NoSuchStanza)));
}

#[test]
fn one_data_key_in_two_envelopes_wraps_two_file_keys_differently() {
    // Both shares are data keys that were used before: the salt alone keeps the wrapping keys apart.
    let (one, two) = (SERVICE.data_key(7, 1), SERVICE.data_key(8, 1));
    let parts: [&dyn Recipient; 2] = [&one, &two];
    let all = AllOf::new(&parts).unwrap();
    let wrapped = |seed: &str| {
        let stanza = all.wrap(&FileKey::from_bytes([3; 32]), &mut fixed(seed)).unwrap();
        stanza.body()[32..80].to_vec()
    };
    assert_ne!(wrapped("a"), wrapped("b"));
    let mut failing = |_: &mut [u8]| Err(wardkeep_envelope::RandomFailed);
    let refused = all.wrap(&FileKey::from_bytes([3; 32]), &mut failing as &mut dyn Randomness);
    assert!(matches!(refused, Err(WrapError::Random(_))));
}
