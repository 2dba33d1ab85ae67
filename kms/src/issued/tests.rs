//! Serials are given once, and a cover is as wide as it must be.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn entry(subject: &str, until: u64, revoked: bool) -> Entry {
    let subject = Arc::new(EntityUid::new("User", subject).unwrap());
    Entry { subject, bucket: 7, until, revoked, sequence: 1 }
}

#[test]
fn serials_count_from_one_to_the_end_and_stop() {
    let ledger = Ledger::default();
    assert_eq!((1..=5).map(|_| ledger.take(4)).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), None, None]);
    assert_eq!(ledger.next(), 4);
    // At the end of the numbers themselves nothing wraps around.
    let full = Ledger::default();
    full.install(u32::MAX, entry("ana", 1, false));
    assert_eq!((full.next(), full.take(1 << 32)), (u32::MAX, None));
    let last = Ledger::default();
    last.install(u32::MAX - 2, entry("ana", 1, false));
    assert_eq!((last.take(1 << 32), last.take(1 << 32)), (Some(u32::MAX - 1), None));
}

#[test]
fn rows_only_ever_raise_the_next_serial() {
    let ledger = Ledger::default();
    ledger.install(9, entry("ana", 1, false));
    ledger.install(3, entry("ana", 1, false));
    assert_eq!(ledger.next(), 10);
    ledger.install_row(4, row::LedgerBody { next: 7, list: None });
    assert_eq!((ledger.next(), ledger.sequence()), (10, Some(4)));
    ledger.install_row(5, row::LedgerBody { next: 70, list: None });
    ledger.forget(&[9, 3, 8]);
    assert_eq!((ledger.next(), ledger.take(1000)), (70, Some(70)));
    assert!(ledger.entry(9).is_none());
}

/// A sealer whose clock is five minutes behind still seals for the bucket that has just ended.
#[test]
fn a_list_holds_what_is_revoked_until_every_clock_has_left_its_bucket() {
    let ledger = Ledger::default();
    for (serial, until, revoked) in [(1, 1_000, true), (2, 1_000, false), (3, 999, true), (4, 1_001, true)] {
        ledger.install(serial, entry("ana", until, revoked));
    }
    let on_it = |now| -> Vec<u32> { ledger.revoked(now, &[]).keys().map(|serial| serial.number()).collect() };
    assert_eq!(on_it(1_298), [1, 3, 4]);
    assert_eq!(on_it(1_299), [1, 4]);
    assert_eq!((on_it(1_300), on_it(1_301)), (vec![4], vec![]));
    assert_eq!(ledger.revoked(0, &[]).values().next().map(|bucket| bucket.number()), Some(7));
    assert_eq!(ledger.revoked(0, &[2, 9]).len(), 4, "with what is being revoked, if it is there");
    assert!(ledger.revoked(1_300, &[2]).keys().all(|serial| serial.number() != 2));
}

#[test]
fn a_subject_has_so_many_places_and_gets_back_what_it_does_not_use() {
    let ledger = Arc::new(Ledger::default());
    let (ana, bob) = (EntityUid::new("User", "ana").unwrap(), EntityUid::new("User", "bob").unwrap());
    let mut places: Vec<Place> = (0..MAX_LIVE).map(|_| ledger.place(&ana, 0).unwrap()).collect();
    assert!(ledger.place(&ana, 0).is_none(), "one under way counts as one that is there");
    assert!(ledger.place(&bob, 0).is_some());
    places.pop();
    ledger.install(1, entry("ana", 100, false));
    assert!(ledger.place(&ana, 99).is_none());
    assert!(ledger.place(&ana, 100).is_some(), "what has ended takes no place");
    drop(places);
    assert_eq!(ledger.subjects().len(), 1, "bob is forgotten");
    ledger.install(1, entry("ana", 100, true));
    assert_eq!((ledger.of_subject(&ana), ledger.subjects().len()), (vec![], 0), "nor what is revoked");
}

#[test]
fn a_subject_is_found_by_name_and_its_name_is_kept_once() {
    let ledger = Ledger::default();
    for serial in [3, 1, 2] {
        ledger.install(serial, entry(if serial == 2 { "bob" } else { "ana" }, 100, false));
    }
    let ana = EntityUid::new("User", "ana").unwrap();
    assert_eq!(ledger.of_subject(&ana), [1, 3]);
    let (one, three) = (ledger.entry(1).unwrap().subject, ledger.entry(3).unwrap().subject);
    assert!(Arc::ptr_eq(&one, &three));
    ledger.forget(&[1, 7]);
    assert_eq!(ledger.of_subject(&ana), [3]);
    ledger.forget(&[3]);
    assert_eq!((ledger.of_subject(&ana), ledger.subjects().len()), (vec![], 1));
}

#[test]
fn many_threads_take_no_serial_twice() {
    let ledger = Arc::new(Ledger::default());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ledger = Arc::clone(&ledger);
            std::thread::spawn(move || (0..500).filter_map(|_| ledger.take(1 << 20)).collect::<Vec<u32>>())
        })
        .collect();
    let taken: Vec<u32> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 2000);
}

/// The cover by walking the whole tree, as its definition says.
fn by_walking(revoked: &BTreeSet<u32>, from: u64, size: u64) -> usize {
    let within = revoked.range(from as u32..).next().is_some_and(|leaf| u64::from(*leaf) < from + size);
    match (within, size) {
        (false, _) => 1,
        (true, 1) => 0,
        (true, _) => by_walking(revoked, from, size / 2) + by_walking(revoked, from + size / 2, size / 2),
    }
}

#[test]
fn covers_of_known_sets() {
    let rows = |revoked: &[u32], bits| cover_rows(revoked.iter().copied(), bits);
    assert_eq!(rows(&[], 20), 1, "the root");
    assert_eq!(rows(&[5], 20), 20, "a node a level");
    assert_eq!(rows(&[0, 1], 20), 19);
    assert_eq!(rows(&[0, 1 << 19], 20), 38, "one in each half");
    assert_eq!(rows(&[0, 1, 2, 3], 2), 0, "everybody");
    assert_eq!(rows(&[0, 2], 2), 2, "every other");
    assert_eq!(rows(&[u32::MAX], 32), 32);
}

proptest! {
    #[test]
    fn a_cover_is_that_of_the_tree(revoked in proptest::collection::btree_set(0_u32..256, 0..64)) {
        prop_assert_eq!(cover_rows(revoked.iter().copied(), 8), by_walking(&revoked, 0, 256));
    }
}
