//! What one user of keys was told, and whether it still holds.
//!
//! Each worker has rings of its own and one request under way at a time, so that its ledger is exact: everything that
//! was acknowledged, and at most one change in doubt. A change in doubt happened once or not at all; sent again under
//! its idempotency key, it has happened once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wardkeep_client::data_keys::{new_data_key, opened_data_key};
use wardkeep_client::wire::key::{Key, KeyState};
use wardkeep_client::wire::ring::{CreateRing, Ring};
use wardkeep_client::{CallError, Client, EncryptionContext, KeyId, Paging, RequestId, RingName};

use crate::chance::Chance;
use crate::home::is_in_doubt;
use crate::step::Step;

/// Keys that a worker has at most.
const MAX_KEYS: usize = 40;
/// Wrapped keys of former cycles that are opened again after each.
const SAMPLE: usize = 100;

/// A worker's ledger.
pub(crate) struct Ledger {
    name: String,
    chance: Chance,
    counter: u64,
    rings: BTreeMap<String, Ring>,
    keys: BTreeMap<String, Key>,
    wrapped: Vec<Wrapped>,
    /// How many of `wrapped` were checked before.
    checked: usize,
    doubt: Option<Doubt>,
    requests: Vec<String>,
}

/// A data key that was given out.
#[derive(Clone)]
struct Wrapped {
    key: String,
    version: u32,
    wrapped: Vec<u8>,
    plaintext: Vec<u8>,
}

/// A change whose answer never came.
enum Doubt {
    Key { id: KeyId, step: Step, idempotency: String },
    RingMade(String),
    RingGone(String),
}

impl Ledger {
    /// A worker's empty ledger.
    pub(crate) fn new(name: String, chance: Chance) -> Self {
        Self {
            name,
            chance,
            counter: 0,
            rings: BTreeMap::new(),
            keys: BTreeMap::new(),
            wrapped: Vec::new(),
            checked: 0,
            doubt: None,
            requests: Vec::new(),
        }
    }

    /// Ids of the requests acknowledged since the last time.
    pub(crate) fn take_requests(&mut self) -> Vec<String> {
        std::mem::take(&mut self.requests)
    }

