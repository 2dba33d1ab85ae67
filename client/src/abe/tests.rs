//! Sealing under a policy, opening off line: what is asked for beside the attributes, who opens, and who does not.
//!
//! Broke elsewhere: revocation that was a check in the client library which read the list; expiry by the reader's clock;
//! a sealer that went on without a list when it could not have one.

use std::time::Duration;

use wardkeep_abe::{RevocationError, Serial};
use wardkeep_envelope::{OpenError, UnwrapError};
use wardkeep_model::Timestamp;

use super::*;
use crate::error::Side;
use crate::testing::{NOW, Publisher, Reply};
use crate::user_keys::Wish;
use crate::{AuthorityError, RecordError};

mod online;

const LIST: &str = "/v1/keys/clinic/abe/revocations";

pub(super) fn context(word: &str) -> EncryptionContext {
    EncryptionContext::new([("visit".to_owned(), word.to_owned())].into(), None).unwrap()
}

/// A user key that says so.
async fn key(publisher: &Publisher, client: &Client, attributes: &'static str) -> Key {
    publisher.say(|state| state.attributes = attributes);
    client.user_keys().issue(&Publisher::key(), &Wish::default()).await.ok().unwrap().1
}

fn lacks(refused: &AbeError) -> String {
    assert_eq!(refused.side(), Side::Denied, "{refused}");
    refused.missing().join(", ")
}

#[tokio::test]
async fn three_lines_seal_and_open() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let sealer = client.abe("clinic/abe").await.unwrap();
    let sealed = sealer.seal("role = doctor", &context("7"), b"all is well").await.unwrap();
    let doctor = key(&publisher, &client, "role = doctor").await;
    let nurse = key(&publisher, &client, "role = nurse").await;
    let (calls, opened) = (publisher.server.seen().len(), open(&doctor, &sealed, &context("7")).unwrap());
    assert_eq!(opened.as_slice(), b"all is well");
    assert!(lacks(&open(&nurse, &sealed, &context("7")).unwrap_err()).contains("role = doctor"));
    assert!(matches!(open(&doctor, &sealed, &context("8")), Err(AbeError::Unexpected)));
    assert_eq!(publisher.server.seen().len(), calls, "nobody was asked");
    // The envelope is an envelope like others, and no server's.
    let refused = client.read(&sealed).await.unwrap_err();
    assert!(matches!(refused, RecordError::NoServerKey), "{refused}");
    // A copy of the key file does the same.
    let copy = Key::from_bytes(&doctor.to_bytes()).unwrap();
    assert_eq!(open(&copy, &sealed, &context("7")).unwrap().as_slice(), b"all is well");
    assert_eq!((copy.serial(), copy.attributes()), (doctor.serial(), doctor.attributes()));
    assert!(copy.check_signer(doctor.parameters().signing_key()).is_ok() && copy.check_signer(&[0; 32]).is_err());
}

