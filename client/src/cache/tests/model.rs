//! The caches against a model that is too simple to be wrong: a list of what was kept, looked through from the start.

use proptest::prelude::*;

use super::*;

const AGE: u64 = 100;
const COUNT: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// A question leaves for this key.
    Ask(u8),
    /// The oldest open question for it is answered.
    Answer(u8),
    Look(u8),
    Both(u64),
    Steady(u64),
    /// The wall clock is put there.
    Wall(u64),
    Clear,
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..5_u8).prop_map(Step::Ask),
        4 => (0..5_u8).prop_map(Step::Answer),
        4 => (0..5_u8).prop_map(Step::Look),
        2 => (0..60_u64).prop_map(Step::Both),
        1 => (0..60_u64).prop_map(Step::Steady),
        1 => (900_000..1_100_000_u64).prop_map(Step::Wall),
        1 => Just(Step::Clear),
        1 => Just(Step::Purge),
    ]
}

/// One entry of the model.
#[derive(Clone, Copy)]
struct Kept {
    name: u8,
    wall: u64,
    steady: u64,
    secret: u8,
}

#[derive(Default)]
struct Model {
    wall: u64,
    steady: u64,
    kept: Vec<Kept>,
}

impl Model {
    fn is_young(&self, kept: &Kept) -> bool {
        self.wall >= kept.wall && self.wall - kept.wall < AGE && self.steady - kept.steady < AGE
    }

    /// What a look may give: a model of what must never be given, and of what must be where nothing was crowded out.
    fn look(&self, name: u8) -> Option<u8> {
        self.kept.iter().rev().find(|kept| kept.name == name).filter(|kept| self.is_young(kept)).map(|kept| kept.secret)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_old_cleared_or_of_another_is_ever_given(steps in proptest::collection::vec(step(), 1..120)) {
        let limits = CacheLimits {
            read: Some(ReadLimits { age: Duration::from_millis(AGE), count: COUNT }),
            protect: None,
        };
        let (cache, clock) = cache(limits);
        let mut model = Model { wall: 1_000_000, ..Model::default() };
        let mut open: Vec<(u8, Asked, Kept)> = Vec::new();
        let mut secret = 0_u8;
        for step in steps {
            match step {
                Step::Ask(name) => {
                    secret = secret.wrapping_add(1);
                    open.push((name, cache.asking(), Kept { name, wall: model.wall, steady: model.steady, secret }));
                }
                Step::Answer(name) => {
                    let Some(at) = open.iter().position(|(asked, ..)| *asked == name) else { continue };
                    let (_, asked, kept) = open.remove(at);
                    cache.keep_read(&holder(None), &key(), &[name], &context("a"), (&plain(kept.secret), asked));
                    model.kept.retain(|other| other.name != name);
                    model.kept.push(kept);
                }
                Step::Look(name) => {
                    let found = cache.read(&holder(None), &key(), &[name], &context("a"));
                    let found = found.map(|plain| plain.expose()[0]);
                    match model.look(name) {
                        // The bound may have crowded it out; whatever is given is the one.
                        Some(wanted) => prop_assert!(found.is_none() || found == Some(wanted)),
                        None => prop_assert_eq!(found, None),
                    }
                }
                Step::Both(millis) => {
                    clock.advance(Duration::from_millis(millis));
                    model.wall += millis;
                    model.steady += millis;
                }
                Step::Steady(millis) => {
                    clock.advance_steady(Duration::from_millis(millis));
                    model.steady += millis;
                }
                Step::Wall(millis) => {
                    clock.set(Timestamp::from_millis(millis));
                    model.wall = millis;
                }
                Step::Clear => {
                    cache.clear();
                    model.kept.clear();
                    // Answers to these come too late.
                    open.clear();
                }
                Step::Purge => {
                    cache.purge();
                    let young = model.kept.iter().filter(|kept| model.is_young(kept)).count();
                    prop_assert!(lock(&cache.reads).sizes().0 <= young);
                }
            }
            let (entries, order) = lock(&cache.reads).sizes();
            prop_assert!(entries == order && entries <= COUNT, "{entries} entries, {order} in order");
        }
    }

    /// Uses and bytes are counted exactly, whatever the order of records.
    #[test]
    fn a_protecting_key_gives_what_its_bounds_allow_and_no_byte_more(
        uses in 2..20_u64,
        bytes in 1..2000_u64,
        records in proptest::collection::vec(0..400_u64, 1..40),
    ) {
        let (cache, _) = cache(protect_limits(uses, bytes));
        let first = records[0];
        cache.keep_protect(&holder(None), &key(), &context("a"), (&protecting(1), first, cache.asking()));
        let (mut used, mut spent, mut alive) = (1, first, first < bytes);
        for record in &records[1..] {
            let given = cache.protect(&holder(None), &key(), &context("a"), *record).is_some();
            let allowed = alive && used < uses && spent + record <= bytes;
            prop_assert_eq!(given, allowed);
            if allowed {
                (used, spent) = (used + 1, spent + record);
            } else {
                // Once it would not do, it is gone: a smaller record does not bring it back.
                alive = false;
            }
        }
    }
}
