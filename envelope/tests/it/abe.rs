//! Policies over attributes in envelopes: who opens, and what the attacker can do to a stanza.

use wardkeep_abe::{
    AccessPolicy, Attributes, Authority, AuthorityId, Dates, Grant, MAX_CIPHERTEXT, MAX_POLICY, Schema, Seed, Serial,
    Terms, UserKey,
};
use wardkeep_envelope::batch::{BatchOpener, BatchSealer};
use wardkeep_envelope::{
    AbeReader, AbeRecipient, AbeStanza, AllOf, FileKey, MAX_HEADER, MAX_STANZA, OpenError, Opener, Randomness,
    Recipient, Sealer, Stanza, StanzaKind, Unwrap, UnwrapError, WrapError,
};

use crate::golden::golden;
use crate::harness::{CONTEXT, Foreign, KeyService, RsaHolder, fixed, header_len, text};

const SERVICE: KeyService = KeyService([1; 32]);

/// An authority whose every key and version is the same in each run.
pub(crate) fn authority(byte: u8) -> Authority {
    Authority::generate(AuthorityId([byte; 16]), Schema::default(), Terms::default(), Seed::new([byte; 32]))
}

pub(crate) fn key(authority: &Authority, attributes: &str) -> UserKey {
    let attributes = Attributes::parse(attributes, authority.parameters().schema()).unwrap();
    let grant = Grant { attributes: &attributes, valid_until: None, serial: None };
    authority.issue(&grant, Seed::new([3; 32])).unwrap()
}

pub(crate) fn recipient(authority: &Authority, policy: &str) -> AbeRecipient {
    let parameters = authority.parameters();
    AbeRecipient::new(parameters, AccessPolicy::parse(policy, parameters).unwrap())
}

/// Seals a short text for these recipients.
fn sealed(recipients: &[&dyn Recipient], seed: &str) -> Vec<u8> {
    let mut random = fixed(seed);
    let file_key = FileKey::random(&mut random).unwrap();
    Sealer::new(&file_key, recipients, CONTEXT, &mut random).unwrap().seal(b"all is well").unwrap()
}

fn open(envelope: &[u8], holders: &[&dyn Unwrap]) -> Result<Vec<u8>, OpenError> {
    Opener::from_bytes(envelope).and_then(|opener| opener.open(holders, CONTEXT))
}

#[test]
fn whoever_satisfies_the_policy_opens_off_line() {
    let authority = authority(7);
    let envelope =
        sealed(&[&recipient(&authority, "role = doctor and (dept = cardiology or clearance >= 3)")], "policy");
    for (attributes, opens) in [
        ("role = doctor, dept = cardiology", true),
        ("role = doctor, clearance = 3", true),
        ("role = doctor, clearance = 2", false),
        ("dept = cardiology, clearance = 9", false),
        ("role = nurse", false),
    ] {
        let key = key(&authority, attributes);
        let reader = AbeReader::new(authority.parameters(), &key).unwrap();
        match open(&envelope, &[&reader]) {
            Ok(plain) => assert!(opens && plain == b"all is well", "{attributes}"),
            Err(OpenError::Unwrap(UnwrapError::NotSatisfied { missing })) => {
                assert!(!opens && !missing.is_empty(), "{attributes}");
                let said = UnwrapError::NotSatisfied { missing }.to_string();
                assert!(said.contains("lacks"), "{said}");
            }
            Err(other) => panic!("{attributes}: {other}"),
        }
    }
}

#[test]
fn two_keys_that_satisfy_only_together_do_not_open() {
    let authority = authority(7);
    let envelope = sealed(&[&recipient(&authority, "role = doctor and dept = cardiology")], "collusion");
    let keys = [key(&authority, "role = doctor"), key(&authority, "dept = cardiology")];
    let readers: Vec<_> = keys.iter().map(|key| AbeReader::new(authority.parameters(), key).unwrap()).collect();
    let holders: Vec<&dyn Unwrap> = readers.iter().map(|reader| reader as &dyn Unwrap).collect();
    assert!(matches!(open(&envelope, &holders), Err(OpenError::Unwrap(UnwrapError::NotSatisfied { .. }))));
}

