//! The decision.
use std::sync::Arc;
use wardkeep_model::*;
use crate::*;
/// Decides; holds the snapshot in force.
pub struct Engine {}
#[allow(unused_variables, clippy::all)]
impl Engine {
    pub fn new(snapshot: Snapshot, clock: Arc<dyn Clock>) -> Self { unimplemented!() }
    pub fn snapshot(&self) -> Arc<Snapshot> { unimplemented!() }
    pub fn install(&self, snapshot: Snapshot) { unimplemented!() }
    pub fn decide<A: Action>(&self, question: &Question<'_>) -> Result<Permit<A>, Refusal> { unimplemented!() }
    pub fn glance<A: Action>(&self, question: &Question<'_>) -> Option<Permit<A>> { unimplemented!() }
    pub fn list_event(&self, caller: &Caller, action: ActionName, resource: EntityUid) -> AuditEvent { unimplemented!() }
}
