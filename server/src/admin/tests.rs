//! Ways up and ways to be shut out, each refused.

mod bound_types;
mod leaving;
mod lockout;
mod races;
mod recovery;
mod rows;
mod words;

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use wardkeep_policy::{BundleSource, Role, Snapshot};
use wardkeep_store::{Table, Work};

use super::provision::{self, Founding, Recovery};
use super::{AdminError, load};
use crate::Server;
use crate::ca::{Enrolment, Target};
use crate::testing::{Answer, House, config, csr, enrol, ground, identity, user};

const OPEN: &str = r#"@id("everybody") permit(principal, action, resource);"#;
const SHUT: &str = r#"@id("nobody") forbid(principal, action, resource);"#;

fn bundle(policies: &str, more: Value) -> Value {
    let source = BundleSource::starter();
    let mut asked = json!({"manifest": source.manifest, "schema": source.schema,
        "policies": [{"name": "p.cedar", "text": policies}]});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

fn member(role: &str, name: &str) -> String {
    format!("/v1/roles/{role}/members/User/{name}")
}

#[tokio::test]
async fn nobody_locks_the_last_administrator_out() {
    let house = House::new().await;
    let ana = &house.ana;
    let said = house.ask(ana, Method::PUT, "/v1/control-set", json!({"text": SHUT})).await;
    assert_eq!(said.said(), (409, "would-lock-out"), "a control set that nobody can change back");
    let said = house.ask(ana, Method::DELETE, &member("security-admin", "ana"), Value::Null).await;
    assert_eq!(said.said(), (409, "would-lock-out"), "the last role");
    let said = house.post(ana, "/v1/certificates/revoke", json!({"serial": ana.serial.as_str()})).await;
    assert_eq!(said.said(), (409, "would-lock-out"), "the last certificate");
    let said = house.post(ana, "/v1/certificates/revoke", json!({"identity": ana.identity.to_string()})).await;
    assert_eq!(said.said(), (409, "would-lock-out"), "the last identity");
    let said = house.ask(ana, Method::DELETE, "/v1/entities/User/ana", Value::Null).await;
    assert_eq!(said.said(), (422, "entities-refused"), "the entity itself: {}", said.body);
    assert_eq!(house.get(ana, "/v1/control-set").await.status, 200, "nothing of it was done");
    let log = house.log();
    assert!(log.contains(&"ChangeControlSet would-lock-out".to_owned()), "{log:?}");
}

#[tokio::test]
async fn a_second_administrator_without_a_certificate_does_not_count() {
    let house = House::new().await;
    let entity = json!({"entities": [{"uid": {"type": "User", "id": "bob"}}]});
    house.post(&house.ana, "/v1/entities", entity).await;
    assert_eq!(house.ask(&house.ana, Method::PUT, &member("security-admin", "bob"), Value::Null).await.status, 200);
    let drop_ana = || house.ask(&house.ana, Method::DELETE, "/v1/roles/security-admin/members/User/ana", Value::Null);
    assert_eq!(drop_ana().await.said(), (409, "would-lock-out"));
    house.certified("bob").await;
    assert_eq!(drop_ana().await.status, 204);
}

#[tokio::test]
async fn a_grant_takes_what_was_issued_before_it() {
    let house = House::new().await;
    let bob = house.newcomer("bob").await;
    let kept = house.certified("bob").await;
    let asked = json!({"identity": identity("user", "bob").to_string()});
    let open = house.post(&house.ana, "/v1/tokens", asked).await;
    let body = json!({"keep_certificates": [kept.serial.as_str()]});
    let granted = house.ask(&house.ana, Method::PUT, &member("auditor", "bob"), body).await;
    assert_eq!(granted.status, 200, "{}", granted.body);
    assert_eq!(
        (&granted.body["tokens_voided"], &granted.body["certificates_revoked"]),
        (&json!(1), &json!([bob.serial.as_str()]))
    );
    let (now, revoked) = (house.app.clock.now(), house.app.authority.enrolled().unwrap());
    assert!(revoked.contains(&kept.identity));
    assert!(house.app.clock.now() >= now);
    let tokens = house.get(&house.ana, "/v1/tokens").await;
    let voided = tokens.body["items"].as_array().unwrap().iter().find(|token| token["id"] == open.body["id"]).unwrap();
    assert_eq!(voided["state"], "void");
    let again = house.ask(&house.ana, Method::PUT, &member("auditor", "bob"), Value::Null).await;
    assert_eq!(again.body["certificates_revoked"], json!([]), "a repeated grant takes nothing");
}

#[tokio::test]
async fn nobody_issues_a_token_for_somebody_stronger() {
    let house = House::new().await;
    let bob = house.newcomer("bob").await;
    let keep = json!({"keep_certificates": [bob.serial.as_str()]});
    assert_eq!(house.ask(&house.ana, Method::PUT, &member("admin", "bob"), keep).await.status, 200);
    let for_ana = json!({"identity": identity("user", "ana").to_string()});
    assert_eq!(house.post(&bob, "/v1/tokens", for_ana.clone()).await.said(), (403, "denied"));
    let entity = json!({"entities": [{"uid": {"type": "User", "id": "carl"}}]});
    assert_eq!(house.post(&bob, "/v1/entities", entity).await.status, 200);
    let for_carl = json!({"identity": identity("user", "carl").to_string()});
    assert_eq!(house.post(&bob, "/v1/tokens", for_carl).await.status, 201);
    assert_eq!(house.post(&house.ana, "/v1/tokens", for_ana).await.status, 201, "one's own strength is no obstacle");
}

#[tokio::test]
async fn roles_come_by_no_other_door() {
    let house = House::new().await;
    let eve = house.newcomer("eve").await;
    let role = json!([{"type": "Wardkeep::Role", "id": "admin"}]);
    let holder = json!([{"type": "User", "id": "ana"}]);
    for parents in [role.clone(), holder] {
        let entity = json!({"entities": [{"uid": {"type": "User", "id": "eve"}, "parents": parents}]});
        assert_eq!(house.post(&house.ana, "/v1/entities", entity).await.said(), (422, "entities-refused"));
    }
    let entities = json!([{"uid": {"type": "User", "id": "eve"}, "attrs": {}, "parents": role}]).to_string();
    let said =
        house.post(&house.ana, "/v1/bundles", bundle(OPEN, json!({"entities": entities, "activate": true}))).await;
    assert_eq!(said.said(), (422, "policies-refused"), "{}", said.body);
    assert!(!said.body["findings"].as_array().unwrap().is_empty());
    assert_eq!(house.get(&eve, "/v1/control-set").await.status, 403);
    assert!(house.app.engine.snapshot().roles_of(&user("eve")).is_empty());
}

#[tokio::test]
async fn bundles_are_checked_kept_and_put_in_force() {
    let house = House::new().await;
    let ana = &house.ana;
    let bad = house.post(ana, "/v1/bundles", bundle("permit(principal, action, resurce);", json!({}))).await;
    assert_eq!(bad.said(), (422, "policies-refused"));
    let finding = &bad.body["findings"][0];
    assert_eq!((finding["file"].as_str(), finding["line"].as_u64()), (Some("p.cedar"), Some(1)), "{finding}");
    let before = house.app.engine.snapshot().version();
    let dry = house.post(ana, "/v1/bundles", bundle(OPEN, json!({"dry_run": true}))).await;
    assert_eq!((dry.status.as_u16(), dry.body.get("version")), (200, None));
    let kept = house.post(ana, "/v1/bundles", bundle(OPEN, json!({}))).await;
    assert_eq!((&kept.body["version"], &kept.body["active"]), (&json!(2), &json!(false)));
    assert_eq!(house.app.engine.snapshot().version(), before, "only what decides counts");
    let both = house.post(ana, "/v1/bundles", bundle(OPEN, json!({"dry_run": true, "activate": true}))).await;
    assert_eq!(both.status, 400);
    let on = house.post(ana, "/v1/bundles/2/activate", Value::Null).await;
    assert_eq!((on.status.as_u16(), house.app.engine.snapshot().version()), (200, before + 1));
    assert_eq!(house.get(ana, "/v1/bundles/active").await.body["version"], 2);
    assert_eq!(house.post(ana, "/v1/bundles/9/activate", Value::Null).await.said(), (404, "bundle-not-found"));
    let list = house.get(ana, "/v1/bundles?limit=1").await;
    assert_eq!(list.body["items"][0]["version"], 2);
    let next = format!("/v1/bundles?cursor={}", list.body["next"].as_str().unwrap());
    assert_eq!(house.get(ana, &next).await.body["items"][0]["version"], 1);
}

#[tokio::test]
async fn a_bundle_that_forbids_everything_touches_no_control_verb_and_no_job() {
    let house = House::new().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let shut = house.post(&house.ana, "/v1/bundles", bundle(SHUT, json!({"activate": true}))).await;
    assert_eq!(shut.status, 200, "{}", shut.body);
    assert_eq!(house.post(&house.ana, "/v1/data-keys", json!({"key": "r/k"})).await.status, 403);
    assert_eq!(house.post(&house.ana, "/v1/bundles/1/activate", Value::Null).await.status, 200);
    assert_eq!(house.post(&house.ana, "/v1/data-keys", json!({"key": "r/k"})).await.status, 200);
}

#[tokio::test]
async fn what_was_changed_is_there_after_a_restart() {
    let house = House::new().await;
    let text = format!("{}\n{OPEN}", wardkeep_policy::Snapshot::builtin_control_set());
    let put = house.ask(&house.ana, Method::PUT, "/v1/control-set", json!({"text": text})).await;
    assert_eq!((put.status.as_u16(), put.etag().as_str()), (200, "\"2\""));
    house.newcomer("bob").await;
    house.ask(&house.ana, Method::PUT, &member("operator", "bob"), Value::Null).await;
    let version = house.app.engine.snapshot().version();
    let store = house.stop().await;
    let loaded = load::snapshot(&*store, config().identity.kinds).unwrap();
    assert_eq!((loaded.version(), loaded.control_text()), (version, text.as_str()));
    assert_eq!(loaded.roles_of(&user("bob")), [Role::Operator]);
    assert_eq!(loaded.roles_of(&user("ana")).len(), 4);
}

#[tokio::test]
async fn a_house_is_founded_once_and_recovered_when_all_else_fails() {
    let house = House::with(config(), BundleSource::starter()).await;
    let store = house.stop().await;
    // The store in memory is closed by the stop; what follows works on a fresh one.
    drop(store);
    let clock = std::sync::Arc::new(crate::system::SystemClock);
    let entropy = std::sync::Arc::new(crate::system::SystemEntropy);
    let store: std::sync::Arc<dyn wardkeep_store::Store> =
        std::sync::Arc::new(wardkeep_store::MemoryStore::new(clock, entropy).unwrap());
    let (config, ground) = (config(), ground(&store, &config()));
    assert!(matches!(load::snapshot(&*store, config.identity.kinds.clone()), Err(AdminError::NotInitialised)));
    let founding =
        Founding { administrator: identity("user", "ana"), bundle: BundleSource::starter(), token_life_millis: None };
    provision::init(&ground, founding.clone()).await.unwrap();
    assert!(provision::init(&ground, founding).await.is_err(), "a second founding");
    let recovery =
        |name: &str| Recovery { administrator: identity("user", name), starter_bundle: false, token_life_millis: None };
    let known = provision::recover(&ground, recovery("ana")).await;
    assert!(matches!(known, Err(AdminError::AdministratorExists { .. })));
    let made = provision::recover(&ground, recovery("zoe")).await.unwrap();
    let running = Server::start(config, store, crate::start::Surroundings::default()).await.unwrap();
    enrol(&running.app, &made.token.unwrap().text).await;
    assert!(running.app.engine.snapshot().may_change_control_set(&user("zoe")));
    running.shutdown().await;
}

#[tokio::test]
async fn a_control_set_that_speaks_of_another_part_locks_everybody_out() {
    let house = House::new().await;
    let builtin = Snapshot::builtin_control_set();
    let change = r#"principal, action == Wardkeep::Action::"ChangeControlSet", resource == Wardkeep::System"#;
    for text in [format!("permit({change}::\"wardkeep\");"), format!("{builtin} forbid({change}::\"control-set\");")] {
        let said = house.ask(&house.ana, Method::PUT, "/v1/control-set", json!({"text": text})).await;
        assert_eq!(said.said(), (409, "would-lock-out"), "{text}: {}", said.body);
    }
    let narrow = json!({"text": format!("permit({change}::\"control-set\");")});
    assert_eq!(house.ask(&house.ana, Method::PUT, "/v1/control-set", narrow).await.status, 200);
    let back = json!({"text": builtin});
    assert_eq!(house.ask(&house.ana, Method::PUT, "/v1/control-set", back).await.status, 200, "and it can be changed");
}

/// Bob asks, and while he waits for his turn something is taken from him.
async fn bob_waits(taken: impl AsyncFnOnce(&House, &crate::peer::Peer)) -> (House, Answer) {
    let house = House::new().await;
    let bob = house.newcomer("bob").await;
    let keep = json!({"keep_certificates": [bob.serial.as_str()]});
    assert_eq!(house.ask(&house.ana, Method::PUT, &member("security-admin", "bob"), keep).await.status, 200);
    let said = {
        let turn = house.app.admin.turn.lock().await;
        let text = json!({"text": format!("{}\n{OPEN}", Snapshot::builtin_control_set())});
        let asked = house.ask(&bob, Method::PUT, "/v1/control-set", text);
        let meanwhile = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(!house.log().iter().any(|line| line.starts_with("ChangeControlSet")), "he waits");
            taken(&house, &bob).await;
            drop(turn);
        };
        tokio::join!(asked, meanwhile).0
    };
    (house, said)
}

