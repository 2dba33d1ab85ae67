//! The cover against plain membership, and lists against whoever would pass an old or a foreign one.

use proptest::prelude::*;

use super::*;
use crate::validity::BucketLength;
use crate::{Authority, PublicParameters, Schema, Seed};

fn authority(id: u8) -> Authority {
    let terms = Terms::new(BucketLength::Day, 6).unwrap();
    Authority::generate(AuthorityId([id; 16]), Schema::default(), terms, Seed::new([id; 32]))
}

fn dates(number: u64, issued_at: u64) -> Dates {
    Dates { number, issued_at, next_update: issued_at + 1_000 }
}

fn revoked(serials: &[(u32, u32)]) -> BTreeMap<Serial, Bucket> {
    serials.iter().map(|(serial, until)| (Serial::new(*serial), Bucket::new(*until))).collect()
}

fn covers(nodes: &[Prefix], bits: u32, serial: u64) -> usize {
    nodes.iter().filter(|node| serial >> (bits - node.len) == node.value).count()
}

proptest! {
    /// Every living serial lies below exactly one node, every revoked one below none, and there are at most
    /// r log2(N / r) nodes (Naor, Naor and Lotspiech, theorem 1).
    #[test]
    fn the_cover_is_exactly_the_rest(shut in prop::collection::btree_set(0u32..64, 0..64)) {
        let list: Vec<(u32, u32)> = shut.iter().map(|serial| (*serial, 9)).collect();
        let authority = authority(1);
        let list = authority.revocation_list(dates(1, 0), revoked(&list)).unwrap();
        let nodes = list.cover(authority.parameters().terms(), None);
        for serial in 0..64u32 {
            prop_assert_eq!(covers(&nodes, 6, u64::from(serial)), usize::from(!shut.contains(&serial)));
        }
        let (r, n) = (shut.len() as f64, 64f64);
        if r > 0.0 {
            prop_assert!(nodes.len() as f64 <= (r * (n / r).log2()).ceil());
        } else {
            prop_assert_eq!(nodes.len(), 1);
        }
    }
}

#[test]
fn expired_serials_need_no_place() {
    let authority = authority(1);
    let list = authority.revocation_list(dates(1, 0), revoked(&[(3, 10), (7, 20)])).unwrap();
    let terms = authority.parameters().terms();
    let at = |bucket| list.cover(terms, Some(Bucket::new(bucket)));
    assert_eq!((covers(&at(10), 6, 3), covers(&at(10), 6, 7)), (0, 0), "in its last bucket a key is alive");
    assert_eq!((covers(&at(11), 6, 3), covers(&at(11), 6, 7)), (1, 0));
    assert_eq!(at(21), [Prefix { len: 0, value: 0 }], "nobody is left to shut out");
}

#[test]
fn a_list_is_read_as_it_was_written() {
    let authority = authority(1);
    let list = authority.revocation_list(dates(7, 100), revoked(&[(1, 2), (5, 6)])).unwrap();
    assert_eq!(RevocationList::from_bytes(list.to_bytes(), authority.parameters()), Ok(list.clone()));
    assert_eq!((list.number(), list.issued_at(), list.revoked().len()), (7, 100, 2));
}

#[test]
fn every_changed_byte_is_refused() {
    let authority = authority(1);
    let list = authority.revocation_list(dates(7, 100), revoked(&[(1, 2), (5, 6)])).unwrap();
    for at in 0..list.to_bytes().len() {
        let mut bytes = list.to_bytes().to_vec();
        bytes[at] ^= 1;
        assert!(RevocationList::from_bytes(&bytes, authority.parameters()).is_err(), "byte {at}");
    }
    for cut in 0..list.to_bytes().len() {
        assert!(RevocationList::from_bytes(&list.to_bytes()[..cut], authority.parameters()).is_err(), "cut at {cut}");
    }
    let long = [list.to_bytes(), b"x"].concat();
    assert!(RevocationList::from_bytes(&long, authority.parameters()).is_err());
}

#[test]
fn a_list_of_another_authority_or_version_is_refused() {
    let (mine, other) = (authority(1), authority(2));
    let list = other.revocation_list(dates(1, 0), revoked(&[])).unwrap();
    assert_eq!(RevocationList::from_bytes(list.to_bytes(), mine.parameters()), Err(RevocationError::OtherAuthority));
    let next = mine.rotate(Schema::default(), *mine.parameters().terms(), Seed::new([9; 32])).unwrap();
    let list = next.revocation_list(dates(1, 0), revoked(&[])).unwrap();
    assert_eq!(RevocationList::from_bytes(list.to_bytes(), mine.parameters()), Err(RevocationError::OtherAuthority));
}

#[test]
fn a_stale_list_and_one_of_tomorrow_are_not_sealed_with() {
    let authority = authority(1);
    let public: &PublicParameters = authority.parameters();
    let list = authority.revocation_list(dates(1, 1_000_000), revoked(&[])).unwrap();
    assert_eq!(list.check(public, 1_000_000), Ok(()));
    assert_eq!(list.check(public, 1_000_999), Ok(()));
    let stale = RevocationError::Stale { next_update: 1_001_000, now: 1_001_000 };
    assert_eq!(list.check(public, 1_001_000), Err(stale));
    assert_eq!(list.check(public, 999_700), Ok(()), "clocks differ a little");
    let early = RevocationError::FromTheFuture { issued_at: 1_000_000, now: 999_699 };
    assert_eq!(list.check(public, 999_699), Err(early));
}

#[test]
fn unordered_serials_are_no_list() {
    let authority = authority(1);
    let list = authority.revocation_list(dates(7, 100), revoked(&[(1, 2), (5, 6)])).unwrap();
    let mut bytes = list.to_bytes().to_vec();
    let at = bytes.len() - SIGNATURE - 16;
    bytes[at..at + 16].rotate_left(8);
    let unordered = RevocationError::Decode(DecodeError::Malformed { part: "order of serials" });
    assert_eq!(RevocationList::from_bytes(&bytes, authority.parameters()), Err(unordered));
}
