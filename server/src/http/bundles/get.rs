//! `GET /v1/bundles/active` and `GET /v1/bundles/{version}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::bundle::Bundle;
use wardkeep_model::action::DescribeBundle;

use crate::admin::bundles::Which;
use crate::http::extract::{Asker, VersionPath};
use crate::http::problem::Fault;
use crate::state::App;

/// The bundle in force.
#[utoipa::path(get, path = "/v1/bundles/active", tag = "policies", responses((status = 200, body = Bundle)))]
pub async fn get_active_bundle(State(app): State<Arc<App>>, asker: Asker) -> Result<Json<Bundle>, Fault> {
    let permit = asker.permit_control::<DescribeBundle>("bundles").await?;
    Ok(Json(super::bundle(app.admin.bundle(permit, Which::Active).await?)))
}

/// A bundle that was loaded.
#[utoipa::path(get, path = "/v1/bundles/{version}", tag = "policies", params(("version" = u64, Path)),
    responses((status = 200, body = Bundle)))]
pub async fn get_bundle(
    State(app): State<Arc<App>>,
    asker: Asker,
    VersionPath(version): VersionPath,
) -> Result<Json<Bundle>, Fault> {
    let permit = asker.permit_control::<DescribeBundle>("bundles").await?;
    Ok(Json(super::bundle(app.admin.bundle(permit, Which::Version(version)).await?)))
}
