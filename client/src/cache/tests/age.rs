//! How long a data key lives: clocks that lie, answers that come after a clearing, keys that nobody asks for again.
//!
//! Broke elsewhere: a cache that counted on the wall clock kept a revoked right alive for as long as somebody held the
//! clock; one that cleared its map let an answer that was under way put the key back a moment later.

use std::sync::Weak;

use super::*;

const LIFE: Duration = Duration::from_secs(300);

/// Keeps a data key and gives the only other way to know whether it still exists.
fn planted(cache: &Cache, wrapped: &[u8], asked: Asked) -> Weak<PlainDataKey> {
    let plain = plain(7);
    cache.keep_read(&holder(None), &key(), wrapped, &context("a"), (&plain, asked));
    Arc::downgrade(&plain)
}

fn found(cache: &Cache, wrapped: &[u8]) -> bool {
    cache.read(&holder(None), &key(), wrapped, &context("a")).is_some()
}

#[test]
fn a_wall_clock_that_stands_still_lengthens_no_life() {
    let (cache, clock) = cache(reading(300, 10));
    let kept = planted(&cache, b"w", cache.asking());
    clock.advance_steady(LIFE - Duration::from_millis(1));
    assert!(found(&cache, b"w"));
    clock.advance_steady(Duration::from_millis(1));
    assert!(!found(&cache, b"w"));
    assert!(kept.upgrade().is_none(), "it is gone, not only hidden");
}

#[test]
fn a_wall_clock_that_is_set_back_after_a_while_lengthens_no_life() {
    let (cache, clock) = cache(reading(300, 10));
    let asked = cache.asking();
    planted(&cache, b"w", asked);
    clock.advance(Duration::from_secs(200));
    // Back to the moment of the question: by the wall clock the key is new again.
    clock.set(Timestamp::from_millis(1_000_000));
    assert!(found(&cache, b"w"), "200 s by the steady clock");
    clock.advance_steady(Duration::from_secs(100));
    assert!(!found(&cache, b"w"));
}

#[test]
fn a_machine_that_slept_counts_its_sleep() {
    let (cache, clock) = cache(reading(300, 10));
    planted(&cache, b"w", cache.asking());
    // The monotonic clock stands during suspension; the wall clock knows better.
    clock.set(Timestamp::from_millis(1_000_000 + 300_000));
    assert!(!found(&cache, b"w"));
}

#[test]
fn an_age_of_nothing_keeps_nothing() {
    let (cache, _) = cache(reading(0, 10));
    let kept = planted(&cache, b"w", cache.asking());
    assert!(!found(&cache, b"w"));
    assert!(kept.upgrade().is_none());
}

#[test]
fn an_answer_that_a_clearing_overtook_is_not_kept() {
    let limits = CacheLimits { protect: Some(ProtectLimits::default()), ..CacheLimits::default() };
    let (cache, _) = cache(limits);
    let before = cache.asking();
    cache.clear();
    let kept = planted(&cache, b"w", before);
    assert!(!found(&cache, b"w"));
    assert!(kept.upgrade().is_none());
    cache.keep_protect(&holder(None), &key(), &context("a"), (&protecting(1), 1, before));
    assert!(cache.protect(&holder(None), &key(), &context("a"), 1).is_none());

    // What is asked after the clearing is kept as ever.
    planted(&cache, b"w", cache.asking());
    assert!(found(&cache, b"w"));
}

#[test]
fn an_answer_that_took_longer_than_a_life_is_dead_on_arrival() {
    let (cache, clock) = cache(reading(300, 10));
    let asked = cache.asking();
    clock.advance(LIFE);
    planted(&cache, b"w", asked);
    assert!(!found(&cache, b"w"));
}

#[test]
fn keys_that_nobody_asks_for_again_go_with_the_use_of_others() {
    let (cache, clock) = cache(reading(300, 100));
    let old: Vec<_> = (0..20_u8).map(|wrapped| planted(&cache, &[wrapped], cache.asking())).collect();
    clock.advance(LIFE);
    let left = || old.iter().filter(|kept| kept.upgrade().is_some()).count();
    assert_eq!(left(), 20);
    // Bounded work: a few a use, whether it looks or keeps.
    assert!(!found(&cache, b"another"));
    assert_eq!(left(), 12);
    planted(&cache, b"new", cache.asking());
    assert_eq!(left(), 4);
    assert!(found(&cache, b"new"));
    assert_eq!(left(), 0);
    assert_eq!(lock(&cache.reads).sizes(), (1, 1), "the young one stays");
}

#[test]
fn protecting_keys_go_with_the_use_of_others_too() {
    let (cache, clock) = cache(protect_limits(100, 1000));
    let plain = plain(3);
    let made = Protecting { plain: plain.clone(), wrapped: Arc::from([3].as_slice()) };
    cache.keep_protect(&holder(None), &key(), &context("a"), (&made, 1, cache.asking()));
    let kept = Arc::downgrade(&plain);
    drop((plain, made));
    clock.advance(Duration::from_secs(60));
    assert!(cache.protect(&holder(None), &key(), &context("b"), 1).is_none());
    assert!(kept.upgrade().is_none());
}

#[test]
fn a_purge_takes_all_that_is_old_and_nothing_else() {
    let limits = CacheLimits { protect: Some(ProtectLimits::default()), ..reading(300, 100) };
    let (cache, clock) = cache(limits);
    let old: Vec<_> = (0..50_u8).map(|wrapped| planted(&cache, &[wrapped], cache.asking())).collect();
    cache.keep_protect(&holder(None), &key(), &context("a"), (&protecting(1), 1, cache.asking()));
    clock.advance(Duration::from_secs(61));
    planted(&cache, b"young", cache.asking());
    cache.purge();
    assert_eq!(lock(&cache.protects).sizes(), (0, 0), "a minute is the life of these");
    assert_eq!(lock(&cache.reads).sizes(), (51, 51));
    clock.advance(Duration::from_secs(239));
    cache.purge();
    assert!(old.iter().all(|kept| kept.upgrade().is_none()));
    assert!(found(&cache, b"young"));
}

#[test]
fn a_young_question_does_not_hide_an_old_one_behind_it() {
    let (cache, clock) = cache(reading(300, 100));
    let slow = cache.asking();
    clock.advance(Duration::from_secs(100));
    planted(&cache, b"quick", cache.asking());
    // Its question is older than that of the one kept before it.
    let kept = planted(&cache, b"slow", slow);
    clock.advance(Duration::from_secs(200));
    cache.purge();
    assert!(kept.upgrade().is_none());
    assert!(found(&cache, b"quick"));
}

#[test]
fn clearings_and_answers_at_once_leave_nothing_from_before_the_last_clearing() {
    let (cache, _) = cache(reading(300, 10_000));
    let cache = Arc::new(cache);
    let keeping = {
        let cache = cache.clone();
        std::thread::spawn(move || {
            for number in 0..20_000_u32 {
                planted(&cache, &number.to_be_bytes(), cache.asking());
            }
        })
    };
    for _ in 0..200 {
        cache.clear();
        std::thread::yield_now();
    }
    let before = cache.asking();
    keeping.join().unwrap();
    cache.clear();
    assert_eq!(lock(&cache.reads).sizes(), (0, 0));
    planted(&cache, b"w", before);
    assert_eq!(lock(&cache.reads).sizes(), (0, 0));
}
