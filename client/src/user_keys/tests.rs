//! User keys: the key in the answer is the one that the answer speaks of, of the pinned authority, and in the form that was
//! asked for.
//!
//! Broke elsewhere: a client that took whatever key came back, so that somebody on the way could hand out a key of an
//! authority of their own; a key that was asked for sealed, sent in the clear, and taken all the same.

use std::time::Duration;

use super::*;
use crate::testing::{Issue, Publisher, Reply};

fn holder() -> &'static RsaHolder {
    static HOLDER: std::sync::OnceLock<RsaHolder> = std::sync::OnceLock::new();
    HOLDER.get_or_init(|| RsaHolder::generate().unwrap())
}

#[tokio::test]
async fn a_key_comes_inside_the_answer_or_sealed_for_a_key_in_memory() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    let wish = Wish { valid_for: Some(Duration::from_secs(3_600)), version: Some(1) };
    let (issued, opened) = client.user_keys().issue(&key, &wish).await.ok().unwrap();
    assert_eq!((issued.serial, opened.serial()), (1, Some(1)));
    assert_eq!((issued.version, issued.attributes.as_str()), (1, "role = doctor"));
    assert_eq!(opened.attributes().len(), 1);
    let (sealed, opened) = client.user_keys().issue_sealed(&key, &wish, holder()).await.ok().unwrap();
    assert_eq!((sealed.serial, opened.serial()), (2, Some(2)));
    assert_eq!(client.authorities().pinned(&key), Some(*opened.parameters().signing_key()), "pinned by the first");

    let seen = publisher.server.seen();
    let bodies: Vec<String> = seen.iter().map(|seen| String::from_utf8(seen.body.clone()).unwrap()).collect();
    assert_eq!(
        bodies[0], r#"{"key":"clinic/abe","version":1,"valid_for_seconds":3600}"#,
        "no attributes, no recipient"
    );
    assert!(bodies[1].contains("\"recipient\":{\"spki\":"));
    assert!(seen.iter().all(|seen| seen.header("idempotency-key").is_none()));
}

#[tokio::test]
async fn a_sealed_key_opens_for_its_holder_and_as_what_it_is() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    let answer = client.user_keys().ask(&key, &Wish::default(), Some(holder().recipient())).await.unwrap();
    let issued = client.user_keys().issued(&key, &Wish::default(), &answer).unwrap();
    let sealed = super::sealed(issued, answer).unwrap();
    assert_eq!(sealed.recipient, holder().fingerprint());
    assert_eq!(sealed.open(holder()).ok().unwrap().serial(), Some(sealed.issued.serial));
    assert_eq!(unseal(&sealed.envelope, None, holder()).ok().unwrap().serial(), Some(1));

    let other = RsaHolder::generate().unwrap();
    let refused = sealed.open(&other).err().unwrap();
    assert!(matches!(refused, UserKeyError::Open(OpenError::NotForUs { .. })), "{refused}");
    // Passed off as another serial's, or as another version's.
    for change in [
        (|sealed: &mut SealedKey| sealed.issued.serial = 2) as fn(&mut SealedKey),
        |sealed| sealed.issued.version = 2,
        |sealed| sealed.issued.key = KeyId::parse("clinic/other").unwrap(),
    ] {
        let mut passed_off = sealed.clone();
        change(&mut passed_off);
        let refused = passed_off.open(holder()).err().unwrap();
        assert!(matches!(refused, UserKeyError::Open(OpenError::OtherContext)), "{refused}");
    }
    let mut passed_off = sealed.clone();
    passed_off.issued.parameters = "00".repeat(32);
    assert!(matches!(passed_off.open(holder()), Err(UserKeyError::Mismatch { part: "public parameters" })));
    let mut changed = sealed.clone();
    *changed.envelope.last_mut().unwrap() ^= 1;
    assert!(changed.open(holder()).is_err());
}

/// An envelope for the same person that holds something else is no user key.
#[tokio::test]
async fn only_what_was_sealed_as_a_user_key_is_opened_as_one() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let recipient = wardkeep_envelope::RsaRecipient::from_spki_der(holder().public_key()).unwrap();
    let wrap = KeyId::parse("clinic/records").unwrap();
    let context = Default::default();
    let record = client.protect_for(&wrap, &context, b"a record", &[&recipient]).await.unwrap();
    let refused = unseal(&record, None, holder()).err().unwrap();
    assert!(matches!(refused, UserKeyError::Open(OpenError::OtherContext)), "{refused}");
    assert!(matches!(unseal(b"no envelope", None, holder()), Err(UserKeyError::Open(OpenError::NotAnEnvelope))));
}

