//! The cache of hashed labels: what it must never do is hand out the point of another label or tag, grow beyond its
//! bounds, or answer otherwise because of a table.

use super::*;
use crate::backend::{SecretScalar, WIDE_BYTES};

const DST: &[u8] = b"WARDKEEP-TEST-HASHES";

/// A label of the tests' own: the cache knows their bytes alone.
fn label(number: usize) -> Vec<u8> {
    format!("label {number}").into_bytes()
}

fn seen(message: &[u8]) -> Seen<'_> {
    Seen { dst: DST, message }
}

fn cache<B: Backend>(points: usize, tables: usize) -> Hashes<B> {
    Hashes::new(Capacity { points, tables })
}

fn bytes<B: Backend>(point: &B::G1) -> [u8; 48] {
    B::g1_to_bytes(&[point])[0]
}

fn plain<B: Backend>(dst: &[u8], number: usize) -> [u8; 48] {
    bytes::<B>(&B::hash_g1(dst, &label(number)))
}

fn scalar<B: Backend>() -> B::Secret {
    B::Secret::from_wide(&[0x5a; WIDE_BYTES])
}

/// Labels that are held now, of those numbered below `all`.
fn held<B: Backend>(cache: &Hashes<B>, all: usize) -> Vec<usize> {
    let kept = cache.lock();
    let holds = |number: &usize| kept.entries.contains_key(&seen(&label(*number)) as &dyn Key);
    (0..all).filter(holds).collect()
}

/// Labels with a table now; the books must agree with the entries.
fn with_table<B: Backend>(cache: &Hashes<B>, all: usize) -> Vec<usize> {
    let kept = cache.lock();
    let entry = |number: usize| kept.entries.get(&seen(&label(number)) as &dyn Key);
    let found: Vec<usize> =
        (0..all).filter(|number| entry(*number).is_some_and(|entry| entry.hashed.table().is_some())).collect();
    assert_eq!(found.len(), kept.tables_by_age.len());
    assert_eq!(kept.entries.len(), kept.by_age.len());
    found
}

fn use_often<B: Backend>(cache: &Hashes<B>, number: usize, times: u32) {
    for _ in 0..times {
        cache.find(&seen(&label(number)));
    }
}

fn a_label_keeps_its_point<B: Backend>() {
    let cache = cache::<B>(8, 0);
    for round in 0..3 {
        for number in 0..4 {
            assert_eq!(bytes::<B>(cache.find(&seen(&label(number))).point()), plain::<B>(DST, number), "round {round}");
        }
    }
    assert!(Arc::ptr_eq(&cache.find(&seen(&label(1))), &cache.find(&seen(&label(1)))), "hashed once");
}

/// B hashed like an attribute gives away the master key: the same label under another tag is another entry.
fn tags_are_kept_apart<B: Backend>() {
    let cache = cache::<B>(8, 0);
    let first = cache.find(&seen(&label(1)));
    let second = cache.find(&Seen { dst: b"another tag", message: &label(1) });
    assert_eq!(bytes::<B>(first.point()), plain::<B>(DST, 1));
    assert_eq!(bytes::<B>(second.point()), plain::<B>(b"another tag", 1));
    // Where the tag ends and the label begins counts: tag and label are not one string.
    let one = bytes::<B>(cache.find(&Seen { dst: b"a", message: b"bc" }).point());
    let other = bytes::<B>(cache.find(&Seen { dst: b"ab", message: b"c" }).point());
    assert_ne!(one, other);
    assert_eq!(one, bytes::<B>(&B::hash_g1(b"a", b"bc")));
    assert_eq!(other, bytes::<B>(&B::hash_g1(b"ab", b"c")));
}

fn the_least_recently_used_goes_first<B: Backend>() {
    let cache = cache::<B>(3, 0);
    for number in [0, 1, 2] {
        cache.find(&seen(&label(number)));
    }
    assert_eq!(held(&cache, 6), [0, 1, 2], "the bound itself is allowed");
    cache.find(&seen(&label(0)));
    cache.find(&seen(&label(3)));
    assert_eq!(held(&cache, 6), [0, 2, 3], "1 was used longest ago");
    cache.prepare(&seen(&label(2)));
    cache.find(&seen(&label(4)));
    assert_eq!(held(&cache, 6), [2, 3, 4], "warming is a use for the order");
    // What went comes again, with the same point.
    assert_eq!(bytes::<B>(cache.find(&seen(&label(1))).point()), plain::<B>(DST, 1));
}

fn the_bound_on_points_holds<B: Backend>() {
    for bound in [1, 2, 5] {
        let cache = cache::<B>(bound, 1);
        for number in 0..bound + 4 {
            use_often(&cache, number, 2);
            assert!(cache.lock().entries.len() <= bound);
            with_table(&cache, bound + 4);
        }
        assert_eq!(held(&cache, bound + 4).len(), bound);
    }
}

