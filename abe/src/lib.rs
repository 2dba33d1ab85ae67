//! Attribute-based encryption: ciphertexts that enforce their own policy.

mod backend;
mod gate;
mod hashes;
mod label;
