//! The envelope from outside: round trips, golden bytes, and what an attacker with the file can try.

#![cfg(test)]

#[cfg(feature = "abe")]
mod abe;
mod batch;
mod body;
mod combination;
mod commitment;
mod golden;
mod harness;
mod header;
mod recipients;
mod round_trip;
