//! Every request of the interface: a sample that reads and writes itself, and every way to spoil it.
//!
//! Elsewhere a misspelt option was a silent default, and a bad one crashed the server (CVE-2026-55776).

use serde_json::json;
use wardkeep_api::bundle::{LoadBundle, PolicyFile};
use wardkeep_api::certificate::{Enrol, RenewCertificate, RevokeCertificates};
use wardkeep_api::control_set::PutControlSet;
use wardkeep_api::data_key::{GenerateDataKey, Jwk, Recipient, RewrapDataKey, UnwrapDataKey};
use wardkeep_api::encryption::{Decrypt, Encrypt};
use wardkeep_api::entity::{Entity, EntityRef, PutEntities};
use wardkeep_api::key::{CreateKey, ScheduleDeletion, SelectVersion, UpdateKey};
use wardkeep_api::page::{Batch, BatchAnswer, Nothing};
use wardkeep_api::random::GenerateRandom;
use wardkeep_api::ring::CreateRing;
use wardkeep_api::role::GrantRole;
use wardkeep_api::signature::{Sign, Verify};
use wardkeep_api::token::IssueToken;

use crate::checks::request;

#[test]
fn keys_and_rings() {
    request::<CreateRing>(json!({"name": "r", "labels": {"a": "b"}}), &["name"]);
    let create = json!({"key": "r/k", "spec": "ed25519", "usage": "sign", "labels": {"a": "b"}, "rotation_days": 30, "activate": false});
    request::<CreateKey>(create, &["key", "spec", "usage"]);
    request::<UpdateKey>(json!({"labels": {}, "rotation_days": 0}), &[]);
    request::<SelectVersion>(json!({"version": 4_294_967_295_u32}), &[]);
    request::<ScheduleDeletion>(json!({"days": 7}), &["days"]);
}

#[test]
fn data_keys() {
    let context = json!({"purpose": "notes", "resource": {"type": "Note", "id": "1", "attributes": {"n": -1}, "parents": [{"type": "Ward", "id": "w"}]}});
    let generate = json!({"key": "r/k", "context": context, "recipient": {"spki": "AAAA"}, "plaintext": false});
    request::<GenerateDataKey>(generate, &["key"]);
    request::<UnwrapDataKey>(
        json!({"wrapped": "AAAA", "context": context, "recipient": {"spki": "AAAA"}}),
        &["wrapped"],
    );
    request::<RewrapDataKey>(json!({"wrapped": "AAAA", "context": context}), &["wrapped"]);
    let jwk = json!({"kty": "RSA", "n": "AQ", "e": "AQAB", "kid": "1", "alg": "RSA-OAEP-256", "use": "enc"});
    request::<Jwk>(jwk, &["kty", "n", "e"]);
}

#[test]
fn small_data_and_signatures() {
    request::<Encrypt>(json!({"key": "r/k", "plaintext": "AAAA", "context": {"a": "b"}}), &["key", "plaintext"]);
    request::<Decrypt>(json!({"ciphertext": "AAAA", "context": {"a": "b"}}), &["ciphertext"]);
    request::<Sign>(json!({"key": "r/k", "message": "AAAA", "digest": "AAAA"}), &["key"]);
    let verify = json!({"key": "r/k", "version": 1, "message": "AAAA", "digest": "AAAA", "signature": "AAAA"});
    request::<Verify>(verify, &["key", "version", "signature"]);
    request::<GenerateRandom>(json!({"length": 32}), &["length"]);
}

#[test]
fn administration() {
    request::<PutControlSet>(json!({"text": "permit(principal, action, resource);"}), &["text"]);
    request::<PolicyFile>(json!({"name": "a.cedar", "text": ""}), &["name", "text"]);
    let bundle = json!({"manifest": "", "schema": "", "policies": [{"name": "a", "text": ""}], "entities": "[]", "activate": true, "dry_run": false});
    request::<LoadBundle>(bundle, &["manifest", "schema", "policies"]);
    request::<EntityRef>(json!({"type": "User", "id": "ana"}), &["type", "id"]);
    let entity = json!({"uid": {"type": "User", "id": "ana"}, "attrs": {"age": 3}, "parents": [{"type": "Team", "id": "t"}], "tags": {"desk": "north"}});
    request::<Entity>(entity.clone(), &["uid"]);
    request::<PutEntities>(json!({"entities": [entity]}), &["entities"]);
    request::<GrantRole>(json!({"keep_certificates": ["ab"]}), &[]);
}

#[test]
fn tokens_and_certificates() {
    request::<IssueToken>(json!({"identity": "spiffe://d/user/ana", "minutes": 5}), &["identity"]);
    request::<Enrol>(json!({"token": "t", "csr_pem": "-----"}), &["token", "csr_pem"]);
    request::<RenewCertificate>(json!({"csr_pem": "-----"}), &["csr_pem"]);
}

