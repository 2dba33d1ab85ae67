//! The nouns from outside, mostly as somebody who wants two spellings of one name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end on a failed expectation, its helpers too"
)]

mod context;
mod entities;
mod names;
mod time;
mod values;
