//! What is believed of an authority: only what the pinned key signed, never an older word than the last, and no longer
//! than both clocks allow.
//!
//! Broke elsewhere: clients that took the newest version from an unsigned field, that went on with a revocation list for as
//! long as somebody held their clock, and that let a cache in between answer with last year's keys.

use std::time::Duration;

use wardkeep_abe::{DecodeError, RevocationError, Serial};
use wardkeep_model::{EntityUid, Timestamp};

use super::*;
use crate::error::Side;
use crate::testing::{NOW, Publisher, Reply, Seen};

mod rollback;

const PARAMETERS: &str = "/v1/keys/clinic/abe/parameters";
const LIST: &str = "/v1/keys/clinic/abe/revocations";

fn away(_: &Seen) -> Option<Reply> {
    Some(Reply::problem(503, "busy"))
}

fn denied(_: &Seen) -> Option<Reply> {
    Some(Reply::problem(403, "denied"))
}

/// A client that gives up soon.
fn hasty(publisher: &Publisher) -> Client {
    publisher.client().with_deadline(Duration::from_millis(400))
}

#[tokio::test]
async fn parameters_are_asked_for_once_while_they_are_fresh_and_by_their_tag_after() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    let first = client.authorities().parameters(&key, None).await.unwrap();
    assert_eq!(first.version(), 1);
    publisher.clock.advance(Duration::from_secs(59));
    client.authorities().parameters(&key, None).await.unwrap();
    assert_eq!(publisher.calls(PARAMETERS), 1);
    publisher.clock.advance(Duration::from_secs(1));
    let again = client.authorities().parameters(&key, None).await.unwrap();
    assert_eq!(again.fingerprint(), first.fingerprint());
    let asked = publisher.server.seen();
    assert_eq!(asked.len(), 2);
    let tag = format!("\"{}\"", hex(first.fingerprint()));
    assert_eq!(asked[1].header("if-none-match"), Some(tag.as_str()), "and nothing was sent but 304");
    // What was confirmed is fresh again.
    publisher.clock.advance(Duration::from_secs(59));
    client.authorities().parameters(&key, None).await.unwrap();
    assert_eq!(publisher.calls(PARAMETERS), 2);
    // A version of its own is another question.
    client.authorities().parameters(&key, Some(1)).await.unwrap();
    assert_eq!(publisher.calls(PARAMETERS), 3);
}

#[tokio::test]
async fn a_held_wall_clock_keeps_nothing_fresh_and_one_set_back_neither() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    client.authorities().parameters(&key, None).await.unwrap();
    publisher.clock.advance_steady(Duration::from_secs(60));
    client.authorities().parameters(&key, None).await.unwrap();
    assert_eq!(publisher.calls(PARAMETERS), 2, "the monotonic clock went on");
    publisher.clock.set(Timestamp::from_millis((NOW - 10) * 1000));
    client.authorities().parameters(&key, None).await.unwrap();
    assert_eq!(publisher.calls(PARAMETERS), 3, "a wall clock that goes back makes old, not young");
}

#[tokio::test]
async fn nobody_keeps_longer_than_an_hour_and_nothing_without_leave() {
    let publisher = Publisher::start().await;
    publisher.say(|state| state.max_age = 10_000_000);
    let (client, key) = (publisher.client(), Publisher::key());
    client.authorities().parameters(&key, None).await.unwrap();
    publisher.clock.advance(Duration::from_secs(3_599));
    client.authorities().parameters(&key, None).await.unwrap();
    assert_eq!(publisher.calls(PARAMETERS), 1);
    publisher.clock.advance(Duration::from_secs(1));
    publisher.say(|state| state.max_age = 0);
    for calls in 2..4 {
        client.authorities().parameters(&key, None).await.unwrap();
        assert_eq!(publisher.calls(PARAMETERS), calls);
    }
}

