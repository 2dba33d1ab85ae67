//! `POST /v1/bundles/{version}/activate`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::bundle::LoadedBundle;
use wardkeep_api::page::Nothing;
use wardkeep_model::action::ActivateBundle;

use crate::http::extract::{Asker, VersionPath};
use crate::http::json::OptionalJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Puts a bundle in force that was loaded before.
#[utoipa::path(post, path = "/v1/bundles/{version}/activate", tag = "policies", request_body = Nothing,
    params(("version" = u64, Path)), responses((status = 200, body = LoadedBundle)))]
pub async fn activate_bundle(
    State(app): State<Arc<App>>,
    asker: Asker,
    VersionPath(version): VersionPath,
    _: OptionalJson<Nothing>,
) -> Result<Json<LoadedBundle>, Fault> {
    let _place = app.limits.dear()?;
    let permit = asker.permit_control::<ActivateBundle>("bundles").await?;
    Ok(Json(super::loaded(app.admin.activate_bundle(permit, version).await?)))
}