#[test]
fn several_keys_are_tried_and_a_no_does_not_end_the_search() {
    let (ours, other) = (authority(7), authority(8));
    let rotated = ours.rotate(Schema::default(), Terms::default(), Seed::new([9; 32])).unwrap();
    let envelope = sealed(&[&recipient(&ours, "role = doctor"), &recipient(&ours, "role = nurse")], "several");
    let keys = [
        (&other, key(&other, "role = nurse")),
        (&rotated, key(&rotated, "role = nurse")),
        (&ours, key(&ours, "role = porter")),
        (&ours, key(&ours, "role = nurse")),
    ];
    let readers: Vec<_> = keys.iter().map(|(of, key)| AbeReader::new(of.parameters(), key).unwrap()).collect();
    let holders: Vec<&dyn Unwrap> = readers.iter().map(|reader| reader as &dyn Unwrap).collect();
    // The second stanza, by the last key; no order of keys matters.
    assert_eq!(open(&envelope, &holders).unwrap(), b"all is well");
    assert_eq!(open(&envelope, &holders.iter().rev().copied().collect::<Vec<_>>()).unwrap(), b"all is well");
    // Of another authority or version: not ours at all.
    assert!(matches!(open(&envelope, &holders[..2]), Err(OpenError::NotForUs { count: 2 })));
    let refused = open(&envelope, &holders[..3]);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::NotSatisfied { .. }))));
    // And a key goes with its own parameters alone.
    assert!(AbeReader::new(other.parameters(), &keys[3].1).is_err());
}

#[test]
fn every_flipped_byte_is_refused() {
    let authority = authority(7);
    let envelope = sealed(&[&recipient(&authority, "role = doctor")], "flip");
    let key = key(&authority, "role = doctor");
    let reader = AbeReader::new(authority.parameters(), &key).unwrap();
    assert!(open(&envelope, &[&reader]).is_ok());
    for at in 0..envelope.len() {
        let mut flipped = envelope.clone();
        flipped[at] ^= 0x01;
        assert!(open(&flipped, &[&reader]).is_err(), "byte {at} of {}", envelope.len());
    }
}

#[test]
fn values_are_refused_with_one_word_whatever_was_changed() {
    let authority = authority(7);
    let stanza =
        recipient(&authority, "role = doctor").wrap(&FileKey::from_bytes([5; 32]), &mut fixed("uniform")).unwrap();
    let key = key(&authority, "role = doctor");
    let reader = AbeReader::new(authority.parameters(), &key).unwrap();
    assert_eq!(reader.unwrap(&stanza).unwrap().unwrap().expose(), &[5; 32]);
    // Wrapped key, points and masked message: the last 32 + 48 + 96 + 96 bytes, and the first 48.
    let length = stanza.body().len();
    for at in (0..48).chain(length - 272..length) {
        let mut body = stanza.body().to_vec();
        body[at] ^= 1;
        let refused = reader.unwrap(&Stanza::new(StanzaKind::ABE, body)).unwrap().unwrap_err();
        assert!(matches!(refused, UnwrapError::Broken { kind: StanzaKind::ABE }), "byte {at}: {refused}");
    }
}

#[test]
fn a_policy_that_was_swapped_opens_for_nobody() {
    let authority = authority(7);
    let doctors = recipient(&authority, "role = doctor");
    let envelope = sealed(&[&doctors], "swap");
    let at = envelope.windows(13).position(|window| window == b"role = doctor").unwrap();
    let mut swapped = envelope.clone();
    swapped[at..at + 13].copy_from_slice(b"role = porter");
    for attributes in ["role = doctor", "role = porter", "role = doctor, job = porter"] {
        let key = key(&authority, attributes);
        let reader = AbeReader::new(authority.parameters(), &key).unwrap();
        assert!(open(&swapped, &[&reader]).is_err(), "{attributes}");
    }
}

