//! Revocation: the signed list, its numbers and dates, the cover it adds, and what readers off line still open.

use std::collections::BTreeMap;

use wardkeep_abe::{Bucket, MAX_ROWS, PublicParameters, RevocationError, RevocationList, Serial};
use wardkeep_model::{EventDetail, KeyVersion};
use wardkeep_store::{Store, Table};

use super::fixture::{Fixture, id, user};
use super::issuing::{everything, opens, read, seal, serials};
use crate::KmsError;
use crate::service::Revoke;
use crate::service::authority::COVER_ROWS;

async fn parameters(fixture: &Fixture, version: Option<u32>) -> PublicParameters {
    let key = id("ring/abe");
    let version = version.and_then(KeyVersion::new);
    let found = fixture.kms.parameters(fixture.permit(&key), &key, version).await.unwrap();
    PublicParameters::from_bytes(&found.published.parameters).unwrap()
}

fn revoked_on(list: &[u8], parameters: &PublicParameters) -> BTreeMap<Serial, Bucket> {
    RevocationList::from_bytes(list, parameters).unwrap().revoked().clone()
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_sealed_with_the_list_and_everything_sealed_before() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let ana = fixture.issue("ana", "ring/abe").await.unwrap();
    let bob = fixture.issue("bob", "ring/abe").await.unwrap();
    let (public, _) = read(&ana);
    let (formula, now) = ("group = staff", fixture.seconds());
    let empty = fixture.list("ring/abe", None).await.unwrap();
    assert_eq!((empty.number, empty.cover_rows), (1, 1), "nobody is revoked: the root covers all");
    let before = seal(&public, formula, now, Some(&empty.signed));
    assert!(opens(&ana, &before) && opens(&bob, &before));

    let done = fixture.revoke("ring/abe", serials(None, &[ana.serial])).await.unwrap();
    assert_eq!((done.revoked, done.lists.len(), done.lists[0].number), (1, 1, 2));
    assert_eq!(fixture.last_detail(EventDetail::UserKey).as_deref(), Some("1"));
    assert_eq!(
        fixture.list("ring/abe", None).await.unwrap(),
        done.lists[0],
        "the list of the answer is the one in force"
    );
    let list = revoked_on(&done.lists[0].signed, &public);
    assert_eq!(list.keys().map(|serial| serial.number()).collect::<Vec<_>>(), [ana.serial]);
    assert_eq!(done.lists[0].cover_rows, 20, "one leaf of a tree of 20 levels");
    let after = seal(&public, formula, now, Some(&done.lists[0].signed));
    assert_eq!((opens(&ana, &after), opens(&bob, &after)), (false, true));
    assert!(opens(&ana, &before), "what was sealed before stays open");

    // A key issued anew is another leaf.
    let anew = fixture.issue("ana", "ring/abe").await.unwrap();
    assert!(opens(&anew, &after));
    let shown = fixture.issued(&everything()).await.unwrap().items;
    assert_eq!(shown.iter().map(|item| item.revoked.is_some()).collect::<Vec<_>>(), [true, false, false]);
}

#[tokio::test]
async fn a_subject_is_revoked_in_every_version_and_nobody_else_is() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    for who in ["ana", "bob", "ana"] {
        fixture.issue(who, "ring/abe").await.unwrap();
    }
    fixture.rotate(&id("ring/abe")).await;
    fixture.issue("ana", "ring/abe").await.unwrap();
    let done = fixture.revoke("ring/abe", Revoke::Subject(user("ana"))).await.unwrap();
    assert_eq!(done.revoked, 3);
    assert_eq!(fixture.last_detail(EventDetail::About).as_deref(), Some("User::\"ana\""));
    // One event a version, which names every serial.
    let events: Vec<_> = fixture.records().iter().rev().take(2).map(|record| record.event().unwrap()).collect();
    let told = |at: usize| (events[at].detail["key_version"].as_str(), events[at].detail["user_key"].as_str());
    assert_eq!((told(1), told(0)), (("1", "1,3"), ("2", "1")));
    assert_eq!((events[1].detail["count"].as_str(), events[0].detail["about"].as_str()), ("2", "User::\"ana\""));
    let seen: Vec<(u32, Vec<u32>)> = by_version(&fixture, &done.lists).await;
    assert_eq!(seen, [(1, vec![1, 3]), (2, vec![1])]);
    let again = fixture.revoke("ring/abe", Revoke::Subject(user("ana"))).await.unwrap();
    assert_eq!((again.revoked, again.lists.len()), (0, 0), "nothing is left to take back");
    let nobody = fixture.revoke("ring/abe", Revoke::Subject(user("nobody"))).await.unwrap();
    assert_eq!((nobody.revoked, fixture.last_event().outcome.as_str()), (0, "ok"), "asked, and recorded");
}