#[tokio::test]
async fn a_right_that_ends_in_the_queue_is_none() {
    let (house, said) = bob_waits(async |house, _| {
        let now = house.app.engine.snapshot();
        let without = now.with_role(Role::SecurityAdmin, &user("bob"), false, now.version() + 1).unwrap();
        house.app.engine.install(without);
    })
    .await;
    assert_eq!(said.said(), (403, "permit-stale"), "{}", said.body);
    assert!(house.log().contains(&"ChangeControlSet permit-stale".to_owned()), "{:?}", house.log());
    assert_eq!(house.app.engine.snapshot().control_text(), Snapshot::builtin_control_set());
    // A right that outlives the change is as good as before.
    let (_, said) = bob_waits(async |house, _| {
        let now = house.app.engine.snapshot();
        house.app.engine.install(now.with_role(Role::Auditor, &user("ana"), false, now.version() + 1).unwrap());
    })
    .await;
    assert_eq!(said.status, 200, "{}", said.body);
}

#[tokio::test]
async fn a_certificate_that_is_revoked_in_the_queue_changes_nothing() {
    let (house, said) = bob_waits(async |house, bob| {
        let mut plan = house.app.authority.plan(Target::Serial(bob.serial.clone())).await.unwrap();
        let changes = plan.take_changes();
        house.store.commit(Work { changes, events: vec![] }).await.unwrap();
        plan.apply();
    })
    .await;
    assert_eq!(said.said(), (403, "permit-stale"), "{}", said.body);
    assert_eq!(house.app.engine.snapshot().control_text(), Snapshot::builtin_control_set());
}

