//! Tests that go through the service, as its callers and its attackers do.

pub(crate) mod fixture;

mod attack;
mod bounds;
mod changes;
mod contests;
mod counters;
mod dates;
mod faults;
mod golden;
mod mutations;
mod races;
mod recipients;
mod rows;
mod states;
mod steps;
mod use_keys;
mod vectors;
mod words;