/// Version and serials of each list.
async fn by_version(fixture: &Fixture, lists: &[crate::RevocationInfo]) -> Vec<(u32, Vec<u32>)> {
    let mut seen = vec![];
    for list in lists {
        let public = parameters(fixture, Some(list.version.get())).await;
        let on_it = revoked_on(&list.signed, &public);
        seen.push((list.version.get(), on_it.keys().map(|serial| serial.number()).collect()));
    }
    seen
}

#[tokio::test]
async fn serials_that_were_never_given_are_refused_and_the_rest_is_left_alone() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.issue("ana", "ring/abe").await.unwrap();
    for (named, unknown) in [(&[0_u32][..], 0), (&[2], 2), (&[1, 7, 9], 7), (&[u32::MAX], u32::MAX)] {
        let refused = fixture.revoke("ring/abe", serials(None, named)).await.unwrap_err();
        assert_eq!(refused, KmsError::UserKeyNotFound { version: KeyVersion::FIRST, serial: unknown });
    }
    assert!(fixture.issued(&everything()).await.unwrap().items[0].revoked.is_none(), "all or nothing");
    for count in [0, 10_001] {
        let many: Vec<u32> = (1..=count).collect();
        let refused = fixture.revoke("ring/abe", serials(None, &many)).await.unwrap_err();
        assert_eq!(refused, KmsError::RevokeCount { max: 10_000 }, "{count}");
    }
    let refused = fixture.revoke("ring/abe", serials(Some(2), &[1])).await.unwrap_err();
    assert_eq!(refused, KmsError::VersionNotFound { version: KeyVersion::new(2).unwrap() });
    // The same serial twice is one, and once revoked stays as it was.
    assert_eq!(fixture.revoke("ring/abe", serials(None, &[1, 1])).await.unwrap().revoked, 1);
    let first = fixture.issued(&everything()).await.unwrap().items[0].revoked;
    fixture.clock.advance_millis(5_000);
    let again = fixture.revoke("ring/abe", serials(None, &[1])).await.unwrap();
    assert_eq!((again.revoked, again.lists[0].number), (0, 2), "signed once more, for whoever asked to be sure");
    assert_eq!(fixture.issued(&everything()).await.unwrap().items[0].revoked, first);
}

#[tokio::test]
async fn a_list_is_signed_anew_at_half_of_its_life_and_its_number_never_comes_again() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let first = fixture.list("ring/abe", None).await.unwrap();
    assert_eq!(first.next_update.millis() - first.issued.millis(), 86_400_000);
    fixture.clock.advance_millis(43_200_000 - 1_000);
    assert_eq!(fixture.list("ring/abe", None).await.unwrap(), first, "the same until its half");
    fixture.clock.advance_millis(1_000);
    let second = fixture.list("ring/abe", None).await.unwrap();
    assert_eq!((second.number, second.issued.millis() - first.issued.millis()), (2, 43_200_000));
    // Restarted, the number goes on, and the list is the same.
    let restarted = fixture.restarted();
    let key = id("ring/abe");
    assert_eq!(restarted.revocations(fixture.permit(&key), &key, None).await.unwrap(), second);
    fixture.clock.advance_days(1);
    assert_eq!(restarted.revocations(fixture.permit(&key), &key, None).await.unwrap().number, 3);
    // The other service over the same store did not hear of it: it does not sign another third.
    assert_eq!(fixture.list("ring/abe", None).await.err(), Some(KmsError::Contended));
}

