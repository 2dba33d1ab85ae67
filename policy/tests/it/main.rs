//! The policy room from outside, mostly as its attackers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end on a failed expectation, its helpers too"
)]

mod attack;
mod authorities;
mod bundles;
mod clinic;
mod corpus;
mod decisions;
mod errors;
mod generated;
mod graph;
mod harness;
mod issue;
mod lives;
mod manifests;
mod migrations;
mod moments;
mod offline;
mod projections;
mod reach;
mod records;
mod restore;
mod roles;
mod values;
mod words;
