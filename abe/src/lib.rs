//! Attribute-based encryption: ciphertexts that enforce their own policy.

mod attributes;
mod backend;
mod dyadic;
mod formula;
mod gate;
mod label;
mod schema;
mod syntax;
mod value;

pub use attributes::{AttributeError, Attributes};
pub use formula::{Branch, BranchKind, Explanation, Formula, PolicyError};
pub use label::{AuthorityId, Label};
pub use schema::{Declaration, EncodingDefect, Schema, SchemaError, Type, ValueDefect};
pub use syntax::{NameDefect, Position, SyntaxError, TextDefect};
pub use value::{Date, Value};
