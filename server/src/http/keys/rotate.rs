//! `POST /v1/keys/{ring}/{key}/rotate`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::key::Key;
use wardkeep_api::page::Nothing;
use wardkeep_kms::Precondition;
use wardkeep_model::action::RotateKey;

use super::answer;
use crate::http::authorities::plan;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::{KeyPath, KeyedAsker};
use crate::http::json::OptionalJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Makes a new active version and deactivates an active former one. An authority takes what the bundle in force declares.
#[utoipa::path(post, path = "/v1/keys/{ring}/{key}/rotate", tag = "keys", request_body = Nothing,
    params(("ring" = String, Path), ("key" = String, Path)), responses((status = 200, body = Key)))]
pub async fn rotate_key(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    KeyPath(id): KeyPath,
    IfMatch(revision): IfMatch,
    body: OptionalJson<Nothing>,
) -> Result<Tagged<Json<Key>>, Fault> {
    let idempotency = keyed.idempotency("rotate-key", id.as_str(), body.hash);

    let permit = keyed.asker.permit_key::<RotateKey>(&id).await?;
    let plan = plan(&app, &id)?;
    answer(&app.kms.rotate_under(permit, &id, plan, Precondition { revision }, idempotency).await?)
}