#[tokio::test]
async fn readers_refuse_an_old_list_and_one_of_another_version() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let list = fixture.list("ring/abe", None).await.unwrap();
    let public = parameters(&fixture, None).await;
    let read = RevocationList::from_bytes(&list.signed, &public).unwrap();
    let (now, next) = (fixture.seconds(), list.next_update.millis() / 1000);
    let policy = || wardkeep_abe::AccessPolicy::parse("user = ana", &public).unwrap();
    assert!(policy().excluding(&read, &public, now).is_ok());
    let stale = policy().excluding(&read, &public, next + 1).map(|_| ());
    assert!(matches!(stale, Err(RevocationError::Stale { .. })), "{stale:?}");
    fixture.rotate(&id("ring/abe")).await;
    let newer = parameters(&fixture, None).await;
    assert!(matches!(RevocationList::from_bytes(&list.signed, &newer), Err(RevocationError::OtherAuthority)));
    let mut forged = list.signed.to_vec();
    let at = forged.len() - 70;
    forged[at] ^= 1;
    assert!(RevocationList::from_bytes(&forged, &public).is_err(), "signed is signed");
    // Each version has a list of its own, and of the former one there still is one.
    assert_eq!(fixture.list("ring/abe", Some(1)).await.unwrap(), list);
    assert_eq!(fixture.list("ring/abe", None).await.unwrap().version.get(), 2);
}

#[tokio::test]
async fn expired_serials_leave_list_and_store_and_are_not_given_again() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    for _ in 0..3 {
        fixture.issue("ana", "ring/abe").await.unwrap();
    }
    fixture.revoke("ring/abe", serials(None, &[1, 3])).await.unwrap();
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(0), "nothing has expired");
    fixture.clock.advance_days(2);
    let public = parameters(&fixture, None).await;
    let list = fixture.list("ring/abe", None).await.unwrap();
    assert!(revoked_on(&list.signed, &public).is_empty(), "expired serials need no place in the list");
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(0), "a week must pass");
    fixture.clock.advance_days(7);
    let late = fixture.issue("bob", "ring/abe").await.unwrap();
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(3));
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(0));
    let mut rows = vec![];
    fixture.store.scan(Table::UserKey, &mut |row| rows.push(row.id)).unwrap();
    rows.sort();
    assert_eq!(rows, ["ring/abe#1", &format!("ring/abe#1/{}", late.serial)]);
    // One that was swept is known to have been given; that it is not there to be taken back is no success.
    let refused = fixture.revoke("ring/abe", serials(None, &[1, late.serial])).await.unwrap_err();
    assert_eq!(refused, KmsError::UserKeySwept { version: KeyVersion::FIRST, serial: 1 });
    assert!(refused.to_string().ends_with("it never left; leave it out"), "{refused}");
    assert_eq!(fixture.last_event().outcome, "user-key-swept");
    assert!(fixture.issued(&everything()).await.unwrap().items[0].revoked.is_none(), "all or nothing");
    assert_eq!(fixture.restarted().inner.issued.ledger(&id("ring/abe"), KeyVersion::FIRST).next(), late.serial + 1);
}

#[tokio::test]
async fn many_expired_rows_go_in_bounded_commits() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    let first = fixture.issue("ana", "ring/abe").await.unwrap();
    let row = fixture.store.read(Table::UserKey, "ring/abe#1/1").unwrap().unwrap();
    let put = |serial: u32| wardkeep_store::Change::Put {
        table: Table::UserKey,
        id: format!("ring/abe#1/{serial}"),
        expected: None,
        value: row.value.clone(),
    };
    let changes = (2..=600).map(put).collect();
    fixture.store.commit(wardkeep_store::Work { changes, events: vec![] }).await.unwrap();
    let restarted = fixture.restarted();
    fixture.clock.advance_days(9);
    let commits = fixture.store.health().commits;
    assert_eq!(restarted.sweep_user_keys().await, Ok(600));
    assert_eq!(fixture.store.health().commits - commits, 3, "256, 256 and 88");
    assert_eq!(restarted.inner.issued.ledger(&id("ring/abe"), first.version).next(), 601);
}

