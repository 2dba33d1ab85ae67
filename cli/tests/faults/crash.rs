//! kill -9 at random moments of a mixed load.
//!
//! `WARDKEEP_CRASH_CYCLES` says how often (10), `WARDKEEP_CRASH_SEED` repeats a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;
use wardkeep_client::admin::AuditQuery;
use wardkeep_client::wire::audit::AuditStatus;
use wardkeep_client::{Client, RingName};

use crate::chance::{self, Chance};
use crate::home::{Credential, Home, runtime};
use crate::ledger::Ledger;
use crate::process::{Process, Ready};
use crate::steward::Steward;

/// Connections that use keys; one more administers.
const WORKERS: usize = 5;
/// Latest moment of a kill, in milliseconds of load.
const LATEST: usize = 1500;

/// The load on a server, and what it was told.
pub(crate) struct Load {
    ledgers: Vec<Ledger>,
    steward: Option<Steward>,
    /// The next audit record to read, and the hash before it.
    audited: (u64, Option<String>),
    acknowledged: usize,
}

impl Load {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let ledgers = (0..WORKERS).map(|at| Ledger::new(format!("w{at}"), chance.branch())).collect();
        let steward = Some(Steward::new(chance.branch()));
        Self { ledgers, steward, audited: (1, None), acknowledged: 0 }
    }

    /// How many requests were acknowledged and found in the audit log.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Makes what the next run may take away again.
    pub(crate) async fn prepare(&mut self, home: &Home, client: &Client, ready: &Ready) {
        if let Some(steward) = &mut self.steward {
            steward.prepare(home, client, ready).await;
        }
    }

    /// Lets everybody work while `meanwhile` runs, and until the server is gone or `meanwhile` is through.
    pub(crate) fn run(&mut self, runtime: &Runtime, ready: &Ready, first: &Credential, meanwhile: impl FnOnce()) {
        let stop = Arc::new(AtomicBool::new(false));
        let connect = || runtime.block_on(first.client(ready));
        let steward = self.steward.take().unwrap_or_else(|| panic!("no steward"));
        let steward = runtime.spawn(steward.work(connect(), stop.clone()));
        let workers: Vec<_> =
            self.ledgers.drain(..).map(|ledger| runtime.spawn(ledger.work(connect(), stop.clone()))).collect();
        meanwhile();
        stop.store(true, Ordering::Relaxed);
        self.ledgers = workers.into_iter().map(|worker| runtime.block_on(worker).unwrap()).collect();
        self.steward = Some(runtime.block_on(steward).unwrap());
    }

    /// After a restart: everything that was acknowledged holds, and is in the audit log.
    pub(crate) async fn check(&mut self, client: &Client, ready: &Ready) {
        let verdict = client.with_deadline(Duration::from_secs(300)).audit().verify().await.unwrap();
        assert_eq!(verdict.status, AuditStatus::Verified, "{verdict:?}");
        for ledger in &mut self.ledgers {
            ledger.check(client).await;
        }
        let mut expected: BTreeSet<String> = self.ledgers.iter_mut().flat_map(Ledger::take_requests).collect();
        if let Some(steward) = &mut self.steward {
            steward.check(client, ready).await;
            expected.extend(steward.take_requests());
        }
        self.acknowledged += expected.len();
        self.read_audit(client, &mut expected).await;
        assert!(expected.is_empty(), "{} acknowledged requests are not in the log: {expected:?}", expected.len());
    }

    /// Reads the new part of the audit log, and crosses off what it holds.
    async fn read_audit(&mut self, client: &Client, expected: &mut BTreeSet<String>) {
        let (mut from, mut hash) = self.audited.clone();
        loop {
            let page = client.audit().records(&AuditQuery { from: Some(from), limit: Some(500) }).await.unwrap();
            for record in &page.records {
                assert_eq!(record.sequence, from, "a record is missing");
                if let Some(hash) = &hash {
                    assert_eq!(record.previous, *hash, "the chain broke at {from}");
                }
                let event: Value = serde_json::from_str(&record.line).unwrap();
                expected.remove(event["request"].as_str().unwrap());
                (from, hash) = (from + 1, Some(record.hash.clone()));
            }
            // Reading is recorded itself: there is always one more, so that a short page is the last.
            if page.records.len() < 500 {
                break;
            }
        }
        self.audited = (from, hash);
    }
}