    /// How many keys and wrapped keys it holds.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.keys.len(), self.wrapped.len())
    }

    /// Works until the server is gone, or `stop`.
    pub(crate) async fn work(mut self, client: Client, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            if let Err(error) = self.turn(&client).await {
                assert!(is_in_doubt(&error), "{}: a legal request was refused: {error}", self.name);
                break;
            }
        }
        self
    }

    /// One request, which the caller wants to succeed.
    pub(crate) async fn turn(&mut self, client: &Client) -> Result<(), CallError> {
        let usable: Vec<_> = self.keys.values().filter(|key| is_usable(key)).map(|key| key.key.clone()).collect();
        match self.chance.below(100) {
            _ if self.rings.is_empty() => self.make_ring(client).await,
            0..=1 => self.make_ring(client).await,
            2 => self.delete_ring(client).await,
            3..=14 if self.keys.len() < MAX_KEYS => self.make_key(client).await,
            _ if usable.is_empty() && self.keys.len() < MAX_KEYS => self.make_key(client).await,
            15..=44 if !usable.is_empty() => self.generate(client, &usable).await,
            45..=49 if !usable.is_empty() => self.generate_batch(client, &usable).await,
            50..=64 => self.unwrap(client).await,
            65..=74 => self.describe(client).await,
            _ => self.change(client).await,
        }
    }

    /// The client under a fresh request id, and that id.
    fn named(&mut self, client: &Client) -> (Client, String) {
        self.counter += 1;
        let id = format!("{}-{}", self.name, self.counter);
        (client.with_request_id(RequestId::new(&id).unwrap()), id)
    }

    async fn make_ring(&mut self, client: &Client) -> Result<(), CallError> {
        let (client, request) = self.named(client);
        let name = format!("{}-r{}", self.name, self.counter);
        self.doubt = Some(Doubt::RingMade(name.clone()));
        let made = client.rings().create(&CreateRing { name: name.clone(), labels: BTreeMap::new() }).await?;
        self.rings.insert(name, made);
        self.acknowledged(request);
        Ok(())
    }

    /// Deletes a ring that never held a key; a worker keeps its first.
    async fn delete_ring(&mut self, client: &Client) -> Result<(), CallError> {
        let (client, request) = self.named(client);
        let holds = |ring: &str| self.keys.keys().any(|key| key.split('/').next() == Some(ring));
        let Some(name) = self.rings.keys().skip(1).find(|ring| !holds(ring)).cloned() else { return Ok(()) };
        self.doubt = Some(Doubt::RingGone(name.clone()));
        client.rings().delete(&ring_name(&name), None).await?;
        self.rings.remove(&name);
        self.acknowledged(request);
        Ok(())
    }

    async fn make_key(&mut self, client: &Client) -> Result<(), CallError> {
        let rings: Vec<_> = self.rings.keys().cloned().collect();
        let Some(ring) = self.chance.one(&rings) else { return Ok(()) };
        let id = KeyId::parse(&format!("{ring}/k{}", self.counter)).unwrap();
        let step = Step::creation(&mut self.chance);
        self.step(client, id, step).await
    }

    async fn change(&mut self, client: &Client) -> Result<(), CallError> {
        let keys: Vec<_> = self.keys.values().cloned().collect();
        let Some(key) = self.chance.one(&keys) else { return Ok(()) };
        let step = Step::draw(&mut self.chance, key);
        self.step(client, KeyId::parse(&key.key).unwrap(), step).await
    }

    async fn step(&mut self, client: &Client, id: KeyId, step: Step) -> Result<(), CallError> {
        let (client, request) = self.named(client);
        let idempotency = request.clone();
        let client = client.with_idempotency_key(&idempotency);
        self.doubt = Some(Doubt::Key { id: id.clone(), step: step.clone(), idempotency });
        let before = self.keys.get(id.as_str());
        let after = step.ask(&client, &id, before).await?;
        assert!(step.led(before, &after), "{step:?} led from {before:?} to {after:?}");
        self.keys.insert(id.to_string(), after);
        self.acknowledged(request);
        Ok(())
    }

    async fn generate(&mut self, client: &Client, usable: &[String]) -> Result<(), CallError> {
        let Some(key) = self.chance.one(usable) else { return Ok(()) };
        let (client, request) = self.named(client);
        let made = client.data_keys().generate(&new_data_key(&KeyId::parse(key).unwrap(), &context())).await?;
        self.keep(made);
        self.acknowledged(request);
        Ok(())
    }

    async fn generate_batch(&mut self, client: &Client, usable: &[String]) -> Result<(), CallError> {
        let items = (0..8).filter_map(|_| self.chance.one(usable).map(|key| KeyId::parse(key).unwrap()));
        let items = items.map(|key| new_data_key(&key, &context())).collect();
        let (client, request) = self.named(client);
        let mut kept = 0;
        for made in client.data_keys().generate_batch(items).await? {
            match made {
                Ok(made) => {
                    self.keep(made);
                    kept += 1;
                }
                // The disk failed between two items: those before it are acknowledged, this one is not.
                Err(refusal) if refusal.code == "store-unavailable" => {}
                Err(refusal) => panic!("{}: a legal item was refused: {refusal:?}", self.name),
            }
        }
        if kept > 0 {
            self.acknowledged(request);
        }
        Ok(())
    }

    fn keep(&mut self, made: wardkeep_client::wire::data_key::DataKey) {
        let plaintext = made.plaintext.unwrap().expose().to_vec();
        self.wrapped.push(Wrapped { key: made.key, version: made.version, wrapped: made.wrapped.0, plaintext });
    }

    async fn unwrap(&mut self, client: &Client) -> Result<(), CallError> {
        let Some(one) = self.chance.one(&self.wrapped).cloned() else { return Ok(()) };
        let (client, request) = self.named(client);
        let answer = client.data_keys().unwrap(&opened_data_key(&one.wrapped, &context(), None)).await;
        if !self.opens(&one) {
            match answer {
                Err(error) if is_in_doubt(&error) => return Err(error),
                Err(CallError::Conflict(_)) => {}
                Err(error) => panic!("{} v{}: {error}", one.key, one.version),
                Ok(_) => panic!("{} v{} opened in a state that forbids it", one.key, one.version),
            }
        } else {
            assert!(answer?.plaintext.unwrap().expose() == one.plaintext, "another plaintext came out");
        }
        self.acknowledged(request);
        Ok(())
    }

    async fn describe(&mut self, client: &Client) -> Result<(), CallError> {
        let keys: Vec<_> = self.keys.values().cloned().collect();
        let Some(key) = self.chance.one(&keys) else { return Ok(()) };
        let (client, request) = self.named(client);
        assert_eq!(client.keys().describe(&KeyId::parse(&key.key).unwrap()).await?, *key);
        self.acknowledged(request);
        Ok(())
    }

    fn acknowledged(&mut self, request: String) {
        self.requests.push(request);
        self.doubt = None;
    }

    /// Whether the state of its version lets a wrapped key be opened.
    fn opens(&self, one: &Wrapped) -> bool {
        let Some(key) = self.keys.get(&one.key) else { panic!("{} is in no ledger", one.key) };
        let state = key.versions[one.version as usize - 1].state;
        key.destroy_after.is_none() && !matches!(state, KeyState::Suspended | KeyState::PreActivation)
    }

    /// After a restart: everything acknowledged holds, and the change in doubt happened once or not at all.
    pub(crate) async fn check(&mut self, client: &Client) {
        self.settle(client).await;
        let rings = all_rings(client, &self.name).await;
        assert_eq!(rings, self.rings, "{}: the rings", self.name);
        for ring in rings.keys() {
            let found = keys_in(client, ring).await;
            let expected: BTreeMap<_, _> =
                self.keys.iter().filter(|(id, _)| id.split('/').next() == Some(ring)).collect();
            assert_eq!(found.iter().collect::<BTreeMap<_, _>>(), expected, "{}: keys of {ring}", self.name);
        }
        let old = (0..SAMPLE.min(self.checked)).map(|_| self.chance.below(self.checked)).collect::<Vec<_>>();
        let chosen: Vec<_> = old.into_iter().chain(self.checked..self.wrapped.len()).collect();
        for some in chosen.chunks(100) {
            let some: Vec<_> = some.iter().map(|at| self.wrapped[*at].clone()).collect();
            let items = some.iter().map(|one| opened_data_key(&one.wrapped, &context(), None)).collect();
            let answers = client.data_keys().unwrap_batch(items).await.unwrap();
            for (one, answer) in some.iter().zip(answers) {
                match answer {
                    Ok(opened) => {
                        assert!(self.opens(one), "{} v{} opens again", one.key, one.version);
                        assert!(opened.plaintext.unwrap().expose() == one.plaintext, "another plaintext came out");
                    }
                    Err(refusal) => {
                        assert!(!self.opens(one), "{} v{} no longer opens: {refusal}", one.key, one.version);
                        assert_eq!(refusal.status, 409, "{refusal}");
                    }
                }
            }
        }
        self.checked = self.wrapped.len();
    }

    /// Finds out what became of the change in doubt.
    async fn settle(&mut self, client: &Client) {
        match self.doubt.take() {
            None => {}
            Some(Doubt::RingMade(name)) => match client.rings().describe(&ring_name(&name)).await {
                Ok(ring) => drop(self.rings.insert(name, ring)),
                Err(error) => assert!(is_absent(&error), "{error}"),
            },
            Some(Doubt::RingGone(name)) => match client.rings().describe(&ring_name(&name)).await {
                Ok(ring) => assert_eq!(Some(&ring), self.rings.get(&name)),
                Err(error) => {
                    assert!(is_absent(&error), "{error}");
                    self.rings.remove(&name);
                }
            },
            Some(Doubt::Key { id, step, idempotency }) => {
                let before = self.keys.get(id.as_str());
                let found = match client.keys().describe(&id).await {
                    Ok(found) => Some(found),
                    Err(error) => {
                        assert!(is_absent(&error) && before.is_none(), "{id}: {error}");
                        None
                    }
                };
                let happened = found.as_ref().is_some_and(|found| step.led(before, found));
                assert!(happened || found.as_ref() == before, "{step:?} of {before:?} left {found:?}");
                // Also where its `If-Match` is of the revision before: a replay is recognised first.
                let again = step.ask(&client.with_idempotency_key(&idempotency), &id, before).await;
                let after = again.unwrap_or_else(|error| panic!("{step:?} sent again: {error}"));
                assert!(step.led(before, &after), "{step:?} sent again led from {before:?} to {after:?}");
                self.keys.insert(id.to_string(), after);
            }
        }
    }
}

