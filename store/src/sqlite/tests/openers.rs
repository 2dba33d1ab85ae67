//! Who opens a store, and when: two at once, one that was killed, one half made, one that is being closed.

use std::process::{Command, Stdio};
use std::sync::Barrier;

use super::*;

const CHILD: &str = "WARDKEEP_STORE_TEST_OPENER";

/// Opens the store it is told, says so, and waits to be killed.
#[test]
fn the_child_that_holds_the_store() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let home = Home { with_head: false, ..Home::new() };
    let opened = SqliteStore::open(Options { folder: folder.into(), ..home.options() });
    println!("opened={}", opened.is_ok());
    if opened.is_ok() {
        let mut line = String::new();
        let _ = std::io::stdin().read_line(&mut line);
        std::process::abort();
    }
}

fn child(home: &Home) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::tests::openers::the_child_that_holds_the_store", "--nocapture"])
        .env(CHILD, home.data())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads what the child says, up to the line that matters.
fn said(child: &mut std::process::Child) -> String {
    use std::io::BufRead;
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).find(|line| line.contains("opened=")).unwrap_or_default()
}

#[test]
fn another_process_is_kept_out_until_this_one_ends() {
    let home = Home { with_head: false, ..Home::new() };
    let store = home.create();
    record(&store, testing::event("ana")).unwrap();
    let mut refused = child(&home);
    assert!(said(&mut refused).contains("opened=false"));
    refused.wait().unwrap();
    record(&store, testing::event("ana")).unwrap();
    drop(store);
    let mut holder = child(&home);
    assert!(said(&mut holder).contains("opened=true"));
    assert!(matches!(home.refusal(), OpenError::Locked { .. }));
    assert!(matches!(SqliteStore::create(home.options()), Err(OpenError::Locked { .. })));
    // However it ends, its lock ends with it.
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(home.open().verify().unwrap().records, 2);
}

#[test]
fn of_many_threads_that_open_at_once_one_does() {
    let home = Arc::new(Home::new());
    drop(home.create());
    let barrier = Arc::new(Barrier::new(6));
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let (home, barrier) = (home.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                let opened = SqliteStore::open(home.options());
                barrier.wait();
                match opened {
                    Ok(_) => true,
                    Err(error) => {
                        assert!(matches!(error, OpenError::Locked { .. }), "{error}");
                        assert!(error.to_string().contains("in use by another process"), "{error}");
                        false
                    }
                }
            })
        })
        .collect();
    let opened = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|opened| *opened).count();
    assert_eq!(opened, 1);
    drop(home.open());
}

#[test]
fn of_many_threads_that_make_a_store_one_does_and_it_is_whole() {
    for _ in 0..5 {
        let home = Arc::new(Home { with_head: false, ..Home::new() });
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let home = home.clone();
                std::thread::spawn(move || SqliteStore::create(home.options()).map(drop).is_ok())
            })
            .collect();
        let made = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|made| *made).count();
        assert_eq!(made, 1);
        home.open().examine().unwrap();
    }
}

#[test]
fn a_creation_that_was_cut_short_leaves_nothing_that_opens_and_nothing_in_the_way() {
    let home = Home::new();
    // The file is there, and nothing in it: power went before the first commit.
    std::fs::create_dir_all(home.data()).unwrap();
    std::fs::write(home.database(), b"").unwrap();
    assert!(matches!(home.refusal(), OpenError::NotInitialised { .. }));
    let store = home.create();
    change(&store, vec![put(Table::Ring, "a", None, "1")]).unwrap();
    drop(store);
    drop(home.open());
    // Tables without the marks of a store are not taken for one either.
    let other = Home::new();
    std::fs::create_dir_all(other.data()).unwrap();
    Connection::open(other.database()).unwrap().execute_batch("CREATE TABLE audit (x)").unwrap();
    assert!(matches!(other.refusal(), OpenError::NotInitialised { .. }));
    assert!(SqliteStore::create(other.options()).is_err(), "and somebody else's database is not made into one");
}

#[test]
fn paths_that_cannot_be_used_are_named() {
    let home = Home::new();
    let nowhere = home.folder.path().join("no/such/folder/head");
    let refused = SqliteStore::create(Options { head: Some(nowhere.clone()), ..home.options() });
    match refused.err().expect("a head without a folder") {
        OpenError::File { path, .. } => assert_eq!(path, nowhere),
        other => panic!("{other}"),
    }
    let file = home.folder.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let refused = SqliteStore::create(Options { folder: file.join("data"), head: None, ..home.options() });
    let error = refused.err().expect("a file for a folder").to_string();
    assert!(error.contains("file/data"), "{error}");
    assert!(matches!(
        SqliteStore::open(Options { folder: file.clone(), head: None, ..home.options() }).err(),
        Some(OpenError::NotInitialised { folder }) if folder == file
    ));
}

