//! A full disk, and one that fails.

use rusqlite::ffi;

use super::*;

/// Small reserve: four slices.
const RESERVE: u64 = 256 << 10;

fn full_disk() -> (Home, SqliteStore) {
    let mut home = Home::new();
    home.reserve = RESERVE;
    let store = home.create();
    change(&store, vec![put(Table::Ring, "a", None, "1")]).unwrap();
    store.shared.faults.cap(16);
    // The pages there are take a few commits more.
    let filled =
        (0..200).find(|n| change(&store, vec![put(Table::Entity, &format!("e{n}"), None, &"x".repeat(5000))]).is_err());
    assert!(filled.is_some());
    (home, store)
}

#[test]
fn a_full_disk_refuses_changes_and_still_records() {
    let (_home, store) = full_disk();
    assert_eq!(change(&store, vec![put(Table::Ring, "b", None, "1")]), Err(CommitError::Full));
    assert_eq!(store.health().mode, Mode::Reserve);
    record(&store, testing::event("ana")).unwrap();
    record(&store, testing::denial("eve")).unwrap();
    assert!(store.health().reserve_left < RESERVE);
    assert!(store.read(Table::Ring, "b").unwrap().is_none());
    assert!(store.read(Table::Ring, "a").unwrap().is_some());
    store.verify().unwrap();
}

#[test]
fn a_spent_reserve_refuses_everything_until_there_is_space() {
    let (home, store) = full_disk();
    let spent = (0..5000).find_map(|_| record(&store, testing::full_event()).err());
    assert_eq!(spent, Some(CommitError::ReserveSpent));
    assert_eq!((store.health().mode, store.health().reserve_left), (Mode::Spent, 0));
    assert_eq!(record(&store, testing::denial("eve")), Err(CommitError::ReserveSpent));
    assert_eq!(change(&store, vec![put(Table::Ring, "b", None, "1")]), Err(CommitError::ReserveSpent));
    store.verify().unwrap();
    store.shared.faults.uncap();
    home.clock.advance(2_000);
    change(&store, vec![put(Table::Ring, "b", None, "1")]).unwrap();
    assert_eq!((store.health().mode, store.health().reserve_left), (Mode::Normal, RESERVE));
    drop(store);
    drop(home.open());
}

#[test]
fn nobody_spends_the_reserve_by_being_refused() {
    let (_home, store) = full_disk();
    let taken = (0..500).take_while(|n| record(&store, testing::denial(&format!("eve{n}"))).is_ok()).count();
    assert!((20..200).contains(&taken), "{taken} denials");
    record(&store, testing::event("ana")).unwrap();
    assert_eq!(store.health().mode, Mode::Reserve);
}

#[test]
fn without_a_reserve_a_full_disk_refuses_all() {
    let home = Home::new();
    let store = home.create();
    store.shared.faults.cap(16);
    let error = (0..5000).find_map(|_| record(&store, testing::full_event()).err());
    assert_eq!(error, Some(CommitError::ReserveSpent));
}

#[test]
fn a_failed_fsync_ends_the_store_and_is_never_retried() {
    for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CORRUPT, ffi::SQLITE_IOERR_DIR_FSYNC] {
        let home = Home::new();
        let store = home.create();
        record(&store, testing::event("ana")).unwrap();
        store.shared.faults.fail_next(code);
        assert_eq!(record(&store, testing::event("ben")), Err(CommitError::Failed));
        assert_eq!(home.fatal.load(Ordering::SeqCst), 1);
        for _ in 0..3 {
            assert_eq!(record(&store, testing::event("ben")), Err(CommitError::Failed));
        }
        assert_eq!((home.fatal.load(Ordering::SeqCst), store.health().mode), (1, Mode::Failed));
        drop(store);
        assert_eq!(home.open().audit(1, 10).unwrap().len(), 1);
    }
}

#[test]
fn a_passing_lock_refuses_without_ending() {
    let home = Home::new();
    let store = home.create();
    store.shared.faults.fail_next(ffi::SQLITE_BUSY);
    assert_eq!(record(&store, testing::event("ana")), Err(CommitError::Failed));
    record(&store, testing::event("ana")).unwrap();
    assert_eq!(home.fatal.load(Ordering::SeqCst), 0);
}

/// A real small disk, where this machine lets us mount one.
#[test]
fn a_real_full_disk() {
    let mut home = Home::new();
    std::fs::create_dir(home.data()).unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "none"]).arg(home.data()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED a_real_full_disk: no small disk can be mounted here");
        return;
    }
    struct Unmount(PathBuf);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
        }
    }
    let _unmount = Unmount(home.data());
    home.reserve = 2 << 20;
    let store = home.create();
    std::fs::write(home.data().join("filler"), vec![1; 1 << 20]).unwrap();
    let error = (0..2000)
        .find_map(|n| change(&store, vec![put(Table::Entity, &format!("e{n}"), None, &"x".repeat(9000))]).err());
    assert_eq!(error, Some(CommitError::Full));
    for _ in 0..50 {
        record(&store, testing::event("ana")).unwrap();
    }
    let spent = (0..20_000).find_map(|_| record(&store, testing::full_event()).err());
    assert_eq!(spent, Some(CommitError::ReserveSpent));
    assert_eq!(home.fatal.load(Ordering::SeqCst), 0);
    store.verify().unwrap();
    drop(store);
    drop(home.open());
}

const FSYNC_CHILD: &str = "WARDKEEP_STORE_TEST_FSYNC";

/// Commits until the disk fails, and says how that went.
#[test]
fn the_child_whose_fsync_fails() {
    let Ok(folder) = std::env::var(FSYNC_CHILD) else { return };
    let fatal = Arc::new(AtomicU64::new(0));
    let seen = fatal.clone();
    let options = Options {
        folder: folder.into(),
        head: None,
        entropy: SeededEntropy::new(u64::from(std::process::id()) << 40),
        on_fatal: Arc::new(move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
        }),
        ..Home::new().options()
    };
    let (store, _) = SqliteStore::open(options).unwrap();
    let answers: Vec<_> = (0..200).map(|_| record(&store, testing::event("ana"))).collect();
    let good = answers.iter().take_while(|answer| answer.is_ok()).count();
    let after = answers.iter().skip(good).all(|answer| *answer == Err(CommitError::Failed));
    println!("outcome good={good} failed_for_ever={after} fatal={}", fatal.load(Ordering::SeqCst));
}

/// A real failing fsync under the real engine, where a tracer can inject one.
#[test]
fn a_real_failing_fsync() {
    let mut home = Home::new();
    home.with_head = false;
    drop(home.create());
    let traced = std::process::Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
        .args(["-e", "inject=fsync,fdatasync:error=EIO:when=20+"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::tests::disk::the_child_whose_fsync_fails", "--nocapture"])
        .env(FSYNC_CHILD, home.data())
        .output();
    let said = traced.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let Some((_, outcome)) = said.split_once("outcome ") else {
        println!("SKIPPED a_real_failing_fsync: no tracer here can inject a fault");
        return;
    };
    let good: u64 = outcome.split_once("good=").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
    assert!(good > 0 && outcome.contains("failed_for_ever=true fatal=1"), "{outcome}");
    // What was acknowledged is there; the one that failed may be, as nobody was told either way.
    let store = home.open();
    assert!((good..=good + 1).contains(&store.head().head.length));
    store.verify().unwrap();
}
