//! `POST /v1/keys/{ring}/{key}/cancel-deletion`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::key::Key;
use wardkeep_api::page::Nothing;
use wardkeep_kms::Precondition;
use wardkeep_model::action::CancelKeyDeletion;

use super::answer;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::{KeyPath, KeyedAsker};
use crate::http::json::OptionalJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Takes a scheduled deletion back; the former state comes back with it.
#[utoipa::path(post, path = "/v1/keys/{ring}/{key}/cancel-deletion", tag = "keys", request_body = Nothing,
    params(("ring" = String, Path), ("key" = String, Path)), responses((status = 200, body = Key)))]
pub async fn cancel_deletion(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    KeyPath(id): KeyPath,
    IfMatch(revision): IfMatch,
    body: OptionalJson<Nothing>,
) -> Result<Tagged<Json<Key>>, Fault> {
    let idempotency = keyed.idempotency("cancel-deletion-key", id.as_str(), body.hash);

    let permit = keyed.asker.permit_key::<CancelKeyDeletion>(&id).await?;
    answer(&app.kms.cancel_deletion(permit, &id, Precondition { revision }, idempotency).await?)
}
