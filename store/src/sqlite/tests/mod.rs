//! Tests of the embedded store, most of them as somebody who writes to its files.

mod columns;
mod crash;
mod disk;
mod erase;
mod heads;
mod late;
mod model;
mod openers;
mod outside;
mod reference;
mod space;
mod tamper;
mod tombs;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use wardkeep_model::AuditEvent;
use zeroize::Zeroizing;

use super::*;
use crate::testing::{self, HandClock, SeededEntropy};
use crate::{Change, CommitError, Mode, Receipt};

/// A store's folder, head path and clock; the folder ends with it.
pub(super) struct Home {
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: Arc<HandClock>,
    pub(super) root: u8,
    pub(super) with_head: bool,
    pub(super) reserve: u64,
    pub(super) fatal: Arc<AtomicU64>,
}

/// No two stores of a run are made from the same chance.
static SEED: AtomicU64 = AtomicU64::new(1);

impl Home {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: HandClock::new(),
            root: 1,
            with_head: true,
            reserve: 0,
            fatal: Arc::default(),
        }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn database(&self) -> PathBuf {
        self.data().join("state.db")
    }

    pub(super) fn head(&self) -> PathBuf {
        self.folder.path().join("head")
    }

    pub(super) fn options(&self) -> Options {
        let fatal = self.fatal.clone();
        Options {
            folder: self.data(),
            root_key: RootKey::from_bytes([self.root; 32]),
            head: self.with_head.then(|| self.head()),
            accept_rollback: false,
            clock: self.clock.clone(),
            entropy: SeededEntropy::new(SEED.fetch_add(1, Ordering::SeqCst) << 32),
            reserve_bytes: self.reserve,
            on_fatal: Arc::new(move |_| {
                fatal.fetch_add(1, Ordering::SeqCst);
            }),
        }
    }

    pub(super) fn create(&self) -> SqliteStore {
        SqliteStore::create(self.options()).unwrap()
    }

    pub(super) fn open(&self) -> SqliteStore {
        SqliteStore::open(self.options()).unwrap().0
    }

    /// What a start says that must not succeed.
    pub(super) fn refusal(&self) -> OpenError {
        SqliteStore::open(self.options()).err().expect("the store started")
    }

    /// Edits the closed database as an attacker would.
    pub(super) fn edit(&self, sql: &str) {
        let connection = Connection::open(self.database()).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
    }

    pub(super) fn copy(&self, to: &str) {
        copy_folder(&self.data(), &self.folder.path().join(to));
    }

    pub(super) fn restore(&self, from: &str) {
        std::fs::remove_dir_all(self.data()).unwrap();
        copy_folder(&self.folder.path().join(from), &self.data());
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

pub(super) fn put(table: Table, id: &str, expected: Option<u64>, value: &str) -> Change {
    Change::Put { table, id: id.into(), expected, value: Zeroizing::new(value.as_bytes().to_vec()) }
}

pub(super) fn change(store: &dyn Store, changes: Vec<Change>) -> Result<Receipt, CommitError> {
    store.commit(Work { changes, events: vec![testing::event("ana")] }).wait()
}

pub(super) fn record(store: &dyn Store, event: AuditEvent) -> Result<Receipt, CommitError> {
    store.commit(Work::record(vec![event])).wait()
}

/// Two rows and some history in every table.
pub(super) fn fill(store: &dyn Store) {
    for table in Table::ALL {
        change(store, vec![put(*table, "canary-a", None, "canary-1"), put(*table, "canary-b", None, "canary-2")])
            .unwrap();
        if *table != Table::Tombstone {
            change(store, vec![put(*table, "canary-a", Some(1), "canary-3")]).unwrap();
        }
    }
}

#[test]
fn the_embedded_store_conforms() {
    let mut homes = Vec::new();
    let mut fresh = || -> Box<dyn Store> {
        let home = Home::new();
        let store = home.create();
        homes.push(home);
        Box::new(store)
    };
    assert!(crate::conformance::all(&mut fresh).unwrap() >= 14);
}

#[test]
fn everything_is_there_after_a_restart() {
    let home = Home::new();
    let store = home.create();
    fill(&store);
    let (head, records) = (store.head(), store.audit(1, 1000).unwrap());
    drop(store);
    let (store, opened) = SqliteStore::open(home.options()).unwrap();
    assert_eq!(opened, Opened { status: Status::Verified, rollback_accepted: false, honoured_tombstones: vec![] });
    assert_eq!((store.head(), store.audit(1, 1000).unwrap()), (head, records));
    assert_eq!(store.read(Table::Material, "canary-a").unwrap().unwrap().value.as_slice(), b"canary-3");
    assert_eq!(store.verify().unwrap().status, Status::Verified);
    store.examine().unwrap();
    change(&store, vec![put(Table::Ring, "after", None, "x")]).unwrap();
}

#[test]
fn nothing_readable_lies_on_the_disk() {
    let home = Home::new();
    let store = home.create();
    fill(&store);
    let look = |when: &str| {
        for entry in std::fs::read_dir(home.data()).unwrap().chain(std::fs::read_dir(home.folder.path()).unwrap()) {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                for word in ["canary", "ana", "DescribeKey", "payments"] {
                    let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                    // Three letters can come up by chance in megabytes of noise; the longer words cannot.
                    assert!(!found || word == "ana", "{word} {when} in {}", path.display());
                }
            }
        }
    };
    look("while open");
    drop(store);
    look("after closing");
}

