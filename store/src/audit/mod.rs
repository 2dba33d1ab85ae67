//! The audit log: what a record is, how records are chained, and how the end of the chain is signed.

pub mod chain;
pub mod head;
mod line;
pub mod record;
#[cfg(test)]
mod tests;
