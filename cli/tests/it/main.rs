//! The binary from outside.

#[cfg(test)]
mod binary;
#[cfg(test)]
mod offline;
#[cfg(test)]
mod online;
