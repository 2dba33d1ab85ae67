//! `GET /v1/keys/{ring}/{key}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::key::Key;
use wardkeep_model::action::DescribeKey;

use crate::http::etag::Tagged;
use crate::http::extract::{Asker, KeyPath};
use crate::http::problem::Fault;
use crate::state::App;

/// Describes a key: versions, states, dates, public halves.
#[utoipa::path(get, path = "/v1/keys/{ring}/{key}", tag = "keys",
    params(("ring" = String, Path), ("key" = String, Path)), responses((status = 200, body = Key)))]
pub async fn get_key(
    State(app): State<Arc<App>>,
    asker: Asker,
    KeyPath(id): KeyPath,
) -> Result<Tagged<Json<Key>>, Fault> {
    let permit = asker.permit_key::<DescribeKey>(&id).await?;
    super::answer(&app.kms.describe_key(permit, &id).await?)
}
