//! The last resort, and starts that must succeed: what is stored stays stored, whatever the bundle in force makes of it.
//!
//! A start that depends on the order of rows fails one day on a store that worked the day before; a recovery that refuses
//! where entities do not fit is none, for a schema that fits nobody is one of the ways to need it.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use wardkeep_model::action::{ActivateBundle, ChangeEntity};
use wardkeep_model::{Action, Caller, EntityUid, RequestId};
use wardkeep_policy::{BundleSource, Question, Resource, Snapshot};
use wardkeep_store::{Store, Table, Work};

use crate::admin::bundles::{Loaded, NewBundle};
use crate::admin::provision::{self, Provisioned, Recovery};
use crate::admin::row::{self, BundleRow, Bundles};
use crate::admin::{AdminError, load};
use crate::testing::{House, config, enrol, ground, identity, user};
use crate::{Running, Server};

/// The starter's rules over a schema with a type of its own and attributes that the starter knows nothing of.
fn wide() -> BundleSource {
    let schema = "entity Team in [Team]; entity Doc = { pages: Long }; entity User in [Team] = { age?: Long }; entity Service in [Team];";
    BundleSource { schema: schema.to_owned(), ..BundleSource::starter() }
}

fn asked(source: &BundleSource, more: Value) -> Value {
    let policies: Vec<Value> = source.policies.iter().map(|(name, text)| json!({"name": name, "text": text})).collect();
    let mut asked = json!({"manifest": source.manifest, "schema": source.schema, "policies": policies});
    if let Some(entities) = &source.entities {
        asked["entities"] = json!(entities);
    }
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::new(kind, id).unwrap()
}

fn loaded(store: &Arc<dyn Store>) -> Result<Snapshot, AdminError> {
    load::snapshot(&**store, config().identity.kinds)
}

/// A house whose entities fit nothing but the wide bundle.
async fn furnished() -> House {
    let house = House::with(config(), BundleSource::starter()).await;
    let on = house.post(&house.ana, "/v1/bundles", asked(&wide(), json!({"activate": true}))).await;
    assert_eq!(on.status, 200, "{}", on.body);
    let entities = json!({"entities": [
        {"uid": {"type": "Doc", "id": "d"}, "attrs": {"pages": 3}},
        {"uid": {"type": "Team", "id": "t"}},
        {"uid": {"type": "User", "id": "ben"}, "attrs": {"age": 40}},
        {"uid": {"type": "User", "id": "eve"}},
    ]});
    let put = house.post(&house.ana, "/v1/entities", entities).await;
    assert_eq!(put.status, 200, "{}", put.body);
    house
}

fn recovery(name: &str, starter_bundle: bool) -> Recovery {
    Recovery { administrator: identity("user", name), starter_bundle, token_life_millis: None }
}

async fn recovered(house: &House, name: &str) -> Provisioned {
    provision::recover(&ground(&house.store, &config()), recovery(name, true)).await.unwrap()
}

/// A server over the recovered store, its new administrator enrolled.
async fn running(house: &House, made: Provisioned) -> Running {
    let running = Server::start(config(), house.store.clone(), crate::start::Surroundings::default()).await.unwrap();
    enrol(&running.app, &made.token.unwrap().text).await;
    running
}

