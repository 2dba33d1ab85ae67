//! Tests that go through the service, as its callers and its attackers do.

pub(crate) mod fixture;

mod attack;
mod authorities;
mod bounds;
mod changes;
mod contests;
mod counters;
mod dates;
mod escrows;
mod faults;
mod golden;
mod held;
mod issue_attacks;
mod issues;
mod issuing;
mod mutations;
mod races;
mod recipients;
mod registered;
mod revocations;
mod rows;
mod states;
mod steps;
mod use_keys;
mod vectors;
mod words;
