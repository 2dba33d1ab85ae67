//! Every door through which everybody could be locked out, tried by one who may use it.
//!
//! Broke elsewhere: policies skipped or broken on admin paths, after which nobody could mend them.

use http::Method;
use serde_json::{Value, json};
use wardkeep_policy::Snapshot;

use super::{OPEN, SHUT, bundle, member};
use crate::testing::{House, identity, user};

/// The lock-out rule holds: Ana is enrolled and may change the control set.
fn still_open(house: &House) {
    assert!(house.app.engine.snapshot().may_change_control_set(&user("ana")));
    assert_eq!(house.app.authority.refuses(&house.ana), None);
}

#[tokio::test]
async fn control_sets_that_lock_out_are_refused_and_those_that_do_not_are_taken() {
    let house = House::new().await;
    let builtin = Snapshot::builtin_control_set();
    let change = r#"Wardkeep::Action::"ChangeControlSet""#;
    for (name, text, good) in [
        ("nothing", String::new(), false),
        ("a comment", "// nothing".to_owned(), false),
        ("everything forbidden", format!("{builtin}\n{SHUT}"), false),
        ("that one action forbidden", format!("{builtin}\nforbid(principal, action == {change}, resource);"), false),
        ("for somebody else", format!("permit(principal == User::\"zoe\", action == {change}, resource);"), false),
        (
            "for a role that nobody enrolled holds",
            { format!("permit(principal in Wardkeep::Role::\"none\", action == {change}, resource);") },
            false,
        ),
        ("when it never holds", format!("permit(principal, action == {change}, resource) when {{ false }};"), false),
        (
            "forbidden where it errs",
            {
                // An erroring `forbid` counts as satisfied.
                format!(
                    "{builtin}\nforbid(principal, action == {change}, resource) when {{ 9223372036854775807 + 1 > 0 }};"
                )
            },
            false,
        ),
        ("open to all", OPEN.to_owned(), true),
        ("for Ana alone", format!("permit(principal == User::\"ana\", action == {change}, resource);"), true),
    ] {
        let said = house.ask(&house.ana, Method::PUT, "/v1/control-set", json!({"text": text})).await;
        if good {
            assert_eq!(said.status, 200, "{name}: {}", said.body);
            let back = json!({"text": builtin});
            assert_eq!(house.ask(&house.ana, Method::PUT, "/v1/control-set", back).await.status, 200, "{name}");
        } else {
            assert!(
                matches!(said.said(), (409, "would-lock-out") | (422, "policies-refused")),
                "{name}: {}",
                said.body
            );
        }
        still_open(&house);
    }
}

#[tokio::test]
async fn who_is_left_must_be_enrolled_at_that_moment() {
    let house = House::new().await;
    let bob = house.newcomer("bob").await;
    let keep = json!({"keep_certificates": [bob.serial.as_str()]});
    assert_eq!(house.ask(&house.ana, Method::PUT, &member("security-admin", "bob"), keep).await.status, 200);
    // With Bob's certificate there is another one; without it there is not.
    let revoke = |serial: &str| json!({"serial": serial});
    let said = house.post(&house.ana, "/v1/certificates/revoke", revoke(bob.serial.as_str())).await;
    assert_eq!(said.status, 200, "Ana is left: {}", said.body);
    let drop = async || house.ask(&house.ana, Method::DELETE, &member("security-admin", "ana"), Value::Null).await;
    assert_eq!(drop().await.said(), (409, "would-lock-out"), "Bob holds the role and no certificate");
    let said = house.post(&house.ana, "/v1/certificates/revoke", revoke(house.ana.serial.as_str())).await;
    assert_eq!(said.said(), (409, "would-lock-out"));
    let bob = house.certified("bob").await;
    assert_eq!(drop().await.status, 204);
    let said = house.ask(&bob, Method::DELETE, &member("security-admin", "bob"), Value::Null).await;
    assert!(matches!(said.said(), (403, "denied") | (409, "would-lock-out")), "{}", said.body);
    assert_eq!(house.get(&bob, "/v1/control-set").await.status, 200);
}

