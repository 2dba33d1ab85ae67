//! The one integration binary: every test that needs more than one room.
#![cfg(test)]

mod audit;
mod canary;
mod endpoints;
mod etag;
mod idempotency;
mod json_bombs;
mod options;
mod paging;
mod release;
mod restart;
mod revocation;
mod tidy;
mod ways_up;
