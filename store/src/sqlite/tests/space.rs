//! A disk that fills up and empties again, and one that fills up for one user only.
//!
//! Elsewhere a log's reserve was taken back every second of a full disk: whoever cleared the disk found it full again, and
//! the server spent the outage writing zeros. And a spent quota was taken for a broken disk, which ended the process.

use rusqlite::ffi;

use super::*;
use crate::sqlite::reserve::Reserve;

/// 256 KiB: four slices.
const SMALL: u64 = 256 << 10;

#[test]
fn each_look_in_vain_puts_the_next_one_off_for_twice_as_long() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("gone");
    let mut reserve = Reserve::new(folder.join("reserve"), SMALL);
    let mut now = 5_000;
    for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000] {
        assert!(!reserve.refill(now), "no folder, no reserve");
        // It would succeed now, but nobody looks before the pause is over.
        std::fs::create_dir(&folder).unwrap();
        assert!(!reserve.refill(now + 1) && !reserve.refill(now + pause - 1), "{pause} ms");
        assert!(!folder.join("reserve").exists());
        std::fs::remove_dir(&folder).unwrap();
        now += pause;
    }
    std::fs::create_dir(&folder).unwrap();
    assert!(reserve.refill(now));
    assert_eq!(reserve.left(), SMALL);
    // What succeeded once is no longer held against it.
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(!reserve.refill(now + 1));
    std::fs::create_dir(&folder).unwrap();
    assert!(!reserve.refill(now + 1_000) && reserve.refill(now + 1_001));
}

#[test]
fn a_clock_at_its_end_looks_no_more_and_does_not_wrap() {
    let parent = tempfile::tempdir().unwrap();
    let mut reserve = Reserve::new(parent.path().join("gone/reserve"), SMALL);
    assert!(!reserve.refill(u64::MAX - 1));
    std::fs::create_dir(parent.path().join("gone")).unwrap();
    assert!(!reserve.refill(0) && !reserve.refill(u64::MAX - 1));
    assert!(reserve.refill(u64::MAX));
}

/// A disk of its own, where this machine lets us mount one.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        let _ = std::fs::create_dir_all(&at);
        let size = format!("size={size}");
        let output = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&at).output();
        if output.is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        println!("SKIPPED: no small disk can be mounted here");
        None
    }

    fn fill(&self, leaving: u64) {
        let room = fs4::available_space(&self.0).unwrap();
        std::fs::write(self.0.join("filler"), vec![1; usize::try_from(room - leaving).unwrap()]).unwrap();
    }

    fn clear(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_is_asked_and_not_written_to() {
    let parent = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(parent.path().join("disk"), "4m") else { return };
    let path = disk.0.join("reserve");
    // What it takes: the reserve, and one slice for a commit. A page less is not enough.
    for (room, good) in [(0, false), (SMALL, false), (SMALL + (64 << 10) - 4096, false), (SMALL + (64 << 10), true)] {
        disk.fill(room);
        let mut reserve = Reserve::new(path.clone(), SMALL);
        assert_eq!(reserve.refill(1), good, "{room} bytes of room");
        assert_eq!(path.exists(), good, "a look in vain leaves nothing behind");
        disk.clear();
    }
    // Half of it given back counts as half of it there.
    let mut reserve = Reserve::new(path.clone(), SMALL);
    assert!(reserve.refill(1) && reserve.give_back() && reserve.give_back());
    disk.fill(SMALL / 2 + (64 << 10) - 4096);
    assert!(!reserve.refill(2));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), SMALL / 2, "and keeps what it had");
    disk.clear();
    assert!(reserve.refill(60_000));
}

