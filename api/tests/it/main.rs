//! The wire types from outside: what a careless or a clever client sends, and what a newer server answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end on a failed expectation, its helpers too"
)]

mod answers;
mod checks;
mod documents;
mod requests;
mod secrets;
mod values;
