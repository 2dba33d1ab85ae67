//! The canonical text.

use std::fmt::{self, Display as _};

use super::node::{Ask, Node, Test};
use crate::syntax::Quoted;

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(test) => test.fmt(f),
            Self::Any(children) => joined(f, children, " or "),
            Self::All(children) => {
                for (index, child) in children.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { " and " })?;
                    // `or` binds less tightly: the only parentheses there are.
                    match child {
                        Self::Any(_) => write!(f, "({child})")?,
                        other => other.fmt(f)?,
                    }
                }
                Ok(())
            }
            Self::AtLeast(k, children) => {
                write!(f, "{k} of (")?;
                joined(f, children, ", ")?;
                f.write_str(")")
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, children: &[Node], between: &str) -> fmt::Result {
    for (index, child) in children.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { between })?;
        child.fmt(f)?;
    }
    Ok(())
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Quoted(&self.name);
        match &self.ask {
            Ask::Compare(comparison, value) => write!(f, "{name} {} {value}", comparison.sign()),
            Ask::In(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "{name} in [{}]", values.join(", "))
            }
        }
    }
}
