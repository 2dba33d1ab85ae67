//! The authority under attack: used tokens, borrowed requests, renewed thieves.

mod house;
mod listing;
mod redeeming;
mod renewing;