#[tokio::test]
async fn an_envelope_that_was_changed_anywhere_does_not_open() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let doctor = key(&publisher, &client, "role = doctor").await;
    let sealed = client.abe("clinic/abe").await.unwrap().seal("role = doctor", &context("7"), b"all").await.unwrap();
    for at in (0..sealed.len()).step_by(7).chain(sealed.len() - 20..sealed.len()) {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(open(&doctor, &changed, &context("7")).is_err(), "byte {at}");
    }
    for cut in [0, 1, 8, sealed.len() / 2, sealed.len() - 1] {
        assert!(open(&doctor, &sealed[..cut], &context("7")).is_err(), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_revoked_key_opens_what_was_sealed_before_and_nothing_after() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let (one, other) =
        (key(&publisher, &client, "role = doctor").await, key(&publisher, &client, "role = doctor").await);
    let sealer = client.abe("clinic/abe").await.unwrap();
    let before = sealer.seal("role = doctor", &context("7"), b"before").await.unwrap();
    publisher.say(|state| state.revoke(one.serial().unwrap()));
    // Until the kept list is asked about again, nobody here knows; that is what its max-age bounds.
    publisher.clock.advance(Duration::from_secs(59));
    let meanwhile = sealer.seal("role = doctor", &context("7"), b"meanwhile").await.unwrap();
    publisher.clock.advance(Duration::from_secs(1));
    let after = sealer.seal("role = doctor", &context("7"), b"after").await.unwrap();
    assert!(open(&one, &before, &context("7")).is_ok() && open(&one, &meanwhile, &context("7")).is_ok());
    assert!(lacks(&open(&one, &after, &context("7")).unwrap_err()).contains("revocation list 2"));
    assert_eq!(open(&other, &after, &context("7")).unwrap().as_slice(), b"after");
    // Left out, it opens: the sealer chose so.
    let lenient = sealer.clone().without_revocations().seal("role = doctor", &context("7"), b"x").await.unwrap();
    assert!(open(&one, &lenient, &context("7")).is_ok());
}

#[tokio::test]
async fn an_expired_key_opens_nothing_that_is_sealed_from_then_on() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let doctor = key(&publisher, &client, "role = doctor").await;
    let midnight = NOW + 43_200;
    assert_eq!(doctor.ends_at(), Some(midnight));
    let sealer = client.abe("clinic/abe").await.unwrap();
    publisher.clock.advance(Duration::from_secs(43_199));
    let before = sealer.seal("role = doctor", &context("7"), b"x").await.unwrap();
    publisher.clock.advance(Duration::from_secs(1));
    let after = sealer.seal("role = doctor", &context("7"), b"x").await.unwrap();
    assert!(open(&doctor, &before, &context("7")).is_ok());
    assert!(lacks(&open(&doctor, &after, &context("7")).unwrap_err()).contains("this key ends with"));
    // Asked for neither: every key with the attributes opens, for ever.
    let timeless = sealer.clone().without_time().seal("role = doctor", &context("7"), b"x").await.unwrap();
    assert!(open(&doctor, &timeless, &context("7")).is_ok());
    // A bucket of the sealer's choice.
    let yesterday = Bucket::new(19_999);
    let past = sealer.clone().valid_from(yesterday);
    let refused = past.clone().seal("role = doctor", &context("7"), b"x").await.unwrap_err();
    assert!(refused.to_string().contains("revocation list leaves out keys that ended before"), "{refused}");
    let old = past.without_revocations().seal("role = doctor", &context("7"), b"x").await.unwrap();
    assert!(open(&doctor, &old, &context("7")).is_ok());
}

/// Whoever holds the sealer's wall clock would keep an expired key alive.
#[tokio::test]
async fn a_wall_clock_that_is_held_or_set_back_does_not_lengthen_a_keys_life() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let doctor = key(&publisher, &client, "role = doctor").await;
    let sealer = client.abe("clinic/abe").await.unwrap();
    sealer.seal("role = doctor", &context("7"), b"x").await.unwrap();
    publisher.clock.advance_steady(Duration::from_secs(43_200));
    let held = sealer.seal("role = doctor", &context("7"), b"x").await.unwrap();
    assert!(lacks(&open(&doctor, &held, &context("7")).unwrap_err()).contains("this key ends with"));
    publisher.clock.set(Timestamp::from_millis((NOW - 3 * 86_400) * 1000));
    let set_back = sealer.seal("role = doctor", &context("7"), b"x").await.unwrap();
    assert!(lacks(&open(&doctor, &set_back, &context("7")).unwrap_err()).contains("this key ends with"));
    // A process that starts with such a clock knows only that the list is of the future, and seals nothing.
    let refused = publisher.client().abe("clinic/abe").await.unwrap().seal("role = doctor", &context("7"), b"x").await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, AbeError::Authority(AuthorityError::List(RevocationError::FromTheFuture { .. }))),
        "{refused}"
    );
}

