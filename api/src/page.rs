//! Lists in pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list. `next` is given back as the query parameter `cursor` for the page after it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// What the caller may see of this page, in the list's order.
    pub items: Vec<T>,
    /// Where the next page starts; absent on the last one. Opaque.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A batch: 1 to 100 items, each decided, done and recorded on its own.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch<T> {
    /// The items.
    #[schema(min_items = 1, max_items = 100)]
    pub items: Vec<T>,
}

/// A batch's answers, in the order of its items.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer<T> {
    /// One an item.
    pub items: Vec<Outcome<T>>,
}

/// How one item of a batch went: `{"result": ..}` or `{"problem": ..}`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome<T> {
    /// It was done.
    Result(T),
    /// It was not.
    Problem(crate::Problem),
}

/// The body of a verb that takes no arguments: `{}`, or no body at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
