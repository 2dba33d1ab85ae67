//! The policy language, attacked where languages break: what it means, what it refuses, and whether its text, its
//! tree and its gates say the same.

mod adversary;
mod bounds;
mod exhaustive;
mod explaining;
mod generate;
mod meaning;
mod mistakes;
mod oracle;
mod random;
mod rows;
mod simpler;
mod text;
mod unequal;

use super::*;
use crate::label::AuthorityId;

const SCOPE: Scope = Scope { authority: AuthorityId([1; 16]), version: 1 };

const SCHEMA: &str = "
role: text
groups: text set
dept: enum(cardiology, surgery, \"Ear, nose\") negatable
ward: enum(a, b)
tags: enum(a, b, c) set negatable
level: number(8)
count: number(8) negatable
balance: number(16, signed) negatable
scores: number(8) set
born: date negatable
region: text negatable
";

fn schema() -> Schema {
    Schema::parse(SCHEMA).unwrap()
}

fn formula(text: &str) -> Formula {
    Formula::parse(text, &schema()).unwrap_or_else(|error| panic!("{}", error.render(text)))
}

fn error(text: &str) -> PolicyError {
    Formula::parse(text, &schema()).expect_err(text)
}

/// Whether a key with these attributes opens it: by its labels, which must agree with the plain meaning.
fn opens(policy: &str, attributes: &str) -> bool {
    let schema = schema();
    let formula = formula(policy);
    let attributes = Attributes::parse(attributes, &schema).unwrap();
    let labels = attributes.labels(&schema, &SCOPE, Namespace::Attribute).unwrap();
    let gate = formula.gate(&schema, &SCOPE, Namespace::Attribute).unwrap();
    let by_labels = gate.satisfied(&|label| labels.binary_search(label).is_ok());
    assert_eq!(by_labels, formula.evaluate(&attributes), "`{policy}` for `{attributes}`");
    by_labels
}