/// A clock two days ahead at one sweep, and set right after it: what was revoked is still revoked.
#[tokio::test]
async fn a_clock_that_is_ahead_at_a_sweep_brings_no_revoked_key_back() {
    let mut fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.issue("ana", "ring/abe").await.unwrap();
    fixture.revoke("ring/abe", serials(None, &[1])).await.unwrap();
    let right = fixture.clock_now();
    fixture.clock.advance_days(2);
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(0));
    fixture.clock.set(right);
    fixture.kms = fixture.restarted();
    fixture.clock.advance_millis(13 * 3_600_000);
    let public = parameters(&fixture, None).await;
    let list = fixture.list("ring/abe", None).await.unwrap();
    assert_eq!(revoked_on(&list.signed, &public).len(), 1);
}

/// A sweep that was cut off between its commit and memory: the next one goes on from what the store says.
#[tokio::test]
async fn a_sweep_that_lost_its_memory_goes_on() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.issue("ana", "ring/abe").await.unwrap();
    fixture.clock.advance_days(1);
    fixture.issue("ana", "ring/abe").await.unwrap();
    fixture.clock.advance_days(8);
    // Another service over the same store sweeps the first; this one does not hear of it.
    assert_eq!(fixture.restarted().sweep_user_keys().await, Ok(1));
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(0));
    fixture.clock.advance_days(2);
    assert_eq!(fixture.kms.sweep_user_keys().await, Ok(1));
    assert_eq!(fixture.issued(&everything()).await.unwrap().items.len(), 0);
}

/// A sweep that is told to stop in the middle: its commit is either not made, or made and known.
#[tokio::test]
async fn a_sweep_that_is_dropped_leaves_memory_as_the_store_is() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.issue("ana", "ring/abe").await.unwrap();
    fixture.clock.advance_days(9);
    {
        let mut sweep = std::pin::pin!(fixture.kms.sweep_user_keys());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(sweep.as_mut(), &mut context).is_pending());
    }
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert!(fixture.store.read(Table::UserKey, "ring/abe#1/1").unwrap().is_none());
    let ledger = fixture.kms.inner.issued.ledger(&id("ring/abe"), KeyVersion::FIRST);
    assert!(ledger.entry(1).is_none() && ledger.sequence() == Some(1));
}

/// Whoever had more issued than one commit takes is not out of reach.
#[tokio::test]
async fn a_subject_with_more_keys_than_a_commit_takes_is_revoked_whole_and_recorded_whole() {
    let mut fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.issue("ana", "ring/abe").await.unwrap();
    let row = fixture.store.read(Table::UserKey, "ring/abe#1/1").unwrap().unwrap();
    let put = |serial: u32| wardkeep_store::Change::Put {
        table: Table::UserKey,
        id: format!("ring/abe#1/{serial}"),
        expected: None,
        value: row.value.clone(),
    };
    // As older versions let her have them: every second serial, and then a run.
    let changes = (1..=1_200).map(|at| put(2 * at + 1)).chain((3_000..12_001).map(put)).collect();
    fixture.store.commit(wardkeep_store::Work { changes, events: vec![] }).await.unwrap();
    fixture.kms = fixture.restarted();
    let before = fixture.records().len();
    let done = fixture.revoke("ring/abe", Revoke::Subject(user("ana"))).await.unwrap();
    assert_eq!((done.revoked, done.lists.len(), done.lists[0].number), (10_202, 1, 2));
    let mut told = 0;
    for record in &fixture.records()[before..] {
        let detail = record.event().unwrap().detail;
        for run in detail["user_key"].split(',') {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            told += last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1;
        }
    }
    assert_eq!(told, 10_202, "every serial stands in the log");
}

