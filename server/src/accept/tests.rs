//! The accept loop under attack: malformed callers, slow callers, floods of them, revoked callers.

mod abuse;
mod certificates;
mod floods;
mod house;
mod slow;
mod smuggling;
mod streams;
mod wire;