#[test]
fn a_store_on_a_disk_that_is_cleared_goes_on_by_itself() {
    let mut home = Home::new();
    let Some(disk) = Disk::mount(home.data(), "8m") else { return };
    home.reserve = 1 << 20;
    let store = home.create();
    disk.fill(600 << 10);
    let entity = |n: u32| change(&store, vec![put(Table::Entity, &format!("e{n}"), None, &"x".repeat(9000))]);
    let error = (0..2000).find_map(|n| entity(n).err());
    assert_eq!(error, Some(CommitError::Full));
    for minute in 0..5 {
        assert!(store.keeper.flush(), "or the head would be what is late");
        home.clock.advance(60_000);
        assert_eq!(entity(9000 + minute), Err(CommitError::Full), "still full");
        record(&store, testing::event("ana")).unwrap();
    }
    disk.clear();
    assert!(store.keeper.flush());
    home.clock.advance(31_000);
    entity(9999).unwrap();
    assert_eq!((store.health().mode, store.health().reserve_left), (Mode::Normal, 1 << 20));
    store.verify().unwrap();
    assert_eq!(home.fatal.load(Ordering::SeqCst), 0);
}

fn engine_error(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

#[test]
fn a_failed_write_on_a_disk_with_room_is_no_quota() {
    let folder = tempfile::tempdir().unwrap();
    let reserve = Reserve::new(folder.path().join("reserve"), SMALL);
    for code in [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_FULL, ffi::SQLITE_CORRUPT] {
        assert!(!reserve.quota_is_spent(&engine_error(code)), "{code}");
    }
    assert!(!reserve.quota_is_spent(&rusqlite::Error::QueryReturnedNoRows));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the probe is gone");
    let gone = Reserve::new(folder.path().join("no/reserve"), SMALL);
    assert!(!gone.quota_is_spent(&engine_error(ffi::SQLITE_IOERR_WRITE)), "a probe that cannot be made says nothing");
}

const QUOTA_CHILD: &str = "WARDKEEP_STORE_TEST_QUOTA";

/// Commits while the quota is spent, and says how that went.
#[test]
fn the_child_whose_quota_is_spent() {
    let Ok(folder) = std::env::var(QUOTA_CHILD) else { return };
    let fatal = Arc::new(AtomicU64::new(0));
    let seen = fatal.clone();
    let options = Options {
        folder: folder.into(),
        head: None,
        reserve_bytes: SMALL,
        entropy: SeededEntropy::new(u64::from(std::process::id()) << 40),
        on_fatal: Arc::new(move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
        }),
        ..Home::new().options()
    };
    let (store, _) = SqliteStore::open(options).unwrap();
    let errors: Vec<_> = (0..60)
        .filter_map(|n| change(&store, vec![put(Table::Entity, &format!("e{n}"), None, &"x".repeat(5000))]).err())
        .collect();
    let full = errors.iter().all(|error| matches!(error, CommitError::Full | CommitError::ReserveSpent));
    let (refused, fatal) = (!errors.is_empty(), fatal.load(Ordering::SeqCst));
    println!("outcome refused={refused} full={full} fatal={fatal}");
}

/// A real write that fails for a quota under the real engine, where a tracer can inject one.
#[test]
fn a_spent_quota_is_a_full_disk_and_not_the_end() {
    let mut home = Home::new();
    home.with_head = false;
    drop(home.create());
    let traced = std::process::Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=write,pwrite64"])
        .args(["-P".as_ref(), home.data().join("state.db-wal").as_os_str()])
        .args(["-P".as_ref(), home.data().join("reserve.probe").as_os_str()])
        .args(["-e", "inject=write:error=EDQUOT", "-e", "inject=pwrite64:error=EDQUOT:when=40+"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::tests::space::the_child_whose_quota_is_spent", "--nocapture"])
        .env(QUOTA_CHILD, home.data())
        .output();
    let said = traced.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let Some((_, outcome)) = said.split_once("outcome ") else {
        println!("SKIPPED: no tracer here can inject a fault");
        return;
    };
    assert!(outcome.starts_with("refused=true full=true fatal=0"), "{outcome}");
    // With the quota lifted all that was acknowledged is there, and it goes on.
    let store = home.open();
    store.verify().unwrap();
    change(&store, vec![put(Table::Ring, "after", None, "1")]).unwrap();
}
