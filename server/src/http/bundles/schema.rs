//! `GET /v1/policy/schema`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::bundle::PolicySchema;
use wardkeep_model::action::DescribeBundle;

use crate::http::extract::Asker;
use crate::http::problem::Fault;
use crate::state::App;

/// The schema in force: the bundle's, with Wardkeep's own actions filled in.
#[utoipa::path(get, path = "/v1/policy/schema", tag = "policies", responses((status = 200, body = PolicySchema)))]
pub async fn get_schema(State(app): State<Arc<App>>, asker: Asker) -> Result<Json<PolicySchema>, Fault> {
    let permit = asker.permit_control::<DescribeBundle>("bundles").await?;
    let (policy_version, text) = app.admin.schema(permit).await?;
    Ok(Json(PolicySchema { policy_version, text }))
}