#[test]
fn stanzas_of_other_envelopes_and_other_contexts_are_refused() {
    let authority = authority(7);
    let doctors = recipient(&authority, "role = doctor");
    let (one, two) = (sealed(&[&doctors], "one"), sealed(&[&doctors], "two"));
    let key = key(&authority, "role = doctor");
    let reader = AbeReader::new(authority.parameters(), &key).unwrap();
    let start = 14 + 32 + 4 + CONTEXT.len();
    let (end, end_two) = (header_len(&one) - 32, header_len(&two) - 32);
    assert_eq!(end, end_two);
    let moved = [&one[..start], &two[start..end], &one[end..]].concat();
    assert!(matches!(open(&moved, &[&reader]), Err(OpenError::HeaderAltered)));
    let mut other = one.clone();
    other[50..50 + CONTEXT.len()].copy_from_slice(b"Observation/18");
    let refused = Opener::from_bytes(&other).unwrap().open(&[&reader], b"Observation/18");
    assert!(matches!(refused, Err(OpenError::HeaderAltered)));
    // Sealed by the same authority for another use: the ciphertext is bound to this one.
    let policy = AccessPolicy::parse("role = doctor", authority.parameters()).unwrap();
    let (ciphertext, _) =
        wardkeep_abe::seal(authority.parameters(), &policy, b"another use", Seed::new([1; 32])).unwrap();
    let stanza = Stanza::new(StanzaKind::ABE, [[0; 48].as_slice(), ciphertext.to_bytes()].concat());
    assert!(matches!(reader.unwrap(&stanza), Some(Err(UnwrapError::Broken { .. }))));
}

#[test]
fn stanzas_of_no_known_form_are_told_apart() {
    let authority = authority(7);
    let key = key(&authority, "role = doctor");
    let reader = AbeReader::new(authority.parameters(), &key).unwrap();
    let stanza =
        recipient(&authority, "role = doctor").wrap(&FileKey::from_bytes([5; 32]), &mut fixed("form")).unwrap();
    for length in [0, 1, 47, 48, 49, 55, stanza.body().len() - 1] {
        let cut = Stanza::new(StanzaKind::ABE, stanza.body()[..length].to_vec());
        assert!(matches!(reader.unwrap(&cut), Some(Err(UnwrapError::Malformed { .. }))), "{length}");
    }
    // A later format of ciphertexts is another reader's; other kinds are nobody's.
    let mut later = stanza.body().to_vec();
    later[48 + 7] = 2;
    assert!(reader.unwrap(&Stanza::new(StanzaKind::ABE, later)).is_none());
    assert!(reader.unwrap(&Stanza::new(StanzaKind::RSA, stanza.body().to_vec())).is_none());
    assert!(AbeStanza::read(&Stanza::new(StanzaKind(9), vec![])).is_none());
    let read = AbeStanza::read(&stanza).unwrap().unwrap();
    assert_eq!((read.ciphertext().text().as_str(), read.ciphertext().rows()), ("role = doctor", 1));
}

#[test]
fn any_one_opens() {
    let (authority, rsa) = (authority(7), RsaHolder::new());
    let data_key = SERVICE.data_key(7, 1);
    let recipients: [&dyn Recipient; 4] =
        [&Foreign(99), &recipient(&authority, "role = doctor"), &data_key, &rsa.public];
    let envelope =
        Sealer::new(data_key.file_key(), &recipients, CONTEXT, &mut fixed("any")).unwrap().seal(&text(300)).unwrap();
    let doctor = key(&authority, "role = doctor");
    let nurse = key(&authority, "role = nurse");
    let (doctor, nurse) = (
        AbeReader::new(authority.parameters(), &doctor).unwrap(),
        AbeReader::new(authority.parameters(), &nurse).unwrap(),
    );
    for holder in [&doctor as &dyn Unwrap, &SERVICE, &rsa] {
        assert!(open(&envelope, &[holder]).unwrap() == text(300));
    }
    assert!(open(&envelope, &[&nurse]).is_err());
    assert!(open(&envelope, &[&nurse, &SERVICE]).unwrap() == text(300), "the policy's no is not the last word");
}

