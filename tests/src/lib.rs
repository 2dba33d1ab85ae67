//! Harness of the integration tests: the source tree as data, servers on loopback, certificates of every kind.
//!
//! | file | holds |
//! |---|---|
//! | [`house`] | a real server over a real store in a temporary folder, and the people in it |
//! | [`person`] | somebody with a certificate, or without one, and the connection they use |
//! | [`ask`] | one request as an attacker would write it, and what came back |
//! | [`forge`] | certificates of any shape, from any authority |
//! | [`bundle`] | the policy bundle that the tests run under |
//! | [`routes`] | every route of the API, in one table |
//! | [`committed`] | outputs that are compared with their committed copies |
//! | [`listen`] | what the process logs |
//! | [`tree`] | the source tree as data |
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness ends on a failed expectation, as the tests that it serves do"
)]

pub mod ask;
pub mod bundle;
pub mod committed;
pub mod forge;
pub mod house;
pub mod listen;
pub mod person;
pub mod routes;
pub mod tree;

pub use ask::{Answer, Ask};
pub use house::House;
pub use person::Person;
