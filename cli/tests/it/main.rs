//! The binary from outside.
//!
//! | file | holds |
//! |---|---|
//! | `binary`, `dev`, `configured`, `cut` | calling it, a server of the test's own, and a way to it that can be cut |
//! | `offline`, `inputs`, `outputs` | command lines, the demo's input, what is printed |
//! | `online`, `recipients`, `rules`, `outsiders` | the nouns that call a server, and what they bring about |
//! | `abe`, `abe_hostile`, `abe_streams`, `abe_online`, `abe_remote` | attribute-based encryption with files, beside a server, and with one |
//! | `signals`, `founding`, `follow`, `reload`, `own_ca` | ends, beginnings, restarts, a CA of one's own |
//! | `lost`, `once` | the client library against the real server: lost answers, idempotency |
//! | `secrets` | what must never be seen from outside |

#[cfg(test)]
mod abe;
#[cfg(test)]
mod abe_hostile;
#[cfg(test)]
mod abe_online;
#[cfg(test)]
mod abe_remote;
#[cfg(test)]
mod abe_streams;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod configured;
#[cfg(test)]
mod cut;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod founding;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod once;
#[cfg(test)]
mod online;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod outsiders;
#[cfg(test)]
mod own_ca;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod recipients;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod signals;
