//! The attacker edits the header: every bit, the stanzas, the context.

use wardkeep_envelope::{FileKey, OpenError, Opener, RewrapError, Sealer, UnwrapError, WrapError, WrappedKey};

use crate::harness::{CONTEXT, Foreign, KEY, KeyService, RsaHolder, fixed, header_len, sealed, text};

const SERVICE: KeyService = KeyService([1; 32]);

/// For the key service, an RSA recipient and somebody of a later version.
fn for_three(rsa: &RsaHolder) -> Vec<u8> {
    let key = SERVICE.data_key(7, 1);
    let recipients: [&dyn wardkeep_envelope::Recipient; 3] = [&Foreign(3), &key, &rsa.public];
    Sealer::new(key.file_key(), &recipients, CONTEXT, &mut fixed("three")).unwrap().seal(b"all is well").unwrap()
}

#[test]
fn every_flipped_bit_is_refused() {
    let envelope = sealed(&SERVICE, b"all is well");
    for bit in 0..envelope.len() * 8 {
        let mut flipped = envelope.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let opened = Opener::from_bytes(&flipped).and_then(|opener| opener.open(&[&SERVICE], CONTEXT));
        assert!(opened.is_err(), "bit {bit} of {}", envelope.len() * 8);
    }
}

#[test]
fn every_flipped_byte_is_refused_with_three_stanzas() {
    let rsa = RsaHolder::new();
    let envelope = for_three(&rsa);
    let wrapped = SERVICE.data_key(7, 1).wrapped().wrapped().to_vec();
    let start = envelope.windows(wrapped.len()).position(|window| window == wrapped).unwrap();
    for at in 0..envelope.len() {
        let mut flipped = envelope.clone();
        flipped[at] ^= 0x20;
        let open = |holder: &dyn wardkeep_envelope::Unwrap| {
            Opener::from_bytes(&flipped).and_then(|opener| opener.open(&[holder], CONTEXT))
        };
        assert!(open(&SERVICE).is_err(), "byte {at}");
        // Only the bytes that the key service answers for itself are not the RSA recipient's to judge.
        let other_s = (start..start + wrapped.len()).contains(&at);
        assert_eq!(open(&rsa).is_ok(), other_s, "byte {at}");
    }
}

#[test]
fn another_context_is_refused_before_any_key_is_asked_for() {
    struct Never;
    impl wardkeep_envelope::Unwrap for Never {
        fn unwrap(&self, _: &wardkeep_envelope::Stanza) -> Option<Result<FileKey, UnwrapError>> {
            panic!("asked")
        }
    }
    let envelope = sealed(&SERVICE, b"x");
    for context in [b"".as_slice(), b"Observation/1", b"Observation/177", b"observation/17"] {
        let opened = Opener::from_bytes(&envelope).unwrap().open(&[&Never], context);
        assert!(matches!(opened, Err(OpenError::OtherContext)));
    }
    // And a context that was written over in the header is not the one that was sealed.
    let mut forged = envelope.clone();
    forged[50..50 + CONTEXT.len()].copy_from_slice(b"Observation/18");
    let opener = Opener::from_bytes(&forged).unwrap();
    assert_eq!(opener.claimed_context(), b"Observation/18");
    assert!(matches!(opener.open(&[&SERVICE], b"Observation/18"), Err(OpenError::HeaderAltered)));
}