#[tokio::test]
async fn without_a_list_that_is_new_enough_nothing_is_sealed() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let sealer = client.abe("clinic/abe").await.unwrap();
    publisher.clock.advance(Duration::from_secs(7 * 86_400));
    let refused = sealer.seal("role = doctor", &context("7"), b"x").await.unwrap_err();
    assert!(matches!(refused, AbeError::Authority(AuthorityError::List(RevocationError::Stale { .. }))), "{refused}");
    assert_eq!(refused.side(), Side::Remote);
    // The list alone cannot be had.
    publisher.say(|state| {
        state.instead = Some(|seen| seen.path.starts_with(LIST).then(|| Reply::problem(500, "internal")));
    });
    let refused = sealer.seal("role = doctor", &context("7"), b"x").await.unwrap_err();
    assert!(matches!(refused, AbeError::Authority(AuthorityError::Call(_))), "{refused}");
    // Who left it out is not held up.
    sealer.without_revocations().seal("role = doctor", &context("7"), b"x").await.unwrap();
}

#[tokio::test]
async fn a_rotated_authority_is_sealed_under_anew_and_says_so_to_older_keys() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let old = key(&publisher, &client, "role = doctor").await;
    let sealer = client.abe("clinic/abe").await.unwrap();
    publisher.say(|state| state.rotate());
    publisher.clock.advance(Duration::from_secs(60));
    let sealed = sealer.seal("role = doctor", &context("7"), b"x").await.unwrap();
    let refused = open(&old, &sealed, &context("7")).unwrap_err();
    assert!(matches!(refused, AbeError::OtherVersion { found: 2, held: 1 }), "{refused}");
    let new = key(&publisher, &client, "role = doctor").await;
    assert!(open(&new, &sealed, &context("7")).is_ok());
    // Another authority's key, with the same attributes.
    let elsewhere = Publisher::start().await;
    elsewhere.say(|state| {
        let (id, seed) = (AuthorityId([9; 16]), crate::testing::seed());
        state.issuer = wardkeep_abe::Authority::generate(id, Default::default(), Default::default(), seed);
    });
    let theirs = key(&elsewhere, &elsewhere.client(), "role = doctor").await;
    let refused = open(&theirs, &sealed, &context("7")).unwrap_err();
    assert!(
        matches!(refused, AbeError::OtherAuthority { found: AuthorityId([7, ..]), held: AuthorityId([9, ..]) }),
        "{refused}"
    );
    assert_eq!(refused.side(), Side::Local);
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_shown_its_place() {
    let publisher = Publisher::start().await;
    let sealer = publisher.client().abe("clinic/abe").await.unwrap();
    let refused = sealer.seal("role = doctor and", &context("7"), b"x").await.unwrap_err();
    let AbeError::Policy(error) = &refused else { panic!("{refused}") };
    assert_eq!((error.position().line, refused.side()), (1, Side::Local));
    assert!(matches!(publisher.client().abe("no-slash").await, Err(AbeError::Name(_))));
    let missing = publisher.client().abe("clinic/none").await.unwrap_err();
    assert!(matches!(missing, AbeError::Authority(AuthorityError::Call(crate::CallError::NotFound(_)))), "{missing}");
}