fn without_a_cache_every_call_hashes<B: Backend>() {
    let cache = cache::<B>(0, 4);
    let (first, second) = (cache.find(&seen(&label(1))), cache.find(&seen(&label(1))));
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(bytes::<B>(first.point()), bytes::<B>(second.point()));
    cache.prepare(&seen(&label(1)));
    use_often(&cache, 1, 2 * USES_FOR_TABLE);
    assert!(cache.lock().entries.is_empty() && cache.lock().by_age.is_empty());
    let labels = [label(1), label(2)];
    let found = cache.raise(labels.iter().map(|label| seen(label)), &scalar::<B>());
    for (found, number) in found.iter().zip([1, 2]) {
        let expected = B::g1_mul_secret(&B::hash_g1(DST, &label(number)), &scalar::<B>());
        assert_eq!(bytes::<B>(found), bytes::<B>(&expected));
    }
}

fn a_table_comes_with_the_fourteenth_use<B: Backend>() {
    let cache = cache::<B>(4, 4);
    cache.prepare(&seen(&label(0)));
    use_often(&cache, 0, USES_FOR_TABLE - 1);
    assert_eq!(with_table(&cache, 2), [0usize; 0], "one use too few, and warming is none");
    let expected = bytes::<B>(&cache.find(&seen(&label(1))).mul_secret(&scalar::<B>()));
    use_often(&cache, 0, 1);
    assert_eq!(with_table(&cache, 2), [0]);
    use_often(&cache, 1, USES_FOR_TABLE - 1);
    assert_eq!(with_table(&cache, 2), [0, 1]);
    let hashed = cache.find(&seen(&label(1)));
    assert!(hashed.table().is_some());
    assert_eq!(bytes::<B>(&hashed.mul_secret(&scalar::<B>())), expected, "the table gives what went before");
}

fn the_bound_on_tables_holds_by_itself<B: Backend>() {
    let cache = cache::<B>(8, 2);
    for number in [0, 1] {
        use_often(&cache, number, USES_FOR_TABLE);
    }
    use_often(&cache, 0, 1);
    let before = cache.find(&seen(&label(1)));
    cache.find(&seen(&label(0)));
    use_often(&cache, 2, USES_FOR_TABLE);
    assert_eq!(with_table(&cache, 8), [0, 2], "1 was used longest ago");
    assert_eq!(held(&cache, 8), [0, 1, 2], "its point stays");
    assert!(before.table().is_none(), "whoever still holds it computes without");
    // A taken table has to be earned again.
    use_often(&cache, 1, USES_FOR_TABLE - 1);
    assert_eq!(with_table(&cache, 8), [0, 2]);
    use_often(&cache, 1, 1);
    assert_eq!(with_table(&cache, 8), [1, 2]);
}

fn a_point_that_goes_takes_its_table_along<B: Backend>() {
    let cache = cache::<B>(2, 2);
    use_often(&cache, 0, USES_FOR_TABLE);
    cache.find(&seen(&label(1)));
    cache.find(&seen(&label(2)));
    assert_eq!(held(&cache, 4), [1, 2]);
    assert_eq!(with_table(&cache, 4), [0usize; 0]);
    cache.find(&seen(&label(0)));
    assert_eq!(with_table(&cache, 4), [0usize; 0], "it starts anew");
}

/// A table that was made for an entry which has gone meanwhile, or has gone and come again, is not booked.
fn a_late_table_is_dropped<B: Backend>() {
    let cache = cache::<B>(1, 1);
    let old = cache.find(&seen(&label(0)));
    let table = Arc::new(B::g1_table(old.point(), TABLE_WINDOW));
    cache.find(&seen(&label(1)));
    cache.lock().give_table(&seen(&label(0)), &old, Arc::clone(&table), 1);
    assert_eq!(with_table(&cache, 2), [0usize; 0]);
    let new = cache.find(&seen(&label(0)));
    cache.lock().give_table(&seen(&label(0)), &old, table, 1);
    assert!(!Arc::ptr_eq(&old, &new) && new.table().is_none());
    assert_eq!(with_table(&cache, 2), [0usize; 0]);
}

/// Labels with a table, without one, never seen and repeated, in one call: each in its place.
fn many_labels_to_one_power<B: Backend>() {
    let cache = cache::<B>(16, 16);
    use_often(&cache, 2, USES_FOR_TABLE);
    use_often(&cache, 5, USES_FOR_TABLE);
    cache.prepare(&seen(&label(1)));
    let numbers = [1, 2, 3, 2, 5, 4, 1];
    let labels = numbers.map(label);
    let scalar = scalar::<B>();
    let found = cache.raise(labels.iter().map(|label| seen(label)), &scalar);
    assert_eq!(found.len(), numbers.len());
    for (found, number) in found.iter().zip(numbers) {
        let expected = B::g1_mul_secret(&B::hash_g1(DST, &label(number)), &scalar);
        assert_eq!(bytes::<B>(found), bytes::<B>(&expected), "label {number}");
    }
    assert!(cache.raise(std::iter::empty(), &scalar).is_empty());
}

