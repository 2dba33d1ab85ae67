//! A real server over a real store in a temporary folder, and the people in it.
//!
//! Nothing is stubbed: the folder is made as `server init` makes it, people enrol through the enrolment listener, and
//! every request goes through TLS. Only the clock can be put forward.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wardkeep_model::{Clock, Identity, Timestamp};
use wardkeep_policy::BundleSource;
use wardkeep_server::admin::provision::{self, Founding, Ground};
use wardkeep_server::ca::AuthoritySettings;
use wardkeep_server::config::Config;
use wardkeep_server::start::Surroundings;
use wardkeep_server::state::App;
use wardkeep_server::system::{SystemClock, SystemEntropy};
use wardkeep_server::{Running, Server};
use wardkeep_store::sqlite::{Opened, Options, SqliteStore};
use wardkeep_store::{OpenError, RootKey, Store};

use crate::ask::{Answer, Ask};
use crate::person::{Credential, NoAnswer, Person};

/// The trust domain of every house.
pub const DOMAIN: &str = "house.test";

/// The system's clock, put forward by hand.
#[derive(Debug, Default)]
pub struct HouseClock(AtomicU64);

impl Clock for HouseClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_millis(self.0.load(Ordering::Relaxed))
    }
}

impl HouseClock {
    /// Puts the clock forward.
    pub fn forward(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

/// A server and its folder.
pub struct House {
    /// The folder that holds data, head and root key.
    pub folder: TempDir,
    /// Its clock.
    pub clock: Arc<HouseClock>,
    /// The first administrator: holds all four roles, and may use no key.
    pub admin: Person,
    config: Config,
    roots: RootCertStore,
    running: Option<Running>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}

impl House {
    /// Under the bundle of the tests, with a key of each usage in the rings `mine` and `theirs`.
    pub async fn furnished() -> Self {
        let house = Self::new().await;
        for ring in ["mine", "theirs"] {
            house.ring(ring).await;
            house.key(&format!("{ring}/wrap"), "aes-256-gcm", "wrap").await;
            house.key(&format!("{ring}/seal"), "aes-256-gcm", "encrypt").await;
            house.key(&format!("{ring}/sign"), "ed25519", "sign").await;
        }
        house
    }

    /// Under the bundle of the tests, empty.
    pub async fn new() -> Self {
        Self::with(crate::bundle::tested(), |_| {}).await
    }

    /// Under a bundle of choice, with a changed configuration.
    pub async fn with(bundle: BundleSource, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("head")).unwrap();
        let mut config = Config::default();
        config.storage.data = folder.path().join("data");
        config.storage.head = Some(folder.path().join("head").join("head"));
        config.storage.audit_reserve_bytes = 1 << 20;
        config.identity.trust_domain = DOMAIN.to_owned();
        config.rate_limit.enrolments_per_minute = 60_000;
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        (config.listen.api, config.listen.enrol, config.listen.ops) = (free, Some(free), free);
        change(&mut config);
        config.check().unwrap();

        let clock = Arc::new(HouseClock::default());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::create(options(&config, &clock)).unwrap());
        let ground = Ground {
            store: store.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SystemEntropy),
            kinds: config.identity.kinds.clone(),
            authority: AuthoritySettings { trust_domain: DOMAIN.to_owned(), ca: config.ca.clone() },
        };
        let administrator = Identity::new(DOMAIN, "user", "admin").unwrap();
        let founding = Founding { administrator, bundle, token_life_millis: None };
        let made = provision::init(&ground, founding).await.unwrap();
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(made.ca_pem.unwrap().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let running = start(&config, store, &clock).await;
        let admin = Person::new("", "", None, roots.clone());
        let mut house = Self { folder, clock, admin, config, roots, running: Some(running) };
        house.admin = house.enrol(&made.token.unwrap().text).await;
        house
    }

