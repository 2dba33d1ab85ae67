//! Issuing user keys: what they say, how long, under which serial; and that they open what they should.

use std::collections::BTreeSet;

use wardkeep_model::{EntityUid, EventDetail, KeySpec, KeyUsage, KeyVersion, Timestamp};
use wardkeep_store::{Change, Store, Table, Work};

use super::fixture::{Fixture, caller, entity, id, user};
use super::issuing::{again, bucket_of, everything, opens, read, reader, seal, serials, unseal};
use crate::KmsError;
use crate::service::{ListUserKeys, Precondition};

#[tokio::test]
async fn a_key_says_what_its_holders_entity_says_and_opens_off_line() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let issued = fixture.issue("ana", "ring/abe").await.unwrap();
    assert_eq!(issued.attributes, "dept = cardiology, group = [staff], level = 5, user = ana");
    assert_eq!((issued.serial, issued.version.get()), (1, 1));
    assert_eq!(fixture.last_detail(EventDetail::Attributes), Some(issued.attributes.clone()));
    assert_eq!(fixture.last_detail(EventDetail::UserKey).as_deref(), Some("1"));
    assert_eq!(fixture.last_detail(EventDetail::ValidUntil), Some(issued.valid_until.to_string()));

    let (parameters, key) = read(&issued);
    assert_eq!(*parameters.fingerprint(), issued.parameters);
    assert_eq!(key.serial().map(|serial| serial.number()), Some(1));
    let now = fixture.seconds();
    for (formula, does) in [
        ("dept = cardiology", true),
        ("group = staff and level >= 3", true),
        ("dept = surgery or user = ana", true),
        ("level >= 6", false),
        ("dept = surgery", false),
        ("user = bob", false),
        ("group = admins", false),
    ] {
        assert_eq!(opens(&issued, &seal(&parameters, formula, now, None)), does, "{formula}");
    }
}

#[tokio::test]
async fn a_key_lives_as_long_as_was_asked_rounded_up_to_a_bucket_and_never_longer_than_it_may() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let (now, hour, day) = (fixture.seconds(), 3_600, 86_400);
    for (asked, end) in [(None, now + day), (Some(1), now), (Some(hour), now + hour), (Some(day), now + day)] {
        let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
        let request = crate::IssueUserKey { valid_for: asked, ..request };
        let issued = fixture.issue_with(permit, request).await.unwrap();
        // The end of the hour that the moment lies in.
        let until = (end / hour + 1) * hour;
        assert_eq!(issued.valid_until, Timestamp::from_millis(until * 1000), "{asked:?}");
        let bucket = bucket_of(&issued).unwrap().number();
        assert_eq!(u64::from(bucket) + 1, until / hour);
        // It opens what is sealed in its last bucket, and nothing sealed in the next.
        let (parameters, _) = read(&issued);
        assert!(opens(&issued, &seal(&parameters, "user = ana", until - 1, None)));
        assert!(!opens(&issued, &seal(&parameters, "user = ana", until, None)), "expired");
    }
    for bad in [0, day + 1, u64::MAX] {
        let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
        let request = crate::IssueUserKey { valid_for: Some(bad), ..request };
        let refused = fixture.issue_with(permit, request).await.unwrap_err();
        assert_eq!(refused, KmsError::UserKeyLife { max: day });
        assert_eq!(refused.to_string(), "a user key is valid for 1 to 86400 seconds");
        assert_eq!(fixture.last_event().outcome, "user-key-life");
    }
}

#[tokio::test]
async fn an_envelope_opens_with_the_readers_key_and_that_serial_alone() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let (private, public) = reader();
    let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", Some(again(&public)));
    let issued = fixture.issue_with(permit, request).await.unwrap();
    assert!(issued.plain.is_none(), "never beside the sealed form");
    let sealed = issued.sealed.unwrap();
    assert_eq!(sealed.context, "wardkeep user key ring/abe#1 1");
    assert_eq!(sealed.recipient, public.fingerprint());
    assert_eq!(fixture.last_detail(EventDetail::Recipient), Some(public.fingerprint().to_string()));
    let file = unseal(&private, &sealed.envelope, &sealed.context).unwrap();
    let (parameters, key): (wardkeep_abe::PublicParameters, wardkeep_abe::UserKey) =
        wardkeep_abe::from_key_file(&file).unwrap();
    let ciphertext = seal(&parameters, "user = ana", fixture.seconds(), None);
    assert!(wardkeep_abe::open(&parameters, &key, &ciphertext, b"test").is_ok());

    for other in
        ["wardkeep user key ring/abe#1 2", "wardkeep user key ring/abe#2 1", "wardkeep user key ring/ab#1 1", ""]
    {
        assert!(unseal(&private, &sealed.envelope, other).is_none(), "{other}");
    }
    let (stranger, _) = reader();
    assert!(unseal(&stranger, &sealed.envelope, &sealed.context).is_none());
}