#[tokio::test]
async fn who_was_let_in_before_a_grant_does_not_decide_with_the_role() {
    let house = House::new().await;
    let bob = house.newcomer("bob").await;
    assert_eq!(house.ask(&house.ana, Method::PUT, &member("security-admin", "bob"), Value::Null).await.status, 200);
    // The peer stands for a request that had passed the accept loop before the grant.
    let said = house.ask(&bob, Method::PUT, "/v1/control-set", json!({"text": OPEN})).await;
    assert_eq!(said.said(), (403, "denied"), "{}", said.body);
    let records = house.store.audit(1, 1000).unwrap();
    let told = |line: &str| line.contains("ChangeControlSet") && line.contains("certificate-revoked");
    assert!(records.iter().any(|record| told(&record.line) && record.line.contains("deny")));
    assert!(house.log().contains(&"ChangeControlSet denied".to_owned()));
}

#[tokio::test]
async fn what_a_deleted_identity_had_opens_nothing_for_the_next_of_its_name() {
    let house = House::new().await;
    let bob = house.newcomer("bob").await;
    let asked = json!({"identity": identity("user", "bob").to_string()});
    let open = house.post(&house.ana, "/v1/tokens", asked).await;
    let gone = house.ask(&house.ana, Method::DELETE, "/v1/entities/User/bob", Value::Null).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert!(house.app.authority.refuses(&bob).is_some(), "the certificate");
    let entity = json!({"entities": [{"uid": {"type": "User", "id": "bob"}}]});
    assert_eq!(house.post(&house.ana, "/v1/entities", entity).await.status, 200);
    house.key("r/k", "aes-256-gcm", "wrap").await;
    assert_eq!(house.get(&bob, "/v1/keys/r/k").await.said(), (403, "denied"), "not revived with the name");
    assert!(redeemed(&house, open.body["token"].as_str().unwrap()).await.is_err(), "nor the token");
    let again = house.certified("bob").await;
    assert_eq!(house.app.authority.refuses(&again), None, "what is issued to the new one is good");
    let team = house.ask(&house.ana, Method::DELETE, "/v1/entities/User/nobody", Value::Null).await;
    assert_eq!(team.said(), (404, "entity-not-found"));
    assert!(house.log().contains(&"ChangeEntity entity-not-found".to_owned()));
}

