//! Answers that are lost on the way: the real server has done its work, the connection is cut, the client does not know.
//!
//! Broke elsewhere: clients that sent every call again made two tokens, two deletions, two keys; clients that sent none
//! again failed at every restart of their server.

use std::time::Duration;

use wardkeep_client::wire::key::{CreateKey, KeySpec, KeyUsage};
use wardkeep_client::wire::ring::CreateRing;
use wardkeep_client::{CallError, Client, EncryptionContext, Identity, KeyId, Paging, RingName};

use crate::cut::Way;
use crate::dev::Dev;

/// A client of the administrator's over a way that can be cut, with a connection that stands.
struct Lossy {
    way: Way,
    client: Client,
    dev: Dev,
}

impl Lossy {
    async fn start() -> Self {
        let dev = Dev::start();
        let way = Way::to(dev.port());
        let client = dev.client(&dev.admin(), Some(way.port)).await;
        Self { way, client, dev }
    }

    /// The answer to the next call is lost.
    async fn lose_next(&self) {
        self.client.whoami().await.unwrap();
        tokio::time::sleep(Duration::from_millis(800)).await;
        self.way.cut_next_answer();
    }

    #[track_caller]
    fn assert_lost(&self, what: &str) {
        assert!(!self.way.is_waiting(), "{what}: nothing was cut, so that nothing was shown");
    }
}

fn ring(name: &str) -> CreateRing {
    CreateRing { name: name.to_owned(), labels: Default::default() }
}

fn key(name: &str) -> CreateKey {
    CreateKey {
        key: name.to_owned(),
        spec: KeySpec::Aes256Gcm,
        usage: KeyUsage::Wrap,
        labels: Default::default(),
        rotation_days: None,
        activate: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_under_an_idempotency_key_are_made_once_and_their_answer_comes_after_all() {
    let lossy = Lossy::start().await;
    let (client, name) = (&lossy.client, RingName::new("notes").unwrap());
    lossy.lose_next().await;
    let made = client.rings().create(&ring("notes")).await.unwrap();
    lossy.assert_lost("ring create");
    assert_eq!(made.revision, client.rings().describe(&name).await.unwrap().revision);

    lossy.lose_next().await;
    let made = client.keys().create(&key("notes/first")).await.unwrap();
    lossy.assert_lost("key create");
    assert_eq!(made.versions.len(), 1);

    // Rotating twice would end the version that was just made.
    let id = KeyId::parse("notes/first").unwrap();
    lossy.lose_next().await;
    let rotated = client.keys().rotate(&id, None).await.unwrap();
    lossy.assert_lost("key rotate");
    assert_eq!(rotated.versions.len(), 2);
    assert_eq!(client.keys().describe(&id).await.unwrap().versions.len(), 2, "rotated once");
    assert_eq!(client.keys().list(None, &Paging::default()).await.unwrap().items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_nothing_behind_is_asked_again() {
    let lossy = Lossy::start().await;
    let client = &lossy.client;
    client.rings().create(&ring("notes")).await.unwrap();
    client.keys().create(&key("notes/first")).await.unwrap();
    let (id, context) = (KeyId::parse("notes/first").unwrap(), EncryptionContext::default());

    lossy.lose_next().await;
    let envelope = client.protect(&id, &context, b"all is well").await.unwrap();
    lossy.assert_lost("generate");
    lossy.lose_next().await;
    assert_eq!(client.read(&envelope).await.unwrap().plaintext(), b"all is well");
    lossy.assert_lost("unwrap");
    lossy.lose_next().await;
    let renewed = client.rewrap(&envelope).await.unwrap();
    lossy.assert_lost("rewrap");
    assert_eq!(client.read(&renewed).await.unwrap().plaintext(), b"all is well");
    lossy.lose_next().await;
    client.audit().head().await.unwrap();
    lossy.assert_lost("audit head");
    assert!(lossy.way.connections() >= 5, "each cut cost a connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_done_is_left_to_the_caller_and_was_done_once() {
    let lossy = Lossy::start().await;
    let client = &lossy.client;
    let identity = Identity::parse(&Dev::identity("service", "batch")).unwrap();
    let entity = serde_json::json!([{"uid": {"type": "Service", "id": "batch"}, "attrs": {}, "parents": []}]);
    client.entities().put(serde_json::from_value(entity).unwrap()).await.unwrap();
    let open = async || {
        let all = client.tokens().list(&Paging::default()).await.unwrap().items;
        all.into_iter().filter(|token| token.identity == identity.to_string()).count()
    };
    lossy.lose_next().await;
    let error = client.tokens().issue(&identity, None).await.err().unwrap();
    lossy.assert_lost("token issue");
    assert!(matches!(error, CallError::Broken { .. }), "{error:?}");
    assert!(error.request_id().is_some(), "to be looked up in the audit log");
    assert_eq!(open().await, 1, "one token, not two");

    client.rings().create(&ring("notes")).await.unwrap();
    let name = RingName::new("notes").unwrap();
    lossy.lose_next().await;
    let error = client.rings().delete(&name, None).await.unwrap_err();
    lossy.assert_lost("ring delete");
    assert!(matches!(error, CallError::Broken { .. }), "{error:?}");
    let gone = client.rings().describe(&name).await.unwrap_err();
    assert!(matches!(gone, CallError::NotFound(_) | CallError::Denied(_)), "it was done: {gone:?}");
}

/// The request id of a lost answer leads to what became of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_in_the_audit_log_by_its_request() {
    let lossy = Lossy::start().await;
    lossy.client.rings().create(&ring("notes")).await.unwrap();
    lossy.lose_next().await;
    let error = lossy.client.rings().delete(&RingName::new("notes").unwrap(), None).await.unwrap_err();
    lossy.assert_lost("ring delete");
    let request = error.request_id().unwrap().to_string();
    let records = lossy.dev.json(&["audit", "list"]);
    let found: Vec<_> = records
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["line"].as_str().unwrap().contains(&format!("\"{request}\"")))
        .collect();
    assert_eq!(found.len(), 1, "{request}");
    assert!(found[0]["line"].as_str().unwrap().contains("DeleteRing"), "{}", found[0]);
}

/// A server that is away for a moment is waited for, inside the deadline; a deadline is a deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_outlived_by_calls_that_may_go_again() {
    let dev = Dev::start();
    let (port, admin) = (dev.port(), dev.admin());
    let client = dev.client(&admin, None).await;
    client.whoami().await.unwrap();
    let folder = dev.stop();
    let error = client.with_deadline(Duration::from_millis(500)).whoami().await.unwrap_err();
    assert!(matches!(error, CallError::Connect { .. } | CallError::Timeout { .. }), "{error:?}");
    let _dev = Dev::start_in(folder, port);
    client.whoami().await.unwrap();
}