#[tokio::test]
async fn a_key_issued_after_a_change_of_attributes_carries_the_new_ones() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let before = fixture.issue("ana", "ring/abe").await.unwrap();
    let staff = vec![EntityUid::new("Group", "staff").unwrap()];
    fixture.change(entity(user("ana"), &[("dept", "oncology".into())], staff));
    let after = fixture.issue("ana", "ring/abe").await.unwrap();
    assert_eq!(
        after.attributes, "dept = oncology, group = [staff], user = ana",
        "no level: no label, not an empty one"
    );
    assert!(after.serial > before.serial);
    let (parameters, _) = read(&after);
    let sealed = seal(&parameters, "dept = oncology", fixture.seconds(), None);
    assert_eq!((opens(&before, &sealed), opens(&after, &sealed)), (false, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_at_once_get_two_hundred_serials() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    fixture.authority("ring/abe").await;
    let people = ["ana", "bob", "cleo", "dora", "eve", "fay", "gus", "hal"];
    for who in people {
        fixture.change(entity(user(who), &[], vec![EntityUid::new("Group", "staff").unwrap()]));
    }
    let tasks: Vec<_> = (0..200)
        .map(|at| {
            let (fixture, who) = (fixture.clone(), people[at % people.len()]);
            tokio::spawn(async move {
                loop {
                    // The queue for dear work is bounded: whoever is told so comes again.
                    match fixture.issue(who, "ring/abe").await {
                        Err(KmsError::Busy) => tokio::task::yield_now().await,
                        issued => return issued.unwrap().serial,
                    }
                }
            })
        })
        .collect();
    let mut serials = BTreeSet::new();
    for task in tasks {
        assert!(serials.insert(task.await.unwrap()), "a serial was given twice");
    }
    assert_eq!(serials.len(), 200);
    let listed = fixture.issued(&everything()).await.unwrap();
    assert_eq!(listed.items.iter().map(|item| item.serial).collect::<BTreeSet<_>>(), serials);
    assert_eq!(
        fixture.restarted().inner.issued.ledger(&id("ring/abe"), KeyVersion::FIRST).next(),
        1 + serials.last().unwrap()
    );
}

#[tokio::test]
async fn serials_run_out_with_a_clear_word_and_a_rotation_brings_new_ones() {
    let mut fixture = Fixture::new().await;
    fixture.authority("ring/small").await;
    assert_eq!(fixture.issue("ana", "ring/small").await.unwrap().serial, 1);
    // Eight bits: 255 serials, counted from 1. The 253rd was given yesterday.
    let row = fixture.store.read(Table::UserKey, "ring/small#1/1").unwrap().unwrap();
    let put = Change::Put { table: Table::UserKey, id: "ring/small#1/253".into(), expected: None, value: row.value };
    fixture.store.commit(Work { changes: vec![put], events: vec![] }).await.unwrap();
    fixture.kms = fixture.restarted();
    for serial in [254, 255] {
        assert_eq!(fixture.issue("ana", "ring/small").await.unwrap().serial, serial);
    }
    for _ in 0..2 {
        let refused = fixture.issue("ana", "ring/small").await.unwrap_err();
        assert_eq!(refused, KmsError::SerialsExhausted { version: KeyVersion::FIRST });
        assert!(refused.to_string().ends_with("rotate the authority"), "{refused}");
    }
    assert_eq!(fixture.last_event().outcome, "serials-exhausted");
    // Sweeping what expired frees none: a serial is given once.
    fixture.clock.advance_days(9);
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(4));
    fixture.kms = fixture.restarted();
    let exhausted = Err(KmsError::SerialsExhausted { version: KeyVersion::FIRST });
    assert_eq!(fixture.issue("ana", "ring/small").await.map(|issued| issued.serial), exhausted);
    fixture.rotate(&id("ring/small")).await;
    let issued = fixture.issue("ana", "ring/small").await.unwrap();
    assert_eq!((issued.version.get(), issued.serial), (2, 1));
}

