//! Entities.

pub mod delete;
pub mod get;
pub mod list;
pub mod put;

use wardkeep_api::entity::EntitiesChanged;

use crate::admin::entities::Changed;

fn changed(done: Changed) -> EntitiesChanged {
    let Changed { count, version } = done;
    EntitiesChanged { count: count as u64, policy_version: version }
}
