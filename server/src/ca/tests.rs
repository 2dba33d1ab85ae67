//! The authority as its callers and its enemies use it.

mod books;
mod families;
mod house;
mod listing;
mod redeeming;
mod renewing;
mod rights;