/// Threads that miss, hit, evict and make tables of the same few labels at once; every answer is right, and the books
/// agree at the end.
fn threads_share_it<B: Backend>() {
    let cache = cache::<B>(3, 2);
    let expected: Vec<[u8; 48]> = (0..5).map(|number| plain::<B>(DST, number)).collect();
    let scalar = scalar::<B>();
    let powers: Vec<[u8; 48]> =
        (0..5).map(|number| bytes::<B>(&cache.find(&seen(&label(number))).mul_secret(&scalar))).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, expected, powers, scalar) = (&cache, &expected, &powers, &scalar);
            scope.spawn(move || {
                for round in 0..60 {
                    // Mostly two hot labels, now and then one that pushes another out.
                    let number = if round % 10 == 9 { 2 + (round / 10 + thread) % 3 } else { (round + thread) % 2 };
                    let hashed = cache.find(&seen(&label(number)));
                    assert_eq!(bytes::<B>(hashed.point()), expected[number]);
                    if round % 7 == 0 {
                        assert_eq!(bytes::<B>(&hashed.mul_secret(scalar)), powers[number]);
                    }
                }
            });
        }
    });
    assert!(held(&cache, 5).len() <= 3);
    assert!(with_table(&cache, 5).len() <= 2);
}

/// A thread that ends in the middle leaves a good cache behind.
fn a_poisoned_lock_is_still_good<B: Backend>() {
    let cache = cache::<B>(3, 2);
    cache.find(&seen(&label(0)));
    std::thread::scope(|scope| {
        let ended = scope.spawn(|| {
            let _kept = cache.lock();
            panic!("on purpose, with the lock held");
        });
        assert!(ended.join().is_err());
    });
    assert!(cache.kept.is_poisoned());
    assert_eq!(bytes::<B>(cache.find(&seen(&label(0))).point()), plain::<B>(DST, 0));
    assert_eq!(held(&cache, 2), [0]);
}

/// What the cache should hold, kept in the plainest way: labels from the oldest use to the youngest.
#[derive(Default)]
struct Model {
    labels: Vec<(usize, u32, bool)>,
}

impl Model {
    fn step(&mut self, number: usize, counts: bool, points: usize, tables: usize) {
        let known = self.labels.iter().position(|(label, ..)| *label == number);
        let (_, uses, has_table) = known.map_or((number, 0, false), |at| self.labels.remove(at));
        if known.is_none() && self.labels.len() == points {
            self.labels.remove(0);
        }
        let uses = uses + u32::from(counts);
        let earned = counts && known.is_some() && uses >= USES_FOR_TABLE && !has_table;
        self.labels.push((number, uses, has_table || earned));
        let with_table = self.labels.iter().filter(|(.., has_table)| *has_table).count();
        let oldest = self.labels.iter_mut().find(|(.., has_table)| *has_table);
        if let (true, Some((_, uses, has_table))) = (earned && with_table > tables, oldest) {
            (*uses, *has_table) = (0, false);
        }
    }

    fn held(&self, only_tables: bool) -> Vec<usize> {
        let mut found: Vec<usize> =
            self.labels.iter().filter(|(.., has_table)| *has_table || !only_tables).map(|(label, ..)| *label).collect();
        found.sort_unstable();
        found
    }
}

/// Long random runs of uses and warmings over a few labels, some much hotter than others, step by step against the model.
fn it_does_what_the_model_does<B: Backend>() {
    use sha2::{Digest, Sha256};
    for (points, tables) in [(1, 1), (3, 1), (4, 2), (6, 3)] {
        let (cache, mut model) = (cache::<B>(points, tables), Model::default());
        for step in 0..400u32 {
            let [choice, kind, ..] = <[u8; 32]>::from(Sha256::digest(step.to_be_bytes()));
            // Half of all steps go to two labels.
            let number = if choice < 128 { usize::from(choice % 2) } else { usize::from(choice % 8) };
            if kind < 32 {
                cache.prepare(&seen(&label(number)));
            } else {
                cache.find(&seen(&label(number)));
            }
            model.step(number, kind >= 32, points, tables);
            assert_eq!(held(&cache, 8), model.held(false), "step {step} of {points} and {tables}");
            assert_eq!(with_table(&cache, 8), model.held(true), "step {step} of {points} and {tables}");
        }
        let last = cache.find(&seen(&label(0)));
        assert_eq!(bytes::<B>(last.point()), plain::<B>(DST, 0));
    }
}

crate::backend::tests::on_both!(
    it_does_what_the_model_does,
    a_label_keeps_its_point,
    tags_are_kept_apart,
    the_least_recently_used_goes_first,
    the_bound_on_points_holds,
    without_a_cache_every_call_hashes,
    a_table_comes_with_the_fourteenth_use,
    the_bound_on_tables_holds_by_itself,
    a_point_that_goes_takes_its_table_along,
    a_late_table_is_dropped,
    many_labels_to_one_power,
    threads_share_it,
    a_poisoned_lock_is_still_good,
);
