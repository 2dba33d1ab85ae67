//! `POST /v1/keys/{ring}/{key}/compromise`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::key::{Key, SelectVersion};
use wardkeep_kms::Precondition;
use wardkeep_model::action::CompromiseKey;

use super::answer;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::{KeyPath, KeyedAsker};
use crate::http::json::OptionalJson;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Marks versions as compromised: any use needs the further right `UseCompromisedKey`.
#[utoipa::path(post, path = "/v1/keys/{ring}/{key}/compromise", tag = "keys", request_body = SelectVersion,
    params(("ring" = String, Path), ("key" = String, Path)), responses((status = 200, body = Key)))]
pub async fn compromise_key(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    KeyPath(id): KeyPath,
    IfMatch(revision): IfMatch,
    body: OptionalJson<SelectVersion>,
) -> Result<Tagged<Json<Key>>, Fault> {
    let version = wire::version(body.value.version)?;
    let idempotency = keyed.idempotency("compromise-key", id.as_str(), body.hash);

    let permit = keyed.asker.permit_key::<CompromiseKey>(&id).await?;
    answer(&app.kms.compromise_key(permit, &id, version, Precondition { revision }, idempotency).await?)
}
