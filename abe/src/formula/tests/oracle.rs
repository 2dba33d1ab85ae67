//! A second reading of the language, which shares no line with the first: policies are grown as trees with a meaning
//! of their own, written down as text, and must be read back as what they mean. The plain evaluation is the oracle of all
//! other tests; this is the oracle of the oracle.

use super::generate::Dice;
use super::*;

const SCHEMA: &str = "
colour: enum(red, green, blue) negatable
tags: enum(a, b, c) set negatable
level: number(3) negatable
scores: number(3) set
name: text negatable
";

/// What somebody is: `None` for what is missing.
#[derive(Debug)]
struct Person {
    colour: Option<usize>,
    tags: Option<u8>,
    level: Option<u8>,
    scores: Option<u8>,
    name: Option<usize>,
}

const COLOURS: [&str; 3] = ["red", "green", "blue"];
const TAGS: [&str; 3] = ["a", "b", "c"];
const WORDS: [&str; 3] = ["ann", "\"Ann\"", "\"an n\""];

/// Members of a set of bits.
fn bits(mask: u8) -> impl Iterator<Item = u8> {
    (0..8).filter(move |bit| mask & (1 << bit) != 0)
}

impl Person {
    fn any(dice: &mut Dice) -> Self {
        let present = |dice: &mut Dice| dice.below(4) > 0;
        let small = |dice: &mut Dice, end: usize| u8::try_from(dice.below(end)).unwrap();
        Self {
            colour: present(dice).then(|| dice.below(3)),
            tags: present(dice).then(|| small(dice, 8)),
            level: present(dice).then(|| small(dice, 8)),
            scores: present(dice).then(|| small(dice, 256) & small(dice, 256)),
            name: present(dice).then(|| dice.below(3)),
        }
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.scores.map(|mask| {
            let scores: Vec<String> = bits(mask).map(|score| score.to_string()).collect();
            format!("scores = [{}]", scores.join(","))
        }));
        parts.extend(self.name.map(|name| format!("name={}", WORDS[name])));
        parts.extend(self.tags.map(|mask| {
            let tags: Vec<&str> = bits(mask).map(|tag| TAGS[usize::from(tag)]).collect();
            format!("tags=[{}]", tags.join(", "))
        }));
        parts.extend(self.level.map(|level| format!("level = {level}")));
        parts.extend(self.colour.map(|colour| format!("colour = {}", COLOURS[colour])));
        parts.join(" , ")
    }
}

type Meaning = Box<dyn Fn(&Person) -> bool>;

