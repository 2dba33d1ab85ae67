//! `GET /v1/control-set`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::control_set::ControlSet;
use wardkeep_model::action::DescribeControlSet;
use wardkeep_policy::CONTROL_SET;

use crate::http::etag::Tagged;
use crate::http::extract::Asker;
use crate::http::problem::Fault;
use crate::state::App;

/// The control set in force.
#[utoipa::path(get, path = "/v1/control-set", tag = "policies", responses((status = 200, body = ControlSet)))]
pub async fn get_control_set(State(app): State<Arc<App>>, asker: Asker) -> Result<Tagged<Json<ControlSet>>, Fault> {
    let permit = asker.permit_control::<DescribeControlSet>(CONTROL_SET).await?;
    Ok(super::answer(app.admin.control_set(permit).await?))
}
