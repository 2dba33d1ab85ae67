//! A house for tests: a whole server over a store in memory, asked in process with peers of the test's choosing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use wardkeep_model::{CertificateSerial, Clock, EntityUid, Identity, RequestId, Timestamp};
use wardkeep_policy::BundleSource;
use wardkeep_store::{MemoryStore, Store};

use crate::admin::provision::{self, Founding, Ground};
use crate::ca::{AuthoritySettings, Enrolment, Issued};
use crate::config::Config;
use crate::peer::Peer;
use crate::state::App;
use crate::system::{SystemClock, SystemEntropy};
use crate::{Running, Server};

pub(crate) const DOMAIN: &str = "clinic.test";

/// A server that answers in process.
pub(crate) struct House {
    pub(crate) app: Arc<App>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) router: Router,
    /// The first administrator's peer, enrolled.
    pub(crate) ana: Arc<Peer>,
    running: Option<Running>,
}

/// A clock that stands at the moment of its making until it is moved.
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(SystemClock.now().millis())))
    }

    pub(crate) fn move_days(&self, days: u64) {
        self.0.fetch_add(days * 86_400_000, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.strip_prefix("urn:wardkeep:problem:")).unwrap_or("-")
    }

    /// Status and problem code at once, for comparing.
    pub(crate) fn said(&self) -> (u16, &str) {
        (self.status.as_u16(), self.code())
    }

    pub(crate) fn etag(&self) -> String {
        self.headers["etag"].to_str().unwrap().to_owned()
    }
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.identity.trust_domain = DOMAIN.to_owned();
    let free = "127.0.0.1:0".parse().unwrap();
    (config.listen.api, config.listen.enrol, config.listen.ops) = (free, Some(free), free);
    config
}

pub(crate) fn identity(kind: &str, name: &str) -> Identity {
    Identity::new(DOMAIN, kind, name).unwrap()
}

pub(crate) fn user(name: &str) -> EntityUid {
    EntityUid::new("User", name).unwrap()
}

pub(crate) fn ground(store: &Arc<dyn Store>, config: &Config) -> Ground {
    Ground {
        store: store.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        kinds: config.identity.kinds.clone(),
        authority: AuthoritySettings { trust_domain: DOMAIN.to_owned(), ca: config.ca.clone() },
    }
}

/// A certificate request with a key of its own.
pub(crate) fn csr() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap()
}

impl House {
    /// Under the bundle of `wardkeep dev`.
    pub(crate) async fn new() -> Self {
        Self::with(config(), BundleSource::dev()).await
    }

    pub(crate) async fn with(config: Config, bundle: BundleSource) -> Self {
        Self::at(config, bundle, Arc::new(SystemClock)).await
    }

    pub(crate) async fn at(config: Config, bundle: BundleSource, clock: Arc<dyn Clock>) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone(), Arc::new(SystemEntropy)).unwrap());
        let administrator = identity("user", "ana");
        let founding = Founding { administrator, bundle, token_life_millis: None };
        let ground = Ground { clock: clock.clone(), ..ground(&store, &config) };
        let made = provision::init(&ground, founding).await.unwrap();
        let around = crate::start::Surroundings { clock, ..crate::start::Surroundings::default() };
        let running = Server::start(config, store.clone(), around).await.unwrap();
        let app = running.app.clone();
        let token = made.token.unwrap();
        let issued = enrol(&app, &token.text).await;
        let ana = peer_of(&app, &issued);
        Self { router: crate::http::api_router(app.clone()), app, store, ana, running: Some(running) }
    }

    /// Somebody with a certificate and an entity, and no rights.
    pub(crate) async fn newcomer(&self, name: &str) -> Arc<Peer> {
        let entity = serde_json::json!({"entities": [{"uid": {"type": "User", "id": name}}]});
        assert_eq!(self.ask(&self.ana, Method::POST, "/v1/entities", entity).await.status, 200);
        self.certified(name).await
    }

    /// A certificate by a token of Ana's.
    pub(crate) async fn certified(&self, name: &str) -> Arc<Peer> {
        let asked = serde_json::json!({"identity": identity("user", name).to_string()});
        let token = self.ask(&self.ana, Method::POST, "/v1/tokens", asked).await;
        assert_eq!(token.status, 201, "{}", token.body);
        let issued = enrol(&self.app, token.body["token"].as_str().unwrap()).await;
        peer_of(&self.app, &issued)
    }

    pub(crate) async fn ask(&self, peer: &Arc<Peer>, method: Method, path: &str, body: Value) -> Answer {
        self.ask_with(peer, method, path, body, &[]).await
    }

    pub(crate) async fn get(&self, peer: &Arc<Peer>, path: &str) -> Answer {
        self.ask(peer, Method::GET, path, Value::Null).await
    }

    pub(crate) async fn post(&self, peer: &Arc<Peer>, path: &str, body: Value) -> Answer {
        self.ask(peer, Method::POST, path, body).await
    }

    pub(crate) async fn ask_with(
        &self,
        peer: &Arc<Peer>,
        method: Method,
        path: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).extension(peer.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Value::Null => Body::empty(),
            Value::String(raw) => Body::from(raw),
            json => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A ring and a key to work with.
    pub(crate) async fn key(&self, id: &str, spec: &str, usage: &str) {
        let ring = id.split('/').next().unwrap();
        let made = self.post(&self.ana, "/v1/rings", serde_json::json!({"name": ring})).await;
        assert!(matches!(made.status.as_u16(), 201 | 409), "{}", made.body);
        let asked = serde_json::json!({"key": id, "spec": spec, "usage": usage});
        let made = self.post(&self.ana, "/v1/keys", asked).await;
        assert_eq!(made.status, 201, "{}", made.body);
    }

    /// Outcomes of the audit log, as `action outcome`.
    pub(crate) fn log(&self) -> Vec<String> {
        let records = self.store.audit(1, 10_000).unwrap();
        let line = |record: wardkeep_store::AuditRecord| {
            let event = record.event().unwrap();
            format!("{} {}", event.action, event.outcome)
        };
        records.into_iter().map(line).collect()
    }

    pub(crate) async fn stop(mut self) -> Arc<dyn Store> {
        self.running.take().unwrap().shutdown().await;
        self.store
    }
}

pub(crate) async fn enrol(app: &Arc<App>, token: &str) -> Issued {
    let admission = crate::admin::PolicyAdmission(app.engine.clone());
    let request = RequestId::new("enrolment").unwrap();
    app.authority.enrol(Enrolment { token, csr_pem: &csr(), request }, &admission).await.unwrap()
}

fn peer_of(app: &App, issued: &Issued) -> Arc<Peer> {
    Arc::new(Peer {
        identity: issued.record.identity.clone(),
        serial: issued.record.serial.clone(),
        issuer_digest: app.authority.issuer_digest().unwrap(),
        not_before: issued.record.not_before,
        not_after: issued.record.not_after,
    })
}

/// A peer whose identity nobody has heard of.
pub(crate) fn stranger(kind: &str, name: &str) -> Arc<Peer> {
    Arc::new(Peer {
        identity: identity(kind, name),
        serial: CertificateSerial::parse("abcdef").unwrap(),
        issuer_digest: [9; 32],
        not_before: Timestamp::from_millis(0),
        not_after: Timestamp::from_millis(u64::MAX / 2),
    })
}
