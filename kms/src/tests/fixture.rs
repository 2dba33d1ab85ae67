//! A service over a store in memory, with a real policy engine beside it: permits come from decisions, as in
//! production, so that these tests cannot do what a caller could not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use wardkeep_model::{
    Action, Attributes, BindingDigest, Caller, Clock, EncryptionContext, EntityUid, Entropy, EntropyError, KeyFacts,
    KeyId, KeySpec, KeyUsage, Permit, RequestId, ResourceBinding, RingName, Timestamp, Value, action,
};
use wardkeep_policy::{
    BundleSource, Engine, EntityChange, EntityRecord, IdentityMap, Question, Refusal, Resource, Snapshot,
};
use wardkeep_store::{AuditRecord, MemoryStore, RecordedEvent, Store};

use crate::service::{
    DataKey, DeletionPlan, GenerateDataKey, KeyInfo, Kms, NewKey, NewRing, Precondition, Settings, UnwrapDataKey,
    Unwrapped,
};
use crate::{AuthorityPlan, KmsError, RecipientKey};

/// Everybody's rules: `ana` may do all, on records of her own; `bob` may do all but use what is compromised, and
/// has no record. `app` acts for both and has user keys issued for them; `root` holds a control role and nothing else.
const POLICIES: &str = r#"
@id("all-on-keys")
permit (principal in Group::"staff", action, resource)
unless {
  action in [Wardkeep::Action::"UseCompromisedKey", Wardkeep::Action::"IssueUserKeyFor"] || resource is Record
};
@id("app-acts-for-users")
permit (principal == Service::"app", action == Wardkeep::Action::"actFor", resource is User);
@id("app-has-keys-issued")
permit (principal == Service::"app", action == Wardkeep::Action::"IssueUserKeyFor", resource);
@id("ana-uses-compromised")
permit (principal == User::"ana", action == Wardkeep::Action::"UseCompromisedKey", resource);
@id("own-records")
permit (principal, action in [Action::"create", Action::"read"], resource is Record)
when { resource has owner && resource.owner == principal };
"#;

const SCHEMA: &str = r#"
entity Group;
entity User in [Group] = { dept?: String, level?: Long };
entity Service;
entity Record = { owner?: User, level?: Long };
action "create", "read" appliesTo { principal: [User], resource: [Record], context: {} };
"#;

/// Two authorities: one to use, and one that runs out of serials at the 255th.
const MANIFEST: &str = r#"
subjects = ["User"]
[resources.Record]
source = "bound"
[authorities."ring/abe"]
subjects = ["User"]
bucket = "hour"
[authorities."ring/abe".attributes]
group = { declare = "text set", ancestors = "Group" }
dept = { declare = "text", attribute = "dept" }
level = { declare = "number(8)", attribute = "level" }
user = { declare = "text", id = true }
[authorities."ring/small"]
subjects = ["User"]
bucket = "hour"
serial_bits = 8
[authorities."ring/small".attributes]
user = { declare = "text", id = true }
"#;

/// A clock that stands still until it is told.
pub(crate) struct HandClock(AtomicU64);

/// Chance that repeats: good for tests and nothing else.
pub(crate) struct FixedEntropy(Mutex<Source>);

enum Source {
    Bytes(Vec<u8>),
    Counter(u64),
}

/// The service and what surrounds it.
pub(crate) struct Fixture {
    pub(crate) kms: Kms,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) entropy: Arc<FixedEntropy>,
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_795_262_400_000)))
    }

    pub(crate) fn advance_days(&self, days: u64) {
        self.advance_millis(days * 86_400_000);
    }

    /// Puts it right, back too.
    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.millis(), Ordering::SeqCst);
    }

    pub(crate) fn advance_millis(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl FixedEntropy {
    /// These bytes, then failure.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Mutex::new(Source::Bytes(bytes.to_vec())))
    }

    /// Numbers that never repeat.
    pub(crate) fn counting() -> Self {
        Self(Mutex::new(Source::Counter(0)))
    }
}

impl Entropy for FixedEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        match &mut *self.0.lock().unwrap() {
            Source::Bytes(bytes) => {
                if bytes.len() < out.len() {
                    return Err(EntropyError);
                }
                let rest = bytes.split_off(out.len());
                out.copy_from_slice(bytes);
                *bytes = rest;
            }
            Source::Counter(counter) => {
                for chunk in out.chunks_mut(32) {
                    *counter += 1;
                    let digest = <sha2::Sha256 as sha2::Digest>::digest(counter.to_be_bytes());
                    chunk.copy_from_slice(&digest[..chunk.len()]);
                }
            }
        }
        Ok(())
    }
}

/// An empty store in memory.
pub(crate) fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(HandClock::new(), Arc::new(FixedEntropy::counting())).unwrap())
}

