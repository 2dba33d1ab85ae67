//! Public keys registered for subjects: who registers one reads what is issued for them, so that nothing about it is lax.

use wardkeep_model::{Action, EventDetail, Permit, action};
use wardkeep_policy::{Question, RECIPIENTS, Refusal, Resource};
use wardkeep_store::{Store, Table, Work};

use super::fixture::{Fixture, caller, user};
use super::issuing::{again, reader};
use crate::KmsError;
use crate::service::Precondition;

const ANY: Precondition = Precondition { revision: None };

fn at(revision: u64) -> Precondition {
    Precondition { revision: Some(revision) }
}

#[tokio::test]
async fn a_registration_is_made_seen_replaced_and_removed() {
    let fixture = Fixture::new().await;
    let ((_, first), (_, second)) = (reader(), reader());
    let made = fixture.register("ana", &first).await.unwrap();
    assert_eq!((made.revision, made.key.fingerprint()), (1, first.fingerprint()));
    assert_eq!(fixture.last_detail(EventDetail::About).as_deref(), Some("User::\"ana\""));
    assert_eq!(fixture.last_detail(EventDetail::Recipient), Some(first.fingerprint().to_string()));
    let seen = fixture.kms.describe_recipient(fixture.control(RECIPIENTS), &user("ana")).await.unwrap();
    assert_eq!((seen.revision, seen.subject, seen.changed), (1, user("ana"), made.changed));
    assert_eq!(fixture.register("ana", &second).await.unwrap().revision, 2);
    let found = fixture.restarted().registered_recipient(&user("ana")).unwrap().unwrap();
    assert_eq!(found.fingerprint(), second.fingerprint(), "it is in the store");
    assert!(fixture.kms.registered_recipient(&user("bob")).unwrap().is_none());

    fixture.kms.remove_recipient(fixture.control(RECIPIENTS), user("ana"), ANY).await.unwrap();
    for _ in 0..2 {
        let gone = fixture.kms.describe_recipient(fixture.control(RECIPIENTS), &user("ana")).await.map(|_| ());
        assert_eq!(gone, Err(KmsError::RecipientNotFound));
        let gone = fixture.kms.remove_recipient(fixture.control(RECIPIENTS), user("ana"), ANY).await;
        assert_eq!(gone, Err(KmsError::RecipientNotFound));
        assert_eq!(fixture.last_event().outcome, "recipient-not-found");
    }
    assert_eq!(fixture.register("ana", &first).await.unwrap().revision, 4, "revisions never come again");
}

#[tokio::test]
async fn an_if_match_of_yesterday_changes_nothing() {
    let fixture = Fixture::new().await;
    let ((_, first), (_, second)) = (reader(), reader());
    let put = |key, precondition| {
        let permit = fixture.control(RECIPIENTS);
        fixture.kms.register_recipient(permit, user("ana"), key, true, precondition)
    };
    let refused = put(again(&first), at(1)).await.map(|_| ());
    assert_eq!(refused, Err(KmsError::PreconditionFailed { actual: 0 }));
    put(again(&first), ANY).await.unwrap();
    assert_eq!(put(again(&second), at(1)).await.unwrap().revision, 2);
    assert_eq!(put(again(&first), at(1)).await.map(|_| ()), Err(KmsError::PreconditionFailed { actual: 2 }));
    let removed = fixture.kms.remove_recipient(fixture.control(RECIPIENTS), user("ana"), at(1)).await;
    assert_eq!(removed, Err(KmsError::PreconditionFailed { actual: 2 }));
    let now = fixture.kms.registered_recipient(&user("ana")).unwrap().unwrap();
    assert_eq!(now.fingerprint(), second.fingerprint());
}

#[tokio::test]
async fn nobody_registers_for_who_is_not_there() {
    let fixture = Fixture::new().await;
    let (_, key) = reader();
    let permit = fixture.control(RECIPIENTS);
    let refused = fixture.kms.register_recipient(permit, user("nobody"), key, false, ANY).await.map(|_| ());
    assert_eq!(refused, Err(KmsError::SubjectNotFound));
    assert_eq!(fixture.last_event().outcome, "subject-not-found");
}

/// Whoever is given a name anew must not inherit where keys go.
#[tokio::test]
async fn the_change_that_goes_with_an_entity_removes_the_registration() {
    let fixture = Fixture::new().await;
    assert!(fixture.kms.removal_of_recipient(&user("ana")).unwrap().is_none());
    let (_, key) = reader();
    fixture.register("ana", &key).await.unwrap();
    let removal = fixture.kms.removal_of_recipient(&user("ana")).unwrap().unwrap();
    fixture.store.commit(Work { changes: vec![removal], events: vec![] }).await.unwrap();
    assert!(fixture.kms.registered_recipient(&user("ana")).unwrap().is_none());
    assert!(fixture.kms.removal_of_recipient(&user("ana")).unwrap().is_none());
    assert_eq!(fixture.register("ana", &key).await.unwrap().revision, 3);
}

fn decided<A: Action>(fixture: &Fixture, who: &str, part: &str) -> Result<Permit<A>, Refusal> {
    let (caller, resource) = (caller(who), Resource::System(part));
    fixture.engine.decide(&Question { caller: &caller, resource, context: None, recipient: None, compromised: false })
}

#[tokio::test]
async fn only_whoever_answers_for_the_rules_registers_and_only_with_a_permit_for_that() {
    let fixture = Fixture::new().await;
    // Ana may do everything with keys, and this is none of it.
    assert!(decided::<action::ChangeRecipient>(&fixture, "ana", RECIPIENTS).is_err());
    let (_, key) = reader();
    let elsewhere = decided::<action::ChangeRecipient>(&fixture, "root", "wardkeep").unwrap();
    let refused = fixture.kms.register_recipient(elsewhere, user("ana"), key, true, ANY).await.map(|_| ());
    assert_eq!(refused, Err(KmsError::PermitMismatch));
    let elsewhere = decided::<action::ChangeRecipient>(&fixture, "root", "escrow/ring/abe").unwrap();
    let refused = fixture.kms.remove_recipient(elsewhere, user("ana"), ANY).await;
    assert_eq!(refused, Err(KmsError::PermitMismatch));
    let elsewhere = decided::<action::DescribeRecipient>(&fixture, "root", "entities").unwrap();
    let refused = fixture.kms.describe_recipient(elsewhere, &user("ana")).await.map(|_| ());
    assert_eq!(refused, Err(KmsError::PermitMismatch));
    assert_eq!(fixture.last_event().outcome, "permit-mismatch", "an attempt is recorded");
    assert!(fixture.store.read(Table::Recipient, "User::\"ana\"").unwrap().is_none());
}
