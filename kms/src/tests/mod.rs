//! Tests that go through the service, as its callers and its attackers do.

pub(crate) mod fixture;