async fn redeemed(house: &House, token: &str) -> Result<crate::ca::Issued, crate::ca::IssueError> {
    let admission = super::PolicyAdmission(house.app.engine.clone());
    let request = wardkeep_model::RequestId::new("late").unwrap();
    house.app.authority.enrol(Enrolment { token, csr_pem: &csr(), request }, &admission).await
}

#[tokio::test]
async fn recovery_revives_no_old_credential_of_the_name_it_takes() {
    let house = House::with(config(), BundleSource::starter()).await;
    let zoe = house.newcomer("zoe").await;
    let asked = json!({"identity": identity("user", "zoe").to_string()});
    let open = house.post(&house.ana, "/v1/tokens", asked).await;
    // As a version left it that revoked nothing with an entity.
    let row = house.store.read(Table::Entity, "User::\"zoe\"").unwrap().unwrap();
    let delete = wardkeep_store::Change::Delete { table: Table::Entity, id: row.id, expected: row.sequence };
    house.store.commit(Work { changes: vec![delete], events: vec![] }).await.unwrap();
    let ground = ground(&house.store, &config());
    let recovery = Recovery { administrator: identity("user", "zoe"), starter_bundle: false, token_life_millis: None };
    let made = provision::recover(&ground, recovery).await.unwrap();
    assert!(redeemed(&house, open.body["token"].as_str().unwrap()).await.is_err(), "the old token");
    let reopened = std::sync::Arc::new(crate::revocation::Revoked::new());
    let authority = crate::ca::Authority::open(
        house.store.clone(),
        ground.clock.clone(),
        ground.entropy.clone(),
        ground.authority.clone(),
        reopened,
    );
    assert!(authority.unwrap().refuses(&zoe).is_some(), "the old certificate");
    assert!(redeemed(&house, &made.token.unwrap().text).await.is_ok(), "the new token");
}

#[tokio::test]
async fn every_entity_of_a_change_has_its_record() {
    let house = House::new().await;
    let entity = |id: &str| json!({"uid": {"type": "User", "id": id}});
    let body = json!({"entities": [entity("one"), entity("two"), entity("two"), entity("three")]});
    assert_eq!(house.post(&house.ana, "/v1/entities", body).await.status, 200);
    let records = house.store.audit(1, 1000).unwrap();
    for name in ["one", "two", "three"] {
        let named = |line: &str| line.contains("ChangeEntity") && line.contains(name);
        assert_eq!(records.iter().filter(|record| named(&record.line)).count(), 1, "{name}");
    }
}
