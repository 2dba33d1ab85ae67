//! As the attacker at an authority: attributes of one's own, a permit for something else, the key of somebody else, a
//! public key that was swapped, a serial that comes twice, a key that lies around afterwards.

use wardkeep_abe::{Attributes, Schema, Serial};
use wardkeep_model::{BucketLength, EntityUid, KeyVersion};
use wardkeep_policy::{RECIPIENTS, Refusal};
use wardkeep_store::{Change, Store, Table, Work};

use super::fixture::{Fixture, caller, entity, id, user};
use super::issuing::{acting, again, opens, read, reader, seal, serials, stands, unseal};
use crate::material::abe::AuthorityPlan;
use crate::service::{IssueUserKey, Precondition};
use crate::{Kms, KmsError};

async fn with_authority() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.authority("ring/abe").await;
    fixture
}

/// Whoever reaches the verb with a permit and another request than was decided on.
#[tokio::test]
async fn a_permit_fits_the_very_attributes_schema_terms_and_reader_that_were_decided_on() {
    let fixture = with_authority().await;
    fixture.authority("ring/small").await;
    let (_, public) = reader();
    let plan = fixture.plan(&id("ring/abe")).unwrap();
    let other = |text: &str| Attributes::parse(text, &plan.schema).unwrap();
    let wider = Schema::parse(&format!("{}\nextra: text", plan.schema.to_text())).unwrap();
    type Swap<'a> = Box<dyn Fn(IssueUserKey) -> IssueUserKey + 'a>;
    let swaps: Vec<(&str, Swap<'_>)> = vec![
        (
            "a higher level",
            Box::new(|request| IssueUserKey {
                attributes: other("dept = cardiology, group = [staff], level = 6, user = ana"),
                ..request
            }),
        ),
        (
            "one attribute more",
            Box::new(|request| IssueUserKey {
                attributes: other("dept = cardiology, group = [staff, admins], level = 5, user = ana"),
                ..request
            }),
        ),
        ("one attribute less", Box::new(|request| IssueUserKey { attributes: other("user = ana"), ..request })),
        (
            "bob's",
            Box::new(|request| IssueUserKey {
                attributes: other("dept = surgery, group = [staff], level = 2, user = bob"),
                ..request
            }),
        ),
        (
            "another schema",
            Box::new(|request| {
                let plan = AuthorityPlan { schema: wider.clone(), ..request.plan };
                IssueUserKey { plan, ..request }
            }),
        ),
        (
            "other terms",
            Box::new(|request| {
                let plan = AuthorityPlan::new(request.plan.schema, BucketLength::Day, 20).unwrap();
                IssueUserKey { plan, ..request }
            }),
        ),
        ("a reader", Box::new(|request| IssueUserKey { recipient: Some(again(&public)), ..request })),
        ("another key", Box::new(|request| IssueUserKey { key: id("ring/small"), ..request })),
    ];
    for (what, swap) in &swaps {
        let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
        let issued = fixture.issue_with(permit, swap(request)).await;
        assert_eq!(issued.err(), Some(KmsError::PermitMismatch), "{what}");
        assert_eq!(fixture.last_event().outcome, "permit-mismatch", "{what}");
    }
    // Decided for one reader, asked for another, or for none.
    let (_, swapped) = reader();
    for given in [None, Some(swapped)] {
        let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", Some(again(&public)));
        let issued = fixture.issue_with(permit, IssueUserKey { recipient: given, ..request }).await;
        assert_eq!(issued.err(), Some(KmsError::PermitMismatch));
    }
    assert!(fixture.issue("ana", "ring/abe").await.is_ok());
}

/// A permit of yesterday's attributes, used after they were taken away: what was decided is what is issued, and no more.
#[tokio::test]
async fn a_permit_does_not_take_up_what_the_entity_became() {
    let fixture = with_authority().await;
    let (permit, request) = fixture.prepared(&caller("bob"), "ring/abe", None);
    let staff = vec![EntityUid::new("Group", "staff").unwrap()];
    fixture.change(entity(user("bob"), &[("level", 200.into())], staff));
    let (_, stronger) = fixture.prepared(&caller("bob"), "ring/abe", None);
    assert_ne!(stronger.attributes.to_string(), request.attributes.to_string());
    let issued = fixture.issue_with(permit, IssueUserKey { attributes: stronger.attributes, ..request }).await;
    assert_eq!(issued.err(), Some(KmsError::PermitMismatch));
}