#[tokio::test]
async fn one_persons_leave_to_see_is_nobody_elses() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    client.authorities().parameters(&key, None).await.unwrap();
    publisher.say(|state| {
        state.instead = Some(|seen| seen.header("wardkeep-subject").and_then(|_| denied(seen)));
    });
    let for_mallory = client.on_behalf_of(EntityUid::parse(r#"User::"mallory""#).unwrap());
    let refused = for_mallory.authorities().parameters(&key, None).await.unwrap_err();
    assert_eq!(refused.side(), Side::Denied);
    assert!(refused.call().unwrap().is_denied());
    client.authorities().parameters(&key, None).await.unwrap();
}

#[tokio::test]
async fn the_first_signing_key_is_pinned_and_another_refused() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    assert_eq!(client.authorities().pinned(&key), None);
    let first = client.authorities().parameters(&key, None).await.unwrap();
    assert_eq!(client.authorities().pinned(&key), Some(*first.signing_key()));
    // Somebody answers in the authority's place, with an authority of their own that is all in order.
    let other = Publisher::start().await;
    let theirs = std::mem::replace(&mut other.state.lock().unwrap().issuer, foreign());
    publisher.say(|state| state.issuer = theirs);
    publisher.clock.advance(Duration::from_secs(60));
    let refused = client.authorities().parameters(&key, None).await.unwrap_err();
    let AuthorityError::OtherSigner { pinned, found, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*pinned, hex(first.signing_key()));
    assert_ne!(pinned, found);
    assert!(refused.to_string().contains("`clinic/abe`") && refused.side() == Side::Remote, "{refused}");
    // Views and clones share the pin.
    assert!(client.clone().authorities().pin(&key, first.signing_key()).is_ok());
    assert!(matches!(client.authorities().pin(&key, &[0; 32]), Err(AuthorityError::OtherSigner { .. })));
}

fn foreign() -> wardkeep_abe::Authority {
    let (id, seed) = (wardkeep_abe::AuthorityId([9; 16]), wardkeep_abe::Seed::new([9; 32]));
    wardkeep_abe::Authority::generate(id, Default::default(), Default::default(), seed)
}

#[tokio::test]
async fn a_pin_of_the_callers_counts_from_the_first_answer_on() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    client.authorities().pin(&key, &[1; 32]).unwrap();
    let refused = client.authorities().parameters(&key, None).await.unwrap_err();
    assert!(matches!(refused, AuthorityError::OtherSigner { .. }), "{refused}");
    let right = *publisher.state.lock().unwrap().issuer.parameters().signing_key();
    let client = publisher.client();
    client.authorities().pin(&key, &right).unwrap();
    client.authorities().parameters(&key, None).await.unwrap();
    client.authorities().revocations(&key, None).await.unwrap();
}

#[tokio::test]
async fn tampered_parameters_are_refused_whatever_was_changed() {
    type Tamper = (fn(&mut Parameters), fn(&AuthorityError) -> bool);
    let signature: fn(&AuthorityError) -> bool =
        |error| matches!(error, AuthorityError::Parameters(DecodeError::BadSignature { .. }));
    let mismatch: fn(&AuthorityError) -> bool = |error| matches!(error, AuthorityError::Mismatch { .. });
    let table: [Tamper; 9] = [
        // The version, the length of a bucket, the bits of a serial, the last byte of the signature.
        (|answer| answer.parameters.0[28] ^= 1, signature),
        (|answer| answer.parameters.0[29] = 1, signature),
        (|answer| answer.parameters.0[30] = 8, signature),
        (|answer| *answer.parameters.0.last_mut().unwrap() ^= 1, signature),
        (|answer| answer.parameters.0.truncate(100), |error| matches!(error, AuthorityError::Parameters(_))),
        (|answer| answer.key = "clinic/other".to_owned(), mismatch),
        (|answer| answer.version = 2, mismatch),
        (|answer| answer.fingerprint = "00".repeat(32), mismatch),
        (|answer| answer.signing_key.0[0] ^= 1, mismatch),
    ];
    let publisher = Publisher::start().await;
    for (at, (tamper, expected)) in table.into_iter().enumerate() {
        publisher.say(|state| state.tamper = Some(tamper));
        let client = publisher.client();
        let refused = client.authorities().parameters(&Publisher::key(), None).await.unwrap_err();
        assert!(expected(&refused), "{at}: {refused}");
        assert_eq!(client.authorities().pinned(&Publisher::key()), None, "{at}: nothing was learnt from it");
    }
    // An answer for another version than the one that was asked for, signed and all.
    publisher.say(|state| {
        state.tamper = None;
        state.rotate();
    });
    let client = publisher.client();
    assert_eq!(client.authorities().parameters(&Publisher::key(), Some(1)).await.unwrap().version(), 1);
    publisher.say(|state| state.former = None);
    let gone = publisher.client().authorities().parameters(&Publisher::key(), Some(1)).await.unwrap_err();
    assert!(matches!(gone, AuthorityError::Call(CallError::NotFound(_))), "{gone}");
}

