//! The audit log.

pub mod head;
pub mod records;
pub mod verify;
