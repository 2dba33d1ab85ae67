//! Harness of the integration tests: the source tree as data, servers on loopback, certificates of every kind.

pub mod tree;