/// Takes the stanzas of an envelope apart and puts others in.
fn with_stanzas(envelope: &[u8], change: impl Fn(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let start = 14 + 32 + 4 + CONTEXT.len();
    let end = header_len(envelope) - 32;
    let mut stanzas = Vec::new();
    let mut at = start + 2;
    while at < end {
        let length = u32::from_be_bytes(envelope[at + 2..at + 6].try_into().unwrap()) as usize;
        stanzas.push(envelope[at..at + 6 + length].to_vec());
        at += 6 + length;
    }
    change(&mut stanzas);
    let count = (stanzas.len() as u16).to_be_bytes();
    let mut out = [&envelope[..start], &count, &stanzas.concat(), &envelope[end..]].concat();
    let length = (out.len() - (envelope.len() - header_len(envelope))) as u32;
    out[10..14].copy_from_slice(&length.to_be_bytes());
    out
}

#[test]
fn stanzas_cannot_be_stripped_added_moved_or_doubled() {
    let rsa = RsaHolder::new();
    let envelope = for_three(&rsa);
    assert_eq!(with_stanzas(&envelope, |_| {}), envelope, "the attacker's tool works");
    let added = [0, 9, 0, 0, 0, 1, 42].to_vec();
    type Change<'a> = &'a dyn Fn(&mut Vec<Vec<u8>>);
    let changes: [(&str, Change<'_>); 7] = [
        ("the unknown one stripped", &|all| drop(all.remove(0))),
        ("rsa stripped", &|all| drop(all.remove(2))),
        ("kms stripped", &|all| drop(all.remove(1))),
        ("one added", &|all| all.push(added.clone())),
        ("one doubled", &|all| all.push(all[0].clone())),
        ("two swapped", &|all| all.swap(0, 1)),
        ("the unknown one emptied", &|all| all[0] = vec![0, 3, 0, 0, 0, 0]),
    ];
    for (name, change) in changes {
        let changed = with_stanzas(&envelope, change);
        for holder in [&SERVICE as &dyn wardkeep_envelope::Unwrap, &rsa] {
            let opened = Opener::from_bytes(&changed).unwrap().open(&[holder], CONTEXT);
            let refused = matches!(opened, Err(OpenError::HeaderAltered | OpenError::NotForUs { .. }));
            assert!(refused, "{name}: {opened:?}");
        }
    }
}

#[test]
fn unknown_stanzas_are_skipped_and_nobody_s_stanza_is_said() {
    let rsa = RsaHolder::new();
    let envelope = for_three(&rsa);
    let opener = Opener::from_bytes(&envelope).unwrap();
    assert_eq!(opener.stanzas().iter().map(|stanza| stanza.kind().0).collect::<Vec<_>>(), [3, 1, 2]);
    assert_eq!(opener.open(&[&rsa, &SERVICE], CONTEXT).unwrap(), b"all is well");
    let none = Opener::from_bytes(&envelope).unwrap().open(&[], CONTEXT);
    assert!(matches!(none, Err(OpenError::NotForUs { count: 3 })));
}

#[test]
fn mine_but_broken_is_an_error_and_nobody_else_is_asked() {
    let rsa = RsaHolder::new();
    let envelope = for_three(&rsa);
    let opened = Opener::from_bytes(&envelope).unwrap().open(&[&KeyService([2; 32]), &rsa], CONTEXT);
    assert!(matches!(opened, Err(OpenError::Unwrap(UnwrapError::Broken { .. }))));
}

#[test]
fn a_file_is_rewrapped_without_being_opened() {
    let envelope = sealed(&SERVICE, &text(70_000));
    let opener = Opener::from_bytes(&envelope).unwrap();
    let old = opener.wrapped_keys().next().unwrap();
    assert_eq!((old.key(), &old), (KEY, SERVICE.data_key(7, 1).wrapped()));
    let mut out = Vec::new();
    let new = SERVICE.data_key(7, 2).wrapped().wrapped().to_vec();
    opener.rewrap(&old, new.clone(), &mut out).unwrap();
    assert_eq!(out.len(), envelope.len());
    let opener = Opener::from_bytes(&out).unwrap();
    assert_eq!(opener.wrapped_keys().next().unwrap().wrapped(), new);
    assert!(opener.open(&[&SERVICE], CONTEXT).unwrap() == text(70_000));
}

#[test]
fn rewrapping_with_another_data_key_opens_for_nobody() {
    let envelope = sealed(&SERVICE, b"x");
    let (old, other) = (SERVICE.data_key(7, 1), SERVICE.data_key(8, 1));
    let mut out = Vec::new();
    let opener = Opener::from_bytes(&envelope).unwrap();
    opener.rewrap(old.wrapped(), other.wrapped().wrapped().to_vec(), &mut out).unwrap();
    let opened = Opener::from_bytes(&out).unwrap().open(&[&SERVICE], CONTEXT);
    assert!(matches!(opened, Err(OpenError::HeaderAltered)));

    let opener = Opener::from_bytes(&envelope).unwrap();
    let unknown = opener.rewrap(other.wrapped(), vec![1], &mut out);
    assert!(matches!(unknown, Err(RewrapError::NoSuchStanza)));
    let empty = Opener::from_bytes(&envelope).unwrap().rewrap(old.wrapped(), vec![], &mut out);
    assert!(matches!(empty, Err(RewrapError::Wrap(WrapError::WrappedLength { len: 0 }))));
}

#[test]
fn wrapped_keys_are_bounded() {
    assert!(matches!(WrappedKey::new("", vec![1]), Err(WrapError::KeyId { len: 0 })));
    assert!(matches!(WrappedKey::new(&"k".repeat(256), vec![1]), Err(WrapError::KeyId { len: 256 })));
    assert!(matches!(WrappedKey::new("k", vec![0; 15_001]), Err(WrapError::WrappedLength { .. })));
    assert!(WrappedKey::new(&"k".repeat(255), vec![0; 15_000]).is_ok());
}