#[tokio::test]
async fn a_key_for_somebody_else_never_leaves_in_the_clear() {
    let fixture = with_authority().await;
    // Nobody registered: refused, although all rights are there.
    let refused = fixture.issue_for("ana", "ring/abe").await.unwrap_err();
    assert_eq!(refused, KmsError::RecipientNotRegistered);
    assert!(refused.to_string().contains("PUT /v1/recipients/{type}/{id}"), "{refused}");
    assert_eq!(fixture.last_event().outcome, "recipient-not-registered");

    // The application decides on a key of its own, and has it sealed for that.
    let (_, theirs) = reader();
    let (permit, request) = fixture.prepared(&acting("app", "ana"), "ring/abe", Some(again(&theirs)));
    assert_eq!(fixture.issue_with(permit, request).await.err(), Some(KmsError::RecipientNotRegistered));
    let (private, anas) = reader();
    fixture.register("ana", &anas).await.unwrap();
    for given in [None, Some(theirs)] {
        let (permit, request) = fixture.prepared(&acting("app", "ana"), "ring/abe", given);
        assert_eq!(fixture.issue_with(permit, request).await.err(), Some(KmsError::Contended));
    }

    let issued = fixture.issue_for("ana", "ring/abe").await.unwrap();
    assert!(issued.plain.is_none());
    let sealed = issued.sealed.unwrap();
    let file = unseal(&private, &sealed.envelope, &sealed.context).unwrap();
    let (_, key): (wardkeep_abe::PublicParameters, wardkeep_abe::UserKey) = wardkeep_abe::from_key_file(&file).unwrap();
    assert_eq!(key.serial(), Some(Serial::new(issued.serial)));
    let event = fixture.last_event();
    assert_eq!((event.actor.id(), event.subject.id()), ("app", "ana"));
    // Bob has none registered, and ana's is not his.
    assert_eq!(fixture.issue_for("bob", "ring/abe").await.err(), Some(KmsError::RecipientNotRegistered));
}

#[tokio::test]
async fn a_registration_that_is_swapped_after_the_decision_is_noticed() {
    let fixture = with_authority().await;
    let ((_, first), (_, second)) = (reader(), reader());
    fixture.register("ana", &first).await.unwrap();
    let (permit, request) = fixture.prepared(&acting("app", "ana"), "ring/abe", Some(again(&first)));
    fixture.register("ana", &second).await.unwrap();
    assert_eq!(fixture.issue_with(permit, request).await.err(), Some(KmsError::Contended));
    let (permit, request) = fixture.prepared(&acting("app", "ana"), "ring/abe", Some(again(&second)));
    let removal = fixture.control(RECIPIENTS);
    fixture.kms.remove_recipient(removal, user("ana"), Precondition::default(), stands).await.unwrap();
    assert_eq!(fixture.issue_with(permit, request).await.err(), Some(KmsError::RecipientNotRegistered));
}

#[tokio::test]
async fn whoever_acts_for_somebody_without_the_further_right_gets_nothing() {
    let fixture = with_authority().await;
    // Ana may act for bob and issue keys of her own; for others only `app` may.
    let ana = caller("ana").on_behalf_of(user("bob"));
    let refused = fixture.decide_issue(&ana, "ring/abe", None);
    let Err(Refusal::Denied(denied)) = refused else { panic!("allowed, or no question") };
    assert_eq!(denied.reason.as_str(), "may-not-issue-for");
    // Who may have keys issued may not have one itself: it has no attributes and no right.
    let app = acting("app", "ana");
    let itself = wardkeep_model::Caller::itself(app.actor().clone(), None, app.request().clone());
    assert!(matches!(fixture.decide_issue(&itself, "ring/abe", None), Err(Refusal::Denied(_))));
}

#[tokio::test]
async fn an_authority_issues_under_the_declarations_it_was_made_with_or_not_at_all() {
    let fixture = with_authority().await;
    let key = id("ring/abe");
    // A bundle that came later declares something else for the same words; simulated by an authority made under another.
    let other = AuthorityPlan { schema: Schema::parse("user: text").unwrap(), ..fixture.plan(&key).unwrap() };
    let any = Precondition::default();
    fixture.kms.rotate_under(fixture.permit(&key), &key, Some(other), any, None).await.unwrap();
    let refused = fixture.issue("ana", "ring/abe").await.unwrap_err();
    assert_eq!(refused, KmsError::SchemaDiffers { version: KeyVersion::new(2).unwrap() });
    assert!(refused.to_string().ends_with("rotate the authority"), "{refused}");
    let plan = fixture.plan(&key);
    fixture.kms.rotate_under(fixture.permit(&key), &key, plan, any, None).await.unwrap();
    assert_eq!(fixture.issue("ana", "ring/abe").await.unwrap().version.get(), 3);
}

#[tokio::test]
async fn a_key_of_one_version_opens_nothing_of_another() {
    let fixture = with_authority().await;
    let first = fixture.issue("ana", "ring/abe").await.unwrap();
    fixture.rotate(&id("ring/abe")).await;
    let second = fixture.issue("ana", "ring/abe").await.unwrap();
    let sealed = [&first, &second].map(|of| seal(&read(of).0, "user = ana", fixture.seconds(), None));
    assert!(opens(&first, &sealed[0]) && opens(&second, &sealed[1]));
    assert!(!opens(&first, &sealed[1]) && !opens(&second, &sealed[0]));
    assert_eq!(second.serial, 1, "serials are counted anew");
}

