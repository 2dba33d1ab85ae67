//! The OpenAPI document of the wire types, as somebody who generates a client from it: words, bounds and references are
//! those that reading and writing go by.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use wardkeep_api::audit::AuditStatus;
use wardkeep_api::bundle::LoadBundle;
use wardkeep_api::certificate::{CertificateState, RevokeCertificates};
use wardkeep_api::context::Resource;
use wardkeep_api::data_key::{GenerateDataKey, Recipient};
use wardkeep_api::entity::{Entity, PutEntities};
use wardkeep_api::key::{CreateKey, Key, KeySpec, KeyState, KeyUsage, ScheduleDeletion};
use wardkeep_api::page::Batch;
use wardkeep_api::problem::Severity;
use wardkeep_api::random::GenerateRandom;
use wardkeep_api::role::Role;
use wardkeep_api::token::{IssueToken, TokenState};
use wardkeep_api::{AttributeValue, Base64, Context, Problem, Secret, SecretText};

fn document<T: PartialSchema>() -> Value {
    serde_json::to_value(T::schema()).unwrap()
}

/// The words that a document lists are those that are read, all of them.
fn words<T: PartialSchema + serde::de::DeserializeOwned>(count: usize) {
    let document = document::<T>();
    let listed = document["enum"].as_array().unwrap_or_else(|| panic!("no words: {document}")).clone();
    assert_eq!(listed.len(), count, "{document}");
    for word in listed {
        assert!(serde_json::from_value::<T>(word.clone()).is_ok(), "{word} is listed and not read");
    }
}

#[test]
fn words_are_listed_and_read() {
    words::<KeySpec>(6);
    words::<KeyUsage>(4);
    words::<KeyState>(6);
    words::<Role>(4);
    words::<TokenState>(4);
    words::<CertificateState>(3);
    words::<AuditStatus>(3);
    words::<Severity>(2);
}

#[test]
fn secrets_and_bytes_are_text_in_the_document() {
    assert_eq!(document::<Base64>()["format"], "byte");
    assert_eq!(document::<Secret>()["format"], "byte");
    assert_eq!(document::<SecretText>()["format"], "password");
    for document in [document::<Base64>(), document::<Secret>(), document::<SecretText>()] {
        assert_eq!(document["type"], "string");
        assert!(document.get("properties").is_none(), "nothing of how it is kept: {document}");
    }
}

#[test]
fn bounds_stand_in_the_document() {
    let days = document::<ScheduleDeletion>()["properties"]["days"].clone();
    assert_eq!((&days["minimum"], &days["maximum"]), (&json!(7), &json!(30)), "{days}");
    let length = document::<GenerateRandom>()["properties"]["length"].clone();
    assert_eq!((&length["minimum"], &length["maximum"]), (&json!(1), &json!(1024)), "{length}");
    let minutes = document::<IssueToken>()["properties"]["minutes"].clone();
    assert_eq!((&minutes["minimum"], &minutes["maximum"]), (&json!(1), &json!(10_080)), "{minutes}");
    let items = document::<Batch<ScheduleDeletion>>()["properties"]["items"].clone();
    assert_eq!((&items["minItems"], &items["maxItems"]), (&json!(1), &json!(100)), "{items}");
    assert_eq!(document::<PutEntities>()["properties"]["entities"]["maxItems"], json!(10_000));
}

/// Every reference in a document, by the name it ends in.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member.as_str()) {
                    ("$ref", Some(target)) => {
                        found.insert(target.rsplit('/').next().unwrap_or_default().to_owned());
                    }
                    _ => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// A type's document stands on its own: whatever it refers to is brought along.
fn closed<T: ToSchema>() {
    let mut schemas: Vec<(String, RefOr<Schema>)> = Vec::new();
    T::schemas(&mut schemas);
    let known: BTreeSet<String> =
        schemas.iter().map(|(name, _)| name.clone()).chain([T::name().into_owned()]).collect();
    let mut wanted = BTreeSet::new();
    references(&document::<T>(), &mut wanted);
    for (_, schema) in &schemas {
        references(&serde_json::to_value(schema).unwrap(), &mut wanted);
    }
    let missing: Vec<&String> = wanted.difference(&known).collect();
    assert!(missing.is_empty(), "{} refers to {missing:?}", T::name());
}

#[test]
fn no_reference_leads_nowhere() {
    closed::<CreateKey>();
    closed::<Key>();
    closed::<GenerateDataKey>();
    closed::<Entity>();
    closed::<PutEntities>();
    closed::<LoadBundle>();
    closed::<Problem>();
    closed::<Recipient>();
}

#[test]
fn what_is_one_of_several_is_so_in_the_document() {
    for (document, names) in
        [(document::<Recipient>(), vec!["spki", "jwk"]), (document::<RevokeCertificates>(), vec!["serial", "identity"])]
    {
        let variants = document["oneOf"].as_array().unwrap_or_else(|| panic!("{document}")).clone();
        let told: Vec<&str> = variants.iter().map(|variant| variant["required"][0].as_str().unwrap()).collect();
        assert_eq!(told, names, "{document}");
    }
}

#[test]
fn a_context_is_open_for_text_and_closed_for_the_rest() {
    let context = document::<Context>();
    assert_eq!(context["additionalProperties"]["type"], "string", "{context}");
    assert!(context["properties"].get("resource").is_some());
    let resource = document::<Resource>();
    let required: BTreeSet<&str> = resource["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(required, BTreeSet::from(["type", "id"]));
    for name in ["attributes", "parents"] {
        let text = resource["properties"][name].to_string();
        assert!(!text.contains("null"), "absent and null differ: {text}");
    }
    let value = document::<AttributeValue>();
    assert!(value["description"].as_str().is_some_and(|text| text.contains("__entity") && text.contains("__extn")));
}

#[test]
fn requests_are_closed_in_the_document_as_well() {
    for (name, document) in [
        ("CreateKey", document::<CreateKey>()),
        ("GenerateDataKey", document::<GenerateDataKey>()),
        ("LoadBundle", document::<LoadBundle>()),
        ("Entity", document::<Entity>()),
        ("ScheduleDeletion", document::<ScheduleDeletion>()),
    ] {
        assert_eq!(document["additionalProperties"], json!(false), "{name}: {document}");
    }
    for (name, document) in [("Key", document::<Key>()), ("Problem", document::<Problem>())] {
        assert!(document.get("additionalProperties").is_none(), "{name}: answers may grow");
    }
}

#[test]
fn every_member_is_described() {
    for (name, document) in [
        ("CreateKey", document::<CreateKey>()),
        ("Key", document::<Key>()),
        ("GenerateDataKey", document::<GenerateDataKey>()),
        ("LoadBundle", document::<LoadBundle>()),
        ("Entity", document::<Entity>()),
        ("IssueToken", document::<IssueToken>()),
    ] {
        for (member, told) in document["properties"].as_object().unwrap() {
            assert!(told.to_string().contains("description"), "{name}.{member}: {told}");
        }
    }
}
