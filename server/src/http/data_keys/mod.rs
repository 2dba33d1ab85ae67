//! Data keys: generate, unwrap, rewrap, one by one and in batches.

pub mod generate;
pub mod replay;
pub mod rewrap;
pub mod unwrap;
