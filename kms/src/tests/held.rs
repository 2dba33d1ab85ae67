//! Issues that wait for a worker while something changes: the workers are held, so that the order is the test's.
//!
//! Broke elsewhere: what was decided before a right ended, and carried out after it.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use wardkeep_model::EventDetail;

use super::fixture::{Fixture, caller, entity, id, user};
use super::issuing::{everything, reader, serials, stands};
use crate::service::{Escrow, IssuedUserKey, Precondition, Revoke, Settings};
use crate::{Kms, KmsError};

/// The workers for dear work, each in a job that ends when this is dropped.
struct HeldWorkers(#[expect(dead_code, reason = "dropped, it lets them go")] Vec<Sender<()>>);

async fn hold_workers(kms: &Kms) -> HeldWorkers {
    let mut gates = vec![];
    for _ in 0..Settings::default().rsa_threads {
        let ((gate, wait), (begun, has_begun)) = (channel::<()>(), tokio::sync::oneshot::channel());
        let job = move || {
            let _ = begun.send(());
            let _ = wait.recv();
        };
        kms.inner.rsa.submit(Box::new(job)).unwrap();
        has_begun.await.unwrap();
        gates.push(gate);
    }
    HeldWorkers(gates)
}

/// An authority that is parsed, so that nothing but the issue itself needs a worker; `ana` has serial 1.
async fn with_authority() -> Arc<Fixture> {
    let fixture = Arc::new(Fixture::new().await);
    fixture.authority("ring/abe").await;
    assert_eq!(fixture.issue("ana", "ring/abe").await.unwrap().serial, 1);
    fixture
}

type Task<T> = tokio::task::JoinHandle<Result<T, KmsError>>;

/// An issue that is decided, and waits for a worker.
async fn waiting_issue(fixture: &Arc<Fixture>, who: &'static str) -> Task<IssuedUserKey> {
    let turn = fixture.kms.begin_issue(&id("ring/abe")).await;
    let (permit, request) = fixture.prepared(&caller(who), "ring/abe", None);
    let kms = fixture.kms.clone();
    let task = tokio::spawn(async move { kms.issue_user_key(turn, permit, request).await });
    pause().await;
    assert!(!task.is_finished(), "it waits for a worker");
    task
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

fn revoking(fixture: &Arc<Fixture>, which: Revoke) -> Task<crate::RevokedUserKeys> {
    let fixture = Arc::clone(fixture);
    tokio::spawn(async move { fixture.revoke("ring/abe", which).await })
}

/// Ana's issue is decided with level 5; the level is taken from her, and what she has is revoked. What was under way must
/// not be a key of level 5 that nobody took back.
#[tokio::test]
async fn a_revocation_of_a_subject_reaches_the_issue_that_is_under_way() {
    let fixture = with_authority().await;
    let held = hold_workers(&fixture.kms).await;
    let issue = waiting_issue(&fixture, "ana").await;
    fixture.change(entity(user("ana"), &[("dept", "cardiology".into())], vec![staff()]));
    let revocation = revoking(&fixture, Revoke::Subject(user("ana")));
    pause().await;
    assert!(!revocation.is_finished(), "it waits for what was decided before it");
    drop(held);
    let issued = issue.await.unwrap().unwrap();
    assert!(issued.attributes.contains("level = 5"), "{}", issued.attributes);
    assert_eq!(revocation.await.unwrap().unwrap().revoked, 2, "the one she had and the one that was under way");
    let shown = fixture.issued(&everything()).await.unwrap().items;
    assert!(shown.iter().all(|item| item.revoked.is_some()), "{shown:?}");
}

/// The serial is known to whoever asked for the key, before its row stands.
#[tokio::test]
async fn a_revocation_by_serial_reaches_the_issue_that_is_under_way() {
    let fixture = with_authority().await;
    let held = hold_workers(&fixture.kms).await;
    let issue = waiting_issue(&fixture, "bob").await;
    let revocation = revoking(&fixture, serials(None, &[2]));
    pause().await;
    drop(held);
    assert_eq!(issue.await.unwrap().unwrap().serial, 2);
    assert_eq!(revocation.await.unwrap().unwrap().revoked, 1);
}

/// An issue that is asked for while a revocation waits is decided after it.
#[tokio::test]
async fn what_is_asked_for_behind_a_revocation_waits_for_it() {
    let fixture = with_authority().await;
    let held = hold_workers(&fixture.kms).await;
    let first = waiting_issue(&fixture, "ana").await;
    let revocation = revoking(&fixture, Revoke::Subject(user("ana")));
    pause().await;
    let late = tokio::spawn({
        let fixture = Arc::clone(&fixture);
        async move { fixture.issue("ana", "ring/abe").await }
    });
    pause().await;
    // Decided under the gate: with what she has when it opens.
    fixture.change(entity(user("ana"), &[("dept", "oncology".into())], vec![staff()]));
    drop(held);
    assert!(first.await.unwrap().is_ok());
    assert_eq!(revocation.await.unwrap().unwrap().revoked, 2);
    let late = late.await.unwrap().unwrap();
    assert!(late.attributes.contains("oncology"), "{}", late.attributes);
    let revoked: Vec<bool> =
        fixture.issued(&everything()).await.unwrap().items.iter().map(|item| item.revoked.is_some()).collect();
    assert_eq!(revoked, [true, true, false]);
}

fn staff() -> wardkeep_model::EntityUid {
    wardkeep_model::EntityUid::new("Group", "staff").unwrap()
}

#[tokio::test]
async fn a_turn_at_one_authority_is_none_at_another() {
    let fixture = with_authority().await;
    fixture.authority("ring/small").await;
    let turn = fixture.kms.begin_issue(&id("ring/small")).await;
    let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
    let refused = fixture.kms.issue_user_key(turn, permit, request).await;
    assert_eq!(refused.err(), Some(KmsError::Contended));
}

/// The check behind the wait: what was active when the issue began and is not when it would be recorded.
#[tokio::test]
async fn an_authority_that_is_suspended_meanwhile_gives_nothing_out() {
    let fixture = with_authority().await;
    let held = hold_workers(&fixture.kms).await;
    let issue = waiting_issue(&fixture, "ana").await;
    fixture.suspend(&id("ring/abe")).await;
    drop(held);
    assert_eq!(issue.await.unwrap().unwrap_err().code(), "key-state-forbids");
    assert_eq!(fixture.last_event().outcome, "key-state-forbids");
    assert_eq!(fixture.last_detail(EventDetail::UserKey), None);
    assert_eq!(fixture.issued(&everything()).await.unwrap().items.len(), 1);
}

/// Ana's key was lost and is replaced while an issue for her waits: what is sealed for the old one must not leave.
#[tokio::test]
async fn a_recipient_that_is_replaced_or_removed_meanwhile_is_not_sealed_for() {
    let fixture = with_authority().await;
    let ((_, first), (_, second)) = (reader(), reader());
    fixture.register("ana", &first).await.unwrap();
    let held = hold_workers(&fixture.kms).await;
    let issue = waiting_issue_for(&fixture, "ana").await;
    fixture.register("ana", &second).await.unwrap();
    drop(held);
    assert_eq!(issue.await.unwrap().err(), Some(KmsError::Contended));

    let held = hold_workers(&fixture.kms).await;
    let issue = waiting_issue_for(&fixture, "ana").await;
    let removal = fixture.control(wardkeep_policy::RECIPIENTS);
    fixture.kms.remove_recipient(removal, user("ana"), Precondition::default(), stands).await.unwrap();
    drop(held);
    assert_eq!(issue.await.unwrap().err(), Some(KmsError::RecipientNotRegistered));
    assert_eq!(fixture.issued(&everything()).await.unwrap().items.len(), 1, "nothing of it is in the books");
}

async fn waiting_issue_for(fixture: &Arc<Fixture>, subject: &'static str) -> Task<IssuedUserKey> {
    let task = tokio::spawn({
        let fixture = Arc::clone(fixture);
        async move { fixture.issue_for(subject, "ring/abe").await }
    });
    pause().await;
    assert!(!task.is_finished());
    task
}

/// Many at once, all under way when the bound is looked at: what waits counts.
#[tokio::test]
async fn issues_under_way_count_against_the_bound_of_a_subject() {
    let fixture = with_authority().await;
    let held = hold_workers(&fixture.kms).await;
    let mut waiting = vec![];
    for _ in 0..31 {
        let turn = fixture.kms.begin_issue(&id("ring/abe")).await;
        let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
        let kms = fixture.kms.clone();
        waiting.push(tokio::spawn(async move { kms.issue_user_key(turn, permit, request).await }));
    }
    pause().await;
    assert_eq!(fixture.issue("ana", "ring/abe").await.unwrap_err().code(), "user-key-count");
    drop(held);
    for one in waiting {
        assert!(one.await.unwrap().is_ok());
    }
    assert!(fixture.issue("ana", "ring/abe").await.is_err());
}

/// Whoever finds no place in the queue, or goes away while waiting, costs no serial; and half of the queue is not theirs.
#[tokio::test]
async fn what_does_not_come_to_its_turn_costs_no_serial() {
    let fixture = with_authority().await;
    let people: Vec<String> = (0..5).map(|at| format!("user{at}")).collect();
    for who in &people {
        fixture.change(entity(user(who), &[], vec![staff()]));
    }
    let held = hold_workers(&fixture.kms).await;
    let mut waiting = vec![];
    for at in 0..128 {
        let turn = fixture.kms.begin_issue(&id("ring/abe")).await;
        let (permit, request) = fixture.prepared(&caller(&people[at % 5]), "ring/abe", None);
        let kms = fixture.kms.clone();
        waiting.push(tokio::spawn(async move { kms.issue_user_key(turn, permit, request).await }));
    }
    pause().await;
    assert_eq!(fixture.issue("bob", "ring/abe").await.err(), Some(KmsError::Busy), "half of the queue is taken");
    fixture.kms.inner.rsa.submit(Box::new(|| ())).unwrap();
    for one in &waiting {
        one.abort();
    }
    for one in waiting {
        assert!(one.await.is_err());
    }
    drop(held);
    let next = loop {
        match fixture.issue("bob", "ring/abe").await {
            Err(KmsError::Busy) => pause().await,
            issued => break issued.unwrap().serial,
        }
    };
    assert_eq!(next, 2, "nobody was there any more to have keys");
    let gone = fixture.records().iter().filter(|record| record.line.contains("caller-gone")).count();
    assert_eq!(gone, 128, "and each of them is on record");
}

/// The role of whoever exports is taken while the shares are made, or the authority is suspended: nothing leaves, and the
/// authority does not say that it did.
#[tokio::test]
async fn an_escrow_whose_right_or_authority_went_meanwhile_gives_nothing_out() {
    let fixture = with_authority().await;
    for (what, code) in [("role", "permit-stale"), ("state", "key-state-forbids")] {
        let held = hold_workers(&fixture.kms).await;
        let (gone, asks) = (Arc::new(std::sync::atomic::AtomicBool::new(false)), fixture.kms.clone());
        let hold = {
            let gone = Arc::clone(&gone);
            async move |_| {
                if gone.load(std::sync::atomic::Ordering::SeqCst) { Err(KmsError::PermitStale) } else { Ok(()) }
            }
        };
        let permit = fixture.control(&wardkeep_policy::escrow_part(&id("ring/abe")));
        let asked =
            Escrow { key: id("ring/abe"), version: None, threshold: 2, shares: 2, recipients: vec![], plain: true };
        let escrow = tokio::spawn(async move { asks.escrow(permit, asked, hold).await });
        pause().await;
        if what == "role" {
            gone.store(true, std::sync::atomic::Ordering::SeqCst);
        } else {
            fixture.compromise(&id("ring/abe")).await;
        }
        drop(held);
        assert_eq!(escrow.await.unwrap().unwrap_err().code(), code, "{what}");
        assert_eq!(fixture.last_event().outcome, code);
        assert!(!fixture.kms.facts(&id("ring/abe")).unwrap().exportable, "{what}");
    }
}
