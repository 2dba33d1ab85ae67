//! kill -9 in the middle of a load: nothing acknowledged is lost, nothing destroyed comes back.
//!
//! The child is this very test program, told by its environment to be the one that dies.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use super::*;

const CHILD: &str = "WARDKEEP_STORE_TEST_CRASH";
const CYCLES: u64 = 5;

fn options(folder: &Path) -> Options {
    Options {
        folder: folder.join("data"),
        root_key: RootKey::from_bytes([1; 32]),
        head: Some(folder.join("head")),
        accept_rollback: false,
        clock: HandClock::new(),
        // Nonces must not repeat between the cycles.
        entropy: SeededEntropy::new(u64::from(std::process::id()) << 40),
        reserve_bytes: 0,
        on_fatal: Arc::new(|_| ()),
    }
}

/// Puts, deletes and records from four threads, and says on its output what was acknowledged.
#[test]
fn the_child_that_dies() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let (store, _) = SqliteStore::open(options(Path::new(&folder))).unwrap();
    let store = Arc::new(store);
    let round = std::process::id();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, stop) = (store.clone(), &stop);
            scope.spawn(move || {
                for n in 0_u64.. {
                    let id = format!("r/{round}-{thread}-{n}");
                    let material = format!("{id}#1");
                    change(&*store, vec![put(Table::Key, &id, None, &id), put(Table::Material, &material, None, "m")])
                        .unwrap();
                    println!("made {id}");
                    if n % 7 == 3 {
                        let gone = Change::Delete { table: Table::Material, id: material, expected: 1 };
                        change(&*store, vec![gone, put(Table::Tombstone, &id, None, "t")]).unwrap();
                        println!("gone {id}");
                    }
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
    });
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::create(options(folder.path())).unwrap());
    let (mut made, mut gone) = (Vec::new(), Vec::new());
    for cycle in 0..CYCLES {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite::tests::crash::the_child_that_dies", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = 40 + cycle as usize * 37;
        let mut note = |line: &str| {
            // The test runner's own words stand before the first line.
            if let Some((_, id)) = line.split_once("made ") {
                made.push(id.to_owned());
            } else if let Some((_, id)) = line.split_once("gone ") {
                gone.push(id.to_owned());
            }
        };
        lines.by_ref().take(enough).for_each(|line| note(&line.unwrap()));
        child.kill().unwrap();
        // What it said before it died was acknowledged too; a last line may be torn.
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        rest.iter().take(rest.len().saturating_sub(1)).for_each(|line| note(line));
        child.wait().unwrap();

        let (store, opened) = SqliteStore::open(options(folder.path())).unwrap();
        assert!(!opened.rollback_accepted);
        for id in &made {
            assert!(store.read(Table::Key, id).unwrap().is_some(), "cycle {cycle}: {id} was lost");
        }
        for id in &gone {
            assert!(
                store.read(Table::Material, &format!("{id}#1")).unwrap().is_none(),
                "cycle {cycle}: {id} came back"
            );
            assert!(store.read(Table::Tombstone, id).unwrap().is_some());
        }
        let verdict = store.verify().unwrap();
        assert!(verdict.records as usize >= made.len() + gone.len());
        store.examine().unwrap();
    }
    assert!(made.len() > 100 && gone.len() > 5, "{} made, {} gone", made.len(), gone.len());
}

#[test]
fn a_cut_log_is_told_by_the_head() {
    let home = Home::new();
    let store = home.create();
    for n in 0..20 {
        change(&store, vec![put(Table::Ring, &format!("a{n}"), None, "1")]).unwrap();
    }
    assert!(store.keeper.flush());
    // As after a crash: database and log as they lie, then the log cut.
    home.copy("crashed");
    drop(store);
    let head = std::fs::read(home.head()).unwrap();
    home.restore("crashed");
    let wal = home.data().join("state.db-wal");
    let len = std::fs::metadata(&wal).unwrap().len();
    assert!(len > 0);
    drop(home.open());
    for keep in [len * 3 / 4, len / 2] {
        home.restore("crashed");
        std::fs::write(home.head(), &head).unwrap();
        std::fs::OpenOptions::new().write(true).open(&wal).unwrap().set_len(keep).unwrap();
        let error = home.refusal();
        assert!(matches!(error, OpenError::Head(crate::error::HeadError::RolledBack { .. })), "{error}");
    }
    home.restore("crashed");
    std::fs::remove_file(&wal).unwrap();
    assert!(SqliteStore::open(home.options()).is_err());
}