#[tokio::test]
async fn a_list_is_taken_until_its_renewal_and_not_a_second_longer() {
    let publisher = Publisher::start().await;
    let (client, key) = (hasty(&publisher), Publisher::key());
    let list = client.authorities().revocations(&key, None).await.unwrap();
    assert_eq!(list.number(), 1);
    publisher.say(|state| state.instead = Some(away));
    // The server is away; the list is good to the end of its life, parameters for a day.
    publisher.clock.advance(Duration::from_secs(86_399));
    assert_eq!(client.authorities().revocations(&key, None).await.unwrap().number(), 1);
    publisher.clock.advance(Duration::from_secs(1));
    let refused = client.authorities().revocations(&key, None).await.unwrap_err();
    assert!(matches!(refused, AuthorityError::Call(_)), "nobody says which version is the newest: {refused}");

    // A server that is there and gives the same list for ever.
    publisher.say(|state| state.instead = None);
    let client = publisher.client();
    publisher.clock.advance(Duration::from_secs(6 * 86_400 - 1));
    client.authorities().revocations(&key, None).await.unwrap();
    publisher.clock.advance(Duration::from_secs(1));
    let refused = client.authorities().revocations(&key, None).await.unwrap_err();
    let AuthorityError::List(RevocationError::Stale { next_update, now }) = refused else { panic!("{refused}") };
    assert_eq!((next_update, now), (NOW + 7 * 86_400, NOW + 7 * 86_400));
}

/// A wall clock that stands still, and answers that say "unchanged" for ever: the monotonic clock counts all the same.
#[tokio::test]
async fn neither_a_held_clock_nor_a_repeated_answer_keeps_a_list_alive() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    client.authorities().revocations(&key, None).await.unwrap();
    for _ in 0..7 {
        publisher.clock.advance_steady(Duration::from_secs(86_399));
        client.authorities().revocations(&key, None).await.unwrap();
    }
    assert!(publisher.server.seen().iter().any(|seen| seen.header("if-none-match") == Some("\"1\"")));
    publisher.clock.advance_steady(Duration::from_secs(7));
    // Asked anew, without a tag: and the clock on the wall still says that the list is young, so that it is taken up again
    // with a life counted from here. That is all a client without a clock can know.
    let asked = publisher.calls(LIST);
    client.authorities().revocations(&key, None).await.unwrap();
    let seen = publisher.server.seen();
    let last = seen.iter().rfind(|seen| seen.path.starts_with(LIST)).unwrap();
    assert!(publisher.calls(LIST) > asked && last.header("if-none-match").is_none());
}

#[tokio::test]
async fn a_list_of_the_future_is_refused_beyond_five_minutes() {
    let publisher = Publisher::start().await;
    for (ahead, taken) in [(300, true), (301, false)] {
        publisher.say(|state| state.dates.issued_at = NOW + ahead);
        let answer = publisher.client().authorities().revocations(&Publisher::key(), None).await;
        match answer {
            Ok(_) => assert!(taken, "{ahead}"),
            Err(AuthorityError::List(RevocationError::FromTheFuture { issued_at, now })) => {
                assert_eq!((taken, issued_at, now), (false, NOW + ahead, NOW));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_tampered_list_is_refused() {
    type Tamper = (fn(&mut Revocations), fn(&AuthorityError) -> bool);
    let signature: fn(&AuthorityError) -> bool =
        |error| matches!(error, AuthorityError::List(RevocationError::Decode(DecodeError::BadSignature { .. })));
    let mismatch: fn(&AuthorityError) -> bool = |error| matches!(error, AuthorityError::Mismatch { .. });
    let table: [Tamper; 6] = [
        // The number; the renewal, put off; the revoked serial.
        (|answer| answer.list.0[35] ^= 2, signature),
        (|answer| answer.list.0[46] ^= 1, signature),
        (|answer| answer.list.0[59] ^= 1, signature),
        (|answer| answer.number = 9, mismatch),
        (|answer| answer.version = 9, mismatch),
        (|answer| answer.key = "clinic/other".to_owned(), mismatch),
    ];
    let publisher = Publisher::start().await;
    publisher.say(|state| state.revoke(5));
    let list = publisher.client().authorities().revocations(&Publisher::key(), None).await.unwrap();
    assert!(list.revoked().contains_key(&Serial::new(5)));
    for (at, (tamper, expected)) in table.into_iter().enumerate() {
        publisher.say(|state| state.tamper_list = Some(tamper));
        let refused = publisher.client().authorities().revocations(&Publisher::key(), None).await.unwrap_err();
        assert!(expected(&refused), "{at}: {refused}");
    }
}

#[tokio::test]
async fn what_may_no_longer_be_seen_is_forgotten() {
    let publisher = Publisher::start().await;
    let (client, key) = (hasty(&publisher), Publisher::key());
    client.authorities().parameters(&key, None).await.unwrap();
    publisher.say(|state| state.instead = Some(denied));
    publisher.clock.advance(Duration::from_secs(60));
    assert_eq!(client.authorities().parameters(&key, None).await.unwrap_err().side(), Side::Denied);
    // Had it been kept, it would be used now.
    publisher.say(|state| state.instead = Some(away));
    assert!(client.authorities().parameters(&key, None).await.is_err());
}