#[test]
fn deleted_material_is_in_no_file_even_sealed() {
    let home = Home::new();
    let store = home.create();
    change(&store, vec![put(Table::Material, "r/a#1", None, &"s".repeat(300))]).unwrap();
    let sealed: Vec<u8> = Connection::open(home.database())
        .unwrap()
        .query_row("SELECT sealed FROM state WHERE kind = 3", [], |row| row.get(0))
        .unwrap();
    let needle = &sealed[40..80];
    let found = || {
        std::fs::read_dir(home.data())
            .unwrap()
            .filter(|entry| {
                let bytes = std::fs::read(entry.as_ref().unwrap().path()).unwrap();
                bytes.windows(needle.len()).any(|window| window == needle)
            })
            .count()
    };
    assert!(found() > 0);
    change(&store, vec![Change::Delete { table: Table::Material, id: "r/a#1".into(), expected: 1 }]).unwrap();
    assert_eq!(found(), 0, "erased before the answer");
    assert_eq!(store.health().wal_bytes, 0);
}

#[test]
fn a_store_is_made_once_and_opened_by_one() {
    let home = Home::new();
    assert!(matches!(home.refusal(), OpenError::NotInitialised { .. }));
    let store = home.create();
    assert!(matches!(home.refusal(), OpenError::Locked { .. }));
    assert!(matches!(SqliteStore::create(home.options()), Err(OpenError::Locked { .. })));
    drop(store);
    assert!(matches!(SqliteStore::create(home.options()), Err(OpenError::HeadExists { .. })));
    std::fs::remove_file(home.head()).unwrap();
    assert!(matches!(SqliteStore::create(home.options()), Err(OpenError::AlreadyInitialised { .. })));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(home.database()).unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn another_root_key_is_named() {
    let mut home = Home::new();
    drop(home.create());
    home.root = 2;
    assert!(matches!(home.refusal(), OpenError::WrongRootKey));
}

#[test]
fn a_newer_format_is_left_alone() {
    let home = Home::new();
    drop(home.create());
    home.edit("PRAGMA user_version = 2");
    assert!(matches!(home.refusal(), OpenError::NewerFormat { found: 2, known: 1 }));
}

#[test]
fn a_batch_of_many_threads_is_all_there() {
    let home = Home::new();
    let store = Arc::new(home.create());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || {
                (0..50).map(|_| record(&*store, testing::event("ana")).unwrap().first_record).collect()
            })
        })
        .collect();
    let mut numbers: Vec<u64> = threads.into_iter().flat_map(|thread| -> Vec<u64> { thread.join().unwrap() }).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=400).collect::<Vec<_>>());
    assert!(store.head().head.commit < 400, "works share commits");
    assert_eq!(store.verify().unwrap().records, 400);
}

/// Measured by hand: `cargo test --release -p wardkeep-store ten_thousand -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement for release builds"]
fn ten_thousand_keys_open_fast() {
    let home = Home::new();
    let store = home.create();
    for thousand in 0..10 {
        let rows = (0..1000).flat_map(|n| {
            let id = format!("ring/key-{thousand}-{n}");
            [
                put(Table::Key, &id, None, &"k".repeat(250)),
                put(Table::Material, &format!("{id}#1"), None, &"m".repeat(64)),
            ]
        });
        change(&store, rows.collect()).unwrap();
    }
    drop(store);
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    let start = std::time::Instant::now();
    let store = home.open();
    let opened = start.elapsed();
    let mut keys = 0;
    store.scan(Table::Key, &mut |_| keys += 1).unwrap();
    println!("opened in {opened:?}, {keys} keys scanned after {:?}", start.elapsed());
    assert_eq!(store.health().mode, Mode::Normal);
}