#[tokio::test]
async fn a_second_certificate_of_the_last_administrator_counts() {
    let house = House::new().await;
    let second = house.certified("ana").await;
    let said = house.post(&second, "/v1/certificates/revoke", json!({"serial": house.ana.serial.as_str()})).await;
    assert_eq!(said.status, 200, "{}", said.body);
    let said = house.post(&second, "/v1/certificates/revoke", json!({"serial": second.serial.as_str()})).await;
    assert_eq!(said.said(), (409, "would-lock-out"));
    let all = json!({"identity": identity("user", "ana").to_string()});
    assert_eq!(house.post(&second, "/v1/certificates/revoke", all).await.said(), (409, "would-lock-out"));
}

#[tokio::test]
async fn no_bundle_takes_an_administrator_away() {
    let house = House::new().await;
    for text in [SHUT, OPEN] {
        let said = house.post(&house.ana, "/v1/bundles", bundle(text, json!({"activate": true}))).await;
        assert_eq!(said.status, 200, "{}", said.body);
        still_open(&house);
        assert_eq!(house.get(&house.ana, "/v1/control-set").await.status, 200, "{text}");
    }
    // A bundle whose schema knows no `User` at all: the identities keep their type.
    let source = wardkeep_policy::BundleSource::starter();
    let bare = json!({"manifest": source.manifest, "schema": "", "policies": [], "activate": true});
    let said = house.post(&house.ana, "/v1/bundles", bare).await;
    assert!(matches!(said.status.as_u16(), 200 | 422), "{}", said.body);
    still_open(&house);
    assert_eq!(house.post(&house.ana, "/v1/bundles/1/activate", Value::Null).await.status, 200);
}

#[tokio::test]
async fn what_was_refused_left_nothing_behind_after_a_restart() {
    let house = House::new().await;
    let before = house.get(&house.ana, "/v1/control-set").await.body;
    let version = house.app.engine.snapshot().version();
    for (method, path, body) in [
        (Method::PUT, "/v1/control-set".to_owned(), json!({"text": SHUT})),
        (Method::DELETE, member("security-admin", "ana"), Value::Null),
        (Method::POST, "/v1/certificates/revoke".to_owned(), json!({"serial": house.ana.serial.as_str()})),
        (Method::POST, "/v1/bundles".to_owned(), bundle("permit(", json!({"activate": true}))),
        (Method::POST, "/v1/bundles/9/activate".to_owned(), Value::Null),
        (Method::DELETE, "/v1/entities/User/ana".to_owned(), Value::Null),
        (Method::POST, "/v1/entities".to_owned(), json!({"entities": [{"uid": {"type": "Nobody", "id": "x"}}]})),
    ] {
        let said = house.ask(&house.ana, method, &path, body).await;
        assert!(said.status.is_client_error(), "{path}: {}", said.body);
    }
    assert_eq!(house.app.engine.snapshot().version(), version);
    assert_eq!(house.get(&house.ana, "/v1/control-set").await.body, before);
    let ana = house.ana.clone();
    let store = house.stop().await;
    let loaded = super::load::snapshot(&*store, crate::testing::config().identity.kinds).unwrap();
    assert_eq!((loaded.version(), loaded.control_text()), (version, before["text"].as_str().unwrap()));
    assert_eq!(loaded.roles_of(&user("ana")).len(), 4);
    assert!(loaded.may_change_control_set(&user("ana")));
    assert_eq!(ana.identity, identity("user", "ana"));
}

#[tokio::test]
async fn entities_are_one_to_ten_thousand_at_once() {
    let house = House::new().await;
    let many = |count: usize| {
        let one = |n: usize| json!({"uid": {"type": "User", "id": format!("n{n}")}});
        json!({"entities": (0..count).map(one).collect::<Vec<_>>()})
    };
    let none = house.post(&house.ana, "/v1/entities", many(0)).await;
    assert_eq!(none.said(), (400, "entity-count"));
    assert!(none.body["detail"].as_str().unwrap().contains("use 1 to 10000"), "{}", none.body);
    assert_eq!(house.post(&house.ana, "/v1/entities", many(10_001)).await.said(), (400, "entity-count"));
    let done = house.post(&house.ana, "/v1/entities", many(1_000)).await;
    assert_eq!((done.status.as_u16(), &done.body["count"]), (200, &json!(1_000)), "{}", done.body);
    let page = house.get(&house.ana, "/v1/entities?type=User&limit=500").await;
    assert_eq!(page.body["items"].as_array().unwrap().len(), 500);
}