    /// The running server.
    #[must_use]
    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// What its requests share.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.running().app
    }

    /// Where the API listens.
    #[must_use]
    pub fn api(&self) -> SocketAddr {
        self.running().api
    }

    /// Stops the server in good order.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }

    /// Puts the clock forward, once the head file knows the newest commit: what it has not yet been told of would be
    /// that much older all at once, and changes would be refused.
    pub async fn forward(&self, by: Duration) {
        while self.app().store.health().head_age_millis > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.clock.forward(by);
    }

    /// Opens the folder of a stopped server, with every check of a start.
    ///
    /// # Errors
    /// What the store finds.
    pub fn open(&self) -> Result<(SqliteStore, Opened), OpenError> {
        SqliteStore::open(options(&self.config, &self.clock))
    }

    /// Starts a stopped server again.
    pub async fn start(&mut self) {
        let (store, _) = self.open().unwrap();
        self.running = Some(start(&self.config, Arc::new(store), &self.clock).await);
    }

    /// The head file.
    #[must_use]
    pub fn head_file(&self) -> PathBuf {
        self.config.storage.head.clone().unwrap()
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.config.storage.data.clone()
    }

    /// Every byte that lies in the folder: database, its log, reserve, heads.
    #[must_use]
    pub fn disk(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut found, mut open) = (Vec::new(), vec![self.folder.path().to_owned()]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    found.push((path, bytes));
                }
            }
        }
        found
    }

    /// Sends a request, which has to be answered.
    #[track_caller]
    pub fn ask(&self, who: &Person, ask: Ask) -> impl Future<Output = Answer> {
        let caller = std::panic::Location::caller();
        async move {
            match self.try_ask(who, &ask).await {
                Ok(answer) => answer,
                Err(NoAnswer(why)) => panic!("{caller}: {} {}: {why}", ask.method, ask.path),
            }
        }
    }

    /// Sends a request that may not be answered at all.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn try_ask(&self, who: &Person, ask: &Ask) -> Result<Answer, NoAnswer> {
        who.send(self.api(), ask).await
    }

    /// `GET`
    #[track_caller]
    pub fn get(&self, who: &Person, path: &str) -> impl Future<Output = Answer> {
        self.ask(who, Ask::get(path))
    }

    /// `POST` of JSON.
    #[track_caller]
    pub fn post(&self, who: &Person, path: &str, body: Value) -> impl Future<Output = Answer> {
        self.ask(who, Ask::post(path, body))
    }

    /// `GET` of the plain listener: status and text.
    pub async fn ops(&self, path: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(self.running().ops).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Somebody who shows no certificate.
    #[must_use]
    pub fn nobody(&self) -> Person {
        Person::new("", "", None, self.roots.clone())
    }

    /// Somebody who shows a certificate of the test's choosing.
    #[must_use]
    pub fn stranger(&self, identity: &str, credential: Credential) -> Person {
        Person::new(identity, "", Some(credential), self.roots.clone())
    }

    /// Redeems a token through the enrolment listener.
    pub async fn enrol(&self, token: &str) -> Person {
        let (key_pem, answer) = self.try_enrol(token, &csr_params(None)).await;
        person_of(answer.ok(), key_pem, self.roots.clone())
    }

    /// Redeems a token with a certificate request of the test's choosing, and gives the key beside the answer.
    pub async fn try_enrol(&self, token: &str, request: &rcgen::CertificateParams) -> (String, Answer) {
        let (csr_pem, key_pem) = csr(request);
        let ask = Ask::post("/v1/enrol", json!({"token": token, "csr_pem": csr_pem}));
        let enrol = self.running().enrol.unwrap();
        (key_pem, self.nobody().send_anew(enrol, &ask).await.unwrap())
    }

    /// Renews somebody's certificate: who they are with the new one.
    pub async fn renew(&self, who: &Person) -> Person {
        let (csr_pem, key_pem) = csr(&csr_params(None));
        let answer = self.post(who, "/v1/certificates/renew", json!({"csr_pem": csr_pem})).await;
        person_of(answer.ok(), key_pem, self.roots.clone())
    }

    /// A token for an identity, issued by somebody.
    pub async fn token(&self, by: &Person, kind: &str, name: &str) -> Answer {
        self.post(by, "/v1/tokens", json!({"identity": identity(kind, name)})).await
    }

    /// Writes an entity with these parents, as the administrator.
    pub async fn entity(&self, kind: &str, name: &str, parents: &[(&str, &str)]) -> Answer {
        let parents: Vec<Value> = parents.iter().map(|(kind, id)| json!({"type": kind, "id": id})).collect();
        let entity = json!({"uid": {"type": kind, "id": name}, "parents": parents});
        self.post(&self.admin, "/v1/entities", json!({"entities": [entity]})).await
    }

    /// Gives a user of these groups an entity and a certificate.
    pub async fn user(&self, name: &str, groups: &[&str]) -> Person {
        self.admit("user", "User", name, groups).await
    }

    /// The same for a program.
    pub async fn service(&self, name: &str, groups: &[&str]) -> Person {
        self.admit("service", "Service", name, groups).await
    }

    async fn admit(&self, kind: &str, entity: &str, name: &str, groups: &[&str]) -> Person {
        let groups: Vec<(&str, &str)> = groups.iter().map(|group| ("Group", *group)).collect();
        let _written = self.entity(entity, name, &groups).await.ok();
        let token = self.token(&self.admin, kind, name).await.ok();
        self.enrol(token["token"].as_str().unwrap()).await
    }

    /// Makes a ring.
    pub async fn ring(&self, name: &str) {
        let _made = self.post(&self.admin, "/v1/rings", json!({"name": name})).await.ok();
    }

    /// Makes a key.
    pub async fn key(&self, key: &str, spec: &str, usage: &str) {
        let _made = self.post(&self.admin, "/v1/keys", json!({"key": key, "spec": spec, "usage": usage})).await.ok();
    }

    /// Gives a control role.
    pub async fn grant(&self, role: &str, name: &str) -> Answer {
        self.ask(&self.admin, Ask::new(http::Method::PUT, member(role, name))).await
    }

    /// The whole audit log, each record's event.
    pub async fn log(&self) -> Vec<Value> {
        let store = self.app().store.clone();
        let records = store.audit(1, usize::MAX >> 1).unwrap();
        records.iter().map(|record| serde_json::from_str(&record.line).unwrap()).collect()
    }
}

