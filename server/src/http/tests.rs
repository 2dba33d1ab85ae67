//! The routes as an attacker and as a clumsy friend use them.

mod places;

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use wardkeep_policy::BundleSource;

use crate::peer::Peer;
use crate::testing::{House, config, stranger};

/// Every route with its parameters filled in.
fn routes() -> Vec<(Method, String)> {
    let fill = |path: &str| {
        let filled = path.replace("{ring}", "r").replace("{key}", "k").replace("{version}", "1");
        filled.replace("{type}", "User").replace("{id}", "x").replace("{role}", "admin")
    };
    let mut document = super::document();
    let routes = super::openapi::routes(&mut document).into_iter();
    routes.filter(|(_, path)| path != "/v1/enrol").map(|(method, path)| (method, fill(&path))).collect()
}

/// Somebody's RSA public key, DER SubjectPublicKeyInfo in base64.
const RECIPIENT: &str = include_str!("../../../tests/vectors/recipient.spki.txt");

/// A body that each route takes.
fn body_for(path: &str) -> Value {
    const WRAPPED: &str = "d3Jvbmc=";
    match path {
        "/v1/rings" => json!({"name": "r"}),
        "/v1/keys" => json!({"key": "r/k", "spec": "aes-256-gcm", "usage": "wrap"}),
        "/v1/data-keys" => json!({"key": "r/k"}),
        "/v1/encrypt" => json!({"key": "r/k", "plaintext": "AA=="}),
        "/v1/sign" => json!({"key": "r/k", "message": "AA=="}),
        "/v1/verify" => json!({"key": "r/k", "version": 1, "message": "AA==", "signature": "AA=="}),
        "/v1/random" => json!({"length": 1}),
        "/v1/control-set" => json!({"text": ""}),
        "/v1/bundles" => json!({"manifest": "", "schema": "", "policies": []}),
        "/v1/entities" => json!({"entities": [{"uid": {"type": "User", "id": "x"}}]}),
        "/v1/tokens" => json!({"identity": "spiffe://clinic.test/user/x"}),
        "/v1/certificates/renew" => json!({"csr_pem": "x"}),
        "/v1/certificates/revoke" => json!({"serial": "ab"}),
        path if path.ends_with("/batch") => json!({"items": []}),
        path if path.ends_with("unwrap") || path.ends_with("rewrap") => json!({"wrapped": WRAPPED}),
        "/v1/decrypt" => json!({"ciphertext": WRAPPED}),
        path if path.ends_with("schedule-deletion") => json!({"days": 7}),
        path if path.ends_with("/escrow") => json!({"threshold": 2, "shares": 2, "plain": true}),
        path if path.starts_with("/v1/recipients/") => json!({"recipient": {"spki": RECIPIENT}}),
        "/v1/user-keys" => json!({"key": "r/k"}),
        "/v1/user-keys/revoke" => json!({"key": "r/k", "serials": [1]}),
        _ => json!({}),
    }
}