/// Loaded once: to validate a bundle takes a while in an unoptimised build.
fn snapshot() -> Snapshot {
    static LOADED: OnceLock<Snapshot> = OnceLock::new();
    LOADED.get_or_init(load_snapshot).clone()
}

fn load_snapshot() -> Snapshot {
    let identity = IdentityMap::new(BTreeMap::from([
        ("user".to_owned(), "User".to_owned()),
        ("service".to_owned(), "Service".to_owned()),
    ]))
    .unwrap();
    let bundle = BundleSource {
        manifest: MANIFEST.to_owned(),
        schema: SCHEMA.to_owned(),
        policies: vec![("rules.cedar".to_owned(), POLICIES.to_owned())],
        entities: None,
    };
    let snapshot = match Snapshot::new(identity, Snapshot::builtin_control_set(), &bundle, 1) {
        Ok(snapshot) => snapshot,
        Err(errors) => panic!("the fixture's bundle: {errors:?}"),
    };
    let (staff, app) = (EntityUid::new("Group", "staff").unwrap(), EntityUid::new("Service", "app").unwrap());
    let mut changes = vec![entity(staff.clone(), &[], vec![]), entity(app, &[], vec![])];
    for (name, dept, level) in [("ana", "cardiology", 5), ("bob", "surgery", 2)] {
        changes.push(entity(user(name), &[("dept", dept.into()), ("level", level.into())], vec![staff.clone()]));
    }
    changes.push(entity(user("root"), &[], vec![]));
    let snapshot = snapshot.with_entities(&changes, 2).unwrap();
    snapshot.with_role(wardkeep_policy::Role::SecurityAdmin, &user("root"), true, 3).unwrap()
}

/// An entity as a change.
pub(crate) fn entity(uid: EntityUid, attributes: &[(&str, Value)], parents: Vec<EntityUid>) -> EntityChange {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    EntityChange::Put(EntityRecord { uid, attributes, parents, tags: Attributes::new() })
}

pub(crate) fn user(name: &str) -> EntityUid {
    EntityUid::new("User", name).unwrap()
}

pub(crate) fn caller(name: &str) -> Caller {
    Caller::itself(user(name), None, RequestId::new("request-1").unwrap())
}

pub(crate) fn id(text: &str) -> KeyId {
    KeyId::parse(text).unwrap()
}

/// A context with one plain member.
pub(crate) fn context(purpose: &str) -> EncryptionContext {
    EncryptionContext::new([("purpose".to_owned(), purpose.to_owned())].into(), None).unwrap()
}

/// A context that names a record of somebody's.
pub(crate) fn record_of(owner: &str, record: &str) -> EncryptionContext {
    let attributes = Attributes::from([("owner".to_owned(), Value::Entity(user(owner)))]);
    let entity = EntityUid::new("Record", record).unwrap();
    let resource = ResourceBinding { entity, attributes: Some(attributes), parents: None };
    EncryptionContext::new(BTreeMap::new(), Some(resource)).unwrap()
}

impl Fixture {
    /// A service with the ring `ring`.
    pub(crate) async fn new() -> Self {
        let (clock, entropy) = (HandClock::new(), Arc::new(FixedEntropy::counting()));
        let store = Arc::new(MemoryStore::new(clock.clone(), entropy.clone()).unwrap());
        let engine = Arc::new(Engine::new(snapshot(), clock.clone()));
        let kms = Kms::load(store.clone(), clock.clone(), entropy.clone(), Settings::default()).unwrap();
        let fixture = Self { kms, store, clock, engine, entropy };
        fixture.ring("ring").await;
        fixture
    }

    /// The service started again over the same store.
    pub(crate) fn restarted(&self) -> Kms {
        let settings = Settings::default();
        Kms::load(self.store.clone(), self.clock.clone(), self.entropy.clone(), settings).unwrap()
    }

    pub(crate) async fn ring(&self, name: &str) {
        let name = RingName::new(name).unwrap();
        let new = NewRing { name: name.clone(), labels: BTreeMap::new() };
        self.kms.create_ring(self.ring_permit(&name), new, None).await.unwrap();
    }