/// `/v1/roles/{role}/members/User/{name}`
#[must_use]
pub fn member(role: &str, name: &str) -> String {
    format!("/v1/roles/{role}/members/User/{name}")
}

/// `spiffe://house.test/{kind}/{name}`
#[must_use]
pub fn identity(kind: &str, name: &str) -> String {
    format!("spiffe://{DOMAIN}/{kind}/{name}")
}

/// Base64 as the API writes it.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a base64 member.
#[must_use]
#[track_caller]
pub fn bytes(member: &Value) -> Vec<u8> {
    STANDARD.decode(member.as_str().unwrap()).unwrap()
}

/// Parameters of a certificate request, naming somebody in its SAN if so asked.
#[must_use]
pub fn csr_params(names: Option<&str>) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names.extend(names.map(|uri| rcgen::SanType::URI(uri.try_into().unwrap())));
    params
}

/// A certificate request and its key, PEM.
#[must_use]
pub fn csr(params: &rcgen::CertificateParams) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    (params.serialize_request(&key).unwrap().pem().unwrap(), key.serialize_pem())
}

fn person_of(issued: Value, key_pem: String, roots: RootCertStore) -> Person {
    let text = |name: &str| issued[name].as_str().unwrap();
    let chain_pem = format!("{}{}", text("certificate_pem"), text("chain_pem"));
    Person::new(text("identity"), text("serial"), Some(Credential { chain_pem, key_pem }), roots)
}

async fn start(config: &Config, store: Arc<dyn Store>, clock: &Arc<HouseClock>) -> Running {
    let around = Surroundings { clock: clock.clone(), entropy: Arc::new(SystemEntropy), config_path: None };
    Server::start(config.clone(), store, around).await.unwrap()
}

fn options(config: &Config, clock: &Arc<HouseClock>) -> Options {
    Options {
        folder: config.storage.data.clone(),
        root_key: RootKey::from_bytes([0x5a; 32]),
        head: config.storage.head.clone(),
        accept_rollback: false,
        clock: clock.clone(),
        entropy: Arc::new(SystemEntropy),
        reserve_bytes: config.storage.audit_reserve_bytes,
        on_fatal: Arc::new(|why| tracing::error!(why, "the store failed")),
    }
}