fn is_usable(key: &Key) -> bool {
    key.destroy_after.is_none() && key.versions.last().is_some_and(|newest| newest.state == KeyState::Active)
}

/// An identity that may see a thing is told that it is not there; the same answer as a denial otherwise.
fn is_absent(error: &CallError) -> bool {
    matches!(error, CallError::NotFound(_) | CallError::Denied(_))
}

fn context() -> EncryptionContext {
    EncryptionContext::new(BTreeMap::from([("purpose".to_owned(), "crash".to_owned())]), None).unwrap()
}

fn ring_name(name: &str) -> RingName {
    RingName::new(name).unwrap()
}

async fn all_rings(client: &Client, of: &str) -> BTreeMap<String, Ring> {
    let mut found = BTreeMap::new();
    let mut paging = Paging { limit: Some(500), cursor: None };
    loop {
        let page = client.rings().list(&paging).await.unwrap();
        let own = page.items.into_iter().filter(|ring| ring.name.starts_with(&format!("{of}-")));
        found.extend(own.map(|ring| (ring.name.clone(), ring)));
        paging.cursor = page.next;
        if paging.cursor.is_none() {
            return found;
        }
    }
}

async fn keys_in(client: &Client, ring: &str) -> BTreeMap<String, Key> {
    let mut found = BTreeMap::new();
    let mut paging = Paging { limit: Some(500), cursor: None };
    loop {
        let page = client.keys().list(Some(&ring_name(ring)), &paging).await.unwrap();
        found.extend(page.items.into_iter().map(|key| (key.key.clone(), key)));
        paging.cursor = page.next;
        if paging.cursor.is_none() {
            return found;
        }
    }
}
