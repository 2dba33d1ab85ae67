//! The file of destroyed keys, at its bound and under somebody who writes to it.
//!
//! Read with a bound and written without one, it would one day be written longer than any start takes, and the store that
//! wrote it would never open again.

use proptest::prelude::*;

use super::*;
use crate::audit::head::{Head, SignedHead};
use crate::error::HeadError;
use crate::sealing::OVERHEAD;
use crate::sqlite::headfile::{self, FILE_OVERHEAD, MAX_TOMBSTONES, tombstone_path};

/// Bytes that a tombstone counts as.
fn counted(id: &str, value: usize) -> u64 {
    (OVERHEAD + 2 + id.len() + value) as u64
}

fn bury(store: &SqliteStore, id: &str, bytes: usize) -> Result<Receipt, CommitError> {
    change(store, vec![put(Table::Tombstone, id, None, &"t".repeat(bytes))])
}

/// Room for exactly `left` bytes more.
fn nearly_full(store: &SqliteStore, left: u64) {
    let (id, half) = ("r/a", 30 << 20);
    bury(store, id, half).unwrap();
    let rest = MAX_TOMBSTONES - FILE_OVERHEAD - counted(id, half) - left;
    bury(store, "r/b", usize::try_from(rest - counted("r/b", 0)).unwrap() - (20 << 20)).unwrap();
    bury(store, "r/c", usize::try_from((20_u64 << 20) - counted("r/c", 0)).unwrap()).unwrap();
}

#[test]
fn the_last_byte_fits_and_one_more_is_refused_before_anything_is_changed() {
    let home = Home::new();
    let store = home.create();
    nearly_full(&store, counted("r/d", 1000));
    change(&store, vec![put(Table::Key, "r/d", None, "k"), put(Table::Material, "r/d#1", None, "m")]).unwrap();
    let before = store.head();
    let destroy = |bytes: usize| {
        vec![
            Change::Delete { table: Table::Material, id: "r/d#1".into(), expected: 1 },
            put(Table::Tombstone, "r/d", None, &"t".repeat(bytes)),
        ]
    };
    assert_eq!(change(&store, destroy(1001)), Err(CommitError::TombstonesFull));
    assert_eq!(store.head(), before, "neither recorded nor counted");
    assert!(store.read(Table::Material, "r/d#1").unwrap().is_some(), "the material is still there");
    change(&store, destroy(1000)).unwrap();
    assert!(store.read(Table::Material, "r/d#1").unwrap().is_none());
    assert_eq!(bury(&store, "r/e", 0), Err(CommitError::TombstonesFull));
    // Everything else goes on, and the file that is as long as it may be is read at the next start.
    change(&store, vec![put(Table::Ring, "r", None, "1")]).unwrap();
    let length = std::fs::metadata(tombstone_path(&home.head())).unwrap().len();
    assert!(length <= MAX_TOMBSTONES && length > MAX_TOMBSTONES - 1000, "{length}");
    drop(store);
    let store = home.open();
    assert!(store.read(Table::Tombstone, "r/d").unwrap().is_some());
    assert_eq!(store.verify().unwrap().status, Status::Verified);
}

#[test]
fn the_refusal_says_what_to_do() {
    let said = CommitError::TombstonesFull.to_string();
    assert!(said.contains("64 MiB") && said.contains("deactivated"), "{said}");
    assert_eq!(MAX_TOMBSTONES, 64 << 20, "what the words and docs/formats.md say");
}

/// A head that counts on tombstones of a commit.
fn head(store: &SqliteStore, commit: u64) -> SignedHead {
    let head = Head { commit, tombstones: commit, ..store.head().head };
    store.vault.signer.sign_head(head).unwrap()
}

fn row(id: &str, sequence: u64, value: &[u8]) -> Row {
    Row { id: id.into(), sequence, value: Zeroizing::new(value.to_vec()) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_outside_is_read_back(
        rows in prop::collection::vec(("[a-z]{1,40}/[a-z0-9]{1,40}", any::<u64>(), prop::collection::vec(any::<u8>(), 0..300)), 0..20),
        commit in 1_u64..1 << 40,
    ) {
        let home = Home::new();
        let store = home.create();
        let rows: Vec<Row> = rows.iter().map(|(id, sequence, value)| row(id, *sequence, value)).collect();
        let sealed = headfile::seal_tombstones(&store.vault, commit, &rows).unwrap();
        let path = home.folder.path().join("copy");
        headfile::write(&path, &head(&store, commit), Some(&sealed)).unwrap();
        let outside = headfile::read(&path, &store.vault).unwrap();
        prop_assert_eq!(outside.tombstones, rows);
        prop_assert_eq!(outside.head, head(&store, commit));
    }

    #[test]
    fn no_changed_byte_of_the_file_is_believed(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let home = Home::new();
        let store = home.create();
        let rows = [row("r/a", 1, b"one"), row("r/b", 2, b"two")];
        let mut sealed = headfile::seal_tombstones(&store.vault, 7, &rows).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        let path = home.folder.path().join("copy");
        headfile::write(&path, &head(&store, 7), Some(&sealed)).unwrap();
        let refused = headfile::read(&path, &store.vault);
        prop_assert!(matches!(refused, Err(HeadError::Tombstones { .. })), "byte {}", at);
    }
}

#[test]
fn the_files_commit_may_be_newer_than_the_heads_but_not_older() {
    let home = Home::new();
    let store = home.create();
    let path = home.folder.path().join("copy");
    for (of_file, of_head, good) in [(6, 7, false), (7, 7, true), (8, 7, true)] {
        let sealed = headfile::seal_tombstones(&store.vault, of_file, &[row("r/a", 1, b"x")]).unwrap();
        headfile::write(&path, &head(&store, of_head), Some(&sealed)).unwrap();
        assert_eq!(headfile::read(&path, &store.vault).is_ok(), good, "file of {of_file}, head of {of_head}");
    }
}

#[test]
fn tombstones_of_another_store_are_none() {
    let (home, other) = (Home::new(), Home::new());
    let (store, stranger) = (home.create(), other.create());
    let path = home.folder.path().join("copy");
    let sealed = headfile::seal_tombstones(&stranger.vault, 7, &[]).unwrap();
    headfile::write(&path, &head(&store, 7), Some(&sealed)).unwrap();
    assert!(matches!(headfile::read(&path, &store.vault), Err(HeadError::Tombstones { .. })));
}

#[test]
fn a_file_longer_than_the_bound_is_not_even_read() {
    let home = Home::new();
    let store = home.create();
    bury(&store, "r/a", 10).unwrap();
    drop(store);
    let file = std::fs::OpenOptions::new().write(true).open(tombstone_path(&home.head())).unwrap();
    file.set_len(MAX_TOMBSTONES + 1).unwrap();
    assert!(matches!(home.refusal(), OpenError::Head(HeadError::Tombstones { .. })));
}

#[test]
fn many_destructions_in_one_batch_are_all_outside_before_any_is_answered() {
    let home = Home::new();
    let store = Arc::new(home.create());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..10 {
                    bury(&store, &format!("r/k{thread}-{n}"), 20).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let outside = headfile::read(&home.head(), &store.vault).unwrap();
    assert_eq!(outside.tombstones.len(), 80);
    assert_eq!(outside.head.head.tombstones, store.head().head.tombstones);
}