    /// A permit on a ring, decided.
    pub(crate) fn ring_permit<A: Action>(&self, name: &RingName) -> Permit<A> {
        let resource = Resource::Ring { name, labels: None };
        let caller = caller("ana");
        let question = Question { caller: &caller, resource, context: None, recipient: None, compromised: false };
        self.engine.decide(&question).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// A permit on a key, decided; the attributes are those of the key where it exists.
    pub(crate) fn permit<A: Action>(&self, key: &KeyId) -> Permit<A> {
        self.decide("ana", key, None, None, false).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// A permit on a key with a context, decided.
    pub(crate) fn permit_with<A: Action>(&self, key: &KeyId, context: &EncryptionContext) -> Permit<A> {
        self.decide("ana", key, Some(context), None, false).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// Any decision on a key.
    pub(crate) fn decide<A: Action>(
        &self,
        who: &str,
        key: &KeyId,
        context: Option<&EncryptionContext>,
        recipient: Option<&RecipientKey>,
        compromised: bool,
    ) -> Result<Permit<A>, Refusal> {
        let facts = self.kms.facts(key);
        let resource = facts.as_ref().map_or(Resource::MissingKey(key), Resource::Key);
        let fingerprint = recipient.map(RecipientKey::fingerprint);
        let (caller, recipient) = (caller(who), fingerprint.as_ref());
        self.engine.decide(&Question { caller: &caller, resource, context, recipient, compromised })
    }

    pub(crate) async fn create(&self, key: &str, spec: KeySpec, usage: KeyUsage) -> KeyInfo {
        let id = id(key);
        let new = crate::NewKey { plan: self.plan(&id), ..new_key(key, spec, usage) };
        let facts = KeyFacts {
            id: id.clone(),
            usage,
            spec,
            labels: Arc::default(),
            exportable: false,
            origin: "wardkeep",
            revision: 0,
        };
        let caller = caller("ana");
        let resource = Resource::Key(&facts);
        let question = Question { caller: &caller, resource, context: None, recipient: None, compromised: false };
        let permit = self.engine.decide(&question).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        self.kms.create_key(permit, new, None).await.unwrap()
    }

    pub(crate) async fn generate(&self, key: &KeyId, context: &EncryptionContext) -> Result<DataKey, KmsError> {
        let permit = self.permit_with(key, context);
        let context = context.clone();
        let request = GenerateDataKey { key: key.clone(), context, recipient: None, plaintext: true };
        self.kms.generate_data_key(permit, request).await
    }

    pub(crate) async fn unwrap(&self, wrapped: &[u8], context: &EncryptionContext) -> Result<Unwrapped, KmsError> {
        self.unwrap_as("ana", wrapped, context, false).await
    }

    /// As the server does it: peek, decide on what was found there, unwrap.
    pub(crate) async fn unwrap_as(
        &self,
        who: &str,
        wrapped: &[u8],
        context: &EncryptionContext,
        compromised: bool,
    ) -> Result<Unwrapped, KmsError> {
        let key = self.kms.peek(wrapped)?.key;
        let permit = self
            .decide::<action::UnwrapDataKey>(who, &key, Some(context), None, compromised)
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert!(permit.binding() == Some(&BindingDigest::new(context, None)));
        let request = UnwrapDataKey { wrapped: wrapped.to_vec(), context: context.clone(), recipient: None };
        self.kms.unwrap_data_key(permit, request).await
    }

    /// What the bundle in force declares for an authority.
    pub(crate) fn plan(&self, key: &KeyId) -> Option<AuthorityPlan> {
        let snapshot = self.engine.snapshot();
        let projection = snapshot.authority(key)?;
        let terms = projection.terms();
        Some(AuthorityPlan::new(projection.schema().clone(), terms.bucket, terms.serial_bits).unwrap())
    }

    pub(crate) async fn rotate(&self, key: &KeyId) -> KeyInfo {
        self.kms.rotate_key(self.permit(key), key, Precondition::default(), None).await.unwrap()
    }

    pub(crate) async fn suspend(&self, key: &KeyId) {
        self.kms.suspend_key(self.permit(key), key, None, Precondition::default(), None).await.unwrap();
    }

    pub(crate) async fn compromise(&self, key: &KeyId) {
        self.kms.compromise_key(self.permit(key), key, None, Precondition::default(), None).await.unwrap();
    }

    pub(crate) async fn schedule(&self, key: &KeyId) {
        let plan = DeletionPlan { days: 7 };
        self.kms.schedule_deletion(self.permit(key), key, plan, Precondition::default(), None).await.unwrap();
    }

    /// Schedules, waits a week, destroys.
    pub(crate) async fn destroy(&self, key: &KeyId) {
        self.schedule(key).await;
        self.clock.advance_days(7);
        self.kms.destroy_key(self.permit(key), key, Precondition::default(), None).await.unwrap();
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn records(&self) -> Vec<AuditRecord> {
        self.store.audit(1, usize::MAX).unwrap()
    }

    pub(crate) fn last_event(&self) -> RecordedEvent {
        self.records().pop().unwrap().event().unwrap()
    }
}

pub(crate) fn new_key(key: &str, spec: KeySpec, usage: KeyUsage) -> NewKey {
    NewKey { id: id(key), spec, usage, labels: BTreeMap::new(), rotation_days: None, activate: true, plan: None }
}