#[test]
fn attributes_and_the_key_service_together() {
    let authority = authority(7);
    let (data_key, doctors) = (SERVICE.data_key(7, 1), recipient(&authority, "role = doctor"));
    let parts: [&dyn Recipient; 2] = [&doctors, &data_key];
    let envelope = sealed(&[&AllOf::new(&parts).unwrap()], "and");
    let (doctor, nurse) = (key(&authority, "role = doctor"), key(&authority, "role = nurse"));
    let doctor = AbeReader::new(authority.parameters(), &doctor).unwrap();
    let nurse = AbeReader::new(authority.parameters(), &nurse).unwrap();
    assert_eq!(open(&envelope, &[&doctor, &SERVICE]).unwrap(), b"all is well");
    // Revoked on line: the attributes are there and the service gives nothing.
    let refused = open(&envelope, &[&doctor]);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::PartMissing { kind: StanzaKind::KMS }))));
    // The service alone, which may be asked by those without the attributes.
    let refused = open(&envelope, &[&SERVICE]);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::PartMissing { kind: StanzaKind::ABE }))));
    let refused = open(&envelope, &[&nurse, &SERVICE]);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::NotSatisfied { .. }))));
    // And rotation of the service's key needs no attributes.
    let opener = Opener::from_bytes(&envelope).unwrap();
    let (old, mut out) = (opener.wrapped_keys().next().unwrap(), Vec::new());
    opener.rewrap(&old, SERVICE.data_key(7, 2).wrapped().wrapped().to_vec(), &mut out).unwrap();
    assert_eq!(open(&out, &[&doctor, &SERVICE]).unwrap(), b"all is well");
}

#[test]
fn a_batch_under_a_policy_is_opened_once_for_all() {
    let authority = authority(7);
    let mut random = fixed("batch");
    let file_key = FileKey::random(&mut random).unwrap();
    let doctors = recipient(&authority, "role = doctor");
    let mut sealer = BatchSealer::new(&file_key, &[&doctors], CONTEXT, &mut random).unwrap();
    let boxes: Vec<_> = (0..100u32).map(|at| sealer.seal(&at.to_be_bytes(), &text(at as usize)).unwrap()).collect();
    let opener = BatchOpener::from_bytes(sealer.header()).unwrap();
    let (doctor, nurse) = (key(&authority, "role = doctor"), key(&authority, "role = nurse"));
    let reader = AbeReader::new(authority.parameters(), &doctor).unwrap();
    let batch = opener.reader(&[&reader], CONTEXT).unwrap();
    for (at, sealed) in boxes.iter().enumerate() {
        assert!(batch.open_numbered(at as u32, sealed, &(at as u32).to_be_bytes()).unwrap() == text(at));
    }
    let reader = AbeReader::new(authority.parameters(), &nurse).unwrap();
    let refused = opener.reader(&[&reader], CONTEXT);
    assert!(matches!(refused, Err(OpenError::Unwrap(UnwrapError::NotSatisfied { .. }))));
}

#[test]
fn the_largest_policy_fits_beside_a_wrapped_key() {
    const { assert!(MAX_STANZA >= 48 + MAX_CIPHERTEXT + 81 + 2 * 6 + 256 + 15_000) };
    const { assert!(MAX_HEADER >= MAX_STANZA + 64 * 1024) };
    let authority = authority(7);
    // 512 rows, each with a value of its own and long enough to fill the text.
    let leaf = |at: usize| format!("a{at:03} = {}", "v".repeat(MAX_POLICY / 512 - 16));
    let policy: Vec<String> = (0..512).map(leaf).collect();
    let policy = policy.join(" or ");
    assert!((MAX_POLICY - 4096..=MAX_POLICY).contains(&policy.len()), "{}", policy.len());
    let (data_key, widest) = (SERVICE.data_key(7, 1), recipient(&authority, &policy));
    let parts: [&dyn Recipient; 2] = [&widest, &data_key];
    let envelope = sealed(&[&AllOf::new(&parts).unwrap()], "wide");
    assert!(header_len(&envelope) > 64 * 1024, "{}", header_len(&envelope));
    let key = key(&authority, &leaf(511));
    let reader = AbeReader::new(authority.parameters(), &key).unwrap();
    assert_eq!(open(&envelope, &[&reader, &SERVICE]).unwrap(), b"all is well");
}