#[test]
fn what_waits_when_a_store_is_closed_is_done_and_what_comes_later_is_refused() {
    let home = Home::new();
    let store = Arc::new(home.create());
    let commits: Vec<_> =
        (0..200).map(|n| store.commit(Work::record(vec![testing::event(&format!("u{n}"))]))).collect();
    store.close();
    for commit in commits {
        commit.wait().unwrap();
    }
    assert_eq!(record(&*store, testing::event("late")), Err(CommitError::Closed));
    assert_eq!(change(&*store, vec![put(Table::Ring, "late", None, "1")]), Err(CommitError::Closed));
    store.close();
    drop(store);
    let store = home.open();
    assert_eq!(store.head().head.length, 200);
    store.verify().unwrap();
}

#[test]
fn a_store_that_is_closed_under_its_callers_answers_every_one_of_them() {
    let home = Home::new();
    let store = Arc::new(home.create());
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let store = store.clone();
            std::thread::spawn(move || {
                let mut done = 0_u64;
                for n in 0..1000 {
                    match change(&*store, vec![put(Table::Entity, &format!("{caller}-{n}"), None, "x")]) {
                        Ok(_) => done += 1,
                        Err(CommitError::Closed) => return done,
                        Err(other) => panic!("{other}"),
                    }
                }
                done
            })
        })
        .collect();
    while store.head().head.length < 50 {
        std::thread::yield_now();
    }
    store.close();
    let done: u64 = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
    drop(store);
    let store = home.open();
    assert_eq!(store.head().head.length, done, "what was answered, and nothing else");
    let mut rows = 0;
    store.scan(Table::Entity, &mut |_| rows += 1).unwrap();
    assert_eq!(rows, done);
}

#[test]
fn readers_see_what_was_acknowledged_while_others_write() {
    let home = Home::new();
    let store = Arc::new(home.create());
    change(&*store, vec![put(Table::Key, "r/k", None, "0")]).unwrap();
    let acknowledged = Arc::new(AtomicU64::new(1));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, acknowledged) = (store.clone(), acknowledged.clone());
            std::thread::spawn(move || {
                loop {
                    let before = acknowledged.load(Ordering::SeqCst);
                    let row = store.read(Table::Key, "r/k").unwrap().unwrap();
                    assert!(row.sequence >= before, "{} was acknowledged, {} was read", before, row.sequence);
                    let history = store.history(Table::Key, "r/k").unwrap();
                    assert!(history.len() as u64 >= before);
                    if before >= 150 {
                        return;
                    }
                }
            })
        })
        .collect();
    for sequence in 1..150 {
        change(&*store, vec![put(Table::Key, "r/k", Some(sequence), &sequence.to_string())]).unwrap();
        acknowledged.store(sequence + 1, Ordering::SeqCst);
    }
    acknowledged.store(150, Ordering::SeqCst);
    for reader in readers {
        reader.join().unwrap();
    }
}

#[test]
fn the_reserve_is_made_anew_at_a_start_and_fitted_to_what_is_configured() {
    let mut home = Home::new();
    home.reserve = 256 << 10;
    drop(home.create());
    let file = home.data().join("reserve");
    let size = || std::fs::metadata(&file).unwrap().len();
    assert_eq!(size(), 256 << 10);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(home.open().health().reserve_left, 256 << 10);
    assert_eq!(size(), 256 << 10);
    for reserve in [512 << 10, 128 << 10, 0] {
        home.reserve = reserve;
        assert_eq!(home.open().health().reserve_left, reserve);
        assert_eq!(size(), reserve);
    }
}

#[test]
fn a_hundred_restarts_lose_nothing_and_add_nothing() {
    let home = Home::new();
    let mut head = home.create().head();
    for round in 0..100_u64 {
        let store = home.open();
        assert_eq!(store.head(), head, "a start and a stop commit nothing");
        if round % 3 == 0 {
            change(&store, vec![put(Table::Uses, &format!("u{round}"), None, "1")]).unwrap();
        }
        head = store.head();
    }
    assert_eq!(head.head.length, 34);
    home.open().examine().unwrap();
}
