//! Schemas, attributes and policies by chance, small enough that values meet: from a number, so that a failure names
//! what makes it again.

use crate::attributes::Attributes;
use crate::schema::{Declaration, Schema, Type};
use crate::value::{Date, Value};

/// Splitmix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const NAMES: [&str; 7] = ["a", "b-1", "größe", "and", "a = b", "d.e", "\u{4eba}"];
const UNDECLARED: [&str; 2] = ["u", "u v"];
const TEXTS: [&str; 6] = ["x", "y", "3", "or", "Ear, \"nose\"", "\u{e9}\\"];

pub(super) fn schema(dice: &mut Dice) -> Schema {
    let mut schema = Schema::default();
    for name in NAMES {
        let kind = match dice.below(4) {
            0 => Type::Text,
            1 => Type::Enum(TEXTS[..1 + dice.below(TEXTS.len())].iter().map(|text| (*text).into()).collect()),
            2 => Type::Number { bits: *dice.pick(&[1, 2, 3, 8, 33, 64]), signed: dice.chance(50), unit: None },
            _ => Type::Date,
        };
        let set = dice.chance(40);
        let negatable = (!set || matches!(kind, Type::Enum(_))) && dice.chance(70);
        schema.declare(name, Declaration { kind, set, negatable }).unwrap();
    }
    schema
}

/// A value that fits: mostly at an end, or near the ones that others are.
fn value(dice: &mut Dice, kind: &Type) -> Value {
    match kind {
        Type::Text => (*dice.pick(&TEXTS)).into(),
        Type::Enum(listed) => Value::Text(dice.pick(listed).clone()),
        Type::Number { bits, signed, .. } => {
            let count = 1i128 << bits;
            let lowest = if *signed { -count / 2 } else { 0 };
            let off = i128::try_from(dice.below(6)).unwrap() % count;
            match dice.below(4) {
                0 => Value::Number(lowest + count - 1 - off),
                1 => Value::Number(lowest + i128::from(dice.next()) % count),
                _ => Value::Number(lowest + off),
            }
        }
        _ => {
            let off = u32::try_from(dice.below(4)).unwrap();
            let days = *dice.pick(&[off, Date::LAST.days() - off, 719_162 + off]);
            Value::Date(Date::from_days(days).unwrap())
        }
    }
}

fn undeclared(dice: &mut Dice) -> Type {
    match dice.below(3) {
        0 => Type::Text,
        1 => Type::Number { bits: 32, signed: false, unit: None },
        _ => Type::Date,
    }
}

pub(super) fn attributes(dice: &mut Dice, schema: &Schema) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, declaration) in schema.iter() {
        if dice.chance(25) {
            continue;
        }
        let count = if declaration.set { dice.below(4) } else { 1 };
        if declaration.set {
            attributes.insert_set(schema, name).unwrap();
        }
        for _ in 0..count {
            let value = value(dice, &declaration.kind);
            attributes.insert(schema, name, value).unwrap();
        }
    }
    for name in UNDECLARED {
        if dice.chance(60) {
            let kind = undeclared(dice);
            let value = value(dice, &kind);
            attributes.insert(schema, name, value).unwrap();
        }
    }
    attributes
}

/// A policy's text, with parentheses and spaces that need not be.
pub(super) fn policy(dice: &mut Dice, schema: &Schema, depth: usize) -> String {
    if depth == 0 || dice.chance(25) {
        return condition(dice, schema);
    }
    let count = 1 + dice.below(4);
    let mut children: Vec<String> = (0..count).map(|_| policy(dice, schema, depth - 1)).collect();
    if dice.chance(20) {
        // Something to simplify.
        let again = dice.pick(&children).clone();
        children.push(again);
    }
    match dice.below(4) {
        0 => format!("( {} )", children.join(") or (")).replacen("( ", "((", 1) + ")",
        1 => format!("(({}))", children.join(") and (")),
        2 => format!("(({}))", children.join(")or(")),
        _ => format!("{} of ({})", 1 + dice.below(children.len()), children.join(" , ")),
    }
}

fn condition(dice: &mut Dice, schema: &Schema) -> String {
    let declared = dice.chance(85);
    let name = if declared { *dice.pick(&NAMES) } else { *dice.pick(&UNDECLARED) };
    let declaration = schema.get(name).cloned().unwrap_or_else(|| Declaration::single(undeclared(dice)));
    let kind = &declaration.kind;
    let ordered = matches!(kind, Type::Number { .. } | Type::Date);
    loop {
        let sign = *dice.pick(&["=", "!=", "!=", "in", "<", "<=", ">", ">="]);
        let allowed = match sign {
            "!=" => declaration.negatable,
            "=" | "in" => true,
            _ => ordered,
        };
        if !allowed {
            continue;
        }
        let name = format!("\"{}\"", name.replace('"', "\\\""));
        if sign == "in" {
            let values: Vec<String> = (0..=dice.below(4)).map(|_| value(dice, kind).to_string()).collect();
            return format!("{name} in[{}]", values.join(","));
        }
        let text = format!("{name}{sign}{}", value(dice, kind));
        if super::Formula::parse(&text, schema).is_ok() {
            return text;
        }
    }
}
