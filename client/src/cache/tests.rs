//! The cache as somebody would misuse it: other subjects, other contexts, old answers, turned-back clocks.

use std::collections::BTreeMap;

use wardkeep_model::Timestamp;

use super::*;
use crate::testing::ManualClock;

mod age;
mod model;

fn holder(subject: Option<&str>) -> Holder {
    Holder {
        actor: Some(Identity::parse("spiffe://example/service/web").unwrap()),
        subject: subject.map(|text| EntityUid::parse(text).unwrap()),
    }
}

fn key() -> KeyId {
    KeyId::parse("records/main").unwrap()
}

fn context(purpose: &str) -> EncryptionContext {
    EncryptionContext::new(BTreeMap::from([("purpose".to_owned(), purpose.to_owned())]), None).unwrap()
}

fn plain(byte: u8) -> Arc<PlainDataKey> {
    Arc::new(PlainDataKey::new(Zeroizing::new([byte; 32])))
}

fn protecting(byte: u8) -> Protecting {
    Protecting { plain: plain(byte), wrapped: Arc::from([byte].as_slice()) }
}

fn cache(limits: CacheLimits) -> (Cache, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    clock.advance(Duration::from_secs(1000));
    (Cache::new(limits, clock.clone(), clock.clone()), clock)
}

fn reading(age: u64, count: usize) -> CacheLimits {
    CacheLimits { read: Some(ReadLimits { age: Duration::from_secs(age), count }), protect: None }
}

fn keep(cache: &Cache, holder: &Holder, wrapped: &[u8], context: &EncryptionContext) {
    cache.keep_read(holder, &key(), wrapped, context, (&plain(1), cache.asking()));
}

#[test]
fn only_the_very_same_question_is_answered() {
    let (cache, _) = cache(CacheLimits::default());
    let ana = holder(Some("User::\"ana\""));
    keep(&cache, &ana, b"wrapped", &context("a"));
    assert!(cache.read(&ana, &key(), b"wrapped", &context("a")).is_some());

    let bob = holder(Some("User::\"bob\""));
    let mut other_actor = ana.clone();
    other_actor.actor = Some(Identity::parse("spiffe://example/service/batch").unwrap());
    let other_key = KeyId::parse("records/other").unwrap();
    assert!(cache.read(&bob, &key(), b"wrapped", &context("a")).is_none(), "another subject");
    assert!(cache.read(&holder(None), &key(), b"wrapped", &context("a")).is_none(), "the actor itself");
    assert!(cache.read(&other_actor, &key(), b"wrapped", &context("a")).is_none(), "another actor");
    assert!(cache.read(&ana, &other_key, b"wrapped", &context("a")).is_none(), "another key");
    assert!(cache.read(&ana, &key(), b"wrappee", &context("a")).is_none(), "another wrapped key");
    assert!(cache.read(&ana, &key(), b"wrapped", &context("b")).is_none(), "another context");
}

#[test]
fn age_ends_a_read_and_counts_from_the_question() {
    let (cache, clock) = cache(reading(300, 10));
    let asked = cache.asking();
    clock.advance(Duration::from_secs(100));
    cache.keep_read(&holder(None), &key(), b"w", &context("a"), (&plain(1), asked));
    clock.advance(Duration::from_millis(199_999));
    assert!(cache.read(&holder(None), &key(), b"w", &context("a")).is_some());
    clock.advance(Duration::from_millis(1));
    assert!(cache.read(&holder(None), &key(), b"w", &context("a")).is_none());
}

#[test]
fn a_clock_turned_back_does_not_lengthen_a_life() {
    let (cache, clock) = cache(reading(300, 10));
    keep(&cache, &holder(None), b"w", &context("a"));
    clock.set(Timestamp::from_millis(0));
    assert!(cache.read(&holder(None), &key(), b"w", &context("a")).is_none());
}

