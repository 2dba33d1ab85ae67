//! Every method of the client against the route it stands for: verb, path, headers, body.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use wardkeep_api::bundle::LoadBundle;
use wardkeep_api::key::{CreateKey, KeySpec, KeyUsage, UpdateKey};
use wardkeep_api::ring::CreateRing;
use wardkeep_api::role::Role;
use wardkeep_model::{CertificateSerial, EncryptionContext, EntityUid, Identity, KeyId, RingName};

use super::{Authority, Folder, Reply, Server};
use crate::admin::AuditQuery;
use crate::crypto::Signed;
use crate::{Client, Paging};

/// A server that answers everything with an object that no type takes, and notes what was asked.
async fn echo() -> (Client, Server, Folder) {
    let ca = Authority::new("ca");
    let server = Server::start(&ca, |_| Reply::Json(200, "[]".to_owned())).await;
    let folder = Folder::new(&ca, &ca.client("spiffe://example/service/web"));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    (client, server, folder)
}

/// The one request since the last look: `VERB path`, whether it had an idempotency key, `If-Match`, and the body.
struct Looker {
    server: Server,
    looked: Arc<Mutex<usize>>,
}

impl Looker {
    fn new(server: Server) -> Self {
        Self { server, looked: Arc::default() }
    }

    fn look(&self) -> (String, bool, Option<String>, String) {
        let seen = self.server.seen();
        let mut looked = self.looked.lock().unwrap();
        *looked += 1;
        assert_eq!(seen.len(), *looked, "one request a call");
        let last = seen.last().unwrap();
        let body = String::from_utf8(last.body.clone()).unwrap();
        let keyed = last.header("idempotency-key").is_some();
        (format!("{} {}", last.method, last.path), keyed, last.header("if-match").map(str::to_owned), body)
    }

    fn expect(&self, line: &str, keyed: bool) -> String {
        let (seen, has_key, _, body) = self.look();
        assert_eq!((seen.as_str(), has_key), (line, keyed));
        body
    }
}

fn paging() -> Paging {
    Paging { limit: Some(5), cursor: Some("bmV4dA".to_owned()) }
}