#[tokio::test]
async fn every_route_refuses_who_is_nobody() {
    let house = House::new().await;
    for (method, path) in routes() {
        let body = if method == Method::GET || method == Method::DELETE { Value::Null } else { body_for(&path) };
        let headers = [("if-match", "\"1\"")];
        let nobody = stranger("user", "mallory");
        let unmapped = stranger("robot", "ana");
        for peer in [&nobody, &unmapped] {
            let said = house.ask_with(peer, method.clone(), &path, body.clone(), &headers).await;
            // What names no key at all is malformed for everybody.
            let open = path.ends_with("/batch") || said.code() == "malformed-input";
            let csr = path.ends_with("renew");
            assert!(said.status == 403 || open || (csr && said.status == 400), "{method} {path}: {}", said.body);
        }
        let mut request = Request::builder().method(method.clone()).uri(&path);
        request = request.header("content-type", "application/json");
        let said = house.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(said.said(), (401, "no-certificate"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_data_key_is_made_and_opened_and_both_stand_in_the_log() {
    let house = House::new().await;
    house.key("cards/main", "aes-256-gcm", "wrap").await;
    let context = json!({"purpose": "test"});
    let made = house.post(&house.ana, "/v1/data-keys", json!({"key": "cards/main", "context": context})).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let wrapped = made.body["wrapped"].clone();
    let asked = json!({"wrapped": wrapped, "context": context});
    let opened = house.post(&house.ana, "/v1/data-keys/unwrap", asked).await;
    assert_eq!((opened.status.as_u16(), &opened.body["plaintext"]), (200, &made.body["plaintext"]));
    let other = house.post(&house.ana, "/v1/data-keys/unwrap", json!({"wrapped": wrapped, "context": {}})).await;
    assert_eq!(other.said(), (400, "cannot-open"));
    let log = house.log();
    for line in ["GenerateDataKey ok", "UnwrapDataKey ok", "UnwrapDataKey cannot-open"] {
        assert!(log.iter().any(|entry| entry == line), "{line} in {log:?}");
    }
    let secret = made.body["plaintext"].as_str().unwrap();
    assert!(house.store.audit(1, 1000).unwrap().iter().all(|record| !record.line.contains(secret)));
}

#[tokio::test]
async fn every_verb_of_a_keys_life_answers() {
    let house = House::new().await;
    house.key("r/k", "rsa-3072", "wrap").await;
    let verb = async |name: &str, body: Value| {
        let said = house.post(&house.ana, &format!("/v1/keys/r/k/{name}"), body).await;
        assert_eq!(said.status, 200, "{name}: {}", said.body);
        said
    };
    let old = house.post(&house.ana, "/v1/data-keys", json!({"key": "r/k", "plaintext": false})).await;
    assert_eq!((old.body["version"].as_u64(), old.body.get("plaintext")), (Some(1), None));
    assert_eq!(verb("rotate", Value::Null).await.body["versions"].as_array().unwrap().len(), 2);
    let rewrapped = house.post(&house.ana, "/v1/data-keys/rewrap", json!({"wrapped": old.body["wrapped"]})).await;
    assert_eq!((rewrapped.body["from_version"].as_u64(), rewrapped.body["version"].as_u64()), (Some(1), Some(2)));
    verb("suspend", json!({"version": 2})).await;
    let held = house.post(&house.ana, "/v1/data-keys", json!({"key": "r/k"})).await;
    assert_eq!(held.said(), (409, "key-not-active"));
    verb("enable", json!({})).await;
    verb("deactivate", json!({"version": 2})).await;
    verb("compromise", json!({"version": 1})).await;
    let taken = house.post(&house.ana, "/v1/data-keys/unwrap", json!({"wrapped": old.body["wrapped"]})).await;
    assert_eq!(taken.status, 200, "the bundle of `dev` gives the further right: {}", taken.body);
    let etag = house.get(&house.ana, "/v1/keys/r/k").await.etag();
    let headers = [("if-match", etag.as_str())];
    let labels = json!({"labels": {"team": "a"}, "rotation_days": 30});
    let patched = house.ask_with(&house.ana, Method::PATCH, "/v1/keys/r/k", labels.clone(), &headers).await;
    assert_eq!((patched.status.as_u16(), patched.body["labels"]["team"].as_str()), (200, Some("a")));
    let again = house.ask_with(&house.ana, Method::PATCH, "/v1/keys/r/k", labels.clone(), &headers).await;
    assert_eq!(again.said(), (412, "precondition-failed"));
    let blind = house.ask(&house.ana, Method::PATCH, "/v1/keys/r/k", labels).await;
    assert_eq!(blind.said(), (428, "precondition-required"));
    verb("schedule-deletion", json!({"days": 7})).await;
    let early = house.post(&house.ana, "/v1/keys/r/k/destroy", json!({})).await;
    assert_eq!(early.said(), (409, "deletion-not-due"));
    verb("cancel-deletion", json!({})).await;
}

#[tokio::test]
async fn keys_of_other_usages_work_through_their_own_verbs_only() {
    let house = House::new().await;
    house.key("r/sign", "ed25519", "sign").await;
    house.key("r/seal", "aes-256-gcm", "encrypt").await;
    let signed = house.post(&house.ana, "/v1/sign", json!({"key": "r/sign", "message": "aGk="})).await;
    let signature = &signed.body["signature"];
    let check = |message: &str| json!({"key": "r/sign", "version": 1, "message": message, "signature": signature});
    assert_eq!(house.post(&house.ana, "/v1/verify", check("aGk=")).await.body["valid"], true);
    assert_eq!(house.post(&house.ana, "/v1/verify", check("aGo=")).await.body["valid"], false);
    let sealed = house.post(&house.ana, "/v1/encrypt", json!({"key": "r/seal", "plaintext": "aGk="})).await;
    let opened = house.post(&house.ana, "/v1/decrypt", json!({"ciphertext": sealed.body["ciphertext"]})).await;
    assert_eq!(opened.body["plaintext"], "aGk=");
    let asked = json!({"wrapped": sealed.body["ciphertext"]});
    assert_eq!(house.post(&house.ana, "/v1/data-keys/unwrap", asked).await.status, 400);
    assert_eq!(house.post(&house.ana, "/v1/data-keys", json!({"key": "r/seal"})).await.said(), (400, "wrong-usage"));
    let resource = json!({"key": "r/seal", "plaintext": "aGk=", "context": {"resource": {"type": "N", "id": "1"}}});
    assert_eq!(house.post(&house.ana, "/v1/encrypt", resource).await.said(), (400, "resource-not-allowed"));
    let drawn = house.post(&house.ana, "/v1/random", json!({"length": 3})).await;
    assert_eq!(drawn.body["bytes"].as_str().map(str::len), Some(4));
    assert_eq!(house.post(&house.ana, "/v1/random", json!({"length": 1025})).await.said(), (400, "random-length"));
}

#[tokio::test]
async fn missing_and_forbidden_cannot_be_told_apart() {
    let house = House::new().await;
    house.key("secret/one", "aes-256-gcm", "wrap").await;
    let eve = house.newcomer("eve").await;
    let tell = async |peer: &Arc<Peer>, method: Method, path: &str, body: Value| {
        let said = house.ask(peer, method, path, body).await;
        (said.status, said.body["detail"].clone(), said.body["title"].clone())
    };
    for (there, missing) in [("/v1/keys/secret/one", "/v1/keys/secret/two"), ("/v1/rings/secret", "/v1/rings/none")] {
        let one = tell(&eve, Method::GET, there, Value::Null).await;
        assert_eq!(one, tell(&eve, Method::GET, missing, Value::Null).await);
        assert_eq!(one.0, 403);
    }
    let one = tell(&eve, Method::POST, "/v1/data-keys", json!({"key": "secret/one"})).await;
    assert_eq!(one, tell(&eve, Method::POST, "/v1/data-keys", json!({"key": "secret/two"})).await);
    assert_eq!(house.get(&house.ana, "/v1/keys/secret/two").await.said(), (404, "key-not-found"));
    assert_eq!(house.get(&eve, "/v1/keys").await.body["items"], json!([]));
}

#[tokio::test]
async fn generating_once_gives_one_data_key() {
    let house = House::new().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let ask = async |key: &str, body: Value| {
        house.ask_with(&house.ana, Method::POST, "/v1/data-keys", body, &[("idempotency-key", key)]).await
    };
    let first = ask("one", json!({"key": "r/k"})).await;
    let second = ask("one", json!({"key": "r/k"})).await;
    assert_eq!((first.status.as_u16(), &first.body), (200, &second.body), "wrapped key and plaintext are the same");
    assert_ne!(ask("two", json!({"key": "r/k"})).await.body["wrapped"], first.body["wrapped"]);
    let other = ask("one", json!({"key": "r/k", "context": {"a": "b"}})).await;
    assert_eq!(other.said(), (422, "idempotency-mismatch"));
    let rows = house.store.read(wardkeep_store::Table::Idempotency, &first_idempotency_row(&house)).unwrap().unwrap();
    let secret = first.body["plaintext"].as_str().unwrap();
    assert!(!String::from_utf8_lossy(&rows.value).contains(secret), "a plaintext is never stored");
    let refused =
        [("/v1/data-keys/unwrap", json!({"wrapped": first.body["wrapped"]})), ("/v1/random", json!({"length": 1}))];
    for (path, body) in refused {
        let said = house.ask_with(&house.ana, Method::POST, path, body, &[("idempotency-key", "x")]).await;
        assert_eq!(said.said(), (400, "idempotency-not-supported"), "{path}");
    }
}

fn first_idempotency_row(house: &House) -> String {
    let mut id = String::new();
    house.store.scan(wardkeep_store::Table::Idempotency, &mut |row| id = row.id).unwrap();
    id
}

#[tokio::test]
async fn the_subject_header_cannot_make_anybody_stronger() {
    let house = House::new().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let eve = house.newcomer("eve").await;
    let as_ana = [("wardkeep-subject", "User::\"ana\"")];
    let said = house.ask_with(&eve, Method::POST, "/v1/data-keys", json!({"key": "r/k"}), &as_ana).await;
    assert_eq!(said.status, 403, "an administrator is nobody's subject");
    let as_eve = [("wardkeep-subject", "User::\"eve\"")];
    for (method, path) in
        [(Method::GET, "/v1/control-set"), (Method::GET, "/v1/roles"), (Method::GET, "/v1/audit/head")]
    {
        let said = house.ask_with(&house.ana, method, path, Value::Null, &as_eve).await;
        assert_eq!(said.said(), (400, "subject-on-control-verb"), "{path}");
    }
    for bad in ["ana", "User::\"a\"b\"", ""] {
        let headers = [("wardkeep-subject", bad)];
        let said = house.ask_with(&house.ana, Method::GET, "/v1/keys/r/k", Value::Null, &headers).await;
        assert_eq!(said.said(), (400, "malformed-subject"), "{bad:?}");
    }
    let twice = [as_eve[0], as_eve[0]];
    let said = house.ask_with(&house.ana, Method::GET, "/v1/keys/r/k", Value::Null, &twice).await;
    assert_eq!(said.said(), (400, "malformed-subject"));
}

#[tokio::test]
async fn bodies_that_are_wrong_are_told_so() {
    let house = House::new().await;
    let path = "/v1/rings";
    let raw = |text: &str| Value::String(text.to_owned());
    let json_kind = [("content-type", "application/json")];
    let ask = async |body: Value, headers: &[(&str, &str)]| {
        house.ask_with(&house.ana, Method::POST, path, body, headers).await
    };
    assert_eq!(ask(raw("{}"), &[]).await.said(), (415, "unsupported-media-type"));
    assert_eq!(ask(raw("{}"), &[("content-type", "text/plain")]).await.said(), (415, "unsupported-media-type"));
    assert_eq!(ask(raw("{"), &json_kind).await.said(), (400, "malformed-body"));
    assert_eq!(ask(raw(""), &json_kind).await.said(), (400, "malformed-body"));
    assert_eq!(ask(raw(&"[".repeat(40)), &json_kind).await.said(), (400, "body-bounds"));
    assert_eq!(ask(raw(&"x".repeat(1_048_577)), &json_kind).await.said(), (413, "body-too-large"));
    assert_eq!(ask(json!({"name": "a", "colour": "red"}), &[]).await.said(), (400, "malformed-body"));
    assert_eq!(ask(json!({"name": "../etc"}), &[]).await.said(), (400, "malformed-name"));
    assert_eq!(house.get(&house.ana, "/v1/keys/r/..%2f..").await.said(), (400, "malformed-name"));
    assert_eq!(house.get(&house.ana, "/v1/keys?limit=0").await.said(), (400, "malformed-page"));
    assert_eq!(house.get(&house.ana, "/v1/keys?limt=1").await.said(), (400, "malformed-query"));
    assert_eq!(house.get(&house.ana, "/v1/nothing").await.said(), (404, "no-such-route"));
    assert_eq!(house.ask(&house.ana, Method::PUT, path, Value::Null).await.said(), (405, "method-not-allowed"));
}

#[tokio::test]
async fn every_answer_and_every_problem_carries_the_requests_id() {
    let house = House::new().await;
    let given = [("x-request-id", "mine-1")];
    let said = house.ask_with(&house.ana, Method::GET, "/v1/keys/r/k", Value::Null, &given).await;
    assert_eq!((said.status.as_u16(), &said.headers["x-request-id"]), (404, &http::HeaderValue::from_static("mine-1")));
    assert_eq!(said.body["request_id"], "mine-1");
    assert_eq!(said.headers["content-type"], "application/problem+json");
    let records = house.store.audit(1, 1000).unwrap();
    assert!(records.iter().any(|record| record.line.contains("mine-1")));
    let odd = [("x-request-id", "a b")];
    let said = house.ask_with(&house.ana, Method::GET, "/v1/whoami", Value::Null, &odd).await;
    let made = said.headers["x-request-id"].to_str().unwrap();
    assert!(made.len() == 32 && made != "a b", "{made}");
}

#[tokio::test]
async fn a_batch_decides_item_by_item() {
    let house = House::new().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let items = json!({"items": [{"key": "r/k"}, {"key": "r/none"}, {"key": "not a key"}]});
    let said = house.post(&house.ana, "/v1/data-keys/batch", items).await;
    assert_eq!(said.status, 200, "{}", said.body);
    let [good, missing, malformed] = [0, 1, 2].map(|at| said.body["items"][at].clone());
    assert!(good["result"]["plaintext"].is_string());
    assert_eq!(missing["problem"]["status"], 404);
    assert_eq!(malformed["problem"]["status"], 400);
    let unwraps = json!({"items": [{"wrapped": good["result"]["wrapped"]}]});
    let opened = house.post(&house.ana, "/v1/data-keys/unwrap/batch", unwraps).await;
    assert_eq!(opened.body["items"][0]["result"]["plaintext"], good["result"]["plaintext"]);
    for count in [0, 101] {
        let items = json!({"items": vec![json!({"key": "r/k"}); count]});
        assert_eq!(house.post(&house.ana, "/v1/data-keys/batch", items).await.said(), (400, "batch-size"));
    }
}

#[tokio::test]
async fn one_identitys_rate_is_told_and_kept() {
    let mut config = config();
    (config.rate_limit.requests_per_second, config.rate_limit.burst) = (Some(1), 2);
    let house = House::with(config, BundleSource::starter()).await;
    let first = house.get(&house.ana, "/v1/whoami").await;
    assert_eq!(
        (first.headers["ratelimit-limit"].as_bytes(), first.headers["ratelimit-remaining"].as_bytes()),
        (&b"2"[..], &b"1"[..])
    );
    house.get(&house.ana, "/v1/whoami").await;
    let third = house.get(&house.ana, "/v1/whoami").await;
    assert_eq!(third.said(), (429, "rate-limited"));
    assert!(third.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_names_every_problem() {
    let house = House::new().await;
    let document = house.get(&house.ana, "/v1/openapi.json").await.body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 40, "{}", paths.len());
    let text = document.to_string();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            assert!(operation["description"].is_string() || operation["summary"].is_string(), "{method} {path}");
        }
    }
    let mut at = 0;
    while let Some(found) = text[at..].find("#/components/schemas/") {
        at += found + "#/components/schemas/".len();
        let name: String = text[at..].chars().take_while(|c| *c != '"').collect();
        assert!(document["components"]["schemas"][&name].is_object(), "dangling reference to {name}");
    }
}

#[tokio::test]
async fn probes_tell_no_names() {
    let house = House::new().await;
    house.key("very-secret-ring/k", "aes-256-gcm", "wrap").await;
    let ops = super::ops_router(house.app.clone());
    for path in ["/livez", "/readyz", "/healthz", "/metrics"] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(ops.clone(), request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(!text.contains("very-secret-ring") && !text.contains("ana"), "{path}: {text}");
    }
    house.stop().await;
}

const NO_PROD: &str = r#"
    @id("all") permit(principal, action, resource);
    @id("keys") forbid(principal, action in [Wardkeep::Action::"CreateKey", Wardkeep::Action::"UpdateKey"], resource)
        when { resource.hasTag("env") && resource.getTag("env") == "prod" };
    @id("rings") forbid(principal, action == Wardkeep::Action::"CreateRing", resource)
        when { resource.hasTag("env") && resource.getTag("env") == "prod" };
    @id("usage") forbid(principal, action == Wardkeep::Action::"CreateKey", resource)
        when { resource has usage && resource.usage == "sign" };"#;

fn bundle_of(text: &str) -> BundleSource {
    BundleSource { policies: vec![("rules.cedar".to_owned(), text.to_owned())], ..BundleSource::starter() }
}

/// A rule about labels holds at the moment when they are chosen, and not only afterwards.
#[tokio::test]
async fn what_is_made_is_decided_on_as_it_is_to_be() {
    let house = House::with(config(), bundle_of(NO_PROD)).await;
    let (prod, lab) = (json!({"env": "prod"}), json!({"env": "lab"}));
    let denied = (403, "denied");
    let ring = async |name: &str, labels: &Value| {
        house.post(&house.ana, "/v1/rings", json!({"name": name, "labels": labels})).await
    };
    assert_eq!(ring("r", &prod).await.said(), denied);
    assert_eq!(ring("r", &lab).await.status, 201);
    assert_eq!(ring("r", &prod).await.said(), denied, "one that exists is no other question");
    let key = async |name: &str, usage: &str, labels: &Value| {
        let spec = if usage == "sign" { "ed25519" } else { "aes-256-gcm" };
        let body = json!({"key": name, "spec": spec, "usage": usage, "labels": labels});
        house.post(&house.ana, "/v1/keys", body).await
    };
    assert_eq!(key("r/k", "wrap", &prod).await.said(), denied);
    assert_eq!(key("r/k", "sign", &lab).await.said(), denied, "usage and spec are known too");
    assert_eq!(key("r/k", "wrap", &lab).await.status, 201);
    assert_eq!(key("r/k", "wrap", &prod).await.said(), denied);
    let relabel = async |labels: &Value| {
        let etag = house.get(&house.ana, "/v1/keys/r/k").await.etag();
        let headers = [("if-match", etag.as_str())];
        house.ask_with(&house.ana, Method::PATCH, "/v1/keys/r/k", json!({"labels": labels}), &headers).await
    };
    assert_eq!(relabel(&prod).await.said(), denied, "nobody labels a key into a rule's reach");
    assert_eq!(house.get(&house.ana, "/v1/keys/r/k").await.body["labels"], lab);
    assert_eq!(relabel(&json!({})).await.status, 200);
    for line in ["CreateRing denied", "CreateKey denied", "UpdateKey denied"] {
        assert!(house.log().contains(&line.to_owned()), "{line}");
    }
}

#[tokio::test]
async fn nobody_labels_a_key_out_of_a_rules_reach() {
    let house = House::with(config(), bundle_of(r#"@id("all") permit(principal, action, resource);"#)).await;
    house.post(&house.ana, "/v1/rings", json!({"name": "r"})).await;
    let key = json!({"key": "r/k", "spec": "aes-256-gcm", "usage": "wrap", "labels": {"env": "prod"}});
    assert_eq!(house.post(&house.ana, "/v1/keys", key).await.status, 201);
    let source = bundle_of(NO_PROD);
    let policies = json!([{"name": "p.cedar", "text": NO_PROD}]);
    let load = json!({"manifest": source.manifest, "schema": source.schema, "policies": policies, "activate": true});
    assert_eq!(house.post(&house.ana, "/v1/bundles", load).await.status, 200);
    let headers = [("if-match", "\"1\"")];
    let labels = json!({"labels": {"env": "lab"}});
    let said = house.ask_with(&house.ana, Method::PATCH, "/v1/keys/r/k", labels, &headers).await;
    assert_eq!(said.said(), (403, "denied"), "the labels it has count as well");
}

#[tokio::test]
async fn a_spoilt_replay_is_told_to_who_may_generate_and_to_nobody_else() {
    let house = House::new().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let ask = async |body: Value| {
        house.ask_with(&house.ana, Method::POST, "/v1/data-keys", body, &[("idempotency-key", "one")]).await
    };
    let other = json!({"key": "r/k", "context": {"a": "b"}});
    assert_eq!(ask(json!({"key": "r/k"})).await.status, 200);
    assert_eq!(ask(other.clone()).await.said(), (422, "idempotency-mismatch"));
    assert!(house.log().contains(&"GenerateDataKey idempotency-mismatch".to_owned()), "it was decided, and recorded");
    let source = BundleSource::starter();
    let policies = json!([{"name": "p.cedar", "text": "@id(\"nobody\") forbid(principal, action, resource);"}]);
    let shut = json!({"manifest": source.manifest, "schema": source.schema, "policies": policies, "activate": true});
    assert_eq!(house.post(&house.ana, "/v1/bundles", shut).await.status, 200);
    assert_eq!(ask(other).await.said(), (403, "denied"), "that there was such a request is not for everybody");
    assert_eq!(ask(json!({"key": "r/k"})).await.said(), (403, "denied"));
}

#[tokio::test]
async fn small_values_in_great_number_are_refused_unparsed() {
    let house = House::new().await;
    let kind = [("content-type", "application/json")];
    for (path, count) in [("/v1/rings", 4_001), ("/v1/entities", 400_001), ("/v1/data-keys/batch", 4_000_000)] {
        let body = Value::String(format!("[{}]", vec!["0"; count].join(",")));
        let said = house.ask_with(&house.ana, Method::POST, path, body, &kind).await;
        assert_eq!(said.said(), (400, "body-bounds"), "{path}: {}", said.body);
        assert!(said.body["detail"].as_str().unwrap().contains("values"), "{}", said.body);
    }
}

#[tokio::test]
async fn a_rotation_lifts_no_suspension() {
    let house = House::new().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    assert_eq!(house.post(&house.ana, "/v1/keys/r/k/suspend", json!({})).await.status, 200);
    let said = house.post(&house.ana, "/v1/keys/r/k/rotate", Value::Null).await;
    assert_eq!(said.said(), (409, "key-state-forbids"), "{}", said.body);
    assert_eq!(house.post(&house.ana, "/v1/data-keys", json!({"key": "r/k"})).await.said(), (409, "key-not-active"));
}