fn permit<A: Action>(running: &Running, who: &str, part: &str) -> wardkeep_model::Permit<A> {
    let caller = Caller::itself(user(who), None, RequestId::new("r").unwrap());
    let resource = Resource::System(part);
    let question = Question { caller: &caller, resource, context: None, recipient: None, compromised: false };
    running.app.engine.decide(&question).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

async fn activate(running: &Running, source: BundleSource) -> Result<Loaded, AdminError> {
    let new = NewBundle { source, activate: true, dry_run: false };
    running.app.admin.load_bundle(permit::<ActivateBundle>(running, "zoe", "bundles"), new).await
}

#[tokio::test]
async fn entities_that_do_not_fit_the_starter_are_set_aside_and_stay() {
    let house = furnished().await;
    let before = house.store.read(Table::Entity, "Doc::\"d\"").unwrap().unwrap();
    recovered(&house, "zoe").await;
    let snapshot = loaded(&house.store).unwrap();
    for (kind, id, there) in [
        ("User", "ana", true),
        ("User", "eve", true),
        ("User", "zoe", true),
        ("User", "ben", false),
        ("Doc", "d", false),
        ("Team", "t", false),
    ] {
        assert_eq!(snapshot.entity(&uid(kind, id)).is_some(), there, "{kind} {id}");
        assert!(house.store.read(Table::Entity, &uid(kind, id).to_string()).unwrap().is_some(), "{kind} {id} is lost");
    }
    assert_eq!(house.store.read(Table::Entity, "Doc::\"d\"").unwrap().unwrap(), before, "not even touched");
    let records = house.store.audit(1, 10_000).unwrap();
    let event = records.iter().map(|record| record.event().unwrap()).find(|event| event.action == "Recover").unwrap();
    assert_eq!(event.detail["count"], "3");
    assert!(event.detail["reason"].contains("set aside, not deleted"), "{:?}", event.detail);
}

#[tokio::test]
async fn a_recovery_without_misfits_says_nothing_of_them() {
    let house = House::with(config(), BundleSource::starter()).await;
    recovered(&house, "zoe").await;
    assert_eq!(row::set_aside(&*house.store).unwrap(), 0);
    let records = house.store.audit(1, 10_000).unwrap();
    let event = records.iter().map(|record| record.event().unwrap()).find(|event| event.action == "Recover").unwrap();
    assert!(!event.detail.contains_key("count"), "{:?}", event.detail);
}

#[tokio::test]
async fn the_next_bundle_brings_back_what_was_set_aside_or_is_refused() {
    let house = furnished().await;
    let made = recovered(&house, "zoe").await;
    let running = running(&house, made).await;
    // One that fits some of them and not all: a group that stayed missing could make a forbid say nothing.
    let narrow = BundleSource { schema: wide().schema.replace("entity Doc = { pages: Long };", ""), ..wide() };
    match activate(&running, narrow).await {
        Err(AdminError::Policies(errors)) => assert!(errors.to_string().contains("Doc::\"d\""), "{errors}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(row::set_aside(&*house.store).unwrap(), 3);
    activate(&running, wide()).await.unwrap();
    assert_eq!(row::set_aside(&*house.store).unwrap(), 0);
    let after = loaded(&house.store).unwrap();
    for snapshot in [&*running.app.engine.snapshot(), &after] {
        assert!(snapshot.entity(&uid("Doc", "d")).is_some() && snapshot.entity(&user("ben")).is_some());
        assert_eq!(snapshot.roles_of(&user("ana")).len(), 4, "she never lost them");
        assert_eq!(snapshot.entity_count(), 6);
    }
    running.shutdown().await;
}

#[tokio::test]
async fn what_is_set_aside_can_be_deleted_and_is_not_deleted_by_the_way() {
    let house = furnished().await;
    let made = recovered(&house, "zoe").await;
    let running = running(&house, made).await;
    let delete = async |name: EntityUid| {
        running.app.admin.delete_entity(permit::<ChangeEntity>(&running, "zoe", "entities"), name).await
    };
    assert!(matches!(delete(uid("Doc", "none")).await, Err(AdminError::EntityNotFound)));
    delete(uid("Doc", "d")).await.unwrap();
    assert!(house.store.read(Table::Entity, "Doc::\"d\"").unwrap().is_none());
    assert!(matches!(delete(uid("Doc", "d")).await, Err(AdminError::EntityNotFound)), "once");
    // Now the narrower bundle fits.
    let narrow = BundleSource { schema: wide().schema.replace("entity Doc = { pages: Long };", ""), ..wide() };
    activate(&running, narrow).await.unwrap();
    assert!(loaded(&house.store).unwrap().entity(&user("ben")).is_some());
    running.shutdown().await;
}

#[tokio::test]
async fn a_holder_who_is_set_aside_is_not_deleted_and_not_taken_over() {
    let house = furnished().await;
    let on = "/v1/roles/auditor/members/User/ben";
    assert_eq!(house.ask(&house.ana, Method::PUT, on, Value::Null).await.status, 200);
    let ground = ground(&house.store, &config());
    let taken = provision::recover(&ground, recovery("ben", true)).await;
    assert!(matches!(taken, Err(AdminError::AdministratorExists { entity }) if entity == user("ben")));
    let made = recovered(&house, "zoe").await;
    // Set aside by now: his row would be written over all the same.
    let taken = provision::recover(&ground, recovery("ben", true)).await;
    assert!(matches!(taken, Err(AdminError::AdministratorExists { .. })));
    let running = running(&house, made).await;
    let permit = permit::<ChangeEntity>(&running, "zoe", "entities");
    match running.app.admin.delete_entity(permit, user("ben")).await {
        Err(AdminError::Entities(errors)) => assert!(errors.to_string().contains("revoke its roles first"), "{errors}"),
        other => panic!("{other:?}"),
    }
    activate(&running, wide()).await.unwrap();
    assert_eq!(running.app.engine.snapshot().roles_of(&user("ben")), [wardkeep_policy::Role::Auditor]);
    running.shutdown().await;
}

#[tokio::test]
async fn a_bundle_that_no_longer_loads_is_no_obstacle() {
    let house = House::with(config(), BundleSource::starter()).await;
    let by = user("ana");
    let broken = BundleSource { schema: "entity".to_owned(), ..BundleSource::starter() };
    let (bundles, expected) = row::bundles(&*house.store).unwrap();
    let mut changes: Vec<_> = row::put_bundle(2, &BundleRow::new(&broken, house.app.clock.now(), &by)).unwrap().into();
    changes.push(row::put_bundles(expected, Bundles { active: 2, newest: 2 }).unwrap());
    house.store.commit(Work { changes, events: vec![] }).await.unwrap();
    assert!(matches!(loaded(&house.store), Err(AdminError::Policies(_))), "as a later version might find it");
    let ground = ground(&house.store, &config());
    assert!(matches!(provision::recover(&ground, recovery("zoe", false)).await, Err(AdminError::Policies(_))));
    provision::recover(&ground, recovery("zoe", true)).await.unwrap();
    let snapshot = loaded(&house.store).unwrap();
    assert!(snapshot.may_change_control_set(&user("zoe")));
    assert_eq!(bundles.active, 1);
    assert_eq!(
        row::bundles(&*house.store).unwrap().0,
        Bundles { active: 3, newest: 3 },
        "the broken one stays to be read"
    );
}

#[tokio::test]
async fn a_second_recovery_finds_what_the_first_one_set_aside() {
    let house = furnished().await;
    recovered(&house, "zoe").await;
    let ground = ground(&house.store, &config());
    provision::recover(&ground, recovery("yan", false)).await.unwrap();
    assert_eq!(row::set_aside(&*house.store).unwrap(), 3, "still aside");
    recovered(&house, "xia").await;
    let snapshot = loaded(&house.store).unwrap();
    for name in ["zoe", "yan", "xia"] {
        assert!(snapshot.may_change_control_set(&user(name)), "{name}");
    }
    assert!(house.store.read(Table::Entity, "Doc::\"d\"").unwrap().is_some());
}

#[tokio::test]
async fn a_start_does_not_depend_on_what_is_shadowed() {
    let house = House::with(config(), BundleSource::starter()).await;
    let team = |id: &str, parent: Option<&str>| {
        let parents: Vec<Value> = parent.iter().map(|id| json!({"type": "Team", "id": id})).collect();
        json!({"uid": {"type": "Team", "id": id}, "attrs": {}, "parents": parents})
    };
    let of_bundle = json!([team("a", Some("b")), team("b", Some("c")), team("c", None)]).to_string();
    let source = BundleSource { entities: Some(of_bundle), ..wide() };
    let on = house.post(&house.ana, "/v1/bundles", asked(&source, json!({"activate": true}))).await;
    assert_eq!(on.status, 200, "{}", on.body);
    // The other way round than the bundle has it, one by one as an administrator does it.
    for entity in [team("a", None), team("b", Some("a")), team("c", Some("b"))] {
        let put = house.post(&house.ana, "/v1/entities", json!({"entities": [entity]})).await;
        assert_eq!(put.status, 200, "{}", put.body);
    }
    let live = house.app.engine.snapshot();
    let again = loaded(&house.store).unwrap();
    for id in ["a", "b", "c"] {
        assert_eq!(again.entity(&uid("Team", id)), live.entity(&uid("Team", id)), "{id}");
    }
    assert_eq!(again.entity_count(), live.entity_count());
    // The same bundle put in force once more is no different.
    assert_eq!(house.post(&house.ana, "/v1/bundles/2/activate", Value::Null).await.status, 200);
}