#[test]
fn the_number_is_bounded_and_the_oldest_goes() {
    let (cache, _) = cache(reading(300, 2));
    for wrapped in [b"1", b"2", b"3"] {
        keep(&cache, &holder(None), wrapped, &context("a"));
    }
    let held: Vec<_> = [b"1", b"2", b"3"].map(|w| cache.read(&holder(None), &key(), w, &context("a")).is_some()).into();
    assert_eq!(held, [false, true, true]);
    assert_eq!(lock(&cache.reads).sizes(), (2, 2));
}

#[test]
fn a_bound_of_zero_holds_nothing() {
    let (cache, _) = cache(reading(300, 0));
    keep(&cache, &holder(None), b"w", &context("a"));
    assert!(cache.read(&holder(None), &key(), b"w", &context("a")).is_none());
}

#[test]
fn switched_off_holds_nothing() {
    let (cache, _) = cache(CacheLimits::OFF);
    keep(&cache, &holder(None), b"w", &context("a"));
    assert!(cache.read(&holder(None), &key(), b"w", &context("a")).is_none());
    cache.keep_protect(&holder(None), &key(), &context("a"), (&protecting(1), 1, cache.asking()));
    assert!(cache.protect(&holder(None), &key(), &context("a"), 1).is_none());
}

fn protect_limits(uses: u64, bytes: u64) -> CacheLimits {
    let protect = ProtectLimits { age: Duration::from_secs(60), count: 4, uses, bytes };
    CacheLimits { read: None, protect: Some(protect) }
}

#[test]
fn uses_end_a_protecting_key() {
    let (cache, _) = cache(protect_limits(3, 1000));
    cache.keep_protect(&holder(None), &key(), &context("a"), (&protecting(1), 1, cache.asking()));
    let given = std::iter::from_fn(|| cache.protect(&holder(None), &key(), &context("a"), 1)).count();
    assert_eq!(given, 2, "the first use was the one that made it");
}

#[test]
fn bytes_end_a_protecting_key() {
    let (cache, _) = cache(protect_limits(100, 1000));
    cache.keep_protect(&holder(None), &key(), &context("a"), (&protecting(1), 400, cache.asking()));
    assert!(cache.protect(&holder(None), &key(), &context("a"), 600).is_some());
    assert!(cache.protect(&holder(None), &key(), &context("a"), 1).is_none());
    cache.keep_protect(&holder(None), &key(), &context("a"), (&protecting(1), 1, cache.asking()));
    assert!(cache.protect(&holder(None), &key(), &context("a"), u64::MAX).is_none(), "no overflow");
}

#[test]
fn age_and_subject_bound_a_protecting_key_too() {
    let (cache, clock) = cache(protect_limits(100, 1000));
    let ana = holder(Some("User::\"ana\""));
    cache.keep_protect(&ana, &key(), &context("a"), (&protecting(1), 1, cache.asking()));
    assert!(cache.protect(&holder(Some("User::\"bob\"")), &key(), &context("a"), 1).is_none());
    assert!(cache.protect(&ana, &key(), &context("b"), 1).is_none());
    assert!(cache.protect(&ana, &key(), &context("a"), 1).is_some());
    clock.advance(Duration::from_secs(60));
    assert!(cache.protect(&ana, &key(), &context("a"), 1).is_none());
}

#[test]
fn clearing_forgets_everything_and_debug_tells_nothing() {
    let (cache, _) = cache(CacheLimits { protect: Some(ProtectLimits::default()), ..CacheLimits::default() });
    keep(&cache, &holder(None), b"w", &context("a"));
    cache.keep_protect(&holder(None), &key(), &context("a"), (&protecting(1), 1, cache.asking()));
    cache.clear();
    assert!(cache.read(&holder(None), &key(), b"w", &context("a")).is_none());
    assert!(cache.protect(&holder(None), &key(), &context("a"), 1).is_none());
    assert_eq!(format!("{:?}", plain(7)), "PlainDataKey");
}
