//! A small world to decide in.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkeep_model::*;
use wardkeep_policy::*;

/// A clock that stands still.
pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_262_400_000)
    }
}

pub(crate) fn uid(text: &str) -> EntityUid {
    EntityUid::parse(text).unwrap()
}

pub(crate) fn identity() -> IdentityMap {
    let pairs = [("user", "User"), ("service", "Service")];
    IdentityMap::new(pairs.map(|(kind, target)| (kind.to_owned(), target.to_owned())).into()).unwrap()
}

/// A bundle of one policy file.
pub(crate) fn bundle(manifest: &str, schema: &str, policies: &str) -> BundleSource {
    BundleSource {
        manifest: manifest.to_owned(),
        schema: schema.to_owned(),
        policies: vec![("rules.cedar".to_owned(), policies.to_owned())],
        entities: None,
    }
}

pub(crate) fn load(bundle: &BundleSource) -> Result<Snapshot, PolicyErrors> {
    Snapshot::new(identity(), Snapshot::builtin_control_set(), bundle, 1)
}

/// A snapshot with users `ana`, `ben`, `root` and services `app`, `ingest`; `root` holds all roles.
pub(crate) fn world(bundle: &BundleSource) -> Snapshot {
    let mut snapshot = load(bundle).unwrap_or_else(|errors| panic!("{errors}"));
    let names = ["User::\"ana\"", "User::\"ben\"", "User::\"root\"", "Service::\"app\"", "Service::\"ingest\""];
    snapshot = snapshot.with_entities(&names.map(|name| put(name, &[])), 2).unwrap();
    for role in Role::ALL {
        snapshot = snapshot.with_role(*role, &uid("User::\"root\""), true, 3).unwrap();
    }
    snapshot
}

pub(crate) fn engine(snapshot: Snapshot) -> Engine {
    Engine::new(snapshot, Arc::new(Still))
}

pub(crate) fn record(name: &str, parents: &[&str]) -> EntityRecord {
    EntityRecord {
        uid: uid(name),
        attributes: Attributes::new(),
        parents: parents.iter().map(|parent| uid(parent)).collect(),
        tags: Attributes::new(),
    }
}

pub(crate) fn put(name: &str, parents: &[&str]) -> EntityChange {
    EntityChange::Put(record(name, parents))
}

pub(crate) fn caller(name: &str) -> Caller {
    Caller::itself(uid(name), None, RequestId::new("r-1").unwrap())
}

pub(crate) fn acting(actor: &str, subject: &str) -> Caller {
    caller(actor).on_behalf_of(uid(subject))
}

pub(crate) fn facts(id: &str) -> KeyFacts {
    KeyFacts {
        id: KeyId::parse(id).unwrap(),
        usage: KeyUsage::Wrap,
        spec: KeySpec::Aes256Gcm,
        labels: Arc::new([("team".to_owned(), "cards".to_owned())].into()),
        exportable: false,
        origin: "wardkeep",
        revision: 1,
    }
}

/// An authority.
pub(crate) fn issuing(id: &str) -> KeyFacts {
    KeyFacts { usage: KeyUsage::Issue, spec: KeySpec::FabeoBls12381, ..facts(id) }
}

pub(crate) fn plain(members: &[(&str, &str)]) -> EncryptionContext {
    let members = members.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    EncryptionContext::new(members, None).unwrap()
}

pub(crate) fn naming(name: &str, attributes: Option<&[(&str, Value)]>, parents: Option<&[&str]>) -> EncryptionContext {
    let attributes = attributes.map(|all| all.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect());
    let parents = parents.map(|all| all.iter().map(|parent| uid(parent)).collect());
    let resource = ResourceBinding { entity: uid(name), attributes, parents };
    EncryptionContext::new(BTreeMap::new(), Some(resource)).unwrap()
}

pub(crate) fn ask<'a>(
    caller: &'a Caller,
    resource: Resource<'a>,
    context: Option<&'a EncryptionContext>,
) -> Question<'a> {
    Question { caller, resource, context, recipient: None, compromised: false }
}

/// `allow`, the reason of a denial, or the code of a question error.
pub(crate) fn outcome<A: Action>(engine: &Engine, question: &Question<'_>) -> &'static str {
    match engine.decide::<A>(question) {
        Ok(_permit) => "allow",
        Err(Refusal::Denied(denied)) => denied.reason.as_str(),
        Err(Refusal::Question(error)) => error.code(),
        Err(Refusal::NotIssuable(refused)) => refused.error.code(),
    }
}

pub(crate) fn denied<A: Action>(engine: &Engine, question: &Question<'_>) -> Denied {
    match engine.decide::<A>(question) {
        Err(Refusal::Denied(denied)) => *denied,
        Err(Refusal::Question(error)) => panic!("not denied: {error}"),
        Err(Refusal::NotIssuable(refused)) => panic!("not denied: {}", refused.error),
        Ok(_permit) => panic!("allowed"),
    }
}

/// The attributes a user key would say, or how the question ends otherwise.
pub(crate) fn issued(engine: &Engine, question: &Question<'_>) -> Result<String, &'static str> {
    match engine.decide_issue(question) {
        Ok((_permit, projected)) => Ok(projected.attributes.to_string()),
        Err(Refusal::Denied(denied)) => Err(denied.reason.as_str()),
        Err(Refusal::Question(error)) => Err(error.code()),
        Err(Refusal::NotIssuable(refused)) => Err(refused.error.code()),
    }
}
