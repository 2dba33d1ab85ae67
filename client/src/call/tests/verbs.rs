//! Which verbs go again after a connection was cut between request and answer: those that leave nothing behind, and
//! changes under an idempotency key. The others may have been done, and doing them twice is worse than asking.

use std::pin::Pin;
use std::sync::Arc;

use wardkeep_api::bundle::LoadBundle;
use wardkeep_api::key::{CreateKey, KeySpec, KeyUsage, UpdateKey};
use wardkeep_api::ring::CreateRing;
use wardkeep_model::{CertificateSerial, EncryptionContext, Identity, KeyId, RingName};

use super::*;
use crate::Paging;
use crate::admin::AuditQuery;
use crate::crypto::Signed;
use crate::data_keys::{new_data_key, opened_data_key, renewed_data_key};
use crate::testing::{FixedEntropy, ManualClock};

type Verb = fn(Client) -> Pin<Box<dyn Future<Output = Result<(), CallError>>>>;

fn key() -> KeyId {
    KeyId::parse("clinic/records").unwrap()
}

fn ana() -> EntityUid {
    EntityUid::parse("User::\"ana\"").unwrap()
}

fn bundle() -> LoadBundle {
    let (manifest, schema) = (String::new(), String::new());
    LoadBundle { manifest, schema, policies: vec![], entities: None, activate: true, dry_run: false }
}

fn new_key() -> CreateKey {
    let (key, labels) = (key().to_string(), [].into());
    CreateKey { key, spec: KeySpec::Aes256Gcm, usage: KeyUsage::Wrap, labels, rotation_days: None, activate: true }
}

macro_rules! verb {
    ($client:ident => $call:expr) => {
        |$client| Box::pin(async move { $call.await.map(drop) })
    };
}

/// Verbs that may go again.
const AGAIN: &[(&str, Verb)] = &[
    ("whoami", verb!(c => c.whoami())),
    ("openapi", verb!(c => c.openapi())),
    ("config", verb!(c => c.config())),
    ("ring create", verb!(c => c.rings().create(&CreateRing { name: "clinic".into(), labels: [].into() }))),
    ("ring list", verb!(c => c.rings().list(&Paging::default()))),
    ("ring describe", verb!(c => c.rings().describe(&RingName::new("clinic").unwrap()))),
    ("key create", verb!(c => c.keys().create(&new_key()))),
    ("key list", verb!(c => c.keys().list(None, &Paging::default()))),
    ("key describe", verb!(c => c.keys().describe(&key()))),
    ("key update", verb!(c => c.keys().update(&key(), &UpdateKey::default(), 1))),
    ("key rotate", verb!(c => c.keys().rotate(&key(), None))),
    ("key enable", verb!(c => c.keys().enable(&key(), None, None))),
    ("key suspend", verb!(c => c.keys().suspend(&key(), None, None))),
    ("key deactivate", verb!(c => c.keys().deactivate(&key(), None, None))),
    ("key compromise", verb!(c => c.keys().compromise(&key(), None, None))),
    ("key schedule-deletion", verb!(c => c.keys().schedule_deletion(&key(), 7, None))),
    ("key cancel-deletion", verb!(c => c.keys().cancel_deletion(&key(), None))),
    ("key destroy", verb!(c => c.keys().destroy(&key(), None))),
    ("generate", verb!(c => c.data_keys().generate(&new_data_key(&key(), &EncryptionContext::default())))),
    ("unwrap", verb!(c => c.data_keys().unwrap(&opened_data_key(b"x", &EncryptionContext::default(), None)))),
    ("rewrap", verb!(c => c.data_keys().rewrap(&renewed_data_key(b"x", &EncryptionContext::default())))),
    ("generate batch", verb!(c => c.data_keys().generate_batch(vec![]))),
    ("unwrap batch", verb!(c => c.data_keys().unwrap_batch(vec![]))),
    ("rewrap batch", verb!(c => c.data_keys().rewrap_batch(vec![]))),
    ("encrypt", verb!(c => c.crypto().encrypt(&key(), &EncryptionContext::default(), b"x"))),
    ("decrypt", verb!(c => c.crypto().decrypt(b"x", &EncryptionContext::default()))),
    ("sign", verb!(c => c.crypto().sign(&key(), Signed::Message(b"x")))),
    ("verify", verb!(c => c.crypto().verify(&key(), 1, Signed::Message(b"x"), b"s"))),
    ("random", verb!(c => c.crypto().random(1))),
    ("bundle list", verb!(c => c.bundles().list(&Paging::default()))),
    ("bundle active", verb!(c => c.bundles().active())),
    ("schema", verb!(c => c.bundles().schema())),
    ("control set", verb!(c => c.control_set().describe())),
    ("entity list", verb!(c => c.entities().list(None, &Paging::default()))),
    ("entity get", verb!(c => c.entities().describe(&ana()))),
    ("role list", verb!(c => c.roles().list())),
    ("token list", verb!(c => c.tokens().list(&Paging::default()))),
    ("certificate list", verb!(c => c.certificates().list(&Paging::default()))),
    ("revoke", verb!(c => c.certificates().revoke(&CertificateSerial::parse("1").unwrap()))),
    ("crl", verb!(c => c.certificates().crl())),
    ("audit records", verb!(c => c.audit().records(&AuditQuery::default()))),
    ("audit head", verb!(c => c.audit().head())),
    ("audit verify", verb!(c => c.audit().verify())),
];

