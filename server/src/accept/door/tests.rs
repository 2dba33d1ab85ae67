//! A flood of strangers, one address with many sockets, and counts that must come back to nothing.
//!
//! Broke elsewhere: a bound on strangers that a few hundred silent sockets turned against everybody else.

use proptest::prelude::*;

use super::*;

fn limits(handshakes: u32, connections_per_address: u32) -> Limits {
    Limits { handshakes, connections_per_address, ..Limits::default() }
}

fn at(text: &str) -> SocketAddr {
    SocketAddr::new(text.parse().unwrap(), 1)
}

/// Lets somebody in who finds room.
fn enter(door: &Arc<Door>, from: &str, limits: &Limits) -> Entered {
    let (entered, gone) = door.enter(at(from), limits).unwrap();
    assert!(gone.is_empty(), "{gone:?} had to go for {from}");
    entered
}

fn turned(door: &Arc<Door>, from: &str, limits: &Limits) -> Turned {
    door.enter(at(from), limits).map(|_| ()).unwrap_err()
}

#[test]
fn who_comes_when_the_places_are_full_pushes_out_the_oldest() {
    let (door, limits) = (Arc::new(Door::default()), limits(2, 100));
    let (first, second) = (enter(&door, "192.0.2.1", &limits), enter(&door, "192.0.2.2", &limits));
    let (third, gone) = door.enter(at("192.0.2.3"), &limits).unwrap();
    assert_eq!(gone, [at("192.0.2.1")]);
    assert!(first.cut.is_cancelled() && !second.cut.is_cancelled() && !third.cut.is_cancelled());
    second.known();
    let _fourth = enter(&door, "192.0.2.4", &limits);
    let (_fifth, gone) = door.enter(at("192.0.2.5"), &limits).unwrap();
    assert_eq!(gone, [at("192.0.2.3")], "who is known is not pushed out, however long it has been here");
    assert!(!second.cut.is_cancelled());
}

#[test]
fn a_flood_from_one_address_pushes_out_itself() {
    let (door, limits) = (Arc::new(Door::default()), limits(8, 1_000));
    let honest = enter(&door, "198.51.100.7", &limits);
    let mut flood: Vec<Entered> = (0..7).map(|_| enter(&door, "192.0.2.1", &limits)).collect();
    for _ in 0..50 {
        let (entered, gone) = door.enter(at("192.0.2.1"), &limits).unwrap();
        assert_eq!(gone, [at("192.0.2.1")]);
        flood.push(entered);
    }
    assert!(!honest.cut.is_cancelled(), "the oldest of all, and not of the crowd");
    let (next, gone) = door.enter(at("203.0.113.9"), &limits).unwrap();
    assert_eq!(gone, [at("192.0.2.1")], "an honest newcomer finds room at the crowd's cost");
    assert!(!next.cut.is_cancelled() && !honest.cut.is_cancelled());
    assert_eq!(flood.iter().filter(|entered| !entered.cut.is_cancelled()).count(), 6);
}

#[test]
fn an_address_holds_its_share_known_or_not() {
    let (door, limits) = (Arc::new(Door::default()), limits(100, 2));
    let mut held: Vec<Entered> = (0..2).map(|_| enter(&door, "192.0.2.1", &limits)).collect();
    held.iter().for_each(Entered::known);
    assert_eq!(turned(&door, "192.0.2.1", &limits), Turned::Address);
    assert_eq!(turned(&door, "::ffff:192.0.2.1", &limits), Turned::Address, "the same, mapped");
    let _other = enter(&door, "192.0.2.2", &limits);
    held.pop();
    let _again = enter(&door, "192.0.2.1", &limits);
}

#[test]
fn a_whole_64_of_ipv6_is_one_party() {
    let (door, limits) = (Arc::new(Door::default()), limits(100, 1));
    let _held = enter(&door, "2001:db8::1", &limits);
    assert_eq!(turned(&door, "2001:db8::ffff:1:2:3", &limits), Turned::Address);
    let _next = enter(&door, "2001:db8:0:1::1", &limits);
}

#[test]
fn lowered_bounds_count_for_the_next_one() {
    let door = Arc::new(Door::default());
    let held = [(); 3].map(|()| enter(&door, "192.0.2.1", &limits(8, 8)));
    assert_eq!(turned(&door, "192.0.2.1", &limits(8, 3)), Turned::Address);
    let (_fourth, gone) = door.enter(at("192.0.2.2"), &limits(2, 8)).unwrap();
    assert_eq!(gone.len(), 2, "down to the new bound, itself with it");
    assert_eq!(held.iter().filter(|entered| entered.cut.is_cancelled()).count(), 2);
    assert_eq!([Turned::Handshakes, Turned::Address].map(Turned::word), ["too-many-handshakes", "too-many-of-address"]);
}

#[test]
fn a_flood_is_told_once_a_second_with_its_number() {
    let door = Door::default();
    let start = Instant::now();
    assert_eq!(door.tell(start), Some(1));
    for _ in 0..50 {
        assert_eq!(door.tell(start + Duration::from_millis(999)), None);
    }
    assert_eq!(door.tell(start + Duration::from_secs(1)), Some(51));
    assert_eq!(door.tell(start + Duration::from_secs(3)), Some(1));
}

proptest! {
    /// Against a model: whatever comes, leaves or becomes known in whatever order, no more strangers than their places
    /// are left in peace, no address holds more than its share, who is known is never cut, and nothing is left in the
    /// end.
    #[test]
    fn counts_are_those_of_who_is_there(steps in prop::collection::vec((0_u8..4, 0_usize..8), 0..200)) {
        let (door, limits) = (Arc::new(Door::default()), limits(5, 3));
        let mut there: Vec<(u8, bool, Entered)> = Vec::new();
        for (what, which) in steps {
            let host = u8::try_from(which % 3).unwrap();
            let of_host = there.iter().filter(|(at, _, _)| *at == host).count();
            match what {
                0 | 1 => match door.enter(SocketAddr::from(([192, 0, 2, host], 9)), &limits) {
                    Ok((entered, _)) => {
                        prop_assert!(of_host < 3);
                        there.push((host, false, entered));
                    }
                    Err(turned) => prop_assert!(turned == Turned::Address && of_host == 3),
                },
                2 => {
                    if let Some((_, known, entered)) = there.get_mut(which) && !entered.cut.is_cancelled() {
                        entered.known();
                        *known = true;
                    }
                }
                _ => if which < there.len() { drop(there.remove(which)) },
            }
            let in_peace = there.iter().filter(|(_, known, entered)| !known && !entered.cut.is_cancelled()).count();
            prop_assert!(in_peace <= 5);
            prop_assert_eq!(door.lock().strangers.len(), in_peace);
            prop_assert!(there.iter().all(|(_, known, entered)| !known || !entered.cut.is_cancelled()));
        }
        there.clear();
        let state = door.lock();
        prop_assert!(state.addresses.is_empty() && state.strangers.is_empty());
    }
}
