//! Small domains, all of them: every comparison of every width with every value, every set of an enumeration, every
//! small formula. What is written by chance elsewhere misses the one case that breaks.

use super::*;

const SIGNS: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];

fn meant(sign: &str, held: i64, value: i64) -> bool {
    match sign {
        "=" => held == value,
        "!=" => held != value,
        "<" => held < value,
        "<=" => held <= value,
        ">" => held > value,
        _ => held >= value,
    }
}

fn gate(formula: &Formula, schema: &Schema) -> Gate {
    formula.gate(schema, &SCOPE, Namespace::Attribute).unwrap()
}

fn labels(attributes: &str, schema: &Schema) -> Vec<Label> {
    Attributes::parse(attributes, schema).unwrap().labels(schema, &SCOPE, Namespace::Attribute).unwrap()
}

#[test]
fn every_comparison_of_every_value_of_small_widths() {
    for bits in 1..=4u32 {
        for signed in [false, true] {
            let sign = if signed { ", signed" } else { "" };
            let schema = Schema::parse(&format!("n: number({bits}{sign}) negatable")).unwrap();
            let lowest = if signed { -(1 << (bits - 1)) } else { 0 };
            let all: Vec<i64> = (lowest..lowest + (1 << bits)).collect();
            let keys: Vec<Vec<Label>> = all.iter().map(|held| labels(&format!("n = {held}"), &schema)).collect();
            for sign in SIGNS {
                for value in &all {
                    let holders: Vec<bool> = all.iter().map(|held| meant(sign, *held, *value)).collect();
                    let text = format!("n {sign} {value}");
                    let Ok(formula) = Formula::parse(&text, &schema) else {
                        assert!(!holders.contains(&true), "`{text}` of {bits} bits was refused and has a meaning");
                        continue;
                    };
                    assert!(holders.contains(&true), "`{text}` of {bits} bits opens for nobody and was not refused");
                    assert!(formula.rows() <= (2 * (bits as usize - 1)).max(1));
                    let gate = gate(&formula, &schema);
                    let opened: Vec<bool> =
                        keys.iter().map(|key| gate.satisfied(&|label| key.contains(label))).collect();
                    assert_eq!(opened, holders, "`{text}` of {bits} bits");
                }
            }
        }
    }
}

#[test]
fn every_list_of_small_numbers() {
    let schema = Schema::parse("n: number(3)").unwrap();
    let keys: Vec<Vec<Label>> = (0..8).map(|held| labels(&format!("n = {held}"), &schema)).collect();
    for mask in 1u32..256 {
        let listed: Vec<String> = (0..8).rev().filter(|n| mask & (1 << n) != 0).map(|n: u32| n.to_string()).collect();
        let formula = Formula::parse(&format!("n in [{}]", listed.join(", ")), &schema).unwrap();
        assert!(formula.rows() <= listed.len().min(4), "{formula} needs {} rows", formula.rows());
        let gate = gate(&formula, &schema);
        for (held, key) in keys.iter().enumerate() {
            assert_eq!(gate.satisfied(&|label| key.contains(label)), mask & (1 << held) != 0, "{formula} for {held}");
        }
    }
}

#[test]
fn b8_every_set_against_every_condition() {
    let schema = Schema::parse("s: enum(a, b, c) set negatable").unwrap();
    let names = ["a", "b", "c"];
    for mask in 0..8usize {
        let held: Vec<&str> = (0..3).filter(|n| mask & (1 << n) != 0).map(|n| names[n]).collect();
        let key = labels(&format!("s = [{}]", held.join(", ")), &schema);
        let opens = |policy: &str| {
            gate(&Formula::parse(policy, &schema).unwrap(), &schema).satisfied(&|label| key.contains(label))
        };
        for x in names {
            assert_eq!(opens(&format!("s = {x}")), held.contains(&x), "{held:?} = {x}");
            assert_eq!(opens(&format!("s != {x}")), !held.contains(&x), "{held:?} != {x}");
            // Never both: the key of a set says of each value that it is in, or that it is not.
            assert!(!opens(&format!("s = {x} and s != {x}")));
            assert!(opens(&format!("s = {x} or s != {x}")));
        }
    }
}

#[test]
fn simplifying_keeps_the_truth_table_of_every_small_formula() {
    let schema = Schema::default();
    let leaves = ["a = x", "b = x", "c = x"];
    let mut small: Vec<String> = leaves.map(str::to_owned).to_vec();
    for left in leaves {
        for right in leaves {
            small.push(format!("({left} and {right})"));
            small.push(format!("({left} or {right})"));
        }
    }
    let keys: Vec<Attributes> = (0..8)
        .map(|mask| {
            let held: Vec<&str> = (0..3).filter(|n| mask & (1 << n) != 0).map(|n| leaves[n]).collect();
            Attributes::parse(&held.join(", "), &schema).unwrap()
        })
        .collect();
    let table = |formula: &Formula| -> Vec<bool> { keys.iter().map(|key| formula.evaluate(key)).collect() };
    for left in &small {
        for right in &small {
            let forms = [
                format!("{left} and {right}"),
                format!("{left} or {right}"),
                format!("2 of ({left}, {right}, a = x)"),
                format!("2 of ({left}, {left}, {right}, b = x)"),
            ];
            for text in forms {
                let formula = Formula::parse(&text, &schema).unwrap();
                let simple = formula.simplify();
                assert_eq!(table(&simple), table(&formula), "{text}: {simple}");
                assert!(simple.rows() <= formula.rows() && simple.simplify() == simple, "{text}: {simple}");
            }
        }
    }
}

#[test]
fn a_single_condition_of_three_is_absorbed_to_what_it_is() {
    // On three attributes a monotone formula without thresholds never needs more than five rows once it is simple.
    let formula =
        formula("(role = a or (role = a and ward = a)) and (role = a or level = 1) and (ward = a or role = a)");
    assert_eq!(formula.simplify().to_string(), "role = a");
}

#[test]
fn bounds_of_every_width_are_where_they_are_said_to_be() {
    for bits in 1..=64u32 {
        for signed in [false, true] {
            let sign = if signed { ", signed" } else { "" };
            let schema = Schema::parse(&format!("n: number({bits}{sign})")).unwrap();
            let (low, high) =
                if signed { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) };
            for (value, fits) in [(low - 1, false), (low, true), (high, true), (high + 1, false)] {
                let policy = Formula::parse(&format!("n = {value}"), &schema);
                assert_eq!(policy.is_ok(), fits, "n = {value} of {bits} bits");
                let attributes = Attributes::parse(&format!("n = {value}"), &schema);
                assert_eq!(attributes.is_ok(), fits, "n = {value} of {bits} bits");
            }
            // The whole range is one label; all but its ends are the most that a range has.
            assert_eq!(Formula::parse(&format!("n >= {low}"), &schema).unwrap().rows(), 1);
            let key = labels(&format!("n = {high}"), &schema);
            assert_eq!(key.len(), bits as usize + 1);
            let top = Formula::parse(&format!("n > {}", high - 1), &schema).unwrap();
            assert!(gate(&top, &schema).satisfied(&|label| key.contains(label)));
            let below = Formula::parse(&format!("n < {high}"), &schema).unwrap();
            assert!(!gate(&below, &schema).satisfied(&|label| key.contains(label)));
        }
    }
}
