//! How old the head outside may be, for whoever can set a clock.
//!
//! Elsewhere an alarm on the age of a backup went by the wall clock alone: setting it back an hour hid an hour of silence.
//! Here both clocks count, and the longer of the two says how old the head is.

use super::*;

/// A store whose head cannot be written from now on: a folder stands where the file would be made.
fn mute(home: &Home) -> SqliteStore {
    let store = home.create();
    std::fs::create_dir(home.folder.path().join("head.new")).unwrap();
    record(&store, testing::event("ana")).unwrap();
    store
}

fn free(home: &Home) {
    std::fs::remove_dir(home.folder.path().join("head.new")).unwrap();
}

fn ring(store: &SqliteStore, name: &str) -> Result<Receipt, CommitError> {
    change(store, vec![put(Table::Ring, name, None, "1")])
}

#[test]
fn a_clock_that_is_set_back_hides_no_stale_head() {
    for back in [1_000, 61_000, 3_600_000, 1_000_000_000_000] {
        let home = Home::new();
        let store = mute(&home);
        home.clock.advance(61_000);
        home.clock.set_back(back);
        assert_eq!(ring(&store, "a"), Err(CommitError::HeadStale), "set back by {back} ms");
        let health = store.health();
        assert!(health.head_stale && health.head_age_millis >= 61_000, "{back}: {health:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_again_and_again_buys_no_time() {
    let home = Home::new();
    let store = mute(&home);
    for second in 0..60_u32 {
        home.clock.advance(1_000);
        home.clock.set_back(1_000);
        assert!(ring(&store, &format!("r{second}")).is_ok(), "second {second}");
    }
    home.clock.advance(1);
    assert_eq!(ring(&store, "late"), Err(CommitError::HeadStale));
}

#[test]
fn a_machine_that_slept_with_an_unwritten_head_wakes_up_stale() {
    let home = Home::new();
    let store = mute(&home);
    home.clock.sleep(61_000);
    assert_eq!(ring(&store, "a"), Err(CommitError::HeadStale));
    assert_eq!(store.health().head_age_millis, 61_000);
}

#[test]
fn a_minute_is_not_yet_too_long_and_a_millisecond_more_is() {
    for (millis, stale) in [(59_999, false), (60_000, false), (60_001, true)] {
        let home = Home::new();
        let store = mute(&home);
        home.clock.advance(millis);
        assert_eq!(store.health().head_age_millis, millis);
        let wanted = if stale { Some(CommitError::HeadStale) } else { None };
        assert_eq!(ring(&store, "a").err(), wanted, "{millis} ms");
        assert_eq!(store.health().head_stale, stale);
        // Events are recorded all the same: who is refused must stand in the log.
        record(&store, testing::denial("eve")).unwrap();
    }
}

#[test]
fn a_head_that_is_written_again_is_as_young_as_its_last_write() {
    let home = Home::new();
    let store = mute(&home);
    home.clock.advance(120_000);
    assert_eq!(ring(&store, "a"), Err(CommitError::HeadStale));
    free(&home);
    assert!(store.keeper.flush(), "and the keeper writes it");
    assert_eq!((store.health().head_age_millis, store.health().head_stale), (0, false));
    ring(&store, "a").unwrap();
    assert!(store.keeper.flush());
    assert_eq!(std::fs::read(home.head()).unwrap(), store.head().to_bytes());
}

#[test]
fn a_store_that_starts_with_an_old_head_counts_from_the_start() {
    let home = Home::new();
    let store = home.create();
    assert!(store.keeper.flush());
    let old = std::fs::read(home.head()).unwrap();
    ring(&store, "a").unwrap();
    drop(store);
    // A crash between the commit and the head's write: the file is one commit behind, which is no rollback.
    std::fs::write(home.head(), old).unwrap();
    std::fs::create_dir(home.folder.path().join("head.new")).unwrap();
    let store = home.open();
    home.clock.set_back(86_400_000);
    home.clock.advance(60_001);
    assert_eq!(ring(&store, "b"), Err(CommitError::HeadStale));
    free(&home);
    assert!(store.keeper.flush());
    ring(&store, "b").unwrap();
}

#[test]
fn the_wait_for_a_head_is_bounded() {
    let home = Home::new();
    let store = mute(&home);
    // It fails at once and is answered as failed, instead of holding the caller up until the disk is well.
    assert!(!store.keeper.flush());
    assert!(store.health().mode == Mode::Normal);
    free(&home);
    assert!(store.keeper.flush());
}
