//! `POST /v1/bundles`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::bundle::{LoadBundle, LoadedBundle};
use wardkeep_model::action::ActivateBundle;
use wardkeep_policy::BundleSource;

use crate::admin::bundles::NewBundle;
use crate::http::extract::Asker;
use crate::http::json::LargeJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Checks a bundle, keeps it, and puts it in force if so asked. Every finding comes back with its place.
#[utoipa::path(post, path = "/v1/bundles", tag = "policies", request_body = LoadBundle,
    responses((status = 200, body = LoadedBundle)))]
pub async fn load_bundle(
    State(app): State<Arc<App>>,
    asker: Asker,
    LargeJson(body): LargeJson<LoadBundle>,
) -> Result<Json<LoadedBundle>, Fault> {
    let LoadBundle { manifest, schema, policies, entities, activate, dry_run } = body;
    let policies = policies.into_iter().map(|file| (file.name, file.text)).collect();
    let source = BundleSource { manifest, schema, policies, entities };

    let _place = app.limits.dear()?;
    let permit = asker.permit_control::<ActivateBundle>("bundles").await?;
    let done = app.admin.load_bundle(permit, NewBundle { source, activate, dry_run }).await?;
    Ok(Json(super::loaded(done)))
}
