//! The verbs that use keys, as a caller with every right uses them.

use std::sync::Arc;

use rsa::pkcs8::{DecodePublicKey, EncodePublicKey};
use rsa::traits::PublicKeyParts;
use wardkeep_model::{KeySpec, KeyState, KeyUsage, KeyVersion, Permit, action};
use wardkeep_policy::{Question, Resource};
use wardkeep_store::{Change, Store, Table, Work};
use zeroize::Zeroizing;

use super::fixture::{Fixture, caller, context, id, record_of};
use crate::service::{
    Decrypt, Encrypt, GenerateDataKey, ListKeys, RewrapDataKey, Sign, SignatureInput, UnwrapDataKey, Verify,
};
use crate::{KmsError, RecipientError, RecipientKey};

/// A recipient's key pair, made by the library that the recipient may use.
fn recipient(bits: usize) -> (rsa::RsaPrivateKey, RecipientKey) {
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::UnwrapErr(SystemChance), bits).unwrap();
    let der = private.to_public_key().to_public_key_der().unwrap();
    let key = RecipientKey::from_spki_der(der.as_bytes()).unwrap();
    (private, key)
}

/// The operating system's chance, for making keys in tests.
struct SystemChance;

impl rsa::rand_core::TryRng for SystemChance {
    type Error = rsa::rand_core::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        aws_lc_rs::rand::fill(out).unwrap();
        Ok(())
    }
}

impl rsa::rand_core::TryCryptoRng for SystemChance {}

#[tokio::test]
async fn data_keys_open_with_the_very_context() {
    let fixture = Fixture::new().await;
    for (name, spec) in
        [("ring/aes", KeySpec::Aes256Gcm), ("ring/rsa3", KeySpec::Rsa3072), ("ring/rsa4", KeySpec::Rsa4096)]
    {
        fixture.create(name, spec, KeyUsage::Wrap).await;
        for context in [context("a"), record_of("ana", "1")] {
            let made = fixture.generate(&id(name), &context).await.unwrap();
            let opened = fixture.unwrap(&made.wrapped, &context).await.unwrap();
            assert_eq!(made.plaintext.unwrap().expose(), opened.plaintext.unwrap().expose());
            let event = fixture.last_event();
            assert_eq!((event.outcome.as_str(), event.action.as_str()), ("ok", "UnwrapDataKey"));
        }
    }
}