#[test]
fn crash_loses_nothing_that_was_acknowledged() {
    let cycles: u32 = std::env::var("WARDKEEP_CRASH_CYCLES").map_or(10, |text| text.parse().unwrap());
    let seed = chance::seed("WARDKEEP_CRASH_SEED");
    println!("crash: {cycles} cycles with WARDKEEP_CRASH_SEED={seed}");
    let mut chance = Chance::of(seed);
    let runtime = runtime();
    let (home, mut server, mut ready, first) = Home::running(&runtime);
    let mut load = Load::new(&mut chance);
    let mut client = runtime.block_on(first.client(&ready));
    for cycle in 1..=cycles {
        let moment = Duration::from_millis(20 + chance.below(LATEST) as u64);
        runtime.block_on(load.prepare(&home, &client, &ready));
        load.run(&runtime, &ready, &first, || {
            std::thread::sleep(moment);
            server.kill();
        });
        if chance.once_in(3) {
            // Once more in the middle of the start that mends it.
            let mut mending = Process::spawn(&mut home.command(), home.log());
            std::thread::sleep(Duration::from_millis(chance.below(300) as u64));
            mending.kill();
        }
        (server, ready) = home.start();
        client = runtime.block_on(first.client(&ready));
        runtime.block_on(load.check(&client, &ready));
        let (keys, wrapped) = load.ledgers.iter().fold((0, 0), |sum, ledger| {
            let size = ledger.size();
            (sum.0 + size.0, sum.1 + size.1)
        });
        println!(
            "crash: cycle {cycle} after {moment:?}: {} requests, {keys} keys, {wrapped} wrapped keys, {} revocations",
            load.acknowledged,
            load.steward.as_ref().map_or(0, Steward::revocations),
        );
    }
    server.stop();
    assert!(load.acknowledged > cycles as usize * 20, "{} requests are no load", load.acknowledged);
}

/// `wardkeep dev` keeps its folder through a kill, too, and has no head to compare with.
#[test]
fn crash_of_a_development_server_is_mended_in_its_folder() {
    let home = Home::empty();
    let runtime = runtime();
    let start = |name: &str| {
        let file = home.path(name);
        let mut command = crate::process::wardkeep();
        command.args(["dev", "--dir"]).arg(home.path("dev")).arg("--ready-file").arg(&file);
        let mut server = Process::spawn(&mut command, home.log());
        let found = server.wait_for(|_| serde_json::from_slice::<Value>(&std::fs::read(&file).ok()?).ok());
        let found = found.unwrap_or_else(|status| panic!("{status}: {}", server.said()));
        let word = |name: &str| found[name].as_str().unwrap().to_owned();
        let ready = Ready { api: word("address"), enrol: word("enrol"), ops: String::new() };
        (server, ready)
    };
    let (mut server, ready) = start("ready-1");
    let admin = Credential::in_folder(&home.path("dev").join("people").join("admin"));
    let mut ledger = Ledger::new("dev".to_owned(), Chance::of(1));
    runtime.block_on(async {
        let client = admin.client(&ready).await;
        for _ in 0..60 {
            ledger.turn(&client).await.unwrap();
        }
    });
    server.kill();
    let (_server, ready) = start("ready-2");
    runtime.block_on(async {
        let client = admin.client(&ready).await;
        ledger.check(&client).await;
        let verdict = client.audit().verify().await.unwrap();
        assert_eq!(verdict.status, AuditStatus::Consistent, "{verdict:?}");
        client.rings().describe(&RingName::new("never-made").unwrap()).await.unwrap_err();
    });
}

/// A first start that is cut short leaves nothing that looks like an installation and is none.
#[test]
fn crash_of_an_initialisation_is_named_at_the_next_start() {
    let seed = chance::seed("WARDKEEP_CRASH_SEED");
    println!("crash: initialisation with WARDKEEP_CRASH_SEED={seed}");
    let mut chance = Chance::of(seed);
    let (mut started, mut refused) = (0, 0);
    for _ in 0..8 {
        let home = Home::empty();
        let mut init = Process::spawn(&mut home.init_command(), home.log());
        std::thread::sleep(Duration::from_millis(chance.below(1500) as u64));
        init.kill();
        let mut server = Process::spawn(&mut home.command(), home.log());
        match server.ready() {
            Ok(_) => started += 1,
            Err(status) => {
                refused += 1;
                let said = server.said();
                assert_eq!(status.code(), Some(1), "{said}");
                let named = ["server init", "root key file", "head file"].iter().any(|word| said.contains(word));
                assert!(named && !said.contains("panicked"), "{said}");
            }
        }
    }
    println!("crash: initialisation: {started} started, {refused} were refused with a reason");
}
