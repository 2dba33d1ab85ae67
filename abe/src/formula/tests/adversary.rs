//! The holder of a key who cheats: he leaves labels out, shows the key of another schema, or hands in a text that was
//! changed on its way.

use super::generate::{self, Dice};
use super::*;
use crate::syntax::Position;

/// A schema, its policy, the attributes of one holder, and the dice that made them.
fn case(seed: u64) -> Option<(Dice, Schema, Formula, Attributes)> {
    let mut dice = Dice(seed);
    let schema = generate::schema(&mut dice);
    let text = generate::policy(&mut dice, &schema, 2);
    let formula = Formula::parse(&text, &schema).ok()?;
    let attributes = generate::attributes(&mut dice, &schema);
    Some((dice, schema, formula, attributes))
}

#[test]
fn leaving_labels_out_opens_nothing_more() {
    // A key of fewer attributes may satisfy more by plain meaning (`tags != a`); fewer labels of the same key never do.
    let mut tried = 0;
    for (mut dice, schema, formula, attributes) in (0..3000).filter_map(case) {
        let all = attributes.labels(&schema, &SCOPE, Namespace::Attribute).unwrap();
        let gate = formula.gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
        for _ in 0..4 {
            let kept: Vec<&Label> = all.iter().filter(|_| dice.below(3) > 0).collect();
            let opened = gate.satisfied(&|label| kept.contains(&label));
            assert!(!opened || formula.evaluate(&attributes), "{formula} with a part of {attributes}");
            tried += usize::from(opened);
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn an_attribute_that_is_left_out_satisfies_no_inequality_about_it() {
    for (_, schema, formula, attributes) in (5000..7000).filter_map(case) {
        for (name, _) in attributes.iter() {
            let others = attributes.iter().filter(|(other, _)| *other != name);
            let rest: Vec<String> = others.map(|(other, values)| shown(&schema, other, values)).collect();
            let without = Attributes::parse(&rest.join(", "), &schema).unwrap();
            let labels = without.labels(&schema, &SCOPE, Namespace::Attribute).unwrap();
            let about = labels.iter().filter_map(Label::parts).filter(|parts| parts.name == name).count();
            assert_eq!(about, 0, "{name} is missing and has labels");
            let gate = formula.gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
            let opened = gate.satisfied(&|label| labels.binary_search(label).is_ok());
            assert!(!opened || formula.evaluate(&without), "{formula} without {name}");
        }
    }
}

fn shown(schema: &Schema, name: &str, values: &std::collections::BTreeSet<crate::value::Value>) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    let set = schema.get(name).is_some_and(|declared| declared.set);
    let values = if set { format!("[{}]", values.join(", ")) } else { values.join("") };
    format!("{} = {values}", crate::syntax::Quoted(name))
}

#[test]
fn keys_of_one_schema_open_under_another_only_where_the_declaration_is_the_same() {
    let (mut same, mut other) = (0, 0);
    for (mut dice, schema, formula, attributes) in (10_000..12_000).filter_map(case) {
        let later = generate::schema(&mut dice);
        match formula.gate(&later, &SCOPE, Namespace::Attribute) {
            Ok(gate) => {
                // Every name that the formula asks is declared alike: then it means the same.
                assert_eq!(gate, formula.gate(&schema, &SCOPE, Namespace::Attribute).unwrap());
                same += 1;
            }
            Err(PolicyError::OtherSchema { name }) => {
                assert_ne!(schema.get(&name), later.get(&name), "{name}");
                other += 1;
            }
            Err(error) => panic!("{error}"),
        }
        if let Ok(labels) = attributes.labels(&later, &SCOPE, Namespace::Attribute) {
            // Labels that both versions give come from names whose meaning is the same in both.
            let before = attributes.labels(&schema, &SCOPE, Namespace::Attribute).unwrap();
            for label in labels.iter().filter(|label| before.contains(label)) {
                let name = label.parts().unwrap().name;
                let shape = |schema: &Schema| schema.get(name).map(|declared| (declared.shape(), declared.set));
                assert_eq!(shape(&schema), shape(&later), "{name}");
            }
        }
    }
    assert!(same > 20 && other > 500, "{same} {other}");
}

#[test]
fn a_changed_text_is_refused_or_reads_back_as_what_it_says() {
    let signs: Vec<char> = "()[],=!<>\"\\andorfi23-#é\u{301}\u{202e} \n".chars().collect();
    let (mut read, mut refused) = (0, 0);
    for (mut dice, schema, formula, _) in (20_000..22_000).filter_map(case) {
        let mut letters: Vec<char> = formula.to_string().chars().collect();
        for _ in 0..=dice.below(2) {
            let at = dice.below(letters.len());
            match dice.below(3) {
                0 => drop(letters.remove(at)),
                1 => letters.insert(at, signs[dice.below(signs.len())]),
                _ => letters[at] = signs[dice.below(signs.len())],
            }
        }
        let text: String = letters.into_iter().collect();
        match Formula::parse(&text, &schema) {
            Ok(changed) => {
                let printed = changed.to_string();
                assert_eq!(Formula::parse(&printed, &schema).unwrap(), changed, "{text}");
                read += 1;
            }
            Err(error) => {
                let at = error.position();
                assert!(text.is_char_boundary(at.offset), "{text}: {error}");
                assert!(error.render(&text).contains('^') || at == Position::NONE, "{text}: {error}");
                refused += 1;
            }
        }
    }
    assert!(read > 200 && refused > 500, "{read} {refused}");
}

#[test]
fn schemas_and_attributes_read_back_by_chance_too() {
    for (_, schema, _, attributes) in (30_000..32_000).filter_map(case) {
        assert_eq!(Schema::parse(&schema.to_text()).unwrap(), schema);
        assert_eq!(Schema::from_bytes(&schema.to_bytes()).unwrap(), schema);
        assert_eq!(Attributes::parse(&attributes.to_string(), &schema).unwrap(), attributes);
        for label in attributes.labels(&schema, &SCOPE, Namespace::Record).unwrap() {
            assert_eq!(Label::parse(label.as_bytes()), Some(label));
        }
    }
}
