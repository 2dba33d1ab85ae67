//! `POST /v1/keys/{ring}/{key}/destroy`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::key::Key;
use wardkeep_api::page::Nothing;
use wardkeep_kms::Precondition;
use wardkeep_model::action::DestroyKey;

use super::answer;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::{KeyPath, KeyedAsker};
use crate::http::json::OptionalJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Destroys a key whose day has come. Refused for ever from then on; before the day it is 409.
#[utoipa::path(post, path = "/v1/keys/{ring}/{key}/destroy", tag = "keys", request_body = Nothing,
    params(("ring" = String, Path), ("key" = String, Path)), responses((status = 200, body = Key)))]
pub async fn destroy_key(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    KeyPath(id): KeyPath,
    IfMatch(revision): IfMatch,
    body: OptionalJson<Nothing>,
) -> Result<Tagged<Json<Key>>, Fault> {
    let idempotency = keyed.idempotency("destroy-key", id.as_str(), body.hash);

    let permit = keyed.asker.permit_key::<DestroyKey>(&id).await?;
    answer(&app.kms.destroy_key(permit, &id, Precondition { revision }, idempotency).await?)
}