/// Verbs that do something each time they arrive.
const ONCE: &[(&str, Verb)] = &[
    ("ring delete", verb!(c => c.rings().delete(&RingName::new("clinic").unwrap(), None))),
    ("bundle load", verb!(c => c.bundles().load(&bundle()))),
    ("token issue", verb!(c => c.tokens().issue(&Identity::parse("spiffe://example/user/ana").unwrap(), None))),
    ("token revoke", verb!(c => c.tokens().revoke("a"))),
];

async fn tries_of(verb: Verb, reply: fn() -> Reply) -> (usize, CallError, Vec<crate::testing::Seen>) {
    let (server, _folder, settings) = flaky(move |_| reply()).await;
    // Without chance in it there is no pause between tries: how long they are is shown elsewhere.
    let (clock, chance) = (Arc::new(ManualClock::default()), Arc::new(FixedEntropy(0)));
    let client = Client::assemble(settings, clock.clone(), clock, chance).unwrap();
    let error = verb(client).await.unwrap_err();
    (server.seen().len(), error, server.seen())
}

#[tokio::test]
async fn what_leaves_nothing_behind_goes_again_and_no_further_than_its_bound() {
    for (name, verb) in AGAIN {
        let (tries, error, seen) = tries_of(*verb, || Reply::HangUp).await;
        assert_eq!(tries, retry::MAX_TRIES as usize, "{name}");
        assert!(matches!(error, CallError::Broken { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains("connection broke"), "{name}: {error}");
        // One name and one key over all tries, or each try would be a change of its own.
        for header in ["x-request-id", "idempotency-key"] {
            assert!(seen.iter().all(|one| one.header(header) == seen[0].header(header)), "{name}: {header} differs");
        }
        assert!(seen.iter().all(|one| one.body == seen[0].body && one.path == seen[0].path), "{name}");
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_sent_once() {
    for (name, verb) in ONCE {
        for (reply, is_broken) in
            [((|| Reply::HangUp) as fn() -> Reply, true), (|| Reply::problem(503, "overloaded"), false)]
        {
            let (tries, error, _) = tries_of(*verb, reply).await;
            assert_eq!(tries, 1, "{name}");
            assert_eq!(matches!(error, CallError::Broken { .. }), is_broken, "{name}: {error:?}");
        }
        // 429 is said before any work.
        let (tries, error, _) = tries_of(*verb, || Reply::problem(429, "rate-limited")).await;
        assert_eq!(tries, retry::MAX_TRIES as usize, "{name}: {error:?}");
    }
}

#[tokio::test]
async fn an_idempotency_key_makes_what_is_sent_once_safe_to_send_again() {
    for (name, verb) in ONCE {
        let (server, _folder, settings) = flaky(|_| Reply::HangUp).await;
        let client = Client::connect(settings).await.unwrap().with_idempotency_key("mine-1");
        verb(client).await.unwrap_err();
        assert_eq!(server.seen().len(), retry::MAX_TRIES as usize, "{name}");
        assert!(server.seen().iter().all(|seen| seen.header("idempotency-key") == Some("mine-1")), "{name}");
    }
}

#[tokio::test]
async fn fresh_idempotency_keys_differ_from_call_to_call() {
    let (server, _folder, settings) = flaky(|_| body()).await;
    let client = Client::connect(settings).await.unwrap();
    for _ in 0..20 {
        let _ = client.keys().rotate(&key(), None).await;
    }
    let keys: std::collections::BTreeSet<_> =
        server.seen().iter().map(|seen| seen.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 20);
    assert!(keys.iter().all(|key| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit())));
}