/// A comparison of small numbers: its sign and its meaning.
type Sign = (&'static str, fn(u8, u8) -> bool);

/// One that some value satisfies.
fn compare(dice: &mut Dice, value: u8) -> Option<Sign> {
    let signs: [Sign; 5] = [
        ("=", |held, value| held == value),
        ("<", |held, value| held < value),
        ("<=", |held, value| held <= value),
        (">", |held, value| held > value),
        (">=", |held, value| held >= value),
    ];
    let (sign, meaning) = signs[dice.below(5)];
    (0..8).any(|held| meaning(held, value)).then_some((sign, meaning))
}

/// A condition: its text and its meaning.
fn condition(dice: &mut Dice) -> (String, Meaning) {
    let x = dice.below(3);
    let value = u8::try_from(dice.below(8)).unwrap();
    match dice.below(9) {
        0 => (format!("colour = {}", COLOURS[x]), Box::new(move |one| one.colour == Some(x))),
        1 => (format!("colour != {}", COLOURS[x]), Box::new(move |one| one.colour.is_some_and(|held| held != x))),
        2 => {
            let other = (x + 1) % 3;
            let text = format!("colour in [{}, {}]", COLOURS[x], COLOURS[other]);
            (text, Box::new(move |one| one.colour.is_some_and(|held| held == x || held == other)))
        }
        3 => (format!("tags = {}", TAGS[x]), Box::new(move |one| one.tags.is_some_and(|mask| mask & (1 << x) != 0))),
        4 => (format!("tags != {}", TAGS[x]), Box::new(move |one| one.tags.is_some_and(|mask| mask & (1 << x) == 0))),
        5 => (format!("level != {value}"), Box::new(move |one| one.level.is_some_and(|held| held != value))),
        6 => (format!("name != {}", WORDS[x]), Box::new(move |one| one.name.is_some_and(|held| held != x))),
        kind => {
            let Some((sign, meaning)) = compare(dice, value) else { return condition(dice) };
            if kind == 7 {
                let text = format!("level {sign} {value}");
                return (text, Box::new(move |one| one.level.is_some_and(|held| meaning(held, value))));
            }
            let some = move |one: &Person| one.scores.is_some_and(|mask| bits(mask).any(|held| meaning(held, value)));
            (format!("scores {sign} {value}"), Box::new(some))
        }
    }
}

/// How tightly a text binds: an "or" must be put in parentheses inside an "and".
#[derive(Clone, Copy, PartialEq)]
enum Binds {
    Or,
    And,
    Tight,
}

/// A policy with no more parentheses than the language needs: its precedence is what is tested.
fn policy(dice: &mut Dice, depth: usize) -> (String, Meaning, Binds) {
    if depth == 0 || dice.below(4) == 0 {
        let (text, meaning) = condition(dice);
        return (text, meaning, Binds::Tight);
    }
    let children: Vec<(String, Meaning, Binds)> = (0..2 + dice.below(2)).map(|_| policy(dice, depth - 1)).collect();
    let kind = dice.below(3);
    let texts: Vec<String> = children
        .iter()
        .map(|(text, _, binds)| if kind == 1 && *binds == Binds::Or { format!("({text})") } else { text.clone() })
        .collect();
    let meanings: Vec<Meaning> = children.into_iter().map(|(_, meaning, _)| meaning).collect();
    match kind {
        0 => (texts.join(" or "), Box::new(move |one| meanings.iter().any(|meaning| meaning(one))), Binds::Or),
        1 => (texts.join(" and "), Box::new(move |one| meanings.iter().all(|meaning| meaning(one))), Binds::And),
        _ => {
            let k = 1 + dice.below(meanings.len());
            let text = format!("{k} of ({})", texts.join(", "));
            let count = move |one: &Person| meanings.iter().filter(|meaning| meaning(one)).count() >= k;
            (text, Box::new(count), Binds::Tight)
        }
    }
}

#[test]
fn texts_mean_what_they_were_written_for() {
    let schema = Schema::parse(SCHEMA).unwrap();
    let (mut opened, mut asked) = (0, 0);
    for seed in 0..3000 {
        let mut dice = Dice(seed);
        let depth = dice.below(4);
        let (text, meaning, _) = policy(&mut dice, depth);
        let formula = match Formula::parse(&text, &schema) {
            Ok(formula) => formula,
            Err(PolicyError::TooManyRows { .. }) => continue,
            Err(error) => panic!("seed {seed}: {}", error.render(&text)),
        };
        let gate = formula.gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
        for _ in 0..6 {
            let person = Person::any(&mut dice);
            let attributes = Attributes::parse(&person.text(), &schema).unwrap();
            let labels = attributes.labels(&schema, &SCOPE, Namespace::Attribute).unwrap();
            let meant = meaning(&person);
            assert_eq!(formula.evaluate(&attributes), meant, "seed {seed}: {text}\n{person:?}");
            let by_labels = gate.satisfied(&|label| labels.binary_search(label).is_ok());
            assert_eq!(by_labels, meant, "seed {seed}: {text}\n{person:?}");
            opened += usize::from(meant);
            asked += 1;
        }
    }
    assert!(opened > asked / 5 && opened < asked * 4 / 5, "{opened} of {asked}");
}

#[test]
fn the_way_that_is_used_is_the_cheapest_of_all() {
    // All subsets of the conditions are tried: none that opens is smaller than the one named.
    let schema = Schema::default();
    let mut tried = 0;
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let mut leaf = 0;
        let text = distinct(&mut dice, 2, &mut leaf);
        if leaf > 10 {
            continue;
        }
        let formula = Formula::parse(&text, &schema).unwrap();
        let gate = formula.gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
        let all: Vec<&Label> = gate.labels();
        let held = dice.below(1 << all.len());
        let holds = |label: &Label, mask: usize| {
            all.iter().position(|one| *one == label).is_some_and(|at| mask & (1 << at) != 0)
        };
        let smallest = (0..1usize << all.len())
            .filter(|mask| mask & !held == 0 && gate.satisfied(&|label| holds(label, *mask)))
            .map(usize::count_ones)
            .min();
        let least_missing = (0..1usize << all.len())
            .filter(|mask| gate.satisfied(&|label| holds(label, *mask | held)))
            .map(|mask| (mask & !held).count_ones())
            .min();
        let explained = formula.explain(&schema, &SCOPE, Namespace::Attribute, &|label| holds(label, held)).unwrap();
        assert_eq!(explained.satisfied(), smallest.is_some(), "{text}");
        assert_eq!(Some(u32::try_from(explained.missing.len()).unwrap()), least_missing, "{text}\n{explained}");
        if let Some(smallest) = smallest {
            assert_eq!(explained.to_string().matches("<- used").count(), smallest as usize, "{text}\n{explained}");
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
}

/// A policy that names no condition twice.
fn distinct(dice: &mut Dice, depth: usize, leaf: &mut usize) -> String {
    if depth == 0 {
        *leaf += 1;
        return format!("a{leaf} = x");
    }
    let children: Vec<String> =
        (0..2 + dice.below(2)).map(|_| format!("({})", distinct(dice, depth - 1, leaf))).collect();
    match dice.below(3) {
        0 => children.join(" or "),
        1 => children.join(" and "),
        _ => format!("{} of ({})", 1 + dice.below(children.len()), children.join(", ")),
    }
}
