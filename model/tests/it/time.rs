//! Moments, and a clock that a room below the server may be given.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use wardkeep_model::{Clock, Entropy, EntropyError, Timestamp};

struct Wall(AtomicU64);

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Two(u64, u64);

impl Clock for Two {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }

    fn elapsed_millis(&self) -> u64 {
        self.1
    }
}

#[test]
fn a_clock_of_one_hand_shows_it_for_both_and_one_of_two_keeps_them_apart() {
    let wall = Wall(AtomicU64::new(7));
    assert_eq!((wall.now().millis(), wall.elapsed_millis()), (7, 7));
    wall.0.store(5, Ordering::SeqCst);
    assert_eq!(wall.elapsed_millis(), 5);
    let shared: &dyn Clock = &Two(100, 3);
    assert_eq!((shared.now().millis(), shared.elapsed_millis()), (100, 3));
}

/// Days of a month, the long way.
fn days_in(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[test]
fn every_day_of_five_centuries_prints_as_the_calendar_has_it() {
    let (mut year, mut month, mut day) = (1970, 1, 1);
    for days in 0..182_622_u64 {
        let shown = Timestamp::from_millis(days * 86_400_000 + 86_399_999).to_string();
        assert_eq!(shown, format!("{year:04}-{month:02}-{day:02}T23:59:59.999Z"));
        day += 1;
        if day > days_in(year, month) {
            (day, month) = (1, month + 1);
        }
        if month > 12 {
            (month, year) = (1, year + 1);
        }
    }
    assert_eq!(year, 2470);
}

proptest! {
    #[test]
    fn text_is_in_the_order_of_time(one in 0_u64..200_000_000_000_000, other in 0_u64..200_000_000_000_000) {
        let (a, b) = (Timestamp::from_millis(one), Timestamp::from_millis(other));
        prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
    }

    #[test]
    fn spans_never_wrap(one in any::<u64>(), other in any::<u64>(), days in any::<u32>()) {
        let (a, b) = (Timestamp::from_millis(one), Timestamp::from_millis(other));
        prop_assert_eq!(a.millis_since(b), one.saturating_sub(other));
        prop_assert!(a.plus_millis(other) >= a && a.plus_days(days) >= a);
        prop_assert_eq!(a.plus_days(days), a.plus_millis(u64::from(days) * 86_400_000));
        prop_assert_eq!(a.seconds(), one / 1000);
    }
}

#[test]
fn the_end_of_time_prints() {
    let end = Timestamp::from_millis(u64::MAX);
    assert!(end.to_string().ends_with('Z') && end.plus_millis(1) == end);
    assert_eq!(Timestamp::default().to_string(), "1970-01-01T00:00:00.000Z");
}

#[test]
fn chance_that_fails_says_so() {
    struct Dry;
    impl Entropy for Dry {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError)
        }
    }
    let mut out = [7; 4];
    let said = Dry.fill(&mut out).unwrap_err().to_string();
    assert!(said.contains("random generator"), "{said}");
    assert_eq!(out, [7; 4]);
}
