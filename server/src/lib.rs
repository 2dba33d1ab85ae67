//! The server: three listeners over one state, and everything that stands between a connection and a verb.
//!
//! One request, `POST /v1/data-keys`: [`tls`] and [`accept`] (handshake, then [`peer::Peer`]) -> `http/extract` (peer,
//! then caller) -> `http/data_keys/generate` (wire type, domain type, permit, act, wire type) -> the policy engine ->
//! the key service, which makes work and audit record durable in one commit. Every error leaves by `http/problem`.
//!
//! | room | holds |
//! |---|---|
//! | [`config`] | what a server is told |
//! | [`accept`], [`tls`], [`peer`], [`revocation`], [`reload`] | connections, and who is at their other end |
//! | [`ca`] | the built-in certificate authority |
//! | [`http`] | routes, extractors, problems |
//! | [`admin`] | policies, entities, roles, tokens: each verb under its own permit |
//! | [`jobs`] | what is due: rotation, destruction, sweeping |
//! | [`state`] | what requests share |
//! | [`start`] | wiring |
//! | [`telemetry`], [`system`] | log and metrics; the clock and the random generator |

pub mod accept;
pub mod admin;
pub mod ca;
pub mod config;
pub mod http;
pub mod jobs;
pub mod peer;
pub mod reload;
pub mod revocation;
pub mod start;
pub mod state;
pub mod system;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod tls;

pub use start::{Running, Server, StartError};
