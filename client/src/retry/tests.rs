//! When a call goes again, and how long it waits: bounds for every number that could come.

use proptest::prelude::*;

use super::*;
use crate::testing::{BrokenEntropy, FixedEntropy};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn what_may_have_been_done_is_not_sent_again_unless_it_is_repeatable() {
    for (fault, repeatable, once) in [
        (Fault::NotSent, true, true),
        (Fault::TurnedAway, true, true),
        (Fault::Unavailable, true, false),
        (Fault::Broken, true, false),
        (Fault::Final, false, false),
    ] {
        assert_eq!(fault.allows_retry(Safety::Repeatable), repeatable, "{fault:?}");
        assert_eq!(fault.allows_retry(Safety::Once), once, "{fault:?}");
    }
}

#[test]
fn pauses_double_to_a_cap_and_end() {
    let most = FixedEntropy(0xFF);
    let pauses: Vec<_> = (1..=6).map(|tries| pause(tries, None, LONG, &most).map(|p| p.as_millis())).collect();
    assert_eq!(pauses, [Some(100), Some(200), Some(400), Some(800), None, None]);
    assert_eq!(pause(1, None, LONG, &FixedEntropy(0)), Some(Duration::ZERO));
}

#[test]
fn the_server_is_waited_for_but_not_past_the_deadline() {
    let asked = Some(Duration::from_secs(2));
    assert!(pause(1, asked, LONG, &FixedEntropy(0)).unwrap() >= Duration::from_secs(2));
    assert_eq!(pause(1, asked, Duration::from_secs(1), &FixedEntropy(0)), None);
    assert_eq!(pause(1, Some(Duration::MAX), LONG, &FixedEntropy(0xFF)), None);
}

#[test]
fn pauses_differ_between_clients() {
    let low = pause(3, None, LONG, &FixedEntropy(0x10)).unwrap();
    let high = pause(3, None, LONG, &FixedEntropy(0xF0)).unwrap();
    assert!(high > low * 2);
}

/// Without chance every client would come back at the same moment, or at once: the whole pause is the careful answer.
#[test]
fn without_chance_the_pause_is_the_longest() {
    assert_eq!(pause(1, None, LONG, &BrokenEntropy), Some(BASE));
    assert_eq!(fraction_of(Duration::from_secs(8), &BrokenEntropy), Duration::from_secs(8));
    assert_eq!(fraction_of(Duration::ZERO, &FixedEntropy(0xFF)), Duration::ZERO);
}

#[test]
fn the_last_try_is_the_last() {
    for tries in [MAX_TRIES - 1, MAX_TRIES, MAX_TRIES + 1, u32::MAX] {
        assert_eq!(pause(tries, None, LONG, &FixedEntropy(1)).is_some(), tries < MAX_TRIES, "{tries}");
    }
}

proptest! {
    /// Whatever the server asks for: never before that, never past the deadline, never longer than the cap beyond it.
    #[test]
    fn pauses_keep_their_bounds(
        tries in 0..8_u32,
        asked in proptest::option::of(0..u64::MAX),
        left in 0..u64::MAX,
        byte in any::<u8>(),
    ) {
        let (asked, left) = (asked.map(Duration::from_millis), Duration::from_millis(left));
        match pause(tries, asked, left, &FixedEntropy(byte)) {
            Some(pause) => {
                prop_assert!(tries < MAX_TRIES && pause < left);
                prop_assert!(pause >= asked.unwrap_or_default());
                prop_assert!(pause <= asked.unwrap_or_default().saturating_add(CAP));
            }
            None => prop_assert!(tries >= MAX_TRIES || asked.unwrap_or_default().saturating_add(CAP) >= left),
        }
    }

    #[test]
    fn a_part_is_never_more_than_the_whole(millis in 0..u64::from(u32::MAX), byte in any::<u8>()) {
        let whole = Duration::from_millis(millis);
        prop_assert!(fraction_of(whole, &FixedEntropy(byte)) <= whole);
    }
}