/// A store whose commits fail at a given moment: power cut between the serial and the answer.
#[tokio::test]
async fn a_serial_whose_key_never_left_is_burnt_and_not_given_again() {
    let fixture = with_authority().await;
    assert_eq!(fixture.issue("ana", "ring/abe").await.unwrap().serial, 1);
    // The row became durable, the answer did not: the caller went away, the server ended.
    let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
    let lost = fixture.issue_with(permit, request);
    let mut lost = std::pin::pin!(lost);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    // Begun, and dropped once the row stands; the task that it began goes on.
    while fixture.store.read(Table::UserKey, "ring/abe#1/2").unwrap().is_none() {
        let _pending = std::future::Future::poll(lost.as_mut(), &mut context);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let restarted: Kms = fixture.restarted();
    let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
    assert_eq!(
        restarted.issue_user_key(restarted.begin_issue(&id("ring/abe")).await, permit, request).await.unwrap().serial,
        3
    );

    // A store that takes no more gives no key; what it has does not know the serial, which the next start gives.
    fixture.store.close();
    assert_eq!(fixture.issue("ana", "ring/abe").await.err(), Some(KmsError::StoreUnavailable));
    assert!(fixture.store.read(Table::UserKey, "ring/abe#1/4").unwrap().is_none());
    let next = fixture.restarted().inner.issued.ledger(&id("ring/abe"), KeyVersion::FIRST).next();
    assert_eq!(next, 4, "a key that never left is no reason to skip its number");
}

#[tokio::test]
async fn a_row_that_somebody_put_there_first_makes_no_second_key_of_its_serial() {
    let fixture = with_authority().await;
    let first = fixture.issue("ana", "ring/abe").await.unwrap();
    let row = fixture.store.read(Table::UserKey, "ring/abe#1/1").unwrap().unwrap();
    let put = Change::Put { table: Table::UserKey, id: "ring/abe#1/2".into(), expected: None, value: row.value };
    fixture.store.commit(Work { changes: vec![put], events: vec![] }).await.unwrap();
    assert_eq!(fixture.issue("ana", "ring/abe").await.err(), Some(KmsError::Contended));
    assert_eq!((first.serial, fixture.issue("ana", "ring/abe").await.unwrap().serial), (1, 3));
}

#[tokio::test]
async fn what_came_after_the_state_changed_is_not_issued() {
    let fixture = with_authority().await;
    for verb in ["suspend", "compromise"] {
        let (permit, request) = fixture.prepared(&caller("ana"), "ring/abe", None);
        if verb == "suspend" {
            fixture.suspend(&id("ring/abe")).await;
        } else {
            fixture.compromise(&id("ring/abe")).await;
        }
        let refused = fixture.issue_with(permit, request).await.unwrap_err();
        assert_eq!(refused.code(), "key-not-active", "{verb}");
    }
    fixture.destroy(&id("ring/abe")).await;
    assert_eq!(fixture.issue("ana", "ring/abe").await.err(), Some(KmsError::KeyDestroyed));
    let key = id("ring/abe");
    assert_eq!(fixture.kms.parameters(fixture.permit(&key), &key, None).await.err(), Some(KmsError::KeyDestroyed));
    assert_eq!(fixture.list("ring/abe", None).await.err(), Some(KmsError::KeyDestroyed));
    assert_eq!(fixture.revoke("ring/abe", serials(None, &[1])).await.err(), Some(KmsError::KeyDestroyed));
    assert!(fixture.store.read(Table::Material, "ring/abe#1").unwrap().is_none());
}

/// The canary: a key that was given out is looked for in everything that stays.
#[tokio::test]
async fn no_user_key_lies_around() {
    let fixture = with_authority().await;
    let issued = fixture.issue("ana", "ring/abe").await.unwrap();
    let (parameters, key) = read(&issued);
    let secret = key.to_bytes();
    let public = parameters.to_bytes();
    // Any run of 24 bytes of the key that does not stand in the public parameters as well.
    let runs: Vec<&[u8]> = secret.windows(24).filter(|run| !public.windows(24).any(|known| known == *run)).collect();
    assert!(runs.len() > 100);
    let mut stays: Vec<Vec<u8>> = fixture.records().into_iter().map(|record| record.line.into_bytes()).collect();
    for table in Table::ALL {
        fixture.store.scan(*table, &mut |row| stays.push(row.value.to_vec())).unwrap();
    }
    stays.push(format!("{issued:?}").into_bytes());
    let texts = runs.iter().map(|run| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &run[..]));
    let texts: Vec<String> = texts.collect();
    for place in &stays {
        // Attributes and names stand in both by right: labels are public. What counts is points, and they are no text.
        let found = runs.iter().filter(|run| !run.iter().all(|byte| byte.is_ascii() || *byte == 0));
        for run in found {
            assert!(!place.windows(run.len()).any(|part| part == *run), "a user key stands in what stays");
        }
        let text = String::from_utf8_lossy(place);
        assert!(!texts.iter().any(|encoded| text.contains(encoded.trim_end_matches('='))), "as base64");
    }
}
