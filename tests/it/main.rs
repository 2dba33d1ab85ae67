//! The one integration binary: every test that needs more than one room.
#![cfg(test)]

mod abe_client;
mod acting;
mod audit;
mod authorities;
mod batches;
mod canary;
mod cursors;
mod edge;
mod endpoints;
mod etag;
mod idempotency;
mod json_bombs;
mod once;
mod options;
mod paging;
mod problems;
mod recipients;
mod records;
mod release;
mod restart;
mod revocation;
mod tidy;
mod ways_up;
