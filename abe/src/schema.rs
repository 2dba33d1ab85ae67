//! What the attributes of an authority are: their types, and what may be asked of them.
//!
//! One declaration a line, `#` begins a comment:
//!
//! ```text
//! role:    text
//! groups:  text set
//! dept:    enum(cardiology, surgery, "Ear, nose") negatable
//! level:   number(8)                      # 1 to 64 bits; 32 if none are given
//! balance: number(16, signed) unit(EUR)
//! born:    date
//! region:  text negatable
//! ```
//!
//! | word | what it allows | what it costs |
//! |---|---|---|
//! | `set` | several values; a leaf holds if some element satisfies it alone | - |
//! | `negatable` | `!=` | longer keys: a label for every other value of an `enum`, 32 for `text`, nothing for numbers and dates |
//! | `unit(word)` | numbers of different units are different attributes | - |
//!
//! A name that is not declared is single-valued; how its value is written says what it is: text, a number of 32
//! bits, unsigned, or a date. Changing a declaration needs a new version of the authority.

mod bytes;
mod declaration;
mod error;
mod parse;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use declaration::{Declaration, Type};
pub use error::{EncodingDefect, SchemaError, ValueDefect};

use crate::syntax::{self, Position, Quoted, SyntaxError};
use crate::value::Value;

/// Most declarations.
pub(crate) const MAX_DECLARATIONS: usize = 1024;
/// Longest schema, in bytes, as text and encoded.
pub(crate) const MAX_SCHEMA: usize = 256 * 1024;

/// The declarations of an authority, in the order of their names. The empty one declares nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    declarations: BTreeMap<Box<str>, Arc<Declaration>>,
    /// Bytes of the longer of the two forms, so that what was declared can be written and read again.
    size: usize,
}

impl Schema {
    /// Reads the text form.
    ///
    /// # Errors
    /// With line and column of the first mistake, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        parse::parse(text)
    }

    /// The canonical text: [`Schema::parse`] gives the same schema again.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.declarations.iter().map(|(name, declaration)| line(name, declaration)).collect()
    }

    /// The canonical bytes, the only encoding of this schema.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        bytes::write(self)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// Of any other bytes, trailing ones included.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SchemaError> {
        bytes::read(bytes)
    }

    /// Adds a declaration.
    ///
    /// # Errors
    /// If the name is declared already (names that differ before normalisation alone are one), if a bound is passed,
    /// or the declaration is not one that can be made.
    pub fn declare(&mut self, name: &str, declaration: Declaration) -> Result<(), SchemaError> {
        self.declare_at(Position::NONE, name, declaration)
    }

    pub(super) fn declare_at(&mut self, at: Position, name: &str, declaration: Declaration) -> Result<(), SchemaError> {
        let name = syntax::name(name).map_err(|why| SyntaxError::Name { at, why })?;
        let declaration = declaration.checked(at, &name)?;
        if self.declarations.contains_key(&name) {
            return Err(SchemaError::Duplicate { at, name });
        }
        if self.declarations.len() >= MAX_DECLARATIONS {
            return Err(SchemaError::TooMany { at });
        }
        let size = self.size + line(&name, &declaration).len().max(bytes::size(&name, &declaration));
        if size > MAX_SCHEMA - bytes::HEADER {
            return Err(SchemaError::TooLong { bytes: size + bytes::HEADER });
        }
        self.size = size;
        self.declarations.insert(name, Arc::new(declaration));
        Ok(())
    }

    /// What is declared of a name; `None` if nothing is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Declaration> {
        self.shared(name).map(AsRef::as_ref)
    }

    /// The declarations in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Declaration)> {
        self.declarations.iter().map(|(name, declaration)| (&**name, &**declaration))
    }

    /// How many names are declared.
    #[must_use]
    pub fn len(&self) -> usize {
        self.declarations.len()
    }

    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.declarations.is_empty()
    }

    fn shared(&self, name: &str) -> Option<&Arc<Declaration>> {
        self.declarations.get(name).or_else(|| self.declarations.get(&syntax::name(name).ok()?))
    }

    /// What holds for a name that has this value: its declaration, or what the value's writing says.
    pub(crate) fn resolve(&self, name: &str, value: &Value) -> Arc<Declaration> {
        self.shared(name).map_or_else(|| Arc::new(Declaration::undeclared(value)), Arc::clone)
    }
}

fn line(name: &str, declaration: &Declaration) -> String {
    format!("{}: {declaration}\n", Quoted(name))
}

#[cfg(test)]
mod tests;
