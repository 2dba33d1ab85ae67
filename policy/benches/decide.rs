//! What one decision costs: `cargo bench -p wardkeep-policy`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark may end on a failed expectation"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use wardkeep_model::action::{DescribeKey, GenerateDataKey, UnwrapDataKey};
use wardkeep_model::*;
use wardkeep_policy::{BundleSource, Engine, IdentityMap, Question, Resource, Snapshot};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1)
    }
}

/// The clinic with its sample entities, and one rule more: the ingest service also uses keys of the ring `plain`.
fn engine() -> Engine {
    let mut bundle = BundleSource::clinic();
    bundle.entities = Some(include_str!("../../policies/clinic/entities.json").to_owned());
    let plain = r#"@id("plain") permit(principal == Service::"ingest",
        action == Wardkeep::Action::"GenerateDataKey", resource in Wardkeep::Ring::"plain");"#;
    bundle.policies.push(("plain.cedar".to_owned(), plain.to_owned()));
    let kinds = [("user", "User"), ("service", "Service")].map(|(k, t)| (k.to_owned(), t.to_owned()));
    let identity = IdentityMap::new(kinds.into()).unwrap();
    let snapshot = Snapshot::new(identity, Snapshot::builtin_control_set(), &bundle, 1).unwrap();
    Engine::new(snapshot, Arc::new(Still))
}

fn caller(name: &str) -> Caller {
    Caller::itself(EntityUid::parse(name).unwrap(), None, RequestId::new("r-1").unwrap())
}

fn facts(id: &str) -> KeyFacts {
    KeyFacts {
        id: KeyId::parse(id).unwrap(),
        usage: KeyUsage::Wrap,
        spec: KeySpec::Aes256Gcm,
        labels: Arc::default(),
        exportable: false,
        origin: "wardkeep",
        revision: 1,
    }
}

fn decisions(bench: &mut Criterion) {
    let engine = engine();
    let (ingest, doctor, admin) =
        (caller("Service::\"ingest\""), caller("User::\"dr-adams\""), caller("User::\"admin-cole\""));
    let (plain, clinic) = (facts("plain/k"), facts("clinic/records"));
    let empty = EncryptionContext::default();
    let attributes = [("kind", "Observation"), ("patient", "baker-1")];
    let attributes: Attributes = attributes.map(|(k, v)| (k.to_owned(), Value::from(v))).into();
    let entity = EntityUid::new("Resource", "Observation/1").unwrap();
    let record = ResourceBinding { entity, attributes: Some(attributes), parents: None };
    let record = EncryptionContext::new(BTreeMap::new(), Some(record)).unwrap();
    let question = |caller, facts, context| Question {
        caller,
        resource: Resource::Key(facts),
        context: Some(context),
        recipient: None,
        compromised: false,
    };
    bench.bench_function("GenerateDataKey without a record", |b| {
        let question = question(&ingest, &plain, &empty);
        assert!(engine.decide::<GenerateDataKey>(&question).is_ok());
        b.iter(|| black_box(engine.decide::<GenerateDataKey>(black_box(&question))).is_ok());
    });
    bench.bench_function("GenerateDataKey for a bound record", |b| {
        let question = question(&ingest, &clinic, &record);
        assert!(engine.decide::<GenerateDataKey>(&question).is_ok());
        b.iter(|| black_box(engine.decide::<GenerateDataKey>(black_box(&question))).is_ok());
    });
    bench.bench_function("UnwrapDataKey for a bound record", |b| {
        let question = question(&doctor, &clinic, &record);
        assert!(engine.decide::<UnwrapDataKey>(&question).is_ok());
        b.iter(|| black_box(engine.decide::<UnwrapDataKey>(black_box(&question))).is_ok());
    });
    bench.bench_function("UnwrapDataKey for a bound record, denied", |b| {
        let question = question(&admin, &clinic, &record);
        assert!(engine.decide::<UnwrapDataKey>(&question).is_err());
        b.iter(|| black_box(engine.decide::<UnwrapDataKey>(black_box(&question))).is_err());
    });
    bench.bench_function("DescribeKey", |b| {
        let question = Question { context: None, ..question(&admin, &clinic, &empty) };
        assert!(engine.decide::<DescribeKey>(&question).is_ok());
        b.iter(|| black_box(engine.decide::<DescribeKey>(black_box(&question))).is_ok());
    });
}

criterion_group!(benches, decisions);
criterion_main!(benches);
