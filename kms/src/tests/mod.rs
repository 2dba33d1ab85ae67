//! Tests that go through the service, as its callers and its attackers do.

pub(crate) mod fixture;

mod attack;
mod changes;
mod faults;
mod golden;
mod races;
mod states;
mod use_keys;
mod vectors;
