//! The policy bundle that the tests run under (`tests/vectors/bundle`), and bundles as request bodies.

use serde_json::{Value, json};
use wardkeep_policy::BundleSource;

/// People and programs, a stored and a bound type, two rings: see the files themselves.
#[must_use]
pub fn tested() -> BundleSource {
    BundleSource {
        manifest: include_str!("../vectors/bundle/wardkeep.toml").to_owned(),
        schema: include_str!("../vectors/bundle/schema.cedarschema").to_owned(),
        policies: vec![
            ("keys.cedar".to_owned(), include_str!("../vectors/bundle/policies/keys.cedar").to_owned()),
            ("records.cedar".to_owned(), include_str!("../vectors/bundle/policies/records.cedar").to_owned()),
        ],
        entities: Some(include_str!("../vectors/bundle/entities.json").to_owned()),
    }
}

/// A bundle as the body of `POST /v1/bundles`, put in force at once.
#[must_use]
pub fn activation(source: &BundleSource) -> Value {
    let policies: Vec<Value> = source.policies.iter().map(|(name, text)| json!({"name": name, "text": text})).collect();
    let mut body = json!({
        "manifest": source.manifest, "schema": source.schema, "policies": policies, "activate": true,
    });
    if let Some(entities) = &source.entities {
        body["entities"] = json!(entities);
    }
    body
}

/// The same bundle with one more policy file.
#[must_use]
pub fn with_policy(mut source: BundleSource, text: &str) -> BundleSource {
    source.policies.push(("more.cedar".to_owned(), text.to_owned()));
    source
}
