//! Public keys registered for subjects: who registers one reads what is issued for them, so that nothing about it is lax.

use wardkeep_model::{Action, EntityUid, EventDetail, Permit, action};
use wardkeep_policy::{Question, RECIPIENTS, Refusal, Resource};
use wardkeep_store::{Store, Table, Work};

use super::fixture::{Fixture, caller, user};
use super::issuing::{again, everything, reader, stands};
use crate::KmsError;
use crate::service::{Gone, Precondition};

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

    fixture.kms.remove_recipient(fixture.control(RECIPIENTS), user("ana"), ANY, stands).await.unwrap();
    for _ in 0..2 {
        let gone = fixture.kms.describe_recipient(fixture.control(RECIPIENTS), &user("ana")).await.map(|_| ());
        assert_eq!(gone, Err(KmsError::RecipientNotFound));
        let gone = fixture.kms.remove_recipient(fixture.control(RECIPIENTS), user("ana"), ANY, stands).await;
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
        fixture.kms.register_recipient(permit, (user("ana"), key), precondition, stands)
    };
    let refused = put(again(&first), at(1)).await.map(|_| ());
    assert_eq!(refused, Err(KmsError::PreconditionFailed { actual: 0 }));
    put(again(&first), ANY).await.unwrap();
    assert_eq!(put(again(&second), at(1)).await.unwrap().revision, 2);
    assert_eq!(put(again(&first), at(1)).await.map(|_| ()), Err(KmsError::PreconditionFailed { actual: 2 }));
    let removed = fixture.kms.remove_recipient(fixture.control(RECIPIENTS), user("ana"), at(1), stands).await;
    assert_eq!(removed, Err(KmsError::PreconditionFailed { actual: 2 }));
    let now = fixture.kms.registered_recipient(&user("ana")).unwrap().unwrap();
    assert_eq!(now.fingerprint(), second.fingerprint());
}

/// What is asked right before the change says no: nothing of it is done, and it is on record.
#[tokio::test]
async fn nothing_is_registered_or_removed_once_the_right_or_the_subject_is_gone() {
    let fixture = Fixture::new().await;
    let (_, key) = reader();
    for refusal in [KmsError::SubjectNotFound, KmsError::PermitStale] {
        let permit = fixture.control(RECIPIENTS);
        let hold = {
            let refusal = refusal.clone();
            async move |_| Err::<(), _>(refusal)
        };
        let refused = fixture.kms.register_recipient(permit, (user("ana"), again(&key)), ANY, hold).await.map(|_| ());
        assert_eq!(refused, Err(refusal.clone()));
        assert_eq!(fixture.last_event().outcome, refusal.code());
    }
    assert!(fixture.kms.registered_recipient(&user("ana")).unwrap().is_none());
    fixture.register("ana", &key).await.unwrap();
    let hold = async |_| Err::<(), _>(KmsError::PermitStale);
    let refused = fixture.kms.remove_recipient(fixture.control(RECIPIENTS), user("ana"), ANY, hold).await;
    assert_eq!(refused, Err(KmsError::PermitStale));
    assert!(fixture.kms.registered_recipient(&user("ana")).unwrap().is_some());
}

/// Whoever is given a name anew must not inherit where keys go, and whoever had it must not keep them.
#[tokio::test]
async fn what_goes_with_an_entity_is_its_registration_and_its_user_keys() {
    let fixture = Fixture::new().await;
    for key in ["ring/abe", "ring/small"] {
        fixture.authority(key).await;
        for who in ["ana", "bob"] {
            fixture.issue(who, key).await.unwrap();
        }
    }
    let (_, key) = reader();
    fixture.register("ana", &key).await.unwrap();
    fixture.register("bob", &key).await.unwrap();
    let event = fixture.control::<action::ChangeRecipient>(RECIPIENTS).into_event();
    let going = |who: &str| who == "ana";
    for gone in [Gone::One(&user("ana")), Gone::All(&|name: &EntityUid| going(name.id()))] {
        let mut departure = fixture.kms.departure(&event, gone).await.unwrap();
        let (changes, events) = (departure.take_changes(), departure.take_events());
        assert_eq!((departure.removed(), changes.len()), ([key.fingerprint()].as_slice(), 5));
        let told: Vec<String> = events.iter().map(|event| format!("{:?}", event.detail)).collect();
        assert!(told[0].contains("ring/abe#1") && told[1].contains("ring/small#1"), "{told:?}");
        // Looked at, and not done: nobody is revoked.
        drop(departure);
    }
    let mut departure = fixture.kms.departure(&event, Gone::One(&user("ana"))).await.unwrap();
    let (changes, events) = (departure.take_changes(), departure.take_events());
    fixture.store.commit(Work { changes, events }).await.unwrap();
    assert_eq!(departure.install(), 2);
    drop(departure);
    let shown = fixture.issued(&everything()).await.unwrap().items;
    assert!(shown.iter().all(|item| item.revoked.is_some() == (item.subject.id() == "ana")), "{shown:?}");
    assert!(fixture.kms.registered_recipient(&user("ana")).unwrap().is_none());
    assert!(fixture.kms.registered_recipient(&user("bob")).unwrap().is_some());
    let mut none = fixture.kms.departure(&event, Gone::One(&user("ana"))).await.unwrap();
    assert!(none.take_changes().is_empty() && none.take_events().is_empty() && none.install() == 0);
    drop(none);
    assert_eq!(fixture.register("ana", &key).await.unwrap().revision, 3, "revisions never come again");
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
    let refused = fixture.kms.register_recipient(elsewhere, (user("ana"), key), ANY, stands).await.map(|_| ());
    assert_eq!(refused, Err(KmsError::PermitMismatch));
    let elsewhere = decided::<action::ChangeRecipient>(&fixture, "root", "escrow/ring/abe").unwrap();
    let refused = fixture.kms.remove_recipient(elsewhere, user("ana"), ANY, stands).await;
    assert_eq!(refused, Err(KmsError::PermitMismatch));
    let elsewhere = decided::<action::DescribeRecipient>(&fixture, "root", "entities").unwrap();
    let refused = fixture.kms.describe_recipient(elsewhere, &user("ana")).await.map(|_| ());
    assert_eq!(refused, Err(KmsError::PermitMismatch));
    assert_eq!(fixture.last_event().outcome, "permit-mismatch", "an attempt is recorded");
    assert!(fixture.store.read(Table::Recipient, "User::\"ana\"").unwrap().is_none());
}
