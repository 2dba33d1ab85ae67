//! The accept loop under attack: malformed callers, slow callers, revoked callers.

mod certificates;
mod house;
mod slow;
mod streams;
