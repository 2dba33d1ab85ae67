//! A bound type that goes and comes back, and lists that read no bundle.
//!
//! Wrapped keys outlive bundles. A type that is left out of one bundle and declared anew, otherwise, in the next would have
//! old keys judged by attributes that they never had, with nobody told.

use serde_json::{Value, json};
use wardkeep_policy::BundleSource;
use wardkeep_store::{Change, Table, Work};
use zeroize::Zeroizing;

use crate::admin::provision::{self, Recovery};
use crate::admin::{load, row};
use crate::testing::{Answer, House, config, ground, identity};

/// The starter's rules, and a type of records with these attributes; none for `""`.
fn notes(fields: &str, source: &str) -> BundleSource {
    if fields.is_empty() {
        return BundleSource::starter();
    }
    let schema = format!(
        "entity User; entity Service; entity Note = {{ {fields} }};
         action create, read appliesTo {{ principal: [User], resource: [Note] }};"
    );
    BundleSource { manifest: format!("[resources.Note]\nsource = \"{source}\""), schema, ..BundleSource::starter() }
}

async fn load_bundle(house: &House, source: &BundleSource, more: Value) -> Answer {
    let policies: Vec<Value> = source.policies.iter().map(|(name, text)| json!({"name": name, "text": text})).collect();
    let mut asked = json!({"manifest": source.manifest, "schema": source.schema, "policies": policies});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.post(&house.ana, "/v1/bundles", asked).await
}

async fn activate(house: &House, fields: &str) -> Answer {
    load_bundle(house, &notes(fields, "bound"), json!({"activate": true})).await
}

fn refused(said: &Answer, word: &str) {
    assert_eq!(said.said(), (422, "policies-refused"), "{}", said.body);
    let finding = &said.body["findings"][0];
    assert!(
        finding["message"].as_str().is_some_and(|text| text.contains("`Note`") && text.contains(word)),
        "{finding}"
    );
    assert!(finding["hint"].as_str().is_some_and(|hint| hint.contains("optional")), "{finding}");
}

#[tokio::test]
async fn a_type_that_was_dropped_comes_back_as_it_was_or_not_at_all() {
    let house = House::with(config(), BundleSource::starter()).await;
    assert_eq!(activate(&house, "author: String").await.status, 200);
    assert_eq!(activate(&house, "").await.status, 200, "dropping it releases nothing");
    for (fields, word) in [
        ("author: Long", "changed its type"),
        ("author?: String", "changed its type"),
        ("page?: Long", "`author` is gone"),
        ("author: String, page: Long", "is required"),
    ] {
        refused(&activate(&house, fields).await, word);
        let dry = load_bundle(&house, &notes(fields, "bound"), json!({"dry_run": true})).await;
        refused(&dry, word);
    }
    let stored = load_bundle(&house, &notes("author: String", "stored"), json!({"activate": true})).await;
    refused(&stored, "source changed");
    assert_eq!(activate(&house, "author: String, page?: Long").await.status, 200, "what may be added is added");
}

#[tokio::test]
async fn the_last_declaration_counts_and_not_the_first() {
    let house = House::with(config(), BundleSource::starter()).await;
    for fields in ["author: String", "", "author: String, page?: Long", "", ""] {
        assert_eq!(activate(&house, fields).await.status, 200, "{fields}");
    }
    refused(&activate(&house, "author: String").await, "`page` is gone");
    refused(&activate(&house, "author: String, page?: String").await, "changed its type");
    assert_eq!(activate(&house, "author: String, page?: Long").await.status, 200);
}

#[tokio::test]
async fn an_old_version_put_in_force_again_is_held_to_it_too() {
    let house = House::with(config(), BundleSource::starter()).await;
    assert_eq!(activate(&house, "author: String").await.body["version"], 2);
    assert_eq!(activate(&house, "author: String, page?: Long").await.body["version"], 3);
    assert_eq!(activate(&house, "").await.body["version"], 4);
    let back = house.post(&house.ana, "/v1/bundles/2/activate", Value::Null).await;
    refused(&back, "`page` is gone");
    assert_eq!(house.post(&house.ana, "/v1/bundles/3/activate", Value::Null).await.status, 200);
}

#[tokio::test]
async fn neither_a_restart_nor_a_recovery_forgets() {
    let house = House::with(config(), BundleSource::starter()).await;
    assert_eq!(activate(&house, "author: String").await.status, 200);
    let ground = ground(&house.store, &config());
    let recovery = Recovery { administrator: identity("user", "zoe"), starter_bundle: true, token_life_millis: None };
    provision::recover(&ground, recovery).await.unwrap();
    let known = row::bound_types(&*house.store).unwrap().0;
    assert_eq!(known.get("Note"), Some(&2), "the bundle that went out of force by the recovery");
    // The house as it would start now.
    house.app.engine.install(load::snapshot(&*house.store, config().identity.kinds).unwrap());
    refused(&activate(&house, "author: Long").await, "changed its type");
    assert_eq!(activate(&house, "author: String").await.status, 200);
}

#[tokio::test]
async fn what_was_only_loaded_binds_nobody() {
    let house = House::with(config(), BundleSource::starter()).await;
    assert_eq!(load_bundle(&house, &notes("author: String", "bound"), json!({})).await.status, 200);
    assert_eq!(activate(&house, "author: Long").await.status, 200);
    assert_eq!(house.post(&house.ana, "/v1/bundles/2/activate", Value::Null).await.said(), (422, "policies-refused"));
}

#[tokio::test]
async fn a_list_reads_no_bundle() {
    let house = House::with(config(), BundleSource::starter()).await;
    for fields in ["author: String", "author: String, page?: Long"] {
        assert_eq!(activate(&house, fields).await.status, 200);
    }
    // A row that nothing here can read stands where the bundle stood.
    let value = Zeroizing::new(br#"{"format":9}"#.to_vec());
    let change = Change::Put { table: Table::Bundle, id: "2".into(), expected: Some(1), value };
    house.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
    let list = house.get(&house.ana, "/v1/bundles").await;
    assert_eq!(list.status, 200, "{}", list.body);
    let told: Vec<_> = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["version"].as_u64(), item["active"].as_bool()))
        .collect();
    assert_eq!(told, [(Some(3), Some(true)), (Some(2), Some(false)), (Some(1), Some(false))]);
    assert!(list.body["items"].as_array().unwrap().iter().all(|item| item["loaded_by"].as_str().is_some()));
    assert_eq!(house.get(&house.ana, "/v1/bundles/2").await.status, 500, "whoever asks for the whole of it is told");
}

#[tokio::test]
async fn bundles_of_a_version_that_kept_no_labels_are_listed_too() {
    let house = House::with(config(), BundleSource::starter()).await;
    assert_eq!(activate(&house, "author: String").await.status, 200);
    let with = house.get(&house.ana, "/v1/bundles").await.body["items"].clone();
    for version in [1, 2] {
        let id = format!("bundle/{version}");
        let row = house.store.read(Table::Setting, &id).unwrap().unwrap();
        let change = Change::Delete { table: Table::Setting, id, expected: row.sequence };
        house.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
    }
    assert_eq!(house.get(&house.ana, "/v1/bundles").await.body["items"], with);
}
