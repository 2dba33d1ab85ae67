//! `PUT /v1/control-set`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::control_set::{ControlSet, PutControlSet};
use wardkeep_model::action::ChangeControlSet;
use wardkeep_policy::CONTROL_SET;

use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::Asker;
use crate::http::json::LargeJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Puts another control set in force, unless nobody could change it back.
#[utoipa::path(put, path = "/v1/control-set", tag = "policies", request_body = PutControlSet,
    responses((status = 200, body = ControlSet)))]
pub async fn put_control_set(
    State(app): State<Arc<App>>,
    asker: Asker,
    IfMatch(revision): IfMatch,
    LargeJson(body): LargeJson<PutControlSet>,
) -> Result<Tagged<Json<ControlSet>>, Fault> {
    let _place = app.limits.dear()?;
    let permit = asker.permit_control::<ChangeControlSet>(CONTROL_SET).await?;
    Ok(super::answer(app.admin.change_control_set(permit, body.text, revision).await?))
}
