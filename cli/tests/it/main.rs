//! The binary from outside.

mod binary;
mod offline;
mod online;