/// Whoever asks in a loop must not make a list that nobody can seal with, nor take the serials of all.
#[tokio::test]
async fn a_subject_has_so_many_keys_until_some_are_revoked_or_end() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    for _ in 0..32 {
        fixture.issue("ana", "ring/abe").await.unwrap();
    }
    let refused = fixture.issue("ana", "ring/abe").await.unwrap_err();
    assert_eq!(refused, KmsError::UserKeyCount { version: KeyVersion::FIRST, max: 32 });
    assert!(refused.to_string().contains("revoke some of them, or wait until one ends"), "{refused}");
    assert_eq!(fixture.last_event().outcome, "user-key-count");
    assert!(fixture.issue("bob", "ring/abe").await.is_ok(), "nobody else is held up");
    // By the store's word after a start, and no serial was spent on what was refused.
    let mut fixture = Fixture { kms: fixture.restarted(), ..fixture };
    assert!(fixture.issue("ana", "ring/abe").await.is_err());
    fixture.revoke("ring/abe", serials(None, &[7])).await.unwrap();
    assert_eq!(fixture.issue("ana", "ring/abe").await.unwrap().serial, 34);
    assert!(fixture.issue("ana", "ring/abe").await.is_err());
    fixture.clock.advance_days(2);
    fixture.kms = fixture.restarted();
    assert!(fixture.issue("ana", "ring/abe").await.is_ok(), "they have ended");
    fixture.rotate(&id("ring/abe")).await;
    assert!(fixture.issue("ana", "ring/abe").await.is_ok());
}

/// An older database was accepted: what it gave since its copy it does not know.
#[tokio::test]
async fn after_an_accepted_rollback_nothing_is_issued_until_a_rotation() {
    let mut fixture = Fixture::new().await;
    for key in ["ring/abe", "ring/small"] {
        fixture.authority(key).await;
    }
    fixture.issue("ana", "ring/abe").await.unwrap();
    let mark = || Change::Put {
        table: Table::Setting,
        id: wardkeep_store::ROLLBACK.to_owned(),
        expected: None,
        value: zeroize::Zeroizing::new(b"head missing".to_vec()),
    };
    fixture.store.commit(Work { changes: vec![mark()], events: vec![] }).await.unwrap();
    fixture.kms = fixture.restarted();
    assert!(fixture.store.read(Table::Setting, wardkeep_store::ROLLBACK).unwrap().is_none(), "heeded once");
    for _ in 0..2 {
        for key in ["ring/abe", "ring/small"] {
            let refused = fixture.issue("ana", key).await.unwrap_err();
            assert_eq!(refused, KmsError::SerialsExhausted { version: KeyVersion::FIRST }, "{key}");
            assert!(refused.to_string().contains("an older database was accepted"), "{refused}");
        }
        // It stands in the store: a further start knows it too.
        fixture.kms = fixture.restarted();
    }
    assert_eq!(fixture.revoke("ring/abe", serials(None, &[1])).await.unwrap().revoked, 1, "what is known is revoked");
    assert_eq!(fixture.revoke("ring/abe", serials(None, &[2])).await.unwrap_err().code(), "user-key-swept");
    fixture.rotate(&id("ring/abe")).await;
    fixture.kms = fixture.restarted();
    let issued = fixture.issue("ana", "ring/abe").await.unwrap();
    assert_eq!((issued.version.get(), issued.serial), (2, 1));
    assert!(fixture.issue("ana", "ring/small").await.is_err());
}