#[test]
fn batches_and_bodies_of_nothing() {
    request::<Batch<RewrapDataKey>>(json!({"items": [{"wrapped": "AAAA"}]}), &["items"]);
    let nested = json!({"items": [{"wrapped": "AAAA", "nonce": 1}]});
    assert!(serde_json::from_value::<Batch<RewrapDataKey>>(nested).is_err(), "an item is as strict as the whole");
    request::<Nothing>(json!({}), &[]);
    for (answer, good) in [
        (json!({"items": [{"result": 1}, {"problem": {"type": "t", "title": "t", "status": 400}}]}), true),
        (json!({"items": [{"result": 1, "problem": {"type": "t", "title": "t", "status": 400}}]}), false),
        (json!({"items": [{}]}), false),
        (json!({"items": [{"Result": 1}]}), false),
    ] {
        assert_eq!(serde_json::from_value::<BatchAnswer<u32>>(answer.clone()).is_ok(), good, "{answer}");
    }
}

#[test]
fn what_is_one_of_several_is_exactly_one() {
    for good in [json!({"serial": "ab"}), json!({"identity": "spiffe://d/user/ana"})] {
        let read: RevokeCertificates = serde_json::from_value(good.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), good);
    }
    for good in [json!({"spki": "AAAA"}), json!({"jwk": {"kty": "RSA", "n": "AQ", "e": "AQAB"}})] {
        let read: Recipient = serde_json::from_value(good.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), good);
    }
    for bad in [
        json!({"Serial": "ab"}),
        json!({"serial": null}),
        json!({"serial": ["ab"]}),
        json!("serial"),
        json!(["serial"]),
    ] {
        assert!(serde_json::from_value::<RevokeCertificates>(bad.clone()).is_err(), "{bad}");
    }
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let private = json!({"jwk": {"kty": "RSA", "n": "AQ", "e": "AQAB", member: "AQ"}});
        assert!(serde_json::from_value::<Recipient>(private).is_err(), "a private member `{member}`");
    }
}

/// A server that checks the first of two and a policy that reads the last is an old way round a rule.
#[test]
fn names_of_the_callers_own_stand_there_once() {
    let twice = r#"{"team":"a","team":"b"}"#;
    let once = r#"{"team":"a","teams":"b"}"#;
    for (labels, good) in [(once, true), (twice, false), ("{}", true), ("[]", false), ("null", false)] {
        assert_eq!(
            serde_json::from_str::<CreateRing>(&format!(r#"{{"name":"r","labels":{labels}}}"#)).is_ok(),
            good,
            "{labels}"
        );
        let key = format!(r#"{{"key":"r/k","spec":"ed25519","usage":"sign","labels":{labels}}}"#);
        assert_eq!(serde_json::from_str::<CreateKey>(&key).is_ok(), good, "{labels}");
        let entity = format!(r#"{{"uid":{{"type":"U","id":"a"}},"attrs":{labels},"tags":{labels}}}"#);
        assert_eq!(serde_json::from_str::<Entity>(&entity).is_ok(), good, "{labels}");
    }
    // What stays as it is may be said by `null` as by silence.
    for (labels, good) in [(once, true), (twice, false), ("null", true)] {
        assert_eq!(serde_json::from_str::<UpdateKey>(&format!(r#"{{"labels":{labels}}}"#)).is_ok(), good, "{labels}");
    }
    let said =
        serde_json::from_str::<CreateRing>(&format!(r#"{{"name":"r","labels":{twice}}}"#)).unwrap_err().to_string();
    assert!(said.contains("twice"), "{said}");
}

#[test]
fn numbers_are_whole_and_in_range() {
    for bad in ["-1", "1.0", "1e1", "4294967296", "\"7\"", "true", "[]"] {
        let read = serde_json::from_str::<ScheduleDeletion>(&format!("{{\"days\":{bad}}}"));
        assert!(read.is_err(), "{bad}");
        assert!(serde_json::from_str::<GenerateRandom>(&format!("{{\"length\":{bad}}}")).is_err(), "{bad}");
        assert!(serde_json::from_str::<SelectVersion>(&format!("{{\"version\":{bad}}}")).is_err(), "{bad}");
    }
    assert_eq!(
        serde_json::from_str::<ScheduleDeletion>("{\"days\":4294967295}").unwrap().days,
        u32::MAX,
        "bounds are the server's"
    );
}

#[test]
fn defaults_are_the_documented_ones() {
    let create: CreateKey = serde_json::from_value(json!({"key": "r/k", "spec": "rsa-3072", "usage": "wrap"})).unwrap();
    assert!(create.activate && create.labels.is_empty() && create.rotation_days.is_none());
    let generate: GenerateDataKey = serde_json::from_value(json!({"key": "r/k"})).unwrap();
    assert!(generate.plaintext && generate.context.is_empty() && generate.recipient.is_none());
    let bundle: LoadBundle = serde_json::from_value(json!({"manifest": "", "schema": "", "policies": []})).unwrap();
    assert!(!bundle.activate && !bundle.dry_run && bundle.entities.is_none());
    let grant: GrantRole = serde_json::from_value(json!({})).unwrap();
    assert!(grant.keep_certificates.is_empty());
}