#[tokio::test]
async fn an_answer_that_lies_about_its_key_is_refused() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    for part in ["authority", "version", "serial", "public parameters", "key"] {
        publisher.say(|state| state.issue = Issue::Lying(part));
        let refused = client.user_keys().issue(&key, &Wish::default()).await.err().unwrap();
        assert!(matches!(refused, UserKeyError::Mismatch { part: found } if found == part), "{part}: {refused}");
        assert_eq!(refused.side(), Side::Remote);
    }
    publisher.say(|state| state.issue = Issue::Lying("version"));
    let wish = Wish { version: Some(1), ..Wish::default() };
    assert!(matches!(client.user_keys().issue(&key, &wish).await, Err(UserKeyError::Mismatch { part: "version" })));

    let sealed = async |how| {
        publisher.say(|state| state.issue = how);
        client.user_keys().issue_sealed(&key, &Wish::default(), holder()).await.err().unwrap()
    };
    assert!(matches!(sealed(Issue::Plain).await, UserKeyError::Unsealed { .. }));
    assert!(matches!(sealed(Issue::Lying("context")).await, UserKeyError::Mismatch { part: "context" }));
    assert!(matches!(sealed(Issue::Lying("key")).await, UserKeyError::Mismatch { part: "envelope" }));
    let other = sealed(Issue::Lying("recipient")).await;
    assert!(matches!(&other, UserKeyError::OtherRecipient { sent, .. } if *sent == holder().fingerprint()), "{other}");
    assert!(sealed(Issue::Plain).await.to_string().contains("revoke it"));
}

#[tokio::test]
async fn a_key_of_another_authority_is_refused_by_the_pin() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    client.authorities().pin(&key, &[1; 32]).unwrap();
    for refused in [
        client.user_keys().issue(&key, &Wish::default()).await.err().unwrap(),
        client.user_keys().issue_sealed(&key, &Wish::default(), holder()).await.err().unwrap(),
    ] {
        assert!(matches!(refused, UserKeyError::Authority(AuthorityError::OtherSigner { .. })), "{refused}");
    }
}

#[tokio::test]
async fn somebody_elses_key_comes_sealed_or_not_at_all() {
    let publisher = Publisher::start().await;
    let key = Publisher::key();
    let view = publisher.client().on_behalf_of(EntityUid::parse(r#"User::"ana""#).unwrap());
    let refused = view.user_keys().issue_for_another(&key, &Wish::default()).await.unwrap_err();
    assert!(matches!(refused, UserKeyError::Unsealed { serial: 1 }), "{refused}");
    assert_eq!(publisher.server.seen()[0].header("wardkeep-subject"), Some(r#"User::"ana""#));
}

/// Every issue takes a serial, so that none is asked for twice behind the caller's back.
#[tokio::test]
async fn an_issue_that_may_have_arrived_is_not_sent_again_and_a_revocation_is() {
    let publisher = Publisher::start().await;
    publisher.say(|state| state.instead = Some(|_| Some(Reply::problem(503, "busy"))));
    let client = publisher.client().with_deadline(Duration::from_secs(2));
    assert!(client.user_keys().issue(&Publisher::key(), &Wish::default()).await.is_err());
    assert_eq!(publisher.server.seen().len(), 1);
    assert!(client.user_keys().revoke(&Publisher::key(), None, &[1, 2]).await.is_err());
    assert!(publisher.calls("/v1/user-keys/revoke") > 1);
    let seen = publisher.server.seen();
    assert_eq!(seen[1].body, br#"{"key":"clinic/abe","serials":[1,2]}"#);
    let ana = EntityUid::parse(r#"User::"ana""#).unwrap();
    assert!(client.user_keys().revoke_all_of(&Publisher::key(), &ana).await.is_err());
    let last = publisher.server.seen().pop().unwrap();
    assert_eq!(last.body, br#"{"key":"clinic/abe","subject":{"type":"User","id":"ana"}}"#);
}

#[tokio::test]
async fn lists_and_registrations_go_where_they_belong() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let ana = EntityUid::parse(r#"User::"a/na""#).unwrap();
    let paging = Paging { limit: Some(5), cursor: None };
    let _ = client.user_keys().list(Some(&Publisher::key()), Some(&ana), &paging).await;
    let _ = client.recipients().put(&ana, holder().recipient(), Some(3)).await;
    let _ = client.recipients().get(&ana).await;
    let _ = client.recipients().delete(&ana, None).await;
    let seen = publisher.server.seen();
    let lines: Vec<String> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    let place = "/v1/recipients/User/a%2Fna";
    assert_eq!(
        lines,
        [
            "GET /v1/user-keys?key=clinic%2Fabe&subject=User%3A%3A%22a%2Fna%22&limit=5".to_owned(),
            format!("PUT {place}"),
            format!("GET {place}"),
            format!("DELETE {place}"),
        ]
    );
    assert_eq!((seen[1].header("if-match"), seen[3].header("if-match")), (Some("\"3\""), None));
}

#[tokio::test]
async fn a_key_for_a_subject_comes_in_the_form_of_the_answer() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    let Answered::Open(issued, opened) =
        client.user_keys().issue_for_subject(&key, &Wish::default()).await.ok().unwrap()
    else {
        panic!("nobody registered a key")
    };
    assert_eq!(opened.serial(), Some(issued.serial));
    // The word beside the key is checked here too, and so is the pin.
    for part in ["serial", "version"] {
        publisher.say(|state| state.issue = Issue::Lying(part));
        let refused = client.user_keys().issue_for_subject(&key, &Wish::default()).await.err().unwrap();
        assert!(matches!(refused, UserKeyError::Mismatch { .. }), "{part}: {refused}");
    }
    publisher.say(|state| state.issue = Issue::AsAsked);
    let other = publisher.client();
    other.authorities().pin(&key, &[1; 32]).unwrap();
    let refused = other.user_keys().issue_for_subject(&key, &Wish::default()).await.err().unwrap();
    assert!(matches!(refused, UserKeyError::Authority(AuthorityError::OtherSigner { .. })), "{refused}");
}
