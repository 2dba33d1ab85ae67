//! `POST /v1/keys/{ring}/{key}/enable`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::key::{Key, SelectVersion};
use wardkeep_kms::Precondition;
use wardkeep_model::action::EnableKey;

use super::answer;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::{KeyPath, KeyedAsker};
use crate::http::json::OptionalJson;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Makes pre-active and suspended versions active.
#[utoipa::path(post, path = "/v1/keys/{ring}/{key}/enable", tag = "keys", request_body = SelectVersion,
    params(("ring" = String, Path), ("key" = String, Path)), responses((status = 200, body = Key)))]
pub async fn enable_key(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    KeyPath(id): KeyPath,
    IfMatch(revision): IfMatch,
    body: OptionalJson<SelectVersion>,
) -> Result<Tagged<Json<Key>>, Fault> {
    let version = wire::version(body.value.version)?;
    let idempotency = keyed.idempotency("enable-key", id.as_str(), body.hash);

    let permit = keyed.asker.permit_key::<EnableKey>(&id).await?;
    answer(&app.kms.enable_key(permit, &id, version, Precondition { revision }, idempotency).await?)
}