#[tokio::test]
async fn a_wide_cover_is_told_and_a_rotation_ends_it() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    assert_eq!(fixture.kms.widest_cover(), None);
    for _ in 0..8 {
        fixture.issue("ana", "ring/abe").await.unwrap();
    }
    fixture.revoke("ring/abe", serials(None, &[2, 4, 6, 8])).await.unwrap();
    let cover = fixture.kms.widest_cover().unwrap();
    let public = parameters(&fixture, None).await;
    let list = fixture.list("ring/abe", None).await.unwrap();
    assert_eq!((cover.key, cover.rows), (id("ring/abe"), list.cover_rows));
    // As many rows as the library puts into a formula for it.
    let read = RevocationList::from_bytes(&list.signed, &public).unwrap();
    let bucket = public.terms().bucket_at(fixture.seconds()).unwrap();
    let policy = wardkeep_abe::AccessPolicy::parse("user = ana", &public).unwrap().valid_from(bucket);
    let without =
        wardkeep_abe::seal(&public, &policy, b"", wardkeep_abe::Seed::new([1; 32])).unwrap().0.to_bytes().len();
    let policy = policy.excluding(&read, &public, fixture.seconds()).unwrap();
    let with = wardkeep_abe::seal(&public, &policy, b"", wardkeep_abe::Seed::new([1; 32])).unwrap().0.to_bytes().len();
    assert!((with - without) / 48 >= cover.rows, "{without} and {with} bytes for {} rows of 48", cover.rows);
    fixture.rotate(&id("ring/abe")).await;
    assert_eq!(fixture.kms.widest_cover(), None, "nobody seals under a former version");
}

/// Thirty revoked serials far from each other, as after years: next to no room is left for a formula.
#[tokio::test]
async fn a_cover_that_leaves_no_room_is_above_what_is_reported() {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture.issue("ana", "ring/abe").await.unwrap();
    fixture.revoke("ring/abe", serials(None, &[1])).await.unwrap();
    assert!(fixture.kms.widest_cover().unwrap().rows < COVER_ROWS);
    let row = fixture.store.read(Table::UserKey, "ring/abe#1/1").unwrap().unwrap();
    let put = |at: u32| wardkeep_store::Change::Put {
        table: Table::UserKey,
        id: format!("ring/abe#1/{}", at * 34_000),
        expected: None,
        value: row.value.clone(),
    };
    let changes = (1..=30).map(put).collect();
    fixture.store.commit(wardkeep_store::Work { changes, events: vec![] }).await.unwrap();
    let (restarted, key) = (fixture.restarted(), id("ring/abe"));
    assert!(restarted.widest_cover().unwrap().rows < COVER_ROWS, "as wide as the list that is in force");
    fixture.clock.advance_millis(13 * 3_600_000);
    let list = restarted.revocations(fixture.permit(&key), &key, None).await.unwrap();
    let cover = restarted.widest_cover().unwrap();
    assert_eq!((cover.rows, cover.key), (list.cover_rows, key));
    assert!(cover.rows > COVER_ROWS && cover.rows < MAX_ROWS, "{}", cover.rows);
}

#[tokio::test]
async fn two_who_revoke_at_once_both_stand_in_the_list() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    fixture.authority("ring/abe").await;
    for _ in 0..20 {
        fixture.issue("ana", "ring/abe").await.unwrap();
    }
    let tasks: Vec<_> = (1..=20)
        .map(|serial| {
            let fixture = fixture.clone();
            tokio::spawn(async move { fixture.revoke("ring/abe", serials(None, &[serial])).await.unwrap() })
        })
        .collect();
    let mut numbers = std::collections::BTreeSet::new();
    for task in tasks {
        assert!(numbers.insert(task.await.unwrap().lists[0].number), "a number was given twice");
    }
    let list = fixture.list("ring/abe", None).await.unwrap();
    let public = parameters(&fixture, None).await;
    assert_eq!((list.number, revoked_on(&list.signed, &public).len()), (20, 20));
}