#[tokio::test]
async fn a_list_is_paged_filtered_and_recorded_once() {
    let fixture = Fixture::new().await;
    for key in ["ring/abe", "ring/small"] {
        fixture.authority(key).await;
    }
    for (who, key) in [("ana", "ring/abe"), ("bob", "ring/abe"), ("ana", "ring/abe"), ("ana", "ring/small")] {
        fixture.issue(who, key).await.unwrap();
    }
    let names = |page: &crate::Page<crate::UserKeyInfo>| -> Vec<String> {
        page.items.iter().map(|item| format!("{} {} {}", item.key, item.serial, item.subject.id())).collect()
    };
    let all = fixture.issued(&everything()).await.unwrap();
    assert_eq!(names(&all), ["ring/abe 1 ana", "ring/abe 2 bob", "ring/abe 3 ana", "ring/small 1 ana"]);
    assert_eq!((all.items[0].actor.id(), all.items[0].revoked), ("ana", None));
    let before = fixture.records().len();
    let theirs = ListUserKeys { subject: Some(user("ana")), key: Some(id("ring/abe")), ..everything() };
    assert_eq!(names(&fixture.issued(&theirs).await.unwrap()), ["ring/abe 1 ana", "ring/abe 3 ana"]);
    assert_eq!(fixture.records().len(), before + 1, "one record for the whole list");
    assert_eq!(fixture.last_detail(EventDetail::Filter).as_deref(), Some("ring/abe User::\"ana\""));
    assert_eq!(fixture.last_detail(EventDetail::Count).as_deref(), Some("2"));

    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = fixture.issued(&ListUserKeys { limit: 1, after, ..everything() }).await.unwrap();
        seen.extend(names(&page));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(seen, names(&all), "pages follow each other without gap or overlap");
    for bad in ["ring/abe", "ring/abe#1", "ring/abe#0/1", "ring/abe#1/x", "ring/abe#01/1", "ring/abe#1/+1", ""] {
        let list = ListUserKeys { after: Some(bad.to_owned()), ..everything() };
        assert_eq!(fixture.issued(&list).await.err(), Some(KmsError::PageBounds { max: 1000 }), "{bad}");
    }
    for limit in [0, 1001] {
        assert!(fixture.issued(&ListUserKeys { limit, ..everything() }).await.is_err());
    }
}

#[tokio::test]
async fn a_list_shows_nothing_of_an_authority_that_the_reader_may_not_see() {
    let fixture = Fixture::new().await;
    for key in ["ring/abe", "ring/small"] {
        fixture.authority(key).await;
        fixture.issue("ana", key).await.unwrap();
    }
    let event = fixture.permit::<wardkeep_model::action::DescribeUserKey>(&id("ring/abe")).into_event();
    let mut asked = 0;
    let mut may_see = |facts: &wardkeep_model::KeyFacts| {
        asked += 1;
        fixture.decide("ana", &facts.id, None, None, false).ok().filter(|_| facts.id == id("ring/small"))
    };
    let page = fixture.kms.list_user_keys(&everything(), &mut may_see, event).await.unwrap();
    assert_eq!(page.items.iter().map(|item| item.key.to_string()).collect::<Vec<_>>(), ["ring/small"]);
    assert_eq!(asked, 2, "decided once an authority");
    // A permit for another key is none for this one.
    let event = fixture.permit::<wardkeep_model::action::DescribeUserKey>(&id("ring/abe")).into_event();
    let mut mixed_up = |_: &wardkeep_model::KeyFacts| fixture.decide("ana", &id("ring/small"), None, None, false).ok();
    let page = fixture.kms.list_user_keys(&everything(), &mut mixed_up, event).await;
    assert_eq!(page.err(), Some(KmsError::PermitMismatch));
}

#[tokio::test]
async fn the_version_that_is_expected_is_the_newest_or_nothing_is_issued() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.rotate(&id("ring/abe")).await;
    for (expected, newest) in [(1, false), (2, true), (3, false)] {
        let version = KeyVersion::new(expected).unwrap();
        let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
        let request = crate::IssueUserKey { version: Some(version), ..request };
        let issued = fixture.issue_with(permit, request).await.map(|issued| issued.version.get());
        let refused = KmsError::NotNewest { version, newest: KeyVersion::new(2).unwrap() };
        assert_eq!(issued, if newest { Ok(2) } else { Err(refused) });
    }
}

#[tokio::test]
async fn only_authorities_issue() {
    let fixture = Fixture::new().await;
    fixture.create("ring/abe", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let refused = fixture.issue("ana", "ring/abe").await.unwrap_err();
    assert_eq!(refused.code(), "wrong-usage");
    assert_eq!(refused.to_string(), "the key's usage is `wrap`, which has no verb `issue`");
    let missing = fixture.issue("ana", "ring/small").await.unwrap_err();
    assert_eq!(missing, KmsError::KeyNotFound);
    let key = id("ring/abe");
    let any = Precondition::default();
    assert!(fixture.kms.parameters(fixture.permit(&key), &key, None).await.is_err());
    assert!(fixture.kms.rotate_under(fixture.permit(&key), &key, None, any, None).await.is_ok());
}
