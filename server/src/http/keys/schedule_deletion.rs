//! `POST /v1/keys/{ring}/{key}/schedule-deletion`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::key::{Key, ScheduleDeletion};
use wardkeep_kms::{DeletionPlan, Precondition};
use wardkeep_model::action::ScheduleKeyDeletion;

use super::answer;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::{KeyPath, KeyedAsker};
use crate::http::json::HashedJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Sets the day of a key's destruction, 7 to 30 days ahead.
#[utoipa::path(post, path = "/v1/keys/{ring}/{key}/schedule-deletion", tag = "keys", request_body = ScheduleDeletion,
    params(("ring" = String, Path), ("key" = String, Path)), responses((status = 200, body = Key)))]
pub async fn schedule_deletion(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    KeyPath(id): KeyPath,
    IfMatch(revision): IfMatch,
    body: HashedJson<ScheduleDeletion>,
) -> Result<Tagged<Json<Key>>, Fault> {
    let plan = DeletionPlan { days: body.value.days };
    let idempotency = keyed.idempotency("schedule-deletion-key", id.as_str(), body.hash);

    let permit = keyed.asker.permit_key::<ScheduleKeyDeletion>(&id).await?;
    answer(&app.kms.schedule_deletion(permit, &id, plan, Precondition { revision }, idempotency).await?)
}
