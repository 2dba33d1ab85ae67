//! The demonstration.
pub(crate) mod input;