#[tokio::test]
async fn streams_and_batches_open_as_records_do() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let (doctor, nurse) =
        (key(&publisher, &client, "role = doctor").await, key(&publisher, &client, "role = nurse").await);
    let sealer = client.abe("clinic/abe").await.unwrap();
    let long = vec![7; 200_000];
    let source = std::io::Cursor::new(long.clone());
    let (sealed, bytes) = sealer.seal_stream("role = doctor", &context("7"), source, Vec::new()).await.unwrap();
    assert_eq!(bytes, 200_000);
    let mut opened = Vec::new();
    assert_eq!(open_stream(&doctor, sealed.as_slice(), &mut opened, &context("7")).unwrap(), 200_000);
    assert!(opened == long && open(&doctor, &sealed, &context("7")).unwrap().as_slice() == long);
    let mut none = Vec::new();
    assert!(lacks(&open_stream(&nurse, sealed.as_slice(), &mut none, &context("7")).unwrap_err()).contains("doctor"));
    assert!(matches!(open_stream(&doctor, sealed.as_slice(), &mut none, &context("8")), Err(AbeError::Unexpected)));
    assert!(none.is_empty());
    let cut = open_stream(&doctor, &sealed[..sealed.len() - 1], &mut Vec::new(), &context("7")).unwrap_err();
    assert!(matches!(cut, AbeError::Record(RecordError::Io(_)) | AbeError::Io(_)), "{cut}");

    let mut batch = sealer.batch("role = doctor", &context("ward")).await.unwrap();
    let boxed = batch.seal(b"1", b"potassium 4.1").unwrap();
    let reader: BatchReader = open_batch(&doctor, batch.header(), &context("ward")).unwrap();
    assert_eq!(reader.open(&boxed, b"1").unwrap(), b"potassium 4.1");
    assert!(matches!(reader.open(&boxed, b"2"), Err(NotOpened)));
    // Who does not satisfy the policy, names another context, has a key of before, or an altered header.
    let refused = |key: &Key, header: &[u8], word| open_batch(key, header, &context(word)).err().unwrap();
    assert!(lacks(&refused(&nurse, batch.header(), "ward")).contains("role = doctor"));
    assert!(matches!(refused(&doctor, batch.header(), "7"), AbeError::Unexpected));
    assert!(matches!(refused(&doctor, &sealed, "7"), AbeError::Open(OpenError::NotABatch)));
    for at in (0..batch.header().len()).step_by(11) {
        let mut changed = batch.header().to_vec();
        changed[at] ^= 1;
        assert!(open_batch(&doctor, &changed, &context("ward")).is_err(), "byte {at}");
    }
    publisher.say(|state| state.rotate());
    let new = key(&publisher, &client, "role = doctor").await;
    let refused = refused(&new, batch.header(), "ward");
    assert!(matches!(refused, AbeError::OtherVersion { found: 1, held: 2 }), "{refused}");
}

#[tokio::test]
async fn a_list_that_revokes_every_key_seals_for_nobody() {
    let publisher = Publisher::start().await;
    publisher.say(|state| {
        let terms = wardkeep_abe::Terms::new(wardkeep_abe::BucketLength::Day, 1).unwrap();
        state.issuer = state.issuer.rotate(Default::default(), terms, crate::testing::seed()).unwrap();
        state.revoke(0);
        state.revoke(1);
    });
    let sealer = publisher.client().abe("clinic/abe").await.unwrap();
    let refused = sealer.seal("role = doctor", &context("7"), b"x").await.unwrap_err();
    assert!(refused.to_string().contains("every serial") && refused.side() == Side::Local, "{refused}");
    assert!(publisher.state.lock().unwrap().revoked.contains_key(&Serial::new(1)));
    let policy = sealer.without_revocations().policy("role = doctor").await.unwrap().1;
    assert_eq!((policy.bucket(), policy.revocation_list()), (Some(Bucket::new(20_000)), None));
}

#[test]
fn messages_say_what_to_do() {
    for (error, word) in [
        (AbeError::NeedsServer, "open_online"),
        (AbeError::NoPolicy, "key service"),
        (AbeError::Unexpected, "another record's"),
        (AbeError::OutOfTime { now: 7 }, "check the clock"),
        (AbeError::Stopped, "stopped"),
        (AbeError::Open(OpenError::Unwrap(UnwrapError::NotSatisfied { missing: vec!["a = b".to_owned()] })), "a = b"),
    ] {
        assert!(error.to_string().contains(word), "{error}");
    }
}