#[tokio::test]
async fn rings_and_keys() {
    let (client, server, _folder) = echo().await;
    let look = Looker::new(server);
    let (ring, key) = (RingName::new("clinic").unwrap(), KeyId::parse("clinic/records").unwrap());
    let (rings, keys) = (client.rings(), client.keys());

    let _ = rings.create(&CreateRing { name: "clinic".into(), labels: [].into() }).await;
    assert_eq!(look.expect("POST /v1/rings", true), r#"{"name":"clinic","labels":{}}"#);
    let _ = rings.list(&paging()).await;
    look.expect("GET /v1/rings?limit=5&cursor=bmV4dA", false);
    let _ = rings.describe(&ring).await;
    look.expect("GET /v1/rings/clinic", false);
    rings.delete(&ring, Some(3)).await.unwrap();
    let (line, keyed, if_match, _) = look.look();
    assert_eq!((line.as_str(), keyed, if_match.as_deref()), ("DELETE /v1/rings/clinic", false, Some("\"3\"")));

    let spec = CreateKey {
        key: key.to_string(),
        spec: KeySpec::Aes256Gcm,
        usage: KeyUsage::Wrap,
        labels: [].into(),
        rotation_days: None,
        activate: true,
    };
    let _ = keys.create(&spec).await;
    assert!(look.expect("POST /v1/keys", true).contains(r#""spec":"aes-256-gcm""#));
    let _ = keys.list(Some(&ring), &Paging::default()).await;
    look.expect("GET /v1/keys?ring=clinic", false);
    let _ = keys.describe(&key).await;
    look.expect("GET /v1/keys/clinic/records", false);
    let _ = keys.update(&key, &UpdateKey { rotation_days: Some(0), ..UpdateKey::default() }, 7).await;
    let (line, keyed, if_match, body) = look.look();
    assert_eq!((line.as_str(), keyed, if_match.as_deref()), ("PATCH /v1/keys/clinic/records", true, Some("\"7\"")));
    assert_eq!(body, r#"{"rotation_days":0}"#);
}

#[tokio::test]
async fn the_life_of_a_key() {
    let (client, server, _folder) = echo().await;
    let look = Looker::new(server);
    let (keys, key) = (client.keys(), KeyId::parse("clinic/records").unwrap());
    let _ = keys.rotate(&key, None).await;
    assert_eq!(look.expect("POST /v1/keys/clinic/records/rotate", true), "{}");
    let _ = keys.enable(&key, Some(2), None).await;
    assert_eq!(look.expect("POST /v1/keys/clinic/records/enable", true), r#"{"version":2}"#);
    let _ = keys.suspend(&key, None, None).await;
    assert_eq!(look.expect("POST /v1/keys/clinic/records/suspend", true), "{}");
    let _ = keys.deactivate(&key, None, None).await;
    look.expect("POST /v1/keys/clinic/records/deactivate", true);
    let _ = keys.compromise(&key, None, None).await;
    look.expect("POST /v1/keys/clinic/records/compromise", true);
    let _ = keys.schedule_deletion(&key, 7, None).await;
    assert_eq!(look.expect("POST /v1/keys/clinic/records/schedule-deletion", true), r#"{"days":7}"#);
    let _ = keys.cancel_deletion(&key, None).await;
    look.expect("POST /v1/keys/clinic/records/cancel-deletion", true);
    let _ = keys.destroy(&key, None).await;
    look.expect("POST /v1/keys/clinic/records/destroy", true);
}

#[tokio::test]
async fn data_and_its_keys() {
    let (client, server, _folder) = echo().await;
    let look = Looker::new(server);
    let (crypto, context) = (client.crypto(), EncryptionContext::default());
    let key = KeyId::parse("clinic/records").unwrap();
    let _ = crypto.encrypt(&key, &context, b"x").await;
    assert_eq!(look.expect("POST /v1/encrypt", false), r#"{"key":"clinic/records","plaintext":"eA=="}"#);
    let _ = crypto.decrypt(b"x", &context).await;
    assert_eq!(look.expect("POST /v1/decrypt", false), r#"{"ciphertext":"eA=="}"#);
    let _ = crypto.sign(&key, Signed::Message(b"x")).await;
    assert_eq!(look.expect("POST /v1/sign", false), r#"{"key":"clinic/records","message":"eA=="}"#);
    let _ = crypto.verify(&key, 1, Signed::Digest(&[0; 32]), b"s").await;
    assert!(look.expect("POST /v1/verify", false).contains(r#""version":1,"digest":"AAAA"#));
    let _ = crypto.random(16).await;
    assert_eq!(look.expect("POST /v1/random", false), r#"{"length":16}"#);
    let _ = client.data_keys().rewrap_batch(Vec::new()).await;
    assert_eq!(look.expect("POST /v1/data-keys/rewrap/batch", false), r#"{"items":[]}"#);
    assert_eq!(client.openapi().await.unwrap(), "[]");
    look.expect("GET /v1/openapi.json", false);
}

#[tokio::test]
async fn policies_entities_and_roles() {
    let (client, server, _folder) = echo().await;
    let look = Looker::new(server);
    let (manifest, schema) = (String::new(), String::new());
    let bundle = LoadBundle { manifest, schema, policies: vec![], entities: None, activate: true, dry_run: false };
    let _ = client.bundles().load(&bundle).await;
    assert!(look.expect("POST /v1/bundles", false).contains(r#""activate":true"#));
    let _ = client.bundles().list(&paging()).await;
    look.expect("GET /v1/bundles?limit=5&cursor=bmV4dA", false);
    let _ = client.bundles().active().await;
    look.expect("GET /v1/bundles/active", false);
    let _ = client.bundles().describe(2).await;
    look.expect("GET /v1/bundles/2", false);
    let _ = client.bundles().activate(2).await;
    look.expect("POST /v1/bundles/2/activate", false);
    let _ = client.bundles().schema().await;
    look.expect("GET /v1/policy/schema", false);
    let _ = client.control_set().describe().await;
    look.expect("GET /v1/control-set", false);
    let _ = client.control_set().put("permit;", Some(1)).await;
    assert_eq!(look.expect("PUT /v1/control-set", false), r#"{"text":"permit;"}"#);

    let ana = EntityUid::new("Clinic::User", "ana/../bob").unwrap();
    let _ = client.entities().put(Vec::new()).await;
    assert_eq!(look.expect("POST /v1/entities", false), r#"{"entities":[]}"#);
    let _ = client.entities().list(Some("Clinic::User"), &Paging::default()).await;
    look.expect("GET /v1/entities?type=Clinic%3A%3AUser", false);
    let _ = client.entities().describe(&ana).await;
    look.expect("GET /v1/entities/Clinic%3A%3AUser/ana%2F%2E%2E%2Fbob", false);
    let _ = client.entities().delete(&ana).await;
    look.expect("DELETE /v1/entities/Clinic%3A%3AUser/ana%2F%2E%2E%2Fbob", false);
    let _ = client.roles().list().await;
    look.expect("GET /v1/roles", false);
    let _ = client.roles().grant(Role::SecurityAdmin, &ana, vec!["1f".into()]).await;
    let line = "PUT /v1/roles/security-admin/members/Clinic%3A%3AUser/ana%2F%2E%2E%2Fbob";
    assert_eq!(look.expect(line, false), r#"{"keep_certificates":["1f"]}"#);
    client.roles().revoke(Role::Auditor, &ana).await.unwrap();
    look.expect("DELETE /v1/roles/auditor/members/Clinic%3A%3AUser/ana%2F%2E%2E%2Fbob", false);
}

#[tokio::test]
async fn certificates_audit_and_configuration() {
    let (client, server, _folder) = echo().await;
    let look = Looker::new(server);
    let identity = Identity::parse("spiffe://example/user/ana").unwrap();
    let _ = client.tokens().issue(&identity, Some(10)).await;
    let body = look.expect("POST /v1/tokens", false);
    assert_eq!(body, r#"{"identity":"spiffe://example/user/ana","minutes":10}"#);
    let _ = client.tokens().list(&Paging::default()).await;
    look.expect("GET /v1/tokens", false);
    client.tokens().revoke("a/b").await.unwrap();
    look.expect("DELETE /v1/tokens/a%2Fb", false);
    let _ = client.certificates().list(&paging()).await;
    look.expect("GET /v1/certificates?limit=5&cursor=bmV4dA", false);
    let _ = client.certificates().revoke(&CertificateSerial::parse("0A").unwrap()).await;
    assert_eq!(look.expect("POST /v1/certificates/revoke", false), r#"{"serial":"a"}"#);
    let _ = client.certificates().revoke_identity(&identity).await;
    let body = look.expect("POST /v1/certificates/revoke", false);
    assert_eq!(body, r#"{"identity":"spiffe://example/user/ana"}"#);
    assert_eq!(client.certificates().crl().await.unwrap(), b"[]");
    look.expect("GET /v1/crl", false);
    let _ = client.audit().records(&AuditQuery { from: Some(1), limit: Some(2) }).await;
    look.expect("GET /v1/audit/records?from=1&limit=2", false);
    let _ = client.audit().head().await;
    look.expect("GET /v1/audit/head", false);
    let _ = client.with_deadline(Duration::from_secs(60)).audit().verify().await;
    assert_eq!(look.expect("POST /v1/audit/verify", false), "{}");
    let _ = client.config().await;
    look.expect("GET /v1/config", false);
}
