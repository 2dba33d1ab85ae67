//! What an audit record costs, all told: the line, the chain, the seal, the signature, the database.
//!
//! `cargo bench -p wardkeep-store`. The wall clock of a commit is the disk's; the figure that counts for a
//! server is processor time a record, printed first (user and system, all threads of this process).

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wardkeep_model::{
    AuditEvent, CertificateSerial, Clock, Decision, EntityUid, Entropy, EntropyError, EventDetail, RequestId, Timestamp,
};
use wardkeep_store::{Options, RootKey, SqliteStore, Store, Work};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_262_400_000)
    }
}

struct System;

impl Entropy for System {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        aws_lc_rs::rand::fill(out).map_err(|_| EntropyError)
    }
}

fn event() -> Option<AuditEvent> {
    let actor = EntityUid::new("Service", "web").ok()?;
    Some(AuditEvent {
        time: Still.now(),
        subject: EntityUid::new("User", "ana").ok()?,
        actor,
        action: "GenerateDataKey".into(),
        resource: EntityUid::new("Wardkeep::Key", "payments/card-data").ok()?,
        record: Some((EntityUid::new("Observation", "2f6b5c1e-6a55-4c1e-9a35-0d8f2f0a7e11").ok()?, "create".into())),
        decision: Decision::Allow,
        policies: vec!["service-may-protect".into(), "doctor-writes".into()],
        errors: Vec::new(),
        policy_version: 12,
        outcome: "ok",
        request: RequestId::from_random(0x1234_5678_9abc_def0),
        serial: CertificateSerial::parse("4f3a2b1c0d9e8f7a6b5c").ok(),
        detail: vec![(EventDetail::KeyVersion, "3".into()), (EventDetail::ContextDigest, "ab".repeat(32))],
    })
}

/// Processor time of this process in microseconds, its own and the kernel's for it, from the kernel's ticks.
fn processor_micros() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11);
    let mut micros = || fields.next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0) * 10_000;
    (micros(), micros())
}

/// Works of one event each, `width` of them waiting at any time.
fn load(store: &dyn Store, event: &AuditEvent, width: usize, works: usize) {
    let mut waiting = std::collections::VecDeque::with_capacity(width);
    for _ in 0..works {
        if waiting.len() == width {
            // The whole batch answers at once: take all of it, as that many connections would.
            waiting.drain(..).for_each(|commit: wardkeep_store::Commit| drop(commit.wait()));
        }
        waiting.push_back(store.commit(Work::record(vec![event.clone()])));
    }
    waiting.into_iter().for_each(|commit| drop(commit.wait()));
}

fn commits(criterion: &mut Criterion) {
    let (Ok(folder), Some(event)) = (tempfile::tempdir(), event()) else { return };
    let options = Options {
        folder: folder.path().join("data"),
        root_key: RootKey::from_bytes([1; 32]),
        head: Some(folder.path().join("head")),
        accept_rollback: false,
        clock: Arc::new(Still),
        entropy: Arc::new(System),
        reserve_bytes: 0,
        on_fatal: Arc::new(|_| ()),
    };
    let Ok(store) = SqliteStore::create(options) else { return };
    for width in [1, 16, 64] {
        let works = 200 * width;
        load(&store, &event, width, works);
        let (before, commits) = (processor_micros(), store.head().head.commit);
        load(&store, &event, width, works * 5);
        let (after, commits) = (processor_micros(), store.head().head.commit - commits);
        let records = works as f64 * 5.0;
        println!(
            "width {width}: {:.2} us of processor a record and {:.2} us in the kernel, {:.1} records a commit",
            (after.0 - before.0) as f64 / records,
            (after.1 - before.1) as f64 / records,
            records / commits as f64
        );
        let mut group = criterion.benchmark_group("commit");
        group.throughput(Throughput::Elements(width as u64)).sample_size(20);
        group.bench_function(format!("width-{width}"), |bench| bench.iter(|| load(&store, &event, width, width)));
        group.finish();
    }
    criterion.bench_function("line", |bench| bench.iter(|| wardkeep_store::audit::record::line_of(&event)));
}

criterion_group!(benches, commits);
criterion_main!(benches);
