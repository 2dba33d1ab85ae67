//! Batches: each item has its own decision, its own record and its own outcome.

use std::sync::Arc;

use wardkeep_api::page::{Batch, BatchAnswer, Outcome};

use super::extract::Asker;
use super::problem::Fault;
use crate::state::App;

/// Most items of a batch.
pub const MAX_ITEMS: usize = 100;

/// Does `act` for every item, in order, one after the other: a batch gains round trips, not a bigger share of the
/// server.
///
/// # Errors
/// [`Fault::BatchSize`]; what goes wrong with an item is that item's outcome.
pub async fn each<T, R, F>(app: Arc<App>, asker: Asker, batch: Batch<T>, act: F) -> Result<BatchAnswer<R>, Fault>
where
    F: AsyncFn(Arc<App>, &Asker, T) -> Result<R, Fault>,
{
    if batch.items.is_empty() || batch.items.len() > MAX_ITEMS {
        return Err(Fault::BatchSize);
    }
    let mut items = Vec::with_capacity(batch.items.len());
    for item in batch.items {
        items.push(match act(app.clone(), &asker, item).await {
            Ok(result) => Outcome::Result(result),
            Err(fault) => Outcome::Problem(fault.problem(Some(asker.caller().request()))),
        });
    }
    Ok(BatchAnswer { items })
}