#[test]
fn expired_and_revoked_keys_open_nothing_sealed_later() {
    let authority = authority(7);
    let parameters = authority.parameters();
    let terms = parameters.terms();
    let day = |number: u64| terms.bucket_at(number * 86_400).unwrap();
    let attributes = Attributes::parse("role = doctor", parameters.schema()).unwrap();
    let issue = |until: u64, serial: u32| {
        let grant = Grant { attributes: &attributes, valid_until: Some(day(until)), serial: Some(Serial::new(serial)) };
        authority.issue(&grant, Seed::new([serial as u8; 32])).unwrap()
    };
    let (good, expired, revoked) = (issue(120, 1), issue(99, 2), issue(120, 3));
    let dates = Dates { number: 1, issued_at: 8_640_000, next_update: 8_650_000 };
    let list = authority.revocation_list(dates, [(Serial::new(3), day(120))].into()).unwrap();
    let policy = AccessPolicy::parse("role = doctor", parameters).unwrap().valid_from(day(100));
    let policy = policy.excluding(&list, parameters, 8_640_100).unwrap();
    let envelope = sealed(&[&AbeRecipient::new(parameters, policy)], "revoked");
    let outcome = |key: &UserKey| open(&envelope, &[&AbeReader::new(parameters, key).unwrap()]);
    assert_eq!(outcome(&good).unwrap(), b"all is well");
    for (key, word) in [(&expired, "expired"), (&revoked, "revoke")] {
        let refused = outcome(key).unwrap_err();
        assert!(matches!(refused, OpenError::Unwrap(UnwrapError::NotSatisfied { .. })), "{refused}");
        assert!(refused.to_string().contains(word), "{refused}");
    }
}

#[test]
fn a_policy_of_other_parameters_and_failing_randomness_seal_nothing() {
    let (ours, other) = (authority(7), authority(8));
    let policy = AccessPolicy::parse("role = doctor", other.parameters()).unwrap();
    let file_key = FileKey::from_bytes([1; 32]);
    let wrong = AbeRecipient::new(ours.parameters(), policy).wrap(&file_key, &mut fixed("wrong"));
    assert!(matches!(wrong, Err(WrapError::Abe(wardkeep_abe::SealError::OtherParameters))));
    let mut failing = |_: &mut [u8]| Err(wardkeep_envelope::RandomFailed);
    let failed = recipient(&ours, "role = doctor").wrap(&file_key, &mut failing as &mut dyn Randomness);
    assert!(matches!(failed, Err(WrapError::Random(_))));
}

#[test]
fn policies_of_version_1_are_written_as_ever_and_open_for_ever() {
    let authority = authority(7);
    let made = wardkeep_abe::to_key_file(authority.parameters(), &key(&authority, "role = doctor"));
    let key_file = golden("abe1/doctor.key", &made);
    let (parameters, key) = wardkeep_abe::from_key_file(&key_file).unwrap();
    let reader = AbeReader::new(&parameters, &key).unwrap();
    let (data_key, doctors) = (SERVICE.data_key(7, 1), recipient(&authority, "role = doctor"));
    let both: [&dyn Recipient; 2] = [&doctors, &data_key];
    for (name, envelope) in [
        ("abe1/doctors.envelope", sealed(&[&doctors], "golden")),
        ("abe1/doctors-and-kms.envelope", sealed(&[&AllOf::new(&both).unwrap()], "golden")),
    ] {
        let envelope = golden(name, &envelope);
        assert_eq!(open(&envelope, &[&reader, &SERVICE]).unwrap(), b"all is well", "{name}");
    }
}
