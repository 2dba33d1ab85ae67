//! Thousands of random schemas, attributes and policies: text, tree, labels, simplifier and explanation must all say the
//! same. The plain evaluation is the oracle; it knows nothing of labels.

use super::generate::{self, Dice};
use super::*;

/// A schema, and a policy over it that is within the bounds.
fn case(seed: u64) -> (Dice, Schema, Formula) {
    let mut dice = Dice(seed);
    loop {
        let schema = generate::schema(&mut dice);
        let depth = dice.below(4);
        let text = generate::policy(&mut dice, &schema, depth);
        match Formula::parse(&text, &schema) {
            Ok(formula) => return (dice, schema, formula),
            Err(PolicyError::TooManyRows { .. }) => {}
            Err(error) => panic!("seed {seed}: {}", error.render(&text)),
        }
    }
}

fn labels(attributes: &Attributes, schema: &Schema) -> Vec<Label> {
    attributes.labels(schema, &SCOPE, Namespace::Record).unwrap()
}

#[test]
fn labels_open_exactly_what_the_plain_meaning_does() {
    let (mut opened, mut unequal) = (0, 0);
    for seed in 0..4000 {
        let (mut dice, schema, formula) = case(seed);
        let gate = formula.gate(&schema, &SCOPE, Namespace::Record).unwrap();
        assert_eq!(gate.rows(), formula.rows(), "seed {seed}: {formula}");
        for _ in 0..4 {
            let attributes = generate::attributes(&mut dice, &schema);
            let held = labels(&attributes, &schema);
            let plain = formula.evaluate(&attributes);
            let by_labels = gate.satisfied(&|label| held.binary_search(label).is_ok());
            assert_eq!(by_labels, plain, "seed {seed}: {formula}\n{attributes}\n{}", schema.to_text());
            opened += usize::from(plain);
            unequal += usize::from(plain && formula.to_string().contains("!="));
        }
    }
    // Both answers occur, with inequalities among them, or nothing was tested.
    assert!((4000..12_000).contains(&opened), "{opened} of 16 000");
    assert!(unequal > 1000, "{unequal}");
}

#[test]
fn the_canonical_text_reads_back_as_the_same_tree() {
    for seed in 10_000..13_000 {
        let (_, schema, formula) = case(seed);
        let text = formula.to_string();
        let back =
            Formula::parse(&text, &schema).unwrap_or_else(|error| panic!("seed {seed}: {}", error.render(&text)));
        assert_eq!(back, formula, "seed {seed}: {text}");
        assert_eq!(back.to_string(), text);
        let schema = Schema::from_bytes(&Schema::parse(&schema.to_text()).unwrap().to_bytes()).unwrap();
        assert_eq!(Formula::parse(&text, &schema).unwrap(), formula);
    }
}

#[test]
fn simplified_means_the_same_in_no_more_rows() {
    let mut shorter = 0;
    for seed in 20_000..23_000 {
        let (mut dice, schema, formula) = case(seed);
        let simple = formula.simplify();
        assert!(simple.rows() <= formula.rows(), "seed {seed}: {formula}\n{simple}");
        assert_eq!(simple.simplify(), simple, "seed {seed}: {formula}\n{simple}");
        assert_eq!(Formula::parse(&simple.to_string(), &schema).unwrap(), simple, "seed {seed}");
        shorter += usize::from(simple.rows() < formula.rows());
        for _ in 0..12 {
            let attributes = generate::attributes(&mut dice, &schema);
            let (before, after) = (formula.evaluate(&attributes), simple.evaluate(&attributes));
            assert_eq!(before, after, "seed {seed}: {formula}\n{simple}\n{attributes}");
        }
    }
    assert!(shorter > 500, "{shorter} of 3 000 were simplified");
}

/// Conditions that a way to open goes through.
fn used(branch: &Branch, found: &mut Vec<String>) {
    match &branch.kind {
        BranchKind::Condition(text) if branch.used => found.push(text.clone()),
        _ => branch.children.iter().for_each(|child| used(child, found)),
    }
}

/// Whether it would be satisfied if these conditions held as well.
fn satisfied_with(branch: &Branch, given: &[String]) -> bool {
    let count = branch.children.iter().filter(|child| satisfied_with(child, given)).count();
    match &branch.kind {
        BranchKind::Condition(text) => branch.satisfied || given.contains(text),
        BranchKind::All => count == branch.children.len(),
        BranchKind::Any => count > 0,
        BranchKind::AtLeast(k) => count >= *k,
    }
}

/// The labels of conditions.
fn of_conditions(conditions: &[String], schema: &Schema) -> Vec<Label> {
    let gates = conditions
        .iter()
        .map(|text| Formula::parse(text, schema).unwrap().gate(schema, &SCOPE, Namespace::Record).unwrap());
    gates.flat_map(|gate| gate.labels().into_iter().cloned().collect::<Vec<_>>()).collect()
}

#[test]
fn explanations_name_what_is_enough() {
    for seed in 30_000..32_000 {
        let (mut dice, schema, formula) = case(seed);
        let gate = formula.gate(&schema, &SCOPE, Namespace::Record).unwrap();
        let attributes = generate::attributes(&mut dice, &schema);
        let held = labels(&attributes, &schema);
        let holds = |label: &Label| held.binary_search(label).is_ok();
        let explained = formula.explain(&schema, &SCOPE, Namespace::Record, &holds).unwrap();
        assert_eq!(explained.satisfied(), formula.evaluate(&attributes), "seed {seed}: {formula}\n{explained}");
        assert_eq!(explained.missing.is_empty(), explained.satisfied());
        let mut through = Vec::new();
        used(&explained.root, &mut through);
        if explained.satisfied() {
            // The conditions it goes through are held, and open it without any other.
            let alone = of_conditions(&through, &schema);
            assert!(
                gate.satisfied(&|label| holds(label) && alone.contains(label)),
                "seed {seed}: {formula}\n{explained}"
            );
        } else {
            assert!(through.is_empty());
            let given = of_conditions(&explained.missing, &schema);
            assert!(
                gate.satisfied(&|label| holds(label) || given.contains(label)),
                "seed {seed}: {formula}\n{explained}"
            );
            // Nothing of what is missing is held, and all of it is needed.
            assert!(given.iter().all(|label| !holds(label)));
            assert!(satisfied_with(&explained.root, &explained.missing));
            for without in 0..explained.missing.len() {
                let mut fewer = explained.missing.clone();
                fewer.remove(without);
                assert!(!satisfied_with(&explained.root, &fewer), "seed {seed}: {formula}\n{explained}");
            }
        }
    }
}