#[tokio::test]
async fn a_recipient_gets_the_key_and_nobody_else() {
    let fixture = Fixture::new().await;
    fixture.create("ring/aes", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let (key, context) = (id("ring/aes"), context("a"));
    let (private, public) = recipient(3072);
    let fingerprint = public.fingerprint();
    let permit = fixture.decide("ana", &key, Some(&context), Some(&public), false).unwrap();
    let request =
        GenerateDataKey { key: key.clone(), context: context.clone(), recipient: Some(public), plaintext: false };
    let made = fixture.kms.generate_data_key(permit, request).await.unwrap();
    assert!(made.plaintext.is_none(), "never beside the sealed form");
    let oaep = rsa::Oaep::<sha2::Sha256>::new();
    let opened = private.decrypt(oaep, &made.for_recipient.unwrap()).unwrap();
    let plain = fixture.unwrap(&made.wrapped, &context).await.unwrap().plaintext.unwrap();
    assert_eq!(opened, plain.expose());

    let public = RecipientKey::from_spki_der(private.to_public_key().to_public_key_der().unwrap().as_bytes()).unwrap();
    let permit = fixture.decide("ana", &key, Some(&context), Some(&public), false).unwrap();
    let request = UnwrapDataKey { wrapped: made.wrapped, context: context.clone(), recipient: Some(public) };
    let sealed = fixture.kms.unwrap_data_key(permit, request).await.unwrap();
    assert!(sealed.plaintext.is_none());
    assert_eq!(private.decrypt(rsa::Oaep::<sha2::Sha256>::new(), &sealed.for_recipient.unwrap()).unwrap(), opened);
    let detail = fixture.records().pop().unwrap().line;
    assert!(detail.contains(&fingerprint.to_string()), "the recipient stands in the record: {detail}");

    // A permit for one recipient is none for another, nor for plaintext.
    let (_, other) = recipient(3072);
    let permit = fixture.decide("ana", &key, Some(&context), Some(&other), false).unwrap();
    let request = GenerateDataKey { key: key.clone(), context: context.clone(), recipient: None, plaintext: true };
    assert_eq!(fixture.kms.generate_data_key(permit, request).await.err(), Some(KmsError::PermitMismatch));
    let permit = fixture.decide("ana", &key, Some(&context), Some(&other), false).unwrap();
    let request = GenerateDataKey { key, context, recipient: Some(other), plaintext: true };
    assert_eq!(fixture.kms.generate_data_key(permit, request).await.err(), Some(KmsError::PlaintextBesideRecipient));
}

#[test]
fn recipients_have_one_encoding_and_bounds() {
    let (private, key) = recipient(3072);
    let (n, e) = (private.n_bytes(), private.e_bytes());
    let again = RecipientKey::from_jwk(&n, &e).unwrap();
    assert_eq!(again.fingerprint(), key.fingerprint(), "SPKI and JWK of one key have one fingerprint");
    let der = private.to_public_key().to_public_key_der().unwrap();
    assert_eq!(again.spki_der(), der.as_bytes());
    assert!(rsa::RsaPublicKey::from_public_key_der(again.spki_der()).is_ok());

    let exponent = Some(RecipientError::Exponent);
    for bad in [&[3][..], &[1, 0, 0], &[0xFF, 0xFF], &[1, 0, 2], &[2, 0, 0, 0, 1], &[0xFF; 9], &[]] {
        assert_eq!(RecipientKey::from_jwk(&n, bad).err(), exponent, "{bad:?}");
    }
    let mut even = n.to_vec();
    *even.last_mut().unwrap() &= 0xFE;
    assert_eq!(RecipientKey::from_jwk(&even, &e).err(), Some(RecipientError::ModulusEven));
    assert_eq!(RecipientKey::from_jwk(&n[1..], &e).err(), Some(RecipientError::ModulusSize { bits: 3064 - lead(&n) }));
    let large = [&[1][..], &[0; 1023], &[1]].concat();
    assert_eq!(RecipientKey::from_jwk(&large, &e).err(), Some(RecipientError::ModulusSize { bits: 8193 }));

    for at in 0..60 {
        let mut flipped = der.as_bytes().to_vec();
        flipped[at] ^= 0x20;
        if let Ok(read) = RecipientKey::from_spki_der(&flipped) {
            assert_ne!(read.fingerprint(), key.fingerprint(), "byte {at}");
        }
    }
    let trailing = [der.as_bytes(), &[0]].concat();
    assert_eq!(RecipientKey::from_spki_der(&trailing).err(), Some(RecipientError::Encoding));
    assert_eq!(RecipientKey::from_spki_der(&[0x30; 4096]).err(), Some(RecipientError::Encoding));
}

/// Zero bits at the front of the modulus without its first byte.
fn lead(n: &[u8]) -> usize {
    n[1..].iter().take_while(|byte| **byte == 0).count() * 8
        + n[1..].iter().find(|byte| **byte != 0).map_or(0, |byte| byte.leading_zeros() as usize)
}

#[tokio::test]
async fn rewrapping_moves_to_the_newest_version_and_shows_nothing() {
    let fixture = Fixture::new().await;
    for (name, spec) in [("ring/aes", KeySpec::Aes256Gcm), ("ring/rsa", KeySpec::Rsa3072)] {
        fixture.create(name, spec, KeyUsage::Wrap).await;
        let (key, context) = (id(name), record_of("ana", "1"));
        let made = fixture.generate(&key, &context).await.unwrap();
        fixture.rotate(&key).await;
        let request = RewrapDataKey { wrapped: made.wrapped.clone(), context: context.clone() };
        let permit: Permit<action::RewrapDataKey> = fixture.permit_with(&key, &context);
        assert!(permit.release().is_none(), "decided on the key alone");
        let rewrapped = fixture.kms.rewrap_data_key(permit, request).await.unwrap();
        assert_eq!((rewrapped.from.get(), rewrapped.version.get()), (1, 2));
        let plain = made.plaintext.unwrap();
        for wrapped in [&made.wrapped, &rewrapped.wrapped] {
            let opened = fixture.unwrap(wrapped, &context).await.unwrap().plaintext.unwrap();
            assert_eq!(opened.expose(), plain.expose());
        }
    }
}

#[tokio::test]
async fn small_data_round_trips_up_to_its_bound() {
    let fixture = Fixture::new().await;
    fixture.create("ring/enc", KeySpec::Aes256Gcm, KeyUsage::Encrypt).await;
    let (key, context) = (id("ring/enc"), context("a"));
    for len in [0, 1, 65_536] {
        let plaintext = Zeroizing::new(vec![7; len]);
        let request = Encrypt { key: key.clone(), context: context.clone(), plaintext };
        let made = fixture.kms.encrypt(fixture.permit_with(&key, &context), request).await.unwrap();
        let request = Decrypt { ciphertext: made.ciphertext, context: context.clone() };
        let opened = fixture.kms.decrypt(fixture.permit_with(&key, &context), request).await.unwrap();
        assert_eq!(opened.plaintext.expose(), vec![7; len]);
    }
    let request = Encrypt { key: key.clone(), context: context.clone(), plaintext: Zeroizing::new(vec![7; 65_537]) };
    let refused = fixture.kms.encrypt(fixture.permit_with(&key, &context), request).await;
    assert_eq!(refused.err(), Some(KmsError::TooLarge { len: 65_537, max: 65_536 }));
}

#[tokio::test]
async fn signatures_hold_for_message_and_digest() {
    let fixture = Fixture::new().await;
    for (name, spec) in [("ring/rsa", KeySpec::Rsa3072), ("ring/ec", KeySpec::EcP256), ("ring/ed", KeySpec::Ed25519)] {
        fixture.create(name, spec, KeyUsage::Sign).await;
        let key = id(name);
        let message = SignatureInput::Message(b"message".to_vec());
        let digest = SignatureInput::Digest(<sha2::Sha256 as sha2::Digest>::digest(b"message").to_vec());
        let sign = |input: &SignatureInput| Sign { key: key.clone(), input: input.clone() };
        let signed = fixture.kms.sign(fixture.permit(&key), sign(&message)).await.unwrap();
        let verify = |input: &SignatureInput, signature: &[u8]| Verify {
            key: key.clone(),
            version: KeyVersion::FIRST,
            input: input.clone(),
            signature: signature.to_vec(),
        };
        let verified = fixture.kms.verify(fixture.permit(&key), verify(&message, &signed.signature)).await;
        assert!(verified.unwrap().valid);
        let other = SignatureInput::Message(b"massage".to_vec());
        let verified = fixture.kms.verify(fixture.permit(&key), verify(&other, &signed.signature)).await;
        assert!(!verified.unwrap().valid);
        let with_digest = fixture.kms.sign(fixture.permit(&key), sign(&digest)).await;
        if spec == KeySpec::Ed25519 {
            let refused = KmsError::DigestUnsupported { spec };
            assert_eq!(with_digest.err(), Some(refused.clone()));
            let verified = fixture.kms.verify(fixture.permit(&key), verify(&digest, &signed.signature)).await;
            assert_eq!(verified.err(), Some(refused));
            continue;
        }
        let with_digest = with_digest.unwrap();
        for (input, signature) in [(&message, &with_digest.signature), (&digest, &signed.signature)] {
            assert!(fixture.kms.verify(fixture.permit(&key), verify(input, signature)).await.unwrap().valid);
        }
        let short = SignatureInput::Digest(vec![0; 31]);
        let refused = fixture.kms.sign(fixture.permit(&key), sign(&short)).await;
        assert_eq!(refused.err(), Some(KmsError::DigestLength { len: 31 }));
    }
}

/// Every option against every kind of key answers with an error of its own, and the service lives
/// (CVE-2026-55776 of the incidents).
#[tokio::test]
async fn every_spec_with_every_usage() {
    let fixture = Fixture::new().await;
    for (n, spec) in KeySpec::ALL.iter().enumerate() {
        for usage in KeyUsage::ALL {
            // RSA keys that may be made take long; they are made elsewhere.
            if spec.allows(*usage) && crate::material::is_dear(*spec) {
                continue;
            }
            let name = format!("ring/k{n}-{usage}");
            let new = super::fixture::new_key(&name, *spec, *usage);
            let made = fixture.kms.create_key(fixture.permit(&id(&name)), new, None).await;
            match made {
                Ok(info) => assert!(spec.allows(*usage) && info.versions[0].state == KeyState::Active),
                Err(error) => assert_eq!(error, KmsError::SpecUsage { spec: *spec, usage: *usage }),
            }
        }
    }
}

#[tokio::test]
async fn at_its_bound_a_version_answers_exhausted_until_rotated() {
    let fixture = Fixture::new().await;
    fixture.create("ring/aes", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let (key, context) = (id("ring/aes"), context("a"));
    let mut row = vec![1];
    row.extend_from_slice(&(crate::uses::BOUND - 1).to_be_bytes());
    let value = Zeroizing::new(row);
    let change = Change::Put { table: Table::Uses, id: "ring/aes#1".to_owned(), expected: None, value };
    fixture.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
    let last = fixture.generate(&key, &context).await.unwrap();
    let exhausted = Some(KmsError::Exhausted { version: KeyVersion::FIRST });
    assert_eq!(fixture.generate(&key, &context).await.err(), exhausted);
    assert_eq!(fixture.kms.due(fixture.clock_now()), [crate::Due::Rotate(key.clone())]);
    assert!(fixture.unwrap(&last.wrapped, &context).await.is_ok(), "what it protected stays readable");
    fixture.rotate(&key).await;
    assert!(fixture.generate(&key, &context).await.is_ok());
    assert_eq!(fixture.kms.due(fixture.clock_now()), []);
}

#[tokio::test]
async fn random_bytes_are_bounded() {
    let fixture = Fixture::new().await;
    let permit = || {
        let (caller, resource) = (caller("ana"), Resource::System("wardkeep"));
        let question = Question { caller: &caller, resource, context: None, recipient: None, compromised: false };
        fixture.engine.decide::<action::GenerateRandom>(&question).unwrap()
    };
    assert_eq!(fixture.kms.random(permit(), 1024).await.unwrap().expose().len(), 1024);
    for len in [0, 1025, usize::MAX] {
        assert_eq!(fixture.kms.random(permit(), len).await.err(), Some(KmsError::RandomLength { max: 1024 }));
    }
}

#[tokio::test]
async fn a_list_shows_only_what_may_be_described_and_its_cursor_no_more() {
    let fixture = Fixture::new().await;
    fixture.ring("other").await;
    for name in ["ring/a", "ring/b", "ring/c", "other/d"] {
        fixture.create(name, KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    }
    let before = fixture.records().len();
    let who = caller("ana");
    let event =
        || fixture.engine.list_event(&who, wardkeep_model::ActionName::DescribeKey, Resource::System("keys")).unwrap();
    let hidden = id("ring/b");
    let mut may_see = |facts: &wardkeep_model::KeyFacts| (facts.id != hidden).then(|| fixture.permit(&facts.id));
    let mut list = ListKeys { ring: None, after: None, limit: 2 };
    let page = fixture.kms.list_keys(&list, &mut may_see, event()).await.unwrap();
    let names = |page: &crate::Page<crate::KeyInfo>| -> Vec<String> {
        page.items.iter().map(|info| info.facts.id.to_string()).collect()
    };
    assert_eq!(names(&page), ["other/d", "ring/a"]);
    assert_eq!(page.next.as_deref(), Some("ring/a"), "never a name that the reader may not see");
    list.after = page.next;
    let page = fixture.kms.list_keys(&list, &mut may_see, event()).await.unwrap();
    assert_eq!((names(&page), page.next.clone()), (vec!["ring/c".to_owned()], None));
    list = ListKeys { ring: Some(wardkeep_model::RingName::new("other").unwrap()), after: None, limit: 10 };
    let page = fixture.kms.list_keys(&list, &mut may_see, event()).await.unwrap();
    assert_eq!(names(&page), ["other/d"]);
    assert_eq!(fixture.records().len(), before + 3, "one record a list");
    // A permit for another key smuggled in.
    let mut wrong = |_: &wardkeep_model::KeyFacts| Some(fixture.permit(&hidden));
    assert_eq!(fixture.kms.list_keys(&list, &mut wrong, event()).await.err(), Some(KmsError::PermitMismatch));
    for (after, limit) in [(None, 0), (None, 1001), (Some("no name".to_owned()), 1)] {
        let list = ListKeys { ring: None, after, limit };
        assert!(matches!(fixture.kms.list_keys(&list, &mut may_see, event()).await, Err(KmsError::PageBounds { .. })));
    }
}

/// Ten thousand keys must load in a tenth of a second; in an unoptimised build this only prints, and holds a
/// looser bound.
#[tokio::test]
async fn ten_thousand_keys_load_quickly() {
    let fixture = Fixture::new().await;
    fixture.create("ring/first", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let row = fixture.store.read(Table::Key, "ring/first").unwrap().unwrap().value;
    for batch in 0..100 {
        let put = |n: usize| Change::Put {
            table: Table::Key,
            id: format!("ring/k{batch}-{n}"),
            expected: None,
            value: row.clone(),
        };
        fixture.store.commit(Work { changes: (0..100).map(put).collect(), events: vec![] }).await.unwrap();
    }
    let scratch = tokio::time::Instant::now();
    let kms = Arc::new(fixture.restarted());
    println!("10 001 keys loaded in {:?}", scratch.elapsed());
    assert_eq!(kms.key_count(), 10_001);
    assert!(scratch.elapsed().as_secs() < 5);
}

/// Processor time of this thread in nanoseconds, whatever else the machine does.
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Prints what the hot path costs without the commit. Run by hand, optimised:
/// `cargo test -p wardkeep-kms --release what_a_data_key_costs -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn what_a_data_key_costs() {
    const ROUNDS: u64 = 20_000;
    let fixture = Fixture::new().await;
    fixture.create("ring/aes", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let (key, context) = (id("ring/aes"), record_of("ana", "1"));
    fixture.generate(&key, &context).await.unwrap();
    let found = fixture.kms.inner.keyring.key(&key).unwrap();
    let start = processor_time();
    for _ in 0..ROUNDS {
        fixture.kms.inner.wrap_new(&found, KeyVersion::FIRST, &context).await.unwrap();
    }
    println!("wrap alone: {} ns of processor time", (processor_time() - start) / ROUNDS);
    let start = processor_time();
    for _ in 0..ROUNDS {
        let mut event = fixture
            .engine
            .list_event(&caller("ana"), wardkeep_model::ActionName::GenerateDataKey, Resource::System("keys"))
            .unwrap();
        let request = GenerateDataKey { key: key.clone(), context: context.clone(), recipient: None, plaintext: true };
        fixture.kms.inner.generate(&mut event, request).await.unwrap();
    }
    println!("generate with event and request: {} ns of processor time", (processor_time() - start) / ROUNDS);
}
